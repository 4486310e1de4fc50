"""The figure of the learning order, of times that are made by hand: what is drawn, and what is said of which order."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import curves
from embryology.analysis.learning_order import (
    BEFORE_FIRST,
    NEVER_BEYOND,
    NOT_REACHED,
    REACHED,
    UNTOLD,
    Agreement,
    agreement,
    of_curves,
    published_definition,
)
from embryology.figures import learning_order as drawn
from embryology.figures import style
from embryology.runs.paths import STUDIES
from tests.figures.reading import bars, line, rows, seen, words_in
from tests.synthetic import SILVER

STEPS = [0, 1000, 2000, 4000, 8000, 16000]
RELEASED = {"det.": "DT", "conj.": "CC", "prep.": "IN", "pron.": "PRP", "adv.": "RB", "verb": "VB", "adj.": "JJ"}
RELEASED |= {"noun": "NN", "proper noun": "NNP"}


def times(steps, **columns):
    """Of groups that are reached at ``steps``, with intervals that reach farther up than down."""
    table = pd.DataFrame({"step": pd.Series(steps, dtype=float)}).rename_axis("tag")
    known = {"low": table["step"] - 10, "high": table["step"] + 30, "spacing": 1.0, "blind": 0.1, "final": 0.5}
    known |= {"learnt": True, "beyond_everywhere": True, "n": 100, "state": REACHED, "resampled": None}
    return table.assign(**known | columns)


@pytest.fixture(scope="module")
def released():
    """Published ALBERT's curves: a row a step, a column a tag."""
    raw = pd.read_csv(STUDIES / "published" / "albert_reconstruction.csv")
    return raw.assign(tag=raw["series"].map(RELEASED)).pivot(index="step", columns="tag", values="value")


@pytest.fixture(scope="module")
def frame(released):
    """A run that goes through published checkpoints as they come, and ends as the published one is at step 7,000."""
    values = released.loc[[0, 1000, 2000, 3000, 4000, 7000]]
    of_tags = [rows("reconstruction", "accuracy", values[tag], STEPS, group=tag) for tag in curves.GROUPS]
    return pd.concat(of_tags, ignore_index=True)


MAIN = dict(zip(curves.GROUPS, [700, 100, 200, 500, 400, 600, 300, 900, 800], strict=True))
MASK = dict(zip(curves.GROUPS, [100, 200, 900, 400, 500, 800, 600, 700, 300], strict=True))
FINAL = dict(zip(curves.GROUPS, [0.6, 0.9, 0.5, 0.8, 0.4, 0.3, 0.2, 0.1, 0.7], strict=True))


@pytest.fixture(scope="module")
def by_task():
    main = times(MAIN, final=pd.Series(FINAL), learnt=[*[True] * 7, False, False])
    mask = times(MASK, learnt=[False, *[True] * 8], state=[NEVER_BEYOND, *[REACHED] * 8])
    mask.loc["DT", ["step", "low", "high", "spacing"]] = np.nan
    return {"reconstruction": main, "mask-prediction": mask}


@pytest.fixture(scope="module")
def numbers(frame, by_task):
    return drawn.numbers(frame, by_task)


def test_an_agreement_is_scipys_where_nothing_is_tied(numbers, by_task):
    """Of the run and a made-up order; that of two tasks is told of the tasks, not of the published order."""
    main, mask = by_task["reconstruction"], times(MASK)
    expected = stats.kendalltau(list(MAIN.values()), list(MASK.values()), method="exact")
    said = drawn.agreement_words(agreement(mask, main))
    assert said.startswith(
        f"Kendall's τ = {expected.statistic:.2f} (exact permutation p = {expected.pvalue:.2g}, 9 groups"
    )
    learnt = {tag: MASK[tag] if tag != "DT" else 10_000 for tag in MASK}
    expected = stats.kendalltau(list(MAIN.values()), list(learnt.values()))
    assert numbers["tasks_agreement"].startswith(f"Kendall's τ = {expected.statistic:.2f} (")


def test_each_agreement_is_told_of_its_own_orders(numbers, frame, by_task):
    def published(model):
        raw = pd.read_csv(STUDIES / "published" / f"{model}_reconstruction.csv")
        table = raw.assign(tag=raw["series"].map(RELEASED)).pivot(index="tag", columns="step", values="value")
        return of_curves(table.columns.to_numpy(), table)

    main = by_task["reconstruction"]
    half = published_definition(frame, "reconstruction").drop(["NN", "NNP"])  # which are not learnt
    expected = {
        "albert_agreement": (main, published("albert")),
        "bert_agreement": (main, published("bert")),
        "half_agreement": (half, published("albert")),
    }
    said = {name: numbers[name] for name in expected}
    assert said == {name: drawn.agreement_words(agreement(*pair)) for name, pair in expected.items()}
    assert len(set(said.values())) == 3
    assert drawn.agreement_words(agreement(half, main)) not in said.values()


def test_pairs_of_groups_add_up():
    assert drawn.agreement_words(Agreement(0.5, 0.0312, 4, 3, 1, 2)) == (
        "Kendall's τ = 0.50 (exact permutation p = 0.031, 4 groups; of 6 pairs 3 in the same order, 1 reversed, 2 tied)"
    )
    assert drawn.exact(2.4e-5) == "2.4e-05"


def test_orders_are_those_of_the_times(numbers):
    assert numbers["order"] == "CC, then IN, then JJ, then RB, then PRP, then VB, then DT, then NNP, then NN"
    assert numbers["order_names"].startswith("conjunctions, then prepositions, then adjectives, then adverbs")
    assert "NN" not in numbers["half_order"]
    assert drawn.in_words([["CC"], ["DT", "IN"]]) == "CC, then DT and IN together"


def test_the_age_is_that_of_the_last_checkpoint(numbers):
    assert numbers["age"] == (
        "is most like the published ALBERT at step 7,000 (mean difference 0.00, rank correlation of the groups there "
        "1.00)"
    )


def test_the_best_group_ends_highest_and_is_not_the_first_or_last_one_learnt(numbers):
    extremes = {name: numbers[name] for name in ("best", "best_accuracy", "worst", "worst_accuracy")}
    assert extremes == {
        "best": "conjunctions (CC)", "best_accuracy": "0.90", "worst": "nouns (NN)", "worst_accuracy": "0.10",
    }  # fmt: skip


def test_groups_beyond_one_word_everywhere_and_beyond_their_own_are_counted_apart(frame):
    table = times({tag: MAIN[tag] for tag in ("DT", "CC", "IN", "JJ")}, learnt=[True, False, False, False])
    table["beyond_everywhere"] = [True, True, False, False]
    table["state"] = [REACHED, NEVER_BEYOND, NEVER_BEYOND, UNTOLD]
    assert drawn._learnt(frame, table) == (
        "2 of 3 groups (DT and CC) end beyond the most frequent word everywhere and the untrained model, 1 of 3 groups "
        "(DT) beyond their own most frequent word too"
    )


def test_drawn_intervals_end_where_they_do_and_at_the_checkpoints_where_they_have_no_end():
    _, (axis,) = style.panels(1, 1, 3, 3)
    table = times({"DT": 300, "CC": 100, "IN": 200, "PRP": 400, "RB": 500, "VB": 600})
    table.loc["CC", ["low", "high"]] = -np.inf, np.inf
    table.loc["IN", ["low", "high"]] = np.nan
    table.loc["PRP", "state"], table.loc["RB", "state"], table.loc["VB", "state"] = (
        BEFORE_FIRST,
        NOT_REACHED,
        NEVER_BEYOND,
    )
    places = {tag: 2 * place for place, tag in enumerate([*table.index, "JJ"])}
    drawn.mark(axis, table, places, 0.25, style.LINES[0], "mine", [50, 100, 800])
    (drawn_bars,) = bars(axis)
    assert drawn_bars.tolist() == [[0.25, 290, 330], [2.25, 50, 800], [4.25, 200, 200]]
    assert line(axis, "mine").tolist() == [[300, 0.25], [100, 2.25], [200, 4.25]]
    said = {text.get_text(): text.get_position()[1] for text in axis.texts}
    assert said == {
        "no word of this tag": 12.25,
        f"◂ {BEFORE_FIRST}": 6.25,
        f"{NOT_REACHED} ▸": 8.25,
        f"{NEVER_BEYOND} ▸": 10.25,
    }


@pytest.fixture(scope="module")
def figure(frame, by_task):
    items = pd.DataFrame({"source": [SILVER], "most-frequent-word": [True]})
    return seen(drawn.learning_order, frame, by_task, items)


def test_the_figure_has_both_tasks_and_the_published_times_in_the_rows_of_their_groups(figure, released):
    axis, beside = figure.figure.axes
    groups = list(curves.GROUPS)
    assert line(axis, "reconstruction") == pytest.approx(
        np.array([(MAIN[tag], place - 0.14) for place, tag in enumerate(groups)])
    )
    main, mask = bars(axis)
    assert main == pytest.approx(
        np.array([(place - 0.14, MAIN[tag] - 10, MAIN[tag] + 30) for place, tag in enumerate(groups)])
    )
    assert mask[:, 0] == pytest.approx(np.arange(1, 9) + 0.18)  # of determiners no masked one is learnt
    assert words_in(axis) == [f"{NEVER_BEYOND} ▸"]
    halves = []
    for tag in groups:
        values = released[tag].tolist()
        at = next(place for place, value in enumerate(values) if value >= values[-1] / 2)
        halves.append(1000 * (at - 1 + (values[-1] / 2 - values[at - 1]) / (values[at] - values[at - 1])))
    assert line(beside, "published (no interval)") == pytest.approx(np.column_stack([halves, range(9)]))
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        f"{name}\n{tag}" for tag, name in curves.GROUPS.items()
    ]


def test_the_caption_tells_both_agreements_apart(figure, numbers, frame):
    half = published_definition(frame, "reconstruction")
    crosses = line(figure.figure.axes[0], "half of the last value, as published")
    assert crosses[:, 0] == pytest.approx(half["step"].to_numpy())
    by_half = drawn.agreement_words(agreement(half, drawn.published.learning_times()))
    assert f"With the published order reconstruction has {numbers['albert_agreement']}, by the" in figure.caption
    assert f"half of the last value, first reached) {by_half}. Right: published" in figure.caption
    assert by_half != numbers["albert_agreement"]
    tau = numbers["albert_agreement"].split()[3]
    assert figure.answer == f"Conjunctions first; τ = {tau} with the published order; nouns last"
    assert "reconstruction: CC step 100, IN step 200, JJ step 300" in figure.alt
    assert "mask prediction: CC step 200, NNP step 300, PRP step 400" in figure.alt
    assert f"DT {NEVER_BEYOND}" in figure.alt


def test_the_data_name_their_source_and_keep_low_and_high_apart(figure):
    data = figure.data.set_index(["source", "tag"])
    assert data.loc[("reconstruction", "DT"), ["step", "low", "high"]].tolist() == [700, 690, 730]
    assert data.loc[("mask-prediction", "CC"), ["step", "low", "high"]].tolist() == [200, 190, 230]
    assert data.loc["reconstruction, half of the last value"].index.tolist() == list(curves.GROUPS)
    published = data.loc[("published ALBERT reconstruction", "DT")]
    assert published["low"] < published["step"] < published["high"]
    assert published["high"] - published["low"] == 1000


@pytest.mark.parametrize(
    ("steps", "states", "said"),
    [
        ({"DT": 1, "CC": 90}, None, "Determiners first; conjunctions last"),
        ({"DT": 1, "CC": 1.5}, None, "Determiners and conjunctions cannot be told apart"),
        (dict.fromkeys(curves.GROUPS, 1), None, "None of 9 groups is told apart from all others"),
        ({"DT": 1}, None, "Determiners are the only ones with a learning time"),
        ({"DT": np.nan}, BEFORE_FIRST, "The checkpoints begin too late to tell an order"),
        ({"DT": np.nan}, NEVER_BEYOND, "No group has a learning time"),
    ],
)
def test_the_answer_says_which_groups_come_first_and_last(steps, states, said):
    assert drawn._ends(times(steps, state=states or REACHED, spacing=1.0)) == said


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ({"DT": 1, "CC": 1.5, "IN": 90}, "Determiners and conjunctions together, then prepositions."),
        (dict.fromkeys(curves.GROUPS, 1), "Cannot be told: none of 9 groups is told apart from all others."),
        ({"DT": np.nan}, "Cannot be told: no group of words has a learning time."),
    ],
)
def test_the_page_answers_which_words_come_first(steps, said, frame):
    state = NEVER_BEYOND if np.isnan(steps["DT"]) else REACHED
    run = SimpleNamespace(name="made-up", seed=3)
    answer = drawn.answer(run, frame, {drawn.RECONSTRUCTION: times(steps, state=state)}).data
    assert answer.startswith(f"**Which words are learnt first?** {said} Of words that it sees, ")
    assert "*Holds for made-up, seed 3: one training; intervals are over sentences" in answer
