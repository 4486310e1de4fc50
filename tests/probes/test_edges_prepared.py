"""What edge probes prepare of sentences: spans, splits, controls and documents, of text that is made up."""

from dataclasses import replace

import numpy as np
import pytest

from embryology.models.encoder import Encoder
from embryology.probes import edges
from embryology.probes.edges import UNKNOWN, EdgesProbe
from embryology.specs.edges import STATIC_LAYER, EdgesSettings
from embryology.treebanks import Edge, Reading, Sentence, Word
from embryology.treebanks.sets import EdgeSet

COVERS = ("embryology/probes/edges.py",)


def written(name, *pairs, labels=None):
    """A sentence of forms and tags, with an edge of each word and one of every two that stand side by side."""
    text, words = "", []
    for form, tag in pairs:
        words.append(Word(form, len(text), len(text) + len(form), tag))
        text += f"{form} "
    found = [Edge("pos", tag, (place, place + 1)) for place, (_, tag) in enumerate(pairs)]
    found += [Edge("constituent", "NP", (place, place + 2)) for place in range(len(pairs) - 1)]
    return Sentence(name, text.rstrip(), tuple(words), tuple(found))


@pytest.fixture
def sets(monkeypatch):
    """Sets of sentences by split, found under any name."""
    made = {}

    def find(name, split="test"):
        return EdgeSet(name, "made up", (), dict, lambda _: Reading(made[split]), split, ("pos", "constituent"))

    monkeypatch.setattr(edges.edge_sets, "find", find)
    return made


def random_sentences(rng, first, number, tags=("A", "B")):
    forms = ["the", "The", "city", "theology", "music", "unbelievable", "Norwegian", "sea", "old", "river"]
    return [
        written(f"s-{first + i}", *((str(form), str(rng.choice(tags))) for form in rng.permutation(forms)[:6]))
        for i in range(number)
    ]


def prepared(sets, tokenizer, series, **settings):
    return EdgesProbe().prepare(EdgesSettings(sets=("made-up",), **settings), tokenizer, series).sets[0]


def test_spans_hold_the_pieces_of_their_words(sets, tokenizer, tiny_series):
    rng = np.random.default_rng(0)
    sets |= {"train": random_sentences(rng, 100, 20), "test": random_sentences(rng, 0, 20)}
    made = prepared(sets, tokenizer, tiny_series)
    words = {each.id: each.words for some in sets.values() for each in some}
    for split in ("train", "test"):
        ids = [piece for sentence in made.ids[split] for piece in sentence]
        for one in made.tasks:
            own = getattr(one, split)
            assert len(own.names) == sum(edge.task in one.name for each in sets[split] for edge in each.edges)
            for name, (first, last) in zip(own.names, own.spans[0], strict=True):
                sentence, _, span = name.partition(":")
                begin, end = map(int, span.split("-"))
                said = " ".join(word.form for word in words[sentence][begin - 1 : end])
                assert tokenizer.decode(ids[first:last]) == said.lower()
                assert own.read.all()


def test_a_span_that_is_not_wholly_in_the_input_is_not_read():
    sentence = written("s-1", ("a", "A"), ("b", "A"), ("c", "A"))
    placed = edges._edges([sentence], [[(1, 2), (2, 4), None]], "constituent")
    assert [(place, spans) for place, _, spans in placed] == [(0, [(1, 4)]), (0, None)]
    pair = replace(sentence, edges=(Edge("role", "A0", (2, 3), (0, 1)), Edge("role", "A1", (0, 1), (1, 2))))
    placed = edges._edges([pair], [[(1, 2), (2, 4), None]], "role")
    assert [spans for _, _, spans in placed] == [None, [(1, 2), (2, 4)]]


def test_a_document_is_all_of_a_name_but_its_last_number(sets, tokenizer, tiny_series):
    named = [written(f"the-book-{i % 30}-{i}", ("city", "A"), ("sea", "B")) for i in range(60)]
    sets |= {"train": random_sentences(np.random.default_rng(0), 0, 5), "test": named}
    for one in prepared(sets, tokenizer, tiny_series).tasks:
        assert one.unit == "document"
        documents = [name.split("-")[2] for name in one.test.names]
        assert (
            len(set(documents))
            == 30
            == len(set(one.test.units))
            == len(set(zip(documents, one.test.units, strict=True)))
        )


def test_labels_of_the_test_split_change_nothing_that_is_prepared_but_themselves(sets, tokenizer, tiny_series):
    rng = np.random.default_rng(0)
    sets |= {"train": random_sentences(rng, 100, 20), "test": random_sentences(rng, 0, 10)}
    made = [prepared(sets, tokenizer, tiny_series, train_sentences=10)]
    sets["test"] = [
        replace(each, edges=tuple(edge._replace(label="new") for edge in each.edges)) for each in sets["test"]
    ]
    made.append(prepared(sets, tokenizer, tiny_series, train_sentences=10))
    for ours, theirs in zip(made[0].tasks, made[1].tasks, strict=True):
        assert ours.classes == theirs.classes
        assert (theirs.test.labels == UNKNOWN).all()
        for name in ("labels", "control", "recurs", "units", "names"):
            assert list(getattr(ours.train, name)) == list(getattr(theirs.train, name))
        for name in ("control", "recurs", "units", "names", "read"):
            assert list(getattr(ours.test, name)) == list(getattr(theirs.test, name))


def test_sentences_to_learn_from_and_controls_are_drawn_by_seed(sets, tokenizer, tiny_series):
    rng = np.random.default_rng(0)
    sets |= {"train": random_sentences(rng, 100, 60), "test": random_sentences(rng, 0, 10)}
    made = [prepared(sets, tokenizer, tiny_series, train_sentences=20, seed=seed) for seed in (0, 1, 0)]
    drawn = [[int(name[2:5]) for name in dict.fromkeys(one.tasks[0].train.names)] for one in made]
    assert drawn[0] == drawn[2] != drawn[1]
    assert max(drawn[0]) > 140  # and not the first twenty
    assert made[0].tasks[0].test.control.tolist() == made[2].tasks[0].test.control.tolist()
    assert made[0].tasks[0].test.control.tolist() != made[1].tasks[0].test.control.tolist()


def test_control_labels_are_as_frequent_as_labels_and_the_same_in_any_case():
    labels = ["rare" if number % 10 == 0 else "often" for number in range(600)]
    train = [written(f"t-{number}", (f"word{number}", label)) for number, label in enumerate(labels)]
    test = [written(f"s-{number}", (form, "often")) for number, form in enumerate(("WORD7", "Word8", "none"))]
    sentences = {"train": train, "test": test}
    placed = {
        split: [(row, each.edges[0], [(0, 1)]) for row, each in enumerate(some)] for split, some in sentences.items()
    }
    controls, recurs = edges._controls(placed, sentences, ["often", "rare"], np.random.default_rng(0))
    assert controls["train"].mean() == pytest.approx(0.1, abs=0.05)
    assert controls["test"][:2].tolist() == controls["train"][[7, 8]].tolist()
    assert recurs["test"].tolist() == [True, True, False]
    assert recurs["train"].all()


def test_vectors_are_of_the_precision_that_was_asked_for(sets, tokenizer, tiny_series, monkeypatch):
    asked = []
    states = Encoder.hidden_states

    def listening(self, ids, precision="float32"):
        asked.append(precision)
        return states(self, ids, precision)

    monkeypatch.setattr(Encoder, "hidden_states", listening)
    sets |= {split: random_sentences(np.random.default_rng(0), 0, 8) for split in ("train", "test")}
    settings = EdgesSettings(sets=("made-up",), precision="bfloat16", steps=2, codelength=False)
    encoder = Encoder.load(tiny_series.checkpoints[0], device="cpu")
    EdgesProbe().measure(encoder, EdgesProbe().prepare(settings, tokenizer, tiny_series))
    assert asked == ["bfloat16"] * 2


def test_the_static_layer_knows_no_context(tokenizer, tiny_series):
    encoder = Encoder.load(tiny_series.checkpoints[0], device="cpu")
    ids = tokenizer(["the city of the sea", "the city was old"])["input_ids"]
    states = encoder.hidden_states(ids)
    same = (states[:, 2] == states[:, len(ids[0]) + 2]).all(-1)  # "city" in its place
    assert same.tolist() == [layer == STATIC_LAYER for layer in range(3)]


def test_texts_are_those_of_the_items(sets, tokenizer, tiny_series):
    sets |= {split: random_sentences(np.random.default_rng(n), n, 5) for n, split in enumerate(("train", "test"))}
    texts = EdgesProbe().texts(EdgesSettings(sets=("made-up",)), tokenizer, tiny_series)
    made = prepared(sets, tokenizer, tiny_series)
    assert list(zip(texts["task"], texts["item_id"], strict=True)) == [
        (one.name, name)
        for sentence in sets["test"]
        for one in made.tasks
        for name in one.test.names
        if name.startswith(f"{sentence.id}:")
    ]
    assert texts["word"].tolist()[:6] == texts["text"][0].split(" ")
