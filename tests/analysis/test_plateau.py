"""The plateau of a loss at what word frequencies alone give."""

import shutil

import pandas as pd
import pytest

from embryology.analysis import plateau
from embryology.errors import EmbryologyError
from embryology.figures import pretraining, provenance
from embryology.runs.losses import COLUMNS
from embryology.runs.series import Series
from tests.synthetic import write_manifest


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


def test_evaluations_on_a_line_are_at_it_and_the_last_value_is_the_final_one():
    """Entered at 7.25 and left at 6.75 by numbers that a computer holds exactly; the last evaluation is worse."""
    losses = [9.0, 7.25, 7.0, 6.75, 6.0, 6.5]
    table = pd.DataFrame({"step": range(0, 60, 10), "held_out_masked_loss": losses, "unigram_loss": 7.0})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plateau, "MARGIN", 0.25)
        reached = plateau.plateau(table)
    assert (reached.entered, reached.left, reached.within, reached.bracket) == (10, 30, 2, (0, 30))
    assert reached.final == 6.5


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
    held_out = [name for name in COLUMNS if name.startswith("held_out_") and series.losses[name].notna().any()]
    assert len(held_out) > 3
    for name in held_out:
        assert table.loc[table[name].notna(), "step"].tolist() == [0, 640]
    assert table["step"].max() == 640
    assert len(table) > 5
    assert set(table["series"]) == {"synthetic"}
    with pytest.raises(EmbryologyError, match="synthetic has no checkpoint at step 7"):
        plateau.read([series], "0,7")
    pd.testing.assert_frame_equal(series.losses, before)  # others read it too


def test_series_without_losses_are_left_out(series, tmp_path):
    others = Series.open(shutil.copytree(series.folder.root, tmp_path / "others"))
    others.folder.losses.unlink()
    table = plateau.read([others, series], "0,640")
    assert set(table["series"]) == {"synthetic"}
    assert table["step"].max() == 2000  # the steps are those of the first series
    none = plateau.read([others])
    assert none.empty
    assert none.columns.tolist() == [*COLUMNS, "series", "version"]


def test_losses_of_another_version_of_training_are_not_joined(series, tmp_path):
    one, other, old = (
        Series.open(shutil.copytree(series.folder.root, tmp_path / name)) for name in ("one", "other", "old")
    )
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
