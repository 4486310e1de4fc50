"""The contract for data: keys of what is measured and frozen stand, and a plug-in's data are known by all they hold."""

import json
import os
import sys

import pytest
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.facts import fact_sets
from embryology.runs.paths import ROOT, data_folder
from embryology.specs import registry
from embryology.storage.files import read_json
from tests.plug_ins import forget

NOT_OF_SETS = {"precision", "training text", "treebank", "of the series"}


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    forget()
    yield
    forget()
    sys.modules.pop("mine", None)


FACTS = """
from functools import partial
from pathlib import Path

from embryology.facts import Fact, Reading, Relation
from embryology.specs.sources import Data, Source

FOLDER = Path(__file__).with_name("facts")

def read(files, skip_bad=False):
    facts = [Fact(str(n), *line.split("\\t")) for file in files for n, line in enumerate(file.read_text().splitlines())]
    return Reading([Relation("eats", "what eats what", "N-1", ("[X] eats [Y].",), tuple(facts))])

def find(name, part):
    files = sorted(FOLDER.rglob("*.tsv"))
    return Data(name, "what eats what", tuple(files), dict, partial(read, files))

SOURCES = (Source("facts", "food", find, known={"": {"facts": 2}}),)
"""


@pytest.fixture
def mine(tmp_path):
    """A plug-in whose facts are two files of one name in two folders."""
    file = tmp_path / "mine.py"
    file.write_text(FACTS)
    for name in "ab":
        (tmp_path / "facts" / name).mkdir(parents=True)
        (tmp_path / "facts" / name / "x.tsv").write_text(f"{name}\tgrass\n")
    return file


def key(file):
    forget()
    sys.modules.pop("mine", None)
    registry.add(file)
    return json.dumps(fact_sets.find("food").identity(), sort_keys=True)


def test_a_plugins_facts_are_found_read_and_counted(mine, capsys):
    with pytest.raises(EmbryologyError, match=r"set of facts 'food'; choose trex, google-re, squad, pararel, bundled$"):
        fact_sets.find("food")
    registry.add(mine)
    assert list(fact_sets.sources())[-1] == "food"
    (relation,) = fact_sets.find("food").read().relations
    assert [(fact.subject, fact.object) for fact in relation.facts] == [("a", "grass"), ("b", "grass")]
    fact_sets.check(Console())
    assert "food: relations 1, templates 1, facts 2, N-1 2" in capsys.readouterr().out
    (mine.parent / "facts" / "a" / "x.tsv").write_text("a\tgrass\na\thay\n")
    with pytest.raises(EmbryologyError, match=r"^1 known counts do not hold: food has 3 facts instead of 2;"):
        fact_sets.check(Console())


def test_a_plugins_key_holds_all_that_is_read_and_what_reads_it(mine, tmp_path):
    folder, keys = tmp_path / "facts", [key(mine)]
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
    folder.rename(elsewhere / "facts")
    assert key(elsewhere / "mine.py") == keys[-1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"food"', '"trex"', "two sources of the kind set of facts are called 'trex'; rename one"),
        ('rglob("*.tsv")', 'rglob("*.csv")', "set of facts 'food': its plug-in names no file that it reads"),
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
