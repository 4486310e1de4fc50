"""The named sets of edges: what is read of which files, and that every one of these is in the identity."""

import os
from collections import Counter
from pathlib import Path

import pytest

from embryology.errors import EmbryologyError
from embryology.treebanks import TASKS, Edge, edge_sets, gum, ontonotes, propbank
from tests.edited import edit
from tests.treebank_files import assert_sound, conllu, gold_conll, gum_layer, skeletons

COVERS = ("embryology/treebanks/sets.py",)
EWT = "treebanks/UD_English-EWT"
ROWS = "NNS (TOP(S* - - (ARG0*)\nVBP *)) sleep sleep.01 (V*)"
FORMS = {"train": "Cats", "dev": "Dogs", "test": "Pigs", "test2": "Hens", "conll-2012-test": "Rats"}
"""The first word of every split is another one, so that none can be taken for another."""


def of_gum(stem):
    places = (f"dep/{stem}.conllu", f"coref/gum/conll/{stem}.conll", f"coref/ontogum/conll/{stem}.conll")
    return [f"{gum.PLACE}/{place}" for place in places]


def of_propbank(split):
    skeletons = [f"{propbank.PLACE}/{genre}.gold_skel" for genre in ("answers", "weblog")]
    return [f"{EWT}/en_ewt-ud-{split}.conllu", *skeletons]


def of_ontonotes(folder):
    return [f"{ontonotes.PLACE}/{folder}/{name}.v4_gold_conll" for name in "xyz"]


FILES = {
    "ewt": {split: [f"{EWT}/en_ewt-ud-{split}.conllu"] for split in ("train", "test")},
    "ewt-propbank": {split: of_propbank(split) for split in ("train", "dev", "test")},
    "gum": {split: of_gum(split) for split in ("train", "test")},
    "gentle": {"test": of_gum("test2")},
    "ontonotes": {
        "dev": of_ontonotes("development"),
        "test": of_ontonotes("test"),
        "conll-2012-test": of_ontonotes("conll-2012-test"),
    },
}
"""Of each set by split."""


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with small sets, and a function that writes into it."""
    monkeypatch.setenv("EMBRYOLOGY_DATA", str(tmp_path))

    def write(place, text):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text, encoding="utf-8")

    for split in ("train", "dev", "test"):
        sentences = (conllu(f"{genre}-x", f"{FORMS[split]}/NNS sleep/VBP") for genre in ("answers", "weblog"))
        write(f"{EWT}/en_ewt-ud-{split}.conllu", "".join(sentences))
    for genre in ("answers", "weblog"):
        write(f"{propbank.PLACE}/{genre}.gold_skel", skeletons(f"google/ewt/{genre}/00/x.xml", ROWS))
    for stem in ("train", "test", "test2"):
        word = FORMS[stem]
        write(f"{gum.PLACE}/dep/{stem}.conllu", conllu("GUM_x", f"{word}/NNS sleep/VBP"))
        write(f"{gum.PLACE}/coref/gum/conll/{stem}.conll", gum_layer("GUM_x", f"{word} (animal-1)", "sleep _"))
        write(f"{gum.PLACE}/coref/ontogum/conll/{stem}.conll", gum_layer("GUM_x", f"{word} (1)", "sleep (1)"))
    for split, places in FILES["ontonotes"].items():
        rows = f"{FORMS[split]} NNS (TOP(S* - - (PRODUCT*) (ARG0*) (1)\nsleep VBP *)) sleep - * (V*) (1)"
        for place in places:
            write(place, gold_conll(f"bc/{Path(place).name[0]}", rows))
    return write


@pytest.mark.parametrize(
    ("name", "label", "tasks"),
    [
        ("ewt", "gold, UD English-EWT {split}", "pos dependency"),
        ("ewt-propbank", "gold, English Web Treebank with PropBank {split}", "pos constituent role"),
        ("gum", "gold, GUM {split}", "pos dependency entity coreference"),
        ("gentle", "gold, GENTLE {split}", "pos dependency entity coreference"),
        ("ontonotes", "gold, OntoNotes 5 {split}", "pos constituent entity coreference role"),
    ],
)
def test_sets_are_found_and_read_split_by_split(data, name, label, tasks):
    """Every file is read, and no split for another."""
    for split in FILES[name]:
        edge_set = edge_sets.find(name, split)
        assert (edge_set.name, edge_set.split, edge_set.label) == (name, split, label.format(split=split))
        assert edge_set.tasks == tuple(tasks.split())
        reading = edge_set.read()
        assert_sound(reading)
        assert set(reading.edges()) == set(edge_set.tasks) <= set(TASKS)
        form = FORMS["test2" if name == "gentle" else split]
        assert {sentence.words[0].form for sentence in reading.sentences} == {form}
        assert len(reading.sentences) == {"gum": 1, "gentle": 1, "ontonotes": 3}.get(name, 2)
        assert not reading.skipped


@pytest.mark.parametrize(("name", "split"), [(name, split) for name in FILES for split in FILES[name]])
def test_an_edit_of_any_file_alone_is_known_and_an_edit_of_another_split_is_none(data, tmp_path, name, split):
    """Of the same size, at the same time."""
    before = edge_sets.find(name, split).identity()
    others = [place for other, places in FILES[name].items() if other != split for place in places]
    keys = [before]
    for place in FILES[name][split]:
        file = tmp_path / place
        content = file.read_bytes()
        edit(file, content.replace(b"x", b"y", 1) if b"x" in content else content.replace(b"NNS", b"NNP", 1))
        keys.append(edge_sets.find(name, split).identity())
        file.write_bytes(content)
    assert len({str(key) for key in keys}) == 1 + len(FILES[name][split])
    for place in set(others) - set(FILES[name][split]):
        (tmp_path / place).write_bytes((tmp_path / place).read_bytes() + b"\n")
    os.utime(tmp_path / FILES[name][split][0], ns=(1, 1))
    assert edge_sets.find(name, split).identity() == before


@pytest.mark.parametrize("name", FILES)
def test_malformed_sentences_are_left_out_where_that_is_asked_for(data, tmp_path, name):
    sentences = edge_sets.find(name).read().sentences
    with (tmp_path / FILES[name]["test"][0]).open("a") as stream:
        stream.write("# newdoc id = bad\n1\tx\n\n")
    with pytest.raises(EmbryologyError, match="ragged columns"):
        edge_sets.find(name).read()
    reading = edge_sets.find(name).read(skip_bad=True)
    assert (reading.sentences, reading.skipped) == (sentences, Counter({"ragged columns": 1}))


def test_what_is_not_there_is_said(data, tmp_path, monkeypatch):
    for name, split, message in (
        ("gum", "dev", r"'gum' is not there: set EMBRYOLOGY_DATA to .* treebanks/gum/dep/dev\.conllu"),
        ("gentle", "train", "has no split 'train'; choose one of test"),
        ("ontonotes", "train", r"\*gold_conll files in a folder 'train'"),
        ("conll", "test", "there is no edge set 'conll'; choose one of ewt, ewt-propbank, gum"),
        ("verbs:x", "test", "'verbs:x' names no task before the colon; choose one of pos, constituent"),
        (f"role:{tmp_path}/no", "test", "is no folder; give one that holds test.jsonl, or a path with {split} in it"),
        (f"role:{tmp_path}", "dev", "dev.jsonl or .*dev.json or .*development.json is missing"),
    ):
        with pytest.raises(EmbryologyError, match=message):
            edge_sets.find(name, split)
    (tmp_path / EWT / "en_ewt-ud-dev.conllu").unlink()
    with pytest.raises(EmbryologyError, match="embryology data get ewt"):
        edge_sets.find("ewt", "dev")
    monkeypatch.delenv("EMBRYOLOGY_DATA")
    for name in ("ewt", "ewt-propbank", "gum", "ontonotes"):
        with pytest.raises(EmbryologyError, match="is not there: set EMBRYOLOGY_DATA"):
            edge_sets.find(name)


def test_json_lines_are_named_by_task_and_path(data, tmp_path):
    """Splits are files of their own, ``dev`` by two names."""
    line = '{{"text": "{} sleep", "targets": [{{"span1": [0, 1], "label": "NNS"}}]}}'
    for place, split in (("train.jsonl", "train"), ("development.json", "dev"), ("test.json", "test")):
        data(f"pos/{place}", line.format(FORMS[split]))
        data(f"pos/pos-{split}.jsonl", line.format(FORMS[split]))
    keys = []
    for name, label in (("", "pos {split}"), ("/pos-{split}.jsonl", "pos-{split}.jsonl")):
        name = f"pos:{tmp_path}/pos{name}"
        for split in ("train", "dev", "test"):
            edge_set = edge_sets.find(name, split)
            assert edge_set.label == label.replace("{split}", split)
            (sentence,) = edge_set.read().sentences
            assert (sentence.text, sentence.edges) == (f"{FORMS[split]} sleep", (Edge("pos", "NNS", (0, 1)),))
            keys.append(edge_set.identity()["files"])
    assert keys[:3] == keys[3:]
    assert len(set(keys)) == 3
    data("pos/test.json", line.format("Eels"))
    assert edge_sets.find(f"pos:{tmp_path}/pos").identity()["files"] not in keys


def test_a_task_without_edges_is_an_error(data):
    data("treebanks/UD_English-EWT/en_ewt-ud-test.conllu", conllu("answers-x", "Cats/NNS"))
    with pytest.raises(EmbryologyError, match=r"the set 'ewt' 'test' holds no edges of the task 'dependency'$"):
        edge_sets.find("ewt").read()
    with pytest.raises(EmbryologyError, match=r"no edges of the task 'pos' \(1 sentences were skipped\)"):
        edge_sets.find("ewt-propbank").read()
    data("treebanks/UD_English-EWT/en_ewt-ud-test.conllu", "")
    with pytest.raises(EmbryologyError, match=r"no edges of the task 'pos'$"):
        edge_sets.find("ewt").read()
