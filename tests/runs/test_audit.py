"""Sound series that were really trained have no findings; each of ten faults that are planted in them is told."""

import json
import os
import shutil
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from embryology import cli
from embryology.errors import EmbryologyError
from embryology.runs.audit import result
from embryology.runs.audit.observed import Entry
from embryology.runs.audit.result import entries, examine
from embryology.runs.checkpoints import WEIGHTS
from embryology.runs.contents import Stored
from embryology.runs.paths import RunFolder
from tests.training import SHORT, small_preset, train

COVERS = ("embryology/runs/audit/result.py", "embryology/runs/audit/weights.py")
MODEL = {"num_hidden_layers": 2, "hidden_size": 80, "intermediate_size": 96, "num_attention_heads": 2}
MODEL |= {"embedding_size": 80, "initializer_range": 0.08}
EVENLY, UNEVENLY = range(0, 61, 6), [0, 2, 4, 10, 14, 30, 36, 56, 60]
LATE = [46, 50, 52, 58]
"""Steps that no series lists."""
HEADS = {"albert": "predictions.dense.weight", "bert": "cls.predictions.transform.dense.weight"}
HEADS["neox"] = "embed_out.weight"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folders of checkpoints by name; ``other`` has another seed, and ``alike`` the same beginning."""
    root = tmp_path_factory.mktemp("audit")

    def run(name, family="albert", steps=(*EVENLY, *LATE), rate=2e-3, **changes):
        optimizer = {
            "learning_rate": rate,
            "warmup_steps": 5,
            "weight_decay": 0.01,
            "betas": [0.9, 0.98],
            "max_grad_norm": 1.0,
        }
        changes |= {"model": MODEL | {"family": family}, "checkpoints": sorted(steps), "optimizer": optimizer}
        return train(small_preset(root, **SHORT, **changes), root / name).checkpoints

    folders = {"albert": run("albert"), "other": run("other", seed=1, steps=EVENLY)}
    folders["alike"] = run("alike", rate=1e-3, steps=EVENLY)
    folders["bert"] = run("bert", family="bert", steps=(*UNEVENLY, *LATE))
    folders["neox"] = with_a_restart(root / "neox")
    return folders


def with_a_restart(folder):
    """A causal model in two shards of bfloat16, whose optimizer loses its state after half of the steps."""
    torch.manual_seed(0)
    shape = {"hidden_size": 80, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
    ends = {"bos_token_id": None, "eos_token_id": None}
    model = GPTNeoXForCausalLM(GPTNeoXConfig(**shape, **ends, vocab_size=300, max_position_embeddings=64))
    text = torch.randint(300, (300, 16)).cumsum(1) % 300
    for step in range(61):
        if step in (*EVENLY, *UNEVENLY, *LATE):
            place = folder / f"step-{step}"
            model.bfloat16().save_pretrained(place, max_shard_size="80KB")
            model.float()
            (place / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"a": 0, "b": 1}}}))
        if step % 30 == 0:
            optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
        pieces = text[torch.randint(len(text), (16,))]
        model(input_ids=pieces, labels=pieces).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return folder


@pytest.fixture(autouse=True)
def _place(monkeypatch, tmp_path):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path))


def path_of(folder, step):
    return next(path for path in folder.glob("step-*") if int(path.name.removeprefix("step-")) == step)


def copied(source, to, steps):
    for step in steps:
        shutil.copytree(path_of(source, step), to / f"step-{step}")
    return to


def audited(*folders, whole=False):
    audits = examine({folder.name: entries(RunFolder(folder)) for folder in folders}, whole)
    return audits[0] if len(folders) == 1 else audits


def kinds(audit):
    """By kind of finding the steps that it names."""
    found = {}
    for each in audit.findings:
        found.setdefault(each.kind, set()).update(each.steps)
    return found


SOUND = {"albert": EVENLY, "bert": UNEVENLY, "neox": UNEVENLY[1:]}


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_wrong_with_a_sound_series(trained, tmp_path, name):
    audit = audited(copied(trained[name], tmp_path / name, SOUND[name]))
    assert audit.findings == audit.notes == ()
    assert [row.step for row in audit.checkpoints] == list(SOUND[name])
    assert [row.dtype for row in audit.checkpoints] == ["BF16" if name == "neox" else "F32"] * len(SOUND[name])
    assert audit.checkpoints[0].from_first == audit.checkpoints[0].to_previous == 1
    assert audit.size == sum(file.stat().st_size for file in (tmp_path / name).glob("*/*"))
    assert 0 < audit.bytes_read < audit.size


def test_nothing_is_wrong_with_two_seeds(trained, tmp_path):
    pair = [copied(trained[name], tmp_path / name, EVENLY) for name in ("albert", "other")]
    assert [audit.findings for audit in audited(*pair)] == [(), ()]
    assert [audit.beside for audit in audited(*pair)] == [("other",), ("albert",)]


@pytest.fixture(params=[("albert", 0), ("bert", 1), ("neox", 2), ("albert", 3)], ids=lambda param: param[0])
def series(request, trained, tmp_path):
    """A copy to be spoilt, its source, its steps, and where to draw places from."""
    name, seed = request.param
    steps = list(EVENLY) if name != "bert" else UNEVENLY
    return copied(trained[name], tmp_path / name, steps), trained[name], steps, np.random.default_rng(seed)


def put(folder, step, source, from_step):
    shutil.rmtree(folder / f"step-{step}")
    shutil.copytree(path_of(source, from_step), folder / f"step-{step}")


def weights_of(folder):
    return {file: load_file(file) for file in sorted(folder.glob("*.safetensors"))}


def changed(folder, change):
    """Write the tensors of a checkpoint again, ``change(name, tensor)`` of each."""
    for file, tensors in weights_of(folder).items():
        save_file({name: change(name, tensor) for name, tensor in tensors.items()}, file, {"format": "pt"})


def test_late_weights_under_early_names(series):
    folder, source, steps, rng = series
    early = [0, *rng.choice(steps[1:3], 1)]
    for step in early:
        put(folder, step, source, int(rng.choice(LATE)))
    assert set(early) <= kinds(audited(folder))["out of order"]


def test_two_equal_branches(series):
    folder, source, steps, rng = series
    one, other = (int(step) for step in rng.choice(steps, 2, replace=False))
    put(folder, other, source, one)
    found = audited(folder)
    assert kinds(found)["same weights"] == {one, other}
    assert "numbers that were read" in next(each.says for each in found.findings if each.kind == "same weights")
    found = audited(folder, whole=True)
    says = next(each.says for each in found.findings if each.kind == "same weights")
    assert says.endswith("hold the same weights (their files are the same, byte for byte)")


def test_a_foreign_step_0(series, trained):
    folder, _, _, _ = series
    if folder.name == "albert":
        put(folder, 0, trained["other"], 0)
    else:
        torch.manual_seed(9)
        changed(folder / "step-0", lambda _, tensor: torch.empty(tensor.shape).normal_(0, 0.02).to(tensor.dtype))
    found = audited(folder)
    assert kinds(found)["foreign weights"] == {0}
    assert set(kinds(found)) == {"foreign weights"}


@pytest.mark.parametrize("apart", [1, 3])
def test_a_swapped_pair(series, apart):
    folder, source, steps, rng = series
    place = int(rng.integers(1, len(steps) - 1 - apart))
    one, other = steps[place], steps[place + apart]
    put(folder, one, source, other)
    put(folder, other, source, one)
    found = kinds(audited(folder))
    assert set(found) == {"out of order"}
    assert found["out of order"] <= {one, other}
    assert len(found["out of order"]) == 2 or apart == 1


def test_a_gap(series):
    folder, _, steps, rng = series
    if steps == UNEVENLY:
        pytest.skip("of uneven steps none can be missed")
    lost = int(rng.choice(steps[2:-2]))
    shutil.rmtree(folder / f"step-{lost}")
    assert kinds(audited(folder)) == {"missing step": {lost}}


def test_another_tokenizer(series):
    folder, _, steps, rng = series
    step = int(rng.choice(steps))
    file = folder / f"step-{step}" / "tokenizer.json"
    whole = json.loads(file.read_text())
    file.write_text(json.dumps(whole))  # as another version would write it
    assert kinds(audited(folder)) == {}
    whole["model"]["vocab"] = whole["model"]["vocab"][::-1] if isinstance(whole["model"]["vocab"], list) else {"b": 0}
    file.write_text(json.dumps(whole))
    assert kinds(audited(folder)) == {"another tokenizer": {step}}


def test_a_head_made_anew(series):
    folder, _, steps, rng = series
    head, step = HEADS[folder.name], int(rng.choice(steps[1:]))
    torch.manual_seed(7)
    new = {head: lambda tensor: torch.empty(tensor.shape).normal_(0, 0.08).to(tensor.dtype)}
    changed(folder / f"step-{step}", lambda name, tensor: new.get(name, lambda same: same)(tensor))
    found = audited(folder)
    assert kinds(found) == {"made anew": {step}}
    assert head in found.findings[0].says


def test_a_shared_seed(trained, tmp_path):
    for steps in (EVENLY, EVENLY[1:]):
        pair = [copied(trained[name], tmp_path / str(len(steps)) / name, steps) for name in ("albert", "alike")]
        found = audited(*pair)
        assert [kinds(audit) for audit in found] == [{"shared seed": set(steps)}] * 2
        assert "of alike" in found[0].findings[0].says
        assert ("1 of them the same weights" in found[0].findings[0].says) == (0 in steps)


@pytest.mark.parametrize("hidden", [False, True])
def test_another_dtype(series, hidden):
    folder, _, steps, rng = series
    step, narrow = int(rng.choice(steps[1:])), torch.float16
    if folder.name == "neox" and hidden:
        pytest.skip("its numbers are narrow already")
    changed(folder / f"step-{step}", lambda _, tensor: tensor.to(narrow).to(tensor.dtype if hidden else narrow))
    found = audited(folder)
    assert kinds(found) == {"another dtype": {step}}
    assert ("fit into F16" in found.findings[0].says) == hidden


def test_a_truncated_shard(series):
    folder, _, steps, rng = series
    step = int(rng.choice(steps))
    file = rng.choice(sorted((folder / f"step-{step}").glob("*.safetensors")))
    os.truncate(file, int(rng.integers(file.stat().st_size)))
    assert kinds(audited(folder)) == {"damaged": {step}}
    if folder.name == "neox":
        file.unlink()
        assert kinds(audited(folder)) == {"missing shard": {step}}


def test_numbers_that_are_none_are_told(series):
    folder, _, steps, rng = series
    step = int(rng.choice(steps))
    changed(folder / f"step-{step}", lambda _, tensor: torch.full_like(tensor, float("nan")))
    found = audited(folder)
    assert kinds(found) == {"damaged": {step}}
    assert "holds what is no finite number" in found.findings[0].says


def test_what_cannot_be_told_is_no_finding(trained, tmp_path):
    folder = copied(trained["albert"], tmp_path / "late", [0, 50, 52, 58])
    put(folder, 0, trained["other"], 0)
    audit = audited(folder)
    assert audit.findings == ()
    assert len(audit.notes) == 1
    assert audit.notes[0].startswith("step 0: no kin of step 50 beside it (kinship ")


class Pickles:
    """A checkpoint of a hub that says the hashes of its files."""

    def __init__(self, content, sha256="as it is"):
        self.content, self.sha256 = content, sha256

    def files(self):
        return {"pytorch_model.bin": Stored(len(self.content), self.sha256)}

    def read(self, name, start=0, end=None):
        return self.content[start:end]


def test_of_pickles_sizes_and_hashes_are_told_without_reading():
    import hashlib

    one, other = (hashlib.sha256(each).hexdigest() for each in (b"one", b"two"))
    made = [
        Entry(step, str(step), Pickles(*each))
        for step, each in enumerate([(b"one", one), (b"two", other), (b"one", one)])
    ]
    (audit,) = examine({"hub": made})
    assert kinds(audit) == {"same weights": {0, 2}}
    assert audit.bytes_read == 0
    assert [row.identity for row in audit.checkpoints] == [one, other, one]
    (audit,) = examine({"hub": made[:2]}, whole=True)
    assert (audit.findings, audit.bytes_read) == ((), 6)
    (audit,) = examine({"hub": [*made[:2], Entry(3, "3", Pickles(b"six", "0" * 64))]}, whole=True)
    assert kinds(audit) == {"damaged": {3}}
    assert audit.findings[0].says == "step 3: pytorch_model.bin has another sha256 than is said of it"


def test_a_checkpoint_that_cannot_be_listed_leaves_the_others():
    class Gone(Pickles):
        def files(self):
            raise EmbryologyError("there is no such revision")

    (audit,) = examine({"hub": [Entry(0, "0", Gone(b"")), Entry(1, "1", Pickles(b"one"))]})
    assert kinds(audit) == {"unreadable": {0}}
    assert [row.step for row in audit.checkpoints] == [1]


@pytest.fixture
def sound(trained, tmp_path):
    return RunFolder(copied(trained["albert"], tmp_path / "sound", EVENLY))


def test_an_audit_holds_as_long_as_files_are_the_same(sound, trained, tmp_path):
    assert result.kept(sound) == "it was not audited (embryology audit RUN)"
    (audit,) = examine({"sound": entries(sound)})
    result.write(sound, audit)
    assert result.kept(sound) == audit
    moved = RunFolder(sound.root.rename(tmp_path / "moved"))
    assert result.kept(moved) == audit
    changed = "its files have changed since it was audited (embryology audit RUN)"
    put(moved.root, 6, trained["alike"], 6)  # of the same size
    assert result.kept(moved) == changed
    put(moved.root, 6, trained["albert"], 6)
    assert result.kept(moved) == audit
    (moved.root / "step-6" / "more").write_text("")
    assert result.kept(moved) == changed
    shutil.rmtree(moved.root / "step-6")
    assert result.kept(moved) == changed
    moved.audit.write_text(moved.audit.read_text().replace('"version": 1', '"version": 0'))
    assert "is of another version" in result.kept(moved)
    moved.audit.write_text("{}")
    assert "is damaged" in result.kept(moved)


def test_an_audit_with_others_and_in_whole_holds_too(sound, trained, tmp_path):
    other = RunFolder(copied(trained["other"], tmp_path / "other", EVENLY))
    for audit, folder in zip(audited(sound.root, other.root, whole=True), (sound, other), strict=True):
        assert audit.whole
        result.write(folder, audit)
        assert result.kept(folder) == audit


@pytest.fixture
def embryology(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["embryology", "audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        said = capsys.readouterr()
        return exit_.value.code or 0, said.out, said.err.splitlines()

    return run


def test_the_command_says_what_it_read_and_found(sound, embryology, trained):
    status, out, errors = embryology(sound.root)
    audit = result.kept(sound)
    assert (status, errors) == (0, [])
    assert out.splitlines()[-1] == "nothing was found to be wrong"
    assert f"read {audit.bytes_read / 1e6:,.1f} of {audit.size / 1e6:,.1f} MB" in out
    put(sound.root, 0, trained["other"], 0)
    status, out, errors = embryology(sound.root)
    assert status == 1
    assert errors == ["error: findings: 1; leave those checkpoints out, or ask those who made them"]
    assert "sound: foreign weights: step 0: no kin of step 6 beside it" in out
    assert [each.kind for each in result.kept(sound).findings] == ["foreign weights"]


def test_a_run_is_audited_as_it_is(trained, embryology, monkeypatch):
    run = trained["other"].parent
    status, out, _ = embryology(run)
    assert status == 0
    assert out.count("step-000000") == len(EVENLY)
    shutil.rmtree(run / "measurements")


@pytest.mark.parametrize(
    ("make", "message"), [(None, "there is no run at"), ("notes", "holds no weights of checkpoints")]
)
def test_what_is_no_series_is_one_line(tmp_path, embryology, make, message):
    if make:
        (tmp_path / "folder" / make).mkdir(parents=True)
    status, out, errors = embryology(tmp_path / "folder")
    assert (status, out) == (1, "")
    assert len(errors) == 1
    assert message in errors[0]


def test_a_name_that_says_no_step_is_one_line(sound, embryology):
    (sound.root / f"final/{WEIGHTS}").parent.mkdir()
    (sound.root / f"final/{WEIGHTS}").write_bytes(b"")
    status, _, errors = embryology(sound.root)
    assert status == 1
    assert "final does not say its step" in errors[0]
