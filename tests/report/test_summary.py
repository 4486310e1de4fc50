import shutil

import pytest

from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.series import Series
from tests.screen import shown
from tests.synthetic import make_run, measure


def test_a_run_is_told_with_its_losses_what_was_measured_and_its_order(tmp_path):
    text = shown(make_run(tmp_path / "run", sentences=40))
    assert "unigram cross-entropy 6.700 nats" in text
    assert text.index("measured by") < text.index("DT determiner") < text.index("JJ adjective")
    assert text.index("JJ adjective") < text.index("mask-prediction")
    assert "never beyond" in text
    assert "0 to 2,000" in text


def test_what_was_not_measured_or_does_not_apply_is_said_with_the_reason(tmp_path):
    series = make_run(tmp_path / "run", sentences=20)
    shutil.rmtree(series.folder.measurements)
    reason = measurements.row("", "", "not applicable", None, reason="its model has no head")
    measure(series.folder, "knowledge", 0, [reason])
    text = " ".join(shown(series).split())
    assert "held-out text" in text
    assert "probe tokens has not measured it (embryology probe RUN --probe tokens)" in text
    assert "probe knowledge does not apply: its model has no head" in text
    assert "DT determiner" not in text


def test_checkpoints_of_others_are_shown_without_losses(tmp_path):
    series = make_run(tmp_path / "run", sentences=20)
    series.folder.manifest.unlink()
    series.folder.losses.unlink()
    text = shown(Series.open(series.folder.root))
    assert "held-out text" not in text
    assert "DT determiner" in text


def test_no_run(tmp_path):
    with pytest.raises(EmbryologyError, match="there is no run at"):
        Series.open(tmp_path / "nothing")
