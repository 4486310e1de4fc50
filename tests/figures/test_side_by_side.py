"""Orders of learning in several runs, of times that are made by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import curves, published
from embryology.analysis.learning_order import LEVELS, NEVER_BEYOND, NOT_REACHED, agreement
from embryology.analysis.side_by_side import Learnt
from embryology.figures import learning_order
from embryology.figures import side_by_side as drawn
from tests.figures.reading import bars, cells_of, line, seen
from tests.figures.test_learning_order import times

GROUPS = curves.GROUPS
ORDERS = {
    "one": [100, 200, 300, 400, 500, 600, 700, 800, 900],
    "other": [900, 800, 700, 600, 500, 400, 300, 200, 100],
    "third": [200, 100, 300, 400, 500, 600, 700, 900, 800],
}


def made(name, tokens, steps=(0, 250, 1000)):
    """Reconstruction as of :data:`ORDERS`; half of the last value in the order of the run before."""
    before = dict(zip(ORDERS, [*list(ORDERS)[1:], "one"], strict=True))[name]
    grid = pd.DataFrame({"step": steps, "tokens": np.array(steps) * tokens}).astype(float)
    of = {key: times(dict(zip(GROUPS, ORDERS[key], strict=True))) for key in (name, before)}
    levels = {level: times({"DT": 1000 * level, "CC": 900 * level}) for level in LEVELS}
    levels[0.75].loc["CC", ["state", "step", "low", "high"]] = NOT_REACHED, np.nan, np.nan, np.nan
    mask = of[name].assign(step=of[name]["step"].to_numpy()[::-1])
    by_task = {"reconstruction": of[name], "mask-prediction": mask}
    return Learnt(f"text of {name}", GROUPS, grid, by_task, of[before], levels, kept=True)


@pytest.fixture(scope="module")
def runs():
    return {name: made(name, tokens) for name, tokens in (("one", 10), ("other", 20), ("third", 40))}


@pytest.fixture(scope="module")
def figure(runs):
    return seen(drawn.side_by_side, runs)


def test_each_run_is_drawn_over_its_own_tokens(figure):
    axis = figure.figure.axes[0]
    for offset, tokens, (name, steps), ends in zip(
        (-0.2, 0, 0.2), (10, 20, 40), ORDERS.items(), bars(axis), strict=True
    ):
        steps, places = np.array(steps), np.arange(9) + offset
        assert line(axis, name) == pytest.approx(np.column_stack([tokens * steps, places]))
        assert ends == pytest.approx(np.column_stack([places, tokens * (steps - 10), tokens * (steps + 30)]))
        of_run = figure.data[figure.data["source"] == name]
        assert of_run["tokens"].tolist() == pytest.approx(tokens * steps)
    assert axis.get_xlabel() == "tokens read, halfway"
    assert "one on text of one; other on text of other; third on text of third." in figure.caption
    assert "one: DT step 100, CC step 200" in figure.alt  # in steps, as each run's own page has them
    assert learning_order.INDEPENDENT not in figure.caption


def test_runs_of_which_one_does_not_know_its_tokens_are_drawn_over_steps(runs):
    unknown = replace(runs["other"], grid=runs["other"].grid.assign(tokens=np.nan), kept=False)
    figure = seen(drawn.side_by_side, runs | {"other": unknown})
    axis = figure.figure.axes[0]
    assert axis.get_xlabel() == "training step, halfway"
    assert line(axis, "one")[:, 0] == pytest.approx(ORDERS["one"])
    assert figure.caption.startswith("Is the order of learning the same in a longer run? Training step when")
    assert figure.caption.endswith(learning_order.INDEPENDENT)


def test_agreements_are_those_of_their_pairs(runs):
    """Two orders that are reversed, and one that has two pairs of 36 the other way."""
    rows = cells_of(drawn.agreements(runs).data)
    assert [row[:4] for row in rows if row[2] != "published ALBERT"] == [
        ["reconstruction", "one", "other", "-1.00"],
        ["reconstruction", "one", "third", f"{32 / 36:.2f}"],
        ["reconstruction", "other", "third", f"{-32 / 36:.2f}"],
        ["mask prediction", "one", "other", "-1.00"],
        ["mask prediction", "one", "third", f"{32 / 36:.2f}"],
        ["mask prediction", "other", "third", f"{-32 / 36:.2f}"],
    ]
    assert [
        row[5:] for row in rows if row[:3] in (["reconstruction", "one", "other"], ["reconstruction", "one", "third"])
    ] == [["0", "36", "0"], ["34", "2", "0"]]
    reference = published.learning_times()
    for what, table in (
        ("reconstruction", lambda run: run.times["reconstruction"]),
        ("reconstruction, by half of the last value", lambda run: run.half),
    ):
        said = {row[1]: row[3:] for row in rows if row[0] == what and row[2] == "published ALBERT"}
        for name, run in runs.items():
            alike = agreement(table(run), reference)
            counts = [alike.same, alike.reversed, alike.tied]
            assert said[name] == [f"{alike.tau:.2f}", learning_order.exact(alike.p), *map(str, counts)]
            assert alike.tied  # of the published ones some are not told apart


def test_prose_has_the_range_between_runs_and_each_run_with_the_published_order(runs):
    reference = published.learning_times()
    taus = {name: agreement(run.times["reconstruction"], reference).tau for name, run in runs.items()}
    with_published = (
        ", ".join(f"{name} {taus[name]:.2f}" for name in ("one", "other")) + f" and third {taus['third']:.2f}"
    )
    assert drawn.compared(runs) == (
        f"Kendall's τ with the published order: {with_published}; of runs with each other -1.00 to 0.89"
    )
    alone = drawn.compared({"one": runs["one"]})
    assert alone == f"Kendall's τ with the published order: one {taus['one']:.2f}"


def test_levels_have_a_time_with_its_interval_over_tokens_or_why_there_is_none(runs):
    rows = {(row[0], row[1]): row[2:] for row in cells_of(drawn.levels(runs).data)}
    assert rows["DT determiner", "25%"] == ["2.5k (2.4k to 2.8k)", "5k (4.8k to 5.6k)", "10k (9.6k to 11.2k)"]
    assert rows["CC conjunction", "50%"][0] == "4.5k (4.4k to 4.8k)"
    assert rows["CC conjunction", "75%"] == [NOT_REACHED] * 3
    assert rows["NN noun", "25%"] == ["no word of this tag"] * 3


def never(run, *tasks):
    return replace(
        run, times=run.times | {task: run.times[task].assign(state=NEVER_BEYOND, step=np.nan) for task in tasks}
    )


def test_orders_that_are_all_ties_are_counted_by_task(runs):
    table = drawn.agreements({name: never(run, "mask-prediction") for name, run in runs.items()}).data
    assert "<p>Pairs of orders of mask prediction that have no τ, as one of them is all ties: 3.</p>" in table
    assert [row for row in cells_of(table) if row[0] == "mask prediction"] == []


def test_without_any_learning_time_nothing_is_drawn(runs):
    assert drawn.side_by_side({name: never(run, "reconstruction") for name, run in runs.items()}).data == (
        "<p>Not drawn: no group of words has a learning time in one, other and third.</p>"
    )
