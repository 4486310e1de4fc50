"""The knowledge probe over checkpoints: which relations a model knows facts of, beside what it has to clear."""

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import tables
from embryology.analysis.published import FOLDER
from embryology.analysis.trajectories import Trajectories, events
from embryology.errors import EmbryologyError
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import UNTRAINED
from embryology.specs.knowledge import (
    ACCURACY,
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
    """The sets of facts of the first series, in the order of the specification.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, as everywhere here.
    """
    measured = set(frame.loc[frame["series"] == tables.main_series(frame), "task"])
    return [name for name in SPECIFICATION.tasks if name in measured]


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


def beyond(frame: pd.DataFrame, task: str, group: str = "") -> bool:
    """Whether the interval at the last checkpoint lies above the most common object's, the template's and step 0's."""
    low = curve(frame, task, group)["low"].iloc[-1]
    lines = [curve(frame, task, group, baseline=name) for name in (MAJORITY, TEMPLATE, UNTRAINED)]
    return bool(all(low > line["high"].iloc[-1] for line in lines if len(line)))


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


def trajectories(series: Series, name: str, steps: str = "all") -> tuple[Trajectories, str]:
    """The facts of a set whose objects are of one piece, through the checkpoints of a series.

    Returns:
        Their trajectories, and by which of :data:`CRITERIA` they are right: the paper's, unless no more than
        :data:`FEW` of the facts ever are.

    Raises:
        EmbryologyError: a step that was not measured, or facts that were not measured at every one.
    """
    items = measurements.read_items(series, SPECIFICATION.name)
    items = tables.select(items[(items["task"] == name) & (items["pieces"] == 1)], series, steps)
    ever = items.loc[items["correct"], "item_id"].nunique() / items["item_id"].nunique()
    criterion = "correct" if ever > FEW else "chosen"
    right = items[criterion]
    return Trajectories.of(items.drop(columns=list(CRITERIA)).assign(correct=right)), criterion


def source(series: Series, name: str) -> str:
    """Whose facts those of a set are."""
    items = measurements.read_items(series, SPECIFICATION.name, ["task", "source"]).drop_duplicates()
    return measurements.source_of(items[items["task"] == name])


def by_frequency(paths: Trajectories) -> pd.DataFrame:
    """Facts that are ever right, by how often the training text has subject and object in one sentence.

    Returns:
        A row a class of :data:`TOGETHER` and kind of fact (``most common object`` of their relation, ``other``):
        ``together``, ``objects``, ``value``, ``low``, ``high`` (Wilson), ``n``; empty where nothing was counted.
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
                low, high = intervals.wilson(right, n)
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
