"""A page is executed again where anything that it is made of has changed, each thing alone, and for nothing else."""

import os
import shutil

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from embryology.report import inputs
from embryology.runs import losses, measurements, properties
from embryology.runs.audit.result import entries, examine, write
from embryology.runs.checkpoints import RECORD, WEIGHTS
from embryology.runs.paths import RunFolder
from embryology.specs import imports
from embryology.specs.properties import FREQUENCY, OVERLAP
from embryology.storage.files import sha256_of_file, write_json
from tests.edited import edit
from tests.stub_project import freeze_stub, measured_run, said, write_notebook
from tests.synthetic import configuration, measure

BOTH = ["index.ipynb", "tokens.ipynb"]


@pytest.fixture
def stale(project, executed):
    """Names the pages that a report executes."""

    def execute(parameters=()):
        executed.clear()
        said(project, parameters=parameters)
        return sorted(page.label for page in executed)

    return execute


def replace(file, old, new):
    edit(file, file.read_bytes().replace(old, new))


def flip(file):
    """The last byte of what a report does not read."""
    replace(file, last := file.read_bytes()[-9:], last[:-1] + bytes([last[-1] ^ 1]))


def measured(folder, step, value):
    rows = [measurements.row("reconstruction", "DT", "accuracy", value, n=10)]
    measure(folder, "tokens", step, rows, pd.DataFrame({"item_id": ["a"], "source": ["text"]}))


@pytest.fixture
def folder(project):
    """A run of two checkpoints with every file that a page can depend on."""
    folder = RunFolder.named("tiny")
    write_json(folder.checkpoint(100) / RECORD, {"step": 100, "tokens": 7, "sha256": "1" * 64})
    measured(folder, 100, 0.5)
    for kind in (FREQUENCY, OVERLAP):
        properties.write(folder, configuration("tokens"), kind, pd.DataFrame({"item_id": ["a"], "count": [1]}))
    losses.write(folder, [{"step": 0, "tokens": 0, "loss": 1.0}])
    write_json(folder.corpus, {"words": 10})
    return folder


def items_of(folder):
    return sorted((configuration("tokens").folder(folder) / "items").glob("*.parquet"))


def file_of(folder, kind):
    return properties.file_of(folder, configuration("tokens"), kind)


INPUTS = {
    "measurement of the first checkpoint": lambda folder: measured(folder, 0, 0.6),
    "measurement of the last checkpoint": lambda folder: measured(folder, 100, 0.6),
    "items of the first checkpoint": lambda folder: flip(items_of(folder)[0]),
    "items of the last checkpoint": lambda folder: flip(items_of(folder)[1]),
    "frequency": lambda folder: flip(file_of(folder, FREQUENCY)),
    "overlap": lambda folder: flip(file_of(folder, OVERLAP)),
    "record of the first checkpoint": lambda folder: replace(
        folder.checkpoint(0) / RECORD, b'"tokens": 0', b'"tokens": 1'
    ),
    "record of the last checkpoint": lambda folder: replace(
        folder.checkpoint(100) / RECORD, b'"tokens": 7', b'"tokens": 8'
    ),
    "losses": lambda folder: flip(folder.losses),
    "manifest": lambda folder: replace(folder.manifest, b"synthetic", b"Synthetic"),
    "corpus": lambda folder: replace(folder.corpus, b"10", b"11"),
    "what counts": lambda folder: folder.standing.write_text(folder.standing.read_text() + " "),
}


def hashes(folder):
    files = {file for file in folder.root.rglob("*") if file.is_file() and file.name != ".lock"}
    return {file.relative_to(folder.root).as_posix(): sha256_of_file(file) for file in files}


def test_each_file_of_a_run_makes_its_pages_stale(folder, stale):
    assert stale() == BOTH
    first = hashes(folder)
    assert stale() == []
    for change in INPUTS.values():
        before = hashes(folder)
        change(folder)
        after = hashes(folder)
        assert len([name for name in after if after[name] != before[name]]) == 1
        assert stale() == BOTH
    # No file is left out but for what says nothing.
    assert [name for name, sha256 in hashes(folder).items() if first[name] == sha256] == []


def test_a_run_that_was_moved_or_touched_is_executed_no_second_time(folder, stale, project, tmp_path, monkeypatch):
    assert stale() == BOTH
    for file in folder.root.rglob("*"):
        os.utime(file, (1, 1))
    for name in ("state/step-00000100.pt", "tokenizer/tokenizer.json", "measurements/failures/edges-step-00000000.log"):
        (folder.root / name).parent.mkdir(exist_ok=True)
        (folder.root / name).write_text("no page reads this")
    assert stale() == []
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "elsewhere"))
    assert stale() == []


def test_an_audit_makes_pages_stale_and_so_does_one_that_holds_no_more(folder, stale, project):
    for number in (0, 100):
        save_file({"dense.weight": np.ones((2, 2))}, folder.checkpoint(number) / WEIGHTS)
    assert stale() == BOTH
    (audit,) = examine({"tiny": entries(folder)})
    write(folder, audit)
    assert stale() == BOTH
    assert stale() == []
    save_file({"dense.weight": np.zeros((2, 2))}, folder.checkpoint(0) / WEIGHTS)
    assert stale() == BOTH
    assert stale() == []


def test_what_is_unchanged_is_skipped_and_that_is_said(stale, project):
    assert stale() == BOTH
    because = "unchanged, skipped (same template, parameters, measurements, code)"
    assert said(project).splitlines()[1:3] == [f"index.ipynb: {because}", f"tokens.ipynb: {because}"]


def test_each_parameter_makes_pages_stale(stale):
    measured_run("other")
    assert stale() == BOTH
    for parameters in (["steps=last"], ["steps=0,100"], ["compare=[other]"], ["steps=last", "compare=[other]"]):
        assert stale(parameters=parameters) == BOTH
    assert stale(parameters=["compare=[other]", "steps=last"]) == []


def test_a_changed_template_makes_its_own_page_stale_alone(project, stale):
    assert stale() == BOTH
    write_notebook(project / "notebooks" / "tokens.ipynb", "print(1)")
    assert stale() == ["tokens.ipynb"]
    replace(project / "notebooks" / "tokens.ipynb", b"In the table", b"On the table")
    assert stale() == ["tokens.ipynb"]


def test_the_front_page_is_made_again_where_its_list_changes(project, stale):
    assert stale() == BOTH
    write_notebook(project / "notebooks" / "words.ipynb", kind="probe", part="Your run", order=11)
    assert stale() == ["index.ipynb", "words.ipynb"]
    write_notebook(project / "notebooks" / "words.ipynb", kind="probe", part="Your run", order=11, needs=["edges"])
    assert stale() == ["index.ipynb"]
    write_notebook(project / "notebooks" / "words.ipynb", kind="probe", part="Your run", order=9, needs=["edges"])
    assert stale() == []


def test_published_curves_and_studies_are_depended_on_each(tmp_path, monkeypatch, stale):
    monkeypatch.setattr(inputs, "STUDIES", studies := tmp_path / "studies")
    assert stale() == BOTH
    files = [studies / name for name in ("published/a.csv", "published/b.csv", "recipes/a.csv")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("1")
        assert stale() == BOTH
    for file in files:
        replace(file, b"1", b"2")
        assert stale() == BOTH
    files[0].rename(studies / "recipes" / "b.csv")
    assert stale() == BOTH


def test_a_run_to_compare_with_is_depended_on(stale):
    measured_run("other")
    assert stale(parameters=["compare=[other]"]) == BOTH
    measured_run("other", value=0.6)
    assert stale(parameters=["compare=[other]"]) == BOTH
    assert stale() == BOTH
    measured_run("other", value=0.7)
    assert stale() == []


def test_a_frozen_run_and_how_it_was_frozen_are_depended_on(project, stale, monkeypatch):
    monkeypatch.chdir(project)
    for name, steps in (("baby", 10), ("child", 20)):
        freeze_stub(measured_run(project / "results" / name, steps=steps))
    assert stale() == ["baby/tokens.ipynb", "child/tokens.ipynb", "index.ipynb", "reference_runs.ipynb", "tokens.ipynb"]
    for name in ("baby", "child"):
        replace(project / "results" / name / "frozen.yaml", b"freeze", b"Freeze")
        assert stale() == [f"{name}/tokens.ipynb", "index.ipynb", "reference_runs.ipynb"]
    shutil.rmtree(project / "results" / "child")
    assert stale() == ["index.ipynb", "reference_runs.ipynb"]


@pytest.fixture
def package(project, tmp_path, monkeypatch):
    """In place of this package a small one, of which the page of tokens imports some."""
    package = tmp_path / "embryology"
    for name, text in {
        "__init__.py": "A = 1",
        "aside.py": "A = 1",
        "figures/__init__.py": "A = 1",
        "figures/drawn.py": "from embryology import zebra\nA = 1",
        "zebra.py": "A = 1",
    }.items():
        (package / name).parent.mkdir(exist_ok=True)
        (package / name).write_text(text)
    write_notebook(project / "notebooks" / "tokens.ipynb", "from embryology.figures import drawn")
    monkeypatch.setattr(imports, "PACKAGE", package)
    imports._top_level.cache_clear()
    yield package
    imports._top_level.cache_clear()


def test_code_that_a_page_imports_makes_it_stale_and_other_code_does_not(package, stale):
    assert stale() == BOTH
    for file in ("__init__.py", "figures/__init__.py", "figures/drawn.py", "zebra.py"):
        replace(package / file, b"A = 1", b"A = 2")
        assert stale() == ["tokens.ipynb"]
    replace(package / "aside.py", b"A = 1", b"A = 2")
    assert stale() == []


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"metadata": {}}', '{"metadata": {"embryology": {"sha256": "0"}}}'])
def test_a_damaged_page_is_made_again(damage, project, stale):
    assert stale() == BOTH
    (project / "book" / "executed" / "tiny" / "index.ipynb").write_text(damage)
    assert stale() == ["index.ipynb"]


def test_a_page_that_was_executed_is_so_again_for_the_measurements_that_it_read_alone(project):
    """Kernels note them; a page whose cells import anything else may read files by itself."""
    begin = "from embryology.runs import measurements\nfrom embryology.runs.series import Series\n"
    begin += "series = Series.open(run)\n"
    notebooks = project / "notebooks"
    write_notebook(notebooks / "index.ipynb", f"{begin}measurements.lacking(series, 'edges')")
    write_notebook(notebooks / "tokens.ipynb", f"{begin}measurements.read(series, 'tokens')")
    write_notebook(notebooks / "mine.ipynb", "import pandas", kind="probe", part="Your run", order=11)
    write_notebook(
        notebooks / "all.ipynb", f"{begin}measurements.read(series)", kind="probe", part="Your run", order=12
    )
    folder = RunFolder.named("tiny")

    def edges(value):
        measure(folder, "edges", 0, [measurements.row("pos", "NN", "micro_f1", value, n=10)])

    def made():
        return {
            name
            for name, _, then in (line.partition(".ipynb: ") for line in said(project).splitlines())
            if "executed" in then
        }

    assert made() == {"index", "tokens", "mine", "all"}
    assert made() == set()
    measured(folder, 0, 0.6)
    assert made() == {"tokens", "mine", "all"}
    edges(0.5)
    assert made() == {"index", "mine", "all"}
    edges(0.6)
    assert made() == {"index", "mine", "all"}
    losses.write(folder, [{"step": 0, "tokens": 0, "loss": 2.0}])
    assert made() == {"index", "tokens", "mine", "all"}
    assert made() == set()
