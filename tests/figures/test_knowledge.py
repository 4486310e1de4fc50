"""Figures of the knowledge probe, of shares that are made by hand."""

import numpy as np
import pandas as pd
import pytest

from embryology.figures import knowledge as drawn
from embryology.runs.paths import STUDIES
from embryology.specs.knowledge import TEMPLATE
from tests.figures.reading import bands, cells_of, line, rows, seen
from tests.synthetic import KNOWLEDGE

STEPS = [0, 10, 20, 40]
ALL = [0.0, 0.2, 0.5, 0.4]
OF = {"P140": [0.0, 0.3, 0.7, 0.6], "P103": [0.0, 0.1, 0.3, 0.2], "P999": [0.0] * 4}
UNNAMED, KNOWN, UNNAMED_KNOWN, TEN, CANDIDATES = 0.75, 0.9, 0.6, 1.5, 1.25
"""What other shares are, times that of all facts."""


def of_metric(metric, values, task="trex", **columns):
    return rows(task, metric, values, STEPS, **columns)


@pytest.fixture(scope="module")
def frame():
    tables = []
    for number, (relation, share) in enumerate({"": ALL, **OF}.items()):
        known, share = {"group": relation, "n": 1000 + number}, np.array(share)
        levels = {"most-common-object": 0.25 + number / 100, TEMPLATE: 0.125, "untrained": 0.0, "copy": 0.05}
        tables += [
            of_metric("accuracy", share, **known),
            *(of_metric("accuracy", [level] * 4, baseline=name, **known) for name, level in levels.items()),
            of_metric("accuracy", UNNAMED * share, "trex/not named", **known),
            of_metric("accuracy", [0.2] * 4, "trex/not named", baseline="most-common-object", **known),
            of_metric("known", KNOWN * share, **known),
            of_metric("known", UNNAMED_KNOWN * share, "trex/not named", **known),
            of_metric("precision_at_10", TEN * share, **known),
            of_metric("accuracy_of_candidates", CANDIDATES * share, **known),
            of_metric("reciprocal_rank", share / 2, **known),
            of_metric("gain", 2 * share, **known),
            of_metric("gain", 3 * share, "trex/not named", **known),
            of_metric("log_probability", share - 9, **known),
            of_metric("log_probability", share - 20, "trex/several pieces", group=relation, n=30 + number),
        ]
    tables.append(of_metric("accuracy", ALL, "pararel", n=7))
    tables.append(of_metric("excluded", [5] * 4, group="P103", n=5))
    return pd.concat(tables, ignore_index=True).assign(reason="object has an unknown piece")


@pytest.fixture(scope="module")
def told():
    columns = {"above": [True, False, False], "rises": [True, False, False], "falls": [False, True, False]}
    return pd.DataFrame(columns | {"told": [True, True, False]}, index=["P140", "P103", "P999"])


@pytest.fixture(scope="module")
def values(frame, told):
    return drawn.numbers(frame, "made-up facts", told)


def test_every_number_is_of_its_own_metric_facts_and_baseline(values):
    """At the last checkpoint, which is not the best one."""
    assert (
        values
        | {
            "source": "made-up facts",
            "others": "; beside it were measured: ParaRel",
            "last": "40",
            "n": "1,000",
            "accuracy": "40.0% (30.0 to 42.0)",
            "majority": "25.0%",
            "template": "12.5%",
            "copy": "5.0%",
            "known": "36.0% (26.0 to 38.0)",
            "not_named": "30.0% (20.0 to 32.0)",
            "majority_not_named": "20.0%",
            "known_not_named": "24.0% (14.0 to 26.0)",
            "beyond": "lies above all of them",  # 0.3 above 0.27, as much as most common objects give at most
            "at_10": "60.0% (50.0 to 62.0)",
            "candidates": "50.0% (40.0 to 52.0)",
            "gain": "0.80 nats (0.70 to 0.82)",
            "gain_not_named": "1.20 nats (1.10 to 1.22)",
            "held_out": "not told, as which articles the model read is not known, or in which a fact stands",
        }
        == values
    )


def test_an_interval_that_holds_a_blind_answer_is_not_above_it(frame, told):
    near = frame.assign(high=frame["high"].mask(frame["baseline"] == TEMPLATE, 0.3125))
    assert drawn.numbers(near, "x", told)["beyond"] == "does not lie above all of them"


def test_facts_of_articles_that_were_held_out_are_told_beside_the_others(frame, told):
    parts = [of_metric("gain", 0.5 * np.array(ALL), "trex/held out", n=31)]
    parts += [of_metric("gain", 1.5 * np.array(ALL), "trex/not held out", n=900)]
    assert drawn.numbers(pd.concat([frame, *parts]), "x", told)["held_out"] == (
        "0.20 nats (0.10 to 0.22) for 31 facts whose article was held out, and 0.60 nats (0.50 to 0.62) for the others"
    )


def test_relations_that_clear_all_and_that_change_are_named_with_what_chance_would_give(values, told):
    assert values["relations_beyond"] == (
        "Of 2 relations 1 clears them, by chance alone 0.1 would; 1 have too few objects to tell: P140 religion."
    )
    assert values["relations_change"] == (
        "of 3 relations there rise P140 religion and there fall P103 native language, and by chance alone 0.2 would"
    )
    many = pd.concat([told] * 20)
    assert drawn.above_all(many).startswith("Of 40 relations 20 clear them, by chance alone 1.0 would; 20 have too few")
    assert drawn._changes(many).endswith("and by chance alone 3.0 would")
    none = told.assign(rises=False, falls=False)
    assert drawn._changes(none) == "none of 3 relations rises or falls"
    assert drawn.above_all(told.assign(above=False)[1:]) == (
        "Of 1 relations none clears them; 1 have too few objects to tell."
    )


def test_what_was_not_measured_is_said(frame, told):
    kept = frame[(frame["baseline"] != TEMPLATE) & (frame["metric"] != "gain")]
    values = drawn.numbers(kept[kept["task"] != "trex/not named"], "made-up facts", told)
    assert values["template"] == values["gain"] == values["not_named"] == "not measured"


def test_scores_have_a_panel_for_all_facts_and_each_relation(frame, told):
    other = frame[frame["baseline"].isna()].assign(series="other", tokens=lambda rows: 2 * rows["tokens"])
    shown = seen(drawn.scores, pd.concat([frame, other], ignore_index=True), "made-up facts", told)
    tokens = np.array(STEPS) * 2048
    for title, share, level in (("all relations", ALL, 0.25), ("P140", OF["P140"], 0.26), ("P103", OF["P103"], 0.27)):
        axis = shown.panel(title)
        assert line(axis, "run") == pytest.approx(np.column_stack([tokens, share]))
        assert line(axis, "other") == pytest.approx(np.column_stack([2 * tokens, share]))
        assert bands(axis)[0] == pytest.approx(np.column_stack([tokens, np.array(share) - 0.1, np.array(share) + 0.02]))
        assert line(axis, "most common object of the relation")[:, 1].tolist() == [level] * 4
        assert line(axis, "template without a subject")[:, 1].tolist() == [0.125] * 4
    assert shown.panel("P103").get_title(loc="left") == "P103 native language · n = 1,002"
    assert shown.answer == (
        "At the end 40.0% (30.0 to 42.0) of facts are right, the most common objects give 25.0%; 30.0% (20.0 to 32.0) "
        "where the object does not stand in the subject's name. Of the relations, without such names, 1 clear all "
        "blind answers"
    )
    assert "3 relations of which 3 are drawn" in shown.caption
    assert (
        shown.data.query("relation == 'P140' and series == 'run' and baseline.isna()")["value"].tolist() == OF["P140"]
    )


def test_measures_have_their_own_metric_and_facts(frame):
    shown = seen(drawn.measures, frame, "made-up facts")
    all_facts, unnamed = "all facts", "object not in the subject's name"
    ends = {
        "precision at 10, all pieces": {all_facts: 0.6},
        "precision at 1, the relation's objects": {all_facts: 0.5},
        "mean reciprocal rank": {all_facts: 0.2},
        "likelier with": {all_facts: 0.8, unnamed: 1.2},
        "log-probability, objects of one piece": {"objects of one piece": -8.6},
        "log-probability, objects of several pieces": {"objects of several pieces": -19.6},
    }
    for title, lines in ends.items():
        axis = shown.panel(title)
        assert {label: line(axis, label)[-1, 1] for label in lines} == pytest.approx(lines)
        assert bands(axis)[0][-1, 1:] == pytest.approx(np.array([-0.1, 0.02]) + next(iter(lines.values())))
    assert line(shown.panel("precision at 1,"), "most common object of the relation")[-1, 1] == 0.25
    assert shown.answer == (
        "Objects are 0.80 nats (0.70 to 0.82) likelier with their own subject than with others; right among the "
        "relation's objects: 50.0% (40.0 to 52.0)"
    )
    assert shown.alt.endswith("the mean reciprocal rank is 0.200.")
    gains = shown.data[(shown.data["metric"] == "gain") & (shown.data["facts"] == unnamed)]
    assert gains["value"].tolist() == pytest.approx([0, 0.6, 1.5, 1.2])


@pytest.fixture(scope="module")
def released():
    raw = pd.read_csv(STUDIES / "published" / "bert_knowledge.csv")
    return {relation: curve.set_index("step")["value"] for relation, curve in raw.groupby("series")}


def test_released_curves_are_drawn_over_the_share_of_their_own_steps(frame, released):
    """Beside ours over that of ours."""
    shown = seen(drawn.beside_published, frame)
    (axis,) = [axis for axis in shown.figure.axes if axis.get_title(loc="left") == "P140"]
    theirs = released["P140"]
    assert line(axis, "published BERT") == pytest.approx(np.column_stack([theirs.index / theirs.index.max(), theirs]))
    assert line(axis, "this run") == pytest.approx(np.column_stack([[0, 0.25, 0.5, 1], OF["P140"]]))
    assert line(axis, "most common object of the relation")[0, 1] == 0.26
    zero = [relation for relation, curve in released.items() if not curve.any()]
    assert shown.answer == f"{len(zero)} of the {len(released)} released curves are zero at every step"
    some = sorted(set(released) - set(zero))
    assert f"curves that are not zero are those of {', '.join(some[:-1])} and {some[-1]};" in shown.caption
    assert any(0 in released[relation].to_numpy() for relation in some)  # at some steps these are zero too
    assert shown.data.query("relation == 'P140' and whose == 'this run'")["value"].tolist() == OF["P140"]


def test_without_a_relation_in_common_the_released_curves_that_are_not_zero_stand_alone(frame, released):
    none = frame[~frame["group"].isin(KNOWLEDGE)]
    shown = seen(drawn.beside_published, none)
    drawn_relations = {axis.get_title(loc="left") for axis in shown.figure.axes if axis.axison}
    assert drawn_relations == {relation for relation, curve in released.items() if curve.any()}
    assert "asked for none of these relations" in shown.caption


def test_the_table_has_the_last_checkpoint_and_the_step_of_the_best_one(frame):
    table = {row[0]: row[1:] for row in cells_of(drawn.relations_table(frame).data)}
    assert table["P103 native language"] == [
        "1,039", "1,002", "32", "5", "0.200 (0.100 to 0.220)", "0.150 (0.050 to 0.170)", "0.270", "20",
    ]  # fmt: skip
    assert table["P999"][-1] == "never right"
