"""Figures of series that differ by their seed alone."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import knowledge, seeds
from embryology.analysis.knowledge import Followed
from embryology.analysis.permuted import Chance
from embryology.analysis.trajectories import Trajectories
from embryology.errors import EmbryologyError
from embryology.figures import seeds as drawn
from embryology.storage.files import read_json, write_json
from tests.figures.reading import bands, cells_of, line, seen
from tests.synthetic import make_run


def end(measure, value, other, more, apart):
    """Of two runs, whose intervals reach farther down than up."""
    row = {"one": "a", "other": "b", "measure": measure, "step": 2000, "apart": apart}
    row |= {"value": value, "low": value - 0.1, "high": value + 0.02}
    row |= {"value_other": other, "low_other": other - 0.05, "high_other": other + 0.03}
    return row | dict(zip(seeds.DIFFERENCE, more, strict=True))


NONE = np.nan
ENDS = pd.DataFrame(
    [
        end("words", 0.5, 0.55, (0.05, 0.01, 0.08), True),
        end("facts", 0.25, 0.2, (-0.05, -0.12, 0.01), False),
        end("tasks", 0.5, 0.6, (NONE, NONE, NONE), False),
        end("others", 0.5, 0.8, (NONE, NONE, NONE), True),
        end("the same", 0.5, 0.5, (0.0, NONE, NONE), False),
    ]
)


def test_ends_have_both_runs_and_the_paired_difference_or_whether_intervals_meet():
    rows = cells_of(drawn.ends(ENDS).data)
    assert [row[3:] for row in rows] == [
        ["50.0% (40.0 to 52.0)", "55.0% (50.0 to 58.0)", "+5.0 (+1.0 to +8.0)"],
        ["25.0% (15.0 to 27.0)", "20.0% (15.0 to 23.0)", "-5.0 (-12.0 to +1.0)"],
        ["50.0% (40.0 to 52.0)", "60.0% (55.0 to 63.0)", "not paired; the intervals meet"],
        ["50.0% (40.0 to 52.0)", "80.0% (75.0 to 83.0)", "not paired; the intervals do not meet"],
        ["50.0% (40.0 to 52.0)", "50.0% (45.0 to 53.0)", "no item differs"],
    ]
    assert rows[0][:3] == ["a and b", "words", "2,000"]
    assert drawn.sentence(ENDS) == (
        "In 2 of 5 comparisons two seeds differ by more than the intervals over items allow: an interval over facts or "
        "sentences is not one over runs."
    )
    assert drawn.sentence(ENDS[4:]).startswith("In 0 of 1 comparisons")
    assert drawn.sentence(ENDS[4:]).endswith("none is beyond them.")


LAST = {"one": 120, "other": 80, "value": 0.4, "low": 0.3, "chance": 0.25}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, " and share 40% of them, more than the 25% that objects alone would give"),
        ({"chance": 0.35}, " and share 40% of them, not more than the 35% that objects alone would give"),
        ({"low": NONE}, ", of too few objects to tell whether these are the same"),
        ({"value": NONE}, ": there is nothing to share"),
    ],
)
def test_sharing_is_more_than_chance_where_its_interval_lies_above(change, said):
    table = pd.DataFrame([LAST | {"one": 0, "low": 0.0}, LAST | change])
    assert drawn._answer(table, ["a", "b"]) == f"a and b know 120 and 80 facts at the end{said}"


@pytest.fixture(scope="module")
def followed():
    """120 objects of two facts each, of which one run comes to know more than the other."""
    rng, facts = np.random.default_rng(0), 240
    table = pd.DataFrame({"item_id": range(facts), "group": "P1", "task": "trex"})
    ease = rng.random(facts)

    def run(ease):
        known = ease[:, None] < np.array([0, 0.3, 0.5, 0.6])
        paths = Trajectories(table, np.array([0, 10, 20, 40]), known, np.arange(facts) // 2)
        return Followed(paths, "correct", Chance(1.0, 0.0, 0.01), facts)

    return run(ease), run(ease + 0.2 * rng.random(facts))


@pytest.fixture(scope="module")
def shared(followed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knowledge, "source", lambda *_: "Made-up facts")
        return seen(drawn.shared_facts, SimpleNamespace(name="a"), SimpleNamespace(name="b"), *followed)


def test_the_shares_that_are_known_are_of_all_facts_with_intervals_over_objects(shared, followed):
    known, _ = shared.figure.axes
    one, other = (each.paths.known for each in followed)
    shares = {"a": one.mean(axis=0), "b": other.mean(axis=0), "both": (one & other).mean(axis=0)}
    for (name, share), band in zip(shares.items(), bands(known), strict=True):
        assert line(known, name) == pytest.approx(np.column_stack([[0, 10, 20, 40], 100 * share]))
        assert (band[1:, 1] < 100 * share[1:]).all()
        assert (band[1:, 2] > 100 * share[1:]).all()
    # Facts of one object come together here: an interval over facts would be too narrow.
    paths = followed[0].paths
    together = replace(paths, known=np.repeat(paths.known[::2], 2, axis=0))
    alike = replace(followed[0], paths=together)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knowledge, "source", lambda *_: "Made-up facts")
        wide = seen(drawn.shared_facts, SimpleNamespace(name="a"), SimpleNamespace(name="b"), alike, alike)
    band, value = bands(wide.figure.axes[0])[0][-1], together.known[:, -1].mean()
    assert (band[2] - band[1]) / 2 > 100 * 1.96 * np.sqrt(value * (1 - value) / 120) * 0.9  # of 120, not of 240


def test_sharing_is_drawn_with_its_interval_chance_and_the_checkpoint_before(shared, followed):
    one, other = (each.paths.known for each in followed)
    _, axis = shared.figure.axes
    dice = 2 * (one & other).sum(axis=0)[1:] / (one.sum(axis=0) + other.sum(axis=0))[1:]
    assert line(axis, "two seeds") == pytest.approx(np.column_stack([[10, 20, 40], 100 * dice]))
    shares = [2 * (run[:, 1] & run[:, 2]).sum() / (run[:, 1].sum() + run[:, 2].sum()) for run in (one, other)]
    assert line(axis, "a run and its checkpoint before")[2].tolist() == pytest.approx([20, 100 * np.mean(shares)])
    assert line(axis, "chance, objects alone")[1:, 1] == pytest.approx(100 * shared.data["chance"][1:].to_numpy())
    assert axis.get_ylim() == (0, 102)
    (band,) = bands(axis)
    assert band[:, 1:] == pytest.approx(100 * shared.data.loc[1:, ["low", "high"]].to_numpy())
    counts = [each[:, -1].sum() for each in (one, other, one & other)]
    assert shared.data[["one", "other", "both"]].iloc[-1].tolist() == counts
    assert shared.answer.startswith(f"a and b know {one[:, -1].sum()} and {other[:, -1].sum()} facts at the end")
    rho, low, high = seeds.same_order(*(each.paths for each in followed))
    assert shared.caption.endswith(f"within relations, by {rho:.2f} ({low:.2f} to {high:.2f}, Spearman).")


def test_where_no_two_runs_are_of_one_recipe_that_is_said(runs):
    assert drawn.sentence(seeds.ends(runs[:2])) == "No two of these runs differ by their seed alone."
    assert drawn.ends(seeds.ends(runs[:2])).data == drawn.facts(runs[:2]).data == ""


def test_facts_are_drawn_where_both_were_asked(runs):
    one, other = (followed.paths for followed in seeds.same_facts(runs[0], runs[2]))
    page = drawn.facts(runs).data
    last = seeds.overlap(one, other).iloc[-1]
    assert f"share {100 * last['value']:.0f}% of them" in re.search("<strong>(.*?)</strong>", page)[1]
    assert page.count("<figure") == 1


def test_facts_that_are_no_more_than_chance_are_not_compared(runs, monkeypatch, followed):
    of_both = [replace(each, chance=Chance(100.0, 99.0, 0.03)) for each in followed]
    monkeypatch.setattr(seeds, "same_facts", lambda *_: tuple(of_both))
    page = drawn.facts(runs).data
    assert page.count("Facts that one shares with other seeds are not told. Facts are known at 3 checkpoints") == 1
    assert page.count("<p>") == 2
    assert "<figure" not in page


def test_facts_that_are_not_compared_are_a_sentence(runs, monkeypatch):
    def refuse(one, other):
        raise EmbryologyError(f"{one.name} and {other.name} were not asked the same facts; measure both alike")

    monkeypatch.setattr(seeds, "same_facts", refuse)
    assert drawn.facts(runs).data == "<p>Facts: one and other were not asked the same facts; measure both alike.</p>"


def test_a_run_that_was_asked_for_no_facts_has_none_to_share(runs, tmp_path):
    other = make_run(tmp_path / "other", sentences=20, outcome={"seed": 1})
    record = read_json(other.folder.standing)
    write_json(other.folder.standing, {name: record[name] for name in record if name != "knowledge"})
    assert drawn.facts([runs[0], other]).data == ""
