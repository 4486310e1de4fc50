"""The plateau of a loss at what word frequencies alone give."""

import pandas as pd
import pytest

from embryology.analysis import plateau
from embryology.errors import EmbryologyError
from embryology.figures import pretraining, provenance
from embryology.runs.losses import COLUMNS
from embryology.runs.series import Series
from tests.synthetic import make_run, write_manifest


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic", sentences=2)


@pytest.mark.parametrize(
    ("loss", "entered", "left"),
    [
        ([9.0, 7.2, 7.0, 6.8], 10 + 10 * (0.1 / 0.2), 20 + 10 * (0.1 / 0.2)),
        ([9.0, 8.0, 7.5, 7.2], None, None),
        ([9.0, 7.0, 6.95, 6.95], 19 / 2, None),
        ([7.0, 7.0, 7.0, 6.9], 0, 30),
    ],
)
def test_the_plateau_by_hand(loss, entered, left):
    table = pd.DataFrame({"step": [0, 10, 20, 30], "held_out_masked_loss": loss, "unigram_loss": 7.0})
    reached = plateau.plateau(table)
    assert reached.entered == (None if entered is None else pytest.approx(entered))
    assert reached.left == (None if left is None else pytest.approx(left))
    assert (reached.unigram, reached.final) == (7.0, loss[-1])


def test_a_loss_that_crosses_the_line_stays_nowhere():
    table = pd.DataFrame(
        {"step": [0, 10, 20, 30, 40], "held_out_masked_loss": [9, 8, 7.05, 6.5, 6], "unigram_loss": 7.0}
    )
    crossed = plateau.plateau(table)
    assert (crossed.within, crossed.bracket) == (1, (10, 30))
    assert pretraining._plateau_words(table) == "the held-out loss crosses the unigram line between steps 10 and 30"
    stays = table.assign(held_out_masked_loss=[9, 7.08, 7.05, 6.95, 6])
    assert plateau.plateau(stays).within == 3
    assert pretraining._plateau_words(stays).startswith("the held-out loss is within 0.1 nats of the unigram line from")


def test_steps_select_evaluations_of_the_losses(series):
    before = series.losses.copy()
    table = plateau.read([series], "0,640")
    assert table.dropna(subset=["held_out_masked_loss"])["step"].tolist() == [0, 640]
    assert table["step"].max() == 640
    assert len(table) > 5
    assert set(table["series"]) == {"synthetic"}
    with pytest.raises(EmbryologyError, match="synthetic has no checkpoint at step 7"):
        plateau.read([series], "0,7")
    pd.testing.assert_frame_equal(series.losses, before)  # others read it too


def test_series_without_losses_are_left_out(series, tmp_path):
    others = make_run(tmp_path / "others", sentences=2)
    others.folder.losses.unlink()
    others = Series.open(others.folder.root)
    table = plateau.read([others, series], "0,640")
    assert set(table["series"]) == {"synthetic"}
    assert table["step"].max() == 2000  # the steps are those of the first series
    none = plateau.read([others])
    assert none.empty
    assert none.columns.tolist() == [*COLUMNS, "series", "version"]


def test_losses_of_another_version_of_training_are_not_joined(tmp_path):
    one, other, old = (make_run(tmp_path / name, sentences=5) for name in ("one", "other", "old"))
    write_manifest(old.folder, old.manifest.outcome, version=1)
    series = Series.open_all(*(each.folder.root for each in (one, other, old)))
    assert list(plateau.read(series)["series"].unique()) == ["one", "other"]
    assert list(plateau.read(series[::-1])["series"].unique()) == ["old"]
    assert series[0].recipe == series[1].recipe != series[2].recipe
    provenance.note(series)
    drawn = pretraining.below_unigram(plateau.read(series)).data
    assert "Note: held-out losses of old are not drawn beside those of one" in drawn
    assert "other are not drawn" not in drawn
    assert "copying" not in drawn
    assert "in part copying" in pretraining.losses(plateau.read(series[2:])).data
