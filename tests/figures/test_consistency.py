"""The figure of templates that say the same, of shares that are made by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.figures import consistency as drawn
from tests.figures.reading import bands, line, rows, seen

STEPS = [0, 10, 20, 30, 40]
SAME, SHUFFLED = [0.5, 0.6, 0.65, 0.5, 0.8], [0.4, 0.55, 0.45, 0.5, 0.6]
RIGHT = [0.1, 0.35, 0.45, 0.5, 0.4]
BY_RELATION = {"P19": (0.7, 0.4, 0.25), "P20": (0.9, 0.85, 0.5)}
"""At the end: the same answer, that to different subjects, and what is right."""


def of_set(name, right=RIGHT):
    tables = [
        rows(name, "consistency", SAME, STEPS),
        rows(name, "consistency", SHUFFLED, STEPS, baseline="shuffled-subjects"),
        rows(name, "accuracy_of_candidates", right, STEPS),
        rows(name, "accuracy", [0.28] * 5, STEPS, baseline="most-common-object"),
        rows(name, "accuracy", [0.3] * 5, STEPS),
    ]
    for relation, (same, shuffled, share) in BY_RELATION.items():
        rise = np.linspace(-0.2, 0, 5)
        tables += [
            rows(name, "accuracy", [0.3] * 5, STEPS, group=relation),
            rows(name, "consistency", same + rise, STEPS, group=relation),
            rows(name, "consistency", shuffled + rise / 2, STEPS, group=relation, baseline="shuffled-subjects"),
            rows(name, "accuracy_of_candidates", share - rise, STEPS, group=relation),
        ]
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def frame():
    """Of three sets two have several templates; the last one in the order of the specification is asked."""
    trex = rows("trex", "accuracy", [0.3] * 5, STEPS)
    return pd.concat([of_set("pararel"), trex, of_set("squad", [0.1] * 5)], ignore_index=True)


def test_the_last_set_with_several_templates_is_taken(frame):
    assert drawn.paraphrased(frame) == "pararel"
    assert drawn.paraphrased(frame[frame["task"] != "pararel"]) == "squad"
    assert drawn.paraphrased(frame[frame["task"] == "trex"]) is None


def test_agreement_is_told_beside_that_of_different_subjects(frame):
    values = drawn.numbers(frame)
    assert values["consistency_set"] == "ParaRel"
    assert values["consistency"] == "80.0% (70.0 to 82.0) of pairs, asked about different subjects in 60.0%"


def test_the_trend_is_of_the_excess_over_different_subjects(frame):
    """What is right lies above most common objects at four checkpoints, its interval, 0.1 lower, at three."""
    assert drawn.numbers(frame)["consistency_trend"].startswith("not to be told")
    values = drawn.numbers(frame.assign(value=frame["value"].replace(0.28, 0.2)))
    rho = stats.spearmanr(np.array(SAME) - SHUFFLED, RIGHT).statistic
    assert values["consistency_trend"].startswith(f"Spearman's correlation over 5 checkpoints is {rho:.2f}, which")
    assert f"{rho:.2f}" != f"{stats.spearmanr(SAME, RIGHT).statistic:.2f}"
    assert f"{rho:.2f}" != f"{stats.spearmanr(np.array(SAME) + SHUFFLED, RIGHT).statistic:.2f}"


def test_a_relation_is_a_point_of_the_last_checkpoint(frame):
    shown = seen(drawn.consistency, frame)
    over, against = shown.figure.axes
    points = next(each for each in against.get_lines() if each.get_marker() == "o").get_xydata()
    assert sorted(map(tuple, points.round(9))) == [(0.25, 0.3), (0.5, 0.05)]
    assert against.get_title(loc="left") == "relations at step 40"
    assert line(over, "same answer to two templates") == pytest.approx(np.column_stack([STEPS, SAME]))
    assert line(over, "templates asked about different subjects")[:, 1] == pytest.approx(SHUFFLED)
    assert over.get_ylim() == (0, 1)
    first, second = bands(over)
    assert first[:, 1:] == pytest.approx(np.column_stack([np.array(SAME) - 0.1, np.array(SAME) + 0.02]))
    assert second[:, 1] == pytest.approx(np.array(RIGHT) - 0.1)
    assert shown.answer.startswith("Two templates get the same answer in 80.0% (70.0 to 82.0) of pairs")
    assert shown.data.query("what == 'right answer'")["value"].tolist() == RIGHT


def test_a_run_without_paraphrases_says_so(frame):
    alone = frame[frame["task"] == "trex"]
    assert drawn.consistency(alone).data == "<p>No relation of this run has several templates.</p>"
    assert drawn.numbers(alone)["consistency"] == "not measured"
