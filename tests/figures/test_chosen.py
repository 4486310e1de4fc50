"""Single items through training, of tables made by hand."""

import base64
import json
import re
import zlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from embryology.errors import EmbryologyError
from embryology.figures import chosen
from embryology.runs import measurements
from tests.figures.reading import answer_of, csv_of

SERIES = SimpleNamespace(name="run")
STEPS = [0, 10, 100]
SILVER = "silver tags (spaCy), held-out vital articles"


def words(count=3, source=SILVER, **columns):
    """Words 0, 1, ...: the first stands twice and gains 1 and 3 nats, the others once and lose their number in nats."""
    rows = []
    for number in [0, *range(count)]:
        gain = -number if number else (1 if not rows else 3)
        for place, step in enumerate(STEPS):
            word = {"item_id": f"A-{number:03}-{len(rows) < 3}", "word": f"Word{number:03}", "group": "NN"}
            rows.append(word | {"task": "mask-prediction", "step": step, "log_probability": -9 + gain * place / 2})
    items = pd.DataFrame(rows).sort_values(["item_id", "step"], ignore_index=True).assign(source=source, **columns)
    return pd.concat([items, items.assign(task="reconstruction", log_probability=0.0)], ignore_index=True)


def drawn(monkeypatch, items, of=chosen.words):
    monkeypatch.setattr(measurements, "read_items", lambda series, probe: items)
    return of(SERIES).data


def offered(html):
    packed = re.search(r'embryology-chart">([^<]*)<', html)[1]
    return json.loads(zlib.decompress(base64.b64decode(packed)))["choices"]


def test_a_word_is_the_mean_of_its_masked_places_and_all_can_be_chosen(monkeypatch):
    html = drawn(monkeypatch, words())
    choices = offered(html)
    assert choices["labels"] == ["word000 (NN)", "word001 (NN)", "word002 (NN)"]
    assert choices["x"] == STEPS
    assert choices["y"] == [[-9, -8, -7], [-9, -9.5, -10], [-9, -10, -11]]
    assert sorted(choices["first"]) == [0, 1, 2]
    table = csv_of(html).set_index("name")
    assert table.loc["mean of all"].tolist() == pytest.approx(np.mean(choices["y"], axis=0), abs=1e-4)
    assert answer_of(html) == "33% of 3 words end higher than at step 0"


def test_text_that_is_not_ours_and_that_of_frozen_runs_is_numbered(monkeypatch):
    for items in (words(source="gold tags, a treebank"), words().drop(columns="word")):
        html = drawn(monkeypatch, items)
        assert offered(html)["labels"] == ["NN 1", "NN 2", "NN 3", "NN 4"]
        assert "word00" not in html.lower().replace("word-", "")


def test_a_fact_of_bundled_text_has_its_names_and_others_a_number(monkeypatch):
    facts = words().rename(columns={"word": "subject"}).assign(task="bundled", object="Paris", group="capital")
    facts = facts.drop_duplicates(["item_id", "step"])
    named = offered(drawn(monkeypatch, facts.assign(source="short descriptions of vital articles"), chosen.facts))
    assert named["labels"][0] == "Word000 → Paris (capital)"
    other = drawn(monkeypatch, facts.assign(source="LAMA, Google-RE"), chosen.facts)
    assert offered(other)["labels"][0] == "capital 1"
    assert "Paris" not in other


def test_pairs_are_those_asked_at_every_checkpoint(monkeypatch):
    pairs = words().rename(columns={"log_probability": "difference"}).assign(task="silver", paradigm="verb")
    pairs = pairs.drop_duplicates(["item_id", "step"])
    whole = pairs.assign(task="silver/whole", item_id="elsewhere")
    html = drawn(monkeypatch, pd.concat([pairs, whole]), chosen.pairs)
    assert offered(html)["labels"] == sorted(pairs["item_id"].unique())


def test_of_many_items_those_that_rest_on_most_places_are_kept(monkeypatch):
    labels = offered(drawn(monkeypatch, words(count=500)))["labels"]
    assert len(labels) == chosen.MOST
    assert "word000 (NN)" in labels


def test_what_was_not_measured_is_said(monkeypatch):
    def refuse(series, probe):
        raise EmbryologyError("no items")

    monkeypatch.setattr(measurements, "read_items", refuse)
    assert "Single items are not drawn: no items." in chosen.pairs(SERIES).data
