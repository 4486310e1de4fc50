"""Edge probes over checkpoints: what each layer tells of each task, beside what it has to clear."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from embryology.analysis import curves
from embryology.analysis.learning_order import first_crossing
from embryology.errors import EmbryologyError
from embryology.runs import measurements

NAMES = {
    "pos": "part of speech",
    "constituent": "constituent",
    "dependency": "dependency",
    "entity": "entity",
    "coreference": "coreference",
    "role": "semantic role",
}
"""By task, in the order in which figures show them."""
MICRO, MACRO, SELECTIVITY, COMPRESSION = "f1_micro", "f1_macro", "selectivity", "compression"
MAJORITY, CONTROL = "majority", "control"
STATIC = 0
"""The layer of embeddings that know no context."""


def read(run: str | Path, compare: Sequence[str | Path] = (), steps: str = "all") -> pd.DataFrame:
    """The totals of the edges probe, ``run`` first, then the runs to compare it with.

    Args:
        run: name or path.
        compare: further runs; always with all of their checkpoints.
        steps: which checkpoints of ``run``, as in :func:`embryology.analysis.curves.select`; of a list, those that
            the probe measured.

    Returns:
        Rows of :data:`embryology.runs.measurements.SCHEMA` that are no single label's. The untrained model, which is
        measured at step 0, becomes a baseline of every step.

    Raises:
        EmbryologyError: a run is missing or was not measured.
    """
    tables = []
    for name in dict.fromkeys([run, *compare]):
        frame = measurements.read(name, probe="edges")
        frame = frame[(frame["item"] == "") & (frame["task"] != "")]
        if frame.empty:
            raise EmbryologyError(f"run {name} has no vectors that the edges probe could read")
        frame = pd.concat([frame, curves.untrained(frame)])
        tables.append(frame if tables else curves.select_measured(frame, steps))
    return pd.concat(tables, ignore_index=True)


def sources(run: str | Path) -> dict[str, str]:
    """Whose annotation on which text, by task of the run.

    Raises:
        EmbryologyError: checkpoints were scored on different text.
    """
    items = measurements.read_items(run, "edges", ["task", "source"]).drop_duplicates()
    return {task: measurements.source_of(rows) for task, rows in items.groupby("task")}


def tasks(frame: pd.DataFrame) -> list[str]:
    """The tasks of the first run, ``set/task``, in the order of :data:`NAMES`."""
    own = frame.loc[frame["series"] == curves.main_series(frame), "task"].unique()
    return sorted(own, key=lambda task: (list(NAMES).index(kind(task)), task))


def kind(task: str) -> str:
    """Which of :data:`NAMES` a task is: sets have tasks of the same kind."""
    return task.rsplit("/", 1)[1]


def label(task: str) -> str:
    """For people: what and of which set."""
    return f"{NAMES[kind(task)]} ({task.rsplit('/', 1)[0]})"


def curve(
    frame: pd.DataFrame, task: str, layer: int | None, metric: str = MICRO, baseline: str | None = None,
    series: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """A metric of one layer over steps: step, tokens, value, low, high, n.

    Of several seeds of the probe the value is the mean, and the interval reaches over all of theirs. ``layer`` is
    None for the majority. Empty where it was not measured.
    """
    rows = frame[(frame["series"] == (series or curves.main_series(frame))) & (frame["task"] == task)]
    rows = rows[rows["metric"] == metric]
    rows = rows[rows["layer"].isna() if layer is None else rows["layer"] == layer]
    rows = rows[rows["baseline"].isna() if baseline is None else rows["baseline"] == baseline]
    how = {"tokens": "first", "value": "mean", "low": "min", "high": "max", "n": "first"}
    return rows.groupby("step", as_index=False).agg(how)


def layers(frame: pd.DataFrame, series: str | None = None) -> list[int]:
    """The layers of a run, from :data:`STATIC` on."""
    rows = frame[frame["series"] == (series or curves.main_series(frame))]
    return sorted(rows["layer"].dropna().astype(int).unique())


def best_layer(frame: pd.DataFrame, series: str | None = None) -> int:
    """The layer with the highest mean micro F1 over tasks at the last checkpoint."""
    own = frame[frame["series"] == (series or curves.main_series(frame))]
    own = own[(own["metric"] == MICRO) & own["baseline"].isna() & own["layer"].notna()]
    return int(own[own["step"] == own["step"].max()].groupby("layer")["value"].mean().idxmax())


def beyond(frame: pd.DataFrame, task: str, layer: int) -> dict[str, bool]:
    """Whether a layer's interval at the last checkpoint lies above that of each baseline.

    These are the majority, the untrained model's same layer, and the last checkpoint's static embeddings.
    """
    low = curve(frame, task, layer)["low"].iloc[-1]
    lines = {
        "the majority": curve(frame, task, None, baseline=MAJORITY),
        "the untrained model": curve(frame, task, layer, baseline=curves.UNTRAINED),
        "the static embeddings": curve(frame, task, STATIC),
    }
    return {name: bool(low > line["high"].iloc[-1]) for name, line in lines.items() if len(line)}


def half_gain(frame: pd.DataFrame, task: str, layer: int) -> float:
    """The step at which a layer reaches half of its gain from the first to the last checkpoint.

    Linear between checkpoints; nan where the interval at the last checkpoint is not above that at the first.
    """
    rows = curve(frame, task, layer)
    if rows["low"].iloc[-1] <= rows["high"].iloc[0]:
        return np.nan
    values = rows["value"].to_numpy()
    return float(first_crossing(rows["step"].to_numpy(), values, values[[0, -1]].mean()))


def grid(frame: pd.DataFrame, task: str, column: str = "value") -> pd.DataFrame:
    """Micro F1, or an end of its interval: a row a layer, a column a step."""
    own = {layer: curve(frame, task, layer).set_index("step")[column] for layer in layers(frame)}
    return pd.DataFrame(own).T.rename_axis(index="layer", columns="step")


def centre_of_gravity(frame: pd.DataFrame, task: str) -> pd.Series:
    """The mean layer, weighted by how much each adds to static embeddings, by step.

    A layer weighs its micro F1 less that of layer 0, or nothing where that is negative; like the expected layer of
    Tenney et al. (2019, "BERT rediscovers the classical NLP pipeline"), but of separate layers and not of sums. nan
    where no layer's interval lies above that of layer 0: then there is nothing to weigh.
    """
    values, low, high = (grid(frame, task, column) for column in ("value", "low", "high"))
    gains = (values - values.loc[STATIC]).clip(lower=0)
    centre = gains.mul(gains.index, axis=0).sum() / gains.sum()
    return centre.where((low > high.loc[STATIC]).any())
