"""What the page about similarity draws and says of curves that are known."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import similarity, tables
from embryology.figures import similarity as drawn
from embryology.figures import similarity_in_words as words
from tests.figures.reading import bands, bars, cells_of, line, seen
from tests.synthetic import STEPS, make_run
from tests.synthetic_similarity import KNOWN, value

COVERS = ("embryology/figures/similarity_in_words.py",)


@pytest.fixture(scope="module")
def frame(series):
    return tables.read([series], "similarity")


@pytest.fixture(scope="module")
def settling(series, frame):
    return similarity.read(series, frame)


def test_each_layer_is_drawn_beside_itself_at_the_end(frame, settling):
    shown = seen(drawn.settling, frame, settling)
    axis = shown.panel("CKA with the last checkpoint")
    for layer in KNOWN:
        expected = [value(layer, step, STEPS[-1]) for step in STEPS]
        assert line(axis, words.named(layer))[:, 1] == pytest.approx(expected)
    assert line(axis, "shuffled words")[:, 1] == pytest.approx([0.02] * len(STEPS))  # the highest of the layers
    band = bands(axis)[0]
    assert band[3, 1:] == pytest.approx([value(0, 80, 2000) - 0.01, value(0, 80, 2000) + 0.02])
    before = line(shown.panel("CKA with the checkpoint before"), "layer 2")
    assert before[:, 0].tolist() == list(STEPS[1:])
    assert before[:, 1] == pytest.approx([0.7 + step / 5000 for step in STEPS[1:]])
    expected = [value(1, step, 2000) for step in STEPS]
    assert line(shown.panel("PWCCA with the last"), "layer 1")[:, 1] == pytest.approx(
        np.add(0.1, np.multiply(0.9, expected))
    )
    assert shown.answer.startswith("Halfway by CKA to what they are at step 2,000: first embeddings at step ")
    assert "last layer 2 at step " in shown.answer
    assert "Bands: 95% over documents (jackknife)" in shown.caption


def test_times_are_drawn_with_their_intervals(frame, settling):
    shown = seen(drawn.times, frame, settling)
    (axis,) = shown.figure.axes
    steps = settling.times["cka"]["step"].tolist()
    assert line(axis, "CKA")[:, 0].tolist() == steps
    assert bars(axis)[0][:, 1:].tolist() == [[80, 160], [320, 640], [640, 1280]]
    assert shown.answer == "By CKA the lower layers settle first"
    rows = cells_of(drawn.table(settling).data)
    assert [row[0] for row in rows] == ["embeddings", "layer 1", "layer 2"]
    assert rows[1][1] == "0.30"
    assert rows[1][2].endswith("(320 to 640)")


def test_layers_are_drawn_beside_each_other(frame):
    shown = seen(drawn.between_layers, frame)
    image = shown.panel("step 2k").collections[0].get_array()
    assert image[2, 0] == pytest.approx(0.6) == image[0, 2]
    assert shown.answer == (
        "CKA of the last layer and the embeddings: 0.80 at step 0 and 0.60 at step 2,000; 0.80 (0.79 to 0.82) at step "
        "0 and 0.60 (0.59 to 0.62) at step 2,000"
    )


def test_shape_and_noise_are_drawn(frame):
    shown = seen(drawn.shape, frame)
    assert line(shown.panel("mean cosine"), "layer 2")[:, 1] == pytest.approx([0.5] + [0.2] * 8)
    assert line(shown.panel("participation"), "layer 1")[-1, 1] == pytest.approx(43)
    assert shown.answer == (
        "In the last layer mean cosine from 0.50 to 0.20 and dimension from 22 to 22; first to last checkpoint: mean "
        "cosine from 0.50 (0.49 to 0.52) to 0.20 (0.19 to 0.22) and dimension from 22 (20 to 26) to 22 (20 to 26)"
    )
    shown = seen(drawn.fragility, frame)
    assert line(shown.panel("part of speech"), "most frequent tag")[:, 1] == pytest.approx([0.28] * len(STEPS))
    survived = line(shown.panel("noise that halves"), "layer 2")
    assert survived.tolist() == [[640, 1.0], [1280, 1.0], [2000, 2.0]]
    assert shown.answer == (
        "Part of speech in the last layer survives noise of 2.0 (1.9 to 2.2) standard deviations; at the end"
    )


def test_sentences_say_what_was_planted(frame, settling):
    said = words.numbers(frame, settling)
    assert said["order"] == (
        "By CKA the lower layers settle first: of 3 pairs of layers the lower one settles first in 3, the upper one in "
        "0, and in 0 it cannot be told. By PWCCA the lower layers settle first: of 3 pairs of layers the lower one "
        "settles first in 3, the upper one in 0, and in 0 it cannot be told."
    )
    assert said["words"] == "400"
    assert said["reference"] == "step 2,000."
    assert said["chance"] == "CKA 0.02 (0.01 to 0.04) and PWCCA 0.32 (0.31 to 0.34)"
    assert said["kept"] == "70 to 90%"
    assert said["slowest"].startswith(
        "The last layer changes most from one checkpoint to the next before step 20: CKA 0.70"
    )
    assert said["shared"].startswith("This model is an ALBERT")
    assert "layer 2 40.0% (39.0 to 42.0) accuracy, which survives noise of 2.0" in said["noise"]
    assert "it has grown since step 640 (1.0 (0.9 to 1.2))" in said["noise"]
    assert "embeddings" not in said["noise"]


def test_what_cannot_be_told_is_said(series, frame):
    few = tables.read([series], "similarity", "last")
    few = few[few["metric"] != "noise_survived"]
    settling = similarity.read(series, few)
    said = words.numbers(few, settling)
    why = "learning times take 4 checkpoints after step 0, and here are 1"
    assert said["settling"] == f"How quickly layers settle cannot be told: {why}."
    assert said["order"].startswith("By CKA whether lower layers settle first cannot be told: of 3 pairs")
    assert said["noise"].startswith("In no layer of any checkpoint is part of speech read better")
    assert seen(drawn.settling, few, settling).answer == said["settling"][:-1]
    seen(drawn.times, few, settling)
    assert seen(drawn.fragility, few).answer == (
        "How much noise part of speech survives in the last layer at the end cannot be told"
    )
    assert {row[2] for row in cells_of(drawn.table(settling).data)} == {"cannot be told"}


def test_a_reference_that_is_not_the_last_checkpoint_any_more_is_said(tmp_path):
    run = make_run(tmp_path / "run", (*STEPS, 4000), sentences=2, only=("similarity",))
    settling = similarity.read(run, tables.read([run], "similarity"))
    assert settling.reference == 4000
    old = similarity.Settling(settling.source, 2000, True, settling.times, settling.pairs)
    frame = tables.read([run], "similarity")
    assert words.numbers(frame, old)["reference"] == "step 2,000. It was trained on since; measure it again."


def test_orders_that_differ_are_told_by_their_pairs(frame, settling):
    pairs = pd.DataFrame({"lower": [0, 0, 1], "upper": [1, 2, 2], "first": ["upper", "lower", None]})
    mixed = similarity.Settling("", 2000, False, settling.times, {"cka": pairs})
    assert words.order(frame, mixed, "cka") == (
        "By CKA layers settle in no order from bottom to top: of 3 pairs of layers the lower one settles first in 1, "
        "the upper one in 1, and in 1 it cannot be told"
    )
