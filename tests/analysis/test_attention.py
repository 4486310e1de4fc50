"""When attention forms: curves with known times, and answers whose order is known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import attention, tables
from embryology.analysis.learning_order import NEVER_BEYOND, REACHED, UNTOLD
from tests.synthetic import STEPS, make_run
from tests.synthetic_attention import EVEN, KNOWN, PIECES, rise


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "made", sentences=2, only=("attention",))


@pytest.fixture(scope="module")
def frame(series):
    return tables.read([series], "attention")


@pytest.fixture(scope="module")
def formation(series, frame):
    return attention.read(series, frame)


def around(step):
    """The checkpoints before and after a step."""
    return max(each for each in STEPS if each <= step), min(each for each in STEPS if each >= step)


def test_a_pattern_comes_where_it_was_planted_and_nowhere_else(formation):
    heads = {name: set(times.index[times["state"] == REACHED]) for name, times in formation.heads.items()}
    assert heads == {"self": set(), "previous": {"1-1"}, "next": {"2-2"}, "first": set(), "separator": set()}
    assert set(formation.heads["previous"]["state"]) == {REACHED, NEVER_BEYOND}
    for (head, name), (half, steep, final) in KNOWN.items():
        for times, tag in ((formation.heads[name], head), (formation.patterns[name], f"layer {head[0]}")):
            row = times.loc[tag]
            ends = np.mean([EVEN + (final - EVEN) * rise(step, half, steep) for step in STEPS[-3:]])
            assert row["final"] == pytest.approx(ends, abs=1e-3)
            assert row["blind"] == pytest.approx(EVEN, abs=2e-3)
            middle = (EVEN + ends) / 2
            curve = [EVEN + (final - EVEN) * rise(step, half, steep) for step in STEPS]
            assert row["step"] == pytest.approx(np.interp(middle, curve, STEPS), rel=0.02)
            low, high = around(row["step"])
            assert row["low"] <= low
            assert row["high"] >= high


def test_the_head_of_a_layer_is_that_of_the_other_half_of_the_documents():
    values = np.zeros((4, 3, 2))  # sentences, heads, steps
    values[:2, 0], values[:2, 1] = 0.9, 0.2  # the first document has head 1, the second head 2
    values[2:, 0], values[2:, 1] = 0.1, 0.7
    values[:, 2] = [0.3, 0.4]
    halves = attention._halves(["a-1", "a-2", "b-1", "b-2"])
    assert halves.tolist() == [0, 0, 1, 1]
    chosen = attention._specialists(values, np.array([1, 1, 2]), halves)
    assert chosen[:, 0, 0].tolist() == [0.2, 0.2, 0.1, 0.1]
    assert chosen[:, 1].tolist() == [[0.3, 0.4]] * 4
    assert attention._halves(["a-1", "a-2", "a-3"]).tolist() == [0, 1, 0]
    assert np.isnan(attention._specialists(values[:1], np.array([1, 1, 2]), halves[:1])).all()


def test_intervals_are_those_of_the_resamples_without_what_was_measured(series, frame, monkeypatch):
    """All resamples are the first sentence alone, so that it is both ends."""

    def all_and_the_first(sentences, seed):
        return np.stack([np.ones(sentences), np.eye(sentences)[0] * sentences])

    monkeypatch.setattr(attention, "_weights", all_and_the_first)
    curves = attention.read(series, frame).curves
    assert (curves["low"] == curves["high"]).all()
    assert (curves["value"] != curves["low"]).any()


def test_relations_have_times_beyond_the_offset_alone(formation, frame):
    times = formation.relations
    assert list(times.index) == ["", "det", "nsubj"]
    assert times["state"].to_dict() == {"": REACHED, "det": REACHED, "nsubj": NEVER_BEYOND}
    assert times["blind"]["det"] == pytest.approx(0.5, abs=0.01)
    # 0.1 + 0.85 × rise is halfway from 0.5 to 0.95 where rise is 0.74.
    curve = [0.1 + 0.85 * rise(step, 300, 12) for step in STEPS]
    assert times["step"]["det"] == pytest.approx(np.interp(0.725, curve, STEPS), rel=0.02)
    assert formation.attached["state"].to_dict() == {"": REACHED}
    assert formation.attached.loc["", "step"] < times.loc["", "step"]
    assert formation.attached.loc["", "blind"] == pytest.approx(0.1, abs=0.02)
    assert attention.relations(frame) == ["det", "nsubj"]


def test_curves_are_those_of_the_rows(frame):
    found = attention.found(frame, "det")
    assert found["value"].tolist() == pytest.approx([0.1 + 0.85 * rise(s, 300, 12) for s in STEPS], abs=0.007)
    assert attention.found(frame, "det", "offset")["value"].tolist() == pytest.approx([0.5] * len(STEPS), abs=0.01)
    assert attention.found(frame, "det", layer=2)["value"].iloc[-1] == pytest.approx(found["value"].iloc[-1] / 2)
    own = attention.mean_of_heads(frame, "previous", 1)["value"].iloc[-1]
    assert own == pytest.approx((0.9 + EVEN) / 2, abs=0.01)
    assert attention.mean_of_heads(frame, "entropy", None, "uniform")["value"].iloc[0] == pytest.approx(3, abs=0.01)
    best = attention.best_heads(frame).loc["det"]
    assert best[["layer", "head", "direction"]].tolist() == [1, 1, "from-dependent"]
    assert best["value"] == pytest.approx(0.95, abs=0.01)


def test_times_are_before_or_after_where_intervals_do_not_overlap():
    def at(low, high):
        return pd.Series({"low": low, "high": high})

    assert attention.beside(at(10, 20), at(20, 40)) == "before"
    assert attention.beside(at(40, 80), at(20, 40)) == "after"
    assert attention.beside(at(10, 30), at(20, 40)) is None


def test_frequency_ends_where_the_loss_falls_below_the_unigram_line_for_good():
    columns = ["step", "held_out_masked_loss", "held_out_masked_loss_high", "unigram_loss"]
    rows = [(0, 9, 9.1, 7), (10, 6.9, 7.2, 7), (20, 7.1, 7.3, 7), (30, 6.9, 7.05, 7), (40, 6.0, 6.1, 7), (50, 5, 5, 7)]
    losses = pd.DataFrame(rows, columns=columns)
    series = SimpleNamespace(losses=losses, name="made", version=1)
    found = attention.beyond_frequency(series, np.array([0, 50]))
    assert found[["low", "high"]].tolist() == [20, 40]
    assert 20 <= found["step"] <= 40
    assert "does not fall below" in attention.beyond_frequency(series, np.array([0, 30]))
    late = SimpleNamespace(losses=losses[4:], name="made", version=1)
    assert "at the first checkpoint" in attention.beyond_frequency(late, np.array([40, 50]))
    none = SimpleNamespace(losses=None, name="made", version=1)
    assert "not known" in attention.beyond_frequency(none, np.array([0]))


def test_few_checkpoints_or_sentences_tell_no_time(series, frame):
    few = frame[frame["step"].isin(STEPS[:3])]
    formation = attention.read(series, few)
    assert set(formation.relations["state"]) == {UNTOLD}
    assert set(formation.patterns["previous"]["state"]) == {UNTOLD}
    assert sorted(formation.curves["step"].unique()) == list(STEPS[:3])


def test_maps_are_read_back(formation):
    row = formation.maps.query("layer == 2 and head == 1 and step == 40").iloc[0]
    assert row["pieces"] == PIECES
    assert row["map"] == pytest.approx(np.full((5, 5), 0.2))
