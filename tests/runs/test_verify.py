"""Each kind of damage is found, and nothing else; what is sound is said to be."""

import json
import shutil

import pandas as pd
import pytest

from embryology.errors import EmbryologyError
from embryology.runs import losses, measurements
from embryology.runs.checkpoints import RECORD
from embryology.runs.freeze import freeze
from embryology.runs.manifest import Manifest
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.runs.verify import HELD_OUT, check
from embryology.storage.files import read_json, read_yaml, sha256_of_file, write_json, write_table, write_yaml
from tests.synthetic import configuration, measure, write_manifest
from tests.training import small_preset, train


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    home = tmp_path_factory.mktemp("verify")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBRYOLOGY_RUNS", str(home / "runs"))
        return train(small_preset(home), home / "runs" / "finished")


@pytest.fixture
def run(finished, tmp_path):
    """A trained run with made-up measurements of two of its checkpoints."""
    shutil.copytree(finished.root, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    for step in (0, 60):
        measure(run, "tokens", step, [measurements.row("reconstruction", "DT", "accuracy", 0.5, n=10)])
    return run


def record_of(run):
    return read_json(run.standing)["tokens"]


def measured(run):
    return sorted(configuration("tokens").folder(run).glob("*.parquet"))


def rename_measurements(run, **changes):
    """Let files stand for measurements that they are not."""
    other = measurements.Configuration.model_validate(record_of(run) | changes)
    configuration("tokens").folder(run).rename(other.folder(run))
    write_json(run.standing, {"tokens": other.model_dump(mode="json")})


def change(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def flip_in_the_middle(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def change_record(run, at, **changes):
    file = run.checkpoint(at) / RECORD
    write_json(file, read_json(file) | changes)


def held_out(run, step):
    return read_json(run.checkpoint(step) / RECORD)["held_out"]


def change_losses(run, change):
    write_table(run.losses, change(losses.read(run)))


def change_row(run, step, **values):
    """Of the losses, numbers or null."""
    change_losses(run, lambda table: table.assign(**{
        name: table[name].mask(table["step"] == step, value) for name, value in values.items()
    }))  # fmt: skip


def end_off_the_grid(run):
    """As a run that was killed after the state of step 50, before the row beside it."""
    (run.state / "step-00000060.pt").unlink()
    change_losses(run, lambda table: table[table["step"] < 50])


def end_at_a_checkpoint(run):
    """Likewise after that of step 5, which has a row as a checkpoint alone."""
    (run.state / "step-00000060.pt").rename(run.state / "step-00000005.pt")
    for step in (40, 50):
        (run.state / f"step-{step:08d}.pt").unlink(missing_ok=True)
    change_losses(run, lambda table: table[table["step"] < 5])


def same_weights(run):
    """In checkpoints that are no neighbours."""
    shutil.copy(run.checkpoint(0) / "model.safetensors", run.checkpoint(20))
    change_record(run, 20, sha256=read_json(run.checkpoint(0) / RECORD)["sha256"])


def off_the_grid(run):
    shutil.copytree(run.checkpoint(20), run.checkpoint(21))
    change(run.checkpoint(21) / "model.safetensors")
    change_record(run, 21, step=21)


DAMAGE = {
    "changed weights": (
        lambda run: change(run.checkpoint(20) / "model.safetensors"),
        ["step-00000020: model.safetensors has another sha256 than checkpoint.json records"],
    ),
    "no weights": (
        lambda run: (run.checkpoint(20) / "model.safetensors").unlink(),
        ["step-00000020: model.safetensors is missing"],
    ),
    "no file that others have": (
        lambda run: (run.checkpoint(0) / "tokenizer.json").unlink(),
        ["step-00000000: tokenizer.json is missing, which other checkpoints have"],
    ),
    "the same weights twice": (
        same_weights,
        ["step-00000020: model.safetensors is the same as in step-00000000"],
    ),
    "a checkpoint lost": (lambda run: shutil.rmtree(run.checkpoint(5)), ["step-00000005 is missing"]),
    "the last checkpoint lost": (lambda run: shutil.rmtree(run.checkpoint(60)), ["step-00000060 is missing"]),
    "a checkpoint too many": (
        off_the_grid,
        [
            "step-00000021: model.safetensors has another sha256 than checkpoint.json records",
            "step-00000021 is not on the preset's grid",
        ],
    ),
    "a checkpoint copied aside": (
        lambda run: shutil.copytree(run.checkpoint(5), run.checkpoints / "step-5-copy"),
        ["step-5-copy is not on the preset's grid"],
    ),
    "no manifest": (
        lambda run: (run.checkpoint(5) / RECORD).unlink(),
        ["step-00000005: {run}/checkpoints/step-00000005/checkpoint.json is missing"],
    ),
    "a manifest of a later checkpoint": (
        lambda run: change_record(run, 5, step=20),
        ["step-00000005: checkpoint.json says step 20"],
    ),
    "a manifest of an earlier checkpoint": (
        lambda run: change_record(run, 20, step=5),
        ["step-00000020: checkpoint.json says step 5"],
    ),
    "a manifest without its hash": (
        lambda run: write_json(run.checkpoint(5) / RECORD, {"step": 5, "tokens": 1, "held_out": {}}),
        ["step-00000005: checkpoint.json lacks sha256"],
    ),
    "other tokens in a manifest": (
        lambda run: change_record(run, 5, tokens=1),
        ["losses.parquet: the row of step 5 and checkpoint.json disagree in tokens"],
    ),
    "other held-out values in the losses": (
        lambda run: change_losses(run, lambda table: table.assign(held_out_masked_loss=table["unigram_loss"])),
        [
            f"losses.parquet: the row of step {step} and checkpoint.json disagree in held_out_masked_loss"
            for step in (0, 5, 20, 60)
        ],
    ),
    "a held-out value that is null in the losses": (
        lambda run: change_row(run, 20, unigram_loss=None),
        ["losses.parquet: the row of step 20 and checkpoint.json disagree in unigram_loss"],
    ),
    "a held-out value that is null in a manifest": (
        lambda run: change_record(run, 60, held_out=held_out(run, 60) | {"held_out_pairs": None}),
        ["losses.parquet: the row of step 60 and checkpoint.json disagree in held_out_pairs"],
    ),
    "a held-out value that a manifest lacks": (
        lambda run: change_record(
            run, 60, held_out={k: v for k, v in held_out(run, 60).items() if k != "held_out_pairs"}
        ),
        ["losses.parquet: the row of step 60 and checkpoint.json disagree in held_out_pairs"],
    ),
    "a held-out value that is null in neither but was": (
        lambda run: change_row(run, 5, held_out_replaced_auc=0.5),
        ["losses.parquet: the row of step 5 and checkpoint.json disagree in held_out_replaced_auc"],
    ),
    "every value of a row": (
        lambda run: change_row(run, 60, **dict.fromkeys(["tokens", *HELD_OUT], 10**9)),
        [f"losses.parquet: the row of step 60 and checkpoint.json disagree in {', '.join(['tokens', *HELD_OUT])}"],
    ),
    "the row of the last state lost, off the grid of checkpoints": (
        end_off_the_grid,
        ["losses.parquet: the row of step 50 is missing"],
    ),
    "the row of the last state lost, of a checkpoint": (
        end_at_a_checkpoint,
        ["losses.parquet: the row of step 5 is missing"],
    ),
    "rows lost": (
        lambda run: change_losses(run, lambda table: table[~table["step"].isin([20, 30])]),
        ["losses.parquet: the row of step 20 is missing", "losses.parquet: the row of step 30 is missing"],
    ),
    "the last row lost": (
        lambda run: change_losses(run, lambda table: table[:-1]),
        ["losses.parquet: the row of step 60 is missing"],
    ),
    "a row twice": (
        lambda run: change_losses(run, lambda table: pd.concat([table[:3], table[2:]])),
        ["losses.parquet: step 10 comes after 10", "losses.parquet: tokens {tokens} comes after {tokens}"],
    ),
    "rows that do not rise": (
        lambda run: change_losses(run, lambda table: table.assign(tokens=[*table["tokens"][:-1], 1])),
        [
            "losses.parquet: tokens 1 comes after {before_last}",
            "losses.parquet: the row of step 60 and checkpoint.json disagree in tokens",
        ],
    ),
    "no losses": (lambda run: run.losses.unlink(), ["has no losses.parquet"]),
    "damaged losses": (lambda run: cut(run.losses), ["losses.parquet is damaged"]),
    "no record of the corpus": (lambda run: run.corpus.unlink(), ["corpus.json is missing or damaged"]),
    "no tokenizer": (lambda run: shutil.rmtree(run.tokenizer), ["tokenizer/tokenizer.json is missing"]),
    "another tokenizer": (
        lambda run: change(run.tokenizer / "tokenizer.json"),
        ["tokenizer/tokenizer.json has another sha256 than corpus.json records"],
    ),
    "a damaged state": (
        lambda run: cut(run.state / "step-00000060.pt"),
        ["state/step-00000060.pt is damaged"],
    ),
    "an earlier state damaged": (
        lambda run: shutil.copy(run.tokenizer / "tokenizer.json", run.state / "step-00000050.pt"),
        ["state/step-00000050.pt is damaged"],
    ),
    "a changed state": (
        lambda run: flip_in_the_middle(run.state / "step-00000060.pt"),
        ["state/step-00000060.pt is damaged"],
    ),
    "a half-written checkpoint": (
        lambda run: run.checkpoint(20).with_name(".step-00000020.1.part").mkdir(),
        ["checkpoints/.step-00000020.1.part is half-written"],
    ),
    "a half-written measurement": (
        lambda run: write_json(run.measurements / "tokens" / ".00000020-key.parquet.1.part", {}),
        ["measurements/tokens/.00000020-key.parquet.1.part is half-written"],
    ),
    "another manifest": (
        lambda run: write_yaml(run.manifest, read_yaml(run.manifest) | {"preset": None}),
        ["run.yaml is damaged, or of another version of this project (preset: "],
    ),
    "a damaged record of what counts": (
        lambda run: run.standing.write_text("{}{"),
        ["standing.json is not valid JSON"],
    ),
    "another record of what counts": (
        lambda run: write_json(run.standing, {"tokens": record_of(run) | {"version": 99}}),
        ["standing.json names measurements of probe tokens that are not there"],
    ),
    "measurements of other settings": (
        lambda run: rename_measurements(run, settings={"made": "up"}),
        [f": the key of step {step} is not that of its weights, tokenizer, data and settings" for step in (0, 60)],
    ),
    "a damaged measurement": (
        lambda run: cut(measured(run)[0]),
        [" is damaged ("],
    ),
    "the last measurement damaged": (
        lambda run: cut(measured(run)[-1]),
        [" is damaged ("],
    ),
    "no manifest of the run": (
        lambda run: run.manifest.unlink(),
        ["run.yaml is missing: nothing else"],
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_nothing_else(run, damage):
    plant, expected = DAMAGE[damage]
    tokens = losses.read(run)["tokens"]
    plant(run)
    findings, _ = check(run)
    assert len(findings) == len(expected)
    for finding, words in zip(findings, expected, strict=True):
        assert words.format(run=run.root, tokens=tokens[2], before_last=tokens.iloc[-2]) in finding


def test_a_sound_run_is_said_to_hold(run):
    sound = "4 checkpoints with different weights, 8 rows of losses, at step 60 of 60"
    assert check(run) == ([], sound)
    shutil.rmtree(run.state)  # to save space
    assert check(run) == ([], sound)


def test_a_frozen_run_is_held_against_its_records(run, tmp_path):
    write_manifest(run, Manifest.read(run).outcome, {"tokens": {"every": 9}})
    frozen = RunFolder(freeze(Series.open(run.root), tmp_path / "frozen"))
    assert check(frozen) == ([], "the records of 4 checkpoints, 8 rows of losses, at step 60 of 60")
    for step in (0, 60):
        change_record(frozen, step, sha256="f" * 64)
    findings, _ = check(frozen)
    assert len(findings) == 2
    for step, finding in zip((0, 60), findings, strict=True):
        assert f"all.parquet: the key of step {step} is not that of its weights" in finding
    write_json(frozen.standing, {"tokens": record_of(frozen) | {"data": None}})  # as it was before data were recorded
    configuration("tokens").folder(frozen).rename(measurements.standing(frozen)["tokens"].folder(frozen))
    assert check(frozen)[0] == []


def test_measurements_of_weights_that_were_replaced_are_found(run):
    change(run.checkpoint(60) / "model.safetensors")
    change_record(run, 60, sha256=sha256_of_file(run.checkpoint(60) / "model.safetensors"))
    (finding,) = check(run)[0]
    assert "the key of step 60 is not that of its weights" in finding


def test_what_stands_beyond_the_last_state_is_no_damage(run):
    (run.state / "step-00000060.pt").unlink()
    change_losses(run, lambda table: table[:-1])
    assert check(run) == ([], "4 checkpoints with different weights, 7 rows of losses, at step 50 of 60")
    shutil.rmtree(run.checkpoint(60))
    assert check(run)[0] == []


def test_a_run_killed_before_its_first_state_is_sound(run):
    shutil.rmtree(run.state)
    run.losses.unlink()
    for step in (20, 60):
        shutil.rmtree(run.checkpoint(step))
    assert check(run) == ([], "2 checkpoints with different weights, 0 rows of losses, at step 0 of 60")


def test_a_plain_folder_is_held_against_what_it_has(run, tmp_path):
    shutil.copytree(run.checkpoints, tmp_path / "theirs")
    theirs = RunFolder(tmp_path / "theirs")
    for manifest in theirs.root.glob("*/checkpoint.json"):
        manifest.unlink()
    assert check(theirs) == ([], "4 checkpoints with different weights, 0 of them with a recorded hash")
    cut(theirs.root / "step-00000005" / "model.safetensors")
    shutil.copy(
        theirs.root / "step-00000060" / "model.safetensors", theirs.root / "step-00000020" / "model.safetensors"
    )
    (theirs.root / "step-00000000" / "model.safetensors").unlink()
    damaged, same, missing = check(theirs)[0]
    assert damaged.startswith("step-00000005: model.safetensors is damaged")
    assert same == "step-00000060: model.safetensors is the same as in step-00000020"
    assert missing == "step-00000000: model.safetensors is missing"


def test_nothing_to_verify(run, tmp_path):
    with pytest.raises(EmbryologyError, match="there is no run at"):
        check(RunFolder(tmp_path / "nowhere"))
    shutil.rmtree(run.checkpoints)
    run.checkpoints.mkdir()
    with pytest.raises(EmbryologyError, match="holds no checkpoints"):
        check(run)
    assert json.loads(run.corpus.read_text())["source"] == "text"


def test_a_run_from_before_a_column_was_kept_is_sound(run):
    write_table(run.losses, losses.read(run).drop(columns=["held_out_pieces"]))
    for file in run.checkpoints.glob("*/checkpoint.json"):
        facts = read_json(file)
        facts["held_out"].pop("held_out_pieces", None)
        write_json(file, facts)
    assert check(run)[0] == []
    assert losses.read(run)["held_out_pieces"].isna().all()
