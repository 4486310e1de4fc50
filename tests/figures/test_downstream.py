"""Figures of downstream ability, of scores that are made by hand."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import downstream
from embryology.figures import downstream as drawn
from embryology.runs.paths import STUDIES
from tests.figures.reading import bands, cells_of, line, rows, seen

STEPS = [0, 10, 20, 30, 40]
COLA = [[0.2, 0.5, 0.95, 0.8, 0.8], [0.3, 0.5, 0.9, 0.8, 0.8], [0.2, 0.4, 0.9, 0.8, 0.82]]
RTE = [[0.45, 0.5, 0.5, 0.5, 0.56]] * 3
LEVELS = {"value": 0.5, "low": 0.4, "high": 0.6}
STEEP = {"CoLA": [0.4, 0.3, 0.2, 0.1, 0.05], "RTE": [0.2, 0.21, 0.21, 0.21, 0.22]}
"""Scores of the frozen model: they fall in one task."""


@pytest.fixture(scope="module")
def frame():
    parts = [
        rows(task, "score", values, STEPS, seed=seed, n=n)
        for task, seeds, n in (("CoLA", COLA, 1043), ("RTE", RTE, 277))
        for seed, values in enumerate(seeds)
    ]
    for task in ("CoLA", "RTE"):
        parts += [
            rows(task, "score", [level] * 5, STEPS, baseline=name)
            for name, level in (("majority", 0.3 if task == "CoLA" else 0.5), ("tf-idf", 0.75))
        ]
        parts += [
            rows(task, "collapsed", np.array(STEPS) == (20 if seed == 1 else -1), STEPS, seed=seed) for seed in range(3)
        ]
    return downstream.with_mean(pd.concat(parts, ignore_index=True))


@pytest.fixture(scope="module")
def frozen():
    parts = [rows(task, "score", values, STEPS) for task, values in STEEP.items()]
    return downstream.with_mean(pd.concat(parts, ignore_index=True))


@pytest.fixture(scope="module")
def values(frame, frozen):
    return drawn.numbers(frame, frozen)


def test_a_task_is_above_a_baseline_where_its_interval_is(values):
    """CoLA ends at 0.8, 0.7 to 0.84; RTE at 0.56, 0.46 to 0.58, and began at 0.45, up to 0.47."""
    assert values["above_majority"] == "acceptability (CoLA)"
    assert values["above_words"] == "none"
    assert values["above_scratch"] == "acceptability (CoLA)"


def test_without_step_0_nothing_is_above_a_model_from_scratch(frame):
    later = frame[frame["step"] > 0]
    assert drawn._above_scratch(frame, "CoLA")
    assert not drawn._above_scratch(later, "CoLA")


def test_the_prose_tells_what_known_scores_do(values):
    assert (
        values
        | {
            "tasks": "acceptability (CoLA) and inference (RTE)",
            "n_seeds": "3 seeds",
            "last": "40",
            "end": "68.0 (58.0 to 71.0)",  # means over tasks: of 0.8 and 0.56, 0.7 and 0.46, 0.84 and 0.58
            "collapsed": "2 of 30",
        }
        == values
    )
    assert values["best_checkpoint"] == (
        "The best checkpoint is not the last one for acceptability (CoLA) (step 20); the best of many noisy values is "
        "a little lucky."
    )


def test_the_trend_and_the_siblings_are_rank_correlations(values):
    """The means over tasks, 0.325, 0.5, 0.7, 0.65, 0.68, and those of frozen models, which fall."""
    assert values["trend"] == "0.40 over 4 checkpoints"
    assert values["sibling"] == "-0.70 over 5 checkpoints"


def test_where_all_best_checkpoints_are_last_that_is_said():
    assert drawn._best_checkpoint({}) == "The last checkpoint is the best one in every task."


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((1234.4, 1000, 2000), "1,234 (1,000 to 2,000)"),
        ((1234.4, -np.inf, np.inf), "1,234 (the first checkpoint to never)"),
        ((-np.inf, -np.inf, 10), "the first checkpoint (the first checkpoint to 10)"),
    ],
)
def test_a_step_that_is_no_number_is_told_in_words(ends, said):
    assert drawn._range(*ends) == said


def test_scores_are_drawn_seed_by_seed_with_their_median_and_the_ends_of_all_intervals(frame):
    shown = seen(drawn.scores, frame, "made-up tasks")
    axis = shown.panel("acceptability")
    assert line(axis, "median over seeds") == pytest.approx(np.column_stack([STEPS, [20, 50, 90, 80, 80]]))
    assert line(axis, "best checkpoint").tolist() == [[20, 90]]
    assert line(axis, "answers everything alike").tolist() == [[20, 90]]
    of_seeds = [each for each in axis.get_lines() if each.get_label() == "one seed"]
    assert np.array([each.get_ydata() for each in of_seeds]) == pytest.approx(100 * np.array(COLA))
    (band,) = bands(axis)
    assert band == pytest.approx(np.column_stack([STEPS, [10, 30, 80, 70, 70], [32, 52, 97, 82, 84]]))
    assert line(axis, "linear model on tf-idf")[0, 1] == 75
    assert line(axis, "most frequent class")[0, 1] == 30
    assert line(shown.panel("mean"), "median over seeds")[-1].tolist() == pytest.approx([40, 68])
    assert shown.answer == "At step 40 the mean score is 68.0 (58.0 to 71.0); 2 of 30 runs collapse to one answer"
    assert "Points: 3 seeds; line: their median" in shown.caption
    assert shown.alt.endswith("Above the linear model on words: none.")
    of_task = shown.data[shown.data["task"] == "CoLA"]
    assert of_task.loc[of_task["baseline"] == "tf-idf", "value"].tolist() == [0.75]
    at_end = of_task[of_task["step"] == 40]
    seeds = at_end.loc[at_end["seed"].isin([0, 1, 2]), "value"]
    assert sorted(seeds) == pytest.approx(sorted(seed[-1] for seed in COLA))
    last = at_end.loc[at_end["seed"] == "median", ["value", "low", "high", "n"]]
    assert last.to_numpy() == pytest.approx(np.array([[0.8, 0.7, 0.84, 1043]]))


def test_the_share_of_the_gain_is_of_what_came_since_the_first_checkpoint(frame):
    shown = seen(drawn.beside_published, frame)
    height, share, answers = shown.figure.axes
    means = np.array([32.5, 50, 70, 65, 68])
    first = np.median([[0.2, 0.3, 0.2], [0.45] * 3], axis=1).mean() * 100
    assert first == 32.5
    gain = means[2:].mean() - means[0]
    assert line(height, "this run") == pytest.approx(np.column_stack([np.linspace(0, 1, 5), means]))
    drawn_share = share.get_lines()[0].get_xydata()
    assert drawn_share == pytest.approx(np.column_stack([np.linspace(0, 1, 5), 100 * (means - means[0]) / gain]))
    released = pd.read_csv(STUDIES / "published" / "glue_all.csv").drop_duplicates(["model", "step"])
    quarters = {"this run": 100 * (50 - 32.5) / gain}
    for model, curve in zip(("ALBERT", "BERT", "ELECTRA"), share.get_lines()[1:4], strict=True):
        points = released[released["model"] == model].sort_values("step")
        at, score = points["step"].to_numpy() / points["step"].max(), points["value"].to_numpy()
        risen = 100 * (score - score[0]) / (score[-3:].mean() - score[0])
        assert line(height, f"published {model}") == pytest.approx(np.column_stack([at, score]))
        assert curve.get_xydata() == pytest.approx(np.column_stack([at, risen]))
        quarters[f"published {model}"] = float(np.interp(0.25, at, risen))
    own, *others, last = [f"{name} {value:.0f}%" for name, value in quarters.items()]
    listed = f"{own}; {', '.join(others)} and {last}"
    assert shown.answer == f"Of its whole gain there after a quarter of the steps: {listed}"
    assert [each.get_xdata()[-1] for each in answers.get_lines()] == [1, 1]
    assert "this run was not fine-tuned for it" in shown.caption
    assert shown.data.query("whose == 'this run'")["value"].tolist() == pytest.approx(means.tolist())


def test_no_share_is_drawn_of_a_gain_that_is_not_shown(frame):
    score = frame["baseline"].isna() & (frame["metric"] == "score")
    flat = frame.assign(**{each: frame[each].where(~score, level) for each, level in LEVELS.items()})
    shown = seen(drawn.beside_published, flat)
    height, share, _ = shown.figure.axes
    assert len(line(height, "this run")) == len(STEPS)
    assert len([each for each in share.get_lines() if len(each.get_xdata()) > 2]) == 3
    assert "after a quarter of the steps: no gain is shown of this run; published ALBERT" in shown.answer


def test_a_run_that_answers_questions_on_texts_is_drawn_beside_the_released_models(frame):
    asked = rows("SQuAD", "score", [0.25, 0.5], [0, 40])
    shown = seen(drawn.beside_published, pd.concat([frame, asked], ignore_index=True))
    answers = shown.figure.axes[2]
    assert [len(answers.get_lines()), answers.get_lines()[0].get_xydata().tolist()] == [3, [[0, 25], [1, 50]]]
    released = pd.read_csv(STUDIES / "published" / "bert_finetune.csv").query("series == 'SQuAD2.0'")
    assert answers.get_lines()[1].get_ydata() == pytest.approx(released.sort_values("step")["value"].to_numpy())
    assert shown.caption.endswith("which the averages leave out, and this run's.")
    assert shown.data.query("of == 'SQuAD' and whose == 'this run'")["value"].tolist() == [25, 50]


def test_each_task_has_its_own_correlation_with_the_frozen_model(frame, frozen):
    shown = seen(drawn.siblings, frame, frozen)
    # CoLA's medians, 0.2, 0.5, 0.9, 0.8, 0.8, as the frozen scores fall; RTE's rise with them, ties and all.
    assert (
        shown.answer == "Rank correlation of both over checkpoints: acceptability (CoLA) -0.67 and inference (RTE) 1.00"
    )
    axis = shown.panel("acceptability")
    assert line(axis, "frozen") == pytest.approx(np.column_stack([STEPS, 100 * np.array(STEEP["CoLA"])]))
    assert line(axis, "fine-tuned")[:, 1] == pytest.approx([20, 50, 90, 80, 80])
    assert line(axis, "most frequent class")[0, 1] == 30
    assert bands(axis)[1][:, 1:] == pytest.approx(100 * np.array(STEEP["CoLA"])[:, None] + [-10, 2])


def test_the_table_has_the_last_and_the_first_checkpoint_and_every_baseline(frame):
    task, n, end, majority, words, first, _ = cells_of(drawn.table(frame).data)[0]
    assert (task, n, end) == ("acceptability (CoLA)", "1,043", "80.0 (70.0 to 84.0)")
    assert (majority, words, first) == ("30.0", "75.0", "20.0")
    assert [row[0] for row in cells_of(drawn.table(frame).data)][2] == "mean over tasks"


def test_frozen_models_that_were_not_measured_are_said(frame):
    assert "were not measured" in drawn.siblings(frame, None).data
    assert drawn.numbers(frame, None)["sibling"] == "not measured"
