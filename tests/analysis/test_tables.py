"""The measurements of several series as one table."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import curves, plateau, side_by_side, tables
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import NOT_APPLICABLE, UNTRAINED
from tests.synthetic import make_run, measure

COVERS = ("embryology/analysis/side_by_side.py",)


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic", sentences=20)


def test_steps_select_checkpoints_and_keep_the_untrained_baseline(series):
    assert tables.read([series], "tokens", "last")["step"].unique().tolist() == [2000]
    chosen = tables.read([series], "tokens", "20, 640")
    assert chosen["step"].unique().tolist() == [20, 640]
    assert UNTRAINED in curves.baselines(chosen, "reconstruction", "DT")
    assert tables.read([series], "tokens", 640)["step"].unique().tolist() == [640]
    with pytest.raises(EmbryologyError, match=r"synthetic has no checkpoint at step 7; it has 0, 20, "):
        tables.read([series], "tokens", "0,7")


def test_compared_series_come_after_the_reported_one_with_all_their_steps(series, tmp_path):
    other = make_run(tmp_path / "another", sentences=20, steps=(0, 50))
    frame = tables.read([series, other], "tokens", "last")
    assert frame["series"].unique().tolist() == ["synthetic", "another"]
    assert tables.main_series(frame) == "synthetic"
    assert curves.curve(frame, "reconstruction", "DT")["step"].tolist() == [2000]
    assert curves.curve(frame, "reconstruction", "DT", "another")["step"].tolist() == [0, 50]


def test_a_probe_that_does_not_apply_and_one_that_was_not_given_are_refused(tmp_path):
    series = make_run(tmp_path / "electra", sentences=2, steps=(0, 20))
    for step in (0, 20):
        row = measurements.row("", "", NOT_APPLICABLE, None, reason="it has no masked-word head")
        measure(series.folder, "tokens", step, [row])
    with pytest.raises(EmbryologyError, match="electra: probe tokens does not apply: it has no masked-word head"):
        tables.read([series], "tokens")
    with pytest.raises(EmbryologyError, match="electra has no measurements of probe other"):
        tables.read([series], "other")


def test_two_series_of_one_name_are_kept_apart(tmp_path):
    roots = [tmp_path / "a" / "tiny", tmp_path / "b" / "tiny"]
    for root, factor in zip(roots, (1.0, 4.0), strict=True):
        make_run(root, sentences=30, factor=factor)
    both, alone = Series.open_all(roots), [Series.open(root) for root in roots]
    names = ["a/tiny", "b/tiny"]
    frame, losses, learnt = tables.read(both, "tokens"), plateau.read(both), side_by_side.read(both)
    assert frame["series"].unique().tolist() == losses["series"].unique().tolist() == list(learnt) == names
    for name, series in zip(names, alone, strict=True):
        curve = curves.curve(frame, "reconstruction", "DT", name)
        assert curve.equals(curves.curve(tables.read([series], "tokens"), "reconstruction", "DT"))
        assert losses[losses["series"] == name]["step"].tolist() == series.losses["step"].tolist()
    first, second = (learnt[name].times["reconstruction"].loc["DT", "step"] for name in names)
    assert second > 2 * first


def test_units_are_named_in_prose():
    frame = pd.DataFrame({"low": [0.1, 0.2, np.nan, 0.3], "unit": ["document", "sentence", None, "document"]})
    assert tables.units(frame, "word") == "documents or sentences"
    assert tables.units(frame.assign(unit=None), "word") == "words"
