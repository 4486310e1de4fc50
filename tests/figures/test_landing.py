"""The front page: five sentences, the matrix and the figure, of findings that are given to it."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from embryology.analysis.claims import CLAIMS
from embryology.analysis.claims.decisions import AGAINST, SUPPORTED, UNDECIDED, Estimate
from embryology.analysis.claims.verdicts import Overall, Verdict, Verdicts
from embryology.analysis.learning_order import Agreement
from embryology.analysis.orders import Order
from embryology.figures import landing
from embryology.runs import measurements
from tests.figures.reading import csv_of, seen

DECIDED, OPEN = CLAIMS[0], CLAIMS[2]  # of all families; of BERT alone


def alike(tau, p=0.001):
    return Agreement(tau, p, 9, 1, 1, 1)


def order(name, tokens, ranks, tau=0.5, frequency=0.6, p=0.001):
    return Order(name, tokens, ranks, alike(tau, p), None if frequency is None else alike(frequency))


ORDERS = [
    order("own", 100.0, [["DT", "IN"], ["NN"]], tau=0.4, frequency=0.7),
    order("large", 900.0, [["DT"], ["NN", "IN"]], tau=0.9, frequency=0.8, p=0.2),
    order("none", 500.0, []),
]


def verdict(claim, recipe, outcome, seeds=("a", "b", "c"), estimate=None, exploratory=()):
    return Verdict(claim, recipe, seeds, estimate=estimate, outcome=outcome, exploratory=exploratory)


def found(monkeypatch, **given):
    names = {"own": 100, "big0": 900, "big1": 900, "bert": 100}
    series = tuple(
        SimpleNamespace(name=name, recipe=name[:3], checkpoints=[SimpleNamespace(tokens=tokens)])
        for name, tokens in names.items()
    )
    monkeypatch.setattr(measurements, "lacking", lambda each, probe: "why" if each.name == "bert" else None)
    decided = verdict(DECIDED, "own", SUPPORTED, ("own",) * 3, Estimate(1.5, 0.1, 2), ("early",))
    told = Verdicts(
        (
            Overall(
                DECIDED,
                SUPPORTED,
                0.01,
                1,
                (decided,),
                (verdict(DECIDED, "big", AGAINST, ("big0", "big1")), verdict(DECIDED, "bert", UNDECIDED, ())),
            ),
            Overall(OPEN, UNDECIDED, 1, 1, (), (verdict(OPEN, "bert", UNDECIDED, ("bert",)),)),
        ),
        {},
        {"own": ("own",), "big": ("big0", "big1"), "bert": ("bert",)},
    )
    facts = pd.DataFrame([("own", 0.01, 0.2), ("big0", 0.05, 0.04)], columns=["series", "value", "majority"])
    values = {"orders": ORDERS, "language": [], "use": [], "facts": facts, "verdicts": told} | given
    return landing.Found(series, **values)


def test_the_answer_is_five_sentences_whose_counts_are_of_the_runs(monkeypatch):
    said = landing.answer(found(monkeypatch)).data
    sentences = re.findall(r"^\d\. (.*)$", said, re.MULTILINE)
    assert len(sentences) == 5
    words, frequency, language, more, paper = sentences
    assert "determiners (in 2 of 2 runs)" in words
    assert "prepositions" not in words  # first in one of two, which is not most
    assert "τ of 0.40 to 0.90 with the published order, beyond chance in 1 of 2." in words
    assert "τ of 0.70 to 0.80 with the runs' own orders; 1 of 2 runs are closer" in frequency
    assert "Cannot be told: no run at hand was asked." in language
    assert "no run has more than 5.0% right (big0), and 1 of 2 have no more" in more
    assert "Of its 2 claims these runs support 1, speak against 0, and leave 1 undecided" in paper
    assert said.endswith(
        "*Rests on 4 runs of 3 recipes, most of them small. Intervals are over items, not over seeds.*"
    )


def test_groups_that_cannot_be_told_apart_come_first_in_no_run(monkeypatch):
    tied = [order(name, 300.0, ranks, tau=None, frequency=None) for name, ranks in (("a", [["DT", "NN"]]), ("b", []))]
    words = landing.answer(found(monkeypatch, orders=[*ORDERS, *tied])).data
    assert "determiners (in 2 of 2 runs); no two groups can be told apart in 1 of 5 runs." in words
    words = landing.answer(found(monkeypatch, orders=tied)).data
    assert "**Which words come first?** Cannot be told: no two groups can be told apart in 1 of 2 runs." in words


def test_without_orders_facts_or_seeds_each_sentence_says_that_it_cannot_be_told(monkeypatch):
    facts = pd.DataFrame(columns=["series", "value", "majority"])
    said = landing.answer(found(monkeypatch, orders=[], facts=facts)).data
    assert said.count("annot be told") == 5
    assert "which none has" in said
    no_frequency = [order("own", 1.0, [["DT"]], frequency=None)]
    assert "it known how often" in landing.answer(found(monkeypatch, orders=no_frequency)).data


@pytest.mark.parametrize(
    ("taus", "verdict_of", "closer"),
    [((0.9, 0.8), "largely", "2 of 2"), ((0.2, 0.1), "By the order alone, no", "0 of 2")],
)
def test_whether_it_is_frequency_is_by_the_median_and_how_many_are_closer_to_it(monkeypatch, taus, verdict_of, closer):
    orders = [order(str(tau), 1.0, [["DT"]], tau=0.5, frequency=tau) for tau in taus]
    said = landing.answer(found(monkeypatch, orders=orders)).data
    assert verdict_of in said
    assert f"{closer} runs are closer to that order than to the published one" in said


def rows_of(matrix):
    rows = re.findall(r"<tr>(.*?)</tr>", matrix)
    return [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row) for row in rows]


def test_the_matrix_has_a_cell_a_claim_and_recipe_that_leads_to_the_claim(monkeypatch):
    matrix = landing.matrix(found(monkeypatch)).data
    head, decided, opened = rows_of(matrix)
    assert head == ["claim", "the paper", "big, 2 seeds", "bert, 1 seed", "own (yours), 1 seed"]  # by tokens; own last
    title, paper, big, bert, own = decided
    assert title.startswith("1. ")
    assert "states it" in paper
    assert "✗ disagrees" in big
    assert "2 seeds" in big
    assert "– not measured" in bert
    assert "✓ agrees †" in own
    assert "3 seeds; 1.50 octaves (1.07 to 1.93)" in own
    assert all(f'href="claims.html#claim-{DECIDED.name}"' in cell for cell in decided[1:])
    assert "? cannot be told" in opened[1]  # the paper's wording was not seen
    assert ["not about it" in cell for cell in opened[2:]] == [True, False, True]


def test_the_figure_shares_places_and_puts_the_own_run_last(monkeypatch):
    shown = seen(landing.order.__wrapped__, found(monkeypatch))
    data = shown.data.pivot(index="series", columns="group", values="place")
    assert list(dict.fromkeys(shown.data["series"])) == ["published ALBERT", "large", "own"]
    assert data.loc["own", ["DT", "IN", "NN"]].tolist() == [1.5, 1.5, 3]
    assert data.loc["large", ["DT", "IN", "NN"]].tolist() == [1, 2.5, 2.5]
    assert np.isnan(data.loc["own", "VB"])
    assert set(shown.data.loc[shown.data["series"] == "large", "tau"]) == {0.9}
    assert shown.answer == "Kendall's τ with the published order: 0.40 to 0.90 in 2 runs"
    assert "Not drawn" in landing.order(found(monkeypatch, orders=[ORDERS[2]])).data
    assert csv_of(landing.order(found(monkeypatch)).data)["series"].tolist() == shown.data["series"].tolist()
