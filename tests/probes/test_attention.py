"""The attention probe on heads that are planted: what they attend to is known, and what is told of them by hand."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy import stats

from embryology.errors import EmbryologyError
from embryology.models import attention as sums
from embryology.models.encoder import Encoder
from embryology.probes import attention
from embryology.probes.runner import run_probes
from embryology.runs import measurements
from embryology.runs.dictionary import dictionary
from embryology.specs import registry
from embryology.treebanks import Edge, Sentence, Word, edge_sets
from embryology.treebanks.sets import EdgeSet


def sentence(name, *words, heads, labels):
    """Words between spaces; ``heads`` are numbers of words, None of the root."""
    ends = list(itertools.accumulate(len(word) + 1 for word in words))
    placed = tuple(Word(word, end - len(word) - 1, end - 1, "X") for word, end in zip(words, ends, strict=True))
    edges = tuple(
        Edge("dependency", label, (place, place + 1), (head, head + 1))
        for place, (head, label) in enumerate(zip(heads, labels, strict=True))
        if head is not None
    )
    return Sentence(name, " ".join(words), placed, edges)


@pytest.fixture(scope="module")
def sentences():
    """40 documents of one sentence; the head of the determiner and of the subject lies at different distances."""
    made = []
    for number in range(40):
        fill = ["old"] * (number % 3)
        words = ["the", *fill, "dog", "slept", "here", "."]
        dog = len(fill) + 1
        labels = ["det", *["amod"] * len(fill), "nsubj", "root", "advmod", "punct"]
        heads = [dog, *[dog] * len(fill), dog + 1, None, dog + 1, dog + 1]
        made.append(sentence(f"doc{number}-1", *words, heads=heads, labels=labels))
    return made


@pytest.fixture(scope="module")
def encoder(tiny_series):
    return Encoder.load(tiny_series.checkpoints[0], device="cpu")


def settings(**values):
    return registry.settings_of("attention", {"sentences": 40} | values)


def prepared(some, tokenizer, longest=64, **values):
    return attention.choose_examples(some, "made up", settings(**values), tokenizer, longest)


def plant(monkeypatch, examples, *squares):
    """Let all layers' heads be ``squares``, functions of the number of a sentence that give (length, length)."""

    def attentions(encoder, sequences, tokens_per_batch=None):
        for i, ids in enumerate(sequences):
            layer = torch.stack([square(i, len(ids)) for square in squares])[None]
            yield [i], torch.ones(1, len(ids), dtype=torch.bool), (layer.float(), layer.flip(1).float())

    monkeypatch.setattr(sums, "attentions", attentions)


def to_previous(i, length):
    square = torch.zeros(length, length)
    square[torch.arange(1, length), torch.arange(length - 1)] = 1
    square[0, 0] = 1
    return square


def to_syntactic_head(examples):
    """From the pieces of each word to those of its head; others attend evenly."""

    def square(i, length):
        made = torch.full((length, length), 1 / length)
        if examples.drawn is not None and length != len(examples.ids[i % len(examples.ids)]):
            return made  # a sentence whose map is drawn
        for edge in examples.edges[examples.edges["row"] == i].itertuples():
            for piece in examples.words[i][edge.dependent]:
                made[piece] = 0
                made[piece, list(examples.words[i][edge.head])] = 1 / len(examples.words[i][edge.head])
        return made

    return square


def value_of(rows, **known):
    frame = pd.DataFrame(rows)
    for name, wanted in ({"baseline": None, "layer": None, "group": ""} | known).items():
        frame = frame[frame[name].isna() if wanted is None else frame[name] == wanted]
    (found,) = frame.to_dict("records")
    return found


def test_a_head_that_attends_to_the_previous_token_is_found(sentences, tokenizer, encoder, monkeypatch):
    examples = prepared(sentences, tokenizer)
    plant(monkeypatch, examples, lambda i, n: torch.full((n, n), 1 / n), to_previous)
    rows, items = attention.AttentionProbe().measure(encoder, examples)
    own = value_of(rows, task="patterns/head-2", layer=1, metric="previous")
    assert (own["value"], own["n"]) == (1, 40)
    assert value_of(rows, task="patterns/head-1", layer=2, metric="previous")["value"] == 1
    assert value_of(rows, task="patterns/head-2", layer=1, metric="entropy")["value"] == 0
    assert value_of(rows, task="patterns/head-2", layer=1, metric="distance")["value"] == pytest.approx(1)
    lengths = np.array([len(ids) for ids in examples.ids])
    for metric, each in (("previous", 1 / lengths), ("separator", 1 / lengths), ("entropy", np.log(lengths))):
        even = value_of(rows, task="patterns", metric=metric, baseline="uniform")
        ends = stats.t.interval(0.95, 39, each.mean(), stats.sem(each))
        assert [even["value"], even["low"], even["high"]] == pytest.approx([each.mean(), *ends], rel=1e-5)
        both = value_of(rows, task="patterns/head-1", layer=1, metric=metric)
        assert both["value"] == pytest.approx(even["value"], rel=1e-5)
    mean = value_of(rows, task="patterns", layer=1, metric="previous")["value"]
    assert mean == pytest.approx((1 + (1 / lengths).mean()) / 2, rel=1e-5)
    heads = items[(items["task"] == "patterns") & (items["sentence"] == "doc3-1")].set_index("group")["previous"]
    assert heads.to_dict() == pytest.approx(
        {"1-1": 1 / lengths[3], "1-2": 1, "2-1": 1, "2-2": 1 / lengths[3], "uniform": 1 / lengths[3]}, abs=5.1e-4
    )


def test_a_head_that_attends_to_syntactic_heads_is_found_and_chosen(sentences, tokenizer, encoder, monkeypatch):
    examples = prepared(sentences, tokenizer)
    plant(monkeypatch, examples, to_previous, to_syntactic_head(examples))
    rows, items = attention.AttentionProbe().measure(encoder, examples)
    for group in ("", "det", "nsubj", "advmod"):
        found = value_of(rows, task="attachment/from-dependent/head-2", layer=1, group=group, metric="accuracy")
        assert found["value"] == 1
        assert value_of(rows, task="attachment/best-head", group=group)["value"] == 1
        for layer in (1, 2):
            assert value_of(rows, task="attachment/best-head", group=group, layer=layer)["value"] == 1
    # "here" hangs on the word before it; the subject's head is the word behind.
    to_word_before = {"task": "attachment/from-dependent/head-1", "layer": 1}
    assert value_of(rows, **to_word_before, group="advmod")["value"] == 1
    assert value_of(rows, **to_word_before, group="nsubj")["value"] == 0
    assert value_of(rows, task="attachment/from-head/head-1", layer=1, group="nsubj")["value"] == 1
    edges = items[items["task"] == "attachment"]
    assert edges["correct"].all()
    assert set(edges["layers"]) == {0b110}
    assert "punct" not in set(edges["group"])


def test_offsets_and_uniform_attention_are_the_lines_to_clear(sentences, tokenizer, encoder, monkeypatch):
    examples = prepared(sentences, tokenizer)
    plant(monkeypatch, examples, to_previous)
    rows, items = attention.AttentionProbe().measure(encoder, examples)
    # The determiner's head is 1, 2 or 3 words away, in 14, 13 and 13 of 40 sentences; half of them choose.
    distances = np.array([number % 3 + 1 for number in range(40)])
    halves, right = np.arange(40) % 2, np.zeros(40, bool)
    for half in (0, 1):
        counts = np.bincount(distances[halves != half])
        right[halves == half] = distances[halves == half] == counts.argmax()
    assert value_of(rows, task="attachment/best-head", group="det", baseline="offset")["value"] == right.mean()
    assert value_of(rows, task="attachment/best-head", group="nsubj", baseline="offset")["value"] == 1
    assert value_of(rows, task="attachment/best-head", group="advmod", baseline="offset")["value"] == 1
    own = items[(items["task"] == "attachment") & (items["group"] == "det")]
    assert own["offset"].tolist() == right.tolist()
    chance = [1 / (number % 3 + 4) for number in range(40)]
    assert own["uniform"].tolist() == pytest.approx(chance)
    even = value_of(rows, task="attachment/best-head", group="det", baseline="uniform")
    assert even["value"] == pytest.approx(np.mean(chance))
    assert even["low"] < even["value"] < even["high"]


def test_what_is_chosen_is_best_on_the_other_half_and_nowhere_else():
    rng = np.random.default_rng(5)
    right = rng.random((6, 300)) < 0.4
    edges = pd.DataFrame({"group": rng.choice(["a", "b", "c"], 300), "half": rng.integers(0, 2, 300)})
    edges.loc[299] = ["only here", 0]
    expected = []
    for number, (group, half) in enumerate(edges.itertuples(index=False)):
        others = [i for i, other in enumerate(edges.itertuples(index=False)) if other.half != half]
        of_group = [i for i in others if edges["group"][i] == group] or others
        best = max(range(6), key=lambda candidate: (sum(right[candidate][i] for i in of_group), -candidate))
        expected.append(bool(right[best][number]))
    assert attention._chosen(right, edges).tolist() == expected
    assert expected != right[right.mean(1).argmax()].tolist()


def test_documents_are_halved_and_of_one_document_sentences(sentences, tokenizer):
    halves = prepared(sentences, tokenizer).edges.groupby("sentence", sort=False)["half"].unique()
    assert [list(half) for half in halves] == [[number % 2] for number in range(40)]
    one = [Sentence(f"same-{n}", each.text, each.words, each.edges) for n, each in enumerate(sentences)]
    halves = prepared(one, tokenizer).edges.groupby("sentence", sort=False)["half"].unique()
    assert [list(half) for half in halves] == [[number % 2] for number in range(40)]
    pairs = [Sentence(f"d{n // 2}-{n}", each.text, each.words, each.edges) for n, each in enumerate(sentences)]
    halves = prepared(pairs, tokenizer).edges.groupby("sentence", sort=False)["half"].unique()
    assert [list(half) for half in halves] == [[number // 2 % 2] for number in range(40)]


def test_one_sentence_alone_is_measured_and_nothing_is_chosen(sentences, tokenizer, encoder):
    rows, items = attention.AttentionProbe().measure(encoder, prepared(sentences[:1], tokenizer))
    frame = pd.DataFrame(rows)
    assert np.isfinite(frame["value"]).all()
    assert frame.loc[frame["metric"] != "share_left_out", "low"].isna().all()
    assert set(frame.loc[frame["task"] == "attachment/best-head", "baseline"]) == {"uniform"}
    assert "correct" not in items


def test_sentences_that_are_not_read_whole_are_left_out_and_counted(sentences, tokenizer, encoder):
    some = [*sentences[:9], sentence("doc-long-1", *["dog"] * 70, heads=[None, *[0] * 69], labels=["dep"] * 70)]
    some.append(sentence("doc-short-1", "dog", heads=[None], labels=["root"]))
    examples = prepared(some, tokenizer, longest=32)
    assert examples.names == [f"doc{n}-1" for n in range(9)]
    rows, _ = attention.AttentionProbe().measure(encoder, examples)
    left_out = value_of(rows, task="patterns", metric="share_left_out")
    assert (left_out["value"], left_out["n"]) == (2 / 11, 11)
    with pytest.raises(EmbryologyError, match="none of 11 sentences has a dependency and fits the 3 tokens"):
        prepared(some, tokenizer, longest=3)


def test_a_smaller_draw_lies_within_a_larger_one(sentences, tokenizer):
    names = [prepared(sentences, tokenizer, sentences=count).names for count in (10, 25)]
    assert [len(some) for some in names] == [10, 25]
    assert set(names[0]) < set(names[1])
    assert prepared(sentences, tokenizer, sentences=10, seed=1).names != names[0]


def test_maps_are_those_of_the_model_in_bytes(sentences, tokenizer, encoder):
    examples = prepared(sentences[:4], tokenizer, map_heads=1)
    _, items = attention.AttentionProbe().measure(encoder, examples)
    maps = items[items["task"] == "maps"].set_index("item_id")
    layers = encoder.model.config.num_hidden_layers
    assert list(maps.index) == [f"own-{i + 1}:{layer}-1" for layer in range(1, layers + 1) for i in _order(examples)]
    encoder.model.set_attn_implementation("eager")
    body = encoder.body("float32")
    with torch.no_grad():
        outputs = body(input_ids=torch.tensor([examples.drawn[2]]), output_attentions=True).attentions
    encoder.model.set_attn_implementation("sdpa")
    kept = maps.loc["own-3:2-1"]
    size = len(examples.drawn[2])
    square = np.array([int(kept["map"][i : i + 2], 16) for i in range(0, 2 * size**2, 2)]).reshape(size, size)
    assert np.abs(square - outputs[1][0, 0].numpy() * 255).max() <= 0.51
    assert kept["pieces"].split() == tokenizer.convert_ids_to_tokens(examples.drawn[2])
    none = prepared(sentences[:4], tokenizer, map_heads=0)
    assert (attention.AttentionProbe().measure(encoder, none)[1]["task"] != "maps").all()


def _order(examples):
    """The drawn sentences as they are read: the shortest first, as all fit one batch."""
    return sorted(range(len(examples.drawn)), key=lambda i: len(examples.drawn[i]))


def test_the_treebank_is_gold_where_it_is_there_and_has_dependencies(monkeypatch):
    there = {"ewt", "silver", "ontonotes"}

    def find(name, split):
        if name not in there:
            raise EmbryologyError("not there")
        tasks = ("pos",) if name == "ontonotes" else ("pos", "dependency")
        return EdgeSet(name, name, (), dict, lambda _: None, split, tasks)

    monkeypatch.setattr(edge_sets, "find", find)
    assert attention._treebank(settings(split="dev")).name == "ewt"
    assert attention._treebank(settings(split="dev")).split == "dev"
    there.remove("ewt")
    assert attention._treebank(settings()).name == "silver"
    with pytest.raises(EmbryologyError, match="'ontonotes' has no dependencies"):
        attention._treebank(settings(treebank="ontonotes"))
    with pytest.raises(EmbryologyError, match="precision"):
        settings(precision="bfloat16")


def test_a_causal_model_has_other_uniform_attention(sentences, tokenizer, encoder):
    examples = prepared(sentences[:5], tokenizer)
    causal = SimpleNamespace(has=frozenset())
    told = attention._uniform(causal, examples)[..., 0]
    assert told[2].tolist() == [0] * 5  # to the next token
    for i, ids in enumerate(examples.ids):
        pieces = range(1, len(ids) - 1)
        assert told[0, i] == pytest.approx(np.mean([1 / (place + 1) for place in pieces]))
        assert told[5, i] == pytest.approx(np.mean([math.log(place + 1) for place in pieces]))


def test_a_discriminator_is_measured_and_all_that_is_told_has_a_meaning(make_series, monkeypatch, sentences):
    series = make_series("electra", steps=(0, 10))
    data = EdgeSet("made", "made up", (), dict, lambda _: None, "test", ("dependency",))
    monkeypatch.setattr(edge_sets, "find", lambda name, split: data)
    monkeypatch.setattr(EdgeSet, "read", lambda _: SimpleNamespace(sentences=sentences))
    assert run_probes(series, {"attention": settings()}, device="cpu") == 2
    rows, items = measurements.read(series, "attention"), measurements.item_table(series, "attention")
    assert rows["value"].map(math.isfinite).all()
    assert set(rows["unit"].dropna()) == {"sentence"}
    assert set(rows.loc[rows["low"].notna(), "unit"]) == {"sentence"}
    told = dictionary({"measurements": pa.Table.from_pandas(rows), "items_attention": items}).to_pandas()
    assert told[told["probe"] == "attention"]["meaning"].notna().all()
    assert {"layers", "map", "offset", "previous"} <= set(told["column"])
