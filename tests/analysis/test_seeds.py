"""Runs that differ by their seed alone: of hand-checked facts, and of models whose overlap is known."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import distance

from embryology.analysis import seeds, twins
from embryology.analysis.trajectories import Trajectories
from embryology.errors import EmbryologyError
from embryology.figures import seeds as drawn
from embryology.runs.paths import RunFolder
from embryology.storage.files import read_yaml, write_yaml
from tests.synthetic import make_run


def made(known, clusters, tags=None):
    facts = pd.DataFrame({"item_id": [f"f{i}" for i in range(len(known))], "tag": tags or "P1"})
    return Trajectories(facts, np.arange(known.shape[1]) * 10, known, np.asarray(clusters))


def column(*marks):
    return np.array([[mark == "1"] for mark in marks])


def seeded(root, seed, steps=40, **changes):
    """A synthetic run with a manifest that says its seed."""
    folder = make_run(root, sentences=20, **changes)
    manifest = read_yaml(folder.manifest)
    write_yaml(folder.manifest, manifest | {"outcome": {"seed": seed, "steps": steps}})
    return folder.root


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    home = tmp_path_factory.mktemp("runs")
    return [seeded(home / "one", 0), seeded(home / "longer", 0, steps=50), seeded(home / "other", 1, factor=4.0)]


def test_runs_of_one_recipe_are_paired_in_the_order_given(runs, tmp_path):
    one, longer, other = runs
    third, again = seeded(tmp_path / "third", 2), seeded(tmp_path / "again", 0)
    (tmp_path / "checkpoints-of-others").mkdir()
    assert twins.pairs(runs) == [(one, other)]
    assert twins.pairs([other, longer, third, one]) == [(other, third), (other, one), (third, one)]
    assert twins.pairs([one, again, tmp_path / "checkpoints-of-others"]) == []


def test_the_overlap_of_hand_checked_facts():
    # objects a: three facts, b: two
    one, other = column(*"11010"), column(*"10110")
    table = seeds.overlap(made(one, [0, 0, 0, 1, 1]), made(other, [0, 0, 0, 1, 1]))
    assert table[["one", "other", "both"]].iloc[0].tolist() == [3, 3, 2]
    assert table["value"][0] == pytest.approx(2 * 2 / 6)
    assert table["value"][0] == pytest.approx(1 - distance.dice(one[:, 0], other[:, 0]))
    assert table["chance"][0] == pytest.approx(2 * (2 * 2 / 3 + 1 * 1 / 2) / 6)
    assert np.isnan(table["before"][0])


def test_a_run_overlaps_with_itself_wholly_and_nothing_known_shares_nothing():
    known = np.pad(np.random.default_rng(0).random((60, 3)) < 0.4, ((0, 0), (1, 0)))
    run = made(known, np.arange(60) % 7)
    table = seeds.overlap(run, run)
    assert table["value"].tolist()[1:] == table["low"].tolist()[1:] == [1.0, 1.0, 1.0]
    assert table.loc[0, ["value", "low", "high", "chance"]].isna().all()
    half = known[:, 1:-1] & known[:, 2:]
    expected = 2 * half.sum(axis=0) / (known[:, 1:-1].sum(axis=0) + known[:, 2:].sum(axis=0))
    assert table["before"].tolist()[2:] == pytest.approx(expected.tolist())


def test_runs_that_share_objects_alone_overlap_by_chance():
    rng = np.random.default_rng(1)
    clusters = np.arange(4000) % 80
    easy = (rng.random(80) ** 2)[clusters]
    one, other = (made((rng.random(4000) < easy)[:, None], clusters) for _ in range(2))
    last = seeds.overlap(one, other).iloc[-1]
    assert last["value"] == pytest.approx(last["chance"], abs=0.02)
    assert last["low"] < last["chance"] < last["high"]
    assert last["chance"] > 0.4


def test_the_order_of_the_same_run_is_the_same_and_that_of_a_reversed_one_is_opposite():
    at = np.random.default_rng(2).integers(0, 9, 400)  # 8 is never
    known = np.arange(8) >= at[:, None]
    run, reverse = made(known, np.arange(400)), made(np.arange(8) >= (8 - at)[:, None], np.arange(400))
    assert seeds.same_order(run, run) == pytest.approx((1, 1, 1))
    assert seeds.same_order(run, reverse)[0] == pytest.approx(-1)
    shuffled = made(np.random.default_rng(3).permutation(known), np.arange(400))
    rho, low, high = seeds.same_order(run, shuffled)
    assert low < 0 < high
    assert low <= rho <= high


def test_two_runs_are_compared_at_the_last_checkpoint_of_both(runs):
    table = seeds.ends(runs)
    assert set(table["one"]) == {"one"}
    assert set(table["other"]) == {"other"}
    assert table["measure"].tolist() == [
        "words reconstructed", "facts right, LAMA T-REx", "facts right, ParaRel", "tasks, frozen", "tasks, fine-tuned"
    ]  # fmt: skip
    facts = table[table["measure"] == "facts right, LAMA T-REx"].iloc[0]
    assert facts["value"] == facts["value_other"]
    assert not facts["apart"]
    assert "no two" in drawn.said(seeds.ends(runs[:2])).lower()
    assert seeds.ends(runs[:2]).empty
    assert drawn.ends(seeds.ends(runs[:2])).data == drawn.facts(runs[:2]).data == ""


def test_intervals_that_do_not_meet_are_apart(tmp_path):
    pair = [seeded(tmp_path / "one", 0), seeded(tmp_path / "other", 1, factor=4.0)]
    table = seeds.ends(pair)
    words = table.iloc[0]
    assert words["low"] > words["high_other"]
    assert table["apart"].tolist() == [True, False, False, False, False]
    assert seeds.ends(pair[::-1])["apart"].tolist() == table["apart"].tolist()
    said = drawn.said(table)
    assert said.startswith("In 1 of 5 comparisons the intervals of two seeds lie apart: an interval over")


def test_facts_are_compared_where_both_were_asked(runs):
    one, other, criterion = seeds.same_facts(runs[0], runs[2])
    assert criterion == "correct"
    assert one.steps.tolist() == other.steps.tolist()
    page = drawn.facts(runs).data
    last = seeds.overlap(one, other).iloc[-1]
    assert f"share {100 * last['value']:.0f}% of them" in re.search("<strong>(.*?)</strong>", page)[1]
    assert page.count("<figure") == 1


def test_different_facts_are_not_compared(runs, monkeypatch):
    whole = seeds.knowledge.trajectories

    def fewer(run, name):
        told, criterion = whole(run, name)
        return (told.where(np.arange(len(told.known)) > 3), criterion) if run == runs[2] else (told, criterion)

    monkeypatch.setattr(seeds.knowledge, "trajectories", fewer)
    with pytest.raises(EmbryologyError, match="one and other were not asked the same facts"):
        seeds.same_facts(runs[0], runs[2])
    assert drawn.facts(runs).data == "<p>Facts: one and other were not asked the same facts; measure both alike.</p>"


def test_a_run_that_was_asked_for_no_facts_has_none_to_share(tmp_path):
    pair = [seeded(tmp_path / "one", 0), seeded(tmp_path / "other", 1)]
    for file in RunFolder(pair[1]).measurements.glob("knowledge/*"):
        file.unlink()
    assert drawn.facts(pair).data == ""
    assert not seeds.ends(pair)["measure"].str.contains("facts").any()
