"""What the page computes, in Node, is what transformers computes: pieces, words and logits."""

import random

import numpy as np
import pytest
import torch
from transformers import AlbertForMaskedLM, BertForMaskedLM, ElectraForMaskedLM, ElectraForPreTraining

from embryology.ask import writing
from embryology.runs.packed import series as packed_series
from tests.ask import fuzzed, models, node

COVERS = ("embryology/ask/writing.py",)
TOKENIZERS = {
    "albert": models.unigram_tokenizer,
    "accents": lambda: models.unigram_tokenizer(lower_case=False, strip_accents=False),
    "decomposed": lambda: models.decomposed_tokenizer(),
    "bert": models.word_pieces,
    "cased": lambda: models.word_pieces(lower_case=False),
    "nested": models.nested_tokenizer,
}
CLASSES = {"albert": AlbertForMaskedLM, "bert": BertForMaskedLM}
FUZZED, LONGEST = 60, 120


def written(folder, family, tokenizer):
    series = models.series(folder / "run", family, tokenizer)
    packed = packed_series.of_series(series)
    writing.write({"run": packed}, folder / "page")
    return series, packed, folder / "page"


def sentences():
    draw = random.Random(0)
    words = [word for text in models.texts(50) for word in text.split()]
    plain = [sentence for text in models.texts(12) for sentence in text.split(". ")[:2]]
    return [*plain, *(fuzzed.text(draw, words) for _ in range(FUZZED))]


@node.needs_node
@pytest.mark.parametrize("name", TOKENIZERS)
def test_pieces_and_words_are_those_of_the_tokenizer(tmp_path, name):
    tokenizer = TOKENIZERS[name]()
    _, _, page = written(tmp_path, "bert", tokenizer)
    texts = ["", " ", "The end.", "A <theory> of <the><th <the> end.", *sentences()]
    answers = node.asked(page, "run", [], [(text, []) for text in texts])["answers"]
    seen = 0
    for text, answer in zip(texts, answers, strict=True):
        encoded = tokenizer(text)
        assert answer["ids"] == encoded["input_ids"], repr(text)
        if not any(token in text for token in tokenizer.get_added_vocab()):
            assert answer["words"] == encoded.word_ids(), repr(text)
            seen += 1
    assert seen > FUZZED / 4


@node.needs_node
def test_spans_are_where_a_piece_stands_in_the_text(tmp_path):
    tokenizer = models.unigram_tokenizer()
    _, _, page = written(tmp_path, "bert", tokenizer)
    texts = ["The Café ﬁnds 😀 it.", "😀E\u0301tat  d'Or"]
    compared = 0
    for text, answer in zip(texts, node.asked(page, "run", [], [(text, []) for text in texts])["answers"], strict=True):
        in_units = text.encode("utf-16-le")
        encoded = tokenizer(text, return_offsets_mapping=True)
        for piece, span, (start, end) in zip(encoded.tokens(), answer["spans"], encoded["offset_mapping"], strict=True):
            if span is None:
                assert start == end
            elif piece != "▁":  # the sign of a word has no character of its own there
                # A mark that is taken off belongs to its letter there, and to no piece here.
                there = in_units[2 * span[0] : 2 * span[1]].decode("utf-16-le")
                assert there.rstrip("\u0301") == text[start:end].rstrip("\u0301")
                compared += 1
    assert compared > 15


@node.needs_node
@pytest.mark.parametrize("family", models.FAMILIES)
def test_logits_are_those_of_transformers_with_the_same_weights(tmp_path, family):
    tokenizer = TOKENIZERS["bert" if family == "bert" else "albert"]()
    series, packed, page = written(tmp_path, family, tokenizer)
    texts = [text for text in sentences()[::2] if 3 <= len(tokenizer(text)["input_ids"]) <= LONGEST]
    draw = random.Random(1)
    lengths = [len(tokenizer(text)["input_ids"]) for text in texts]
    asked = [(text, sorted(draw.sample(range(n), min(n, 3)))) for text, n in zip(texts, lengths, strict=True)]
    answers = node.asked(page, "run", [models.STEPS[0], models.STEPS[2]], asked)["answers"]
    assert len(asked) > 25
    for checkpoint in (series.checkpoints[0], series.checkpoints[2]):
        weights = packed.weights(checkpoint.step)
        expected = {}
        if family == "electra":
            generator = models.loaded(checkpoint.generator, weights["words"], ElectraForMaskedLM)
            expected["replaced"] = models.loaded(checkpoint, weights["replaced"], ElectraForPreTraining)
            expected["words"] = generator
        else:
            expected["words"] = models.loaded(checkpoint, weights["words"], CLASSES[family])
        spread = []
        for (text, positions), answer in zip(asked, answers, strict=True):
            for kind, model in expected.items():
                with torch.inference_mode():
                    logits = model(torch.tensor([tokenizer(text)["input_ids"]])).logits[0][positions].numpy()
                here = np.array(answer["logits"][str(checkpoint.step)][kind])
                np.testing.assert_allclose(here, logits, atol=1e-3, err_msg=text)
                spread.append(logits.std())
        assert min(spread) > 0.1 or family == "electra"
        assert set(answers[0]["logits"][str(checkpoint.step)]) == set(expected)
