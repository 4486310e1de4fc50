"""What the page about attention draws and says of curves that are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import attention, tables
from embryology.figures import attention as drawn
from embryology.figures import attention_in_words as words
from tests import synthetic_attention
from tests.figures.reading import cells_of, line, seen
from tests.synthetic import STEPS, make_run, measure
from tests.synthetic_attention import KNOWN, PIECES, value

COVERS = ("embryology/figures/attention_in_words.py", "embryology/specs/attention.py")


@pytest.fixture(scope="module")
def frame(series):
    return tables.read([series], "attention")


@pytest.fixture(scope="module")
def formation(series, frame):
    return attention.read(series, frame)


def test_curves_are_drawn_with_the_heads_that_were_planted(frame, formation):
    shown = seen(drawn.patterns, frame, formation)
    for (head, name), title in zip(KNOWN, ("to the previous token", "to the next token"), strict=True):
        axis = shown.panel(title)
        expected = [value(head, name, step) for step in STEPS]
        assert line(axis, f"layer {head[0]}")[:, 1] == pytest.approx(expected, abs=2e-3)
        assert line(axis, "uniform attention")[:, 1] == pytest.approx([0.05] * len(STEPS), abs=2e-3)
    assert shown.answer == (
        "2 of 5 patterns end beyond uniform attention and the untrained model; to the previous token and the next token"
    )
    rows = shown.data.query("statistic == 'previous' and layer == 1")
    assert (rows["low"] < rows["value"]).all()
    assert (rows["high"] > rows["value"]).all()
    entropy = shown.data.query("statistic == 'entropy' and layer == 2")["value"]
    assert entropy.iloc[-1] == pytest.approx(3 - 2000**2 / (2000**2 + 200**2), abs=2e-3)


def test_relations_are_drawn_beside_their_offsets(frame, formation):
    shown = seen(drawn.relations, frame, formation)
    assert [axis.get_title(loc="left") for axis in shown.figure.axes] == [
        "all relations (n = 320)",
        "det (n = 160)",
        "nsubj (n = 160)",
        "",
    ]
    axis = shown.panel("det")
    offset = line(axis, "best fixed offset for the relation, chosen on other sentences")
    assert offset[:, 1] == pytest.approx([0.5] * len(STEPS), abs=0.01)
    assert line(axis, "chosen head")[-1].tolist() == pytest.approx([2000, 0.95], abs=0.01)
    assert shown.answer == "Beyond the best fixed offset heads find 1 of 2 relations (det)"
    cells = cells_of(drawn.table(frame, formation).data)
    assert [row[0] for row in cells] == ["all", "det", "nsubj"]
    assert cells[1][2] == "1-1, from the dependent: 95%"


def test_times_stand_beside_what_frequency_predicts(frame, formation):
    shown = seen(drawn.times, frame, formation)
    (axis,) = shown.figure.axes
    labels = [label.get_text() for label in axis.get_yticklabels()]
    points = line(axis, "a layer's chosen head attends so")
    reached = formation.patterns["previous"].loc["layer 1", "step"], formation.patterns["next"].loc["layer 2", "step"]
    assert points[:, 0] == pytest.approx(reached)
    assert [labels[int(place)] for place in points[:, 1]] == [
        "to the previous token, layer 1",
        "to the next token, layer 2",
    ]
    found = line(axis, "heads find it")
    assert [labels[int(place)] for place in found[:, 1]] == [
        "all relations, beyond uniform",
        "all relations, beyond offsets",
        "det, beyond offsets",
    ]
    (band,) = [patch for patch in axis.patches if patch.get_label().startswith("loss falls below")]
    ends = band.get_x(), band.get_x() + band.get_width()
    assert ends == pytest.approx((formation.frequency["low"], formation.frequency["high"]))
    assert shown.answer == "5 of 14 have a time, the first: to the previous token, layer 1"


def test_maps_are_drawn_layer_by_step(frame, formation):
    shown = seen(drawn.maps, frame, formation)
    meshes = [mesh for axis in shown.figure.axes for mesh in axis.collections]
    maps = [mesh for mesh in meshes if np.size(mesh.get_array()) == 5 * 5]  # the other one is their scale
    assert len(maps) == 2 * 6
    assert np.asarray(maps[0].get_array()) == pytest.approx(np.full((5, 5), 0.2))
    # Three pieces between special tokens: four pairs of neighbours, each way, in three rows.
    assert shown.answer == "At step 2,000 neighbours get 0.27 and 0.27 of these heads' attention, evenly 0.27"
    assert len(shown.data) == 12 * 25
    assert " ".join(PIECES) in shown.caption


def test_maps_are_of_the_heads_that_attend_to_neighbours_at_the_last_step(frame, formation):
    """Of two heads in each layer the first one does before, the second one at the end."""
    neighbours = np.eye(5, k=1) + np.eye(5, k=-1)
    neighbours /= neighbours.sum(axis=1, keepdims=True)
    rows = formation.maps[formation.maps["head"].isin(sorted(formation.maps["head"].unique())[:2])].copy()
    second = rows["head"].max()
    late = rows["step"] == rows["step"].max()
    rows["map"] = [neighbours if is_so else np.eye(5) for is_so in (rows["head"] == second) == late]
    shown = seen(drawn.maps, frame, replace(formation, maps=rows))
    # Of three pieces between special tokens the outer two give half to those.
    assert shown.answer.startswith("At step 2,000 neighbours get 0.67 and 0.67 of these heads' attention")
    assert set(shown.data["head"]) == {second}


def times(**values):
    row = {"state": "reached", "step": 300.0, "low": 200.0, "high": 400.0, "doublings": 0.4, "fewest": 0.0, "most": 0.9}
    return pd.Series(row | values)


def test_how_a_gain_came_is_said_with_its_intervals(formation):
    def said(row, frequency):
        return words._came(row, replace(formation, frequency=frequency))

    late = pd.Series({"step": 500.0, "low": 400.0, "high": 600.0})
    assert said(times(), late) == (
        "is halfway there at step 300 (200 to 400), suddenly: from a quarter of its gain to three quarters it takes "
        "0.4 doublings of the steps (0.0 to 0.9). It comes before the loss falls below what frequencies alone give "
        "(step 500 (400 to 600))"
    )
    early = pd.Series({"step": 100.0, "low": 50.0, "high": 200.0})
    assert "gradually: " in said(times(fewest=1.3, most=2), early)
    assert "It comes after the loss" in said(times(), early)
    assert ", but whether suddenly cannot be told: " in said(times(most=np.inf), early)
    assert said(times(most=np.inf), early).count("0.4 doublings of the steps (0.0 or more)") == 1
    overlapping = pd.Series({"step": 300.0, "low": 250.0, "high": 350.0})
    assert "Whether before or after the loss falls below" in said(times(), overlapping)
    assert said(times(), "why not").endswith("what frequency alone predicts cannot be told: why not")


def test_numbers_say_what_comes_and_what_does_not(frame, formation):
    said = words.numbers(frame, formation)
    assert said["previous"].startswith(
        "Attention to the previous token, most of all in layer 1, is halfway there at step"
    )
    assert "it gets 0.900 (" in said["previous"]
    assert said["syntax"].startswith("Finding syntactic heads of all relations beyond the best fixed offset is halfway")
    assert said["beyond"] == "1 of 2 relations (det)"
    assert "To the previous token: layer 1; not in layer 2." in said["layers"]
    assert "To separators: in no layer." in said["layers"]
    assert "To the next token: 1 of 4, 2-2 at step" in said["heads"]
    assert said["sentences"] == "40 of 40"
    assert said["relations"] == "det"


def test_no_and_cannot_be_told_have_sentences(frame, formation):
    from dataclasses import replace

    never = formation.relations.assign(state="never beyond blind answers", step=np.nan)
    said = words._syntax(frame, replace(formation, relations=never))
    assert said.startswith("Finding syntactic heads beyond the best fixed offset does not come, of no relation: ")
    assert "What heads find beyond uniform attention and the untrained model" in said
    flat = formation.patterns["previous"].assign(state="never beyond blind answers", step=np.nan)
    said = words._previous(frame, replace(formation, patterns={"previous": flat}))
    assert said.startswith(
        "Attention to the previous token does not come in any layer; the closest is layer 1: it gets"
    )
    few = frame[frame["step"].isin(STEPS[:2])]
    untold = replace(formation, relations=formation.relations.assign(state="cannot be told"))
    assert "cannot be told: learning times take 4 checkpoints" in words._syntax(few, untold)
    none = replace(formation, relations=formation.relations[:0], maps=formation.maps[:0])
    assert "there are no other sentences" in words._syntax(frame, none)
    assert "no other sentences" in drawn.relations(frame, none).data
    assert "No maps were kept" in drawn.maps(frame, none).data


def test_of_one_sentence_all_that_can_be_drawn_is_drawn_and_the_rest_is_said(tmp_path):
    series = make_run(tmp_path / "one", sentences=1, steps=STEPS[:6], only=("attention",))
    for step in STEPS[:6]:
        rows, items = synthetic_attention.attention(step, "made up", sentences=1)
        rows = [row for row in rows if row["task"] != "attachment/best-head" or row["baseline"] == "uniform"]
        rows = [row | {"low": None, "high": None} for row in rows]
        items = items.drop(columns=["correct", "layers", "offset"])
        measure(series.folder, "attention", step, rows, items, {"sentences": 1})
    frame = tables.read([series], "attention")
    formation = attention.read(series, frame)
    said = words.numbers(frame, formation)
    assert said["previous"] == (
        "When attention to the previous token comes cannot be told: there are too few sentences."
    )
    assert "there are no other sentences" in said["syntax"]
    assert said["relations"] == "none yet"
    assert said["beyond"] == "cannot be told: no relation has words enough"
    shown = seen(drawn.patterns, frame, formation)
    assert shown.answer == "No pattern is shown to end beyond uniform attention and the untrained model"
    assert seen(drawn.times, frame, formation).answer == "None of them has a time"
    assert "none" in drawn.table(frame, formation).data
