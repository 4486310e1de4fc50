"""A small tokenizer and a small series of models with random parameters."""

# ruff: noqa: E402
import gc

gc.disable()  # until all is imported, of which nothing is garbage: a third of the time that it takes

import itertools
import os
import sys

import pytest
import torch
from hypothesis import settings
from transformers import AlbertConfig, AlbertForPreTraining, BertConfig, BertForPreTraining

from embryology.corpus import articles, sentences
from embryology.corpus import tokenizer as tokenizers
from embryology.presets import Objective
from embryology.pretraining.batches import Batches
from embryology.runs.checkpoints import RECORD, WEIGHTS
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.storage.files import sha256_of_file, write_json
from tests.synthetic import store_of

# The same examples every time, however slow the machine; many more with HYPOTHESIS_PROFILE=long.
settings.register_profile("embryology", deadline=None, derandomize=True)
settings.register_profile("long", settings.get_profile("embryology"), max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "embryology"))


SLOWEST = {
    f"test_{name}.py" for name in ("end_to_end", "notebooks", "hub", "devices", "kills", "refused_writes", "writers")
}
"""Files of few tests that take longest: first, so that no process is left alone with one of them in the end."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in SLOWEST)


def pytest_collection_finish():
    """What is imported stays, so that no collection of garbage has to look through it."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True, scope="session")
def _no_waiting_for_disks():
    """No power fails here: a made-up run alone would wait 300 times for a disk, 10 ms each where it is busy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture(autouse=True)
def _no_note_of_another_test():
    """Below figures; a notebook has a process of its own, tests share one."""
    yield
    if style := sys.modules.get("embryology.figures.style"):
        style.note("")


@pytest.fixture(scope="session")
def tokenizer():
    """1,000 pieces, trained on the bundled articles that are not held out."""
    training = (article for article in articles.articles("bundled") if not articles.is_held_out(article.title))
    text = (sentence for article in training for sentence in sentences.split(article.text))
    return tokenizers.train(itertools.islice(text, 800), 1000)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder for a module's runs, where everything looks for them."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBRYOLOGY_RUNS", str(folder / "runs"))
        yield folder


@pytest.fixture
def batches(tokenizer):
    """Six sequences each of at most 32 pieces, some with padding, with pairs to tell the order of."""
    store = store_of([[9, 8, 7, 12], [20, 5, 6], [3, 3]] * 10)
    objective = Objective(mlm_probability=0.2, max_ngram=2, pair_weight=1)
    return Batches(store, tokenizer, objective, batch_size=6, length=32, seed=0)


@pytest.fixture
def batch(batches):
    assert not batches[0].attention_mask.all()
    return batches[0]


def tiny_model(kind="albert", seed=0):
    """2 layers × 32, random parameters but for a head that nearly copies, so that some answers are right."""
    shape = {
        "vocab_size": 1000,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "initializer_range": 0.2,
        "pad_token_id": 0,
    }
    torch.manual_seed(seed)
    if kind == "albert":
        model = AlbertForPreTraining(AlbertConfig(**shape, embedding_size=32))
        torch.nn.init.eye_(model.albert.encoder.embedding_hidden_mapping_in.weight)
        torch.nn.init.eye_(model.predictions.dense.weight)
    else:
        model = BertForPreTraining(BertConfig(**shape))
        torch.nn.init.eye_(model.cls.predictions.transform.dense.weight)
    return model


def save_checkpoint(folder, step, model, tokenizer):
    """A checkpoint in the layout of a run."""
    location = folder.checkpoint(step)
    model.save_pretrained(location)
    tokenizer.save_pretrained(location)
    record = {"step": step, "tokens": step * 100, "epoch": 0.0, "held_out": {}}
    write_json(location / RECORD, record | {"sha256": sha256_of_file(location / WEIGHTS)})


@pytest.fixture(scope="session")
def make_series(tokenizer, tmp_path_factory):
    """Make a run of checkpoints with random parameters: ``make_series(kind, steps)``."""

    def make(kind="albert", steps=(0, 10, 20)):
        folder = RunFolder(tmp_path_factory.mktemp("runs") / f"tiny-{kind}")
        for step in steps:
            save_checkpoint(folder, step, tiny_model(kind, seed=step), tokenizer)
        tokenizer.save_pretrained(folder.tokenizer)
        return Series.open(folder.root)

    return make


@pytest.fixture(scope="session")
def tiny_series(make_series):
    """Three checkpoints; shared, so tests that write measurements or damage weights make their own."""
    return make_series()
