"""Downstream ability over checkpoints: how good a start each is, how early that is reached, and its late trend."""

import numpy as np
import pandas as pd
from scipy import optimize, stats

from embryology import intervals
from embryology.analysis import tables
from embryology.analysis.crossings import first_crossing
from embryology.analysis.published import FOLDER
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import UNTRAINED
from embryology.specs.downstream import COLLAPSED, FINETUNE, FROZEN, SCORE, TASKS

MEAN = "mean"
"""The task that stands for the mean over tasks."""
APART = ("WNLI", "SQuAD")
"""Tasks that the paper's mean leaves out."""
ENOUGH, LAST = 0.95, 3
"""Of the gain from the first checkpoint to the mean of the last ones, and how many those are."""
EARLY = 0.25
"""Of the steps: the trend is that of what comes after."""


def with_mean(frame: pd.DataFrame) -> pd.DataFrame:
    """Scores and collapses, with the mean over a series' tasks added as the task :data:`MEAN`, seed by seed.

    Tasks of :data:`APART` are left out of the mean, unless there are no others. Its intervals are the means of the
    tasks' and so on the wide side.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, of either probe.

    Returns:
        A frame of the same columns; single development sets' scores and the untrained model are not in it.
    """
    totals = ((frame["metric"] == SCORE) & (frame["group"] == "")) | (frame["metric"] == COLLAPSED)
    rows = frame[totals & (frame["baseline"] != UNTRAINED)]
    by_series = [one for _, one in rows.groupby("series", sort=False)]
    return pd.concat([part for one in by_series for part in (one, _means(one))], ignore_index=True)


def frozen(series: Series, steps: str = "all") -> pd.DataFrame | None:
    """:func:`with_mean` of linear models on the frozen checkpoints of a series; None where they were not measured.

    Raises:
        EmbryologyError: as :func:`embryology.analysis.tables.read`.
    """
    if measurements.lacking(series, FROZEN):
        return None
    return with_mean(tables.read([series], FROZEN, steps))


def source(series: Series) -> str:
    """Which tasks a series was fine-tuned for, and with how many examples.

    Raises:
        EmbryologyError: checkpoints were given different ones.
    """
    items = measurements.read_items(series, FINETUNE, ["task", "source"]).drop_duplicates()
    by_task = {task: measurements.source_of(rows) for task, rows in items.groupby("task")}
    return "; ".join(by_task[task] for task in TASKS if task in by_task)


def _means(frame: pd.DataFrame) -> pd.DataFrame:
    rows = frame[frame["metric"] == SCORE]
    averaged = ~rows["task"].isin(APART)
    rows = rows[averaged] if averaged.any() else rows
    keys = ["series", "step", "seed", "baseline"]
    how = {name: "first" for name in frame if name not in keys} | dict.fromkeys(["value", "low", "high"], "mean")
    means = rows.groupby(keys, as_index=False, dropna=False).agg(how | {"n": "sum"})
    return means.assign(task=MEAN)[frame.columns]


def tasks(frame: pd.DataFrame) -> list[str]:
    """The tasks of the first series in the order of the specification, those of plug-ins behind them."""
    measured = set(frame.loc[frame["series"] == tables.main_series(frame), "task"])
    return [*(task for task in TASKS if task in measured), *sorted(measured - set(TASKS) - {MEAN})]


def label(task: str) -> str:
    """What a task is called; one of a plug-in by its name."""
    return "mean over tasks" if task == MEAN else TASKS.get(task, task)


def seeds(frame: pd.DataFrame, task: str, metric: str = SCORE, series: str | None = None) -> pd.DataFrame:
    """Every seed's values: a row a step, a column a seed."""
    rows = tables.of(frame, task, metric, series=series)
    return rows.pivot(index="step", columns="seed", values="value").sort_index()


def curve(frame: pd.DataFrame, task: str, series: str | None = None) -> pd.DataFrame:
    """The median over seeds, with an interval that reaches over all of theirs: step, tokens, value, low, high, n.

    Args:
        frame: of :func:`with_mean`, as everywhere below.
    """
    rows = tables.of(frame, task, SCORE, series=series)
    how = {"tokens": "first", "value": "median", "low": "min", "high": "max", "n": "first"}
    return rows.groupby("step", as_index=False).agg(how)


def baseline(frame: pd.DataFrame, task: str, name: str) -> float:
    """What a baseline scores; nan where it was not measured."""
    rows = tables.of(frame, task, SCORE, name)
    return float(rows["value"].iloc[-1]) if len(rows) else np.nan


def collapsed(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs of fine-tuning that answer everything alike: task, step, seed."""
    rows = frame[(frame["metric"] == COLLAPSED) & (frame["value"] == 1)]
    of_first = rows["series"] == tables.main_series(frame)
    return rows.loc[of_first, ["task", "step", "seed"]].drop_duplicates()  # of two development sets


def reached(frame: pd.DataFrame, task: str = MEAN) -> tuple[float, float, float]:
    """The step at which :data:`ENOUGH` of the gain is there, with the ends of its 95% interval.

    The gain is that from the first checkpoint to the mean of the last :data:`LAST` ones, as the best of many noisy
    values comes late by luck. The step is where the rising fit to the mean over seeds has it, linear between
    checkpoints. The interval is a parametric bootstrap: to every checkpoint's score noise of two kinds is added, that
    of the development items, as wide as their intervals say, and that of the seeds that were not drawn. Its ends are
    moved outwards to checkpoints, as what happens between two of them is not seen.

    Returns:
        nan where there are fewer than :data:`LAST` + 1 checkpoints, or the interval of the gain holds 0. Ends are -inf
        where the first checkpoint has it, and inf where no checkpoint does.
    """
    rows, table = tables.of(frame, task, SCORE), seeds(frame, task)
    if len(table) <= LAST:
        return np.nan, np.nan, np.nan
    items = rows.groupby("step")[["low", "high"]].mean().sort_index()
    variance = ((items["high"] - items["low"]).to_numpy(float) / (2 * stats.norm.ppf(0.975))) ** 2
    if table.shape[1] > 1:
        variance = variance + table.var(axis=1, ddof=1).mean() / table.shape[1]
    means = table.mean(axis=1).to_numpy()
    noise = np.random.default_rng(intervals.SEED).standard_normal((intervals.RESAMPLES, len(means)))
    draws = means + noise * np.sqrt(variance)
    low, _ = intervals.percentile_interval(draws[:, -LAST:].mean(axis=1) - draws[:, 0])
    if not low > 0:
        return np.nan, np.nan, np.nan
    steps = table.index.to_numpy(float)
    step = float(_reached(steps, means[None])[0])
    low, high = intervals.percentile_interval(_reached(steps, draws))
    before = steps[steps <= min(low, step)].max(initial=-np.inf)
    after = steps[steps >= max(high, step)].min(initial=np.inf)
    return step, float(before), float(after)


def _reached(steps: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(curves,) steps of (curves, steps) values."""
    level = values[:, 0] + ENOUGH * gains(values)
    rising = np.array([optimize.isotonic_regression(curve).x for curve in values])
    return first_crossing(steps, rising, level)


def gains(values: np.ndarray) -> np.ndarray:
    """From the first of (..., steps) values to the mean of the last :data:`LAST`."""
    return np.asarray(values[..., -LAST:].mean(axis=-1) - values[..., 0])


def trend(frame: pd.DataFrame, task: str = MEAN) -> tuple[float, int]:
    """Spearman's correlation of the median score with the step after :data:`EARLY` of the steps, and n.

    Without p: the checkpoints of one run are not independent, and even permutations of blocks say yes too often of a
    dozen of them. nan for fewer than four checkpoints.
    """
    rows = curve(frame, task)
    late = rows[rows["step"] >= EARLY * rows["step"].max()]
    if len(late) < 4 or np.ptp(late["value"]) == 0:
        return np.nan, len(late)
    return float(stats.spearmanr(late["step"], late["value"]).statistic), len(late)


def siblings(tuned: pd.DataFrame, frozen: pd.DataFrame, task: str) -> tuple[pd.DataFrame, float]:
    """Both scores of the checkpoints that both measured, and Spearman's correlation over them.

    Returns:
        step, ``tuned`` (median over seeds) and ``frozen``; nan for fewer than four checkpoints, or where one side is
        constant.
    """
    tuned_scores = curve(tuned, task)[["step", "value"]].rename(columns={"value": "tuned"})
    frozen_scores = curve(frozen, task)[["step", "value"]].rename(columns={"value": "frozen"})
    both = tuned_scores.merge(frozen_scores, on="step")
    if len(both) < 4 or min(np.ptp(both["tuned"]), np.ptp(both["frozen"])) == 0:
        return both, np.nan
    return both, float(stats.spearmanr(both["tuned"], both["frozen"]).statistic)


def published(name: str) -> pd.DataFrame:
    """Released curves, in points: a row a series, a column a step.

    Args:
        name: ``glue_all`` (the GLUE average of ALBERT, BERT and ELECTRA), ``bert_finetune`` or ``electra_finetune``
            (single tasks).

    Raises:
        EmbryologyError: the file is missing.
    """
    file = FOLDER / f"{name}.csv"
    if not file.is_file():
        raise EmbryologyError(f"{file} is missing; restore it from the repository")
    table = pd.read_csv(file)
    by = "model" if name == "glue_all" else "series"
    return table.drop_duplicates([by, "step"]).pivot(index=by, columns="step", values="value")  # one point comes twice
