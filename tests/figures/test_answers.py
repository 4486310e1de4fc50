"""How pages open: the question, the answer by its rule, and for which runs it holds."""

from types import SimpleNamespace

import pandas as pd
import pytest

from embryology.analysis.all_runs import Score
from embryology.figures import all_runs, answers
from tests.figures.reading import csv_of
from tests.synthetic import make_run

COVERS = ("embryology/figures/all_runs.py",)


def test_a_page_opens_with_the_question_the_answer_and_what_it_rests_on():
    said = answers.said("Does it?", "yes: in 2 of 3", "one run.").data
    assert said == "**Does it?** Yes: in 2 of 3.\n\n*One run.*"


def test_a_command_in_an_answer_is_code():
    said = answers.said("Does it?", "cannot be told (embryology probe RUN --probe x)", "One run").data
    assert said.startswith("**Does it?** Cannot be told (`embryology probe RUN --probe x`).")


@pytest.mark.parametrize(
    ("count", "total", "word"), [(3, 3, "Yes"), (1, 3, "In part"), (0, 3, "No"), (0, 0, "Cannot be told")]
)
def test_yes_no_in_part_and_cannot_be_told_are_by_the_count(count, total, word):
    assert answers.of(count, total) == word


def test_what_an_answer_rests_on_names_the_run_its_seed_and_the_recipes():
    run = SimpleNamespace(name="tiny", seed=0, recipe="a")
    assert answers.of_one(run, "words") == (
        "Holds for tiny, seed 0: one training; intervals are over words and say nothing of another seed"
    )
    assert answers.of_one(SimpleNamespace(name="x", seed=None)).startswith("Holds for x: one training; another seed")
    others = [run, SimpleNamespace(name="b", recipe="a"), SimpleNamespace(name="c", recipe=None)]
    assert answers.of_several(others) == "Rests on 3 runs of 2 recipes"
    assert [answers.count(1, "run"), answers.count(2, "run"), answers.count(1, "series")] == [
        "1 run",
        "2 runs",
        "1 series",
    ]


def scores():
    def one(series, last, low):
        rows = pd.DataFrame({"step": [0.0, 50.0, 100.0], "tokens": [0.0, 1e3, 2e3], "value": [0.1, 0.2, last]})
        rows = rows.assign(low=[0.0, 0.1, low], high=[0.2, 0.3, last + 0.1], blind=0.4, blind_high=0.45)
        return Score("tags", series, rows)

    return [one("own", 0.6, 0.5), one("other", 0.42, 0.35)]


def test_the_page_of_a_question_counts_what_ends_beyond_blind_answers_and_what_changes_late(tmp_path):
    runs = [make_run(tmp_path / name, steps=(0, 20), sentences=10, only=("edges",)) for name in ("own", "other")]
    said = all_runs.answer(scores(), runs, "language").data
    assert "In part: 1 of 2 scores end beyond every blind answer" in said
    assert "Yes: 1 of 1 score ends beyond" in all_runs.answer(scores()[:1], runs, "language").data
    assert "2 of 2 still rise, 0 fall, and of 0 no change is shown" in said
    figure = all_runs.curves(scores(), "language").data
    table = csv_of(figure)
    assert table.loc[table["series"] == "own", "value"].tolist() == [0.1, 0.2, 0.6]
    assert set(table["blind"]) == {0.4}
    assert "1 panel over tokens read" in figure
    rows = all_runs.table(scores()).data
    assert "60.0% (50.0 to 70.0)" in rows
    assert "40.0%" in rows


def test_of_nothing_it_cannot_be_told(tmp_path):
    run = make_run(tmp_path / "run", steps=(0, 20), sentences=10, only=("tokens",))
    assert all_runs.answer([], [run], "world").data.endswith("Cannot be told.\n\n*None of 1 runs at hand was asked.*")
    assert "Not drawn" in all_runs.curves([], "world").data
    assert all_runs.late([]).startswith("Whether more steps help cannot be told")
