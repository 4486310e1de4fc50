"""The page of claims: what its table, sections and figures say of verdicts that are given to it."""

import html
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from embryology.analysis.claims import CLAIMS
from embryology.analysis.claims.confounds import NATS, PERCENT, POINTS, Confound, Effect
from embryology.analysis.claims.decisions import AGAINST, SUPPORTED, UNDECIDED, estimate, outcomes
from embryology.analysis.claims.verdicts import Overall, Verdict, Verdicts
from embryology.figures import claims
from tests.figures.reading import caption_of, cells_of, csv_of, seen

SEEDS = ("seed0", "seed1", "seed2")


def verdict(claim, values, recipe="tiny", exploratory=()):
    found = estimate(np.array(values)[:, None])
    made = Verdict(claim, recipe, SEEDS, tuple(values), found, exploratory=exploratory, remark="NNP left out")
    ((outcome, supports, opposes),) = outcomes(*zip(made.unadjusted, strict=True))
    return replace(made, outcome=outcome, supports=supports, opposes=opposes)


def without(claim, recipe="tiny", reasons=("2 of the 3 seeds that it takes",)):
    return Verdict(claim, recipe, SEEDS[:2], reasons=reasons)


def overall(of=(), others=(), claim=None):
    one = claim or (of or others)[0].claim
    made = of[0] if of else Verdict(one, "")
    return Overall(one, made.outcome, made.supports, made.opposes, tuple(of), tuple(others))


def page(*given, late=()):
    names = {each.claim.name for each in given}
    rest = [overall(others=[without(claim)]) for claim in CLAIMS if claim.name not in names]
    ordered = sorted([*given, *rest], key=lambda each: each.claim.number)
    phases = {name: None if name in late else "it still learns" for name in SEEDS}
    return Verdicts(tuple(ordered), phases, {"tiny": SEEDS, "small": SEEDS[:1]})


def row(told, number):
    return cells_of(claims.table(told).data)[number - 1]


FOR, AGAINST_IT, OPEN = (2.9, 3.0, 3.05), (0.1, 0.2, 0.15), (0.5, 2.0, 3.0)


@pytest.mark.parametrize(
    ("values", "outcome", "says"),
    [
        (FOR, SUPPORTED, "(p < 0.001, corrected"),
        (AGAINST_IT, AGAINST, "that the claim holds"),
        (OPEN, UNDECIDED, "leaves it open"),
    ],
)
def test_verdict_table_and_sentence_follow_the_numbers(values, outcome, says):
    of = overall([verdict(CLAIMS[0], values)])
    told = page(of)
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    number = f"{np.mean(values):.2f} octaves ({low:.2f} to {high:.2f})"
    assert row(told, 1) == [
        "1. Unmasked words are reconstructed at different speeds", outcome, f"tiny: {number}", "tiny, 3 seeds",
        '<a href="#figure-claim-reconstruction-speeds">figure</a>',
    ]  # fmt: skip
    sentence = claims.sentence(of)
    assert sentence.startswith(f"{outcome.capitalize()}: tiny has {number}")
    assert says in sentence
    section = claims.section(told, "reconstruction-speeds").data
    assert html.escape(sentence) in section
    assert f'id="figure-{"claim-reconstruction-speeds"}"' in section
    assert cells_of(section.partition("embryology-origin")[0])[-1] == ["tiny", number, outcome, "NNP left out", ""]
    counted = claims.numbers(told)
    assert counted["supported"] == f"{int(outcome == SUPPORTED)} claim{'' if outcome == SUPPORTED else 's'}"
    assert counted["against"] == f"{int(outcome == AGAINST)} claim{'' if outcome == AGAINST else 's'}"
    assert counted["undecided"] == f"{11 + (outcome == UNDECIDED)} claims"


def test_a_section_says_all_that_the_rule_is():
    told = page()
    for claim in CLAIMS:
        section = re.sub("&#x27;", "'", claims.section(told, claim.name).data)
        for text in (claim.wording, claim.place, claim.meaning, claim.statistic, claim.margin, claim.limits):
            assert text in section
        assert claim.rule.words(claim.unit) in section
        assert claim.precondition in section
        assert ("the run has a late phase" in section) == claim.late
        assert f"{claim.written:%d %B %Y, %H:%M} UTC" in section
        assert "<figure" not in section
        assert "2 of the 3 seeds that it takes" in section


def test_rules_in_words():
    assert CLAIMS[0].rule.words(" octaves") == "supported above 1 octaves, not supported below"
    assert "a larger fall decides nothing" in CLAIMS[6].rule.words("")
    assert "not supported beyond" in CLAIMS[7].rule.words("")


def test_what_is_exploratory_says_so_everywhere():
    of = overall([verdict(CLAIMS[0], FOR, exploratory=("seed0: its training began before the rule was written",))])
    told = page(of)
    assert row(told, 1)[1] == "supported (exploratory)"
    assert claims.sentence(of).startswith("Supported (exploratory): ")
    assert "Numbers of 1 claim rest on runs that may have been known when" in claims.numbers(told)["exploratory"]
    assert "seed0: its training began before the rule" in claims.section(told, "reconstruction-speeds").data
    proper = page(overall([verdict(CLAIMS[0], FOR)]))
    assert claims.numbers(proper)["exploratory"].startswith("No number here")


def test_without_a_number_the_reason_stands_in_its_place():
    few, none = overall(others=[without(CLAIMS[0])]), overall(claim=CLAIMS[2])
    told = page(few, none)
    assert row(told, 1)[2:] == ["none; tiny: 2 of the 3 seeds that it takes", "tiny, 2 seeds", ""]
    assert row(told, 3)[1:] == ["undecided", "none: no run of bert", "", ""]
    assert claims.sentence(few) == "Undecided: no recipe at hand has a number for it."
    assert claims.sentence(none) == "Undecided: no run at hand is of bert."


def test_late_phases_are_named():
    assert claims.numbers(page())["late"].startswith("None of 3 series has a late phase")
    late = page(overall([verdict(CLAIMS[6], (0.01, 0.02, 0.015))]), late=SEEDS)
    assert claims.numbers(late)["late"] == "seed0, seed1 and seed2 have a late phase."
    assert row(late, 7)[3] == "tiny, 3 seeds, late phase"
    assert row(page(overall([verdict(CLAIMS[6], (0.01, 0.02, 0.015))]), late=SEEDS[:2]), 7)[3] == "tiny, 3 seeds"


def test_the_figure_is_of_the_seeds_and_of_the_rule():
    both = overall([verdict(CLAIMS[7], FOR), verdict(CLAIMS[7], OPEN, "small")], [without(CLAIMS[7], "baby")])
    shown = seen(claims._figure, both)
    (axis,) = shown.figure.axes
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["tiny", "small"]
    marks = [line.get_xdata().tolist() for line in axis.lines if line.get_label() == "seed"]
    assert marks == [list(FOR), list(OPEN)]
    lines = [line.get_xdata()[0] for line in axis.lines if line.get_label() == "rule"]
    assert lines == [-1.0, 1.0]
    bars = [bar.get_segments()[0][:, 0] for bar in axis.collections]
    for bar, values in zip(bars, (FOR, OPEN), strict=True):
        assert bar == pytest.approx(stats.t.interval(0.95, 2, np.mean(values), stats.sem(values)))
    assert shown.data["value"].tolist() == [*FOR, *OPEN]
    assert shown.data["series"].tolist() == [*SEEDS, *SEEDS]
    assert axis.get_xlabel() == "octaves"
    assert "supported within 1 octaves" in shown.caption
    assert shown.answer == "Syntax and meaning come at the same time: not supported"
    page_of = claims.section(page(both), "syntax-and-meaning").data
    assert csv_of(page_of)["recipe"].tolist() == ["tiny"] * 3 + ["small"] * 3
    assert caption_of(page_of).startswith("Claim 8. ")
    assert "In each seed, by how many octaves" in caption_of(page_of)


def test_confounds_have_their_unit_or_the_reason():
    given = [
        Confound("one", "this", Effect("a", 0.0043, -0.0012, 0.0094, NATS)),
        Confound("two", "that", Effect("a", -0.022, math.nan, math.nan, POINTS)),
        Confound("three", "all", Effect("b", 81.41, 80.84, 81.95, PERCENT)),
        Confound("four", "a study", None, "not measured yet"),
    ]
    assert cells_of(claims.confounds(given).data) == [
        ["one", "this", "+0.0043 nats (-0.0012 to +0.0094)", "a"],
        ["two", "that", "-0.02 points, too few items for an interval", "a"],
        ["three", "all", "81.4% (80.8 to 82.0)", "b"],
        ["four", "a study", "not measured yet", ""],
    ]
