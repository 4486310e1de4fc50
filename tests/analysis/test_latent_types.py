"""V-measure of types and their baselines, of words whose types are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import normalized_mutual_info_score

from embryology.analysis import latent_types, purity

COVERS = ("embryology/analysis/purity.py",)


def words(types, seed=0, sentences=60, length=10):
    """Tags go by the place in the sentence, and frequency by the tag; entities are every fifth word."""
    rng, n = np.random.default_rng(seed), sentences * length
    tag = np.tile(np.arange(length) % 4, sentences)
    made = {
        "tags": tag + 1,
        "frequency": np.where(tag > 1, 1, 0),
        "nothing": rng.integers(0, 4, n),
        "none": np.zeros(n, int),
        "in sentence": np.repeat(np.arange(sentences), length),
    }
    return pd.DataFrame(
        {
            "sentence": np.repeat([f"s{number}" for number in rng.permutation(sentences)], length),
            "type": made[types],
            "frequency": 10.0 ** (tag // 2) + rng.random(n) / 10,
            "tag": np.array(["DT", "NN", "VB", "JJ"])[tag],
            "entity": np.where(np.arange(n) % 5, "", "PERSON"),
        }
    )


def of(table, label):
    return table.set_index("label").loc[label]


def test_types_that_are_tags_say_all_of_them():
    row = of(purity.purity(words("tags")), "tag")
    assert row["value"] == pytest.approx(1)
    assert (row["words"], row["types"], row["typed"]) == (600, 4, 1)
    assert row["permuted"] < 0.05
    assert 0.3 < row["frequency"] < 0.8  # frequency tells two pairs of tags apart


def test_types_that_are_frequency_say_no_more_than_it():
    told = purity.purity(words("frequency"))
    row = of(told, "tag")
    both, tags = stats.entropy([0.4, 0.6]), stats.entropy([0.3, 0.3, 0.2, 0.2])
    assert row["value"] == pytest.approx(2 * both / (both + tags))  # types follow from tags
    assert row["frequency"] == pytest.approx(row["value"])
    assert row["typed"] == pytest.approx(0.4)


def test_it_is_nmi_and_permuted_types_stay_in_their_sentence():
    made = words("in sentence")
    made["tag"] = made["sentence"]
    row = of(purity.purity(made), "tag")
    assert row["value"] == row["permuted"] == pytest.approx(1)
    made = words("nothing")
    told = purity.purity(made)
    for label in ("tag", "entity"):
        known = normalized_mutual_info_score(made[label], made["type"])
        assert of(told, label)["value"] == pytest.approx(known)
        assert of(told, label)["permuted"] == pytest.approx(known, abs=0.01)


def test_bands_of_frequency_have_the_sizes_of_types():
    types = np.array([5, 5, 5, 0, 2, 2])
    frequency = np.array([1.0, 2.0, 3.0, 100.0, 10.0, 20.0])
    assert purity._bands(types, frequency).tolist() == [0, 0, 0, 2, 1, 1]
    assert sorted(np.bincount(purity._bands(types, frequency[::-1]))) == [1, 2, 3]


def test_without_types_nothing_is_said():
    row = of(purity.purity(words("none")), "tag")
    assert (row["value"], row["types"], row["typed"]) == (0, 1, 0)
    assert row["permuted"] == row["frequency"] == 0


def test_seeds_are_what_the_interval_is_over():
    tables = {seed: purity.purity(words("nothing", seed)).assign(step=10) for seed in range(3)}
    row = of(latent_types.over_seeds(tables), "entity")
    values = [
        of(table, "entity")["value"] - max(of(table, "entity")[["permuted", "frequency"]]) for table in tables.values()
    ]
    known = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (row["beyond"], row["low"], row["high"]) == pytest.approx((np.mean(values), known.low, known.high))
    assert row["seeds"] == 3
    assert np.isnan(latent_types.over_seeds({0: tables[0]})["low"]).all()
