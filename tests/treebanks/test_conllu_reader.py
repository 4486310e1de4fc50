"""Universal Dependencies' format: words, tags and heads, and the catalogue of sets of tagged sentences."""

import gzip
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from embryology.corpus import language
from embryology.errors import EmbryologyError
from embryology.treebanks import Edge, Word, catalogue, conllu_reader, edge_sets
from embryology.treebanks.sets import SPLITS
from tests.treebank_files import conllu

COVERS = ("embryology/treebanks/catalogue.py",)
GOLD = """# sent_id = a-1
# text = I can't, don't.
1\tI\ti\tPRON\tPRP\t_\t3\tnsubj\t_\t_
2-3\tcan't\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
2\tcan\tcan\tAUX\tMD\t_\t0\troot\t_\t_
3\tnot\tnot\tPART\tRB\t_\t2\tadvmod\t_\t_
4\t,\t,\tPUNCT\t,\t_\t2\tpunct\t_\t_
5-6\tdon't\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
5\tdo\tdo\tAUX\tVBP\t_\t2\taux\t_\t_
6\tn't\tnot\tPART\tRB\t_\t5\tadvmod\t_\t_
6.1\tgone\tgo\tVERB\tVBN\t_\t_\t_\t_\t_
7\t.\t.\tPUNCT\t.\t_\t2\tpunct\t_\tSpaceAfter=No

1\tYes\tyes\tINTJ\tUH\t_\t0\troot\t_\t_
"""


def test_running_text_is_put_together_again(tmp_path):
    file = tmp_path / "x.conllu"
    file.write_text(GOLD, encoding="utf-8")
    first, second = conllu_reader.read(file)
    assert first.id == "a-1"
    assert first.text == "I can't, don't."
    assert first.words == (
        Word("I", 0, 1, "PRP"),
        Word("can", 2, 7, "MD"),  # can + not do not spell can't: both have all of it
        Word("not", 2, 7, "RB"),
        Word(",", 7, 8, ","),
        Word("do", 9, 11, "VBP"),
        Word("n't", 11, 14, "RB"),
        Word(".", 14, 15, "."),
    )
    assert (second.id, second.text) == ("x-2", "Yes")
    with gzip.open(tmp_path / "y.conllu.gz", "wt", encoding="utf-8") as stream:
        stream.write(GOLD)
    assert conllu_reader.read(tmp_path / "y.conllu.gz")[0] == first


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (("nsubj\t_\t_", "nsubj"), r", line 3: ragged columns: 10 columns expected"),
        (("4\t,\t,\tPUNCT\t,", "5\t,\t,\tPUNCT\t,"), r", line 7: rows out of order: word 4 expected, found 5"),
        (("INTJ\tUH", "INTJ\t_"), r", line 14: word without form or tag: word 1 has no form or no Penn tag"),
        (("1\tYes", "x\tYes"), r", line 14: malformed sentence: the one that ends here: .*'x' is not a valid ID"),
        (("1\tYes", "_\tYes"), r", line 14: rows out of order: words are missing"),
        (("1\tYes", "1-2\tYes"), r", line 14: rows out of order: words are missing"),
        ((GOLD, "\n\n"), r"holds no sentences"),
    ],
)
def test_malformed_files_name_file_and_line(tmp_path, damage, message):
    file = tmp_path / "bad.conllu"
    assert damage[0] in GOLD
    file.write_text(GOLD.replace(*damage), encoding="utf-8")
    with pytest.raises(EmbryologyError, match=rf"bad\.conllu.*{message}"):
        conllu_reader.read(file)


def test_dependencies_go_from_a_word_to_its_head(tmp_path):
    file = tmp_path / "x.conllu"
    file.write_text(GOLD.replace("2\taux\t", "2\taux:pass\t"), encoding="utf-8")
    first, second = conllu_reader.read_edges(file).sentences
    assert (replace(first, edges=()), replace(second, edges=())) == tuple(conllu_reader.read(file))
    assert [edge[1:] for edge in first.edges if edge.task == "pos"][5] == ("RB", (5, 6), None)
    dependencies = [edge[1:] for edge in first.edges if edge.task == "dependency"]
    assert dependencies[:2] == [("nsubj", (0, 1), (2, 3)), ("advmod", (2, 3), (1, 2))]
    assert dependencies[3] == ("aux:pass", (4, 5), (1, 2))
    assert len(dependencies) == 6  # the root is none, and empty nodes are no words
    assert second.edges == (Edge("pos", "UH", (0, 1)),)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (("2\tadvmod", "8\tadvmod"), r"line 6: head out of range: the head of word 3 is 8, not another of 7"),
        (("2\tadvmod", "3\tadvmod"), r"line 6: head out of range: the head of word 3 is 3"),
        (("2\tadvmod", "_\tadvmod"), r"line 6: head out of range: the head of word 3 is None"),
        (("2\tadvmod", "2\t_"), r"line 6: word without a relation"),
        (("RB\t_\t2", "_\t_\t2"), r"line 6: word without form or tag"),
    ],
)
def test_malformed_sentences_are_raised_or_counted(tmp_path, damage, message):
    file = tmp_path / "bad.conllu"
    assert damage[0] in GOLD
    file.write_text(GOLD.replace(*damage), encoding="utf-8")
    with pytest.raises(EmbryologyError, match=rf"bad\.conllu, {message}"):
        conllu_reader.read_edges(file)
    reading = conllu_reader.read_edges(file, skip_bad=True)
    assert [sentence.text for sentence in reading.sentences] == ["Yes"]
    assert reading.skipped.total() == 1


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(EmbryologyError, match=r"none\.conllu is missing"):
        conllu_reader.read(tmp_path / "none.conllu")
    (tmp_path / "latin.conllu").write_bytes(GOLD.replace("Yes", "Où").encode("latin-1"))
    with pytest.raises(EmbryologyError, match=r"latin\.conllu cannot be read"):
        conllu_reader.read(tmp_path / "latin.conllu")
    (tmp_path / "cut.conllu.gz").write_bytes(gzip.compress(GOLD.encode())[:-20])
    with pytest.raises(EmbryologyError, match=r"cut\.conllu\.gz cannot be read"):
        conllu_reader.read(tmp_path / "cut.conllu.gz")


def test_the_catalogue_takes_gold_where_it_is_there(tmp_path, monkeypatch):
    monkeypatch.delenv("EMBRYOLOGY_DATA", raising=False)
    assert catalogue.find("auto").name == "silver"
    with pytest.raises(EmbryologyError, match=r"universaldependencies\.org .*under \$EMBRYOLOGY_DATA/treebanks"):
        catalogue.find("ewt")
    with pytest.raises(EmbryologyError, match="'silver' has no split 'train'; choose one of test"):
        catalogue.find("silver", "train")
    with pytest.raises(EmbryologyError, match="there is no treebank 'gum'"):
        catalogue.find("gum")

    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))
    assert catalogue.find("auto").name == "silver"
    folder = tmp_path / conllu_reader.EWT
    folder.mkdir(parents=True)
    (folder / "en_ewt-ud-dev.conllu").write_text(GOLD, encoding="utf-8")
    treebank = catalogue.find("auto", "dev")
    assert (treebank.name, treebank.label) == ("ewt", "gold tags, UD English-EWT dev")
    assert len(treebank.read()) == 2
    with pytest.raises(EmbryologyError, match=r"en_ewt-ud-test\.conllu"):
        catalogue.find("auto", "test")


def test_each_split_is_its_own_file_and_known_by_its_bytes(tmp_path, monkeypatch):
    """Of a set that is there and of one's own, with one size and time; splits of the same bytes are one."""
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))
    own = str(tmp_path / conllu_reader.EWT / "en_ewt-ud-{split}.conllu")
    files = {split: Path(own.replace("{split}", split)) for split in SPLITS}
    files["train"].parent.mkdir(parents=True)
    for number, file in enumerate(files.values()):
        file.write_text(GOLD.replace("Yes", f"Ye{number}"), encoding="utf-8")
        os.utime(file, ns=(1, 1))
    for name in ("ewt", own):
        keys = []
        for number, split in enumerate(files):
            treebank = catalogue.find(name, split)
            assert treebank.read()[1].text == f"Ye{number}"
            keys.append(treebank.identity())
        files["dev"].write_bytes(files["test"].read_bytes())
        keys.append(catalogue.find(name, "dev").identity())
        assert keys[3] == keys[2]
        assert len({str(key) for key in keys}) == 3
        files["dev"].write_text(GOLD.replace("Yes", "Ye1"), encoding="utf-8")


@pytest.mark.skipif(not os.environ.get("EMBRYOLOGY_DATA"), reason="needs EMBRYOLOGY_DATA")
def test_the_real_treebank_has_its_published_counts():
    sentences = catalogue.find("ewt").read()
    assert len(sentences) == 2077
    assert sum(len(sentence.words) for sentence in sentences) == 25_094
    forms = [(sentence.text[w.start : w.end], w.form) for sentence in sentences for w in sentence.words]
    assert sum(text != form for text, form in forms) < 20


GERMAN = """# text = Der Hund schläft im Garten, und die Katze sieht ihm zu.
1\tDer\tder\tDET\tART\t_\t2\tdet\t_\t_
2\tHund\tHund\tNOUN\tNN\t_\t3\tnsubj\t_\t_
3\tschläft\tschlafen\tVERB\tVVFIN\t_\t0\troot\t_\t_
4-5\tim\t_\t_\t_\t_\t_\t_\t_\t_
4\tin\tin\tADP\tAPPR\t_\t6\tcase\t_\t_
5\tdem\tder\tDET\tART\t_\t6\tdet\t_\t_
6\tGarten\tGarten\tNOUN\tNN\t_\t3\tobl\t_\tSpaceAfter=No
7\t.\t.\tPUNCT\t$.\t_\t3\tpunct\t_\t_

"""


def test_a_treebank_of_ones_own_has_universal_tags_where_it_has_no_penn_tags(tmp_path):
    own = tmp_path / "de-test.conllu"
    own.write_text(GERMAN, encoding="utf-8")
    treebank = catalogue.find(str(tmp_path / "de-{split}.conllu"))
    identity = treebank.identity()
    assert (identity["tags"], identity["language"], treebank.label) == ("upos", "de", "universal tags, de-test.conllu")
    (sentence,) = treebank.read()
    assert [word.tag for word in sentence.words] == ["DET", "NOUN", "VERB", "ADP", "DET", "NOUN", "PUNCT"]
    assert sentence.text == "Der Hund schläft im Garten."
    english = tmp_path / "en.conllu"
    english.write_text(GOLD, encoding="utf-8")
    assert catalogue.find(str(english)).identity()["tags"] == "xpos"
    assert {word.tag for word in catalogue.find(str(english)).read()[1].words} == {"UH"}
    assert catalogue.find(str(english)).label == "Penn tags, en.conllu"
    own.write_text(GERMAN.replace("VERB", "VVFIN"), encoding="utf-8")
    with pytest.raises(EmbryologyError, match=r"line 4: unknown tag: 'VVFIN' is none of the universal tags"):
        treebank.read()
    assert catalogue.find(str(own)).identity()["file"] != identity["file"]
    with pytest.raises(EmbryologyError, match=r"there is no treebank at .*de-dev.conllu \(or .gz\)"):
        catalogue.find(str(tmp_path / "de-{split}.conllu"), "dev")


def test_the_language_is_that_of_most_sentences_at_the_beginning(tmp_path, monkeypatch):
    """As classified from the forms of their words, so that the alphabet of languages does not decide."""
    file = tmp_path / "x.conllu"
    file.write_text(
        GERMAN * 2 + conllu("x", "The/DT child/NN sleeps/VBZ in/IN the/DT old/JJ house/NN"), encoding="utf-8"
    )
    told = []

    def shares(texts):
        told.extend(texts)
        return {"de": 0.67, "af": 0.33}

    monkeypatch.setattr(language, "shares", shares)
    monkeypatch.setattr(language, "TEXTS", 3)
    assert conllu_reader.look(file) == ("upos", "de")
    assert told == ["Der Hund schläft im in dem Garten ."] * 2 + ["The child sleeps in the old house"]
    monkeypatch.setattr(language, "shares", lambda texts: {})
    assert conllu_reader.look(file) == ("upos", None)


def test_sentences_belong_to_the_document_that_began_last(tmp_path):
    file = tmp_path / "x.conllu"
    file.write_text(GERMAN + conllu("a", "Yes/UH", "No/UH", "So/RB") + conllu("b", "Hm/UH"), encoding="utf-8")
    documents = list(conllu_reader.documents(file, Counter(), skip_bad=True, column="xpos"))
    assert [name for name, _ in documents] == ["", "a", "a", "a", "b"]
    assert [sentence.text for _, sentence in documents[1:]] == ["Yes", "No", "So", "Hm"]


def test_a_stray_tag_leaves_a_treebank_penns(tmp_path):
    """As GUM has one; a treebank of another language shares some of Penn's names."""
    file = tmp_path / "x.conllu"
    file.write_text(GOLD * 30 + GOLD.replace("UH", "VERB"), encoding="utf-8")
    assert conllu_reader.look(file)[0] == "xpos"
    file.write_text(GOLD * 5 + GOLD.replace("UH", "VERB"), encoding="utf-8")
    assert conllu_reader.look(file)[0] == "upos"


def test_edges_of_a_treebank_of_ones_own(tmp_path):
    """Its tags are those of one column in all splits: that which the training split has Penn's in, or the other."""
    name = str(tmp_path / "de-{split}.conllu")
    files = {split: Path(name.replace("{split}", split)) for split in ("train", "test")}
    files["train"].write_text(GERMAN, encoding="utf-8")
    files["test"].write_text(GERMAN.replace("Hund", "Rind"), encoding="utf-8")
    chosen = edge_sets.find(name)
    assert chosen.label == "universal tags and dependencies, de-test.conllu"
    (sentence,) = chosen.read().sentences
    assert sentence.text == "Der Rind schläft im Garten."
    assert Edge("pos", "NOUN", (1, 2)) in sentence.edges
    assert Edge("dependency", "case", (3, 4), (5, 6)) in sentence.edges
    with pytest.raises(EmbryologyError, match=r"needs \{split\} in its path"):
        edge_sets.find(str(files["test"]))

    keys = [chosen.identity(), edge_sets.find(name, "train").identity()]
    assert {key["language"] for key in keys} == {"de"}
    files["test"].write_text(GERMAN.replace("Hund", "Rund"), encoding="utf-8")
    keys.append(edge_sets.find(name).identity())
    files["train"].write_text(GOLD.replace("_\t_\t_\t", ""), encoding="utf-8")  # English, with Penn's tags
    chosen = edge_sets.find(name)
    assert chosen.label == "Penn tags and dependencies, de-test.conllu"
    assert Edge("pos", "ART", (0, 1)) in chosen.read().sentences[0].edges
    keys.append(chosen.identity())
    assert keys[3]["files"] == keys[2]["files"]
    assert len({str(key) for key in keys}) == 4
