"""The tokens probe on models with random parameters, against the paper's way word by word."""

import re
import statistics

import numpy as np
import pandas as pd
import pytest
import torch

from embryology.corpus import articles
from embryology.corpus.sentences import split
from embryology.errors import EmbryologyError
from embryology.models.encoder import Encoder
from embryology.probes.tokens import TokensProbe, choose_examples
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs.tokens import TokensSettings
from embryology.treebanks import Sentence, Word
from tests.conftest import save_checkpoint, tiny_model

COVERS = ("embryology/specs/tokens.py",)
TAGS = {"the": "DT", "a": "DT", "an": "DT", "of": "IN", "in": "IN", "and": "CC", "is": "VBZ", "was": "VBD"}


def tag(form):
    return TAGS.get(form.lower()) or ("." if not form.isalnum() else "CD" if form.isdigit() else "NN")


@pytest.fixture(scope="module")
def sentences(tokenizer):
    """40 held-out sentences without unknown pieces, with made-up tags."""
    found = []
    for article in articles.articles("bundled"):
        if not articles.is_held_out(article.title):
            continue
        for number, text in enumerate(split(article.text)):
            ids = tokenizer(text)["input_ids"]
            if text.isascii() and tokenizer.unk_token_id not in ids and len(ids) <= 64:
                words = tuple(Word(m[0], m.start(), m.end(), tag(m[0])) for m in re.finditer(r"\w+|[^\w\s]", text))
                found.append(Sentence(f"{article.id}-{number}", text, words))
        if len(found) >= 40:
            return found[:40]
    raise AssertionError("the bundled articles are too few")


@pytest.fixture(scope="module", params=["albert", "bert"])
def encoder(request, tokenizer, tmp_path_factory):
    """A model that copies some words and leans to "the", so that both tasks have right and wrong answers."""
    model = tiny_model(request.param)
    bias = model.predictions.bias if request.param == "albert" else model.cls.predictions.bias
    with torch.no_grad():
        bias[tokenizer.convert_tokens_to_ids("▁the")] += 6.0
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "run")
    save_checkpoint(folder, 0, model, tokenizer)
    return Encoder.load(Series.open(folder.root).checkpoints[0], device="cpu")


def measure(encoder, sentences, tokenizer, **settings):
    prepared = choose_examples(sentences, "made up", TokensSettings(**settings), tokenizer, 64)
    rows, items = TokensProbe().measure(encoder, prepared)
    return pd.DataFrame(rows), items


def slow_alignment(tokenizer, sentence):
    """Positions by spelling: pieces are eaten up letter by letter by the words they spell."""
    normalise = tokenizer.backend_tokenizer.normalizer.normalize_str
    owners = [number for number, word in enumerate(sentence.words) for _ in normalise(word.form)]
    spelling = "".join(normalise(word.form) for word in sentence.words)
    positions = [[] for _ in sentence.words]
    shared, eaten = set(), 0
    ids = tokenizer(sentence.text)["input_ids"]
    for position, piece in list(enumerate(tokenizer.convert_ids_to_tokens(ids)))[1:-1]:
        letters = piece.replace("▁", "")
        assert spelling[eaten : eaten + len(letters)] == letters
        # A lone boundary mark belongs to the word that it begins.
        users = set(owners[eaten : eaten + len(letters)]) or {owners[eaten]}
        eaten += len(letters)
        for user in users:
            positions[user].append(position)
        if len(users) > 1:
            shared |= users
    return ids, [[] if number in shared else found for number, found in enumerate(positions)]


def slowly(model, sentences, tokenizer):
    """Both measures as the paper's scripts take them: a sentence a forward pass, plain loops, all logits."""
    answers = {}
    for sentence in sentences:
        ids, words = slow_alignment(tokenizer, sentence)
        with torch.no_grad():
            plain = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        for number, (word, positions) in enumerate(zip(sentence.words, words, strict=True), start=1):
            if not positions:
                continue
            copy = [tokenizer.mask_token_id if i in positions else piece for i, piece in enumerate(ids)]
            with torch.no_grad():
                masked = model(torch.tensor([copy])).logits[0].log_softmax(-1)
            for task, table in (("reconstruction", plain), ("mask-prediction", masked)):
                right = all(int(table[i].argmax()) == ids[i] for i in positions)
                log_probability = statistics.fmean(float(table[i, ids[i]]) for i in positions)
                answers[task, f"{sentence.id}:{number}"] = (word.form, word.tag, right, log_probability)
    return answers


def test_every_item_is_as_the_slow_way_finds_it(encoder, sentences, tokenizer):
    _, items = measure(encoder, sentences, tokenizer)
    expected = slowly(encoder.model, sentences, tokenizer)
    assert len(items) == len(expected)
    for row in items.itertuples():
        word, tag, right, log_probability = expected[row.task, row.item_id]
        assert (row.word, row.group, row.correct) == (word, tag, right)
        assert row.log_probability == pytest.approx(log_probability, abs=5e-5)
    for _, answers in items.groupby("task"):
        assert 0.02 < answers["correct"].mean() < 0.98, "a test in which all answers are alike tests nothing"
    assert items["log_probability"].dtype == np.float32
    assert set(items["source"]) == {"made up"}


def test_bootstrap_is_over_sentences(encoder, sentences, tokenizer):
    rows, items = measure(encoder, sentences, tokenizer)
    own = items[(items["task"] == "reconstruction") & (items["group"] == "NN")]
    groups = [group.to_numpy(dtype=float) for _, group in own.groupby("sentence")["log_probability"]]
    rng = np.random.default_rng(1)
    means = [
        np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))]).mean() for _ in range(2000)
    ]
    row = rows[(rows["task"] == "reconstruction") & (rows["group"] == "NN") & (rows["metric"] == "log_probability")]
    expected = np.percentile(means, [2.5, 97.5])
    width = expected[1] - expected[0]
    assert row[["low", "high"]].to_numpy()[0] == pytest.approx(expected, abs=0.15 * width)
    again, _ = measure(encoder, sentences, tokenizer)
    assert again.equals(rows)


def sentence_of(name, words):
    text, spans = "", []
    for form, tag in words:
        spans.append(Word(form, len(text), len(text) + len(form), tag))
        text += form + " "
    return Sentence(name, text.rstrip(), tuple(spans))


def test_baselines_by_hand(encoder, tokenizer):
    words = [
        [("The", "DT"), ("city", "NN"), ("of", "IN"), ("the", "DT"), ("sea", "NN")],
        [("a", "DT"), ("city", "NN"), ("in", "IN"), ("the", "DT"), ("city", "NN")],
        [("the", "NN"), ("of", "IN"), ("lone", "JJ")],
    ]
    rows, items = measure(encoder, [sentence_of(str(i), own) for i, own in enumerate(words)], tokenizer)
    accuracy = rows[(rows["metric"] == "accuracy") & (rows["task"] == "reconstruction")]
    table = {(row.baseline, row.group): (row.value, row.n) for row in accuracy.itertuples()}
    # "the" 4 of 13 whatever its case and tag; city 3 of 5 nouns, of 2 of 3 prepositions.
    assert table["most-frequent-word", ""] == (pytest.approx(4 / 13), 13)
    assert table["most-frequent-word", "DT"] == (pytest.approx(3 / 4), 4)
    assert table["most-frequent-word", "NN"] == (pytest.approx(1 / 5), 5)
    assert table["most-frequent-word", "IN"] == (0.0, 3)
    assert table["most-frequent-in-group", "DT"] == (pytest.approx(3 / 4), 4)
    assert table["most-frequent-in-group", "NN"] == (pytest.approx(3 / 5), 5)
    assert table["most-frequent-in-group", "IN"] == (pytest.approx(2 / 3), 3)
    assert table["most-frequent-in-group", "JJ"] == (1.0, 1)
    assert table["most-frequent-in-group", ""] == (pytest.approx((3 + 3 + 2 + 1) / 13), 13)
    kept = items[items["task"] == "mask-prediction"]
    assert kept.loc[kept["most-frequent-word"], "word"].tolist() == ["The", "the", "the", "the"]
    assert kept.loc[kept["most-frequent-in-group"], "word"].value_counts().to_dict() == {
        "The": 1, "the": 2, "city": 3, "of": 2, "lone": 1,
    }  # fmt: skip


def test_unaligned_words_are_counted_and_not_scored(encoder, tokenizer):
    long = sentence_of("long", [("city", "NN")] * 80)
    contraction = Sentence("c", "I can't", (Word("I", 0, 1, "PRP"), Word("can", 2, 7, "MD"), Word("not", 2, 7, "RB")))
    rows, items = measure(encoder, [long, contraction], tokenizer)
    scored = items[items["task"] == "reconstruction"]
    share = rows[rows["metric"] == "share_unaligned"].iloc[0]
    assert (share["task"], share["n"]) == ("alignment", 83)
    assert share["value"] == pytest.approx(1 - len(scored) / 83)
    assert not {"MD", "RB"} & set(scored["group"])
    with pytest.raises(EmbryologyError, match="none of 2 words could be aligned"):
        measure(encoder, [Sentence("c", "can't", (Word("can", 0, 5, "MD"), Word("not", 0, 5, "RB")))], tokenizer)


def test_caps_draw_evenly_and_by_seed(encoder, sentences, tokenizer):
    def drawn(**settings):
        return choose_examples(sentences, "made up", TokensSettings(**settings), tokenizer, 64)

    few, more = drawn(sentences=5), drawn(sentences=20)
    assert few.words["sentence"].nunique() == 5
    assert set(few.words["item_id"]) < set(more.words["item_id"]), "a smaller draw lies within a larger one"
    assert set(drawn(sentences=5, seed=1).words["item_id"]) != set(few.words["item_id"])
    assert drawn(sentences=1000).words.equals(drawn().words)

    rows, items = measure(encoder, sentences, tokenizer, mask_words_per_tag=7)
    masked = items[items["task"] == "mask-prediction"]
    every = items[items["task"] == "reconstruction"]
    assert masked["group"].value_counts().to_dict() == {
        name: min(count, 7) for name, count in every["group"].value_counts().items()
    }
    assert set(masked["item_id"]) <= set(every["item_id"])
    assert not ((rows["task"] == "mask-prediction") & (rows["group"] == "")).any(), "a stratified sample has no total"
    assert ((rows["task"] == "reconstruction") & (rows["group"] == "")).any()


def test_order_of_sentences_changes_no_item(encoder, sentences, tokenizer):
    _, items = measure(encoder, sentences, tokenizer)
    _, backwards = measure(encoder, sentences[::-1], tokenizer)
    ours, theirs = (table.set_index(["task", "item_id"]).sort_index() for table in (items, backwards))
    assert ours["correct"].equals(theirs["correct"])
    np.testing.assert_allclose(ours["log_probability"], theirs["log_probability"], atol=5e-5)


def test_the_released_way_scores_every_word_alone(encoder, sentences, tokenizer):
    rows, items = measure(encoder, sentences, tokenizer, alignment="words")
    assert rows[rows["metric"] == "share_unaligned"]["value"].item() < 0.2
    prepared = choose_examples(sentences, "made up", TokensSettings(alignment="words"), tokenizer, 64)
    for row in prepared.words.itertuples():
        assert list(row.pieces) == tokenizer(row.word, add_special_tokens=False)["input_ids"]
    assert len(items) == 2 * len(prepared.words)
