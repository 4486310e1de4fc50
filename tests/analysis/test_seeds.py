"""Runs that differ by their seed alone: of hand-checked facts, and of models whose overlap is known."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial import distance

from embryology.analysis import seeds
from embryology.analysis.trajectories import Trajectories
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.storage.files import read_json, write_json
from tests.synthetic import STEPS


def made(known, clusters):
    facts = pd.DataFrame({"item_id": [f"f{i}" for i in range(len(known))], "group": "P1"})
    return Trajectories(facts, np.arange(known.shape[1]) * 10, known, np.asarray(clusters))


def column(*marks):
    return np.array([[mark == "1"] for mark in marks])


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
    assert table["value"].tolist()[1:] == [1.0, 1.0, 1.0]
    assert table["low"].isna().all()  # of seven objects
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
    measures = ["words reconstructed", "facts right, LAMA T-REx", "facts right that are not named, LAMA T-REx"]
    measures.append("facts right, ParaRel")
    assert table["measure"].tolist() == [*measures, "tasks, frozen", "tasks, fine-tuned"]
    facts = table[table["measure"] == "facts right, LAMA T-REx"].iloc[0]
    assert facts["value"] == facts["value_other"]
    assert not facts["apart"]
    assert seeds.ends(runs[:2]).empty


def test_intervals_that_do_not_meet_are_apart(runs):
    one, _, other = runs
    table = seeds.ends([one, other])
    words = table.iloc[0]
    assert words["low"] > words["high_other"]
    paired = table[:3]
    assert paired["more"].tolist() == pytest.approx((paired["value_other"] - paired["value"]).tolist())
    assert words["apart"]
    back = seeds.ends([other, one])
    assert back["apart"].tolist() == table["apart"].tolist()
    assert back[["more", "more_low", "more_high"]].to_numpy()[:3] == pytest.approx(
        -table[["more", "more_high", "more_low"]].to_numpy()[:3], nan_ok=True
    )
    assert table["more"].isna().tolist() == [False] * 3 + [True] * 3  # without items of their own


def test_seeds_are_paired_item_by_item_over_the_probes_units(runs):
    """Against scipy's paired t test of sentences' sums, all sentences being as long."""
    one, _, other = runs
    words = seeds.ends([one, other]).iloc[0]
    items = [measurements.read_items(run, "tokens").query("task == 'reconstruction'") for run in (one, other)]
    last = [table[table["step"] == STEPS[-1]] for table in items]
    by_sentence = [table.groupby("sentence")["correct"].mean() for table in last]
    assert last[0].groupby("sentence").size().nunique() == 1
    test = stats.ttest_rel(by_sentence[1], by_sentence[0]).confidence_interval(0.95)
    assert (words["more_low"], words["more_high"]) == pytest.approx((test.low, test.high))


def test_facts_are_compared_where_both_were_asked(runs):
    followed, of_other = seeds.same_facts(runs[0], runs[1])
    one, other = followed.paths, of_other.paths
    assert not one.facts["named"].any()
    assert one.steps.tolist() == other.steps.tolist() == list(STEPS)
    assert one.facts["item_id"].tolist() == other.facts["item_id"].tolist()


def test_different_facts_are_not_compared(runs, monkeypatch):
    whole = seeds.knowledge.trajectories

    def fewer(series, name):
        followed = whole(series, name)
        fewer = followed.paths.where(np.arange(len(followed.paths.known)) > 3)
        return replace(followed, paths=fewer) if series == runs[2] else followed

    monkeypatch.setattr(seeds.knowledge, "trajectories", fewer)
    with pytest.raises(EmbryologyError, match="one and other were not asked the same facts"):
        seeds.same_facts(runs[0], runs[2])


def test_a_run_that_was_asked_for_no_facts_has_none_to_share(runs, tmp_path):
    other = Series.open(shutil.copytree(runs[2].folder.root, tmp_path / "other"))
    record = read_json(other.folder.standing)
    write_json(other.folder.standing, {name: record[name] for name in record if name != "knowledge"})
    assert not seeds.ends([runs[0], other])["measure"].str.contains("facts").any()
    with pytest.raises(EmbryologyError, match="other has no measurements of probe knowledge"):
        seeds.same_facts(runs[0], other)
