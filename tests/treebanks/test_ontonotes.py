"""OntoNotes: the columns of CoNLL-2012, and which files are of which split."""

import pytest

from embryology.errors import EmbryologyError
from embryology.treebanks import ontonotes
from tests.treebank_files import assert_sound, gold_conll

CATS = """
Ann    NNP  (TOP(S(NP*)  -     -        (PERSON*)  (ARG0*)  (4)
feeds  VBZ  (VP*         feed  feed.01  *          (V*)     -
her    PRP$ (NP*         -     -        *          (ARG1*   (2|(4)
two    CD   *            -     -        (CARDINAL* *        -
cats   NNS  *))          -     -        *)         *)       2)
(      -LRB- *))         -     -        *          *        -
"""
UNPARSED = """
Mhm  XX  (TOP*  -  -  *  (1)
Ann  XX  *)     -  -  *  (1)
"""


@pytest.fixture
def read(tmp_path):
    def read(text, **options):
        file = tmp_path / "a.v4_gold_conll"
        file.write_text(text, encoding="utf-8")
        reading = ontonotes.read([file], **options)
        assert_sound(reading)
        return reading

    return read


def test_all_columns_make_edges(read):
    reading = read(gold_conll("bc/x/01", CATS))
    (sentence,) = reading.sentences
    assert (sentence.id, sentence.text) == ("bc/x/01-0-0", "Ann feeds her two cats (")
    edges = {edge.task: [] for edge in sentence.edges}
    for edge in sentence.edges:
        edges[edge.task].append(edge[1:])
    assert [label for label, *_ in edges.pop("pos")] == ["NNP", "VBZ", "PRP$", "CD", "NNS", "-LRB-"]
    assert edges == {
        "constituent": [("NP", (2, 5), None), ("VP", (1, 5), None), ("S", (0, 6), None)],
        "entity": [("PERSON", (0, 1), None), ("CARDINAL", (3, 5), None)],
        "role": [("ARG0", (1, 2), (0, 1)), ("ARG1", (1, 2), (2, 5))],
        "coreference": [("1", (0, 1), (2, 3)), ("0", (0, 1), (2, 5)), ("0", (2, 3), (2, 5))],
    }
    assert reading.counts == {"documents": 1, "predicates": 1, "mentions": 3}
    assert reading.left_out == {"constituent TOP": 1, "constituent of one word": 1, "role V": 1}


def test_a_sentence_without_a_parse_has_no_tags_and_no_constituents(read):
    reading = read(gold_conll("tc/x/01", UNPARSED, CATS))
    assert [edge.task for edge in reading.sentences[0].edges] == ["coreference"]
    assert reading.left_out["tags and constituents of a sentence without a parse"] == 1
    assert len({sentence.id for sentence in reading.sentences}) == 2


@pytest.mark.parametrize(("old", "new"), [("Ann  XX", "Ann  NNP"), ("Ann  XX", "XX   NNP")])
def test_one_word_without_a_tag_is_enough(read, old, new):
    reading = read(gold_conll("tc/x/01", UNPARSED.replace(old, new)))
    assert reading.edges() == {"coreference": 1}
    assert reading.left_out["tags and constituents of a sentence without a parse"] == 1


def test_documents_are_counted_not_files_or_parts_and_names_are_of_all_of_them(tmp_path):
    one = gold_conll("bc/x/01", CATS)
    other = gold_conll("bc/x/01", CATS).replace("bc/x/01 0 ", "bc/x/01 1 ")
    for name, text in (
        ("a", one + other),
        ("b", gold_conll("bc/y/01", CATS, CATS)),
        ("c", gold_conll("bc/z/01", CATS) + gold_conll("bc/z/02", CATS)),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    reading = ontonotes.read([tmp_path / name for name in "abc"])
    assert reading.counts == {"documents": 4, "predicates": 6, "mentions": 18}
    names = [sentence.id for sentence in reading.sentences]
    assert len(set(names)) == 6
    assert names[:2] == ["bc/x/01-0-0", "bc/x/01-1-1"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(VP*", "VP*", r"line 3: malformed brackets: 'VP\*'"),
        ("*)) - - - - *)", "*)))))) - - - - *)", "line 6: unbalanced brackets"),
        ("(CARDINAL*", "(CARDINAL*)", "line 6: unbalanced brackets"),
        ("(CARDINAL*", "(DATE(CARDINAL*", "line 5: overlapping spans: CARDINAL opens within DATE"),
        ("2)\n", "-\n", "line 4: unbalanced brackets: 2 is never closed"),
        ("(2|(4)", "(2(4)", r"line 4: malformed brackets: '\(2\(4\)'"),
        ("(2|(4)", "", "line 4: ragged columns: 13 expected, found 12"),
        (" 3 two", " 4 two", "line 5: rows out of order: word 3 expected, found 4"),
    ],
)
def test_malformed_sentences_name_file_and_line(read, old, new, message):
    text = gold_conll("bc/x/01", CATS, UNPARSED)
    assert old in text
    damaged = text.replace(old, new, 1)
    with pytest.raises(EmbryologyError, match=rf"a\.v4_gold_conll, {message}"):
        read(damaged)
    reading = read(damaged, skip_bad=True)
    assert [sentence.text for sentence in reading.sentences] == ["Mhm Ann"]
    assert reading.skipped.total() == 1


def test_too_few_columns_are_ragged(read):
    with pytest.raises(EmbryologyError, match="line 1: ragged columns: 12 expected, found 2"):
        read("a b\nc d\n")


def test_splits_are_folders(tmp_path):
    for place in (
        "data/train/data/english/annotations/bc/a.v4_gold_conll",
        "data/development/data/english/b.gold_conll.gz",
        "data/test/data/english/c.gold_conll",
        "data/test/data/chinese/d.v4_gold_conll",
        "data/test/data/english/c.gold_skel",
        "data/conll-2012-test/data/english/e.v9_gold_conll",
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    names = {split: [file.name for file in ontonotes.files(tmp_path, split)] for split in ontonotes.FOLDERS}
    assert names == {
        "train": ["a.v4_gold_conll"],
        "dev": ["b.gold_conll.gz"],
        "test": ["c.gold_conll"],
        "conll-2012-test": ["e.v9_gold_conll"],
    }
