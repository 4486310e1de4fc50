"""Figures of the recipe study."""

import re

import pytest

from embryology.figures import recipes as drawn
from tests.analysis.test_recipes import made_up


@pytest.fixture
def runs():
    return made_up()


def test_prose_names_what_seeds_do_not_explain(runs):
    values = drawn.numbers(runs)
    assert values["worse"] == "peak rate 3e-3 and masked share 15%"
    assert values["better"] == "none"
    assert values["stalled"] == "peak rate 3e-3"
    assert (values["variants"], values["seeds"], values["budget"]) == ("3", "2", "0.40 to 0.40 million pieces")


def test_figure_and_table_show_every_seed(runs):
    figure, table = drawn.below_unigram(runs).data, drawn.table(runs).data
    assert 'alt="Dot chart of 3 variants of tiny. 2 of 3 variants end worse than tiny' in figure
    assert "-0.010, 0.000" in table
    assert "never, never" in table
    assert re.search(r"-0\.205 \(-0\.2\d\d to -0\.1\d\d\)", table)
