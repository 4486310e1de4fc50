"""The plateau of a loss at what word frequencies alone give."""

import shutil

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.signal import lfilter

from embryology.analysis import plateau
from embryology.errors import EmbryologyError
from embryology.figures import phases_of_training, pretraining, provenance
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
    assert (
        phases_of_training.around_the_unigram_line(table)
        == "the held-out loss crosses the unigram line between steps 10 and 30"
    )
    stays = table.assign(held_out_masked_loss=[9, 7.08, 7.05, 6.95, 6])
    assert plateau.plateau(stays).within == 3
    assert phases_of_training.around_the_unigram_line(stays).startswith(
        "the held-out loss is within 0.1 nats of the unigram line from"
    )


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


def constant(loss, every=50, phase=1.0, begin=0, warm=100):
    """A row every ten steps, the last ``loss`` at evaluations; the rate rises for ``warm`` steps, then is constant."""
    steps = np.arange(begin, begin + every * (len(loss) - 1) + 1, 10)
    held_out = pd.Series(loss, begin + every * np.arange(len(loss)))
    rates = np.where(steps - begin < warm, (steps - begin) * 1e-5, 1e-3)
    values = {"step": steps, "phase": phase, "learning_rate": np.where(steps == 0, np.nan, rates)}
    return pd.DataFrame(values).assign(held_out_masked_loss=held_out.reindex(steps).to_numpy())


def test_the_fall_of_the_last_quarter_is_that_of_a_line_with_its_interval():
    """Constant from step 100 to 900, so the quarter is 700 to 900; against statsmodels' least squares."""
    rng = np.random.default_rng(0)
    loss = 9 - np.arange(19) * 0.1 + rng.normal(0, 0.02, 19)
    fell = plateau.fall(constant(loss))
    assert (fell.first, fell.last, fell.evaluations) == (700, 900, 5)
    fitted = sm.OLS(loss[14:], sm.add_constant(np.arange(700, 901, 50))).fit()
    assert fell.nats == pytest.approx(-200 * fitted.params[1])
    assert [fell.high, fell.low] == pytest.approx(-200 * fitted.conf_int()[1])


def test_evaluations_that_err_alike_count_for_fewer():
    """Those that follow each other closely; taken for independent, their interval would miss three times as often."""
    rng, held, naive = np.random.default_rng(0), [], []
    for _ in range(300):
        noise = lfilter([1], [1, -0.3, -0.2, -0.1], rng.normal(0, 0.01, 1000))
        table = constant(9 - np.arange(1000) * 0.0001 + noise, every=10, warm=0)
        fell, quarter = plateau.fall(table), table[table["step"] >= plateau.fall(table).first]
        true = 0.00001 * (fell.last - fell.first)
        held.append(fell.low < true < fell.high)
        plain = sm.OLS(quarter["held_out_masked_loss"], sm.add_constant(quarter["step"])).fit()
        low, high = -plain.conf_int().loc["step"][::-1] * (fell.last - fell.first)
        naive.append(low < true < high)
    assert np.mean(held) > 0.9
    assert np.mean(naive) < 0.8


@pytest.mark.parametrize(
    ("step", "scatter", "stopped"),
    [(0.001, 0, True), (0.0049, 0, True), (0.0051, 0, False), (0.1, 0, False), (0.001, 0.05, None)],
)
def test_less_than_two_hundredths_of_a_nat_is_no_fall_if_the_interval_says_so(step, scatter, stopped):
    noise = scatter * (-1.0) ** np.arange(19)
    assert plateau.fall(constant(9 - np.arange(19) * step + noise)).stopped is stopped


def test_it_is_of_the_last_phase_that_ends_at_a_constant_rate():
    first, second = constant([9.0] * 19), constant(8 - np.arange(19) * 0.1, begin=900, phase=2.0)
    decay = constant([1.0] * 19, begin=1800, phase=3.0).assign(
        learning_rate=lambda table: (2710 - table["step"]) * 1e-6
    )
    rows = pd.concat([first, second[1:], decay[1:]], ignore_index=True)
    fell = plateau.fall(rows)
    assert (fell.first, fell.last, fell.evaluations) == (1600, 1800, 5)
    assert fell.nats == pytest.approx(0.4)
    assert plateau.fall(first).nats == pytest.approx(0)
    assert plateau.fall(first.assign(phase=np.nan)) == plateau.fall(first)  # of before there were phases
    assert plateau.fall(decay) is None
    assert plateau.fall(first[first["step"] <= 90]) is None  # still in its warm-up
    few = plateau.fall(
        first.assign(held_out_masked_loss=first["held_out_masked_loss"].where(first["step"] % 100 == 50))
    )
    assert (few.evaluations, few.nats, few.stopped) == (2, None, None)
