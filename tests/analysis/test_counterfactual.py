"""What a thing taught, of tables whose effects are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis.counterfactual import by_checkpoint, of_things, over_things

OWN = {("a", "without"): [-2.0, -1.0], ("a", "floor"): [0.5, 0.1], ("b", "without"): [-3.0], ("b", "floor"): [-0.2]}


def effects():
    rng, rows = np.random.default_rng(0), []
    for query, items in (("a", 2), ("b", 1), ("c", 0)):
        for run in ("without", "floor"):
            for step in (40, 60):
                known = [value * step / 60 for value in OWN.get((query, run), [])]
                others = [*rng.normal(0, 0.1, 400), *known]
                for number, effect in enumerate(others):
                    asked = number >= 400
                    rows.append((query, run, "tokens", step, number, asked, effect, 10 * items, items, 23))
                rows.append((query, run, "knowledge", step, 0, False, 50.0, 10 * items, items, 23))
    names = ["query", "run", "probe", "step", "item_id", "asked", "effect", "sequences", "masked", "first"]
    return pd.DataFrame(rows, columns=names)


def test_effects_on_a_thing_stand_beside_those_of_the_noise_floor():
    table = of_things(effects()).set_index("query")
    assert table.loc["a", ["items", "sequences", "masked", "first", "step"]].tolist() == [2, 20, 2, 23, 60]
    assert table.loc["a", ["without", "floor"]].tolist() == pytest.approx([-1.5, 0.3])
    assert table.loc["b", ["without", "floor"]].tolist() == pytest.approx([-3, -0.2])
    frame = effects()
    noise = frame[(frame["query"] == "b") & (frame["run"] == "floor") & (frame["step"] == 60) & ~frame["asked"]]
    own = noise[noise["probe"] == "tokens"]["effect"]
    assert table.loc["b", ["low", "high"]].tolist() == pytest.approx(np.quantile(own, [0.025, 0.975]).tolist())
    assert table.loc["c", ["without", "floor", "low", "high"]].isna().all()
    assert of_things(effects(), 40).set_index("query").loc["a", "without"] == pytest.approx(-1)


def test_the_mean_over_things_has_students_interval():
    table = over_things(by_checkpoint(effects()))
    assert table["step"].tolist() == [40] * 3 + [60] * 3
    last = table[table["step"] == 60].set_index("of")
    for name, values in (("without", [-1.5, -3]), ("floor", [0.3, -0.2]), ("difference", [-1.8, -2.8])):
        assert last.loc[name, "value"] == pytest.approx(np.mean(values))
        assert last.loc[name, "things"] == 2
        half = stats.t.ppf(0.975, 1) * stats.sem(values)
        assert last.loc[name, "high"] == pytest.approx(np.mean(values) + half, nan_ok=True) or np.isnan(
            last.loc[name, "high"]
        )
