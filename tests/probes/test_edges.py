"""The edges probe on sentences that are made up: what is learnt, what is not, and what lies beyond the input."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from embryology.errors import EmbryologyError
from embryology.models import linear
from embryology.models.encoder import Encoder
from embryology.models.linear import span_means
from embryology.probes import edges
from embryology.probes.edges import EdgesProbe
from embryology.runs import measurements
from embryology.specs.edges import CONTROL, FREQUENCIES, MAJORITY, EdgesSettings
from embryology.treebanks import Edge, Reading, Sentence, Word
from embryology.treebanks.sets import EdgeSet

COVERS = ("embryology/specs/edges.py",)
TEXT = "The old river ran past a small town and the people of the town knew it was deep ."


def sentence(number, rng):
    """Some words of a text with tags by their length, and arcs to the word before."""
    forms = rng.permutation(TEXT.split())[: int(rng.integers(5, 12))].tolist()
    text, words, found = " ".join(forms), [], []
    for place, match in enumerate(re.finditer(r"\S+", text)):
        tag = "XX" if number == 3 and place == 0 else f"L{min(len(match[0]), 4)}"
        words.append(Word(match[0], *match.span(), tag))
        found.append(Edge("pos", tag, (place, place + 1)))
        if place:
            label = "long" if len(match[0]) > 3 else "short"
            found.append(Edge("dependency", label, (place, place + 1), (place - 1, place)))
    return Sentence(f"s-{number}", text, tuple(words), tuple(found))


@pytest.fixture(scope="module")
def made_up():
    """Three splits; the label XX is in the test split alone."""
    rng = np.random.default_rng(0)
    sizes = {"test": range(40), "train": range(100, 180), "dev": range(200, 230)}
    made = {split: [sentence(number, rng) for number in numbers] for split, numbers in sizes.items()}

    def find(name, split="test"):
        if name != "made-up":
            raise EmbryologyError(f"there is no edge set {name!r}")
        return EdgeSet(
            name,
            "made up",
            (),
            lambda: {"split": split},
            lambda _: Reading(made[split]),
            split,
            ("pos", "dependency"),
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edges.edge_sets, "find", find)
        yield made["test"]


@pytest.fixture(scope="module")
def encoder(tiny_series):
    return Encoder.load(tiny_series.checkpoints[0], device="cpu")


@pytest.fixture(scope="module")
def examples(made_up, tokenizer, tiny_series):
    settings = EdgesSettings(sets=("made-up",), steps=300, batch_size=128, seeds=2)
    return EdgesProbe().prepare(settings, tokenizer, tiny_series)


@pytest.fixture(scope="module")
def measured(examples, encoder):
    before = {name: parameter.clone() for name, parameter in encoder.model.named_parameters()}
    rows, items = EdgesProbe().measure(encoder, examples)
    assert all(torch.equal(parameter, before[name]) for name, parameter in encoder.model.named_parameters())  # frozen
    assert all(parameter.grad is None for parameter in encoder.model.parameters())
    return pd.DataFrame(rows), items


def test_the_whole_test_split_is_scored(measured, made_up, examples):
    rows, items = measured
    words = sum(len(sentence.words) for sentence in made_up)
    tasks = {task.name: task for task in examples.sets[0].tasks}
    for name, there in {"made-up/pos": words, "made-up/dependency": words - len(made_up)}.items():
        totals = rows[(rows["task"] == name) & (rows["group"] == "") & (rows["metric"] != "compression")]
        assert set(totals["n"]) == {there}
        assert (items["task"] == name).sum() == there
        unread = totals.set_index("metric").loc["share_unread", "value"]
        assert unread == pytest.approx((~tasks[name].test.read).mean())
    assert not items.duplicated(["task", "item_id"]).any()
    assert items["item_id"].str.match(r"s-\d+:\d+-\d+(:\d+-\d+)?$").all()


def test_a_span_is_the_mean_of_its_pieces(examples, encoder):
    states = encoder.hidden_states(examples.sets[0].ids["test"])
    task = examples.sets[0].tasks[1]
    vectors = span_means(states, task.test.spans)
    assert vectors.shape == (3, len(task.test.labels), 64)
    for number in (0, 17, -1):
        means = [states[:, first:last].mean(1) for first, last in (spans[number] for spans in task.test.spans)]
        assert torch.allclose(vectors[:, number], torch.cat(means, -1), atol=1e-6)


def test_units_are_documents_where_there_are_enough(made_up):
    named = [replace(sentence, id=f"d{number % 30}-{number}") for number, sentence in enumerate(made_up[:60])]
    unit, numbers = edges._units(named)
    assert unit == "document"
    assert numbers.tolist() == [number % 30 for number in range(len(named))]
    assert edges._units(named[:29])[0] == "sentence"


def test_a_draw_that_lacks_a_label_leaves_it_out_of_macro_f1(examples):
    """All is right: whatever is drawn, every label that is there has an F1 of one."""
    task = examples.sets[0].tasks[0]
    task = replace(task, test=replace(task.test, labels=task.test.labels.clip(min=0)))
    rows = edges._scores(task, task.test.labels, np.eye(int(task.test.units.max()) + 1), layer=1, seed=0)
    (macro,) = (row for row in rows if row["metric"] == "f1_macro")
    assert (macro["low"], macro["high"]) == (1, 1)


def test_controls_are_labels_of_word_types_and_not_the_real_ones(examples, made_up):
    for task in examples.sets[0].tasks:
        assert (task.test.control != task.test.labels).mean() > 0.2
        forms = {sentence.id: [word.form.lower() for word in sentence.words] for sentence in made_up}
        drawn = {}
        for name, control in zip(task.test.names, task.test.control, strict=True):
            key, *spans = name.split(":")
            kind = tuple(tuple(forms[key][int(a) - 1 : int(b)]) for a, b in (span.split("-") for span in spans))
            assert drawn.setdefault(kind, control) == control
        assert len(set(drawn.values())) > 1


def test_selectivity_is_told_of_edges_whose_words_training_has_too(made_up, tokenizer, encoder, tiny_series):
    """A few sentences to learn from, so that pairs of words hardly recur."""
    settings = EdgesSettings(sets=("made-up",), steps=20, codelength=False, train_sentences=5)
    few = EdgesProbe().prepare(settings, tokenizer, tiny_series)
    rows = pd.DataFrame(EdgesProbe().measure(encoder, few)[0])
    kept = {name.split(":")[0] for name in few.sets[0].tasks[0].train.names}
    everything = {each.id: each for each in [*made_up, *edges.edge_sets.find("made-up", "train").read().sentences]}

    def words(name):
        key, *spans = name.split(":")
        forms = [word.form.lower() for word in everything[key].words]
        return tuple(tuple(forms[int(a) - 1 : int(b)]) for a, b in (span.split("-") for span in spans))

    for task in few.sets[0].tasks:
        assert {name.split(":")[0] for name in task.train.names} <= kept
        known = {words(name) for name in task.train.names}
        recurring = np.array([words(name) in known for name in task.test.names])
        assert 0 < recurring.mean() < 1
        told = rows[(rows["task"] == task.name) & (rows["group"] == "recurring")]
        assert set(told["n"]) == {recurring.sum()}
        assert set(told["metric"]) == {"selectivity", "f1_micro"}
        assert (task.test.recurs == recurring).all()
    pairs = rows[rows["task"].str.endswith("dependency") & rows["group"].isin(["", "recurring"])]
    control = pairs[pairs["baseline"] == CONTROL].groupby("group")["value"].mean()
    assert control["recurring"] > control[""] + 0.05  # what never recurs cannot be known by heart


def test_labels_without_any_sense_are_not_told(examples, encoder):
    """Drawn anew for every edge, two labels alike often: no classifier does better than half on the test split."""
    rng = np.random.default_rng(3)
    task = examples.sets[0].tasks[0]
    drawn = {
        split: replace(own, labels=rng.integers(0, 2, len(own.labels)), control=rng.integers(0, 2, len(own.labels)))
        for split, own in (("train", task.train), ("test", task.test))
    }
    task = replace(task, classes=["heads", "tails"], **drawn)
    vectors = {
        split: span_means(encoder.hidden_states(examples.sets[0].ids[split]), own.spans) for split, own in drawn.items()
    }
    rows, _ = edges._measured(task, vectors, examples.settings)
    own = [row for row in rows if row["metric"] == "f1_micro" and row["layer"] is not None and not row["group"]]
    assert len(own) == 3 * 2 * 2  # layers, seeds, labels and control
    assert all(abs(row["value"] - 0.5) < 4 * (0.25 / row["n"]) ** 0.5 for row in own)


def test_baselines_and_selectivity_stand_beside_every_layer(measured):
    rows, _ = measured
    totals = rows[(rows["group"] == "") & (rows["task"] == "made-up/pos")]
    own = totals[totals["baseline"].isna() & totals["layer"].notna()]
    pick = own.set_index(["metric", "layer", "seed"])["value"]
    assert set(own["layer"]) == {0, 1, 2}
    assert set(own["seed"]) == {0, 1}
    answers = totals[totals["metric"] == "f1_micro"]
    control = answers[answers["baseline"] == CONTROL].set_index(["layer", "seed"])["value"]
    for layer, seed in control.index:
        micro = own[(own["metric"] == "f1_micro") & (own["layer"] == layer) & (own["seed"] == seed)]["value"].item()
        assert pick["selectivity", layer, seed] == pytest.approx(micro - control[layer, seed])
    compression = totals[totals["metric"] == "compression"].groupby(totals["baseline"].fillna("model"))["value"].mean()
    assert compression[["model", CONTROL]].min() > 1.3  # both are labels of known words here
    assert compression["model"] > compression[FREQUENCIES] + 0.2
    majority = totals[(totals["baseline"] == MAJORITY) & (totals["metric"] == "f1_micro")]["value"].item()
    assert own[own["metric"] == "f1_micro"]["value"].min() > majority + 0.2  # the length of a known word is easy


def test_rows_are_measurements(measured, tmp_path):
    rows, items = measured
    columns = {"series": "x", "step": 0, "tokens": 0, "model": "albert", "objective": "masked", "probe": "edges"}
    measurements.write(tmp_path / "rows.parquet", rows.assign(**columns, key="k"))
    last = rows[(rows["layer"] == 2) & (rows["seed"] == 0) & (rows["metric"] == "f1_micro") & rows["baseline"].isna()]
    by_task = items.groupby("task")["correct"].mean()
    assert last.set_index("task")["value"].to_dict() == pytest.approx(by_task.to_dict())
    assert ((items["layers"].to_numpy() >> 2 & 1) == items["correct"]).all()


def test_what_lies_beyond_the_input_is_wrong(made_up, tokenizer, encoder, tiny_series, monkeypatch):
    monkeypatch.setattr(edges, "longest_input", lambda *_: 8)
    short = EdgesProbe().prepare(EdgesSettings(sets=("made-up",), steps=20, codelength=False), tokenizer, tiny_series)
    assert all(task.train.read.all() and 0 < task.test.read.mean() < 0.8 for task in short.sets[0].tasks)
    rows, items = EdgesProbe().measure(encoder, short)
    rows = pd.DataFrame(rows)
    assert set(rows[(rows["group"] == "") & rows["task"].str.endswith("pos")]["n"]) == {
        sum(len(sentence.words) for sentence in made_up)
    }
    for task in short.sets[0].tasks:
        most = np.bincount(task.train.labels).argmax()
        majority = rows[(rows["task"] == task.name) & (rows["baseline"] == MAJORITY) & (rows["metric"] == "f1_micro")]
        assert majority["value"].item() == pytest.approx(((task.test.labels == most) & task.test.read).mean())
    unread = {name for task in short.sets[0].tasks for name in np.array(task.test.names)[~task.test.read]}
    assert not items[items["item_id"].isin(unread)]["correct"].any()


def test_less_to_learn_from_leaves_the_test_split_whole(made_up, tokenizer, tiny_series, examples):
    few = EdgesProbe().prepare(EdgesSettings(sets=("made-up",), train_sentences=10), tokenizer, tiny_series)
    assert len(few.sets[0].ids["train"]) == 10
    assert few.sets[0].ids["test"] == examples.sets[0].ids["test"]


def test_auto_takes_silver_where_gold_is_not_there(made_up):
    assert edges._sets(EdgesSettings()) == ("silver",)


def test_the_published_protocol_measures_the_same_things(made_up, tokenizer, encoder, tiny_series, monkeypatch):
    monkeypatch.setattr(linear, "Published", partial(linear.Published, learning_rate=0.02, steps=200, every=20))
    settings = EdgesSettings(sets=("made-up",), protocol="paper", codelength=False)
    examples = EdgesProbe().prepare(settings, tokenizer, tiny_series)
    assert set(examples.sets[0].ids) == {"train", "dev", "test"}
    rows = pd.DataFrame(EdgesProbe().measure(encoder, examples)[0])
    totals = rows[(rows["group"] == "") & (rows["metric"] == "f1_micro")].set_index(["task", "baseline"])["value"]
    for task in ("made-up/pos", "made-up/dependency"):
        assert totals[task, None].min() > totals[task, MAJORITY].item() + 0.1
