import pytest
from transformers import AutoTokenizer

from embryology.corpus import tokenizer as tokenizers
from embryology.corpus.articles import articles
from embryology.corpus.sentences import split
from embryology.errors import EmbryologyError


def some_sentences(count):
    return [sentence for article in list(articles("bundled"))[:count] for sentence in split(article.text)]


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


def test_the_same_text_gives_the_same_pieces():
    sentences = some_sentences(200)
    first, second = (tokenizers.train(sentences, 500) for _ in range(2))
    assert first.get_vocab() == second.get_vocab()


def test_word_starts(tokenizer):
    starts = tokenizers.word_starts(tokenizer)
    ids = tokenizer("the unquestionably", add_special_tokens=False).input_ids
    assert [starts[i] for i in ids] == [piece.startswith("▁") for piece in tokenizer.convert_ids_to_tokens(ids)]
    assert starts[tokenizer.mask_token_id]


def test_too_little_text_is_said():
    message = (
        r"tokenizer of 5000 pieces cannot be trained on this text: it is enough for \d+; set tokenizer\.vocab_size"
    )
    with pytest.raises(EmbryologyError, match=message):
        tokenizers.train(["One short sentence."], 5000)


def test_a_folder_without_tokenizer_is_named(tmp_path):
    with pytest.raises(EmbryologyError, match="holds no tokenizer"):
        tokenizers.load(tmp_path)
