"""Curves by part of speech: whose they are, their order, and what their tags are called."""

import pandas as pd
import pytest

from embryology.analysis import curves, published
from embryology.errors import EmbryologyError
from embryology.specs import UNTRAINED
from embryology.specs.tokens import FREQUENT_WORD


def rows(series="one", group="NN", baseline=None, steps=(40, 0, 20), **columns):
    table = pd.DataFrame({"series": series, "task": "reconstruction", "group": group, "step": steps, "value": steps})
    table["value"] /= 100
    table = table.assign(tokens=10 * table["step"], metric="accuracy", baseline=baseline, n=7, low=0.0, high=1.0)
    return table.assign(**columns)


def test_penn_tags_are_none_of_the_universal_ones_although_one_is_in_both():
    penn = pd.concat([rows(group=tag) for tag in ("NN", "SYM", "")])
    universal = pd.concat([rows("other", group=tag) for tag in ("NOUN", "SYM", "PUNCT")])
    assert curves.groups(penn) == curves.GROUPS
    assert curves.groups(universal) == curves.UNIVERSAL
    with pytest.raises(EmbryologyError, match="the words of other have universal tags and those of one Penn tags"):
        curves.groups(pd.concat([penn, universal]))


def test_a_curve_rises_by_steps_and_baselines_are_those_of_the_series():
    frame = pd.concat(
        [
            rows(),
            rows(baseline=FREQUENT_WORD, value=0.1),
            rows("other", value=0.9),
            rows("other", baseline=FREQUENT_WORD, value=0.2),
            rows("other", baseline=UNTRAINED, value=0.3, group="VB"),
        ]
    )
    assert curves.curve(frame, "reconstruction", "NN")[["step", "tokens", "value"]].to_numpy().tolist() == [
        [0, 0, 0.0], [20, 200, 0.2], [40, 400, 0.4]
    ]  # fmt: skip
    assert curves.curve(frame, "reconstruction", "NN", "other")["value"].tolist() == [0.9] * 3
    assert curves.baselines(frame, "reconstruction", "NN")[FREQUENT_WORD]["value"] == 0.1
    of_other = curves.baselines(frame, "reconstruction", "NN", "other")
    assert {name: line["value"] for name, line in of_other.items()} == {FREQUENT_WORD: 0.2}


def test_tags_are_called_as_in_the_published_figure():
    """``adj.`` of the figure is ``JJ``, which is an adjective; and universal tags of that name are of like groups."""
    assert {short: curves.GROUPS[tag] for short, tag in published.TAG_OF.items()} == {
        "conj.": "conjunction", "det.": "determiner", "prep.": "preposition", "adj.": "adjective", "noun": "noun",
        "proper noun": "proper noun", "pron.": "pronoun", "adv.": "adverb", "verb": "verb",
    }  # fmt: skip
    penn = {"DT": "DET", "CC": "CCONJ", "IN": "ADP", "PRP": "PRON", "RB": "ADV", "VB": "VERB", "JJ": "ADJ",
            "NN": "NOUN", "NNP": "PROPN"}  # fmt: skip
    assert {penn[tag]: name for tag, name in curves.GROUPS.items()} == curves.UNIVERSAL
