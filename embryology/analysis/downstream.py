"""Downstream ability over checkpoints: how good a start each is, how early that is reached, and whether it goes on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from embryology.analysis import curves
from embryology.analysis.learning_order import first_crossing
from embryology.analysis.published import FOLDER
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.paths import RunFolder

NAMES = {
    "CoLA": "acceptability (CoLA)",
    "SST-2": "sentiment (SST-2)",
    "MRPC": "paraphrase (MRPC)",
    "STS-B": "similarity (STS-B)",
    "QQP": "same question (QQP)",
    "MNLI": "inference (MNLI)",
    "QNLI": "answer in sentence (QNLI)",
    "RTE": "inference (RTE)",
    "WNLI": "pronouns (WNLI)",
    "SQuAD": "questions on a text (SQuAD 2.0)",
    "topic": "topic of an article",
}
"""Tasks in the order in which figures show them."""
FINETUNED, FROZEN = "finetune", "frozen"
SCORE, COLLAPSED = "score", "collapsed"
MAJORITY, TF_IDF = "majority", "tf-idf"
MEAN = "mean"
"""The task that stands for the mean over tasks."""
APART = ("WNLI", "SQuAD")
"""Tasks that the paper's mean leaves out."""
ENOUGH = 0.95
"""Of the gain from the first checkpoint to the best."""
EARLY = 0.25
"""Of the steps: the trend is that of what comes after."""


def read(
    run: str | Path, compare: Sequence[str | Path] = (), steps: str = "all", probe: str = FINETUNED
) -> pd.DataFrame:  # fmt: skip
    """Scores and collapses of fine-tuning, or of linear models on the frozen model; ``run`` first.

    The mean over a run's tasks, those of :data:`APART` left out unless there are no others, is added as the task
    :data:`MEAN`, seed by seed; its intervals are the means of the tasks' and so on the wide side. Only tasks that were
    run are in it.

    Args:
        run: name or path.
        compare: further runs; always with all of their checkpoints.
        steps: which checkpoints of ``run``, as in :func:`embryology.analysis.curves.select_measured`.
        probe: :data:`FINETUNED` or :data:`FROZEN`.

    Raises:
        EmbryologyError: a run is missing or was not measured.
    """
    tables = []
    for name in dict.fromkeys([run, *compare]):
        frame = measurements.read(name, probe=probe)
        frame = frame[((frame["metric"] == SCORE) & (frame["item"] == "")) | (frame["metric"] == COLLAPSED)]
        if frame.empty:
            raise EmbryologyError(f"run {name} has no vectors that a task could be learnt from")
        frame = pd.concat([frame, _means(frame)])
        tables.append(frame if tables else curves.select_measured(frame, steps))
    return pd.concat(tables, ignore_index=True)


def read_frozen(run: str | Path, steps: str = "all") -> pd.DataFrame | None:
    """:func:`read` of linear models on the frozen checkpoints of a run; None where they were not measured."""
    if not any((RunFolder.named(run).measurements / FROZEN).glob("*.parquet")):
        return None
    return read(run, (), steps, FROZEN)


def source(run: str | Path) -> str:
    """Which tasks a run was fine-tuned for, and with how many examples.

    Raises:
        EmbryologyError: checkpoints were given different ones.
    """
    items = measurements.read_items(run, FINETUNED, ["task", "source"]).drop_duplicates()
    by_task = {task: measurements.source_of(rows) for task, rows in items.groupby("task")}
    return "; ".join(by_task[task] for task in NAMES if task in by_task)


def _means(frame: pd.DataFrame) -> pd.DataFrame:
    rows = frame[frame["metric"] == SCORE]
    inside = ~rows["task"].isin(APART)
    rows = rows[inside] if inside.any() else rows
    keys = ["series", "step", "seed", "baseline"]
    how = {name: "first" for name in frame if name not in keys} | dict.fromkeys(["value", "low", "high"], "mean")
    means = rows.groupby(keys, as_index=False, dropna=False).agg(how | {"n": "sum"})
    return means.assign(task=MEAN)[frame.columns]


def tasks(frame: pd.DataFrame) -> list[str]:
    """The tasks of the first run in the order of :data:`NAMES`."""
    own = set(frame.loc[frame["series"] == curves.main_series(frame), "task"])
    return [name for name in NAMES if name in own]


def label(task: str) -> str:
    return NAMES.get(task, "mean over tasks")


def seeds(frame: pd.DataFrame, task: str, metric: str = SCORE, series: str | None = None) -> pd.DataFrame:
    """Every seed's values: a row a step, a column a seed."""
    rows = _rows(frame, task, metric, None, series)
    return rows.pivot(index="step", columns="seed", values="value").sort_index()


def curve(frame: pd.DataFrame, task: str, series: str | None = None) -> pd.DataFrame:
    """The median over seeds, with an interval that reaches over all of theirs: step, tokens, value, low, high, n."""
    rows = _rows(frame, task, SCORE, None, series)
    how = {"tokens": "first", "value": "median", "low": "min", "high": "max", "n": "first"}
    return rows.groupby("step", as_index=False).agg(how)


def baseline(frame: pd.DataFrame, task: str, name: str) -> float:
    """What a baseline scores; nan where it was not measured."""
    rows = _rows(frame, task, SCORE, name, None)
    return float(rows["value"].iloc[-1]) if len(rows) else np.nan


def _rows(frame: pd.DataFrame, task: str, metric: str, baseline: str | None, series: str | None) -> pd.DataFrame:
    rows = frame[(frame["series"] == (series or curves.main_series(frame))) & (frame["task"] == task)]
    rows = rows[rows["metric"] == metric]
    return rows[rows["baseline"].isna() if baseline is None else rows["baseline"] == baseline]


def collapsed(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs of fine-tuning that answer everything alike: task, step, seed."""
    rows = frame[(frame["metric"] == COLLAPSED) & (frame["value"] == 1)]
    own = rows["series"] == curves.main_series(frame)
    return rows.loc[own, ["task", "step", "seed"]].drop_duplicates()  # of two development sets


def reached(frame: pd.DataFrame, task: str = MEAN) -> tuple[float, float, float]:
    """The step at which :data:`ENOUGH` of the gain from the first to the best checkpoint is there; least and most.

    Of the median over seeds, linear between checkpoints; the range is that of single seeds. nan where there is no gain.
    """
    table = seeds(frame, task)
    each = [_reached(table.index.to_numpy(float), table[seed].to_numpy()) for seed in table]
    middle = _reached(table.index.to_numpy(float), table.median(axis=1).to_numpy())
    known = [step for step in each if np.isfinite(step)]
    return (middle, min(known), max(known)) if known and np.isfinite(middle) else (np.nan, np.nan, np.nan)


def _reached(steps: np.ndarray, values: np.ndarray) -> float:
    gain = values.max() - values[0]
    return float(first_crossing(steps, values, values[0] + ENOUGH * gain)) if gain > 0 else np.nan


def trend(frame: pd.DataFrame, task: str = MEAN) -> tuple[float, float, int]:
    """Spearman's correlation of the median score with the step after :data:`EARLY` of the steps, its p, and n.

    p is that of all permutations, two-sided (of 9,999 drawn where there are more). nan for fewer than four checkpoints.
    """
    rows = curve(frame, task)
    late = rows[rows["step"] >= EARLY * rows["step"].max()]
    if len(late) < 4 or np.ptp(late["value"]) == 0:
        return np.nan, np.nan, len(late)

    def statistic(values: np.ndarray) -> float:
        return stats.spearmanr(late["step"], values).statistic

    test = stats.permutation_test(
        (late["value"].to_numpy(),), statistic, permutation_type="pairings", n_resamples=9999, rng=0
    )
    return float(test.statistic), float(test.pvalue), len(late)


def siblings(tuned: pd.DataFrame, frozen: pd.DataFrame, task: str) -> tuple[pd.DataFrame, float]:
    """Both scores of the checkpoints that both measured, and Spearman's correlation over them.

    Returns:
        step, ``tuned`` (median over seeds) and ``frozen``; nan for fewer than four checkpoints, or where one side is
        constant.
    """
    own = curve(tuned, task)[["step", "value"]].rename(columns={"value": "tuned"})
    both = own.merge(curve(frozen, task)[["step", "value"]].rename(columns={"value": "frozen"}), on="step")
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
