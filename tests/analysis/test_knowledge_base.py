"""What contexts do to facts: paired differences of facts whose answers are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import knowledge_base
from embryology.specs.knowledge import NOT_IN_IT

FACTS = 40


def made_up(seed=0, helps=0.5):
    """A fact an object, so that intervals are Student's; the last five have no context."""
    rng = np.random.default_rng(seed)
    tables = []
    for step in (0, 10):
        right = rng.random((3, FACTS)) < np.array([[0.1], [0.1 + helps * (step > 0)], [0.2]])
        logs = rng.normal(-5, 1, (3, FACTS))
        has = np.arange(FACTS) < FACTS - 5
        stands = pd.array(np.where(has, np.arange(FACTS) % 3 > 0, None), "boolean")
        tables.append(
            pd.DataFrame(
                {
                    "item_id": [f"f{number}" for number in range(FACTS)],
                    "task": "made",
                    "group": np.where(np.arange(FACTS) % 2, "P1", "P2"),
                    "object_number": np.arange(FACTS) // 2,
                    "step": step,
                    "correct": right[0],
                    "log_probability": logs[0],
                    "in_context_sentence": stands,
                    "correct_with_sentence": pd.array(np.where(has, right[1], None), "boolean"),
                    "correct_wrong_sentence": pd.array(np.where(has, right[2], None), "boolean"),
                    "log_probability_with_sentence": np.where(has, logs[1], np.nan),
                    "log_probability_wrong_sentence": np.where(has, logs[2], np.nan),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("measure", ["correct", "log_probability"])
@pytest.mark.parametrize("which", ["all", NOT_IN_IT])
def test_differences_are_of_the_same_facts(measure, which):
    items = made_up()
    told = knowledge_base.beside_plain(items)
    assert len(told) == 2 * 2 * 2
    row = told[(told["facts"] == which) & (told["measure"] == measure) & (told["step"] == 10)].iloc[0]
    facts = items[(items["step"] == 10) & items["in_context_sentence"].notna()]
    if which == NOT_IN_IT:
        facts = facts[~facts["in_context_sentence"].astype(bool)]
    with_ = facts[f"{measure}_with_sentence"].astype(float).to_numpy()
    assert (row["set"], row["context"], row["n"]) == ("made", "sentence", len(facts))
    assert row["in_context"] == pytest.approx(0 if which == NOT_IN_IT else 23 / 35)
    for name, column in (("more", measure), ("beyond", f"{measure}_wrong_sentence")):
        other = facts[column].astype(float).to_numpy()
        known = stats.ttest_rel(with_, other).confidence_interval(0.95)
        assert row[name] == pytest.approx(with_.mean() - other.mean())
        assert (row[f"{name}_low"], row[f"{name}_high"]) == (pytest.approx(known.low), pytest.approx(known.high))
    assert row["without"] == pytest.approx(facts[measure].mean())
    assert row["with"] == pytest.approx(with_.mean())


def test_facts_of_an_object_stand_and_fall_together():
    items = made_up()
    alone = knowledge_base.beside_plain(items)
    twice = pd.concat([items, items.assign(item_id="again-" + items["item_id"])], ignore_index=True)
    again = knowledge_base.beside_plain(twice)
    assert again["n"].tolist() == (2 * alone["n"]).tolist()
    np.testing.assert_allclose(again["more_low"], alone["more_low"])  # not narrower


def test_seeds_are_what_the_interval_is_over():
    tables = {seed: knowledge_base.beside_plain(made_up(seed)) for seed in (0, 1, 2)}
    told = knowledge_base.over_seeds(tables)
    last = told[(told["facts"] == "all") & (told["measure"] == "correct") & (told["step"] == 10)].iloc[0]
    values = [
        table[(table["facts"] == "all") & (table["measure"] == "correct") & (table["step"] == 10)]["more"].item()
        for table in tables.values()
    ]
    known = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (last["more"], last["seeds"]) == (pytest.approx(np.mean(values)), 3)
    assert (last["more_low"], last["more_high"]) == (pytest.approx(known.low), pytest.approx(known.high))
    assert np.isnan(knowledge_base.over_seeds({0: tables[0]})["more_low"]).all()
    fewer = {0: tables[0], 1: tables[1][tables[1]["step"] == 10]}
    assert set(knowledge_base.over_seeds(fewer)["step"]) == {10}


def test_without_contexts_there_is_nothing():
    plain = made_up()[["item_id", "task", "group", "object_number", "step", "correct", "log_probability"]]
    assert knowledge_base.beside_plain(plain).empty
    assert knowledge_base.over_seeds({0: knowledge_base.beside_plain(plain)}).empty
