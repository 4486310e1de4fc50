"""The knowledge probe over checkpoints: which relations a model knows facts of, beside what it has to clear."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import curves
from embryology.analysis.published import FOLDER
from embryology.analysis.trajectories import Trajectories, events
from embryology.errors import EmbryologyError
from embryology.runs import measurements

SETS = {
    "trex": "LAMA T-REx",
    "google-re": "LAMA Google-RE",
    "squad": "LAMA SQuAD",
    "pararel": "ParaRel",
    "bundled": "short descriptions of vital articles",
}
"""By name, in the order in which a report takes them: the first one of a run is the one it follows fact by fact."""
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
ACCURACY = "accuracy"
MAJORITY, TEMPLATE, SHUFFLED = "most-common-object", "without-subject", "shuffled-subjects"
TOGETHER = ((0, 0), (1, 1), (2, 4), (5, 16), (17, None))
"""Classes of how often subject and object stand in one sentence of the training text."""


def read(run: str | Path, compare: Sequence[str | Path] = (), steps: str = "all") -> pd.DataFrame:
    """The rows of the knowledge probe, ``run`` first, then the runs to compare it with.

    Args:
        run: name or path.
        compare: further runs; always with all of their checkpoints.
        steps: which checkpoints of ``run``, as in :func:`embryology.analysis.curves.select_measured`.

    Returns:
        Rows of :data:`embryology.runs.measurements.SCHEMA`. The untrained model, which is measured at step 0, becomes a
        baseline of every step.

    Raises:
        EmbryologyError: a run is missing, was not measured, or has no masked-word head to ask.
    """
    tables = []
    for name in dict.fromkeys([run, *compare]):
        frame = measurements.read(name, probe="knowledge")
        frame = frame[frame["task"] != ""]
        if frame.empty:
            raise EmbryologyError(f"run {name} answers no questions: its model has no masked-word head")
        frame = pd.concat([frame, curves.untrained(frame)])
        tables.append(frame if tables else curves.select_measured(frame, steps))
    return pd.concat(tables, ignore_index=True)


def sets(frame: pd.DataFrame) -> list[str]:
    """The sets of facts of the first run, in the order of :data:`SETS`."""
    own = set(frame.loc[frame["series"] == curves.main_series(frame), "task"])
    return [name for name in SETS if name in own]


def relations(frame: pd.DataFrame, name: str) -> list[str]:
    """The relations of a set of the first run of which facts were asked for; those of the paper's figure first."""
    own = curve_rows(frame, name, ACCURACY)["item"].unique()
    rank = {relation: number for number, relation in enumerate(RELATIONS)}
    return sorted((item for item in own if item), key=lambda item: (rank.get(item, len(rank)), item))


def label(relation: str) -> str:
    """For people: a Wikidata property with its name."""
    return f"{relation} {RELATIONS[relation]}" if relation in RELATIONS else relation.replace("_", " ")


def curve_rows(frame: pd.DataFrame, task: str, metric: str, series: str | None = None) -> pd.DataFrame:
    """All rows of one metric of one task, of every relation and baseline."""
    rows = frame[(frame["series"] == (series or curves.main_series(frame))) & (frame["task"] == task)]
    return rows[rows["metric"] == metric]


def curve(
    frame: pd.DataFrame, task: str, item: str = "", metric: str = ACCURACY, baseline: str | None = None,
    series: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """A metric of one relation, or of all (``item`` empty), over steps: step, tokens, value, low, high, n."""
    rows = curve_rows(frame, task, metric, series)
    rows = rows[
        (rows["item"] == item) & (rows["baseline"].isna() if baseline is None else rows["baseline"] == baseline)
    ]
    return rows.sort_values("step")[["step", "tokens", "value", "low", "high", "n"]].reset_index(drop=True)


def beyond(frame: pd.DataFrame, task: str, item: str = "") -> bool:
    """Whether the interval at the last checkpoint lies above the most common object's, the template's and step 0's."""
    low = curve(frame, task, item)["low"].iloc[-1]
    lines = [curve(frame, task, item, baseline=name) for name in (MAJORITY, TEMPLATE, curves.UNTRAINED)]
    return bool(all(low > line["high"].iloc[-1] for line in lines if len(line)))


def asked(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """How many facts each relation of a set has, a row a relation: those of one piece, of several, and excluded.

    Columns: ``relation``, ``facts`` (all), ``one piece`` (asked by the paper's protocol), ``several pieces``, and one
    column for every reason for which facts were excluded. The numbers are those of the last checkpoint.
    """
    own = frame[frame["series"] == curves.main_series(frame)]
    own = own[(own["step"] == own["step"].max()) & own["baseline"].isna() & (own["item"] != "")]
    one = own[(own["task"] == name) & (own["metric"] == ACCURACY)]
    several = own[(own["task"] == f"{name}/several pieces") & (own["metric"] == "log_probability")]
    out = own[(own["task"] == name) & own["metric"].str.startswith("excluded: ")]
    counts = pd.concat(
        [
            pd.DataFrame({"relation": rows["item"], "what": what, "n": rows["n"]})
            for rows, what in ((one, "one piece"), (several, "several pieces"), (out, out["metric"].str[10:]))
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


def trajectories(run: str | Path, name: str, steps: str = "all") -> tuple[Trajectories, str]:
    """The facts of a set whose objects are of one piece, through the checkpoints of a run.

    Returns:
        Their trajectories, and by which of :data:`CRITERIA` they are right: the paper's, unless no more than
        :data:`FEW` of the facts ever are.

    Raises:
        EmbryologyError: a step that was not measured, or facts that were not measured at every one.
    """
    items = measurements.read_items(run, "knowledge")
    items = curves.select_measured(items[(items["task"] == name) & (items["pieces"] == 1)], steps)
    ever = items.loc[items["correct"], "item_id"].nunique() / items["item_id"].nunique()
    criterion = "correct" if ever > FEW else "chosen"
    right = items[criterion]
    return Trajectories.of(items.drop(columns=list(CRITERIA)).assign(correct=right)), criterion


def source(run: str | Path, name: str) -> str:
    """Whose facts those of a set are."""
    items = measurements.read_items(run, "knowledge", ["task", "source"]).drop_duplicates()
    return measurements.source_of(items[items["task"] == name])


def by_frequency(told: Trajectories) -> pd.DataFrame:
    """Facts that are ever right, by how often the training text has subject and object in one sentence.

    Returns:
        A row a class of :data:`TOGETHER` and kind of fact (``most common object`` of their relation, ``other``):
        ``together``, ``objects``, ``value``, ``low``, ``high`` (Wilson), ``n``; empty where nothing was counted.
    """
    ever = events(told.known)["state"] != "never"
    counts, rows = told.facts["together"], []
    for common, name in ((True, "most common object"), (False, "other objects")):
        for least, most in TOGETHER:
            own = (counts >= least) & (counts <= (np.inf if most is None else most)) & (told.facts["common"] == common)
            n = int(own.sum())
            if n:
                right = int(ever[own].sum())
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
