"""Accuracy over checkpoints by part of speech, with the baselines that it has to clear."""

import pandas as pd

from embryology.analysis import tables
from embryology.errors import EmbryologyError
from embryology.specs.tokens import ACCURACY, SPECIFICATION, UNIVERSAL_TAGS

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

UNIVERSAL = {
    "DET": "determiner",
    "CCONJ": "conjunction",
    "ADP": "preposition",
    "PRON": "pronoun",
    "ADV": "adverb",
    "VERB": "verb",
    "ADJ": "adjective",
    "NOUN": "noun",
    "PROPN": "proper noun",
}
"""The universal tags of like groups, of a treebank without Penn tags. They hold other words (``VERB`` all forms, ``VB``
the base form alone), so that nothing published is compared with them."""

VERB_FORMS = {"VB": "base form", "VBD": "past tense", "VBG": "-ing form", "VBN": "past participle", "VBZ": "-s form"}
"""The five verb forms that the release plots apart."""


def groups(frame: pd.DataFrame) -> dict[str, str]:
    """The nine groups by tag, in the published order: :data:`GROUPS`, or :data:`UNIVERSAL` of such a treebank.

    Raises:
        EmbryologyError: some series' words have tags of the one kind, and some of the other.
    """
    tagged = frame[frame["group"] != ""].groupby("series", sort=False)["group"]
    universal = tagged.agg(lambda tags: set(UNIVERSAL_TAGS.split()).issuperset(tags))
    if universal.nunique() > 1:
        one, other = universal[universal].index[0], universal[~universal].index[0]
        raise EmbryologyError(
            f"the words of {one} have universal tags and those of {other} Penn tags, which no figure can join; probe "
            "both with one treebank"
        )
    return UNIVERSAL if universal.any() else GROUPS


def curve(frame: pd.DataFrame, task: str, group: str, series: str | None = None) -> pd.DataFrame:
    """One group of one task over steps: step, tokens, value, low, high, n; empty where it was not measured.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, as everywhere here.
        task: of the tokens probe.
        group: a part of speech; empty for all words.
        series: the name of one; None takes the first.
    """
    rows = tables.of(frame, task, ACCURACY, series=series)
    return rows[rows["group"] == group].sort_values("step")[tables.CURVE].reset_index(drop=True)


def baselines(frame: pd.DataFrame, task: str, group: str, series: str | None = None) -> dict[str, pd.Series]:
    """The baselines of one group of one task: value, low, high and n, by their names in the specification."""
    by_name = {}
    for name in SPECIFICATION.baselines:
        rows = tables.of(frame, task, ACCURACY, name, series)
        rows = rows[rows["group"] == group]
        if len(rows):
            by_name[name] = rows[["value", "low", "high", "n"]].iloc[0]
    return by_name
