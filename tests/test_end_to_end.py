"""`smoke` from text to HTML, by the commands that `make book` runs."""

import io
import re
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from embryology.presets import Preset, load
from embryology.probes import properties
from embryology.probes.runner import chosen_settings, run_probes
from embryology.report.build import report
from embryology.runs import measurements
from embryology.runs.freeze import freeze
from embryology.runs.paths import ROOT
from embryology.runs.series import Series
from tests.cells import without_kernels
from tests.foreign import save_bert
from tests.pages import FIGURES
from tests.screen import shown
from tests.training import small_preset, train
from tests.treebank_files import less_silver

STUDIES = ("recipes", "variants", "published_probing")
FROZEN_PAGES = ("pretraining", "tokens")
OF_SMOKE = {name: count for name, count in FIGURES.items() if name not in ("seeds", "study", "checkpoint")} | {
    "checkpoint-0": 2,
    "checkpoint-50": 2,
    "knowledge": 5,
    "frequency": 0,
    "grammar": 3,
}
"""It knows no more facts than permuted subjects would give, so that none is followed, and has too few pieces that are
words for any test of frequency. Of its recipe there is no other seed."""


def small_smoke(folder: Path) -> Preset:
    """``smoke`` on less text, with one thread: two of two cores that others use too wait for each other."""
    smoke = load("smoke")
    outcome = smoke.outcome.model_copy(update={"corpus": small_preset(folder, 600).outcome.corpus})
    return smoke.model_copy(update={"outcome": outcome, "speed": smoke.speed.model_copy(update={"threads": 1})})


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the pages, a measured run and a frozen one: everything that a report is made from."""
    root = tmp_path_factory.mktemp("project")
    for name in ("book", "notebooks", "results"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("executed", "*-seed*"))
    for name in ("_config.yml", "_toc.yml", "README.md", "CITATION.cff"):
        shutil.copy(ROOT / name, root / name)
    (root / "embryology").mkdir()
    shutil.copytree(ROOT / "embryology" / "presets", root / "embryology" / "presets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBRYOLOGY_RUNS", str(root / "runs"))
        patch.delenv("EMBRYOLOGY_DATA", raising=False)
        patch.delenv("EMBRYOLOGY_REPOSITORY", raising=False)
        less_silver(patch)
        train(small_smoke(root), root / "runs" / "smoke")
        series = Series.open("smoke")
        run_probes(series, chosen_settings(series))
        # With what a comparison needs; `test_notebooks` has all pages of a frozen run.
        freeze(series, root / "results" / "smoke-seed0", without=set(series.manifest.probes) - {"tokens"})
        assert properties.count(series, Console(file=io.StringIO()), prepare=False) > 0
        # Of another recipe, as the same run is not shown twice.
        manifest = root / "results" / "smoke-seed0" / "run.yaml"
        manifest.write_text(re.sub(r"weight_decay: \S+", "weight_decay: 0.02", manifest.read_text()))
        patch.chdir(root)
        yield root


def test_smoke_becomes_a_book_with_its_figures(project, monkeypatch):
    without_kernels(monkeypatch)
    shows_all(project, report(["smoke"], root=project, jobs=1))


@pytest.mark.long
def test_smoke_becomes_the_same_book_by_kernels(project):
    for made in (project / "book" / "executed", project / "_build"):
        shutil.rmtree(made, ignore_errors=True)
    shows_all(project, report(["smoke"], root=project))


def shows_all(project: Path, index: Path) -> None:
    assert index == project / "_build" / "html" / "index.html"
    pages = project / "_build" / "html" / "book" / "executed" / "smoke"
    drawn = {}
    for name in OF_SMOKE:
        page = ((pages.parent if name in STUDIES else pages) / f"{name}.html").read_text()
        found = re.findall(r'<figure class="embryology-figure".*?</figure>', page, flags=re.DOTALL)
        drawn[name] = len(found)
        for figure in found:
            assert re.search(r'<img[^>]* alt="[^"]{40,}"', figure)
            assert re.search(r"<figcaption>[^<]{80,}", figure)
            assert 'download="' in figure
        assert "Traceback" not in page
        assert not re.search(r"\{(doc|cite|glue)\b", page)  # those that cells display, too
    assert drawn == OF_SMOKE
    for name in FROZEN_PAGES:
        page = (pages.parent / "smoke-seed0" / f"{name}.html").read_text()
        assert page.count('<figure class="embryology-figure"') == OF_SMOKE[name]
        assert "It is frozen" in page
    tokens = (pages / "tokens.html").read_text()
    assert "It is frozen" not in tokens
    assert "silver tags (spaCy), held-out vital articles" in tokens
    for page in ("data", "model", "method", "references"):
        assert (project / "_build" / "html" / "book" / f"{page}.html").is_file()
    assert "Chiang" in (project / "_build" / "html" / "book" / "references.html").read_text()


def test_what_the_book_shows_was_measured_on_every_checkpoint(project):
    frame = measurements.read(Series.open("smoke"), probe="tokens")
    grid = load("smoke").outcome.checkpoints
    for task in ("reconstruction", "mask-prediction"):
        rows = frame[(frame["task"] == task) & (frame["group"] == "DT") & (frame["metric"] == "accuracy")]
        assert rows.loc[rows["baseline"].isna(), "step"].tolist() == grid
        assert set(rows["baseline"].dropna()) == {"most-frequent-word", "most-frequent-in-group"}
    the = frame[(frame["baseline"] == "most-frequent-word") & (frame["group"] == "DT")]
    # "the" is the most frequent word, and most of the determiners.
    assert the.loc[the["task"] == "reconstruction", "value"].between(0.4, 0.9).all()


def test_a_second_report_skips_everything_and_says_so(project):
    report(["smoke"], root=project)
    said = io.StringIO()
    report(["smoke"], root=project, console=Console(file=said))
    said = said.getvalue()
    assert said.count("unchanged, skipped (same template, parameters, measurements, code)") == len(OF_SMOKE) + len(
        FROZEN_PAGES
    )
    assert "book: unchanged, skipped" in said


def test_checkpoints_that_transformers_alone_made_become_a_book_of_what_was_measured(project):
    series = Series.open(save_bert(project / "bert"))
    assert run_probes(series, chosen_settings(series, ["tokens", "knowledge"], "smoke")) == 4
    assert "probe finetune has not measured it" in shown(series)
    assert "DT determiner" in shown(series)
    said = io.StringIO()
    index = report(["./bert"], root=project, console=Console(file=said, width=200))
    assert index.is_file()
    pages = project / "_build" / "html" / "book" / "executed" / "bert"
    of_all = {"index", "claims", "words", "language", "inside", "use", "world", "time", "trust"}
    assert {page.stem for page in pages.glob("*.html")} == of_all | {"run", "tokens", "knowledge", "tables", "build"}
    # Two checkpoints tell no learning times, and nothing was counted in a training text that is not known.
    untold = {"tokens": 2, "knowledge": 2}
    for name in ("tokens", "knowledge"):
        figures = (pages / f"{name}.html").read_text().count('<figure class="embryology-figure"')
        assert figures == FIGURES[name] - untold[name]
    assert "pretraining.ipynb: left out: it has no losses, as it was not trained here" in said.getvalue()
    assert "downstream.ipynb: left out: probe finetune has not measured it" in said.getvalue()
    front = (pages / "index.html").read_text()
    assert "Left out of this report" in front
    assert "Limits and trust" in front
    assert "Traceback" not in front
