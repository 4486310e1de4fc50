"""The figures about pretraining, of losses that are made by hand, and what the text says beside them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.figures import pretraining
from tests.figures.reading import bands, line, seen, words_in

COVERS = ("embryology/figures/phases_of_training.py",)
STEPS, LATE = [0, 100, 200, 300, 400, 500], [0, 250, 1000]


def run(name, steps, loss, unigram, tokens, version=3):
    """Losses whose intervals reach farther down than up; every second row is of training text alone."""
    held_out = pd.DataFrame(
        {
            "step": steps, "held_out_masked_loss": loss, "unigram_loss": unigram, "unigram_accuracy": 0.0625,
            "held_out_masked_accuracy": np.linspace(0.05, 0.3, len(steps)), "held_out_places": 4000,
            "held_out_pair_accuracy": np.linspace(0.5, 0.56, len(steps)), "held_out_pairs": 400,
            "held_out_surface_accuracy": 0.52,
        }
    )  # fmt: skip
    held_out["held_out_masked_loss_low"] = held_out["held_out_masked_loss"] - 0.25
    held_out["held_out_masked_loss_high"] = held_out["held_out_masked_loss"] + 0.125
    between = pd.DataFrame({"step": [step + 50 for step in steps[:-1]]})
    table = pd.concat([held_out, between]).sort_values("step", ignore_index=True)
    known = {"phase": 1.0, "series": name, "version": version, "tokens": table["step"] * tokens, "masked_loss": 6.0}
    known |= {"learning_rate": np.linspace(1, 0, len(table)) * 2e-3, "gradient_norm": np.linspace(1, 0.5, len(table))}
    known |= {"tokens_per_second": np.where(table["step"] < 100, 1000.0, 5000.0)}
    return table.assign(**known | {f"held_out_{name}": np.nan for name in REPLACED})


REPLACED = {"replaced_accuracy": 0.9, "original_share": 0.85, "pieces": 10_000, "replaced_auc": 0.61}
REPLACED |= {"frequency_auc": 0.58, "auc_gain_low": -0.01, "auc_gain_high": 0.04}
LOSS, LOSS_LATE = [9.0, 7.0, 6.75, 6.7, 6.5, 6.2], [9.0, 8.5, 7.5]


@pytest.fixture(scope="module")
def one():
    return run("one", STEPS, LOSS, 6.7, 1000)


@pytest.fixture(scope="module")
def both(one):
    """A longer run of more tokens a step, with another unigram line, which ends above it."""
    return pd.concat([one, run("late", LATE, LOSS_LATE, 7.0, 2000)], ignore_index=True)


def test_losses_are_drawn_with_their_intervals_and_the_line_and_plateau_of_the_first_run(both):
    shown = seen(pretraining.losses, both)
    (axis,) = shown.figure.axes
    tokens = np.array(STEPS) * 1000.0
    assert line(axis, "one: held-out text") == pytest.approx(np.column_stack([tokens, LOSS]))
    assert line(axis, "late: held-out text")[:, 0].tolist() == [0, 500_000, 2_000_000]
    first, second = bands(axis)
    assert first == pytest.approx(np.column_stack([tokens, np.array(LOSS) - 0.25, np.array(LOSS) + 0.125]))
    assert second[:, 1:] == pytest.approx(np.column_stack([np.array(LOSS_LATE) - 0.25, np.array(LOSS_LATE) + 0.125]))
    assert line(axis, "unigram frequencies (6.70)")[:, 1].tolist() == [6.7, 6.7]
    (span,) = [patch for patch in axis.patches if patch.get_label() == "within 0.1 nats of it"]
    # It comes within 0.1 at step 180 (7 to 6.75 over 100) and is as far below at step 350 (6.7 to 6.5).
    assert (span.get_x(), span.get_x() + span.get_width()) == pytest.approx((180_000, 350_000))
    assert shown.answer == ("The held-out loss is within 0.1 nats of the unigram line from step 180 to 350, then falls")
    assert "unigram distribution, 6.70 nats" in shown.caption
    assert shown.alt.endswith("Held-out loss ends at 6.20 nats, the unigram line is at 6.70.")
    assert "of one on training text" in shown.caption


def test_a_plateau_that_has_not_ended_is_shaded_to_the_last_step(one):
    shown = seen(pretraining.losses, one[one["step"] <= 300])
    (span,) = [patch for patch in shown.figure.axes[0].patches if patch.get_label() == "within 0.1 nats of it"]
    assert (span.get_x(), span.get_x() + span.get_width()) == pytest.approx((180, 300))  # alone over steps
    assert shown.answer == "From step 180 on the held-out loss is within 0.1 nats of the unigram line"


def test_a_loss_that_crosses_the_line_between_two_checkpoints_is_told_by_these():
    crossing = run("one", [0, 100, 200], [9.0, 8.0, 5.0], 6.7, 1000)
    assert pretraining.numbers(crossing)["plateau"] == (
        "the held-out loss crosses the unigram line between steps 100 and 200"
    )


@pytest.fixture(scope="module")
def below(both):
    return seen(pretraining.below_unigram, both)


def test_nats_below_the_line_have_the_ends_of_the_loss_the_other_way_round(below):
    first = below.data[below.data["series"] == "one"]
    assert first["below_unigram"].to_numpy() == pytest.approx(6.7 - np.array(LOSS))
    assert first["low"].to_numpy() == pytest.approx(6.7 - np.array(LOSS) - 0.125)
    assert first["high"].to_numpy() == pytest.approx(6.7 - np.array(LOSS) + 0.25)
    (axis,) = below.figure.axes
    for band, name in zip(bands(axis), ("one", "late"), strict=True):
        of_run = below.data[below.data["series"] == name]
        assert band == pytest.approx(of_run[["tokens", "low", "high"]].to_numpy(float))
        assert line(axis, name) == pytest.approx(of_run[["tokens", "below_unigram"]].to_numpy(float))


def test_runs_are_compared_at_their_ends_and_where_the_first_one_ends(below, both):
    assert below.answer == "Nats below the unigram line at the end: one 0.50 and late -0.50"
    assert "other unigram lines (one 6.70 and late 7.00)" in below.caption
    # At 500,000 tokens the late run is at step 250.
    assert pretraining.compared(both)["at_equal_tokens"] == (
        "At 500k tokens, where one ends, and linear between checkpoints, late is 1.50 nats above its own."
    )
    other_way = pd.concat([both[both["series"] == "late"], both[both["series"] == "one"]])
    assert pretraining.compared(other_way)["at_equal_tokens"] == ""


@pytest.mark.parametrize(("version", "said"), [(1, True), (2, True), (3, False)])
def test_held_out_places_that_were_not_all_masked_are_said(one, version, said):
    shown = seen(pretraining.losses, one.assign(version=version))
    assert ("A tenth of the held-out places were shown as they are" in shown.caption) == said


@pytest.fixture(scope="module")
def replaced(one):
    """Of a discriminator."""
    asked = one["held_out_masked_loss"].notna()
    values = {f"held_out_{name}": np.where(asked, value, np.nan) for name, value in REPLACED.items()}
    return one.assign(**values | {"held_out_pair_accuracy": np.nan})


def test_accuracies_have_wilson_intervals_of_as_many_as_were_scored(one):
    shown = seen(pretraining.held_out_accuracy, one)
    for title, column, n in (("masked", "held_out_masked_accuracy", 4000), ("pairs", "held_out_pair_accuracy", 400)):
        values = one[column].dropna().to_numpy()
        ends = [stats.binomtest(round(value * n), n).proportion_ci(method="wilson") for value in values]
        (band,) = bands(shown.panel(title))
        assert band == pytest.approx(np.array([(step, *end) for step, end in zip(STEPS, ends, strict=True)]))
    assert shown.answer == "Right at the end: masked words 30% and pairs of segments 56%, no better than its baseline"
    assert line(shown.panel("masked"), "masked words: the most frequent piece everywhere")[:, 1] == pytest.approx(
        0.0625
    )
    assert "masked words: the most frequent piece everywhere (0.062, of 4,000 scored); pairs of" in shown.caption
    assert "the best rule that reads no words (0.520, of 400 scored)." in shown.caption
    assert shown.data["held_out_pairs"].tolist() == [400] * 6
    limits = [axis.get_ylim() for axis in shown.figure.axes]
    assert (limits[0][0], limits[1]) == (0, (0.3, 1.02))


def test_pairs_of_the_first_version_are_held_against_chance(one):
    cut = one.assign(held_out_surface_accuracy=np.nan)
    shown = seen(pretraining.held_out_accuracy, cut)
    assert line(shown.panel("pairs"), "pairs of segments: chance")[:, 1].tolist() == [0.5] * 6
    assert f"pairs of segments: chance (0.500, of 400 scored); {pretraining.CUT}" in shown.caption
    assert pretraining.numbers(cut)["pairs"].endswith("tells most of their order")
    assert pretraining.numbers(one)["pairs"] == (
        "56.0% of the pairs of segments are told right, by the best rule that reads no words 52.0%"
    )


def test_a_discriminator_is_held_against_taking_every_piece_for_the_original_and_against_frequency(replaced):
    shown = seen(pretraining.held_out_accuracy, replaced)
    assert shown.answer == (
        "Right at the end: masked words 30%, replaced pieces 90% and replaced pieces, ranked 0.61, no better than its "
        "baseline"
    )
    assert "every piece taken for the original (0.850, of 10,000 scored)" in shown.caption
    assert "ranked by how frequent a piece is (0.580)" in shown.caption
    assert shown.alt.startswith("3 line charts")
    (band,) = bands(shown.panel("replaced pieces, ranked"))
    assert band[:, 1:] == pytest.approx(np.tile([0.57, 0.62], (6, 1)))  # the baseline and the gain over it
    beyond = replaced.assign(held_out_auc_gain_low=0.01)
    assert seen(pretraining.held_out_accuracy, beyond).answer.endswith("replaced pieces, ranked 0.61")


def test_a_task_that_the_first_run_was_not_asked_has_the_curve_of_the_other(one, replaced):
    other = one.assign(series="other", tokens=one["tokens"] * 2)
    shown = seen(pretraining.held_out_accuracy, pd.concat([one.assign(held_out_pair_accuracy=np.nan), other]))
    assert words_in(shown.panel("pairs")) == ["not asked in this run"]
    assert line(shown.panel("pairs"), "other")[:, 0] == pytest.approx(np.array(STEPS) * 2000)
    assert shown.answer == "Right at the end: masked words 30%"
    later = seen(pretraining.held_out_accuracy, pd.concat([replaced, other]))
    assert words_in(later.panel("pairs")) == ["not asked in this run"]
    assert "replaced pieces 90%" in later.answer
    assert "pairs of segments" not in pretraining.held_out_accuracy(one.assign(held_out_pair_accuracy=np.nan)).data


def test_the_last_gradient_and_the_largest_rate_are_told(both):
    shown = seen(pretraining.optimisation, both)
    assert shown.answer == "The gradient's norm ends at 0.50"
    assert shown.alt.endswith("the largest learning rate is 0.002.")
    norm, rate = shown.figure.axes
    first = both[both["series"] == "one"]
    assert line(norm, "one") == pytest.approx(first[["tokens", "gradient_norm"]].to_numpy(float))
    assert line(rate, "late")[:, 0].max() == 2_000_000
    assert line(rate, "one") == pytest.approx(first[["tokens", "learning_rate"]].to_numpy(float))
    assert rate.get_lines()[-1].get_ydata()[0] == 0
    assert line(norm, "sign of a stall (0.5)")[0, 1] == 0.5


def test_numbers_are_those_of_the_last_checkpoint_of_the_first_run(both):
    raised = both.assign(held_out_masked_accuracy=both["held_out_masked_accuracy"].replace(0.25, 0.9))
    values = pretraining.numbers(raised)
    assert values | {
        "steps": "500", "tokens": "500,000",
        "unigram_gap": "0.50 nats below", "masked_accuracy": "30.0%", "unigram_accuracy": "6.2%", "speed": "5,000",
    } == values  # fmt: skip
    assert raised["held_out_masked_accuracy"].max() == 0.9


def test_losses_without_pairs_and_before_the_unigram_line(one):
    assert pretraining.numbers(one.assign(held_out_pair_accuracy=np.nan))["pairs"] == (
        "how segments belong together was not asked"
    )
    late = pretraining.numbers(one[one["step"] >= 400])["plateau"]
    assert late == "the held-out loss is below the unigram line at the first checkpoint shown, step 400"
    young = pretraining.numbers(one[one["step"] <= 100])
    assert young["plateau"] == "the held-out loss has not come down to the unigram line"
    assert young["unigram_gap"] == "0.30 nats above"


@pytest.fixture(scope="module")
def phased():
    """A warm-up, a constant rate from step 100 to 900, and a decay."""
    loss = [9.0, 8.5, 8.0, 7.5, 7.0, 6.5, 6.2, 6.04, 6.03, 6.02, 5.5]
    table = run("phased", list(range(0, 1001, 100)), loss, 6.7, 1000)
    rate = {0: np.nan, 50: 1e-3, 950: 1e-3, 1000: 2e-4}
    rates = [rate.get(step, 2e-3) for step in table["step"]]
    return table.assign(phase=np.where(table["step"] > 900, 2.0, 1.0), learning_rate=rates)


def test_borders_of_phases_are_drawn_and_told(phased, one):
    for draw, panels in ((pretraining.losses, 1), (pretraining.optimisation, 2)):
        shown = seen(draw, phased)
        for axis in shown.figure.axes[:panels]:
            assert line(axis, "a phase ends")[:, 0].tolist() == [900, 900]
        assert "Vertical, dot-dashed: phases end at step 900." in shown.caption
        assert "Vertical" not in seen(draw, one).caption
    (axis,) = seen(pretraining.losses, pd.concat([phased, one])).figure.axes
    assert line(axis, "a phase ends")[:, 0].tolist() == [900_000, 900_000]


def test_whether_the_loss_had_stopped_is_told(phased, one):
    assert pretraining.numbers(phased)["stopped"] == (
        "Over the last quarter at a constant rate, steps 700 to 900, the held-out loss fell by 0.020 nats (95% "
        "interval 0.020 to 0.020, of a line through 3 evaluations): not less than 0.02 nats, so it was still falling."
    )
    flat = {700: 6.004, 800: 6.003, 900: 6.0}
    slower = phased.assign(held_out_masked_loss=phased["step"].map(flat).fillna(phased["held_out_masked_loss"]))
    assert "fell by 0.004 nats (95% interval -0.011 to 0.019, of" in pretraining.numbers(slower)["stopped"]
    assert pretraining.numbers(slower)["stopped"].endswith(": less than 0.02 nats, so it had stopped falling.")
    noisy = phased.assign(held_out_masked_loss=phased["held_out_masked_loss"].replace(6.03, 6.3))
    assert pretraining.numbers(noisy)["stopped"].endswith(
        "evaluations): whether that is less than 0.02 nats, the rule for having stopped, cannot be told."
    )
    few = phased.assign(held_out_masked_loss=phased["held_out_masked_loss"].replace(6.03, np.nan))
    assert pretraining.numbers(few)["stopped"] == (
        "Whether its loss has stopped falling cannot be told: the last quarter at a constant rate, steps 700 to 900, "
        "has 2 of the 3 evaluations that are needed."
    )
    assert pretraining.numbers(one)["stopped"].startswith("No phase of this run ends at a constant rate, so whether")
