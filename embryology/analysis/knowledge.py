"""The knowledge probe over checkpoints: which relations a model knows facts of, beside what it has to clear."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import over_objects, permuted, tables
from embryology.analysis.permuted import Chance
from embryology.analysis.published import FOLDER
from embryology.analysis.trajectories import Trajectories, events
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import UNTRAINED
from embryology.specs.knowledge import (
    ACCURACY,
    COPY,
    EXCLUDED,
    LOG_PROBABILITY,
    MAJORITY,
    SEVERAL_PIECES,
    SPECIFICATION,
    TEMPLATE,
)

RELATIONS = {
    "P140": "religion",
    "P103": "native language",
    "P176": "manufacturer",
    "P138": "named after",
    "P407": "language of work",
    "P159": "headquarters",
    "P1376": "capital of",
    "P17": "country",
    "P19": "place of birth",
    "P20": "place of death",
    "P30": "continent",
    "P36": "capital",
    "P37": "official language",
    "P127": "owned by",
    "P131": "located in the district",
    "P136": "genre",
    "P264": "record label",
    "P276": "location",
    "P279": "subclass of",
    "P361": "part of",
    "P364": "original language of film",
    "P413": "position played",
    "P449": "original network",
    "P495": "country of origin",
    "P740": "location of formation",
}
"""Wikidata's properties of the types 1-1 and N-1; first the seven of the paper's figure."""
SHOWN = 7
TOGETHER = ((0, 0), (1, 1), (2, 4), (5, 16), (17, None))
"""Classes of how often subject and object stand in one sentence of the training text."""


def sets(frame: pd.DataFrame) -> list[str]:
    """The sets of facts of the first series, in the order of the specification, those of plug-ins behind them.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, as everywhere here.
    """
    measured = set(frame.loc[frame["series"] == tables.main_series(frame), "task"])
    others = sorted(name for name in measured - set(SPECIFICATION.tasks) if "/" not in name)
    return [*(name for name in SPECIFICATION.tasks if name in measured), *others]


def set_label(name: str) -> str:
    """What a set is called; one of a plug-in by its name."""
    return SPECIFICATION.tasks.get(name, name)


def relations(frame: pd.DataFrame, name: str) -> list[str]:
    """The relations of a set of the first series of which facts were asked for; those of the paper's figure first."""
    measured = curve_rows(frame, name, ACCURACY)["group"].unique()
    rank = {relation: number for number, relation in enumerate(RELATIONS)}
    return sorted(filter(None, measured), key=lambda relation: (rank.get(relation, len(rank)), relation))


def label(relation: str) -> str:
    """For people: a Wikidata property with its name."""
    return f"{relation} {RELATIONS[relation]}" if relation in RELATIONS else relation.replace("_", " ")


def curve_rows(frame: pd.DataFrame, task: str, metric: str, series: str | None = None) -> pd.DataFrame:
    """All rows of one metric of one task, of every relation and baseline."""
    rows = frame[(frame["series"] == (series or tables.main_series(frame))) & (frame["task"] == task)]
    return rows[rows["metric"] == metric]


def curve(
    frame: pd.DataFrame,
    task: str,
    group: str = "",
    metric: str = ACCURACY,
    baseline: str | None = None,
    series: str | None = None,
) -> pd.DataFrame:
    """A metric of one relation, or of all (``group`` empty), over steps: step, tokens, value, low, high, n."""
    rows = tables.of(frame, task, metric, baseline, series)
    return rows[rows["group"] == group].sort_values("step")[tables.CURVE].reset_index(drop=True)


def above_blind(frame: pd.DataFrame, task: str) -> bool:
    """Whether all facts of a task lie above each blind answer at the last checkpoint, interval against interval."""
    low = curve(frame, task)["low"].iloc[-1]
    lines = [curve(frame, task, baseline=name) for name in (MAJORITY, TEMPLATE, COPY, UNTRAINED)]
    highs = [line["high"].fillna(line["value"]).iloc[-1] for line in lines if len(line)]
    return bool(all(low > high for high in highs))


def by_relation(series: Series, name: str) -> pd.DataFrame:
    """What can be said of each relation, of facts whose object does not stand in the subject's name.

    Returns:
        A row a relation: ``above`` (every blind answer, :func:`embryology.analysis.over_objects.above_all`), ``rises``
        and ``falls`` (from half of the steps to the end), and ``told``, which is false where there are too few objects.
    """
    items = measurements.read_items(series, SPECIFICATION.name)
    items = items[(items["task"] == name) & (items["pieces"] == 1)]
    above = over_objects.above_all(items).set_index("relation")["low"]
    change = over_objects.changed(items).set_index("relation").reindex(above.index)
    return pd.DataFrame(
        {"above": above > 0, "rises": change["low"] > 0, "falls": change["high"] < 0, "told": above.notna()}
    )


def asked(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """How many facts each relation of a set has, a row a relation: those of one piece, of several, and excluded.

    Columns: ``relation``, ``facts`` (all), ``one piece`` (asked by the paper's protocol), ``several pieces``, and one
    column for every reason for which facts were excluded. The numbers are those of the last checkpoint.
    """
    rows = frame[frame["series"] == tables.main_series(frame)]
    rows = rows[(rows["step"] == rows["step"].max()) & rows["baseline"].isna() & (rows["group"] != "")]
    one = rows[(rows["task"] == name) & (rows["metric"] == ACCURACY)]
    several = rows[(rows["task"] == f"{name}/{SEVERAL_PIECES}") & (rows["metric"] == LOG_PROBABILITY)]
    excluded = rows[(rows["task"] == name) & (rows["metric"] == EXCLUDED)]
    counts = pd.concat(
        [
            pd.DataFrame({"relation": part["group"], "what": what, "n": part["n"]})
            for part, what in ((one, "one piece"), (several, "several pieces"), (excluded, excluded["reason"]))
        ]
    )
    table = counts.pivot(index="relation", columns="what", values="n").fillna(0).astype(int)
    table = table.reindex(columns=list(dict.fromkeys(["one piece", "several pieces", *table.columns])), fill_value=0)
    table.insert(0, "facts", table.sum(axis=1))
    return table.reset_index().rename_axis(columns=None)


CRITERIA = {
    "correct": "the likeliest of all pieces",
    "chosen": "the likeliest of the relation's objects",
}
"""Columns of the items that say whether a fact is right: the paper's, and one that small models can meet."""
FEW = 0.01
"""Of facts: where no more are ever right by the paper's criterion, they are followed by the other."""


@dataclass(frozen=True)
class Followed:
    """Facts of one set through the checkpoints, those whose object stands in the subject's name left out."""

    paths: Trajectories
    """A fact is ``known`` where it is right, and not by what the prompt says without its subject."""
    criterion: str
    """By which of :data:`CRITERIA` facts are right."""
    chance: Chance | None
    """None of a run that was frozen without its answers. There facts of the relation's most common object are left out
    too, for want of what is said without a subject."""
    everything: int
    """Facts of the set, with those that are left out."""

    @property
    def why_not(self) -> str | None:
        """Why nothing is to be told of facts that come and go, as a sentence; None where something is."""
        informative = int((self.paths.trained().known.any(axis=0)).sum())
        if informative < LEAST_CHECKPOINTS:
            return (
                f"Facts are known at {informative} checkpoints, without those that can be copied: too few to tell what "
                "is learnt and forgotten."
            )
        if self.chance is None:
            return f"Whether what comes and goes are facts cannot be told: {self.against_chance}."
        if not self.chance.beyond:
            return (
                "It is not shown that more facts are right than with subjects permuted within their relation, so what "
                f"comes and goes may be answers alone: {self.against_chance}."
            )
        return None

    @property
    def against_chance(self) -> str:
        """Known facts beside those of permuted subjects, as a clause."""
        if self.chance is None:
            return "this run was frozen without its answers, so that subjects cannot be permuted"
        right, expected, p = self.chance.right, self.chance.expected, self.chance.p
        return f"{right:,.0f} known at all checkpoints together, {expected:,.0f} with permuted subjects (p = {p:.3f})"


LEAST_CHECKPOINTS = 4


def trajectories(series: Series, name: str, steps: str = "all") -> Followed:
    """The facts of a set whose objects are of one piece, through the checkpoints of a series.

    They are right by the paper's criterion, unless no more than :data:`FEW` of them ever are.

    Raises:
        EmbryologyError: a step that was not measured, or facts that were not measured at every one.
    """
    items = measurements.read_items(series, SPECIFICATION.name)
    items = tables.select(items[(items["task"] == name) & (items["pieces"] == 1)], series, steps)
    everything = items["item_id"].nunique()
    ever = items.loc[items["correct"], "item_id"].nunique() / everything
    criterion = "correct" if ever > FEW else "chosen"
    items = over_objects.with_known(items[~items["named"]], criterion)
    answer = {"correct": "answer", "chosen": "choice"}[criterion]
    if answer in items:
        _, _, told = over_objects.by_fact(items, [answer, f"{answer}_alone"])
        paths = Trajectories.of(items)
        return Followed(paths, criterion, permuted.permuted(paths, told[answer], told[f"{answer}_alone"]), everything)
    return Followed(Trajectories.of(items[~items["common"]]), criterion, None, everything)


def source(series: Series, name: str) -> str:
    """Whose facts those of a set are."""
    items = measurements.read_items(series, SPECIFICATION.name, ["task", "source"]).drop_duplicates()
    return measurements.source_of(items[items["task"] == name])


def by_frequency(paths: Trajectories) -> pd.DataFrame:
    """Facts that are ever known, by how often the training text has subject and object in one sentence.

    Returns:
        A row a class of :data:`TOGETHER` and kind of fact (``most common object`` of their relation, ``other``):
        ``together``, ``objects``, ``value``, ``low``, ``high`` (over objects), ``n``; empty where nothing was counted.
    """
    ever = events(paths.known)["state"] != "never"
    counts, rows = paths.facts["together"], []
    for common, name in ((True, "most common object"), (False, "other objects")):
        for least, most in TOGETHER:
            within = (counts >= least) & (counts <= (np.inf if most is None else most))
            within &= paths.facts["common"] == common
            n = int(within.sum())
            if n:
                right = int(ever[within].sum())
                low, high = intervals.of_share(*intervals.by_unit(ever[within].to_numpy(), paths.clusters[within]))
                span = f"{least}" if most == least else f"{least} or more" if most is None else f"{least} to {most}"
                rows.append((span, name, right / n, float(low), float(high), n))
    return pd.DataFrame(rows, columns=["together", "objects", "value", "low", "high", "n"])


def published() -> pd.DataFrame:
    """The released curves of BERT: accuracy by relation, a row a relation, a column a step.

    Raises:
        EmbryologyError: the file is missing.
    """
    file = FOLDER / "bert_knowledge.csv"
    if not file.is_file():
        raise EmbryologyError(f"{file} is missing; restore it from the repository")
    return pd.read_csv(file).pivot(index="series", columns="step", values="value")
