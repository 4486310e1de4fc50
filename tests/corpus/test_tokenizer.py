"""A tokenizer of one's own: against SentencePiece itself, and as transformers loads it."""

import itertools
import json
import unicodedata

import pytest
import sentencepiece
from transformers import AlbertTokenizer, AutoTokenizer

from embryology.corpus import tokenizer as tokenizers
from embryology.corpus.articles import articles
from embryology.corpus.sentences import split
from embryology.errors import EmbryologyError


def some_sentences(count):
    some = itertools.islice(articles("bundled"), count)
    return [sentence for article in some for sentence in split(article.text)]


@pytest.fixture(scope="module")
def lines():
    """Some text as the tokenizer prepares it: nothing is left to do but to divide it."""
    text = unicodedata.normalize("NFKD", " ".join(some_sentences(20)).lower())
    return ["".join(filter(str.isascii, line)) for line in text.split(". ")]


def test_text_is_divided_as_sentencepiece_divides_it(lines):
    """Into the likeliest pieces, by the same scores; the same text gives the same ones every time."""
    made = tokenizers.train(lines, 200)
    oracle = sentencepiece.SentencePieceProcessor(model_proto=tokenizers._trained(lines, 200))
    assert len(made) == 200
    assert [made.tokenize(line) for line in lines] == oracle.encode(lines, out_type=str)
    assert made(lines, add_special_tokens=False).input_ids == oracle.encode(lines)


def test_special_pieces_stand_where_albert_has_them(tokenizer):
    assert tokenizer.convert_ids_to_tokens([0, 1, 2, 3, 4]) == ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    assert tokenizer("a b", "c").input_ids[0] == 2
    assert tokenizer.mask_token_id == 4


def test_case_and_accents_do_not_count(tokenizer):
    assert tokenizer.tokenize("Café DES") == tokenizer.tokenize("cafe des")


@pytest.mark.parametrize(("lower_case", "strip_accents"), [(False, True), (True, False), (False, False)])
def test_case_and_accents_count_where_that_is_asked_for(lower_case, strip_accents, tmp_path):
    sentences = ["Ein Café in Köln, ein CAFÉ in Koln", "cafe des koln"] * 30
    made = tokenizers.train(sentences, 24 if lower_case else 26, lower_case, strip_accents)
    made.save_pretrained(tmp_path)
    for tokenizer in (made, tokenizers.load(tmp_path)):
        pieces = "".join(tokenizer.tokenize("Café CAFÉ Köln"))
        assert ("C" in pieces) == (not lower_case)
        assert ("é" in pieces.lower()) == (not strip_accents)
        assert "<unk>" not in pieces


def test_saved_and_loaded_by_transformers_it_is_the_same(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    sentences = some_sentences(50)
    assert again(sentences).input_ids == tokenizer(sentences).input_ids
    assert len(again) == len(tokenizer) == 1000


def test_words_start_where_a_space_a_character_without_spaces_or_a_special_piece_stands():
    pieces = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", "▁the", "the", "▁", "北", "北京", "ト", "ส", "한", ",", "1"]
    made = AlbertTokenizer(vocab=[(piece, -1.0) for piece in pieces])
    assert made.convert_ids_to_tokens(list(range(len(pieces)))) == pieces
    starts = dict(zip(pieces, tokenizers.word_starts(made), strict=True))
    assert [piece for piece, start in starts.items() if not start] == ["the", "한", ",", "1"]


@pytest.mark.parametrize(
    ("text", "size", "message"),
    [
        ("One short sentence.", 5000, r"it is enough for \d+; set tokenizer\.vocab_size to that or less"),
        ("All letters", 5, r"Vocabulary size is smaller than required_chars\. 5 vs \d+"),
        (" ", 100, "too little text"),
    ],
)
def test_too_little_text_is_said(text, size, message):
    with pytest.raises(EmbryologyError, match=f"tokenizer of {size} pieces cannot be trained on this text: {message}"):
        tokenizers.train([text], size)


def test_a_folder_without_tokenizer_is_named(tmp_path):
    with pytest.raises(EmbryologyError, match="holds no tokenizer"):
        tokenizers.load(tmp_path)


def test_code_of_a_tokenizer_is_never_run_and_not_asked_about(tmp_path, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked"))
    own = {"auto_map": {"AutoTokenizer": ["own.Own", None]}, "tokenizer_class": "Own"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(own))
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')")
    with pytest.raises(EmbryologyError, match="holds no tokenizer that transformers can load"):
        tokenizers.load(tmp_path)
    assert not (tmp_path / "executed").exists()
