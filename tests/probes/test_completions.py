"""Completions against transformers alone: what is likeliest at a mask, how likely, and how pieces become words."""

import io
import itertools
import math
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from rich.console import Console
from statsmodels.stats.proportion import proportion_confint
from tokenizers import ByteLevelBPETokenizer
from tokenizers.implementations import BertWordPieceTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForPreTraining,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
)

from embryology.corpus import tokenizer as tokenizers
from embryology.corpus.articles import articles
from embryology.errors import EmbryologyError
from embryology.figures import provenance
from embryology.models.encoder import Encoder
from embryology.probes import completions
from embryology.probes.completions import SENTENCES, CompletionsProbe, choose_examples, likeliest_strings
from embryology.probes.runner import run_probes
from embryology.runs import checkpoints, measurements
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs.completions import CompletionsSettings

COVERS = ("embryology/specs/completions.py",)
SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
         "initializer_range": 0.3}  # fmt: skip
NAMES = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"}
OF_BYTES = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "unk_token": "<unk>",
            "pad_token": "<pad>", "mask_token": "<mask>"}  # fmt: skip
LONG = "She read about the [Enlightenment] and other things."
ASKED = {"completions": CompletionsSettings()}


@pytest.fixture(scope="module")
def by_kind(tokenizer):
    """Tokenizers of three kinds: a piece that begins a word is marked, one that goes on is, or the space is a byte."""
    text = [article.text for article in itertools.islice(articles("bundled"), 60)]
    pieces = BertWordPieceTokenizer()
    pieces.train_from_iterator(text, vocab_size=500, special_tokens=list(NAMES.values()))
    bytes_ = ByteLevelBPETokenizer(add_prefix_space=False)
    bytes_.train_from_iterator(text, vocab_size=500, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    bytes_._tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return {
        "albert": tokenizer,
        "bert": PreTrainedTokenizerFast(tokenizer_object=pieces._tokenizer, **NAMES),
        "roberta": PreTrainedTokenizerFast(tokenizer_object=bytes_._tokenizer, **OF_BYTES),
    }


@pytest.fixture(scope="module", params=["albert", "bert", "roberta"])
def asked(request, by_kind, tmp_path_factory):
    """A checkpoint of a family with random parameters, what the probe says of it, and transformers' own model."""
    from tests.conftest import save_checkpoint, tiny_model

    tokenizer, folder = by_kind[request.param], RunFolder(tmp_path_factory.mktemp("run") / request.param)
    torch.manual_seed(3)
    if request.param == "albert":
        model = tiny_model()
    elif request.param == "bert":
        model = BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **SHAPE))
    else:
        config = RobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=66, pad_token_id=1, **SHAPE)
        model = RobertaForMaskedLM(config)
    save_checkpoint(folder, 10, model, tokenizer)
    series = Series.open(folder.root)
    settings = CompletionsSettings(sentences=(*SENTENCES, LONG), pairs=completions.PAIRS)
    probe = CompletionsProbe()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("EMBRYOLOGY_DATA", raising=False)
        rows, items = probe.measure(
            Encoder.load(series.checkpoints[0], device="cpu"), probe.prepare(settings, tokenizer, series)
        )
    plain = AutoModelForMaskedLM.from_pretrained(folder.checkpoint(10)).eval()
    return SimpleNamespace(kind=request.param, tokenizer=tokenizer, model=plain, rows=rows, items=items)


def of_task(items, task):
    return items[items["task"] == task].reset_index(drop=True)


@torch.no_grad()
def read(asked, ids):
    """(positions, vocabulary) log-probabilities of one input, in float64."""
    return asked.model(torch.tensor([ids])).logits[0].double().log_softmax(-1).numpy()


def pieces_at(asked, text, start, end):
    """Ids of a text, and the places of the pieces of the characters from start to end; of bytes a space is its
    word's, be it a piece of its own or not."""
    told = asked.tokenizer(text, return_offsets_mapping=True)
    start -= asked.kind == "roberta" and text[max(start - 1, 0)] == " "
    places = [at for at, (first, last) in enumerate(told["offset_mapping"]) if start <= first < end and last <= end]
    return told["input_ids"], [at for at in places if told["input_ids"][at] not in asked.tokenizer.all_special_ids]


def in_words(asked, ids, true):
    """Pieces as text by the mark of each kind of tokenizer; None where one is no plain letter."""
    text, goes_on = _in_words(asked, ids)
    return (f"-{text}" if goes_on and not _in_words(asked, true)[1] else text) if text.isascii() and text else None


def _in_words(asked, ids):
    pieces = asked.tokenizer.convert_ids_to_tokens(list(ids))
    if asked.kind == "bert":
        text, goes_on = " ".join(pieces).replace(" ##", "").removeprefix("##"), pieces[0].startswith("##")
    else:
        mark = {"albert": "▁", "roberta": "Ġ"}[asked.kind]
        goes_on = pieces[0][0] != mark and pieces[0][0].isalnum()
        text = "".join(pieces).replace(mark, " ").strip()
    return text, goes_on


def test_the_likeliest_words_in_a_gap_and_their_probabilities_are_those_of_transformers(asked):
    gaps, answers = of_task(asked.items, "gap"), of_task(asked.items, "answer")
    several = 0
    for gap in gaps.itertuples():
        ids, places = pieces_at(asked, gap.text, gap.start, gap.end)
        true = [ids[at] for at in places]
        masked = [asked.tokenizer.mask_token_id if at in places else piece for at, piece in enumerate(ids)]
        told = read(asked, masked)
        # All strings of the 30 likeliest pieces of each place, or of 6 where there are many places.
        width = {1: 30, 2: 30, 3: 12}.get(len(places), 5)
        best = [np.argsort(-told[at])[:width] for at in places]
        strings = sorted(
            itertools.product(*best),
            key=lambda string: -sum(told[at, piece] for at, piece in zip(places, string, strict=True)),
        )[:5]
        own = answers[answers["sentence"] == gap.sentence]
        assert own["rank"].tolist() == [1, 2, 3, 4, 5]
        expected = [math.exp(sum(told[at, piece] for at, piece in zip(places, s, strict=True))) for s in strings]
        assert own["probability"].tolist() == pytest.approx(expected, rel=1e-4)
        assert gap.probability == pytest.approx(
            math.exp(sum(told[at, piece] for at, piece in zip(places, true, strict=True))), rel=1e-4
        )
        assert own["correct"].tolist() == [list(string) == true for string in strings]
        assert (gap.pieces, gap.correct) == (len(places), list(strings[0]) == true)
        assert gap.answer == own["answer"].iloc[0]
        if gap.start:  # the beginning of a text is no mark's
            texts = [in_words(asked, string, true) for string in strings]
            assert [a for a, b in zip(own["answer"], texts, strict=True) if b] == [b for b in texts if b]
        several += len(places) > 1
    assert several  # words of several pieces were among them
    assert len(gaps) == len(SENTENCES) + 1


def test_words_are_given_back_as_transformers_gives_them(asked):
    words = of_task(asked.items, "reconstruction")
    for text, own in words.groupby("text"):
        ids = asked.tokenizer(text)["input_ids"]
        told = read(asked, ids)
        for word in own.itertuples():
            _, places = pieces_at(asked, text, word.start, word.end)
            said, true = told[places].argmax(-1).tolist(), [ids[at] for at in places]
            assert text[word.start : word.end] == word.word
            assert word.correct == (said == true)
            nats = sum(told[at, piece] for at, piece in zip(places, true, strict=True))
            assert word.probability == pytest.approx(math.exp(nats), rel=1e-3)
            expected = in_words(asked, said, true)
            if word.start and expected and word.word.isalpha():
                assert word.answer == expected
    assert words.groupby("sentence").size().iloc[0] == 11


def test_shares_are_counted_and_stand_beside_blind_answers(asked):
    gaps, words, pairs = (of_task(asked.items, task) for task in ("gap", "reconstruction", "preference"))
    found = {(row["task"], row["metric"], row["baseline"]): row for row in asked.rows}
    for task, own in (("gap", gaps), ("reconstruction", words), ("preference", pairs)):
        row = found[task, "accuracy", None]
        assert (row["value"], row["n"]) == (pytest.approx(own["correct"].mean()), len(own))
    frequent = Counter(word.lower() if asked.kind != "roberta" else word for word in words["word"] if word.isalpha())
    (most, count), *_ = frequent.most_common()
    row = found["reconstruction", "accuracy", "most-frequent-word"]
    assert most == "the"
    assert row["value"] == pytest.approx(count / len(words))
    assert found["gap", "accuracy", "most-frequent-word"]["value"] == pytest.approx(1 / len(gaps))
    assert found["preference", "accuracy", "chance"]["value"] == 0.5
    nats = np.log(gaps["probability"])
    row = found["gap", "log_probability", None]
    assert row["value"] == pytest.approx(nats.mean())
    assert row["high"] - row["low"] == pytest.approx(
        2 * 2.1199 * nats.std() / math.sqrt(len(nats)), rel=1e-3
    )  # t of 16
    among = of_task(asked.items, "answer").groupby("sentence")["correct"].any()
    assert found["gap", "among_answers", None]["value"] == pytest.approx(among.mean())


def test_a_preference_is_the_difference_of_pseudo_log_likelihoods(asked):
    def score(text):
        told = asked.tokenizer(text, return_special_tokens_mask=True)
        ids, total = told["input_ids"], 0.0
        for at in [at for at, special in enumerate(told["special_tokens_mask"]) if not special]:
            masked = [asked.tokenizer.mask_token_id if place == at else piece for place, piece in enumerate(ids)]
            total += read(asked, masked)[at, ids[at]]
        return total

    pairs = of_task(asked.items, "preference")
    assert len(pairs) == len(completions.PAIRS)
    for pair in pairs.head(3).itertuples():
        assert pair.difference == pytest.approx(score(pair.text) - score(pair.other), abs=2e-3)
        assert pair.correct == (pair.difference > 0)


def test_the_likeliest_strings_are_those_of_all():
    rng = np.random.default_rng(0)
    places = [sorted(((float(p), i) for i, p in enumerate(rng.normal(size=7))), reverse=True) for _ in range(3)]
    every = sorted(((sum(p for p, _ in s), tuple(i for _, i in s)) for s in itertools.product(*places)), reverse=True)
    told = likeliest_strings([place[:4] for place in places], 4)
    assert [ids for _, ids in told] == [ids for _, ids in every[:4]]
    assert [nats for nats, _ in told] == pytest.approx([nats for nats, _ in every[:4]])


def test_a_few_answers_of_independent_gaps_have_wilsons_interval(asked):
    row = next(row for row in asked.rows if (row["task"], row["metric"]) == ("gap", "among_answers"))
    count = round(row["value"] * row["n"])
    low, high = proportion_confint(count, row["n"], method="wilson")
    assert row["low"] == pytest.approx(low, abs=0.04)  # a little wider, as of few
    assert row["high"] == pytest.approx(high, abs=0.04)
    assert row["high"] - row["low"] > high - low - 1e-9


def test_a_word_that_is_second_is_among_the_answers_and_not_right(tokenizer, monkeypatch):
    def second(encoder, sequences, positions, targets, most):
        return [[(math.log(0.5), 998), (math.log(0.25), target)] for target in targets], [math.log(0.25)] * len(targets)

    monkeypatch.setattr(completions, "_distributions", second)
    examples = choose_examples(CompletionsSettings(sentences=SENTENCES[:4]), tokenizer, 64)
    n = len(examples.words["pieces"].explode())
    encoder = SimpleNamespace(predict=lambda *_: SimpleNamespace(top=np.zeros(n, int), log_probability=np.zeros(n)))
    rows, items = CompletionsProbe().measure(encoder, examples)
    values = {row["metric"]: row["value"] for row in rows if row["task"] == "gap" and row["baseline"] is None}
    assert values == {"accuracy": 0.0, "among_answers": 1.0, "log_probability": pytest.approx(math.log(0.25))}
    assert set(of_task(items, "gap")["probability"].round(12)) == {0.25}
    assert of_task(items, "preference").empty


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('He said: "Don\'t go" (twice).', ["He", "said", ":", '"', "Don't", "go", '"', "(", "twice", ")", "."]),
        ("A well-known town has 3,000 people.", ["A", "well-known", "town", "has", "3,000", "people", "."]),
        ("東京 is large.", ["東", "京", "is", "large", "."]),
        ("हिन्दी लिखो।", ["हिन्दी", "लिखो", "।"]),  # vowel signs are no letters of their own
        ("It cost 5€ – no more…", ["It", "cost", "5", "€", "–", "no", "more", "…"]),
    ],
)
def test_words_of_a_sentence(text, words):
    assert [text[start:end] for start, end in completions._words(text)] == words


def test_answers_are_told_in_pieces_where_text_would_mislead(by_kind):
    tokenizer = by_kind["roberta"]
    first, within = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("The", " The"))
    said = completions._said(tokenizer, within, first)
    assert said == " ".join(tokenizer.convert_ids_to_tokens(within)) != "The"
    assert completions._said(tokenizer, first, first) == "The"  # a hyphen would be one too many
    unused = len(tokenizer) + 3
    assert completions._said(tokenizer, [unused], within) == f"[{unused}]"


def test_what_cannot_be_asked_is_counted_with_its_reason(tokenizer):
    sentences = ("The [字] is one sign.", "It is one [of] them.", "of " * 40 + "[them].", "It was fr[om] there.")
    settings = CompletionsSettings(sentences=sentences)
    examples = choose_examples(settings, tokenizer, 20)
    assert examples.gaps["sentence"].tolist() == ["s02"]
    assert examples.excluded["gap", "has an unknown piece"] == 1
    assert examples.excluded["gap", "shares a piece with its neighbours, or is beyond the input"] == 2
    assert all(len(ids) <= 20 for ids in examples.ids)
    with pytest.raises(
        EmbryologyError, match=r"none of 1 sentences can be asked of this model: the masked word has an"
    ):
        choose_examples(CompletionsSettings(sentences=sentences[:1]), tokenizer, 20)


def test_each_input_alone_is_another_measurement(tiny_series):
    probe = CompletionsProbe()
    base = CompletionsSettings()
    told = [
        probe.inputs(base, tiny_series),
        probe.inputs(CompletionsSettings(sentences=("It is [here].",)), tiny_series),
        probe.inputs(CompletionsSettings(sentences=("It [is] here.",)), tiny_series),
        probe.inputs(CompletionsSettings(pairs=(("It is.", "It are."),)), tiny_series),
        probe.inputs(CompletionsSettings(sentences=("Es ist [hier].",), language="de"), tiny_series),
    ]
    assert len({str(sorted(each.items())) for each in told}) == 5
    assert probe.inputs(CompletionsSettings(precision="auto"), tiny_series) == told[0]
    assert told[4]["language"] == "de"


@pytest.mark.parametrize(
    "wrong",
    [
        {"sentences": ("No gap.",)},
        {"sentences": ("Two [gaps] in [one].",)},
        {"sentences": ("[alone]",)},
        {"sentences": ()},
        {"sentences": ("It [is] so.", "It [is] so.")},
        {"language": "de"},
        {"answers": 0},
    ],
)
def test_settings_that_cannot_be_asked_are_refused(wrong):
    with pytest.raises(ValidationError):
        CompletionsSettings(**wrong)


def run_of(tmp_path, tokenizer, **models):
    folder = RunFolder(tmp_path / "run")
    checkpoints.write(folder.checkpoint(10), models, tokenizer, {"step": 10, "tokens": 1, "epoch": 0.0, "held_out": {}})
    tokenizer.save_pretrained(folder.tokenizer)
    return Series.open(folder.root)


def test_of_an_electra_run_the_generator_answers_and_is_named(tmp_path, tokenizer):
    torch.manual_seed(0)
    config = ElectraConfig(vocab_size=1000, embedding_size=32, **SHAPE)
    models = {"model": ElectraForPreTraining(config), checkpoints.GENERATOR: ElectraForMaskedLM(config)}
    series = run_of(tmp_path, tokenizer, **models)
    run_probes(series, ASKED, device="cpu", threads=1)
    plain = AutoModelForMaskedLM.from_pretrained(series.checkpoints[0].location / checkpoints.GENERATOR).eval()
    loaded = tokenizers.load(series.checkpoints[0].location)
    gap = of_task(measurements.read_items(series, "completions"), "gap").iloc[0]
    ids = loaded(gap["text"].replace(" the ", " [MASK] "))["input_ids"]
    at = ids.index(loaded.mask_token_id)
    with torch.no_grad():
        told = plain(torch.tensor([ids])).logits[0, at].softmax(-1)
    assert gap["word"] == "the"
    assert gap["probability"] == pytest.approx(float(told[loaded.convert_tokens_to_ids("▁the")]), rel=1e-3)
    ours = replace(series, manifest=SimpleNamespace(corpus=None))  # of a run that was trained here
    assert [*provenance._remarks(ours, ["completions"])] == [
        "completions read the generator of run, as its discriminator predicts no words"
    ]


def test_without_a_masked_head_it_does_not_apply(tmp_path, tokenizer):
    series = run_of(tmp_path, tokenizer, model=ElectraForPreTraining(ElectraConfig(vocab_size=1000, **SHAPE)))
    said = io.StringIO()
    run_probes(series, ASKED, console=Console(file=said, width=200), device="cpu", threads=1)
    assert measurements.lacking(series, "completions") == (
        "probe completions does not apply: its model has no trained masked-word head"
    )
    assert "probe completions does not apply: its model has no trained masked-word head" in said.getvalue()


def test_items_say_whose_sentences_they_are(tokenizer):
    own, given = (
        choose_examples(CompletionsSettings(sentences=sentences), tokenizer, 64) for sentences in (None, SENTENCES[:4])
    )
    assert (own.source, given.source) == ("sentences of the project's own", "sentences given in the settings")
