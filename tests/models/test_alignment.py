"""Words and pieces: what holds of any sentence, and sentences whose pieces are known."""

from types import SimpleNamespace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertTokenizerFast, PreTrainedTokenizerFast

from embryology.errors import EmbryologyError
from embryology.models.alignment import align, longest_input
from embryology.storage.files import write_json

WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCéüñßø0189.,;:!?()-'½北京", min_size=1, max_size=9)


@st.composite
def spaced_sentences(draw):
    """Text, and the spans of words that stand apart or touch, as commas and clitics do."""
    text, spans = "", []
    for word in draw(st.lists(WORDS, min_size=1, max_size=12)):
        text += draw(st.sampled_from(["", " ", " ", "  "]))
        spans.append((len(text), len(text) + len(word)))
        text += word
    assume("''" not in text)  # ALBERT's normaliser makes one quotation mark of it, which stands at its second half
    return text, spans


def check(tokenizer, text, spans):
    """What holds of every alignment, whatever the tokenizer."""
    (aligned,) = align(tokenizer, [text], [spans])
    encoded = tokenizer(text, return_offsets_mapping=True)
    assert aligned.ids == encoded["input_ids"]
    assert len(aligned.words) == len(spans)
    used = [position for positions in aligned.words for position in positions]
    assert used == sorted(set(used)), "every piece belongs to at most one word, and positions rise"
    assert all(0 < position < len(aligned.ids) - 1 for position in used), "special tokens belong to none"
    for (start, end), positions in zip(spans, aligned.words, strict=True):
        pieces = [encoded["offset_mapping"][position] for position in positions]
        if positions:
            covered = {character for left, right in pieces for character in range(left, right)}
            assert covered >= set(range(start, end)), "the pieces of a word cover it"
            assert all(text[i].isspace() or start <= i < end for i in covered), "and nothing else"
        else:
            others = [span for span in spans if span != (start, end)]
            overlapping = [
                offsets for offsets in encoded["offset_mapping"] if max(start, offsets[0]) < min(end, offsets[1])
            ]
            shared = any(left < b and a < right for a, b in overlapping for left, right in others)
            assert shared or not overlapping, "only a word that shares a piece or has none is unaligned"


@settings(max_examples=150, deadline=None)
@given(sentence=spaced_sentences())
def test_pieces_cover_their_words_and_nothing_else(tokenizer, sentence):
    check(tokenizer, *sentence)


@pytest.fixture(scope="module")
def wordpieces():
    """A WordPiece tokenizer with single letters and a few longer pieces."""
    letters = "abcdefghijklmnopqrstuvwxyz0189.,;:!?()-'"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters), "##ab"]
    return BertTokenizerFast(vocab={piece: i for i, piece in enumerate(pieces)})


@settings(max_examples=50, deadline=None)
@given(sentence=spaced_sentences())
def test_the_same_holds_of_wordpiece(wordpieces, sentence):
    check(wordpieces, *sentence)


def test_words_that_share_a_piece_are_unaligned(tokenizer):
    text = "the cat"
    the, c, at = (0, 3), (4, 5), (5, 7)
    (aligned,) = align(tokenizer, [text], [[the, c, at]])
    pieces = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    assert aligned.words[0]
    if any(start <= 4 and end >= 6 for start, end in pieces):
        assert aligned.words[1:] == [(), ()]
    # Parts of a contraction that stand for its whole surface form.
    (aligned,) = align(tokenizer, ["I can't go"], [[(0, 1), (2, 7), (2, 7), (8, 10)]])
    assert [bool(word) for word in aligned.words] == [True, False, False, True]


def test_a_piece_of_two_words_is_that_of_both_where_that_is_allowed(wordpieces):
    text, spans = "xab y", [(0, 2), (2, 3), (4, 5)]  # x, ##ab, y
    (apart,), (both,) = (align(wordpieces, [text], [spans], shared=shared) for shared in (False, True))
    assert apart.words == [(), (), (3,)]
    assert both.words == [(1, 2), (2,), (3,)]


def test_a_space_that_is_a_piece_belongs_to_the_word_after_it():
    """Byte-level tokenizers count spaces to what follows; here every byte is a piece."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={byte: i for i, byte in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    (aligned,) = align(
        PreTrainedTokenizerFast(tokenizer_object=backend), ["ab c, d"], [[(0, 2), (3, 4), (4, 5), (6, 7)]]
    )
    assert aligned.words == [(0, 1), (2, 3), (4,), (5, 6)]


def test_a_word_that_is_normalised_away_is_unaligned(tokenizer):
    (aligned,) = align(tokenizer, ["one \u0301 two"], [[(0, 3), (4, 5), (6, 9)]])
    assert [bool(word) for word in aligned.words] == [True, False, True]


def test_words_beyond_the_longest_input_are_unaligned(tokenizer):
    text = "the city of the country"
    spans = [(0, 3), (4, 8), (9, 11), (12, 15), (16, 23)]
    (whole,) = align(tokenizer, [text], [spans])
    assert all(whole.words)
    for length in range(3, len(whole.ids) + 2):
        (cut,) = align(tokenizer, [text], [spans], max_length=length)
        assert len(cut.ids) == min(length, len(whole.ids))
        assert cut.ids[-1] == tokenizer.sep_token_id
        for positions, before in zip(cut.words, whole.words, strict=True):
            inside = before[-1] < len(cut.ids) - 1
            assert positions == (before if inside else ())


@pytest.mark.parametrize(
    ("longest", "ids", "words"),
    [
        (8, 8, [(1, 2), (3, 4, 5), (6,)]),
        (7, 7, [(1, 2), (3, 4, 5), ()]),
        (6, 6, [(1, 2), (), ()]),  # a word that the cut divides is none
        (3, 3, [(), (), ()]),
    ],
)
@pytest.mark.parametrize("method", ["running", "words"])
def test_a_sentence_is_cut_before_its_end_and_a_word_that_is_divided_left_out(wordpieces, longest, ids, words, method):
    spans = [(0, 2), (3, 6), (7, 8)]
    (aligned,) = align(wordpieces, ["xy acx z"], [spans], method, max_length=longest)  # x ##y, a ##c ##x, z
    assert (len(aligned.ids), aligned.ids[-1]) == (ids, wordpieces.sep_token_id)
    assert aligned.words == words


def test_the_released_way_marks_every_word(tokenizer):
    text = "it's blue, the sky"
    spans = [(0, 2), (2, 4), (5, 9), (9, 10), (11, 14), (15, 18)]
    (aligned,) = align(tokenizer, [text], [spans], "words")
    assert aligned.ids[0] == tokenizer.cls_token_id
    assert aligned.ids[-1] == tokenizer.sep_token_id
    for (start, end), positions in zip(spans, aligned.words, strict=True):
        alone = tokenizer(text[start:end], add_special_tokens=False)["input_ids"]
        assert [aligned.ids[position] for position in positions] == alone
        assert tokenizer.convert_ids_to_tokens(alone[0]).startswith("▁")
    (running,) = align(tokenizer, [text], [spans])
    assert not tokenizer.convert_ids_to_tokens(running.ids[running.words[3][0]]).startswith("▁")


def test_many_sentences_are_as_one_by_one(tokenizer):
    texts = ["the city", "", "of (the) sea"]
    spans = [[(0, 3), (4, 8)], [], [(0, 2), (3, 4), (4, 7), (7, 8), (9, 12)]]
    for method in ("running", "words"):
        together = align(tokenizer, texts, spans, method)
        alone = [align(tokenizer, [text], [words], method)[0] for text, words in zip(texts, spans, strict=True)]
        assert together == alone
    assert align(tokenizer, [], []) == []


def test_the_longest_input_is_the_models(tokenizer, tmp_path):
    for kind, longest in (("albert", 64), ("roberta", 62)):
        config = {"model_type": kind, "max_position_embeddings": 64, "vocab_size": 9, "pad_token_id": 1}
        write_json(tmp_path / "config.json", config)
        assert longest_input(tokenizer, tmp_path) == longest
    short = SimpleNamespace(model_max_length=20)
    assert longest_input(short, tmp_path) == 20  # whichever reads less
    write_json(tmp_path / "config.json", {"model_type": "t5", "vocab_size": 9})
    assert longest_input(short, tmp_path) == 20
    assert longest_input(tokenizer, tmp_path) > 10**9
    write_json(tmp_path / "config.json", {"max_position_embeddings": 64})
    with pytest.raises(EmbryologyError, match="has no configuration that transformers can use"):
        longest_input(tokenizer, tmp_path)
