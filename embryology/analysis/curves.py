"""Accuracy over checkpoints by part of speech, with the baselines that it has to clear."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from embryology.errors import EmbryologyError
from embryology.runs import measurements

GROUPS = {
    "DT": "determiner",
    "CC": "conjunction",
    "IN": "preposition",
    "PRP": "pronoun",
    "RB": "adverb",
    "VB": "verb",
    "JJ": "adjective",
    "NN": "noun",
    "NNP": "proper noun",
}
"""The nine groups of the paper's figure, in the order in which its ALBERT learns them; each is a single
Penn tag, as in the released ``plot_pos.py``."""

VERB_FORMS = {"VB": "base form", "VBD": "past tense", "VBG": "-ing form", "VBN": "past participle", "VBZ": "-s form"}
"""The five verb forms that the release plots apart."""

FREQUENT_WORD, GROUP_WORD, UNTRAINED = "most-frequent-word", "most-frequent-in-group", "untrained"
BLIND = (FREQUENT_WORD, UNTRAINED)
"""The baselines that are told nothing of the word in question."""
BASELINES = {
    FREQUENT_WORD: "most frequent word of the set",
    GROUP_WORD: "most frequent word of the group",
    UNTRAINED: "untrained model (step 0)",
}


def read(run: str | Path, compare: Sequence[str | Path] = (), steps: str = "all") -> pd.DataFrame:
    """The accuracies of the tokens probe, ``run`` first, then the runs to compare it with.

    The untrained model, which is measured at step 0, becomes a third baseline of every step, so that
    it stands beside the curve whatever ``steps`` are chosen.

    Args:
        run: name or path.
        compare: further runs; always with all of their checkpoints.
        steps: which checkpoints of ``run``, see :func:`select`.

    Returns:
        Rows of :data:`embryology.runs.measurements.SCHEMA` with metric ``accuracy``.

    Raises:
        EmbryologyError: a run is missing, was not measured, or has no masked-word head to measure.
    """
    tables = []
    for name in [run, *compare]:
        frame = measurements.read(name, probe="tokens")
        frame = frame[frame["metric"] == "accuracy"]
        if frame.empty:
            raise EmbryologyError(f"run {name} predicts no words: its model has no masked-word head")
        if frame["series"].iloc[0] not in {table["series"].iloc[0] for table in tables}:
            frame = pd.concat([frame, untrained(frame)])
            tables.append(frame if tables else select(frame, steps))
    return pd.concat(tables, ignore_index=True)


def select(frame: pd.DataFrame, steps: str) -> pd.DataFrame:
    """The rows of chosen checkpoints: ``all``, ``last``, or a list such as ``0,100,200``.

    Raises:
        EmbryologyError: a step that is not in ``frame``.
    """
    steps = str(steps)  # a command line makes a number of a single step
    if steps == "all":
        return frame
    there = sorted(frame["step"].unique())
    wanted = {str(there[-1])} if steps == "last" else {part.strip() for part in steps.split(",")}
    if unknown := sorted(wanted - {str(step) for step in there}):
        raise EmbryologyError(
            f"there is no checkpoint at step {', '.join(unknown)}; choose all, last or some of "
            f"{','.join(map(str, there))}"
        )
    return frame[frame["step"].astype(str).isin(wanted)]


def select_measured(frame: pd.DataFrame, steps: str) -> pd.DataFrame:
    """As :func:`select`, but of a list those that are in ``frame``: some probes measure every n-th checkpoint."""
    there = {str(step) for step in frame["step"]}
    measured = [step for step in (part.strip() for part in str(steps).split(",")) if step in there]
    return select(frame, ",".join(measured) or steps)


def untrained(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of step 0 as a baseline of every step of ``frame``, one run's; none where it has no step 0."""
    first = frame[(frame["step"] == 0) & frame["baseline"].isna()].drop(columns=["step", "tokens"])
    every = frame[["step", "tokens"]].drop_duplicates()
    return first.assign(baseline=UNTRAINED).merge(every, how="cross")[frame.columns]


def main_series(frame: pd.DataFrame) -> str:
    """The series of the run itself, which :func:`read` puts first."""
    return str(frame["series"].iloc[0])


def curve(frame: pd.DataFrame, task: str, tag: str, series: str | None = None) -> pd.DataFrame:
    """One group of one task over steps: step, tokens, value, low, high, n; empty where it was not measured."""
    rows = frame[(frame["series"] == (series or main_series(frame))) & (frame["task"] == task)]
    rows = rows[(rows["item"] == tag) & rows["baseline"].isna()].sort_values("step")
    return rows[["step", "tokens", "value", "low", "high", "n"]].reset_index(drop=True)


def baselines(frame: pd.DataFrame, task: str, tag: str, series: str | None = None) -> dict[str, pd.Series]:
    """The baselines of one group of one task: value, low and high, by the names of :data:`BASELINES`."""
    rows = frame[(frame["series"] == (series or main_series(frame))) & (frame["task"] == task)]
    rows = rows[(rows["item"] == tag) & rows["baseline"].notna()].drop_duplicates("baseline")
    found = rows.set_index("baseline")[["value", "low", "high"]]
    return {name: found.loc[name] for name in BASELINES if name in found.index}


def clears_baselines(frame: pd.DataFrame, task: str, tag: str, series: str | None = None) -> bool:
    """Whether a curve has learnt anything: its interval lies apart from those of blind answers, and above them.

    Blind answers are the set's most frequent word everywhere and the untrained model; at some
    checkpoint the 95% interval of the curve has to lie above both of theirs. Where no curve or no
    baseline was measured nothing was shown, and the answer is no.
    """
    return _lies_above(frame, task, tag, series, BLIND)


def clears_group(frame: pd.DataFrame, task: str, tag: str, series: str | None = None) -> bool:
    """Whether a curve shows more than one word of its group, apart from the group's most frequent word likewise.

    That baseline is told the part of speech, which no model is: a curve below it may have learnt much.
    """
    return _lies_above(frame, task, tag, series, (GROUP_WORD,))


def _lies_above(frame: pd.DataFrame, task: str, tag: str, series: str | None, names: tuple[str, ...]) -> bool:
    levels = [row["high"] for name, row in baselines(frame, task, tag, series).items() if name in names]
    low = curve(frame, task, tag, series)["low"].to_numpy(float)
    return bool(levels) and bool(np.any(low > max(levels)))
