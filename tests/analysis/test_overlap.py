"""What overlaps, and scores without it, held against plain arithmetic and known truth."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import overlap
from embryology.runs import measurements, properties
from tests.synthetic import configuration, make_run


def of_items(monkeypatch, probe, items, counted):
    monkeypatch.setattr(measurements, "read_items", lambda series, probe, columns: items[columns])
    monkeypatch.setattr(properties, "read", lambda *_: counted)
    return overlap.read(None, probe).set_index("item_id")


COUNTED = pd.DataFrame(
    {"item_id": list("abcd"), "task": "RTE", "passage": [1, 1, 2, 3], "has_sentence": True, "has_ngram": True,
     "sentence": [True, True, False, False], "ngram": [True, False, True, False]}
)  # fmt: skip


def test_items_are_those_of_the_last_checkpoint_and_their_scores_are_over_seeds(monkeypatch):
    rows = [
        ("RTE", item, seed, step, right if step == 20 else False)
        for item, answers in {"a": (1, 0, 0), "b": (1, 1, 0), "c": (0, 0, 0), "d": (1, 1, 1)}.items()
        for seed, right in enumerate(answers) for step in (20, 10)
    ]  # fmt: skip
    items = pd.DataFrame(rows, columns=["task", "item_id", "seed", "step", "correct"])
    table = of_items(monkeypatch, "finetune", items, COUNTED)
    assert table["correct"].to_dict() == pytest.approx({"a": 1 / 3, "b": 2 / 3, "c": 0, "d": 1})
    assert table["overlaps"].to_dict() == {"a": True, "b": True, "c": True, "d": False}  # a sentence or an n-gram
    assert table["unit"].tolist() == [1, 1, 2, 3]
    near = of_items(monkeypatch, "finetune", items.assign(task="STS-B"), COUNTED.assign(task="STS-B"))
    assert near["correct"].isna().all()  # near the truth or far from it
    assert len(near) == 4


def test_facts_of_several_pieces_are_not_answered_and_words_are_of_documents(monkeypatch):
    items = pd.DataFrame(
        {"task": "trex", "item_id": list("abcd"), "step": 10, "correct": False, "pieces": [1, 1, 2, 3]}
    )
    table = of_items(monkeypatch, "knowledge", items, COUNTED.assign(task="trex"))
    assert table["correct"].tolist() == pytest.approx([0, 0, np.nan, np.nan], nan_ok=True)
    names = ["weblog-a-1", "weblog-a-2", "weblog-b-1", "mail-b-1"]
    items = pd.DataFrame({"task": "t", "item_id": list("abcd"), "step": 10, "correct": True, "sentence": names})
    table = of_items(monkeypatch, "tokens", items, COUNTED.drop(columns="task"))
    assert table["unit"].tolist() == ["weblog-a", "weblog-a", "weblog-b", "mail-b"]


def test_shares_are_of_items_that_are_long_enough_and_scores_of_those_that_are_answered():
    items = pd.DataFrame(
        {"item_id": range(6), "unit": [1, 1, 1, 2, 3, 4], "overlaps": [True, True, False, False, False, False],
         "has_sentence": [True, False, True, True, True, False], "has_ngram": False, "ngram": False,
         "sentence": [True, False, False, False, False, False], "correct": [1.0, 0, 1, 1, 0, np.nan]}
    )  # fmt: skip
    found = overlap._compared(items)
    assert found["sentence"] == 1 / 4
    assert np.isnan(found["ngram"])
    assert (found["items"], found["overlapping"], found["units"]) == (6, 2, 1)
    assert (found["score"], found["without"]) == (3 / 5, 2 / 3)
    assert found["difference"] == pytest.approx(3 / 5 - 2 / 3)


def test_an_interval_is_that_of_plain_resamples_of_passages_where_enough_of_them_overlap():
    """Passages of different sizes; the score with and without are of the same draw."""
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(90), rng.integers(1, 6, 90))
    items = pd.DataFrame({"item_id": range(len(unit)), "unit": unit, "overlaps": unit < 40})
    items = items.assign(correct=(rng.random(len(unit)) < 0.3 + 0.5 * items["overlaps"]).astype(float))
    items[["has_sentence", "has_ngram", "sentence", "ngram"]] = True
    found = overlap._compared(items)
    by = {number: rows.to_numpy(float).T for number, rows in items.groupby("unit")[["correct", "overlaps"]]}
    drawn = []
    for _ in range(1000):
        right, overlaps = np.hstack([by[number] for number in rng.integers(90, size=90)])
        drawn.append(right.mean() - right[overlaps == 0].mean())
    assert (found["low"], found["high"]) == pytest.approx(
        np.percentile(drawn, [2.5, 97.5]), abs=0.12 * np.ptp(drawn) / 3
    )
    assert found["low"] < found["difference"] < found["high"]
    few = overlap._compared(items.assign(overlaps=items["unit"] < 29))
    assert np.isnan([few["low"], few["high"]]).all()  # whatever there are that do not


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
