"""What there is to work with, on a terminal and as JSON."""

import io
import json

import pytest
from rich.console import Console

from embryology.report import listing
from embryology.runs import paths
from embryology.runs.paths import ROOT
from tests.foreign import save_bert
from tests.stub_project import freeze_stub, measured_run


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """A run, a frozen one, checkpoints of others, and a folder that is none of them."""
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    measured_run("mine", seed=3)
    freeze_stub(measured_run(tmp_path / "results" / "kept"))
    save_bert(tmp_path / "runs" / "theirs", (1000, 2000))
    (tmp_path / "runs" / "damaged").mkdir()
    return listing.listing()


def test_every_run_says_what_it_is_and_what_measured_it(listed, tmp_path):
    damaged, mine, theirs, kept = listed["runs"]
    assert mine == {
        "name": "mine",
        "kind": "run",
        "preset": "synthetic",
        "seed": 3,
        "counts": "step",
        "checkpoints": 1,
        "last": 0,
        "of": 100,
        "measured_by": ["tokens"],
        "problem": None,
    }
    assert (kept["name"], kept["kind"], kept["seed"]) == ("results/kept", "frozen", 0)
    assert (theirs["kind"], theirs["preset"], theirs["checkpoints"], theirs["last"]) == ("checkpoints", None, 2, 2000)
    assert (theirs["of"], theirs["measured_by"]) == (None, [])
    assert damaged["problem"] == f"{tmp_path / 'runs' / 'damaged'} holds no checkpoints"
    assert {tuple(each) for each in listed["runs"]} == {tuple(mine)}


def test_presets_are_told_by_their_size(listed):
    by_name = {each["name"]: each for each in listed["presets"]}
    assert by_name.keys() == {file.stem for file in (ROOT / "embryology" / "presets").glob("*.yaml")}
    assert by_name["tiny"] == {
        "name": "tiny",
        "family": "albert",
        "layers": 3,
        "hidden_size": 256,
        "corpus": "bundled",
        "steps": 3600,
        "batch_size": 16,
        "sequence_length": 64,
        "checkpoints": 25,
        "probes": [
            "attention",
            "completions",
            "divergence",
            "tokens",
            "edges",
            "grammar",
            "knowledge",
            "similarity",
            "frozen",
            "finetune",
        ],
    }


def test_probes_say_what_they_need_and_whether_they_take_long(listed):
    probes = {each["name"]: each for each in listed["probes"]}
    assert {name for name, each in probes.items() if each["expensive"]} == {"edges", "finetune", "forgetting"}
    assert probes["finetune"]["needs"] == ["both-directions", "hidden-states"]
    assert probes["tokens"] == {
        "name": "tokens",
        "version": 2,
        "needs": ["masked-head"],
        "expensive": False,
        "tasks": ["reconstruction", "mask-prediction"],
        "pages": ["tokens", "frequency", "phases"],
    }


def test_it_is_json(listed):
    assert json.loads(json.dumps(listed, allow_nan=False)) == listed


def test_a_terminal_shows_all_of_it_and_cuts_no_name(listed):
    console = Console(width=80, file=io.StringIO())
    for table in listing.tables(listed):
        console.print(table)
    lines = console.file.getvalue().splitlines()

    def cells(name):
        (line,) = (line for line in lines if line.startswith(f"│ {name} "))
        return [cell.strip() for cell in line.strip("│").split("│")]

    assert cells("mine")[1:] == ["run synthetic", "3", "step 0 of 100", "tokens"]
    assert cells("theirs")[1:] == ["checkpoints", "", "step 2,000", ""]
    assert cells("tiny-electra")[1:] == ["electra 3 × 256", "bundled", "3,600 × 16 × 64", "25"]
    assert cells("tokens")[1:] == ["trained masked-word head", "less"]
    assert cells("edges")[1].startswith("hidden states")
    assert cells("edges")[2].startswith("minutes a checkpoint")
    assert cells("damaged")[-1]
