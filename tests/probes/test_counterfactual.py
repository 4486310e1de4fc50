"""The command that replays a run without one thing: from the run to the table, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from rich.console import Console

from embryology import presets
from embryology.analysis.counterfactual import of_things
from embryology.errors import EmbryologyError
from embryology.pretraining import loop
from embryology.probes import counterfactual as command
from embryology.probes.runner import chosen_settings, run_probes
from embryology.report import summary
from embryology.runs import counterfactuals, measurements
from embryology.runs.series import Series
from tests.training import small_preset, train

COVERS = ("embryology/runs/counterfactuals.py",)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("counterfactual")
        patch.setenv("EMBRYOLOGY_RUNS", str(folder))
        patch.delenv("EMBRYOLOGY_DATA", raising=False)
        yield folder


@pytest.fixture(scope="module")
def series(home):
    """Twelve steps more after step 10; the words stand in the text often enough, and some of it is held back."""
    preset = small_preset(
        home, 1200, steps=30, checkpoints=[0, 10, 20, 30], batch_size=16, sequence_length=32, held_out_sequences=32
    )
    values = preset.model_dump() | {
        "probes": {"knowledge": {"sets": ["bundled"], "facts": 40}},
        "speed": preset.speed.model_dump() | {"keep_states": [10]},
    }
    folder = train(presets.validated(values, "run"), home / "run")
    made = Series.open(folder.root)
    run_probes(made, chosen_settings(made))
    return made


def replay(series, *asked, start=10, **options):
    return command.counterfactual(series, list(asked), start, Console(quiet=True), **options)


@pytest.fixture(scope="module")
def tables(series):
    return replay(series, "english", "italian", keep=True)


def test_the_table_has_every_item_of_both_runs(series, tables):
    effects = counterfactuals.read(series)
    items = measurements.read_items(series, "knowledge")
    items = items[items["step"] > 10]
    for _, own in effects.groupby(["query", "run"]):
        assert len(own) == len(items.dropna(subset="log_probability"))
        both = own.merge(items, on=["task", "item_id", "step"])
        assert both["reference"].tolist() == both["log_probability"].tolist()
        assert (both["effect"] == both["value"] - both["reference"]).all()
        assert own["effect"].abs().max() > 0
    assert {*effects["query"]} == {"text:english", "text:italian"}
    assert {*effects["run"]} == {"without", "floor"}
    asks = effects[effects["asked"]]
    word = items.set_index("item_id")["object"].str.lower().to_dict()
    assert {word[item] for item in asks["item_id"]} <= {"english", "italian"}
    assert asks["query"].nunique() == 2
    assert len(of_things(effects)) == 2
    assert summary.counterfactuals(series, 10).row_count == 2


def test_the_replayed_runs_differ_from_the_first_replaced_batch_on(series, tables):
    """Checkpoints before are copies, and rows of losses that end before are the same bit for bit."""
    for file in tables:
        record = json.loads(file.with_suffix(".json").read_text())
        assert record["sequences"] == len(record["steps"]) == len(record["without"]) == len(record["floor"])
        assert record["first"] == min(record["steps"]) > 10
        assert sorted(record["without"].values()) == sorted(record["floor"].values())
        assert not {*record["without"]} & {*record["floor"]}
        assert sorted(int(at) // 16 + 1 for at in record["floor"]) == record["steps"]
        for run in ("without", "floor"):
            folder = file.parent / file.stem.rpartition("-")[0] / run
            replayed = Series.open(folder)
            outcome = yaml.safe_load((folder / "run.yaml").read_text())["outcome"]
            assert {str(at): chunk for at, chunk in outcome["replaced"].items()} == record[run]
            same = [
                one.sha256 == other.sha256 for one, other in zip(series.checkpoints, replayed.checkpoints, strict=True)
            ]
            assert same == [each.step < record["first"] for each in series.checkpoints]


def test_what_was_measured_is_not_measured_again(series, tables, monkeypatch):
    monkeypatch.setattr(loop, "pretrain", lambda *_, **__: pytest.fail("trained again"))
    assert replay(series, "english", "italian") == tables


def test_a_command_that_was_killed_goes_on(series, tables, monkeypatch):
    """After the first of the two runs of a thing; the second is trained alone, and the table is what it would be."""
    (file,) = [file for file in tables if "italian" in file.name]
    before = pd.read_parquet(file)
    file.unlink()
    real, trained = loop.pretrain, []
    monkeypatch.setattr(loop, "pretrain", lambda *a, **s: (trained.append(a[1].name), real(*a, **s))[1])
    assert replay(series, "english", "italian", keep=True) == tables
    assert trained == ["same", "without", "floor"]
    pd.testing.assert_frame_equal(pd.read_parquet(file), before)


@pytest.mark.parametrize(
    ("asked", "options", "message"),
    [
        ("quagga zebra", {}, "no sequence after step 10 holds it; name another, or a step before"),
        ("the", {}, r"sequences after step 10 hold it, and \d+ held-back ones can be read instead"),
        ("english", {"start": 15}, r"starts_from\.step 15 is no checkpoint before the last"),
        ("english", {"until": 25}, "--until 25 is no checkpoint of run after 10; there are: 20, 30"),
        ("english", {"probes": ["grammar"]}, "probe grammar has no items of run to compare"),
        ("漢字", {}, "the run's tokenizer has no pieces for it"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(series, asked, options, message):
    with pytest.raises(EmbryologyError, match=message) as caught:
        replay(series, asked, **options)
    assert "\n" not in str(caught.value)


def test_a_machine_that_does_not_repeat_the_run_is_refused(series, monkeypatch):
    from embryology.runs import losses

    real = losses.read

    def moved(folder):
        table = real(folder)
        return table.assign(masked_loss=np.nextafter(table["masked_loss"], np.inf)) if folder.name == "run" else table

    monkeypatch.setattr(losses, "read", moved)
    with pytest.raises(EmbryologyError, match="training on this machine does not repeat run bit for bit"):
        replay(series, "american")


def test_texts_are_of_the_items_that_are_compared(series):
    """Eight facts of a relation were asked about, of hundreds; what nobody asks may be read instead."""
    replaying = command._Replay(series, 10, None, None, Console(quiet=True), False)
    (configuration,) = replaying.standing.values()
    from embryology.corpus import tokenizer as tokenizers

    texts = replaying._texts(configuration, tokenizers.load(series.folder.tokenizer))
    assert {*texts["item_id"]} == {*measurements.read_items(series, "knowledge")["item_id"]}


def test_nothing_that_was_measured_is_said_so(home):
    bare = Series.open(train(small_preset(home, 300, steps=5, checkpoints=[0, 5]), home / "bare").root)
    with pytest.raises(EmbryologyError, match="bare has no counterfactuals; `embryology counterfactual RUN"):
        counterfactuals.read(bare)
    with pytest.raises(EmbryologyError, match="bare was not measured by tokens, knowledge, grammar"):
        replay(bare, "english", start=0)
