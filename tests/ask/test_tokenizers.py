"""Tokenizers that the page does not know exactly are refused; what Node makes of the others is in ``test_parity``."""

import json

import pytest

from embryology.ask import tokenizers
from embryology.errors import EmbryologyError
from tests.ask import models


def content(**changes):
    """Of the ``tokenizer.json`` of ours, with other parts."""
    return json.loads(models.unigram_tokenizer().backend_tokenizer.to_str()) | changes


def part(name, **changes):
    return {name: content()[name] | changes}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"normalizer": {"type": "NFC"}}, r"a way that the page does not know \(NFC\)"),
        ({"normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, {"type": "NFKD"}]}}, "in an order"),
        ({"normalizer": {"type": "Replace", "pattern": {"Regex": "a+"}, "content": "b"}}, r"\(Replace\)"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, r"words in a way that the page does not know \(Whitespace\)"),
        ({"pre_tokenizer": None}, "words in a way"),
        (part("model", byte_fallback=True), r"of a kind that the page does not know \(Unigram\)"),
        ({"model": {"type": "BPE", "vocab": {"a": 0, "[MASK]": 1}, "merges": []}}, r"\(BPE\)"),
        ({"model": {"type": "WordLevel", "vocab": {"a": 0, "[UNK]": 1}, "unk_token": "[UNK]"}}, r"\(WordLevel\)"),
        ({"added_tokens": [content()["added_tokens"][4] | {"single_word": True}]}, r"looks for \[MASK\]"),
        ({"added_tokens": [content()["added_tokens"][4] | {"normalized": True}]}, r"looks for \[MASK\]"),
        ({"model": {"type": "nonsense"}}, "cannot be read"),
    ],
)
def test_what_is_not_known_exactly_is_refused(changes, reason):
    with pytest.raises(EmbryologyError, match=reason):
        tokenizers.exported(content(**changes))


def test_a_sign_that_is_not_put_before_every_word_is_refused():
    divider = content()["pre_tokenizer"]
    divider["pretokenizers"][1]["prepend_scheme"] = "first"
    with pytest.raises(EmbryologyError, match="words in a way"):
        tokenizers.exported(content(pre_tokenizer=divider))


def test_a_tokenizer_without_a_mask_is_refused():
    without = content()
    without["added_tokens"] = without["added_tokens"][:4]
    without["model"]["vocab"][4][0] = "another"
    with pytest.raises(EmbryologyError, match=r"has no \[MASK\]"):
        tokenizers.exported(without)


def test_marks_are_put_in_order_where_text_is_decomposed_and_marks_stay():
    classes = tokenizers.exported(content(normalizer={"type": "NFD"}))["classes"]
    assert dict(classes)[0x301] == 230  # the acute, above
    assert dict(classes)[0x323] == 220  # a dot, below
    assert tokenizers.exported(content())["classes"] == []
