"""The figures of the edge probe, of scores that are made by hand."""

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import tables
from embryology.figures import edges as drawn
from embryology.figures import style
from embryology.runs.paths import STUDIES
from embryology.specs.edges import SPECIFICATION
from tests.figures.reading import bands, cells_of, line, rows, seen

STEPS, LATE = [0, 10, 20, 40, 80], [0, 30]
POS, ROLE, ENTITY = (f"made-up/{kind}" for kind in ("pos", "role", "entity"))
SCORES = {
    POS: [[0.3, 0.35, 0.4, 0.4, 0.4], [0.5, 0.6, 0.7, 0.7, 0.7], [0.45, 0.5, 0.8, 0.95, 0.9]],
    ROLE: [[0.2] * 5, [0.3, 0.3, 0.9, 0.5, 0.5], [0.3, 0.3, 0.3, 0.42, 0.62]],
    ENTITY: [[0.5] * 5, [0.35] * 5, [0.5] * 5],
}
"""By task and layer. Part of speech ends below its best checkpoint, and roles have their best value in layer 1."""
MAJORITY = {POS: 0.3, ROLE: 0.6, ENTITY: 0.6}
SELECTIVITY = {POS: (0.0, 0.6, 0.5), ROLE: (0.0, 0.1, 0.7), ENTITY: (0.0, 0.2, 0.3)}
COMPRESSION = {POS: 2.0, ROLE: 1.8, ENTITY: 1.2}
UNREAD = {POS: 0.02, ROLE: 0.01, ENTITY: 0.05}
EDGES = {POS: 1000, ROLE: 2000, ENTITY: 300}
NAMES = {POS: "part of speech (made-up)", ROLE: "semantic role (made-up)", ENTITY: "entity (made-up)"}
WIDTHS = [(0.05, 0.01), (0.05, 0.2), (0.05, 0.01)]
"""Of intervals, by layer, downwards and upwards."""
LABELS = SPECIFICATION.baselines


def made():
    parts = []
    for task, by_layer in SCORES.items():
        known = {"n": EDGES[task]}
        parts += [
            rows(task, "f1_micro", [MAJORITY[task]] * 5, STEPS, (0.01, 0.01), baseline="majority", **known),
            rows(task, "share_unread", [UNREAD[task]] * 5, STEPS),
            rows(task, "compression", [1.5] * 5, STEPS, baseline="label-frequencies"),
        ]
        for layer, scores in enumerate(by_layer):
            known["layer"], shorter = layer, COMPRESSION[task] - 1
            parts += [
                rows(task, "f1_micro", scores, STEPS, WIDTHS[layer], **known),
                rows(task, "f1_macro", np.array(scores) - 0.125, STEPS, **known),
                rows(task, "f1_micro", [0.25 + layer / 100] * 5, STEPS, baseline="control", **known),
                rows(task, "selectivity", [SELECTIVITY[task][layer]] * 5, STEPS, group="recurring", **known),
                rows(task, "selectivity", [0.99] * 5, STEPS, **known),
                rows(task, "compression", 1 + shorter * np.array([0.25, 0.5, 1, 1, 1]) * layer / 2, STEPS, **known),
                rows(task, "compression", [1.125] * 5, STEPS, baseline="control", **known),
            ]
    return pd.concat(parts, ignore_index=True).astype({"layer": float}).assign(unit="document")


@pytest.fixture(scope="module")
def frame():
    measured = made()
    return pd.concat([measured, tables.untrained(measured)], ignore_index=True)


@pytest.fixture(scope="module")
def both(frame):
    """Beside a run of other steps, whose best layer is the first."""
    other = [
        rows(
            task,
            "f1_micro",
            np.array([0.1, 0.3]) / (layer + 1),
            LATE,
            layer=layer,
            series="late",
            tokens=8192,
            unit="document",
        )
        for task in SCORES
        for layer in (0, 1)
    ]
    return pd.concat([frame, *other], ignore_index=True)


@pytest.fixture(scope="module")
def losses():
    """Of both runs, each with its own steps."""
    of_runs = [
        pd.DataFrame({"series": name, "step": steps, "held_out_masked_loss": loss, "unigram_loss": 6.75})
        for name, steps, loss in (("run", STEPS, [9.0, 8, 7, 6, 5]), ("late", LATE, [9.0, 4]))
    ]
    return pd.concat(of_runs, ignore_index=True).assign(tokens=lambda table: 1000 * table["step"])


@pytest.fixture(scope="module")
def values(frame):
    return drawn.numbers(frame, {POS: "gold", ROLE: "gold", ENTITY: "silver"}, 2)


def test_prose_tells_the_last_checkpoint_of_a_layer(values):
    """Roles end at 0.62, 0.57 to 0.63, above the majority of 0.6 by value alone."""
    assert (
        values
        | {
            "sources": "gold and silver",
            "layer": "2",
            "layers": "2",
            "last": "80",
            "ends": (
                "part of speech (made-up) 0.900 (0.850 to 0.910), entity (made-up) 0.500 (0.450 to 0.510) and semantic "
                "role (made-up) 0.620 (0.570 to 0.630)"
            ),
            "beyond": (
                "Beyond all three lines, interval against interval: part of speech (made-up). Not beyond: entity "
                "(made-up): the majority, the untrained model and the static embeddings; semantic role (made-up): the "
                "majority."
            ),
            "unread": "5.0%",
            "selectivity": "0.30 to 0.70",
            "compression": "1.2 to 2.0",
            "no_shorter": "No more than a code by label frequencies alone gives: entity (made-up).",
        }
        == values
    )


def test_half_of_a_gain_lies_between_first_and_last_value(values):
    """0.45 to 0.9 has half at 0.675, 0.175 of 0.3 from step 10 to 20; 0.3 to 0.62 at 0.46, 0.04 of 0.2 from 40 on."""
    assert values["halves"] == (
        "Half of the gain is there for part of speech (made-up) at step 16 (10 to 20), then semantic role (made-up) at "
        "step 48 (20 to 80). No gain is shown for entity (made-up)."
    )


def test_where_all_tasks_are_shorter_than_label_frequencies_that_is_said(frame):
    some = frame[frame["task"] != ENTITY]
    assert drawn.numbers(some, {}, 2)["no_shorter"] == (
        "In every task that is more than a code by label frequencies alone gives."
    )


def test_few_checkpoints_tell_no_order_of_gains(frame):
    few = frame[frame["step"].isin([0, 20, 80])]
    reason = "learning times take 4 checkpoints after step 0, and here are 2"
    assert drawn.numbers(few, {}, 2)["halves"].startswith(f"When the gains came cannot be told: {reason}. No gain")
    assert [row[-1] for row in cells_of(drawn.table(few, 2).data)] == [
        "cannot be told",
        "no gain shown",
        "cannot be told",
    ]


def test_the_first_run_is_drawn_at_the_layer_that_is_said_and_others_at_their_best(both, losses):
    shown = seen(drawn.scores, both, losses, {POS: "gold"}, 1)
    axis = shown.panel("part of speech")
    tokens = np.array(STEPS) * 2048
    assert line(axis, "run, layer 1") == pytest.approx(np.column_stack([tokens, SCORES[POS][1]]))
    assert line(axis, "late, layer 0") == pytest.approx(np.array([[0, 0.1], [30 * 8192, 0.3]]))
    first, second = bands(axis)
    assert first == pytest.approx(
        np.column_stack([tokens, np.array(SCORES[POS][1]) - 0.05, np.array(SCORES[POS][1]) + 0.2])
    )
    assert second[:, 1:] == pytest.approx(np.array([[0.0, 0.12], [0.2, 0.32]]))
    heights = {name: line(axis, LABELS[name])[-1, 1] for name in ("majority", "static", "untrained")}
    assert heights == {"majority": 0.3, "static": 0.4, "untrained": 0.5}
    assert shown.answer == "At step 80, layer 1 tells more than every baseline in 0 of 3 tasks"
    assert "layer 1 of 2 of run, on whole test sets (300 to 2,000 edges): gold." in shown.caption
    assert "95% intervals over test documents." in shown.caption
    assert "at most 5.0% lie beyond" in shown.caption
    others = shown.data[(shown.data["series"] == "late") & ~shown.data["task"].str.startswith("held-out")]
    assert set(others["layer"]) == {0}
    ends = shown.data[shown.data["task"] == POS].groupby("baseline")["value"].last()
    assert ends.to_dict() == heights


def test_a_loss_has_the_line_of_its_series_and_no_panel_where_none_is_known(both, losses):
    shown = seen(drawn.scores, both, losses, {}, 2)
    first, second, _ = shown.panel("held-out masked loss").get_lines()
    assert first.get_xydata() == pytest.approx(np.column_stack([np.array(STEPS) * 1000, [9, 8, 7, 6, 5]]))
    assert second.get_xydata() == pytest.approx(np.array([[0, 9], [30_000, 4]]))
    assert (first.get_color(), second.get_color()) == (style.LINES[0][0], style.LINES[1][0])
    assert shown.panel("held-out masked loss").get_lines()[2].get_ydata()[0] == 6.75
    assert shown.answer == "At step 80, layer 2 tells more than every baseline in 1 of 3 tasks"
    roles = both[both["task"] == ROLE]
    alone = seen(drawn.scores, roles, losses[losses["series"] == "late"], {}, 2)
    assert alone.panel("held-out masked loss").get_lines()[0].get_color() == style.LINES[1][0]
    without = seen(drawn.scores, roles, losses[:0], {}, 2)
    assert "one of the masked loss" not in without.alt
    assert [axis.get_title(loc="left") for axis in without.figure.axes if axis.axison] == [NAMES[ROLE]]


def test_layers_are_those_of_the_last_checkpoint(frame):
    shown = seen(drawn.by_layer, frame)
    axis = shown.panel("semantic role")
    assert line(axis, "last checkpoint").tolist() == [[0, 0.2], [1, 0.5], [2, 0.62]]
    assert line(axis, "untrained model (step 0)").tolist() == [[0, 0.2], [1, 0.3], [2, 0.3]]
    assert line(axis, LABELS["control"]).tolist() == [[0, 0.25], [1, 0.26], [2, 0.27]]
    assert line(axis, LABELS["majority"])[0, 1] == 0.6
    assert bands(axis)[0] == pytest.approx(np.array([[0, 0.15, 0.21], [1, 0.45, 0.7], [2, 0.57, 0.63]]))
    assert shown.answer == (
        "Largest selectivity, of edges whose words recur: semantic role (made-up) 0.70; part of speech (made-up) 0.60 "
        "and entity (made-up) 0.30"
    )
    assert "by layer at step 80" in shown.caption


def test_compression_has_its_own_baselines(frame):
    shown = seen(drawn.compression, frame, 2)
    axis = shown.panel("part of speech")
    assert line(axis, "layer 2") == pytest.approx(np.column_stack([STEPS, [1.25, 1.5, 2, 2, 2]]))
    ends = {name: line(axis, LABELS[name])[-1, 1] for name in ("static", "untrained", "control", "label-frequencies")}
    assert ends == {"static": 1.0, "untrained": 1.25, "control": 1.125, "label-frequencies": 1.5}
    assert bands(axis) == []
    assert shown.answer == (
        "Labels become 1.2 to 2.0 times shorter by the end; part of speech (made-up) 2.0, entity (made-up) 1.2 and "
        "semantic role (made-up) 1.8"
    )
    assert "not measured" in drawn.compression(frame[frame["metric"] != "compression"], 2).data


def wilson_half(share, n, z=1.959964):
    return z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)


def test_published_curves_lie_on_the_share_of_their_own_steps_with_the_intervals_of_their_items(frame):
    shown = seen(drawn.beside_published, frame, 2)
    halves = []
    for task, series, n in ((POS, "POS", 153), (ROLE, "SRL", 276)):
        axis = shown.panel(NAMES[task])
        assert line(axis, "run, layer 2") == pytest.approx(np.column_stack([np.array(STEPS) / 80, SCORES[task][2]]))
        ours, *theirs = bands(axis)
        assert ours[:, 1:] == pytest.approx(np.array(SCORES[task][2])[:, None] + [-0.05, 0.01])
        for model, file, band in zip(("BERT", "ELECTRA"), ("bert_probing", "electra_pretrain"), theirs, strict=True):
            raw = pd.read_csv(STUDIES / "published" / f"{file}.csv")
            raw = raw[raw["series"] == series].sort_values("step")
            at = raw["step"].to_numpy() / raw["step"].max()
            assert line(axis, f"published {model}") == pytest.approx(np.column_stack([at, raw["value"]]))
            half = wilson_half(raw["value"].to_numpy(), n)
            assert (band[:, 2] - band[:, 1]) / 2 == pytest.approx(half, abs=1e-6)
            halves.append(half.mean())
    assert shown.answer == (
        f"Mean half-width of an interval: 3.0 points on whole test sets, {100 * np.mean(halves):.1f} on the published "
        "items"
    )
    assert "for the items behind each point (153 to 276)" in shown.caption
    assert "over test documents" in shown.caption
    ours = shown.data[(shown.data["series"] == "run, layer 2") & (shown.data["task"] == ROLE)]
    assert ours["share"].tolist() == [0, 0.125, 0.25, 0.5, 1]
    entities = frame[frame["task"] == ENTITY]
    assert "No curve of one of this run's tasks was published" in drawn.beside_published(entities, 2).data


def test_runs_that_were_measured_without_a_line_say_so(frame):
    older = frame[(frame["baseline"] != "label-frequencies") & (frame["group"] != "recurring")]
    values = drawn.numbers(older, {}, 2)
    assert values["no_shorter"] == "A code by label frequencies alone was not measured beside it."
    assert values["selectivity"] == "not measured"
    assert seen(drawn.by_layer, older).answer == "Selectivity of edges whose words recur was not measured"


def test_the_table_has_a_row_a_task_with_each_number_of_its_own(frame):
    assert cells_of(drawn.table(frame, 2).data) == [
        [NAMES[POS], "1,000", "0.900 (0.850 to 0.910)", "0.300", "0.450", "0.400", "0.270", "0.775", "16 (10 to 20)"],
        [NAMES[ENTITY], "300", "0.500 (0.450 to 0.510)", "0.600", "0.500", "0.500", "0.270", "0.375", "no gain shown"],
        [NAMES[ROLE], "2,000", "0.620 (0.570 to 0.630)", "0.600", "0.300", "0.200", "0.270", "0.495", "48 (20 to 80)"],
    ]
