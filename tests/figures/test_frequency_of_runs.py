"""What is said of frequency in a line, of agreements and gains that are made by hand."""

import pandas as pd
import pytest

from embryology.analysis.beyond_frequency import Brief, Orders
from embryology.analysis.learning_order import Agreement
from embryology.figures import frequency_of_runs as drawn
from tests.figures.reading import cells_of


def alike(tau):
    return Agreement(tau, None if tau is None else 0.1, 9, 1, 1, 1)


def gains(value, low, high, often=0.5):
    rows = {"part of speech": (value, low, high), "frequency": (often, often - 0.1, often + 0.2)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])


ORDERS = Orders(run_and_published=alike(0.25), run_and_frequency=alike(0.5), published_and_frequency=alike(-0.75))


@pytest.fixture
def briefs():
    """Of types part of speech tells more in one of two runs, of words in both."""
    one = Brief(ORDERS, {"word type": gains(0.25, 0.125, 0.375), "word": gains(0.0625, 0.03, 0.09, 0.75)})
    other = Brief(
        Orders(alike(None), alike(1.0), alike(0.0)),
        {"word type": gains(0.25, -0.125, 0.375), "word": gains(0.0625, 0.03, 0.09)},
    )
    return {"one": one, "other": other, "third": "its words were not counted"}


def test_every_number_stands_in_its_column(briefs):
    table = pd.DataFrame(cells_of(drawn.of_runs(briefs).data), columns=["run", *drawn.COLUMNS]).set_index("run")
    assert table.loc["one"].to_dict() == {
        "τ with frequency's order": "0.50",
        "τ with the published order": "0.25",
        "τ of these two": "-0.75",
        "part of speech adds, nats a word type": "0.250 (0.125 to 0.375)",
        "frequency adds, nats a word type": "0.500 (0.400 to 0.700)",
        "part of speech adds, nats a word": "0.062 (0.030 to 0.090)",
        "frequency adds, nats a word": "0.750 (0.650 to 0.950)",
    }
    assert table.loc["other"].tolist()[:3] == ["1.00", "undefined", "0.00"]
    assert table.loc["third"].tolist() == ["its words were not counted", *[""] * 6]


def test_runs_are_counted_whose_interval_lies_above_0(briefs):
    assert drawn.in_runs(briefs) == (
        "Of word types that were held out, part of speech is shown to tell more than frequency alone in 1 of 2 runs; "
        "of single words in 2."
    )
    assert drawn.in_runs({"third": "x"}) == "How much of these orders is that of frequency cannot be told."


def test_the_front_page_has_each_agreement_with_its_orders(briefs):
    assert drawn.beside_it(briefs["one"]) == (
        "Is it just frequency? Ranked by how often the training text has their words, and by nothing else, the groups "
        "have τ = 0.50 with this run's order and -0.75 with the published one, which has 0.25 with this run's. Of "
        "words that were held out, part of speech tells more than frequency alone: 0.250 nats (0.125 to 0.375) a word "
        "type; to part of speech frequency adds 0.500 nats (0.400 to 0.700)."
    )
    assert drawn.beside_it("none was counted") == (
        "How much of this order is that of frequency is not told: none was counted."
    )
