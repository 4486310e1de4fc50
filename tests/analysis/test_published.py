"""The published curves, held against the numbers in their files."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import published

ANSWERS = published.TAG_OF


def points(model):
    """By tag, steps and values as they stand in the file."""
    table = pd.read_csv(published.FOLDER / f"{model.lower()}_reconstruction.csv").sort_values("step")
    return {
        ANSWERS[name]: (rows["step"].to_numpy(), rows["value"].to_numpy()) for name, rows in table.groupby("series")
    }


@pytest.mark.parametrize("model", published.MODELS)
def test_learning_times_are_those_of_the_file_of_the_model(model):
    times = published.learning_times(model)
    for tag, (steps, values) in points(model).items():
        after = np.argmax(values >= values[-1] / 2)
        (x, y), (a, b) = steps[after - 1 : after + 1], values[after - 1 : after + 1]
        assert times.loc[tag, "step"] == pytest.approx(x + (values[-1] / 2 - a) / (b - a) * (y - x))
        assert times.loc[tag, ["low", "high", "final"]].tolist() == [x, y, values[-1]]
        assert times.loc[tag, "spacing"] == y - x


def measured(accuracies):
    """Rows of the tokens probe: by step the accuracy of each tag."""
    rows = [
        {"series": "s", "task": "reconstruction", "metric": "accuracy", "baseline": None, "group": tag, "step": step,
         "tokens": step, "value": value, "low": value, "high": value, "n": 1}
        for step, by_tag in accuracies.items() for tag, value in by_tag.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_age_is_that_of_the_model_that_is_asked_for():
    bert = {
        step: {tag: values[steps == step][0] for tag, (steps, values) in points("BERT").items()}
        for step in (6000, 30000)
    }
    age = published.developmental_age(measured(bert), "BERT")
    assert age[["step", "published_step", "difference"]].to_numpy().tolist() == [[6000, 6000, 0], [30000, 30000, 0]]
    assert (published.developmental_age(measured(bert))["difference"] > 0).all()


def test_differences_of_groups_do_not_cancel_and_ranks_are_compared():
    """Of ALBERT at step 12,000, half of the groups more and half less, by an amount of their own."""
    albert = points("ALBERT")
    then = {tag: values[steps == 12000][0] for tag, (steps, values) in albert.items()}
    moved = {tag: value + (0.03 if number % 2 else -0.03) for number, (tag, value) in enumerate(then.items())}
    (row,) = published.developmental_age(measured({5: moved})).to_dict("records")
    nearest = min(
        np.mean([abs(values[steps == step][0] - moved[tag]) for tag, (steps, values) in albert.items()])
        for step in albert["DT"][0]
    )
    assert row["difference"] == pytest.approx(nearest)
    there = [values[steps == row["published_step"]][0] for steps, values in albert.values()]
    assert row["rank_correlation"] == pytest.approx(stats.spearmanr(list(moved.values()), there).statistic)
    assert row["rank_correlation"] != pytest.approx(stats.pearsonr(list(moved.values()), there).statistic, abs=1e-6)
