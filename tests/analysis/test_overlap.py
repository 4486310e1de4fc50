"""What overlaps, and scores without it, held against plain arithmetic and known truth."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import overlap
from embryology.runs import measurements
from tests.synthetic import configuration, make_run


@pytest.fixture(scope="module")
def table(runs):
    return overlap.table(runs[0]).set_index(["probe", "task"])


def test_shares_and_scores_are_those_of_the_items(runs, table):
    items = measurements.read_items(runs[0], "tokens")
    items = items[(items["step"] == 2000) & (items["task"] == "reconstruction")]
    fourth = items["sentence"].str[1:].astype(int) % 4 == 0
    row = table.loc[("tokens", "reconstruction")]
    assert (row["items"], row["overlapping"], row["units"]) == (len(items), fourth.sum(), 5)
    assert row["ngram"] == pytest.approx(fourth.mean())
    assert row["sentence"] == pytest.approx((items["sentence"].str[1:].astype(int) % 8 == 0).mean())
    assert row["score"] == pytest.approx(items["correct"].mean())
    assert row["without"] == pytest.approx(items.loc[~fourth, "correct"].mean())
    assert row["difference"] == pytest.approx(row["score"] - row["without"])
    assert np.isnan([row["low"], row["high"]]).all()  # of five documents


def test_sets_that_are_too_short_have_no_share(table):
    row = table.loc[("knowledge", "trex")]
    assert np.isnan([row["sentence"], row["ngram"]]).all()
    assert (row["overlapping"], row["difference"]) == (0, 0)


def test_only_what_was_counted_is_told(runs, tmp_path):
    assert set(overlap.shares(runs[:2])["series"]) == {"one", "longer"}
    assert set(overlap.shares(runs[:2])["probe"]) == {"tokens", "knowledge"}


def scored(rng, passages=300, overlapping=30, gain=0.1):
    """Ten items a passage, which are right together more often than chance; those that overlap by ``gain`` more."""
    chance = np.clip(rng.normal(0.5, 0.15, passages), 0.05, 0.85) + gain * (np.arange(passages) < overlapping)
    passage = np.repeat(np.arange(passages), 10)
    overlaps = passage < overlapping
    return pd.DataFrame(
        {
            "unit": passage, "overlaps": overlaps, "correct": (rng.random(len(passage)) < chance[passage]) * 1.0,
            "has_sentence": True, "has_ngram": True, "sentence": overlaps, "ngram": False,
        }
    )  # fmt: skip


def test_an_interval_is_paired_and_over_passages():
    """It is narrower than that of either score, and wider than if items were independent."""
    found = overlap._compared(scored(np.random.default_rng(0)))
    width = found["high"] - found["low"]
    single = scored(np.random.default_rng(0)).assign(unit=lambda frame: range(len(frame)))
    alone = overlap._compared(single)
    assert width > 1.2 * (alone["high"] - alone["low"])
    assert width < 0.5 * 2 * 1.96 * np.sqrt(0.25 / 3000)
    assert found["low"] < found["difference"] < found["high"]


def test_where_all_overlaps_there_is_no_score_without():
    every = scored(np.random.default_rng(0), passages=40, overlapping=40)
    assert np.isnan([overlap._compared(every)[name] for name in ("score", "without", "difference", "low")]).all()


@pytest.mark.long
def test_intervals_cover_the_truth_where_as_few_passages_overlap_as_are_allowed():
    truth, rng = 0.1 * 30 / 300, np.random.default_rng(0)
    found = [overlap._compared(scored(rng)) for _ in range(500)]
    assert np.mean([one["low"] <= truth <= one["high"] for one in found]) == pytest.approx(0.95, abs=0.03)


def test_facts_of_articles_kept_out_that_are_told_elsewhere(tmp_path):
    run = make_run(tmp_path / "run", sentences=20, steps=(0, 20))
    assert overlap.held_out_facts(run) == (0, 0)
    items = measurements.read_items(run, "knowledge")
    number = items["item_id"].str.split(":").str[1].astype(int)
    items = items.assign(held_out=number < 10, together=np.where(number == 3, np.nan, number % 2))
    for step in (0, 20):
        (file,) = configuration("knowledge").folder(run.folder).glob(f"items/{step:08d}-*")
        items[items["step"] == step].to_parquet(file)
    # Of each of three relations nine are known of, and of 1, 5, 7 and 9 both names stand together.
    assert overlap.held_out_facts(run) == (27, 12)
