"""The analysis of edge probes, on curves that are known."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import edges, tables
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from tests.synthetic import EDGES, STEPS, known_edge


@pytest.fixture(scope="module")
def frame(series):
    return tables.read([series], "edges")


def test_tasks_come_in_the_order_of_figures(frame):
    assert edges.tasks(frame) == ["made-up/pos", "made-up/entity", "made-up/role"]
    assert edges.label("made-up/pos") == "part of speech (made-up)"
    assert edges.layers(frame) == [0, 1, 2, 3]


def test_a_curve_is_what_was_measured(frame):
    rows = edges.curve(frame, "made-up/pos", 2)
    assert rows["step"].tolist() == list(STEPS)
    assert rows["value"].tolist() == pytest.approx([known_edge("made-up/pos", 2, step) for step in STEPS])
    assert edges.curve(frame, "made-up/pos", None, baseline="majority")["value"].unique() == [0.2]
    assert edges.curve(frame, "made-up/pos", 9).empty


def test_seeds_are_averaged_and_their_intervals_joined(frame):
    shifted = frame.assign(seed=1, value=frame["value"] + 0.1, low=frame["low"] + 0.1, high=frame["high"] + 0.1)
    both = edges.curve(
        frame.__class__(np.vstack([frame, shifted]), columns=frame.columns).infer_objects(), "made-up/pos", 2
    )
    one = edges.curve(frame, "made-up/pos", 2)
    assert both["value"].to_numpy(float) == pytest.approx(one["value"] + 0.05)
    assert (both["high"] - both["low"]).to_numpy(float) == pytest.approx(one["high"] - one["low"] + 0.1)


def test_the_untrained_model_is_a_baseline_of_every_step(frame):
    rows = edges.curve(frame, "made-up/pos", 3, baseline="untrained")
    assert rows["step"].tolist() == list(STEPS)
    assert rows["value"].unique() == pytest.approx([known_edge("made-up/pos", 3, 0)])


def test_what_lies_beyond_baselines(frame):
    assert all(edges.beyond(frame, "made-up/pos", 2).values())
    assert not any(edges.beyond(frame, "made-up/entity", 2).values())


def test_half_of_a_gain_is_found_between_checkpoints(frame):
    halves = edges.half_gains(frame, 2)
    assert list(halves.index) == ["made-up/pos", "made-up/role"]  # the entity task gains nothing
    for task, row in halves.iterrows():
        half = EDGES[task][0]
        assert row["step"] == pytest.approx(half, rel=0.15)
        assert row["low"] < half < row["high"]
        assert {row["low"], row["high"]} <= set(STEPS)
    assert edges.ranks(halves) == [["made-up/pos"], ["made-up/role"]]


def test_the_interval_of_half_a_gain_holds_the_noise_of_curve_and_level(frame):
    wide = frame.assign(low=frame["value"] - 0.04, high=frame["value"] + 0.04)
    narrow, halves = edges.half_gains(frame, 2), edges.half_gains(wide, 2)
    for task, row in halves.iterrows():
        # Low and high are 0.04 around, so that half is as uncertain: ends are 0.08 from the curve.
        values = np.array([known_edge(task, 2, step) for step in STEPS])
        half = values[[0, -1]].mean()
        assert row["low"] == STEPS[max(np.flatnonzero(values >= half - 0.08)[0] - 1, 0)]
        assert row["high"] == STEPS[np.flatnonzero(values < half + 0.08)[-1] + 1]
        assert row["low"] <= narrow.loc[task, "low"] <= narrow.loc[task, "high"] <= row["high"]
    never = frame.assign(low=frame["value"] - 0.1, high=frame["value"] + 0.1)
    assert edges.half_gains(never, 2)["high"].to_dict() == {"made-up/pos": 320, "made-up/role": np.inf}


def curve_of(task="a/pos", layer=2, group="", baseline=None, **ends):
    """Micro F1 at steps 0, 10, 20, …; ``low`` and ``high`` as given, or 0.01 around."""
    values = np.asarray(ends["value"], float)
    rows = pd.DataFrame({"series": "s", "task": task, "layer": float(layer), "step": 10 * np.arange(len(values))})
    rows = rows.assign(tokens=1, group=group, metric="f1_micro", baseline=baseline, n=100, value=values)
    return rows.assign(low=ends.get("low", values - 0.01), high=ends.get("high", values + 0.01))


def test_a_gain_within_the_intervals_has_no_half_and_an_interval_ends_where_a_curve_lies_above_for_good():
    dips = curve_of(value=[0.1, 0.3, 0.9, 0.4, 0.9, 0.9])
    halves = edges.half_gains(dips, 2)
    assert halves.loc["a/pos"].tolist() == pytest.approx([10 + 10 * (0.5 - 0.3) / 0.6, 10, 40])
    within = curve_of(value=[0.50, 0.51, 0.52], low=[0.4, 0.4, 0.51], high=[0.53, 0.6, 0.6])
    assert edges.half_gains(within, 2).empty
    # Half of the value is 0.5, of the lower ends 0.35 and of the upper ones 0.65: 0.45 and 0.55 are not told from it.
    wide = curve_of(value=[0.1, 0.3, 0.38, 0.55, 0.7, 0.82, 0.9]).assign(low=lambda t: t["value"] - 0.15)
    wide["high"] = wide["value"] + 0.15
    assert edges.half_gains(wide, 2).loc["a/pos", ["low", "high"]].tolist() == [0, 50]


def test_baselines_are_those_of_the_same_layer_and_their_intervals_have_to_be_cleared():
    frame = pd.concat(
        [
            curve_of(value=[0.5, 0.8]),
            curve_of(layer=0, value=[0.3, 0.78], high=[0.4, 0.80]),
            curve_of(layer=2, value=[0.5, 0.5], baseline="untrained"),
            curve_of(layer=0, value=[0.9, 0.9], baseline="untrained"),
            curve_of(layer=np.nan, value=[0.6, 0.6], baseline="majority"),
        ]
    )
    assert edges.beyond(frame, "a/pos", 2) == {
        "the majority": True, "the untrained model": True, "the static embeddings": False
    }  # fmt: skip
    assert edges.curve(pd.concat([frame, curve_of(group="NN", value=[0.0, 0.0])]), "a/pos", 2)["value"].tolist() == [
        0.5,
        0.8,
    ]


def test_the_best_layer_is_that_of_the_last_checkpoint_and_layers_below_static_ones_weigh_nothing():
    layers = {0: [0.5, 0.5], 1: [0.99, 0.6], 2: [0.5, 0.7], 3: [0.5, 0.2]}
    frame = pd.concat([curve_of(layer=layer, value=values) for layer, values in layers.items()])
    assert edges.best_layer(frame) == 2
    centre = edges.centre_of_gravity(frame, "a/pos")
    assert centre.to_dict() == pytest.approx({0: 1, 10: (0.1 * 1 + 0.2 * 2) / 0.3})
    within = frame.assign(high=frame["value"] + 0.3)  # no layer is shown to add anything at the end
    assert np.isnan(edges.centre_of_gravity(within, "a/pos")[10])


def test_a_task_that_may_be_as_early_as_those_before_is_of_their_rank():
    halves = pd.DataFrame({"step": [1, 9, 12], "low": [0, 8, 3], "high": [5, 20, 30]}, index=["a", "b", "c"])
    assert edges.ranks(halves) == [["a", "b", "c"]]


def test_ranks_are_told_apart_where_intervals_do_not_overlap():
    halves = pd.DataFrame(
        {"step": [1, 2, 9, 30], "low": [0, 1, 8, 20], "high": [5, 8, 20, np.inf]}, index=["a", "b", "c", "d"]
    )
    assert edges.ranks(halves) == [["a", "b"], ["c"], ["d"]]
    assert edges.ranks(halves.head(0)) == []


def test_the_best_layer_and_the_centre_are_where_the_gain_is(frame):
    assert edges.best_layer(frame) == 2
    grid = edges.grid(frame, "made-up/pos")
    assert grid.shape == (4, len(STEPS))
    assert grid[STEPS[-1]].idxmax() == 2
    centre = edges.centre_of_gravity(frame, "made-up/pos")
    gains = np.array([known_edge("made-up/pos", layer, STEPS[-1]) for layer in range(4)])
    gains = (gains - gains[0]).clip(0)
    assert centre[STEPS[-1]] == pytest.approx((gains * np.arange(4)).sum() / gains.sum())
    assert np.isnan(centre[0])  # nothing is above the embeddings yet


def test_single_labels_are_in_no_curve(frame):
    labels = frame[frame["metric"] == "f1"].assign(metric="f1_micro", value=1.0, low=1.0, high=1.0)
    assert len(labels)
    both = pd.concat([frame, labels])
    for layer in edges.layers(frame):
        assert edges.curve(both, "made-up/pos", layer).equals(edges.curve(frame, "made-up/pos", layer))
    assert edges.curve(frame, "made-up/pos", 2, "f1").empty
    worst = pd.concat([frame, labels[labels["layer"] == 0]])
    assert edges.best_layer(worst) == edges.best_layer(frame)


def test_chosen_steps_are_those_that_the_probe_has_too(series):
    rows = measurements.read(series, "edges")
    thinned = rows[rows["step"] != 20]
    assert set(tables.select(thinned, series, "0,20,320")["step"]) == {0, 320}
    assert set(tables.read([series], "edges", "last")["step"]) == {2000}
    with pytest.raises(EmbryologyError, match="synthetic was not measured at step 20; it was at 0, 40"):
        tables.select(thinned, series, "20")
    with pytest.raises(EmbryologyError, match="synthetic has no checkpoint at step 15"):
        tables.read([series], "edges", "0,15")


def test_sources_are_by_task(series):
    assert set(edges.sources(series)) == set(EDGES)
