"""The grammar probe on scores that are planted: every row and every item by plain counting."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from embryology.errors import EmbryologyError
from embryology.grammar import Pair, Published, Reading, scores
from embryology.intervals import of_share
from embryology.probes import grammar
from embryology.probes.grammar import GrammarProbe
from embryology.specs import grammar as spec
from embryology.specs.grammar import GrammarSettings

COVERS = ("embryology/probes/grammar.py",)
TEXT = "The city is old.", "The the the the"
"""That models were trained on."""
NOUNS = ("city", "film", "king", "sea", "river", "church", "road", "tree", "wall", "book", "house", "man")


def pairs():
    """Two paradigms of one phenomenon and one of another; three pairs of the last share a sentence."""
    made = []
    for paradigm, phenomenon, verb in (("is", "verb", "is"), ("was", "verb", "was"), ("order", "order", "has")):
        for number, noun in enumerate(NOUNS):
            good, bad = f"The {noun} {verb} old.", f"The {noun} {verb} old the {'the' * (number % 2)}."
            unit = f"{paradigm}:{number // 3}" if paradigm == "order" else f"{paradigm}:{number}"
            made.append(Pair(f"{paradigm}:{number}", phenomenon, paradigm, good, bad, unit))
    return [*made, Pair("is:same", "verb", "is", "It is old.", "It is old.", "is:same")]


def planted(name):
    """(3,) differences that depend on the pair alone: none is correct in all three ways, some tie, some lack a word."""
    rng = np.random.default_rng([7, *name.encode()])
    one, two, three = rng.normal(size=3)
    return [0.0 if name.endswith(":3") else one, two, np.nan if name.endswith(":4") else three]


def score(encoder, asked, mask_id, precision):
    return np.array([planted(each.pair.id) for each in asked])


@pytest.fixture
def probe(monkeypatch, tokenizer):
    published = [Published("gpt2", "is", 0.9, 1000), Published("people", "order", 0.8, 50)]
    made = SimpleNamespace(label="made up", read=lambda: Reading(pairs(), published=published), identity=dict)
    monkeypatch.setattr(grammar.pair_sets, "find", lambda name: made)
    monkeypatch.setattr(scores, "score", score)
    pieces = [piece for text in TEXT for piece in tokenizer(text, add_special_tokens=False)["input_ids"]]
    corpus = SimpleNamespace(train=SimpleNamespace(pieces=np.array(pieces)), record={"text_sha256": "0"})
    monkeypatch.setattr(grammar.several, "of_run", lambda folder: corpus)
    return GrammarProbe()


def measured(probe, tokenizer, series, step, **settings):
    settings = GrammarSettings(sets=("made",), seed=3, **settings)
    rows, items = probe.measure(SimpleNamespace(step=step), probe.prepare(settings, tokenizer, series))
    return pd.DataFrame(rows), items


def value(rows, task, group, metric, baseline=None):
    same = (rows["task"] == task) & (rows["group"] == group) & (rows["metric"] == metric)
    (found,) = rows[same & (rows["baseline"].isna() if baseline is None else rows["baseline"] == baseline)].to_dict(
        "records"
    )
    return found


def test_all_pairs_by_plain_counting(probe, tokenizer, tiny_series):
    rows, items = measured(probe, tokenizer, tiny_series, 20, pairs=None)
    assert set(items["task"]) == {"made"}
    made = {pair.id: pair for pair in pairs()[:-1]}
    assert list(items["item_id"]) == list(made)
    for group, chosen in (
        ("", list(made)),
        ("verb", [name for name in made if not name.startswith("order")]),
        ("was", [name for name in made if name.startswith("was")]),
        ("order", [name for name in made if name.startswith("order")]),
    ):
        scored = [planted(name) for name in chosen]
        for place, metric in enumerate((spec.ACCURACY, spec.CORRECTED, spec.CRITICAL)):
            there = [each[place] > 0 for each in scored if not np.isnan(each[place])]
            row = value(rows, "made", group, metric)
            assert (row["value"], row["n"]) == (pytest.approx(np.mean(there)), len(there))
        row = value(rows, "made", group, spec.DIFFERENCE)
        assert row["value"] == pytest.approx(np.mean([each[0] for each in scored]), abs=1e-6)
        assert value(rows, "made", group, spec.TIES)["value"] == len([1 for each in scored if each[0] == 0]) > 0
        assert value(rows, "made", group, spec.ACCURACY, spec.CHANCE)["value"] == 0.5
    row = value(rows, "made", "order", spec.ACCURACY)
    sums = [sum(planted(f"order:{3 * unit + i}")[0] > 0 for i in range(3)) for unit in range(4)]
    assert row["unit"] == "sentence"
    assert np.isnan([row["low"], *of_share(np.array(sums), np.full(4, 3))]).all()  # four sentences are too few
    assert value(rows, "made", "was", spec.ACCURACY)["unit"] == "pair"
    excluded = rows[rows["metric"] == spec.EXCLUDED]
    assert excluded[["group", "value", "reason"]].to_numpy().tolist() == [["is", 1, "both sentences are the same"]]
    assert value(rows, "made", "is", spec.ACCURACY, "gpt2")["value"] == 0.9
    assert value(rows, "made", "order", spec.ACCURACY, "people")["n"] == 50


def test_blind_answers_by_plain_counting(probe, tokenizer, tiny_series):
    rows, items = measured(probe, tokenizer, tiny_series, 20, pairs=None)
    text = [piece for each in TEXT for piece in tokenizer(each, add_special_tokens=False)["input_ids"]]
    total = len(text) + len(tokenizer)
    by_id = {pair.id: pair for pair in pairs()}
    unigrams, shorter = [], []
    for name in items["item_id"]:
        ids = [tokenizer(each, add_special_tokens=False)["input_ids"] for each in (by_id[name].good, by_id[name].bad)]
        good, bad = (sum(np.log((text.count(piece) + 1) / total) for piece in own) for own in ids)
        unigrams.append(0.5 if abs(good - bad) < 1e-9 else float(good > bad))
        shorter.append(0.5 if len(ids[0]) == len(ids[1]) else float(len(ids[0]) < len(ids[1])))
    assert items[spec.UNIGRAM].tolist() == unigrams
    assert items[spec.SHORTER].tolist() == shorter
    assert value(rows, "made", "", spec.ACCURACY, spec.UNIGRAM)["value"] == pytest.approx(np.mean(unigrams))
    assert value(rows, "made", "", spec.ACCURACY, spec.SHORTER)["value"] == pytest.approx(np.mean(shorter))


def test_equal_lengths_and_frequencies_are_right_by_half(tokenizer):
    texts = [("It is old.", "It old is."), ("It is.", "It is old."), ("It is old.", "It is.")]
    asked = grammar.ask([Pair(good, "p", "p", good, bad, good) for good, bad in texts], tokenizer, 64, {})
    logs = np.full(len(tokenizer), -2.0)
    blind = grammar.blind_answers(asked, logs)
    assert blind[spec.SHORTER].tolist() == blind[spec.UNIGRAM].tolist() == [0.5, 1, 0]
    assert np.isnan(grammar.blind_answers(asked, None)[spec.UNIGRAM]).all()


def test_counts_of_pieces_do_not_depend_on_the_portions(monkeypatch):
    pieces = np.random.default_rng(0).integers(0, 9, 1000)
    monkeypatch.setattr(grammar, "PIECES_AT_ONCE", 300)
    expected = np.log((np.array([(pieces == piece).sum() for piece in range(11)]) + 1) / 1011)
    np.testing.assert_allclose(grammar.log_frequencies(pieces, 11), expected)


def test_the_last_checkpoint_is_asked_all_and_the_others_a_sample(probe, tokenizer, tiny_series):
    last_rows, last = measured(probe, tokenizer, tiny_series, 20, pairs=5)
    _, earlier = measured(probe, tokenizer, tiny_series, 10, pairs=5)
    sample = last[last["task"] == "made"]
    assert sample.groupby("paradigm").size().eq(5).all()
    assert sample["item_id"].tolist() == earlier["item_id"].tolist()
    assert set(earlier["task"]) == {"made"}
    whole = last[last["task"] == f"made/{spec.WHOLE}"]
    assert len(whole) == 36
    right = [planted(name)[0] > 0 for name in whole["item_id"]]
    assert value(last_rows, "made/whole", "", spec.ACCURACY)["value"] == pytest.approx(np.mean(right))
    assert value(last_rows, "made/whole", "is", spec.ACCURACY, "gpt2")["value"] == 0.9
    sample_rows = last_rows[(last_rows["task"] == "made") & (last_rows["metric"] == spec.ACCURACY)]
    assert set(sample_rows["group"]) == {"", "verb", "order"}
    _, without = measured(probe, tokenizer, tiny_series, 20, pairs=5, whole=False)
    assert without["item_id"].tolist() == earlier["item_id"].tolist()
    smaller = measured(probe, tokenizer, tiny_series, 10, pairs=2)[1]
    assert set(smaller["item_id"]) < set(earlier["item_id"])


def test_a_set_of_which_nothing_can_be_asked_is_refused(probe, tokenizer, tiny_series, monkeypatch):
    monkeypatch.setattr(grammar, "longest_input", lambda *_: 3)
    with pytest.raises(EmbryologyError, match="made: none of its 37 pairs can be asked of this model"):
        measured(probe, tokenizer, tiny_series, 20)


def test_blimp_is_asked_where_it_is_there(monkeypatch):
    for there, name in ((True, "blimp"), (False, "silver")):
        monkeypatch.setattr(grammar.pair_sets, "is_there", lambda _, there=there: there)
        assert grammar._sets(GrammarSettings()) == (name,)
    assert grammar._sets(GrammarSettings(sets=("mine",))) == ("mine",)
