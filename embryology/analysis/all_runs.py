"""All runs at hand beside each other, question by question: what each scores, beside its best blind answer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from embryology.analysis import attention, downstream, edges, grammar, knowledge, over_objects, tables
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import UNTRAINED
from embryology.specs import attention as heads
from embryology.specs import downstream as tasks
from embryology.specs import edges as labels
from embryology.specs import grammar as pairs
from embryology.specs import knowledge as facts

HALF = 0.5
"""Of the steps: what comes after is late."""
RISES, FALLS, OPEN = "rises", "falls", "no change shown"
Rows = tuple[str, pd.DataFrame, list[pd.DataFrame]]
"""A measure in words, its curve of :data:`embryology.analysis.tables.CURVE`, and those of blind answers."""


@dataclass(frozen=True)
class Score:
    """One measure of one series over its checkpoints."""

    measure: str
    series: str
    rows: pd.DataFrame
    """``step``, ``tokens``, ``value``, ``low``, ``high``: shares, rising by step; and the same number in each row,
    ``blind``, what the best blind answer scores at the last checkpoint, and ``blind_high``, the highest end of an
    interval of any of them."""

    @property
    def beyond(self) -> bool:
        """Whether the last checkpoint's interval lies above every blind answer."""
        last = self.rows.iloc[-1]
        return bool(last["low"] > last["blind_high"])

    @property
    def late(self) -> str | None:
        """What the score does from :data:`HALF` of the steps on, interval against interval; None if nothing is there.

        Intervals of the same items, as these are, need not be apart for a change to be real: one that is shown is, one
        that is not may be.
        """
        steps = self.rows["step"].to_numpy(float)
        at = np.flatnonzero(steps <= HALF * steps[-1])
        if not len(at) or at[-1] == len(steps) - 1 or not self.rows[["low", "high"]].notna().all(axis=None):
            return None
        middle, last = self.rows.iloc[at[-1]], self.rows.iloc[-1]
        return RISES if last["low"] > middle["high"] else FALLS if last["high"] < middle["low"] else OPEN


def read(series: Sequence[Series], question: str, steps: str = "all") -> list[Score]:
    """The scores that answer a question of :data:`QUESTIONS`, series by series.

    Args:
        series: the one that is reported on, then all others; those that were not asked are left out.
        question: its name.
        steps: which checkpoints of the first, as of :func:`embryology.analysis.tables.read`.
    """
    found = []
    for probe, scores_of in QUESTIONS[question].items():
        for number, each in enumerate(series):
            if measurements.lacking(each, probe) is None:
                for measure, rows, blind in scores_of(each, "all" if number else steps):
                    if len(rows):
                        ends = [line.iloc[-1] for line in blind if len(line)]
                        table = rows[["step", "tokens", "value", "low", "high"]].astype(float)
                        table["blind"] = max((end["value"] for end in ends), default=np.nan)
                        table["blind_high"] = max(map(_top, ends), default=np.nan)
                        found.append(Score(measure, each.name, table))
    return found


def asked(series: Sequence[Series], question: str) -> list[Series]:
    """Those that a probe of the question measured."""
    return [each for each in series if any(measurements.lacking(each, probe) is None for probe in QUESTIONS[question])]


def _top(end: pd.Series) -> float:
    return float(end["value"] if pd.isna(end["high"]) else end["high"])


def facts_right(series: Sequence[Series]) -> pd.DataFrame:
    """Of the first set of facts of each series, without those that can be copied, the share that is right at the end.

    Returns:
        A row a series that was asked: ``series``, ``value``, and ``majority``, what the most common object of each
        relation gives.
    """
    rows = []
    for each in series:
        if measurements.lacking(each, facts.SPECIFICATION.name) is None:
            frame = tables.read([each], facts.SPECIFICATION.name)
            name = f"{knowledge.sets(frame)[0]}/{facts.NOT_NAMED}"
            right, common = (knowledge.curve(frame, name, baseline=baseline) for baseline in (None, facts.MAJORITY))
            if len(right) and len(common):
                rows.append((each.name, right["value"].iloc[-1], common["value"].iloc[-1]))
    return pd.DataFrame(rows, columns=["series", "value", "majority"])


def _edges(series: Series, steps: str) -> Iterator[Rows]:
    frame = tables.read([series], labels.SPECIFICATION.name, steps)
    layer = edges.best_layer(frame)
    for task in edges.tasks(frame):
        blind = [
            edges.curve(frame, task, None, baseline=labels.MAJORITY),
            edges.curve(frame, task, labels.STATIC_LAYER),
            edges.curve(frame, task, layer, baseline=UNTRAINED),
        ]
        yield edges.label(task), edges.curve(frame, task, layer), blind


def _grammar(series: Series, steps: str) -> Iterator[Rows]:
    frame = tables.read([series], pairs.SPECIFICATION.name, steps)
    name = grammar.sets(frame)[0]
    blind = [
        grammar.curve(frame, name, baseline=baseline)
        for baseline in (pairs.CHANCE, pairs.SHORTER, pairs.UNIGRAM, UNTRAINED)
    ]
    yield f"grammatical sentence preferred ({name})", grammar.curve(frame, name), blind


def _attention(series: Series, steps: str) -> Iterator[Rows]:
    frame = tables.read([series], heads.SPECIFICATION.name, steps)
    blind = [attention.found(frame, attention.ALL, name) for name in (heads.OFFSET, heads.UNIFORM, UNTRAINED)]
    yield "syntactic heads found by an attention head", attention.found(frame, attention.ALL), blind


def _tasks(series: Series, steps: str, probe: str, how: str) -> Iterator[Rows]:
    frame = downstream.with_mean(tables.read([series], probe, steps))
    rows = downstream.curve(frame, downstream.MEAN)
    lines = [downstream.baseline(frame, downstream.MEAN, name) for name in tasks.BASELINES]
    blind = [pd.DataFrame({"value": [line], "high": [np.nan]}) for line in lines if np.isfinite(line)]
    scratch = rows[rows["step"] == 0]
    names = ", ".join(downstream.label(task) for task in downstream.tasks(frame))
    yield f"{names}: {how}", rows, [*blind, scratch]


def _facts(series: Series, steps: str) -> Iterator[Rows]:
    frame = over_objects.read([series], steps)
    for name in knowledge.sets(frame):
        unnamed = f"{name}/{facts.NOT_NAMED}"
        blind = [
            knowledge.curve(frame, unnamed, baseline=baseline)
            for baseline in (facts.MAJORITY, facts.TEMPLATE, UNTRAINED)
        ]
        yield f"facts that cannot be copied ({knowledge.set_label(name)})", knowledge.curve(frame, unnamed), blind


QUESTIONS: dict[str, dict[str, Callable[[Series, str], Iterator[Rows]]]] = {
    "language": {labels.SPECIFICATION.name: _edges, pairs.SPECIFICATION.name: _grammar},
    "inside": {heads.SPECIFICATION.name: _attention},
    "use": {
        tasks.FINETUNE: partial(_tasks, probe=tasks.FINETUNE, how="fine-tuned"),
        tasks.FROZEN: partial(_tasks, probe=tasks.FROZEN, how="frozen"),
    },
    "world": {facts.SPECIFICATION.name: _facts},
}
"""By question the probes that answer it, each with what reads its scores."""
