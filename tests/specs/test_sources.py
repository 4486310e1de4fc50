"""The contract for data: keys of what is measured and frozen stand, and a plug-in's data are known by all they hold."""

import json
import os

import pandas as pd
import pytest
from rich.console import Console

from embryology.analysis import downstream, knowledge
from embryology.corpus import articles
from embryology.errors import EmbryologyError
from embryology.facts import fact_sets
from embryology.runs.paths import ROOT, data_folder
from embryology.specs import registry
from embryology.storage.files import read_json
from embryology.tasks import catalogue as tasks
from embryology.treebanks import catalogue, edge_sets
from embryology.treebanks.sets import SPLITS
from tests.plug_ins import forget
from tests.treebank_files import conllu

NOT_OF_SETS = {"precision", "training text", "treebank", "of the series"}


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    forget()
    yield
    forget()


FACTS = (ROOT / "book" / "examples" / "food.py").read_text(encoding="utf-8")


@pytest.fixture
def mine(tmp_path):
    """A plug-in whose facts are two files of one name in two folders."""
    file = tmp_path / "mine.py"
    file.write_text(FACTS)
    for name in "ab":
        (tmp_path / "food" / name).mkdir(parents=True)
        (tmp_path / "food" / name / "x.tsv").write_text(f"{name}\tgrass\n")
    return file


def key(file):
    forget()
    registry.add(file)
    return json.dumps(fact_sets.find("food").identity(), sort_keys=True)


def test_a_plugins_facts_are_found_read_and_counted(mine, capsys):
    with pytest.raises(
        EmbryologyError, match=r"set of facts 'food'; choose one of trex, google-re, squad, pararel, bundled, fed, or"
    ):
        fact_sets.find("food")
    registry.add(mine)
    assert list(fact_sets.sources())[-1] == "food"
    (relation,) = fact_sets.find("food").read().relations
    assert [(fact.subject, fact.object) for fact in relation.facts] == [("a", "grass"), ("b", "grass")]
    fact_sets.check(Console())
    assert "food: relations 1, templates 2, facts 2, N-1 2" in capsys.readouterr().out
    (mine.parent / "food" / "a" / "x.tsv").write_text("a\tgrass\na\thay\n")
    with pytest.raises(EmbryologyError, match=r"^1 known counts do not hold: food has 3 facts instead of 2;"):
        fact_sets.check(Console())


def test_a_plugins_key_holds_all_that_is_read_and_what_reads_it(mine, tmp_path):
    folder, keys = tmp_path / "food", [key(mine)]
    a, b = (folder / name / "x.tsv" for name in "ab")
    a.write_text("c\tgrass\n")
    keys.append(key(mine))
    content = a.read_text(), b.read_text()
    a.write_text(content[1])
    b.write_text(content[0])
    keys.append(key(mine))  # the same files under each other's name
    b.rename(folder / "b" / "y.tsv")
    keys.append(key(mine))
    (folder / "b" / "y.tsv").rename(b)
    mine.write_text(FACTS + "# an edit\n")
    keys.append(key(mine))
    assert len(set(keys)) == len(keys)
    os.utime(a, (0, 0))
    (folder / "notes.txt").write_text("not read")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    mine.rename(elsewhere / "mine.py")
    folder.rename(elsewhere / "food")
    assert key(elsewhere / "mine.py") == keys[-1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"facts", "food"', '"facts", "trex"', "two sources of the kind set of facts are called 'trex'; rename one"),
        ("tuple(files)", "()", "set of facts 'food': its plug-in names no file that it reads"),
        ('"*.tsv"', '"*.csv"', r"the facts 'food' need \.tsv files in .*/food"),
    ],
)
def test_what_a_source_lacks_is_said_where_it_is_asked_for(mine, old, new, message):
    mine.write_text(FACTS.replace(old, new))
    registry.add(mine)
    with pytest.raises(EmbryologyError, match=message):
        fact_sets.find("food")


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ('[Source("facts", "a", find)]', "has SOURCES that are no tuple of sources of data"),
        ('("food",)', "has SOURCES that are no tuple"),
        ('(Source("facts", "a", find), Source("facts", "a", find))', "two sources of data called 'a'; rename one"),
        ('(Source("facts", "a/b", find),)', "'a/b' is no name of a source: it has no slash"),
        ("()", "holds no specification, .* and lists no SOURCES"),
    ],
)
def test_a_file_with_other_sources_is_refused(mine, listed, message):
    mine.write_text(f"{FACTS}\nSOURCES = {listed}\n")
    with pytest.raises(EmbryologyError, match=message):
        registry.add(mine)


def test_an_installed_source_is_known_by_its_version(mine, tmp_path, monkeypatch):
    information = tmp_path / "mine-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    mine.write_text(f"{FACTS}\nFOOD, = SOURCES\n")
    monkeypatch.syspath_prepend(tmp_path)
    for text, message in (
        ("food = mine:FOOD", None),
        ("food = mine:FOLDER", "the entry point 'food' .* is no source of that name"),
        ("feed = mine:FOOD", "the entry point 'feed' .* is no source of that name"),
        ("food = mime:FOOD", "the source 'food' .* cannot be loaded: ModuleNotFoundError"),
    ):
        (information / "entry_points.txt").write_text(f"[embryology.sources]\n{text}\n")
        forget()
        if message is None:
            assert fact_sets.find("food").identity()["reader"] == "1"
        else:
            with pytest.raises(EmbryologyError, match=message):
                fact_sets.find("food")


def recorded(probe):
    """By name of a set of data what frozen runs recorded of it."""
    found = {}
    for file in sorted((ROOT / "results").glob("*/measurements/standing.json")):
        data = (read_json(file).get(probe) or {}).get("data") or {}
        found |= {(file.parts[-3], name): of for name, of in data.items() if name not in NOT_OF_SETS}
    return found


@pytest.mark.parametrize("name", ["bundled", "trex", "pararel"])
def test_facts_that_frozen_runs_were_asked_have_their_keys(name):
    before = [identity for (_, each), identity in recorded("knowledge").items() if each == name]
    assert before
    if name == "bundled" or data_folder() is not None:
        now = json.loads(json.dumps(fact_sets.find(name).identity()))
        assert before == [now] * len(before)


TREEBANK = """
from functools import partial
from pathlib import Path

from embryology.specs.sources import Data, Source
from embryology.treebanks import DEPENDENCY, POS, conllu_reader
from embryology.treebanks.sets import SPLITS, EdgeSet

def tagged(name, split):
    file = Path(__file__).with_name(f"{split}.txt")
    return Data(name, f"my tags, {split}", (file,), dict, lambda _: conllu_reader.read(file))

def edges(name, split):
    file = Path(__file__).with_name(f"{split}.txt")
    label = f"my edges, {split}"
    return EdgeSet(name, label, (file,), dict, partial(conllu_reader.read_edges, file), split, (POS, DEPENDENCY))

SOURCES = (Source("treebank", "woods", tagged, parts=SPLITS), Source("edges", "woods", edges, parts=SPLITS[::2]))
"""


@pytest.fixture
def woods(tmp_path):
    """A treebank in files of another ending, for both probes that read some."""
    for number, split in enumerate(SPLITS):
        (tmp_path / f"{split}.txt").write_text(conllu("x", f"Cat{number}/NNS sleep/VBP"), encoding="utf-8")
    file = tmp_path / "mine.py"
    file.write_text(TREEBANK)
    return file


def test_a_plugins_treebank_is_found_by_split(woods):
    message = "there is no treebank 'woods'; choose auto, ewt, silver, or a path"
    with pytest.raises(EmbryologyError, match=rf"settings of probe tokens\.treebank: .*{message}"):
        registry.settings_of("tokens", {"treebank": "woods"})
    registry.add(woods)
    assert registry.settings_of("tokens", {"treebank": "woods"}).treebank == "woods"
    for find, splits in ((catalogue.find, SPLITS), (edge_sets.find, ("train", "test"))):
        found = {split: find("woods", split) for split in splits}
        assert [each.label.split(", ")[1] for each in found.values()] == [*splits]
        content = [each.read() for each in found.values()]
        texts = [(each if isinstance(each, list) else each.sentences)[0].text for each in content]
        assert texts == [f"Cat{SPLITS.index(split)} sleep" for split in splits]
        assert len({json.dumps(each.identity()) for each in found.values()}) == len(splits)
    with pytest.raises(EmbryologyError, match="the edge set 'woods' has no split 'dev'; choose one of train, test"):
        edge_sets.find("woods", "dev")


def test_a_set_of_edges_says_its_tasks(woods):
    woods.write_text(TREEBANK.replace('"edges", "woods", edges', '"edges", "woods", tagged'))
    registry.add(woods)
    with pytest.raises(EmbryologyError, match="the edge set 'woods' of a plug-in is no EdgeSet"):
        edge_sets.find("woods")


def of_treebank(data):
    """What the tokens probe records of its treebank beside the precision."""
    return {name: each for name, each in data.items() if name not in ("precision", "treebank")}


def test_treebanks_of_frozen_runs_have_their_keys():
    """Those of all frozen runs; the gold ones where their data are there."""
    seen = set()
    for file in sorted((ROOT / "results").glob("*/measurements/standing.json")):
        configurations = read_json(file)
        if "tokens" in configurations:
            data = configurations["tokens"]["data"]
            if data["treebank"] == "silver" or data_folder() is not None:
                assert catalogue.find(data["treebank"]).identity() == of_treebank(data)
                seen.add(data["treebank"])
        for name, identity in (configurations.get("edges") or {"data": {}})["data"].items():
            of, _, split = name.rpartition(" ")
            if of == "silver" or (of and data_folder() is not None):
                assert edge_sets.find(of, split).identity() == identity
                seen.add(name)
    assert seen >= {"silver", "silver train", "silver test"}


def test_tasks_of_frozen_runs_have_their_keys():
    """Those of all frozen runs; GLUE's and SQuAD's where their data are there."""
    seen = set()
    for probe in ("finetune", "frozen"):
        for (_, part), of_tasks in recorded(probe).items():
            assert part == "tasks"
            for name, identity in of_tasks.items():
                if name == "topic" or data_folder() is not None:
                    assert tasks.identity(name) == identity
                    seen.add(name)
    assert "topic" in seen


def test_what_plugins_bring_is_drawn_under_its_name_behind_what_is_known():
    frame = pd.DataFrame({"task": ["polarity", "RTE", "mean", "CoLA"], "series": "a"})
    assert downstream.tasks(frame) == ["CoLA", "RTE", "polarity"]
    assert [downstream.label(task) for task in ("polarity", "mean", "RTE")] == [
        "polarity",
        "mean over tasks",
        "inference (RTE)",
    ]
    frame = pd.DataFrame({"task": ["food", "trex/not named", "trex", "food/held out"], "series": "a"})
    assert knowledge.sets(frame) == ["trex", "food"]
    assert [knowledge.set_label(name) for name in ("food", "trex")] == ["food", "LAMA T-REx"]


CORPUS = """
import json
from pathlib import Path

from embryology.corpus.articles import Article
from embryology.specs.sources import Data, Source

def find(name, path):
    files = [Path(path)] if Path(path).is_file() else sorted(Path(path).rglob("*.jsonl"))

    def read(skip_bad):
        for file in files:
            for number, line in enumerate(file.read_text().splitlines()):
                yield Article(f"{file.name}:{number}", *json.loads(line))

    return Data(name, "lines of JSON", tuple(files), dict, read)

SOURCES = (Source("corpus", "jsonl", find),)
"""


def test_a_plugins_corpus_is_read_and_known_by_its_files(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "texts").mkdir()
    file = tmp_path / "texts" / "a.jsonl"
    file.write_text('["One", "A text."]\n["Two", "Another."]\n')
    with pytest.raises(EmbryologyError, match="no corpus source 'jsonl'; choose one of bundled, fed, text, wikipedia"):
        articles.fingerprint("jsonl", "~/texts")
    (tmp_path / "mine.py").write_text(CORPUS)
    registry.add(tmp_path / "mine.py")
    for path in ("~/texts", str(file)):
        found = [(each.id, each.title, each.text) for each in articles.articles("jsonl", path)]
        assert found == [("a.jsonl:0", "One", "A text."), ("a.jsonl:1", "Two", "Another.")]
    keys = [articles.fingerprint("jsonl", path) for path in ("~/texts", str(file))]
    assert keys[0] == articles.fingerprint("jsonl", str(tmp_path / "texts"))
    file.write_text('["One", "A text."]\n["Two", "Another!"]\n')
    keys.append(articles.fingerprint("jsonl", "~/texts"))
    file.rename(tmp_path / "texts" / "b.jsonl")
    keys.append(articles.fingerprint("jsonl", "~/texts"))
    (tmp_path / "texts" / "c").mkdir()
    (tmp_path / "texts" / "b.jsonl").rename(tmp_path / "texts" / "c" / "b.jsonl")
    keys.append(articles.fingerprint("jsonl", "~/texts"))
    assert len({json.dumps(each) for each in keys}) == len(keys) == 5
    blob = (tmp_path / "texts" / "c" / "b.jsonl").rename(tmp_path / "blob")
    (tmp_path / "texts" / "c" / "b.jsonl").symlink_to(blob)
    assert articles.fingerprint("jsonl", "~/texts") == keys[-1]  # as a cache links to what it holds
