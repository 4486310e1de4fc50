"""Figures of the recipe study, of runs whose ends are known."""

import numpy as np
import pytest

from embryology.analysis import recipes
from embryology.figures import recipes as drawn
from tests.analysis.test_recipes import BELOW, made_up
from tests.figures.reading import bars, cells_of, line, seen


@pytest.fixture(scope="module")
def runs():
    return made_up()


@pytest.fixture(scope="module")
def apart():
    """Of a study in which a variant ends better, and one worse by less than seeds explain, on unequal text."""
    runs = made_up()
    better = (runs["setting"] == "6") & (runs["step"] == 400)
    runs.loc[better, "held_out_masked_loss"] -= 0.2
    less = (runs["factor"] == "masked share") & (runs["step"] == 400)
    runs.loc[less, "held_out_masked_loss"] -= 0.2
    runs["setting"] = runs["setting"].replace({"15%": "15%, rate 1e-3"})
    runs.loc[runs["seed"] == 1, "tokens"] //= 2
    return runs


@pytest.fixture(scope="module", autouse=True)
def _compared_once(runs, apart):
    """Dunnett's intervals take most of the time of what asks for them."""
    tables = {id(each): recipes.compared(each) for each in (runs, apart)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipes, "compared", lambda runs: tables[id(runs)].copy())
        yield


def test_prose_names_what_seeds_do_not_explain(runs, apart):
    values = drawn.numbers(runs)
    assert values["worse"] == "peak rate 3e-3 and masked share 15%"
    assert values["better"] == values["two"] == "none"
    assert values["stalled"] == "peak rate 3e-3"
    assert (values["variants"], values["seeds"], values["budget"]) == ("3", "2", "0.40 to 0.40 million pieces")
    values = drawn.numbers(apart)
    below = recipes.compared(apart).set_index("factor").loc["masked share"]
    assert below["difference"] < 0 < below["high"]
    assert values["worse"] == "peak rate 3e-3"
    assert values["better"] == "layers 6"
    assert values["two"] == "masked share 15% with rate 1e-3"
    assert values["budget"] == "0.20 to 0.40 million pieces"


def test_the_noise_is_half_of_an_interval(runs):
    """All variants have as many seeds, so that their intervals are equally wide."""
    table = recipes.compared(runs).set_index("factor")
    assert drawn.numbers(runs)["noise"] == f"{table.loc['layers', 'high'] - table.loc['layers', 'difference']:.2f} nats"


def test_bands_lie_around_the_mean_of_tiny_and_every_seed_is_drawn(runs):
    shown = seen(drawn.below_unigram, runs)
    (axis,) = shown.figure.axes
    table = recipes.compared(runs)
    (ends,) = bars(axis)
    expected = [(2 - place, 0.51 + row["low"], 0.51 + row["high"]) for place, row in table[1:].reset_index().iterrows()]
    assert ends == pytest.approx(np.array(expected))
    for seed in (0, 1):
        points = [(below[seed], 3 - place) for place, below in enumerate(BELOW.values())]
        assert line(axis, f"seed {seed}") == pytest.approx(np.array(points))
    assert line(axis, "tiny")[:, 0].tolist() == pytest.approx([0.51, 0.51])
    assert line(axis, "unigram frequencies")[:, 0].tolist() == [0, 0]
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == ["tiny", "masked share 15%", "peak rate 3e-3", "layers 6"]
    assert shown.answer == "2 of 3 variants end worse than tiny beyond what seeds explain, 0 better"
    assert shown.alt.endswith("Worse: peak rate 3e-3 and masked share 15%.")
    assert shown.data[["seed 0", "seed 1"]].to_numpy() == pytest.approx(np.array(list(BELOW.values())))


def test_the_answer_counts_intervals_that_leave_out_0(apart):
    assert seen(drawn.below_unigram, apart).answer == (
        "1 of 3 variants end worse than tiny beyond what seeds explain, 1 better"
    )


def test_the_table_has_every_seed_and_when_it_left_the_plateau(runs):
    rows = cells_of(drawn.table(runs).data)
    assert rows[0][:4] == ["tiny", "as it is", "0.500, 0.520", ""]
    low, high = recipes.compared(runs).loc[2, ["low", "high"]]
    assert rows[2][:4] == ["peak rate", "3e-3", "-0.010, 0.000", f"-0.515 ({low:+.3f} to {high:+.3f})"]
    assert rows[2][4] == "never, never"
    # The loss falls from 9 by 2.8 and 2.82 over 400,000 tokens, and is at 6.6 after 2.4 of them.
    assert rows[0][4] == f"{0.4 * 2.4 / 2.8:.2f}, {0.4 * 2.4 / 2.82:.2f}"
