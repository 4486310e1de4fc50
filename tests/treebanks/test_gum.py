"""GUM: layers of a document meet in its sentences."""

import pytest

from embryology.errors import EmbryologyError
from embryology.treebanks import gum
from tests.treebank_files import assert_sound, conllu, gum_layer

WORDS = conllu("GUM_x", "Ann/NNP and/CC her/PRP$ old/JJ cat/NN", "It/PRP sleeps/VBZ")
ENTITIES = gum_layer(
    "GUM_x",
    "Ann (person-1(person-2-Ann_B.)",
    "and _",
    "her (animal-3(person-2-Ann_B.)",
    "old _",
    "cat animal-3)person-1)",
    "It (animal-3)",
    "sleeps _",
)
CHAINS = gum_layer("GUM_x", "Ann (2)", "and _", "her (3(2)", "old _", "cat 3)", "It (3)", "sleeps _")


@pytest.fixture
def read(tmp_path):
    def read(words=WORDS, entities=ENTITIES, chains=CHAINS, **options):
        files = [tmp_path / name for name in ("dep.conllu", "entities.conll", "chains.conll")]
        for file, text in zip(files, (words, entities, chains), strict=True):
            file.write_text(text, encoding="utf-8")
        reading = gum.read(*files, **options)
        assert_sound(reading)
        return reading

    return read


def edges(reading, sentence, task):
    return [edge[1:] for edge in reading.sentences[sentence].edges if edge.task == task]


def test_layers_of_a_document_meet_in_its_sentences(read):
    reading = read()
    assert edges(reading, 0, "dependency")[1] == ("dep", (2, 3), (0, 1))
    assert edges(reading, 0, "entity") == [
        ("person", (0, 1), None),
        ("person", (2, 3), None),
        ("animal", (2, 5), None),
        ("person", (0, 5), None),
    ]
    assert edges(reading, 0, "coreference") == [("1", (0, 1), (2, 3)), ("0", (0, 1), (2, 5)), ("0", (2, 3), (2, 5))]
    assert edges(reading, 1, "entity") == [("animal", (0, 1), None)]
    assert edges(reading, 1, "coreference") == []  # the other mention of its chain is in another sentence
    assert reading.counts == {"documents": 1, "mentions": 4, "chains": 2, "chains of one": 0}
    assert not reading.left_out


def test_mentions_cross_open_twice_and_pass_sentences(read):
    cells = ("Ann (1", "and (2", "her (2", "old 1)", "cat 2)2)", "It (4", "sleeps 4)")
    reading = read(chains=gum_layer("GUM_x", *cells))
    assert edges(reading, 0, "coreference") == [("0", (0, 4), (1, 5)), ("0", (0, 4), (2, 5)), ("1", (1, 5), (2, 5))]
    assert reading.counts == {"documents": 1, "mentions": 4, "chains": 1, "chains of one": 2}
    cells = ("Ann (1", "and _", "her _", "old _", "cat _", "It 1)", "sleeps _")
    assert read(chains=gum_layer("GUM_x", *cells)).left_out == {gum.ACROSS: 1}


def test_an_empty_form_and_a_bracket_as_a_word(read):
    words = conllu("GUM_news_iodine", "|/SYM (/-LRB-")
    layer = gum_layer("GUM_news_iodine", "'' _", "( _")
    reading = read(words, layer, layer)
    assert [word.form for word in reading.sentences[0].words] == ["|", "("]


def test_brackets_without_partners_are_dropped_only_where_the_source_has_them(read):
    cells = ("Ann (2", "and 3)", "her (4)", "old _", "cat _", "It _", "sleeps (4)")
    with pytest.raises(EmbryologyError, match=r"chains\.conll, line 3: unbalanced brackets: 3 is closed and was not"):
        read(chains=gum_layer("GUM_x", *cells))
    name = gum.MIXED_UP[0]
    reading = read(*(text.replace("GUM_x", name) for text in (WORDS, ENTITIES, gum_layer("GUM_x", *cells))))
    assert reading.left_out == {gum.NO_PARTNER: 2}
    assert (reading.counts["mentions"], len(reading.sentences)) == (2, 2)


@pytest.mark.parametrize(
    ("layer", "old", "new", "message"),
    [
        ("entities", "It\t(animal-3)", "It\t(animal-3", r"entities\.conll, line 7: unbalanced brackets: animal-3 is"),
        ("entities", "(animal-3)", "(animal)", r"entities\.conll, line 7: malformed brackets: '\(animal\)'"),
        ("entities", "and\t_", "and\t-", r"entities\.conll, line 3: malformed brackets"),
        ("chains", "and\t_", "and _", r"chains\.conll, line 3: ragged columns: 3 expected, found 2"),
        ("chains", "1\tand", "1\tund", r"chains\.conll, line 3: layers differ: 'und' is 'and' in dep/"),
        ("chains", "1\tand", "2\tand", r"chains\.conll, line 3: rows out of order: word 1 of GUM_x expected, found 2"),
        ("chains", "1\tand\t_\n", "", r"chains\.conll, line 7: layers differ: GUM_x has 6 rows here and 7 words"),
        ("chains", "document GUM_x", "document GUM_y", r"chains\.conll, line 1: layers differ: GUM_x has 0 rows"),
        ("chains", "(3(2)", "(3(())", r"chains\.conll, line 4: malformed brackets"),
    ],
)
def test_malformed_layers_name_file_and_line(read, layer, old, new, message):
    damaged = {"entities": ENTITIES, "chains": CHAINS}[layer].replace(old, new)
    assert damaged not in (ENTITIES, CHAINS)
    with pytest.raises(EmbryologyError, match=message):
        read(**{layer: damaged})
    more = {
        "words": WORDS + conllu("GUM_z", "Hm/UH"),
        "entities": ENTITIES + gum_layer("GUM_z", "Hm _"),
        "chains": CHAINS + gum_layer("GUM_z", "Hm _"),
    }
    reading = read(**more | {layer: damaged + gum_layer("GUM_z", "Hm _")}, skip_bad=True)
    assert [sentence.text for sentence in reading.sentences] == ["Hm"]
    assert reading.skipped.total() == 2


def test_a_malformed_sentence_takes_its_document_with_it(read):
    words = WORDS.replace("\tsleeps\t", "\t\t") + conllu("GUM_x", "Hm/UH", "Hm/UH").partition("\n")[2]
    with pytest.raises(EmbryologyError, match=r"dep\.conllu, line 11: word without form or tag"):
        read(words)
    more = gum_layer("GUM_z", "Hm _")
    reading = read(words + conllu("GUM_z", "Hm/UH"), ENTITIES + more, CHAINS + more, skip_bad=True)
    assert [sentence.text for sentence in reading.sentences] == ["Hm"]
    assert reading.skipped == {"word without form or tag": 1, gum.IN_DOCUMENT: 3}
    assert reading.counts["documents"] == 1


def test_a_document_of_a_layer_alone_is_said(read):
    chains = CHAINS + gum_layer("GUM_y", "Hm (1)")
    with pytest.raises(EmbryologyError, match=r"chains\.conll, line 12: document 'GUM_y' is not in .*dep\.conllu"):
        read(chains=chains)
    assert read(chains=chains, skip_bad=True).left_out == {gum.NO_WORDS: 1}
