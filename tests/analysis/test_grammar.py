"""Grammar over checkpoints: on pairs whose histories are planted, against what was planted and plain resampling."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import grammar, learning_order
from embryology.analysis.grammar import AGAINST, ALL, WITH
from embryology.figures import grammar as drawing
from embryology.specs import grammar as spec
from tests.figures.reading import csv_of

COVERS = ("embryology/analysis/grammar.py", "embryology/figures/grammar.py")
STEPS = np.array([0, 10, 20, 40, 80, 160, 320, 640, 800, 1000])
PAIRS = 120


def items_of(at=None, frequent=True, seed=0, unit=None, paradigms=("a1", "a2", "b1", "b2")):
    """Pairs that are right from a step on: those that frequency gets right early, the others late.

    ``at``: by group of pairs (paradigm, frequency right) the step from which nine in ten are right, before it half are
    of those that frequency does not decide rightly, and a tenth of those that it decides wrongly.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for paradigm in paradigms:
        for number in range(PAIRS // 4):
            by_frequency = float(number % 2)
            start = (at or {}).get((paradigm, by_frequency), 15 if by_frequency else 500)
            for step in STEPS:
                early = 0.5 if step == 0 else 0.1 + 0.4 * by_frequency
                right = rng.random() < (0.95 if step >= start else early)
                name = f"{paradigm}:{number}"
                rows.append((name, unit(name) if unit else name, paradigm[0], paradigm, step, right, by_frequency))
    columns = ["item_id", "sentence", "group", "paradigm", "step", "correct", spec.UNIGRAM]
    items = pd.DataFrame(rows, columns=columns).assign(task="silver", source="made up")
    items[spec.SHORTER] = 0.5
    return items if frequent else items.assign(**{spec.UNIGRAM: np.nan})


def frame_of(items, whole=None):
    """Rows as the probe writes them, by plain means."""
    rows = []
    for task, own in [("silver", items), *([("silver/whole", whole)] if whole is not None else [])]:
        for step, at in own.groupby("step"):
            groups = [("", at), *at.groupby("group"), *(at.groupby("paradigm") if "/" in task else [])]
            for group, part in groups:
                for baseline, column in ((None, "correct"), (spec.SHORTER, spec.SHORTER), (spec.UNIGRAM, spec.UNIGRAM)):
                    if part[column].notna().all():
                        value = part[column].mean()
                        rows.append(
                            (task, group, step, spec.ACCURACY, baseline, value, value - 0.03, value + 0.04, len(part))
                        )
                if not group:
                    rows.append((task, "", step, spec.TIES, None, 3, np.nan, np.nan, len(part)))
    columns = ["task", "group", "step", "metric", "baseline", "value", "low", "high", "n"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(series="made up", tokens=frame["step"] * 10.0, unit="pair", reason=None, layer=None)


@pytest.fixture(scope="module")
def items():
    return items_of()


@pytest.fixture(scope="module")
def told(items):
    return grammar.curves(frame_of(items), items)


def test_curves_are_plain_means(items, told):
    assert told.groups == [ALL, "a", "b", WITH, AGAINST]
    for number, rows in enumerate(
        (items, items[items["group"] == "a"], items[items["group"] == "b"], items[items[spec.UNIGRAM] == 1])
    ):
        np.testing.assert_allclose(told.values[0, number], rows.groupby("step")["correct"].mean())
        assert told.pairs[number] == rows["item_id"].nunique() == told.units[number]
    untrained = items[items["step"] == 0]["correct"].mean()
    assert told.blind[0, 0] == pytest.approx(max(0.5, untrained))
    assert told.blind[0, 3] == told.blind[0, 4] == 0.5


def test_blind_answers_are_the_best_of_those_that_were_measured(items):
    better = items.assign(**{spec.SHORTER: 0.7})
    assert grammar.curves(frame_of(better), better, draws=5).blind[0, :3] == pytest.approx([0.7] * 3)
    frequent = items.assign(**{spec.UNIGRAM: (np.arange(len(items)) // len(STEPS) % 5 > 0).astype(float)})
    assert grammar.curves(frame_of(frequent), frequent, draws=5).blind[0, 0] == pytest.approx(0.8)


def test_pairs_are_drawn_within_paradigms_unless_they_share_what_they_are_made_of(items):
    strata = np.array(list("aabbbbc"))
    weights = grammar._resamples(strata, 50, 0)
    for stratum in "abc":
        assert (weights[:, strata == stratum].sum(axis=1) == (strata == stratum).sum()).all()
    assert len(np.unique(weights, axis=0)) > 10
    shared = items_of(unit=lambda name: name.split(":")[1])
    told = grammar.curves(frame_of(shared), shared, draws=200)
    assert told.units.tolist() == [30, 30, 30, 15, 15]
    # As wide as the mean over thirty units of four pairs varies.
    last = shared[shared["step"] == 1000].groupby("sentence")["correct"].mean()
    assert told.values[1:, 0, -1].std() == pytest.approx(last.std(ddof=0) / np.sqrt(30), rel=0.2)


def test_learning_times_are_where_they_were_planted(told):
    times = grammar.learning_times(told)
    assert (times["state"] == learning_order.REACHED).all()
    assert 0 < times.loc[WITH, "step"] <= 20
    assert 320 < times.loc[AGAINST, "step"] < 640
    for group in (WITH, AGAINST):
        assert times.loc[group, "low"] <= times.loc[group, "step"] <= times.loc[group, "high"]
    half = (told.blind[0, 4] + told.values[0, 4, -3:].mean()) / 2
    before, after = told.values[0, 4, 6:8]
    assert times.loc[AGAINST, "step"] == pytest.approx(320 + 320 * (half - before) / (after - before), abs=15)
    assert times.loc[AGAINST, "final"] == pytest.approx(told.values[0, 4, -3:].mean())


def test_what_is_not_learnt_or_too_little_has_no_time(items):
    never = items_of({(paradigm, 0.0): 9999 for paradigm in ("a1", "a2", "b1", "b2")})
    told = grammar.curves(frame_of(never), never)
    times = grammar.learning_times(told)
    assert times.loc[AGAINST, "state"] == learning_order.NEVER_BEYOND
    assert np.isnan(times.loc[AGAINST, "step"])
    assert grammar.lag(told, times) is None
    assert "Nothing beyond frequency is shown" in drawing.frequency(told, times, None)
    few = items[items["sentence"].isin(items["sentence"].unique()[:29])]
    states = grammar.learning_times(grammar.curves(frame_of(few), few))["state"]
    assert (states == learning_order.UNTOLD).all()
    short = items[items["step"] <= 20]
    told = grammar.curves(frame_of(short), short)
    assert "learning times take 4 checkpoints" in drawing.suddenly(told, grammar.learning_times(told))


def test_a_lag_is_in_doublings_between_the_checkpoints_around(told):
    times = grammar.learning_times(told)
    gap = grammar.lag(told, times)
    assert gap["doublings"] == pytest.approx(np.log2(times.loc[AGAINST, "step"] / max(times.loc[WITH, "step"], 10)))
    assert 1 < gap["fewest"] <= gap["doublings"] <= gap["most"]


def test_sentences_say_what_was_planted(items, told):
    times = grammar.learning_times(told)
    lag = grammar.lag(told, times)
    assert drawing.frequency(told, times, lag).startswith("Grammar comes after what frequency alone gives: pairs that")
    before = pd.Series({"doublings": -2.0, "fewest": -3.0, "most": -1.0})
    assert drawing.frequency(told, times, before).startswith("Grammar comes before")
    unclear = pd.Series({"doublings": 0.6, "fewest": -1.0, "most": np.inf})
    assert "cannot be told: pairs" in drawing.frequency(told, times, unclear)
    for rise, words in (
        ((0.5, 0.2, 1.0), "Grammar comes suddenly: "),
        ((1.5, 1.1, 1.9), "Grammar does not come suddenly: "),
        ((0.9, 0.4, np.inf), "Whether grammar comes suddenly cannot be told: "),
    ):
        planted = times.copy()
        planted.loc[ALL, learning_order.RISE] = rise
        said = drawing.suddenly(told, planted)
        assert said.startswith(words)
        assert "By the same measure pairs that frequency gets right take " in said
        assert f"{rise[0]:.1f} doublings of the steps ({rise[1]:.1f} " in said
    without = items_of(frequent=False)
    told = grammar.curves(frame_of(without), without, draws=50)
    assert told.groups == [ALL, "a", "b"]
    assert "its training text is not at hand" in drawing.frequency(told, grammar.learning_times(told), None)
    said = drawing.numbers(frame_of(without), told, grammar.learning_times(told), "x", None)
    assert said["unigram"] == "not measured"
    assert "no baseline of frequency" in said["no_text"]


@pytest.mark.parametrize("start", [20, 160])
def test_a_rise_is_from_a_quarter_to_three_quarters(start):
    planted = {(paradigm, right): start for paradigm in ("a1", "a2", "b1", "b2") for right in (0.0, 1.0)}
    items = items_of(planted)
    rise = grammar.learning_times(grammar.curves(frame_of(items), items)).loc[ALL]
    # Between the checkpoint before, at a half or less, and the one at the start.
    assert 0 < rise["doublings"] <= 1
    assert rise["fewest"] <= rise["doublings"] <= rise["most"]
    # Without the checkpoint at 10, as a resample may be, it may have begun at any step.
    assert rise["most"] == np.inf if start == 20 else rise["most"] <= 3


def test_others_are_compared_paradigm_by_paradigm():
    whole = items_of(paradigms=("a1", "a2", "b1", "b2"), seed=4)
    whole = whole[whole["step"] == 1000].assign(task="silver/whole")
    frame = frame_of(items_of(), whole)
    theirs = {"a1": 0.9, "a2": 0.6, "b1": 0.7, "b2": 0.95, "c1": 0.1}
    rows = [
        {
            "task": "silver/whole",
            "group": name,
            "step": 1000,
            "metric": spec.ACCURACY,
            "baseline": "gpt2",
            "value": right,
        }
        for name, right in theirs.items()
    ]
    frame = pd.concat([frame, pd.DataFrame(rows).assign(series="made up", n=1000)], ignore_index=True)
    table = grammar.beside_others(frame)
    ours = whole.groupby("paradigm")["correct"].mean()
    expected = stats.spearmanr(ours, [theirs[name] for name in ours.index])
    assert table.index.tolist() == ["GPT-2"]
    row = table.loc["GPT-2"]
    assert (row["paradigms"], row["theirs"], row["ours"]) == pytest.approx((4, 0.7875, ours.mean()))
    assert (row["rho"], row["p"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert "GPT-2" in drawing.others(frame).data
    assert "Not compared" in drawing.others(frame_of(items_of())).data


def test_grammar_that_frequency_gives_is_preferred_in_part(items, told):
    run = SimpleNamespace(name="made-up", seed=0)

    def answer(items):
        told = grammar.curves(frame_of(items), items)
        return drawing.answer(run, frame_of(items), told, grammar.learning_times(told)).data

    both = answer(items)
    right = items[items["step"] == STEPS[-1]]["correct"].mean()
    assert both.startswith(
        f"**Does it prefer grammatical sentences?** Yes: at the end the grammatical one is the likelier in "
        f"{100 * right:.1f}% ({100 * right - 3:.1f} to {100 * right + 4:.1f}) of pairs, by the best blind answer "
    )
    assert "50.0% (47.0 to 54.0). Of 2 phenomena 2 end beyond every blind answer" in both
    assert "by the best blind answer (chance) in 50.0%. Of 2" in answer(
        items.assign(**{spec.UNIGRAM: np.nan, spec.SHORTER: 0.3})
    )
    guessed = np.random.default_rng(0).random(len(items)) < 0.4
    by_frequency = answer(items.assign(correct=np.where(items[spec.UNIGRAM] == 0, guessed, items["correct"])))
    assert "sentences?** In part: at the end" in by_frequency
    assert "; of pairs that frequency gets wrong no more than by chance. Of 2" in by_frequency


def test_figures_hold_what_was_measured(items, told):
    frame, times = frame_of(items), grammar.learning_times(told)
    drawn = csv_of(drawing.accuracy(frame, told, times, "made up").data)
    model = drawn[drawn["baseline"].isna() & (drawn["group"] == "a")]
    np.testing.assert_allclose(model["value"], items[items["group"] == "a"].groupby("step")["correct"].mean())
    np.testing.assert_allclose(model["low"], model["value"] - 0.03)
    assert (drawn.loc[drawn["baseline"] == spec.SHORTER, "value"] == 0.5).all()
    drawn = csv_of(drawing.against_frequency(frame, told, "an answer").data)
    for number, group in ((3, WITH), (4, AGAINST)):
        rows = drawn[drawn["curve"] == group]
        np.testing.assert_allclose(rows["value"], told.values[0, number])
        np.testing.assert_allclose(rows["high"], np.percentile(told.values[1:, number], 97.5, axis=0))
    drawn = csv_of(drawing.learning_times(frame, told, times).data).set_index("group")
    np.testing.assert_allclose(drawn.loc[AGAINST, "step"], times.loc[AGAINST, "step"])
    none = times.assign(state=learning_order.NEVER_BEYOND, learnt=False)
    assert "Of 2 phenomena 0 end beyond" in drawing.learning_times(frame, told, none).data
