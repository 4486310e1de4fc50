"""Fine-tuning: the same network as transformers', the same numbers twice, and something learnt."""

import signal

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from embryology.models import finetuning
from embryology.models.encoder import Encoder
from embryology.models.finetuning import Recipe, inputs
from embryology.probes import runner
from embryology.probes.finetune import FinetuneProbe, FinetuneSettings
from embryology.probes.frozen import FrozenProbe, FrozenSettings
from embryology.runs.checkpoints import Series
from embryology.runs.paths import RunFolder
from embryology.tasks import Example, Split, Task, baselines, catalogue
from tests.conftest import tiny_model
from tests.pretraining.test_kills import die_at, halve
from tests.processes import exit_status

WORDS = ("city", "music", "people", "film", "house", "water", "large", "known", "year", "world")
RECIPE = Recipe(rate=3e-3, epochs=4, batch=8, dropout=0.0)


def examples(n, seed, pairs=False):
    """Whether a sentence holds "music"; of pairs, the second does."""
    rng = np.random.default_rng(seed)
    drawn = []
    for number in range(n):
        words = list(rng.choice([word for word in WORDS if word != "music"], rng.integers(3, 9)))
        label = int(rng.random() < 0.5)
        words[1] = "music" if label else words[1]
        text = "The " + " ".join(words) + " ."
        drawn.append(Example(str(number), "It is so." if pairs else text, text if pairs else None, label))
    return drawn


def task(name="made-up", pairs=False, classes=("no", "yes"), metrics=("accuracy",), dev=("dev",)):
    development = {part: Split(examples(60, number + 1, pairs)) for number, part in enumerate(dev)}
    return Task(name, "made up", classes, metrics, Split(examples(160, 0, pairs)), development)


def read(tokenizer, sentences):
    """Examples of single sentences as a model reads them, and their labels."""
    given = inputs(tokenizer, [example.first for example in sentences], [None] * len(sentences), 64)
    return given, np.array([example.label for example in sentences])


@pytest.fixture(scope="module")
def encoder(tiny_series):
    return Encoder.load(tiny_series.checkpoints[-1], device="cpu")


@pytest.mark.parametrize("kind", ["albert", "bert"])
def test_vectors_are_those_of_transformers(kind, tokenizer, monkeypatch):
    model = tiny_model(kind).eval()
    encoder = Encoder(model, frozenset(), "cpu")
    classifier = finetuning.Classifier(encoder, 3, Recipe()).eval()
    given = inputs(tokenizer, ["The city.", "A film of the city and its people."], ["It is.", "Music."], 64)
    ids, types, mask = given.padded([0, 1], 0, "cpu")
    with torch.no_grad():
        first = model.base_model(input_ids=ids, token_type_ids=types, attention_mask=mask.long())[0][:, 0]
        expected = classifier.out(torch.tanh(classifier.dense(first)))
        torch.testing.assert_close(classifier(ids, types, mask), expected, atol=1e-5, rtol=1e-4)
        monkeypatch.setattr(finetuning.forward, "computes", lambda config: False)
        torch.testing.assert_close(classifier(ids, types, mask), expected, atol=1e-5, rtol=1e-4)


def test_something_is_learnt_and_the_checkpoint_stays_as_it_was(encoder, tokenizer):
    before = {name: weight.clone() for name, weight in encoder.model.state_dict().items()}
    train, dev = read(tokenizer, examples(300, 0)), read(tokenizer, examples(100, 1))
    model = finetuning.train(encoder, *train, 2, RECIPE)
    assert (finetuning.outputs_of(model, dev[0]).argmax(1) == dev[1]).mean() > 0.9
    for name, weight in encoder.model.state_dict().items():
        assert torch.equal(weight, before[name])
    changed = dict(model.model.named_parameters())
    assert not torch.equal(
        changed["albert.encoder.embedding_hidden_mapping_in.weight"],
        before["albert.encoder.embedding_hidden_mapping_in.weight"],
    )


def test_the_same_recipe_gives_the_same_numbers_and_another_seed_others(encoder, tokenizer):
    given, labels = read(tokenizer, examples(40, 0))
    one, same, other = (
        finetuning.outputs_of(finetuning.train(encoder, given, labels, 2, Recipe(epochs=1, seed=seed)), given)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


def test_a_score_is_learnt_too(encoder, tokenizer):
    given, labels = read(tokenizer, examples(300, 0))
    scores = (5 * labels).astype(np.float32)
    model = finetuning.train(encoder, given, scores, 1, RECIPE)
    assert np.corrcoef(finetuning.outputs_of(model, given)[:, 0], scores)[0, 1] > 0.8


def test_every_example_is_read_once_an_epoch_in_batches_of_like_length(tokenizer):
    given, _ = read(tokenizer, examples(101, 0))
    batches = list(finetuning._epochs(given, Recipe(epochs=2, batch=8), np.random.default_rng(0)))
    assert len(batches) == 2 * 13
    for epoch in (batches[:13], batches[13:]):
        assert sorted(i for batch in epoch for i in batch) == list(range(101))
    spread = [np.ptp([len(given.ids[i]) for i in batch]) for batch in batches]
    assert max(spread) <= 2


def test_pairs_are_cut_to_what_the_model_reads(tokenizer):
    given = inputs(tokenizer, ["city " * 50, "A"], ["B", "film " * 50], 20)
    assert [len(ids) for ids in given.ids] == [20, 20]
    assert given.types[0][-2:] == [1, 1]  # the short second sentence stays


@pytest.fixture
def made_up(monkeypatch):
    tasks = {"made-up": task(), "pairs": task("pairs", pairs=True, dev=("matched", "mismatched"))}
    tasks["score"] = task("score", classes=(), metrics=("pearson", "spearman"))
    monkeypatch.setattr(catalogue, "find", lambda name: tasks[name])
    monkeypatch.setattr(catalogue, "identity", lambda name: {name: 1})
    return tasks


def measured(probe, settings, encoder, tokenizer, series):
    examples = probe.prepare(settings, tokenizer, series)
    return [probe.measure_part(encoder, examples, part) for part in probe.parts(settings, series)]


def test_cells_have_the_tasks_metrics_on_whole_development_sets(made_up, encoder, tokenizer, tiny_series):
    settings = FinetuneSettings(tasks=("made-up", "pairs", "score"), seeds=1, rate=3e-3, epochs=2, batch=8, train=80)
    (rows, items), (pair_rows, _), (score_rows, _) = measured(
        FinetuneProbe(), settings, encoder, tokenizer, tiny_series
    )
    pick = rows.set_index(["metric", "baseline"])
    assert pick.loc[("score", None), "n"].item() == 60 == len(items)
    assert pick.loc[("accuracy", None), "value"].item() == pytest.approx(items["correct"].mean())
    assert pick.loc[("score", "tf-idf"), "value"].item() > 0.9  # a single word decides
    assert pick.loc[("collapsed", None), "value"].item() in (0, 1)
    assert items["source"].unique().tolist() == ["made up, 80 of 160 training examples"]
    both = pair_rows[(pair_rows["metric"] == "score") & pair_rows["baseline"].isna()].set_index("item")
    assert both.loc["", "value"] == pytest.approx((both.loc["matched", "value"] + both.loc["mismatched", "value"]) / 2)
    assert both.loc["", "n"] == 120
    assert {"pearson", "spearman", "score"} <= set(score_rows["metric"])


def test_a_batch_that_is_interrupted_is_resumed_and_a_finished_cell_is_not_run_again(
    made_up, monkeypatch, tiny_series, tmp_path
):
    chosen = {"finetune": {"tasks": ["made-up"], "seeds": 2, "epochs": 1, "train": 24}}
    whole = Series("whole", RunFolder(tmp_path / "whole"), tiny_series.checkpoints[:2])
    assert runner.run_probes(whole, chosen) == 2
    cells, measure = [], FinetuneProbe.measure_part

    def dying(self, encoder, examples, part):
        if len(cells) == 3:
            raise KeyboardInterrupt
        cells.append(part)
        return measure(self, encoder, examples, part)

    monkeypatch.setattr(FinetuneProbe, "measure_part", dying)
    broken = Series("broken", RunFolder(tmp_path / "broken"), tiny_series.checkpoints[:2])
    with pytest.raises(KeyboardInterrupt):
        runner.run_probes(broken, chosen)
    cells.append("died")
    runner.run_probes(broken, chosen)
    assert cells == ["made-up-0", "made-up-1", "made-up-0", "died", "made-up-1"]
    tables = [
        {file.name: file.read_bytes() for file in sorted((series.folder.measurements / "details").rglob("*.parquet"))}
        for series in (whole, broken)
    ]
    assert tables[0] == tables[1]
    cells.clear()
    runner.run_probes(broken, {"finetune": chosen["finetune"] | {"seeds": 3}})
    assert cells == ["made-up-2", "made-up-2"]  # seeds that are there are not run again


def _batch(series, die):
    """The same batch in a process of its own, which ``die`` lets be killed somewhere."""
    catalogue.find, catalogue.identity = {"made-up": task()}.get, lambda name: {name: 1}
    torch.set_num_threads(1)
    die()
    chosen = {"finetune": {"tasks": ["made-up"], "seeds": 2, "epochs": 1, "train": 24, "batch": 8}}
    runner.run_probes(series, chosen, device="cpu", threads=1)


def _within_the_fourth_cell():
    die_at(torch.optim.AdamW, "step", 3 * 3 + 2)  # three steps a cell


def _between_the_two_files_of_a_cell():
    die_at(runner, "write_table", 6)


def _while_a_checkpoints_table_is_written():
    die_at(pq, "write_table", 6, lambda _, path: halve(path))  # after two cells of two files each, and the items


def _tables(series):
    folder = series.folder.root
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.parquet"))}


@pytest.fixture(scope="module")
def uninterrupted(tiny_series, tmp_path_factory):
    series = Series("own", RunFolder(tmp_path_factory.mktemp("runs") / "whole"), tiny_series.checkpoints[:2])
    assert exit_status(_batch, series, int) == 0
    return _tables(series)


@pytest.mark.parametrize(
    "die", [_within_the_fourth_cell, _between_the_two_files_of_a_cell, _while_a_checkpoints_table_is_written]
)
def test_a_batch_that_is_killed_gives_the_same_tables_in_the_end(die, uninterrupted, tiny_series, tmp_path):
    series = Series("own", RunFolder(tmp_path / "broken"), tiny_series.checkpoints[:2])
    assert exit_status(_batch, series, die) == -signal.SIGKILL
    assert len(_tables(series)) < len(uninterrupted) == 4 * 2 + 2 * 2  # cells and checkpoints, two files each
    assert exit_status(_batch, series, int) == 0
    assert _tables(series) == uninterrupted


def test_linear_models_on_frozen_vectors_are_scored_alike(made_up, encoder, tokenizer, tiny_series):
    probe = FrozenProbe()
    settings = FrozenSettings(tasks=("made-up", "pairs", "score"))
    rows, items = probe.measure(encoder, probe.prepare(settings, tokenizer, tiny_series))
    assert items is None
    pick = rows[rows["baseline"].isna() & (rows["item"] == "")].set_index(["task", "metric"])
    assert pick.loc[("made-up", "score"), "n"] == 60
    assert pick.loc[("pairs", "score"), "n"] == 120
    assert pick.loc[("made-up", "score"), "value"] > 0.6  # which word is there stays in a mean
    assert ("score", "spearman") in pick.index


def test_a_task_without_a_train_set_is_refused(made_up, tokenizer, tiny_series):
    made_up["made-up"] = Task("made-up", "made up", ("no", "yes"), ("accuracy",), None, made_up["made-up"].dev)
    with pytest.raises(Exception, match="'made-up' has no train set here"):
        FinetuneProbe().prepare(FinetuneSettings(tasks=("made-up",)), tokenizer, tiny_series)


def test_baselines_of_a_single_class_and_of_scores():
    made_up = task()
    of_one_class = [example for example in made_up.train.examples if example.label == 1]
    rows = baselines.rows(made_up, of_one_class)
    scores = {row["baseline"]: row["value"] for row in rows if row["metric"] == "score"}
    share = np.mean([example.label for example in made_up.dev["dev"].examples])
    assert scores == {"majority": pytest.approx(share), "tf-idf": pytest.approx(share)}
