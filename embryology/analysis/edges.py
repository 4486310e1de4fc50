"""Edge probes over checkpoints: what each layer tells of each task, beside what it has to clear."""

import numpy as np
import pandas as pd

from embryology.analysis import tables
from embryology.analysis.crossings import first_crossing
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import UNTRAINED
from embryology.specs.edges import F1_MICRO, MAJORITY, SPECIFICATION, STATIC_LAYER


def sources(series: Series) -> dict[str, str]:
    """Whose annotation on which text, by task.

    Raises:
        EmbryologyError: checkpoints were scored on different text.
    """
    items = measurements.read_items(series, SPECIFICATION.name, ["task", "source"]).drop_duplicates()
    return {str(task): measurements.source_of(rows) for task, rows in items.groupby("task")}


def tasks(frame: pd.DataFrame) -> list[str]:
    """The tasks of the first series, ``set/task``, in the order of the specification.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, as everywhere here.
    """
    measured = frame.loc[frame["series"] == tables.main_series(frame), "task"].unique()
    return sorted(measured, key=lambda task: (list(SPECIFICATION.tasks).index(kind(task)), task))


def kind(task: str) -> str:
    """Which of the specification's tasks one is: sets have tasks of the same kind."""
    return task.rsplit("/", 1)[1]


def label(task: str) -> str:
    """For people: what and of which set."""
    return f"{SPECIFICATION.tasks[kind(task)]} ({task.rsplit('/', 1)[0]})"


def curve(
    frame: pd.DataFrame,
    task: str,
    layer: int | None,
    metric: str = F1_MICRO,
    baseline: str | None = None,
    series: str | None = None,
    group: str = "",
) -> pd.DataFrame:
    """A metric of one layer over steps, of all labels together or of a ``group``: step, tokens, value, low, high, n.

    Of several seeds of the probe the value is the mean, and the interval reaches over all of theirs. ``layer`` is
    None for the majority. Empty where it was not measured.
    """
    rows = tables.of(frame, task, metric, baseline, series)
    rows = rows[rows["group"] == group]
    rows = rows[rows["layer"].isna() if layer is None else rows["layer"] == layer]
    how = {"tokens": "first", "value": "mean", "low": "min", "high": "max", "n": "first"}
    return rows.groupby("step", as_index=False).agg(how)


def layers(frame: pd.DataFrame, series: str | None = None) -> list[int]:
    """The layers of a series, from :data:`STATIC_LAYER` on."""
    rows = frame[frame["series"] == (series or tables.main_series(frame))]
    return sorted(rows["layer"].dropna().astype(int).unique())


def best_layer(frame: pd.DataFrame, series: str | None = None) -> int:
    """The layer with the highest mean micro F1 over tasks at the last checkpoint."""
    rows = frame[(frame["series"] == (series or tables.main_series(frame))) & (frame["group"] == "")]
    rows = rows[(rows["metric"] == F1_MICRO) & rows["baseline"].isna() & rows["layer"].notna()]
    return int(rows[rows["step"] == rows["step"].max()].groupby("layer")["value"].mean().idxmax())


def beyond(frame: pd.DataFrame, task: str, layer: int) -> dict[str, bool]:
    """Whether a layer's interval at the last checkpoint lies above that of each baseline.

    These are the majority, the untrained model's same layer, and the last checkpoint's static embeddings.
    """
    low = curve(frame, task, layer)["low"].iloc[-1]
    lines = {
        "the majority": curve(frame, task, None, baseline=MAJORITY),
        "the untrained model": curve(frame, task, layer, baseline=UNTRAINED),
        "the static embeddings": curve(frame, task, STATIC_LAYER),
    }
    return {name: bool(low > line["high"].iloc[-1]) for name, line in lines.items() if len(line)}


def half_gains(frame: pd.DataFrame, layer: int) -> pd.DataFrame:
    """The steps at which a layer reaches half of its gain from the first to the last checkpoint, the earliest first.

    Linear between checkpoints. The interval holds the checkpoints around: it begins at the last one whose interval
    lies below half so far, and ends at the first from which on all lie above, half itself being as uncertain as the
    two ends of the curve. Infinite where they do not stay above.

    Returns:
        A row a task that gains: ``step``, ``low``, ``high``. One whose interval at the last checkpoint is not above
        that at the first has no row.
    """
    rows = {}
    for task in tasks(frame):
        curve_of = curve(frame, task, layer)
        steps = curve_of["step"].to_numpy(float)
        value, low, high = (curve_of[column].to_numpy(float) for column in ("value", "low", "high"))
        if low[-1] <= high[0]:
            continue
        half = {name: ends[[0, -1]].mean() for name, ends in (("value", value), ("low", low), ("high", high))}
        begins = np.argmax(high >= half["low"])
        under = np.flatnonzero(low < half["high"])[-1]
        rows[task] = (
            float(first_crossing(steps, value, half["value"])),
            steps[max(begins - 1, 0)],
            steps[under + 1] if under + 1 < len(steps) else np.inf,
        )
    return pd.DataFrame.from_dict(rows, orient="index", columns=["step", "low", "high"]).sort_values("step")


def ranks(halves: pd.DataFrame) -> list[list[str]]:
    """The tasks of :func:`half_gains`, those first that are first; tasks whose intervals overlap are one rank."""
    ends, begins = halves["high"].cummax().to_numpy(), halves["low"].to_numpy()
    cuts = [at for at in range(1, len(halves)) if begins[at:].min() >= ends[at - 1]]
    tags = list(halves.index)
    return [tags[start:end] for start, end in zip([0, *cuts], [*cuts, len(tags)], strict=True) if start < end]


def grid(frame: pd.DataFrame, task: str, column: str = "value") -> pd.DataFrame:
    """Micro F1, or an end of its interval: a row a layer, a column a step."""
    by_layer = {layer: curve(frame, task, layer).set_index("step")[column] for layer in layers(frame)}
    return pd.DataFrame(by_layer).T.rename_axis(index="layer", columns="step")


def centre_of_gravity(frame: pd.DataFrame, task: str) -> pd.Series:
    """The mean layer, weighted by how much each adds to static embeddings, by step.

    A layer weighs its micro F1 less that of layer 0, or nothing where that is negative; like the expected layer of
    Tenney et al. (2019, "BERT rediscovers the classical NLP pipeline"), but of separate layers and not of sums. nan
    where no layer's interval lies above that of layer 0: then there is nothing to weigh.
    """
    values, low, high = (grid(frame, task, column) for column in ("value", "low", "high"))
    gains = (values - values.loc[STATIC_LAYER]).clip(lower=0)
    centre = gains.mul(gains.index, axis=0).sum() / gains.sum()
    return centre.where((low > high.loc[STATIC_LAYER]).any())
