"""When layers settle, of curves that are known, and what is not told."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import similarity, tables
from tests.synthetic import STEPS, make_run
from tests.synthetic_similarity import KNOWN, value

AT = np.array([0, 10, 20, 40, 80, 160, 320, 640])


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "synthetic", sentences=2, only=("similarity",))


@pytest.fixture(scope="module")
def frame(series):
    return tables.read([series], "similarity")


@pytest.fixture(scope="module")
def settling(series, frame):
    return similarity.read(series, frame)


def items(curves, wobble=0.0, groups=20, seed=0):
    """Of curves over :data:`AT`, one a layer; each group that is left out moves a whole curve."""
    rng = np.random.default_rng(seed)
    rows = []
    for layer, curve in enumerate(curves):
        moved = wobble * rng.normal(size=groups)
        for without in range(groups + 1):
            values = np.asarray(curve, float).copy()
            values[1:-1] += moved[without - 1] if without else 0
            for step, each in zip(AT, values, strict=True):
                rows.append((step, layer, without, 20 * (without > 0), each))
    return pd.DataFrame(rows, columns=["step", "layer", "without", "words", "cka"])


def test_layers_are_halfway_when_they_were_made_to_be(settling):
    for metric in ("cka", "pwcca"):
        times = settling.times[metric]
        for layer, (half, begins) in KNOWN.items():
            row = times.loc[layer]
            before, after = max(step for step in STEPS if step <= half), min(step for step in STEPS if step > half)
            assert row["state"] == "reached"
            curve = [value(layer, step, STEPS[-1]) for step in STEPS]
            assert row["step"] == pytest.approx(np.interp((1 + begins) / 2, curve, STEPS), rel=1e-6)
            assert (row["low"], row["high"], row["spacing"]) == (before, after, after - before)
    assert settling.reference == STEPS[-1]
    assert not settling.trained_on
    assert settling.pairs["cka"]["first"].tolist() == ["lower"] * 3
    assert similarity.bottom_up(settling.pairs["cka"]) == "lower"


def test_the_reference_is_what_was_measured_against_also_where_training_went_on(series, frame, monkeypatch):
    stood = similarity.measurements.standing(series.folder)["similarity"]
    recorded = stood.model_copy(update={"data": {**(stood.data or {}), "reference": {"step": STEPS[-2]}}})
    items = similarity.measurements.read_items(series, "similarity")
    monkeypatch.setattr(similarity.measurements, "read_items", lambda series, probe: items)
    monkeypatch.setattr(similarity.measurements, "standing", lambda run: {"similarity": recorded})
    read = similarity.read(series, frame[frame["step"] < STEPS[-1]])
    assert (read.reference, read.trained_on) == (STEPS[-2], True)


def test_the_interval_is_that_of_the_jackknife_of_the_logarithm():
    curve = [0.2, 0.21, 0.22, 0.24, 0.4, 0.75, 0.95, 1]
    made = items([curve], 0.04)
    row = similarity.settled(made, "cka", 640).loc[0]
    at = np.array([
        np.interp(0.6, values.sort_values("step")["cka"], AT) for _, values in made.groupby("without")
    ])  # fmt: skip
    half = stats.t.ppf(0.975, 19) * np.sqrt(19 / 20 * np.sum((np.log(at[1:]) - np.log(at[1:]).mean()) ** 2))
    low, high = np.exp(np.log(at[0]) - half), np.exp(np.log(at[0]) + half)
    assert row["step"] == pytest.approx(at[0])
    assert row["resampled"] == pytest.approx(at)
    assert 40 < low < 80
    assert 160 < high < 320
    assert (row["low"], row["high"]) == (40, 320)


def test_a_layer_that_is_halfway_at_the_reference_alone_is_not():
    late, steady = [0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.3, 1], [0.2, 0.2, 0.2, 0.2, 0.2, 0.3, 0.9, 1]
    times = similarity.settled(items([late, steady]), "cka", 640)
    assert times["state"].tolist() == ["not reached", "reached"]
    assert np.isnan(times.loc[0, "step"])
    times = similarity.settled(items([late]), "cka", 1280)  # of a reference that comes later
    assert times["state"].tolist() == ["reached"]


def test_what_does_not_change_or_cannot_be_told_has_no_time():
    still = np.ones(8)
    gone = [0.2, np.nan, 0.3, 0.4, 0.5, 0.8, 0.9, 1]
    clear = [0.2, 0.2, 0.3, 0.4, 0.5, 0.8, 0.9, 1]
    times = similarity.settled(items([still, gone, clear]), "cka", 640)
    assert times["state"].tolist() == ["cannot be told", "cannot be told", "reached"]
    assert (similarity.settled(items([clear], groups=9), "cka", 640)["state"] == "cannot be told").all()
    assert (similarity.settled(items([clear]), "cka", 640, told=False)["state"] == "cannot be told").all()
    # A first value whose distance from 1 is within its interval.
    rows = items([clear])
    rows.loc[(rows["step"] == 0) & (rows["without"] % 2 == 1), "cka"] = 0.9
    assert similarity.settled(rows, "cka", 640).loc[0, "state"] == "cannot be told"


def crossing(at):
    """A curve that is halfway at a step."""
    return np.interp(np.log(np.maximum(AT, 1)), [0, np.log(at), np.log(640)], [0, 0.5, 1])


@pytest.mark.parametrize(
    ("halves", "wobble", "first"),
    [
        ((30, 300), 0.0, "lower"),
        ((300, 30), 0.0, "upper"),
        ((30, 35), 0.0, None),  # closer than the checkpoints around
        ((25, 270), 0.1, None),  # further, and not certain
    ],
)
def test_of_two_layers_one_settles_first_where_that_is_certain(halves, wobble, first):
    made = items([crossing(half) for half in halves], wobble)
    pairs = similarity._pairs(similarity.settled(made, "cka", 640), similarity._counts(made))
    assert pairs["first"].tolist() == [first]
    assert similarity.bottom_up(pairs) == first


def test_layers_in_no_order_are_neither():
    pairs = pd.DataFrame({"first": ["lower", None, "upper"]})
    assert similarity.bottom_up(pairs) == "neither"


def test_maps_are_symmetric_with_ones(frame):
    square = similarity.square(frame, 640)
    assert square == pytest.approx(np.array([[1, 0.836, 0.736], [0.836, 1, 0.836], [0.736, 0.836, 1]]))


def test_few_checkpoints_tell_nothing(series):
    few = tables.read([series], "similarity", "0,640,2000")
    settling = similarity.read(series, few)
    assert (settling.times["cka"]["state"] == "cannot be told").all()
    assert settling.pairs["cka"]["first"].isna().all()
