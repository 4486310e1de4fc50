"""The similarity probe beside transformers' own hidden states, plain formulas, and vectors that are planted."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from transformers import AutoModel

from embryology.errors import EmbryologyError
from embryology.models.encoder import Encoder
from embryology.probes import similarity
from embryology.runs import measurements
from embryology.specs import registry
from embryology.specs.similarity import LEVELS
from embryology.treebanks import Sentence, Word

NOUNS = ["dog", "river", "house", "winter", "book", "table", "garden", "village", "letter", "window", "hill", "teacher"]


def settings(**values):
    return registry.settings_of("similarity", {"words": 60, "components": 4} | values)


def sentence(name, *words):
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    placed = [
        Word(word, int(at), int(at) + len(word), "N" if word in NOUNS else "X")
        for word, at in zip(words, starts[:-1], strict=True)
    ]
    return Sentence(name, " ".join(words), tuple(placed), ())


@pytest.fixture(scope="module")
def sentences():
    """Documents of two sentences; every sentence has words that no other has, and a full stop."""
    rng = np.random.default_rng(0)
    letters = "abcdefghijklmnoprstuvw"
    own = ["".join(rng.choice(list(letters), 6)) for _ in range(200)]
    return [
        sentence(f"doc{number // 2}-{number % 2}", "the", own[2 * number], NOUNS[number % 12], own[2 * number + 1], ".")
        for number in range(100)
    ]


@pytest.fixture(scope="module")
def examples(sentences, tokenizer, tiny_series):
    return similarity.choose_examples(sentences, "made up", settings(), tokenizer, 64, tiny_series.checkpoints)


@pytest.fixture(scope="module")
def measured(examples, tiny_series):
    """Rows and items of each checkpoint, one after the other."""
    fresh = replace(examples, read={})
    probe = similarity.SimilarityProbe()
    return [probe.measure(Encoder.load(each, device="cpu"), fresh) for each in tiny_series.checkpoints]


def value_of(rows, **known):
    frame = pd.DataFrame(rows)
    for name, wanted in ({"baseline": None, "layer": None, "group": ""} | known).items():
        frame = frame[frame[name].isna() if wanted is None else frame[name] == wanted]
    (found,) = frame.to_dict("records")
    return found


def test_words_are_of_different_sentences_and_forms_and_groups_of_whole_documents(sentences, examples, tokenizer):
    assert len(examples.ids) == len(examples.positions) == len(examples.tags) == 60
    texts = [tokenizer.decode(ids, skip_special_tokens=True) for ids in examples.ids]
    assert len(set(texts)) == 60
    read = zip(examples.ids, examples.positions, strict=True)
    words = [tokenizer.decode([ids[at] for at in pieces]) for ids, pieces in read]
    assert len(set(words)) == 60
    assert all(any(map(str.isalnum, word)) for word in words)
    for text, word in zip(texts, words, strict=True):
        assert word.strip() in text
    by_text = {
        tokenizer.decode(tokenizer(each.text)["input_ids"], skip_special_tokens=True): each for each in sentences
    }
    group = np.searchsorted(examples.starts, np.arange(60), side="right")
    documents = pd.DataFrame({"group": group, "document": [by_text[text].id.split("-")[0] for text in texts]})
    assert (documents.groupby("document")["group"].nunique() == 1).all()
    assert documents["group"].nunique() == 20
    assert examples.unit == "document"
    assert [tag == "N" for tag in examples.tags] == [word.strip() in NOUNS for word in words]


def test_what_is_drawn_depends_on_the_seed_alone(sentences, examples, tokenizer):
    again = similarity.choose_examples(sentences, "made up", settings(), tokenizer, 64)
    other = similarity.choose_examples(sentences, "made up", settings(seed=1), tokenizer, 64)
    assert (again.ids, again.positions) == (examples.ids, examples.positions)
    assert other.ids != examples.ids


def test_few_documents_leave_out_sentences(sentences, tokenizer):
    one = [replace(each, id=f"doc{number % 19}-{number}") for number, each in enumerate(sentences)]
    assert similarity.choose_examples(one, "made up", settings(), tokenizer, 64).unit == "sentence"


@pytest.mark.parametrize(("kept", "longest"), [(29, 64), (100, 3)])
def test_too_few_words_are_refused(sentences, tokenizer, kept, longest):
    with pytest.raises(EmbryologyError, match=r"made up: \d+ of \d+ sentences .* 30 at least"):
        similarity.choose_examples(sentences[:kept], "made up", settings(), tokenizer, longest)


def states(checkpoint, examples):
    """(layers + 1, words, size) by transformers, a sentence at a time."""
    model = AutoModel.from_pretrained(checkpoint.location).eval()
    vectors = []
    for ids, pieces in zip(examples.ids, examples.positions, strict=True):
        with torch.no_grad():
            layers = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        vectors.append(np.stack([layer[0, list(pieces)].mean(0).numpy() for layer in layers]))
    return np.stack(vectors, axis=1).astype(float)


def unbiased(x, y):
    """Song et al. 2012, equation 5, from matrices."""
    n = len(x)
    k, m = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    one = np.ones(n)
    total = np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / (n - 1) / (n - 2) - 2 / (n - 2) * (one @ k @ m @ one)
    return total / n / (n - 3)


def plain(x, y):
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return unbiased(x, y) / np.sqrt(unbiased(x, x) * unbiased(y, y))


def test_similarities_are_those_of_transformers_hidden_states(measured, examples, tiny_series):
    first, middle, last = (states(each, examples) for each in tiny_series.checkpoints)
    rows, _ = measured[2]
    before = value_of(rows, task="before", metric="cka", layer=2)
    assert before["value"] == pytest.approx(plain(last[2], middle[2]), abs=1e-5)
    rows, items = measured[1]
    for layer in range(len(last)):
        of_last = value_of(rows, task="last", metric="cka", layer=layer)
        assert of_last["value"] == pytest.approx(plain(middle[layer], last[layer]), abs=1e-5)
        before = value_of(rows, task="before", metric="cka", layer=layer)
        assert before["value"] == pytest.approx(plain(middle[layer], first[layer]), abs=1e-5)
        for other in range(layer):
            within = value_of(rows, task="layers", metric="cka", layer=layer, group=str(other))
            assert within["value"] == pytest.approx(plain(middle[layer], middle[other]), abs=1e-5)
        group = slice(examples.starts[3], examples.starts[4])
        without = [np.delete(each[layer], group, axis=0) for each in (middle, last)]
        item = items[(items["layer"] == layer) & (items["without"] == 4)].iloc[0]
        assert item["cka"] == pytest.approx(plain(*without), abs=1e-5)
        assert item["words"] == group.stop - group.start
        cosines = middle[layer] / np.linalg.norm(middle[layer], axis=1, keepdims=True)
        mean = np.mean((cosines @ cosines.T)[np.triu_indices(len(cosines), 1)])
        cosine = value_of(rows, task="shape", metric="mean_cosine", layer=layer)["value"]
        assert cosine == pytest.approx(mean, abs=1e-5)


def test_the_interval_is_that_of_groups_left_out(measured, examples):
    rows, items = measured[0]
    values = items[items["layer"] == 1].set_index("without")["cka"].to_numpy()
    counts = np.diff(np.append(examples.starts, 60))
    row = value_of(rows, task="last", metric="cka", layer=1)
    assert len(values) == 21
    half = 2.09 * np.sqrt(19 * values[1:].var())  # of groups of one size t has 19 degrees of freedom
    assert row["value"] - row["low"] == pytest.approx(half, rel=0.1)
    assert counts.sum() == row["n"] == 60


def test_the_last_checkpoint_is_itself_and_the_first_has_none_before(measured):
    rows, _ = measured[-1]
    for metric in ("cka", "pwcca"):
        assert value_of(rows, task="last", metric=metric, layer=2)["value"] == pytest.approx(1, abs=1e-6)
        shuffled = value_of(rows, task="last", metric=metric, layer=2, baseline="shuffled-words")["value"]
        assert shuffled < 0.7
    frame = pd.DataFrame(measured[0][0])
    assert not (frame["task"] == "before").any()
    assert (pd.DataFrame(rows)["task"] == "before").any()


def test_a_checkpoint_measured_alone_has_the_same_numbers(measured, examples, tiny_series):
    alone = replace(examples, read={})
    rows, items = similarity.SimilarityProbe().measure(Encoder.load(tiny_series.checkpoints[1], device="cpu"), alone)
    pd.testing.assert_frame_equal(pd.DataFrame(rows), pd.DataFrame(measured[1][0]))
    pd.testing.assert_frame_equal(items, measured[1][1])
    assert len(alone.read) == 2  # the checkpoint before it is let go


def test_rows_and_items_are_as_declared(measured, tmp_path):
    specification = registry.get("similarity")
    rows, items = measured[1]
    frame = measurements.with_units(pd.DataFrame(rows), "similarity")
    assert set(frame["metric"]) <= set(specification.metrics)
    assert set(frame["task"]) <= set(specification.tasks)
    assert set(frame["baseline"].dropna()) <= set(specification.baselines)
    assert set(items.columns) | {"step"} == set(specification.kept_items)
    assert items["item_id"].is_unique


def test_another_number_of_layers_is_refused(examples, tiny_series):
    one, _, last = tiny_series.checkpoints
    read = {one.sha256: np.zeros((4, 60, 3)), last.sha256: np.zeros((2, 60, 3))}
    encoder = SimpleNamespace(step=one.step, device="cpu")
    with pytest.raises(EmbryologyError, match="has 1 layers and step 0 has 3"):
        similarity.SimilarityProbe().measure(encoder, replace(examples, read=read))


def planted(words=400, size=6, classes=3, seed=0):
    """Vectors whose first dimensions tell the tag, in noise; one layer tells it well, one less, one nothing."""
    rng = np.random.default_rng(seed)
    tags = rng.integers(classes, size=words)
    layers = [signal * np.eye(size)[tags] + rng.normal(size=(words, size)) for signal in (6, 3, 0)]
    return np.stack(layers).astype(np.float32) * np.arange(1, size + 1, dtype=np.float32), tags.astype(str)


def fragility(vectors, tags):
    count = len(tags)
    starts = np.arange(20) * (count // 20)
    examples = similarity.Examples(settings(), "", [[]] * count, [()] * count, tags, starts, "document", ())
    say = similarity._Rows(examples)
    similarity._fragility(say, vectors, "cpu")
    return say.rows


def test_accuracy_is_that_of_a_logistic_regression_on_other_words():
    vectors, tags = planted(size=100)  # with as many dimensions an unpenalised one knows its words by heart
    rows = fragility(vectors, tags)
    half = np.repeat(np.arange(20) % 2, 20)
    for layer in range(3):
        right = []
        for tested in (half == 0, half == 1):
            mean, deviation = vectors[layer][~tested].mean(0), vectors[layer][~tested].std(0)
            standard = (vectors[layer] - mean) / deviation
            model = LogisticRegression(C=1 / similarity.PENALTY, max_iter=1000).fit(standard[~tested], tags[~tested])
            right += list(model.predict(standard[tested]) == tags[tested])
        accuracy = value_of(rows, task="noise", metric="accuracy", layer=layer)["value"]
        assert accuracy == pytest.approx(np.mean(right), abs=0.02)
    blind = [np.mean(tags[half == other] == max(set(tags[half != other]), key=list(tags[half != other]).count))
             for other in (0, 1)]  # fmt: skip
    majority = value_of(rows, task="noise", metric="accuracy", baseline="majority")["value"]
    assert majority == pytest.approx(np.mean(blind))


def test_what_tells_better_survives_more_noise_and_what_tells_nothing_has_none_to_survive():
    rows = fragility(*planted())
    well, less = (value_of(rows, task="noise", metric="noise_survived", layer=layer) for layer in (0, 1))
    assert well["low"] > less["value"] > 0.2
    assert not [row for row in rows if row["layer"] == 2 and row["metric"] == "noise_survived"]


def test_noise_on_logits_is_noise_on_vectors():
    rng = np.random.default_rng(1)
    x, weight = rng.normal(size=(1, 300, 5)), rng.normal(size=(1, 5, 4))
    labels = (x @ weight)[0].argmax(-1)
    right = similarity._survives(x @ weight, weight, labels, rng)[0].mean(axis=0)
    direct = [
        np.mean([((x + level * rng.normal(size=x.shape)) @ weight).argmax(-1) == labels for _ in range(20)])
        for level in LEVELS
    ]
    assert right[0] == 1
    assert right[1:] == pytest.approx(np.array(direct), abs=0.04)


def test_halfway_lies_between_levels_by_their_logarithm():
    accuracies = np.interp(np.log2(LEVELS), [-1, 3], [0.9, 0.1])
    assert similarity._halfway(np.append(0.9, accuracies), 0.1) == pytest.approx(2.0)
    assert similarity._halfway(np.append(0.9, accuracies), 0.5) == pytest.approx(1.0)
    assert np.isnan(similarity._halfway(np.full(1 + len(LEVELS), 0.9), 0.1))
