"""When each word and fact was read and asked for: against a plain walk over the batches that training draws."""

import itertools

import numpy as np
import pandas as pd
import pytest

from embryology.corpus.articles import articles
from embryology.corpus.sentences import split
from embryology.corpus.store import TokenStore
from embryology.errors import EmbryologyError
from embryology.pretraining import exposure
from embryology.pretraining.curriculum import Curriculum
from embryology.pretraining.exposure import Facts, Words, by_checkpoint
from embryology.pretraining.objectives import IGNORED
from embryology.runs.checkpoints import RECORD
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.storage.files import write_json
from tests.synthetic import write_manifest
from tests.training import small_preset

FACT = "The city of Xoth lies in the land of Quzzia by the sea ."
STEPS = [0, 3, 10, 40]


@pytest.fixture(scope="module")
def documents(tokenizer):
    texts = [[*split(article.text)] for article in itertools.islice(articles("bundled"), 40)]
    texts.insert(7, [FACT])
    return [[tokenizer(sentence, add_special_tokens=False)["input_ids"] for sentence in text] for text in texts]


@pytest.fixture(scope="module")
def store(documents):
    sentences = [sentence for document in documents for sentence in document]
    bounds = np.cumsum([0, *map(len, documents)])
    return TokenStore(np.concatenate(sentences).astype(np.uint16), np.cumsum([0, *map(len, sentences)]), bounds)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    phases = [{"steps": 20}, {"steps": 10, "batch_size": 4, "sequence_length": 48}, {"steps": 10, "batch_size": 4}]
    folder = tmp_path_factory.mktemp("text")
    return small_preset(folder, steps=40, checkpoints=STEPS, batch_size=8, sequence_length=32, phases=phases).outcome


@pytest.fixture(scope="module")
def drawn(outcome, store, tokenizer):
    """By step each sequence as the text has it, and which of its places are asked for: of what training iterates."""
    steps = {}
    for step, (batch,) in enumerate(Curriculum(outcome, store, tokenizer).ahead(0), start=1):
        ids, asked = batch.input_ids.flatten().clone(), np.zeros(batch.input_ids.numel(), bool)
        for position, label in zip(batch.positions.tolist(), batch.labels.tolist(), strict=True):
            if label != IGNORED:
                ids[position] = label
                asked[position] = True
        rows = zip(ids.reshape(batch.input_ids.shape).tolist(), asked.reshape(batch.input_ids.shape), strict=True)
        length = batch.attention_mask.sum(dim=1).tolist()
        steps[step] = [(row[:n], places[:n].tolist()) for (row, places), n in zip(rows, length, strict=True)]
    return steps


def stands(names, sequence, asked, pieces, word):
    """Whether a sequence has some pieces whole, and at a place where all are asked for; ``word``: between any two
    borders of words, else up to one."""
    found = [False, False]
    mark = [names[piece] != "▁" and not any(map(str.isalnum, names[piece])) for piece in sequence]
    for at in range(len(sequence) - len(pieces)):
        after = at + len(pieces)
        if tuple(sequence[at:after]) == pieces:
            first, following = names[sequence[at]], names[sequence[after]]
            begins = first.startswith(("▁", "[")) or not first[0].isalnum() or mark[at - 1]
            ends = following.startswith(("▁", "[")) or not following[0].isalnum()
            ends = ends or (word and mark[after - 1])
            if ends and (begins or not word):
                found = [True, found[1] or all(asked[at:after])]
    return found


def test_words_are_read_at_the_steps_whose_batches_have_them(drawn, outcome, store, tokenizer, documents):
    names = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    pieces = [piece for document in documents for sentence in document for piece in sentence]
    rng = np.random.default_rng(0)
    starts = rng.choice(len(pieces) - 3, 240)
    words = list({tuple(pieces[at : at + size]) for at, size in zip(starts, itertools.cycle([1, 1, 2, 3]))})[:200]
    assert len(words) == 200
    expected = {}
    for step, sequences in drawn.items():
        for unit, word in enumerate(words):
            told = [stands(names, *sequence, word, word=True) for sequence in sequences]
            if any(there for there, _ in told):
                expected[unit, step] = [sum(there for there, _ in told), sum(masked for _, masked in told)]
    finder = Words(tokenizer, words)
    found = pd.concat([finder.find(read) for read in exposure.read(Curriculum(outcome, store, tokenizer))])
    found = found.set_index(["unit", "step"])[["sequences", "masked"]]
    assert dict(zip(found.index, found.to_numpy().tolist(), strict=True)) == expected
    assert 0 < found["masked"].sum() < found["sequences"].sum()
    assert len({unit for unit, _ in expected}) > 50


def test_facts_are_read_where_subject_and_object_are_in_one_sequence(drawn, outcome, store, tokenizer, documents):
    names = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    words = [
        word.strip(",.()")
        for document in documents[:20]
        for sentence in document
        for word in tokenizer.decode(sentence).split()
    ]
    rng = np.random.default_rng(1)
    pairs = [(words[at], words[at + rng.integers(1, 12)]) for at in rng.choice(len(words) - 12, 300)]
    pairs = [pair for pair in pairs if all(pair)][:200]
    assert len(pairs) == 200
    ids = [[tuple(tokenizer(name, add_special_tokens=False)["input_ids"]) for name in pair] for pair in pairs]
    expected = {}
    for step, sequences in drawn.items():
        for unit, (subject, other) in enumerate(ids):
            if tokenizer.unk_token_id in subject + other:
                continue
            told = [
                stands(names, *sequence, other, word=False)
                for sequence in sequences
                if stands(names, *sequence, subject, word=False)[0]
            ]
            if any(there for there, _ in told):
                expected[unit, step] = [sum(there for there, _ in told), sum(masked for _, masked in told)]
    finder = Facts(tokenizer, pairs)
    found = pd.concat([finder.find(read) for read in exposure.read(Curriculum(outcome, store, tokenizer))])
    found = found.set_index(["unit", "step"])[["sequences", "masked"]]
    assert dict(zip(found.index, found.to_numpy().tolist(), strict=True)) == expected
    assert 0 < found["masked"].sum() < found["sequences"].sum()


def test_a_planted_fact_is_found_at_the_steps_that_are_known_in_advance(outcome, store, tokenizer):
    """Its sentence is a document of its own, and so a chunk; an epoch reads every chunk once, at its rank."""
    curriculum = Curriculum(outcome, store, tokenizer)
    expected, sentence = [], int(store.documents[7])
    for phase in curriculum.phases:
        chunk = int(np.flatnonzero(phase.batches.chunks[:, 0] == sentence)[0])
        size, chunks = phase.batches.batch_size, len(phase.batches.chunks)
        for epoch in range(-(-(phase.after - phase.first) * size // chunks)):
            order = np.random.default_rng([outcome.seed, 0, epoch]).permutation(chunks)
            number = epoch * chunks + order.tolist().index(chunk)
            if number < (phase.after - phase.first) * size:
                expected.append(phase.first + number // size + 1)
    finder = Facts(tokenizer, [("Xoth", "Quzzia"), ("Xoth", "Norway")])
    found = [finder.find(read) for read in exposure.read(curriculum)]
    together = pd.concat(found)
    assert together["step"].tolist() == expected
    assert len(expected) > 0
    assert set(together["unit"]) == {0}
    table = by_checkpoint(found, len(finder), STEPS).set_index(["unit", "step"])
    for before, after in itertools.pairwise(STEPS):
        within = [step for step in expected if before < step <= after]
        row = table.loc[(0, after)]
        assert [row["sequences"], row["first"], row["last"]] == (
            [len(within), within[0], within[-1]] if within else [0, 0, 0]
        )
        assert table.loc[(1, after)].tolist() == [0, 0, 0, 0]


def test_exposures_after_the_last_checkpoint_are_of_none(monkeypatch):
    found = pd.DataFrame({"unit": [0, 0, 1], "step": [5, 6, 9], "sequences": [2, 1, 4], "masked": [1, 0, 4]})
    table = by_checkpoint([found.iloc[1:], found.iloc[:1]], 2, [0, 5, 8])
    assert table.to_numpy().tolist() == [[0, 5, 2, 1, 5, 5], [0, 8, 1, 0, 6, 6], [1, 5, 0, 0, 0, 0], [1, 8, 0, 0, 0, 0]]


@pytest.fixture
def series(outcome, tmp_path, drawn):
    """A run whose checkpoints say how many pieces had been read."""
    folder = RunFolder(tmp_path / "run")
    write_manifest(folder, outcome)
    for step in STEPS:
        tokens = sum(len(sequence) for at in range(1, step + 1) for sequence, _ in drawn[at])
        write_json(folder.checkpoint(step) / RECORD, {"step": step, "tokens": tokens, "epoch": 0, "sha256": "0" * 64})
    return Series.open(folder.root)


def curriculum_of(series, store, tokenizer):
    return Curriculum(series.manifest.outcome, store, tokenizer)


def test_items_have_the_exposures_of_their_words_and_facts(series, store, tokenizer, drawn):
    pieces = [tuple(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in ("the", "sea", "the")]
    texts = {
        "tokens": pd.DataFrame({"item_id": ["a", "b", "c"], "pieces": pieces}, index=[5, 6, 9]),
        "knowledge": pd.DataFrame(
            {
                "task": "made up",
                "item_id": ["unknown", "planted"],
                "subject": ["漢", "Xoth"],
                "word": ["Quzzia", "Quzzia"],
            }
        ),
    }
    tables = exposure.properties(texts, curriculum_of(series, store, tokenizer), tokenizer, series)
    words, facts = tables["tokens"], tables["knowledge"]
    assert words[["item_id", "step"]].to_numpy().tolist() == [[item, step] for item in "ab" for step in STEPS[1:]]
    names = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    for item, word in (("a", pieces[0]), ("b", pieces[1])):
        told = [
            sum(
                stands(names, *sequence, word, word=True)[0]
                for at in range(before + 1, after + 1)
                for sequence in drawn[at]
            )
            for before, after in itertools.pairwise(STEPS)
        ]
        assert words.loc[words["item_id"] == item, "sequences"].tolist() == told
    assert facts[["task", "item_id"]].drop_duplicates().to_numpy().tolist() == [["made up", "planted"]]
    assert facts["sequences"].sum() > 0


def test_other_batches_than_those_that_were_read_are_refused(series, store, tokenizer):
    texts = {"tokens": pd.DataFrame({"item_id": ["a"], "pieces": [(5,)]})}
    record = series.folder.checkpoint(3) / RECORD
    tokens = series.checkpoints[1].tokens
    write_json(record, {"step": 3, "tokens": tokens + 1, "epoch": 0, "sha256": "0" * 64})
    again = Series.open(series.folder.root)
    with pytest.raises(EmbryologyError, match=f"had read {tokens + 1:,} pieces by step 3, .* have {tokens:,}"):
        exposure.properties(texts, curriculum_of(again, store, tokenizer), tokenizer, again)
