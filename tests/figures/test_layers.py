"""Which layer knows what, and when, of scores that are made by hand."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import edge_documents
from embryology.figures import layers as drawn
from tests.figures.reading import cells_of, line, seen, words_in
from tests.figures.test_edges import ENTITY, NAMES, POS, ROLE, SCORES, STEPS, frame  # noqa: F401


def test_the_best_layer_is_that_of_the_last_checkpoint(frame):  # noqa: F811
    """Of roles layer 1 has the best value of all, and reaches farthest up at the end."""
    values = drawn.numbers(frame)
    assert values["layers"] == "2"
    assert values["best"] == (f"layer 2 for {NAMES[POS]}, layer 0 for {NAMES[ENTITY]} and layer 2 for {NAMES[ROLE]}")


def test_centres_weigh_layers_by_what_they_add_and_the_lowest_comes_first(frame):  # noqa: F811
    """Roles: (1 × 0.3 + 2 × 0.42) / 0.72; part of speech: (1 × 0.3 + 2 × 0.5) / 0.8; entities have no layer above."""
    values = drawn.numbers(frame)
    listed = f"{NAMES[ROLE]} 1.58 and {NAMES[POS]} 1.62"
    assert values["centres"] == (
        f"At the last checkpoint it stands at {listed}. There is nothing to weigh at the end for {NAMES[ENTITY]}."
    )
    assert values["lowest_first"] == f"Centre of gravity at the end, lowest first: {listed}"
    none = drawn.numbers(frame[frame["task"] == ENTITY])
    assert none["centres"] == f"There is nothing to weigh at the end for {NAMES[ENTITY]}."
    assert none["lowest_first"] == "No layer is shown to add to the embeddings"


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((1.25, 1.75), "1.50 (1.25 to 1.75)"),
        ((1.625, 1.75), "1.50 (1.50 to 1.75)"),
        ((1.25, 1.375), "1.50 (1.25 to 1.50)"),
        ((np.nan, np.nan), "1.50"),
    ],
)
def test_an_interval_of_a_centre_holds_it(monkeypatch, ends, said):
    monkeypatch.setattr(edge_documents, "centre_of_gravity", lambda documents: ends)
    assert drawn._centre(1.5, POS, {POS: None}) == said
    assert drawn._centre(1.5, POS, None) == "1.50"


def test_a_map_has_every_layer_and_checkpoint_and_its_best_layers(frame):  # noqa: F811
    shown = seen(drawn.heat, frame)
    for task in SCORES:
        axis = shown.panel(NAMES[task])
        assert np.asarray(axis.collections[0].get_array()) == pytest.approx(np.array(SCORES[task]))
        assert not axis.yaxis_inverted()  # the embeddings below
        best = line(axis, "best layer of the checkpoint")
        assert best == pytest.approx(np.column_stack([range(5), np.array(SCORES[task]).argmax(axis=0)]) + 0.5)
        assert [label.get_text() for label in axis.get_xticklabels()] == [str(step) for step in STEPS]
    # Of three layers one has intervals of 0.25, the others of 0.06.
    assert "95% interval reaches about 6.2 points to either side" in shown.caption
    assert shown.answer == "At the end some layer's interval lies above that of the embeddings in 2 of 3 tasks"
    of_cell = shown.data.query("task == @ROLE and layer == 1 and step == 20")
    assert of_cell["value"].tolist() == [0.9]


def test_centres_are_drawn_beside_the_best_layers_and_an_equal_gain(frame):  # noqa: F811
    shown = seen(drawn.centres, frame)
    axis = shown.panel(NAMES[POS])
    static, one, two = (np.array(scores) for scores in SCORES[POS])
    gains = one - static, two - static
    assert line(axis, "centre of gravity") == pytest.approx(
        np.column_stack([STEPS, (gains[0] + 2 * gains[1]) / (gains[0] + gains[1])]), nan_ok=True
    )
    assert line(axis, "best layer").tolist() == [[0, 1], [10, 1], [20, 2], [40, 2], [80, 2]]
    assert line(shown.panel(NAMES[ROLE]), "best layer")[-1].tolist() == [80, 2]
    assert line(axis, "equal gain in every layer above the embeddings")[0, 1] == 1.5
    assert {shown.panel(NAMES[task]).get_ylim() for task in SCORES} == {(-0.3, 2.3)}  # all layers
    texts = {task: words_in(shown.panel(NAMES[task])) for task in SCORES}
    assert texts == {POS: [], ROLE: [], ENTITY: ["no layer above the embeddings"]}
    assert shown.data.query("task == @POS")["best_layer"].tolist() == [1, 1, 2, 2, 2]


def test_what_is_chosen_is_told_with_its_own_numbers(monkeypatch):
    row = {"task": POS, "documents": 12, "last": 2000, "layers": [2, 3], "steps": [1000, 2000]}
    row |= {"score": 0.5, "score_low": 0.375, "score_high": 0.75, "gain": 0.125, "gain_low": -0.25, "gain_high": 0.5}
    row |= {"best_gain": 0.0625, "best_gain_low": 0.03, "best_gain_high": 0.09}
    last = row | {"task": ROLE, "steps": [2000, 2000], "score_low": np.nan}
    monkeypatch.setattr(edge_documents, "choices", lambda documents: pd.DataFrame([row, last]))
    first, second = cells_of(drawn.chosen({}).data)
    assert first == [
        NAMES[POS], "12", "2 and 3", "0.500 (0.375 to 0.750)", "+0.125 (-0.250 to +0.500)", "1,000 and 2,000",
        "+0.062 (+0.030 to +0.090)",
    ]  # fmt: skip
    assert second[3] == "0.500 (too few documents for an interval)"
    assert second[6] == "it is the last one"
    monkeypatch.setattr(edge_documents, "choices", lambda documents: pd.DataFrame())
    assert "cannot be told" in drawn.chosen({}).data
