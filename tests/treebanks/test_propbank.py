"""PropBank: skeletons find their words, or are counted as not found."""

import pytest

from embryology.errors import EmbryologyError
from embryology.treebanks import Edge, propbank
from tests.treebank_files import assert_sound, conllu, skeletons

SOURCE = "google/ewt/answers/00/pets.xml"
CATS = """
DT  (TOP(S(NP*  -     -         (ARG0*  *
NN  *)          -     -         *)      (ARG1*)
VBZ (VP*        wake  wake.01   (V*     *
RP  (PRT*)))    -     -         *)      *
-LRB- (PRN*     -     -         *       *
VBD  (S(VP*)))) nap   nap.01    *       (V*)
"""
UD_CATS = "The/DT cat/NN wakes/VBZ up/RP (/-LRB- napping/VBG"
YES = "UH (TOP(INTJ*)) - -"
PAIR = "UH (TOP(INTJ* - -\nUH *)) - -"


@pytest.fixture
def read(tmp_path):
    def read(words, skeleton, **options):
        (tmp_path / "x.conllu").write_text(words, encoding="utf-8")
        (tmp_path / "a.gold_skel").write_text(skeleton, encoding="utf-8")
        reading = propbank.read(tmp_path / "x.conllu", [tmp_path / "a.gold_skel"], **options)
        assert_sound(reading)
        return reading

    return read


def test_words_of_one_get_the_brackets_of_the_other(read):
    reading = read(conllu("answers-pets", UD_CATS, "Yes/UH"), skeletons(SOURCE, CATS, YES))
    first, second = reading.sentences
    assert first.text == "The cat wakes up ( napping"
    edges = {task: [edge[1:] for edge in first.edges if edge.task == task] for task in ("pos", "constituent", "role")}
    assert edges["pos"][-1] == ("VBG", (5, 6), None)  # UD's tag, not the skeleton's VBD
    assert edges["constituent"] == [
        ("NP", (0, 2), None),
        ("VP", (2, 4), None),
        ("S", (0, 4), None),
        ("PRN", (4, 6), None),
    ]
    assert edges["role"] == [("ARG0", (2, 4), (0, 2)), ("ARG1", (5, 6), (1, 2))]
    assert second.edges == (Edge("pos", "UH", (0, 1)),)
    assert reading.counts == {"documents": 1, "predicates": 2}
    assert not reading.skipped
    assert reading.left_out["role V"] == 2


def test_ranges_and_empty_nodes_are_no_words(read):
    words = (
        conllu("answers-pets", "Do/VBP n't/RB")
        .replace("1\tDo", "1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_\n1\tDo")
        .replace("\n\n", "\n2.1\tsee\t_\t_\t_\t_\t_\t_\t_\t_\n\n")
    )
    (sentence,) = read(words, skeletons(SOURCE, PAIR)).sentences
    assert (sentence.text, len(sentence.words)) == ("Don't", 2)


def test_what_does_not_join_is_skipped_and_counted(read):
    words = conllu("answers-pets", "Yes/UH", "Oh/UH no/UH", "No/UH") + conllu("weblog-none", "Hm/UH", "Hm/UH")
    reading = read(words, skeletons(SOURCE, YES, YES, YES))
    assert [sentence.id for sentence in reading.sentences] == ["answers-pets-1", "answers-pets-3"]
    assert reading.skipped == {propbank.UNJOINED: 1, propbank.NO_SKELETON: 2}


def test_documents_of_other_numbers_of_sentences_pair_by_tags_and_never_shift(read):
    words = conllu("answers-pets", "Yes/UH", "Oh/UH no/UH", "Cats/NNS")
    reading = read(words, skeletons(SOURCE, PAIR, "NNS (TOP(NP*)) - -"))
    assert [sentence.text for sentence in reading.sentences] == ["Oh no", "Cats"]
    assert [edge.task for edge in reading.sentences[0].edges] == ["pos", "pos", "constituent"]
    assert reading.skipped == {propbank.UNJOINED: 1}
    reading = read(conllu("answers-pets", "Cats/NNS"), skeletons(SOURCE, YES, "NNS (TOP(NP*)) - -", PAIR))
    assert len(reading.sentences) == 1


def rows(tags):
    return "\n".join(f"{tag} * - -" for tag in tags.split())


@pytest.mark.parametrize(
    ("words", "tags", "joined"),
    [
        # Half of the longer sentence agrees, and all of the shorter one; both pairs would cross.
        (("a/NN b/NN c/VB d/VB", "Yes/UH"), ("UH", "NN NN JJ JJ", "IN IN IN IN IN"), ["Yes"]),
        # Of other lengths, nothing agrees.
        (("a/UH b/UH",), ("UH UH UH", "NN UH"), ["a b"]),
        # All three pairs, in order, with one skeleton left over.
        (("a/NN", "b/VB c/VB", "d/UH"), ("NN", "JJ JJ", "VB VB", "UH"), ["a", "b c", "d"]),
    ],
)
def test_sentences_pair_so_that_the_largest_shares_of_tags_agree(read, words, tags, joined):
    reading = read(conllu("answers-pets", *words), skeletons(SOURCE, *map(rows, tags)))
    assert [sentence.text for sentence in reading.sentences] == joined
    assert reading.skipped[propbank.UNJOINED] == len(words) - len(joined)


def test_a_predicate_is_the_word_with_the_roleset_where_no_verb_covers_it(read):
    skeleton = """
    NN  (TOP(NP*  -     -         (ARG0*)  *       (V*)
    NN  *         view  view.01   *        (ARG1*) *
    VB  *         nap   nap.01    (ARG1*)  (V*     *
    RP  *))       out   out.01    *        *)      (ARG2*)
    """
    reading = read(conllu("answers-pets", "a/NN view/NN nap/VB out/RP"), skeletons(SOURCE, skeleton))
    roles = [edge[1:] for edge in reading.sentences[0].edges if edge.task == "role"]
    assert roles == [
        ("ARG0", (1, 2), (0, 1)),
        ("ARG1", (1, 2), (2, 3)),
        ("ARG1", (2, 4), (1, 2)),
        ("ARG2", (3, 4), (3, 4)),  # its verb is another's word
    ]
    assert reading.counts["predicates"] == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(S(VP*))))", "(S(VP*)))", r"line 2: unbalanced brackets: \(TOP is never closed"),
        ("(S(VP*))))", "(S(VP*)))))", "line 7: unbalanced brackets"),
        ("(ARG1*)", "ARG1*)", r"line 3: malformed brackets: 'ARG1\*\)'"),
        ("(ARG1*)", "(ARG1*", r"line 7: overlapping spans: V opens within ARG1"),
        ("(V*)", "", "line 7: ragged columns: 10 expected, found 9"),
        ("nap.01", "-", "line 2: ragged columns: 1 predicates have 2 columns of roles"),
        ("  0  3  [WORD]", "  0  4  [WORD]", "line 5: rows out of order"),
        ("  0  3  [WORD]", "  1  3  [WORD]", "line 5: rows out of order"),
    ],
)
def test_malformed_skeletons_name_file_and_line(read, old, new, message):
    words = conllu("answers-pets", UD_CATS, "Yes/UH")
    skeleton = skeletons(SOURCE, CATS, YES)
    assert old in skeleton
    with pytest.raises(EmbryologyError, match=rf"a\.gold_skel, {message}"):
        read(words, skeleton.replace(old, new))
    reading = read(words, skeleton.replace(old, new), skip_bad=True)
    assert [sentence.text for sentence in reading.sentences] == ["Yes"]
    assert reading.skipped.total() == 1
    assert reading.counts["predicates"] == reading.left_out["role V"] == 0  # nothing of the half that was read


def test_a_malformed_sentence_of_words_keeps_its_place(read):
    words = conllu("answers-pets", "Oh/UH no/UH", "Yes/UH").replace("\tno\t", "\t\t")
    with pytest.raises(EmbryologyError, match=r"x\.conllu, line 4: word without form or tag"):
        read(words, skeletons(SOURCE, PAIR, YES))
    reading = read(words, skeletons(SOURCE, PAIR, YES), skip_bad=True)
    assert [sentence.text for sentence in reading.sentences] == ["Yes"]
    assert reading.skipped == {"word without form or tag": 1}
