"""Facts over objects in their relation: the rows of the knowledge probe, of runs that were frozen before too.

Facts that share relation and object stand and fall together. Runs that were frozen when intervals were over single
facts, several times too narrow, kept the facts: of what can be counted anew from these the intervals are, and of the
rest there is none.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import tables
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs.knowledge import (
    ACCURACY,
    COPY,
    HELD_OUT,
    KNOWN,
    MAJORITY,
    NOT_HELD_OUT,
    NOT_NAMED,
    OF_CANDIDATES,
    SPECIFICATION,
)

COUNTED = {
    (ACCURACY, None): "correct",
    (KNOWN, None): "known",
    (OF_CANDIDATES, None): "chosen",
    (ACCURACY, MAJORITY): "common",
    (ACCURACY, COPY): "named",
}
"""By metric and baseline the column of the items that it is the mean of."""


def read(series: Sequence[Series], steps: str = "all") -> pd.DataFrame:
    """:func:`embryology.analysis.tables.read` of the knowledge probe, every interval over objects."""
    return tables.read(series, SPECIFICATION.name, steps, measured)


def measured(series: Series, probe: str = SPECIFICATION.name) -> pd.DataFrame:
    """The rows of a series, of :data:`embryology.runs.measurements.SCHEMA`.

    Of a run that was frozen without units those that can be counted from its items are counted anew, ``known`` and the
    copy among them, and the others lose their intervals.
    """
    frame = measurements.read(series, probe)
    if frame["unit"].notna().any() or measurements.is_not_applicable(frame):
        return frame
    items = with_known(measurements.read_items(series, probe))
    counted = pd.DataFrame(_counted(items[items["pieces"] == 1]))
    of_step = frame.drop_duplicates("step").drop(columns=[name for name in counted if name != "step"])
    counted = counted.merge(of_step, on="step")[frame.columns]
    again = pd.MultiIndex.from_frame(frame[["metric", "baseline"]].fillna("")).isin(
        [(metric, baseline or "") for metric, baseline in COUNTED]
    )
    rest = frame[~(again & frame["task"].isin(counted["task"]))].assign(low=np.nan, high=np.nan)
    return pd.concat([counted, rest], ignore_index=True)


def with_known(items: pd.DataFrame, criterion: str = "correct") -> pd.DataFrame:
    """Items with the column ``known``: right, and not what the same prompt says without its subject.

    Of items that were kept without that answer those of the relation's most common object stand for it.

    Args:
        items: of the knowledge probe.
        criterion: ``correct``, the first answer of all pieces, or ``chosen``, that among the relation's objects.
    """
    answer = {"correct": "answer", "chosen": "choice"}[criterion]
    constant = items[f"{answer}_alone"] == items["object_number"] if answer in items else items["common"]
    return items.assign(known=items[criterion] & ~constant)


def _counted(items: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of :data:`COUNTED`, of all sets and their parts."""
    for name, of_set in items.groupby("task"):
        facts, steps, answers = by_fact(of_set, list(COUNTED.values()))
        units = facts.groupby(["group", "object_number"]).ngroup().to_numpy()
        held_out = facts["held_out"].to_numpy(bool)
        parts = {"": np.ones(len(facts), bool), f"/{NOT_NAMED}": ~facts["named"].to_numpy(bool)}
        parts |= {f"/{HELD_OUT}": held_out, f"/{NOT_HELD_OUT}": ~held_out} if held_out.any() else {}
        relations = [
            ("", np.ones(len(facts), bool)),
            *((one, facts["group"] == one) for one in facts["group"].unique()),
        ]
        for (part, within), (relation, of_relation) in product(parts.items(), relations):
            chosen = within & np.asarray(of_relation)
            for (metric, baseline), column in COUNTED.items():
                if n := chosen.sum():
                    sums, counts = intervals.by_unit(answers[column][chosen], units[chosen])
                    low, high = intervals.of_share(sums, counts[:, None])
                    for at, step in enumerate(steps):
                        value, ends = sums[:, at].sum() / n, (low[at], high[at])
                        counted = measurements.row(
                            f"{name}{part}", relation, metric, value, ends, n, baseline=baseline, unit="object"
                        )
                        yield counted | {"step": step}


def by_fact(items: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray, dict[str, np.ndarray]]:
    """Items as facts × checkpoints.

    Returns:
        A row a fact, as it is at the first checkpoint; (t,) the steps, rising; and of each column (facts, t).

    Raises:
        EmbryologyError: a fact was not measured at every checkpoint.
    """
    items = items.sort_values(["item_id", "step"], kind="stable")
    steps, facts = np.sort(items["step"].unique()), items.drop_duplicates("item_id").reset_index(drop=True)
    if len(facts) * len(steps) != len(items):
        raise EmbryologyError(
            "the checkpoints of this run were measured on different facts; measure all of them alike: "
            "embryology probe RUN --probe knowledge"
        )
    return facts, steps, {name: items[name].to_numpy().reshape(len(facts), len(steps)) for name in columns}


def above_all(items: pd.DataFrame) -> pd.DataFrame:
    """Whether each relation's facts are right more often than by every blind answer, paired over objects.

    The facts are those whose object does not stand in the subject's name, at the last checkpoint. Blind answers: the
    relation's most common object; what the template says without a subject, where that was kept; the untrained model,
    where step 0 was measured.

    Args:
        items: of one set, of objects of one piece.

    Returns:
        A row a relation: ``relation``, ``low`` (the least of the lower ends of the differences; nan where there are too
        few objects to tell).
    """
    facts = items[~items["named"]]
    last = facts[facts["step"] == facts["step"].max()].set_index("item_id")
    blind = {"common": last["common"]}
    if "answer_alone" in last:
        blind["alone"] = last["answer_alone"] == last["object_number"]
    if (first := facts[facts["step"] == 0].set_index("item_id")).size and facts["step"].max() > 0:
        blind["untrained"] = first["correct"].reindex(last.index)
    lows = {}
    for relation, rows in last.groupby("group"):
        ends = [_difference(rows["correct"], answers[rows.index], rows)[0] for answers in blind.values()]
        lows[relation] = float(np.min(ends))
    return pd.DataFrame({"relation": lows.keys(), "low": lows.values()})


def changed(items: pd.DataFrame) -> pd.DataFrame:
    """By how much each relation's share of right facts changes from half of the steps to the end, paired over objects.

    The facts are those whose object does not stand in the subject's name; the middle is fixed beforehand, as a best
    checkpoint that is chosen by its score is better by choice alone.

    Returns:
        A row a relation: ``relation``, ``low``, ``high``; none without a checkpoint between step 0 and the last.
    """
    facts = items[~items["named"]]
    last = facts["step"].max()
    between = facts.loc[(facts["step"] > 0) & (facts["step"] < last), "step"].unique()
    if not len(between):
        return pd.DataFrame(columns=["relation", "low", "high"])
    middle = between[np.abs(between - last / 2).argmin()]
    then, now = (facts[facts["step"] == step].set_index("item_id") for step in (middle, last))
    ends = {
        relation: _difference(rows["correct"], then.loc[rows.index, "correct"], rows)
        for relation, rows in now.groupby("group")
    }
    return pd.DataFrame([(relation, *both) for relation, both in ends.items()], columns=["relation", "low", "high"])


def _difference(one: pd.Series, other: pd.Series, facts: pd.DataFrame) -> tuple[float, float]:
    differences = one.to_numpy(float) - other.to_numpy(float)
    low, high = intervals.of_mean(*intervals.by_unit(differences, facts["object_number"].to_numpy()))
    return float(low), float(high)
