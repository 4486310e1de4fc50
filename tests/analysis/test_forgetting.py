"""What fine-tuning forgets, on a table with known truth."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import forgetting

COVERS = ("embryology/specs/forgetting.py",)
LOST = {"plain": 1.0, "replay": 0.4, "gem": 0.9}
"""Nats at step 200, more in the second text, less at step 0."""
NOISE = {0: -0.01, 1: 0.02, 2: -0.02}
RIGHT = {"learnt": 0.8, "other": 0.5}


def frame(series=("run-seed0",), seeds=(0, 1, 2), other=True, methods=tuple(LOST), unigram=6.7):
    rows = []
    for number, name in enumerate(series):
        for step in (0, 200):
            for method in methods:
                for seed in seeds:
                    noise = NOISE[seed] * (1 if method == "plain" else -1) + NOISE[number] * (method == "gem")
                    of = {"series": name, "step": step, "task": method, "seed": seed, "baseline": None}
                    lost = LOST[method] * step / 200 + noise
                    values = {("forgotten", "en"): lost - 0.1, ("forgotten", "fr"): lost + 0.1}
                    values |= {("masked_loss", "en"): 9.0}
                    for group in RIGHT if other else ("learnt",):
                        gain = 0.1 * (method == "replay" and group == "other")
                        values["accuracy", group] = RIGHT[group] + gain + noise - 0.2 * (step == 0)
                    rows += [of | {"metric": m, "group": g, "value": v} for (m, g), v in values.items()]
                    for group, value in (("learnt", 0.3), ("other", 0.2)):
                        rows += [of | {"metric": "accuracy", "group": group, "value": value, "baseline": "majority"}]
                    of |= {"metric": "masked_loss"}
                    for text, before in (("en", 6.0), ("fr", 6.4)):
                        rows += [of | {"group": text, "value": before, "baseline": "before"}]
                        rows += [of | {"group": text, "value": unigram, "baseline": "unigram"}]
    return pd.DataFrame(rows)


def test_a_single_run_is_told_with_its_seeds_of_fine_tuning_paired():
    table = forgetting.beside_plain(frame()).set_index(["task", "metric", "group"])
    row = table.loc["replay", "forgotten", ""]
    differences = [-0.6 - 2 * noise for noise in NOISE.values()]
    ends = stats.t.interval(0.95, 2, np.mean(differences), stats.sem(differences))
    assert (row["difference"], row["low"], row["high"]) == pytest.approx((np.mean(differences), *ends))
    assert (row["n"], row["unit"]) == (3, "seed")
    assert table.loc[("replay", "accuracy", "other"), "difference"] == pytest.approx(
        0.1 - 2 * np.mean([*NOISE.values()])
    )
    assert set(table.index.get_level_values("task")) == {"replay", "gem"}


def test_several_runs_are_the_units_and_their_seeds_are_averaged_first():
    names = [f"run-seed{seed}" for seed in range(3)]
    row = forgetting.beside_plain(frame(names)).set_index(["task", "metric", "group"]).loc["gem", "forgotten", "fr"]
    differences = [-0.1 - 2 * np.mean([*NOISE.values()]) + NOISE[number] for number in range(3)]
    ends = stats.t.interval(0.95, 2, np.mean(differences), stats.sem(differences))
    assert (row["difference"], row["low"], row["high"]) == pytest.approx((np.mean(differences), *ends))
    assert (row["n"], row["unit"]) == (3, "run")


def test_by_checkpoint_methods_texts_and_the_most_frequent_tag_stand_beside_each_other():
    table = forgetting.by_checkpoint(frame([f"run-seed{seed}" for seed in range(3)]))
    rows = table.set_index(["task", "metric", "group", "step"])
    assert rows.loc[("plain", "forgotten", "fr", 200), "value"] == pytest.approx(1.1 + np.mean([*NOISE.values()]))
    assert rows.loc[("plain", "forgotten", "", 0), "value"] == pytest.approx(np.mean([*NOISE.values()]))
    gem = [0.9 - np.mean([*NOISE.values()]) + noise for noise in NOISE.values()]
    ends = stats.t.interval(0.95, 2, np.mean(gem), stats.sem(gem))
    row = rows.loc[("gem", "forgotten", "", 200)]
    assert (row["value"], row["low"], row["high"]) == pytest.approx((np.mean(gem), *ends))
    assert rows.loc[("plain", "accuracy", "learnt", 200), "majority"] == pytest.approx(0.3)
    assert rows.loc[("plain", "accuracy", "other", 200), "majority"] == pytest.approx(0.2)
    assert np.isnan(rows.loc[("plain", "forgotten", "", 200), "majority"])
    assert "masked_loss" not in set(table["metric"])
    alone = forgetting.by_checkpoint(frame())
    assert alone[["low", "high"]].isna().all(axis=None)
    assert set(alone["runs"]) == {1}


def test_it_is_said_what_is_kept_what_is_not_shown_and_what_cannot_be_told():
    text = forgetting.said(frame())
    assert text.startswith(
        "Before it is fine-tuned its masked loss is 0.50 nats below that of the frequency of pieces."
    )
    assert "its masked loss changes by +1.00 nats, and it tells 79.7% of the tags that it learns" in text
    assert "Of the other language, without an example, it tells 49.7%, from random parameters 29.7%; the" in text
    assert "the most frequent tag of the first is right in 20.0%." in text
    assert (
        "With replay of masked words what it forgets is less (-0.593 nats, -0.697 to -0.490) and what it tells" in text
    )
    assert "tells of the other language's tags is more (+10.7 points, +0.3 to +21.0)." in text
    assert "episodic memory what it forgets is not shown to differ (-0.103 nats, -0.207 to +0.000)" in text
    assert text.endswith("Rests on 3 seeds of fine-tuning one run; 95% t intervals over them.")
    assert "cannot be told" not in text


def test_where_nothing_was_known_nothing_can_be_forgotten():
    text = forgetting.said(frame(unigram=6.1))
    assert "cannot be told: at step 200 the masked loss is not below" in text
    assert "(by -0.10 nats)" in text
    assert "forgets is" not in text


def test_without_another_language_plain_fine_tuning_or_enough_seeds_it_cannot_be_told():
    text = forgetting.said(frame(other=False))
    assert "Tags of another language cannot be told: no treebank in one was named." in text
    assert "without an example" not in text
    assert "cannot be told" in forgetting.said(frame(methods=("replay", "gem")))
    assert "cannot be told" in forgetting.said(frame(methods=("plain",)))
    text = forgetting.said(frame(seeds=(0, 1)))
    assert "what it forgets differs by -0.610 nats, without an interval" in text
    assert "is less" not in text
    assert text.endswith("Rests on 2 seeds of fine-tuning one run.")
