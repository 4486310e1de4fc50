"""Figures of series that differ by their seed alone."""

import re
from dataclasses import replace

from embryology.analysis import seeds
from embryology.analysis.permuted import Chance
from embryology.errors import EmbryologyError
from embryology.figures import seeds as drawn
from embryology.storage.files import read_json, write_json
from tests.synthetic import make_run


def test_where_no_two_runs_are_of_one_recipe_that_is_said(runs):
    assert "no two" in drawn.sentence(seeds.ends(runs[:2])).lower()
    assert drawn.ends(seeds.ends(runs[:2])).data == drawn.facts(runs[:2]).data == ""


def test_intervals_that_do_not_meet_are_said(runs):
    sentence = drawn.sentence(seeds.ends(runs))
    assert re.match(
        r"In \d of 6 comparisons two seeds differ by more than the intervals over items allow: an ", sentence
    )
    cells = re.findall(r"<td>(.*?)</td>", drawn.ends(seeds.ends(runs)).data)
    assert re.fullmatch(r"-\d+\.\d \(-\d+\.\d to -\d+\.\d\)", cells[5])
    assert cells[-1] == "not paired; the intervals meet"
    assert "no item differs" in cells


def test_facts_are_drawn_where_both_were_asked(runs):
    one, other = (followed.paths for followed in seeds.same_facts(runs[0], runs[2]))
    page = drawn.facts(runs).data
    last = seeds.overlap(one, other).iloc[-1]
    assert f"share {100 * last['value']:.0f}% of them" in re.search("<strong>(.*?)</strong>", page)[1]
    assert page.count("<figure") == 1


def test_facts_that_are_no_more_than_chance_are_not_compared(runs, monkeypatch):
    followed = [replace(each, chance=Chance(100.0, 99.0, 0.03)) for each in seeds.same_facts(runs[0], runs[2])]
    monkeypatch.setattr(seeds, "same_facts", lambda *_: tuple(followed))
    page = drawn.facts(runs).data
    assert page.count("Facts that one shares with other seeds are not told. It is not shown that more facts are") == 1
    assert page.count("<p>") == 2
    assert "<figure" not in page


def test_facts_that_are_not_compared_are_a_sentence(runs, monkeypatch):
    def refuse(one, other):
        raise EmbryologyError(f"{one.name} and {other.name} were not asked the same facts; measure both alike")

    monkeypatch.setattr(seeds, "same_facts", refuse)
    assert drawn.facts(runs).data == "<p>Facts: one and other were not asked the same facts; measure both alike.</p>"


def test_a_run_that_was_asked_for_no_facts_has_none_to_share(runs, tmp_path):
    other = make_run(tmp_path / "other", sentences=20, outcome={"seed": 1})
    record = read_json(other.folder.standing)
    write_json(other.folder.standing, {name: record[name] for name in record if name != "knowledge"})
    assert drawn.facts([runs[0], other]).data == ""
