"""Five runs or more: seeds as thin lines with their median, and orders as maps."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis.learning_order import REACHED
from embryology.analysis.side_by_side import Learnt
from embryology.figures import chart, looks, many_orders, many_runs, side_by_side, style
from tests.figures.reading import line, seen

COVERS = ("embryology/figures/looks.py", "embryology/figures/many_orders.py")

NAMES = ["a-seed0", "a-seed1", "a-seed2", "b", "c", "d", "e", "f"]
TAGS = {"DT": "determiner", "CC": "conjunction", "IN": "preposition", "VB": "verb"}


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(looks, "_recipes", {name: name[0] for name in NAMES})


def rows(names):
    factors = (1, 2, 6, 4, 5, 7, 8, 9)
    values = {name: factor * np.array([1.0, 2.0, 4.0]) for factor, name in zip(factors, names, strict=False)}
    frames = [
        pd.DataFrame({"series": name, "step": [0, 10, 20], "tokens": [0, 100 + number, 200], "value": of})
        for number, (name, of) in enumerate(values.items())
    ]
    return pd.concat(frames, ignore_index=True).assign(low=0.0, high=9.0, n=5)


def test_lines_of_any_number_of_runs_differ_and_seeds_share_a_colour(known):
    looks_of = looks.lines(NAMES)
    assert len({str(line) for line in looks_of.values()}) == len(NAMES)
    assert len({looks_of[f"a-seed{seed}"][0] for seed in range(3)}) == 1
    assert len({line[0] for line in looks_of.values()}) == 6
    assert looks.lines(NAMES[:3]) == dict(zip(NAMES, looks.LINES[:3], strict=False))
    assert looks.by_recipe(NAMES) == {"a": NAMES[:3]} | {name: [name] for name in NAMES[3:]}


def test_seeds_are_thin_and_their_median_is_of_the_steps_that_all_have(known):
    table = rows(NAMES)
    table = table[~((table["series"] == "a-seed1") & (table["step"] == 20))]
    _, (axis,) = style.panels(1, 1, 4, 4)
    many_runs.curves(axis, table, "tokens", scale=100)
    assert line(axis, "a, median of 3 seeds") == pytest.approx(np.array([[0, 200], [101, 400]]))
    assert line(axis, "_a-seed2") == pytest.approx(np.array([[0, 600], [102, 1200], [200, 2400]]))
    assert line(axis, "b")[:, 1] == pytest.approx([400, 800, 1600])
    thin, thick = (next(each for each in axis.lines if each.get_label() == label) for label in ("_a-seed2", "b"))
    assert thin.get_linewidth() < thick.get_linewidth()


def test_few_runs_have_their_bands():
    _, (axis,) = style.panels(1, 1, 4, 4)
    many_runs.curves(axis, rows(["a", "b"]), "step")
    assert len(axis.collections) == 2
    assert line(axis, "b")[:, 1].tolist() == [2, 4, 8]


def test_names_at_ends_keep_apart():
    _, (axis,) = style.panels(1, 1, 4, 4)
    for number, name in enumerate("abc"):
        style.curve(axis, rows([name]).assign(value=1 + number / 1000), looks.LINES[number], name)
    axis.set_ylim(0, 2)
    assert sorted(many_runs.name_ends(axis)) == ["a", "b", "c"]
    heights = sorted(text.get_position()[1] for text in axis.texts)
    assert np.diff(heights).min() >= 2 * many_runs.GAP * 0.999


def learnt(steps):
    times = pd.DataFrame(
        {"state": REACHED, "step": steps, "low": np.array(steps) - 1, "high": np.array(steps) + 1, "final": 0.9},
        index=pd.Index(TAGS, name="tag"),
    )
    times = times.assign(spacing=1e-9, learnt=True, beyond_everywhere=True, blind=0.0)
    times["resampled"] = [np.full(1000, float(step)) for step in steps]
    grid = pd.DataFrame({"step": [0.0, 100.0], "tokens": [0.0, 1000.0]})
    levels = dict.fromkeys(many_orders.LEVELS, times)
    return Learnt("made up", TAGS, grid, {"reconstruction": times, "mask-prediction": times}, times, levels, True)


ORDERS = [(10, 20, 30, 40), (10, 20, 30, 40), (20, 10, 30, 40), (40, 30, 20, 10), (10, 30, 20, 40)]


@pytest.fixture
def runs():
    return {name: learnt(list(order)) for name, order in zip(NAMES, ORDERS, strict=False)}


def test_taus_of_every_two_orders_are_one_map_in_their_places(known, runs):
    shown = seen(many_orders._agreements.__wrapped__, runs, "mask-prediction")
    (axis,) = (axis for axis in shown.figure.axes if axis in chart._cells)
    cells, _ = chart._cells[axis]
    of = dict(zip(NAMES, ORDERS, strict=False))
    for one, other in itertools.product(of, of):
        assert cells.loc[one, other] == pytest.approx(stats.kendalltau(of[one], of[other]).statistic), (one, other)
    assert np.asarray(axis.collections[0].get_array()).ravel() == pytest.approx(cells.to_numpy().ravel())
    taus = [stats.kendalltau(of[a], of[b]).statistic for a, b in itertools.combinations(NAMES[:3], 2)]
    assert f"seeds of one recipe {min(taus):.2f} to {max(taus):.2f}" in shown.answer
    assert len(shown.data) == 10


def test_learning_times_are_cells_in_tokens_and_come_instead_of_dots(known, runs):
    shown = seen(side_by_side.side_by_side.__wrapped__, runs)
    cells, said = chart._cells[shown.figure.axes[0]]
    assert cells["a-seed2"].tolist() == [200, 100, 300, 400]
    assert said.loc["DT determiner", "a-seed2"] == "200 (190 to 210)"
    assert [text.get_text() for text in shown.figure.axes[0].texts[:5]] == ["100", "100", "200", "400", "100"]
    reference = [1, 1, 1, 2]  # published times of the first three are closer than the steps between checkpoints
    taus = {name: stats.kendalltau(order, reference).statistic for name, order in zip(NAMES, ORDERS, strict=False)}
    assert f"{min(taus.values()):.2f} ({min(taus, key=taus.get)})" in shown.answer
    assert f"{max(taus.values()):.2f} ({max(taus, key=taus.get)})" in shown.answer
