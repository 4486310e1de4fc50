"""The figures of words, of accuracies that are made by hand: what is drawn, and every number beside it."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis.learning_order import NEVER_BEYOND, REACHED, UNTOLD
from embryology.figures import tokens
from embryology.runs.paths import STUDIES
from embryology.specs import UNTRAINED
from embryology.specs.tokens import FREQUENT_IN_GROUP, FREQUENT_WORD, SPECIFICATION
from tests.figures.reading import bands, line, rows, seen, words_in

STEPS, LATE = [0, 100, 200, 300, 400], [0, 150]
VALUES = {
    "DT": [0, 0.2, 0.9, 0.8, 0.5],
    "IN": [0, 0.1, 0.2, 0.3, 0.4],
    "JJ": [0, 0, 0, 0.1, 0.8],
    "NN": [0, 0, 0, 0.1, 0],
}
BLIND = {"DT": 0.4, "IN": 0.6, "JJ": 0.08, "NN": 0.01}
UNTRAINED_LABEL = SPECIFICATION.baselines[UNTRAINED]


@pytest.fixture(scope="module")
def frame():
    def of(tag, n, task="reconstruction"):
        known = {"group": tag, "n": n}
        levels = {FREQUENT_WORD: 0.05, FREQUENT_IN_GROUP: BLIND[tag], UNTRAINED: 0.125}
        return [
            rows(task, "accuracy", VALUES[tag], STEPS, **known),
            *(rows(task, "accuracy", [level] * 5, STEPS, baseline=name, **known) for name, level in levels.items()),
            rows(task, "accuracy", [0.01, 0.3], LATE, series="late", tokens=8192, **known),
        ]

    parts = [part for number, tag in enumerate(VALUES) for part in of(tag, 1000 + number)]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def alone(frame):
    return frame[frame["series"] == "run"]


@pytest.fixture(scope="module")
def times():
    told = {"DT": (REACHED, True, True), "IN": (NEVER_BEYOND, True, False), "JJ": (REACHED, True, True)}
    told["NN"] = (UNTOLD, False, False)
    return pd.DataFrame.from_dict(told, orient="index", columns=["state", "beyond_everywhere", "learnt"])


@pytest.fixture(scope="module")
def drawn(frame, times):
    return seen(tokens.accuracy, frame, times, "reconstruction", "made-up tags")


def test_each_run_has_its_own_curve_and_whole_intervals_over_tokens(drawn):
    axis = drawn.panel("DT")
    steps, late = np.array(STEPS) * 2048, np.array(LATE) * 8192
    assert line(axis, "run") == pytest.approx(np.column_stack([steps, VALUES["DT"]]))
    assert line(axis, "late") == pytest.approx(np.column_stack([late, [0.01, 0.3]]))
    first, second = bands(axis)
    assert first == pytest.approx(np.column_stack([steps, np.array(VALUES["DT"]) - 0.1, np.array(VALUES["DT"]) + 0.02]))
    assert second == pytest.approx(np.column_stack([late, [-0.09, 0.2], [0.03, 0.32]]))


def test_every_panel_has_room_for_all_accuracies(drawn):
    assert {axis.get_ylim() for axis in drawn.figure.axes} == {(-0.03, 1.03)}


def test_blind_answers_are_levels_and_the_untrained_model_has_its_interval(drawn):
    axis = drawn.panel("JJ")
    heights = {name: line(axis, label)[0, 1] for name, label in SPECIFICATION.baselines.items()}
    assert heights == {FREQUENT_WORD: 0.05, FREQUENT_IN_GROUP: 0.08, UNTRAINED: 0.125}
    (span,) = [patch for patch in axis.patches if patch.get_height() < 1]
    assert (span.get_y(), span.get_y() + span.get_height()) == pytest.approx((0.025, 0.145))


def test_groups_without_words_and_groups_that_are_never_learnt_are_marked(drawn):
    texts = {axis.get_title(loc="left").split()[0]: words_in(axis) for axis in drawn.figure.axes[:9]}
    assert {tag for tag, words in texts.items() if words == ["no word of this tag"]} == {"CC", "PRP", "RB", "VB", "NNP"}
    assert {tag for tag, words in texts.items() if words == ["never beyond"]} == {"IN"}
    assert drawn.panel("JJ").get_title(loc="left") == "JJ adjective · n = 1,002"


def test_sentences_count_groups_of_which_something_can_be_told(drawn, alone, times):
    assert drawn.answer == (
        "Reconstruction by step 400: 2 of 3 groups end beyond every blind answer; 3 beyond one word everywhere and the "
        "untrained model"
    )
    for part in ("of run and late on made-up tags (1,000 to 1,003 words each)", "numbers of words are those of run."):
        assert part in drawn.caption
    assert drawn.caption.endswith("Cannot be told: NN in too few sentences.")
    assert drawn.alt.endswith("At the end: DT 0.50, IN 0.40, JJ 0.80, NN 0.00.")
    some = seen(
        tokens.accuracy, alone, times.assign(beyond_everywhere=[True, False, True, False]), "reconstruction", "x"
    )
    assert "; 2 beyond one word everywhere" in some.answer
    assert "those of run" not in some.caption
    assert line(some.panel("DT"), "run")[:, 0].tolist() == STEPS  # alone over steps


def test_the_last_step_is_the_runs_own_where_another_is_longer(frame, times):
    longer = frame.assign(step=frame["step"].mask((frame["series"] == "late") & (frame["step"] > 0), 900))
    drawn = seen(tokens.accuracy, longer, times, "reconstruction", "made-up tags")
    assert "by step 400: " in drawn.answer


def test_the_data_are_those_that_are_drawn(drawn, frame):
    assert len(drawn.data) == len(frame)
    group = drawn.data.query("group == 'JJ' and baseline.isna() and series == 'run'")
    assert group[["step", "tokens", "value", "n"]].to_numpy() == pytest.approx(
        np.column_stack([STEPS, np.array(STEPS) * 2048, VALUES["JJ"], [1002] * 5])
    )


@pytest.fixture(scope="module")
def rescaled(alone, times):
    return seen(tokens.rescaled, alone, times, "made-up tags")


@pytest.mark.parametrize(("model", "last"), [("ALBERT", 30_000), ("BERT", 60_000)])
def test_published_curves_end_at_one_and_are_those_of_the_released_figure(alone, times, model, last):
    """Divided by the last value, which is below the largest one for several tags."""
    data = seen(tokens.rescaled, alone, times, "made-up tags", model).data
    theirs = data[data["series"] == f"published {model}"]
    raw = pd.read_csv(STUDIES / "published" / f"{model.lower()}_reconstruction.csv")
    names = {"det.": "DT", "conj.": "CC", "prep.": "IN", "pron.": "PRP", "adv.": "RB", "verb": "VB", "adj.": "JJ"}
    names |= {"noun": "NN", "proper noun": "NNP"}
    for name, tag in names.items():
        of_tag = theirs[theirs["group"] == tag].set_index("step")
        released = raw[raw["series"] == name].set_index("step")["value"]
        assert of_tag["rescaled"].iloc[-1] == 1
        assert of_tag.index[-1] == last
        assert of_tag["rescaled"].to_dict() == pytest.approx((released / released[last]).to_dict())
        assert of_tag["share_of_steps"].tolist() == pytest.approx([step / last for step in released.index])
    assert theirs["rescaled"].max() > 1


def test_ours_are_divided_by_the_last_value_on_the_share_of_our_steps(rescaled):
    ours = rescaled.data.query("series == 'run' and group == 'DT'")
    assert ours["rescaled"].tolist() == pytest.approx([0, 0.4, 1.8, 1.6, 1])
    assert ours["share_of_steps"].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert line(rescaled.panel("DT"), "run") == pytest.approx(ours[["share_of_steps", "rescaled"]].to_numpy())
    theirs = rescaled.data.query("series == 'published ALBERT' and group == 'DT'")
    drawn = line(rescaled.panel("DT"), "published ALBERT")
    assert drawn == pytest.approx(theirs[["share_of_steps", "rescaled"]].to_numpy())
    assert words_in(rescaled.panel("NN ")) == ["ours ends at 0"]
    assert {axis.get_ylim() for axis in rescaled.figure.axes} == {(-0.05, 1.3)}
    assert words_in(rescaled.panel("VB")) == ["no word of this tag"]


def test_a_rescaled_baseline_is_divided_by_the_same_value(rescaled):
    label = SPECIFICATION.baselines[FREQUENT_IN_GROUP]
    assert line(rescaled.panel("DT"), label)[:, 1] == pytest.approx(0.8)
    assert line(rescaled.panel("JJ"), label)[:, 1] == pytest.approx(0.1)
    assert words_in(rescaled.panel("IN")) == ["baseline at 1.5 ↑"]


def test_the_order_is_of_groups_that_are_learnt_and_halves_are_shares_of_the_published_steps(rescaled):
    assert rescaled.answer == "Half of the final value is reached first by DT, last by JJ; in order: DT, then JJ"
    raw = pd.read_csv(STUDIES / "published" / "albert_reconstruction.csv")
    shares = []
    for _, curve in raw.groupby("series"):
        values, half = curve["value"].tolist(), curve["value"].iloc[-1] / 2
        at = next(place for place, value in enumerate(values) if value >= half)
        begin = curve["step"].iloc[at - 1]
        shares.append((begin + 1000 * (half - values[at - 1]) / (values[at] - values[at - 1])) / 30_000)
    assert rescaled.alt.endswith(f"reaches half between {min(shares):.0%} and {max(shares):.0%} of its steps.")
    assert "1 is step 400 for run and step 30,000 for ALBERT" in rescaled.caption
