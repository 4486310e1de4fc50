"""Checkpoints are fetched one at a time, measured, and let go again; what fails is one line, and the others go on."""

import contextlib
import json
import os
import pickle
import threading

import pytest
import torch
from huggingface_hub import constants, hf_hub_download

from embryology.errors import EmbryologyError
from embryology.models.encoder import Encoder
from embryology.probes.runner import run_probes
from embryology.runs import measurements
from embryology.runs.hub import client
from embryology.runs.series import Series
from embryology.specs import registry
from tests.hub import mirror as mirrors
from tests.hub.mirror import sha256
from tests.hub.repositories import PIECES, TOKENIZER, model, pickled, saved
from tests.probes.test_runner import CountProbe, specify

PYTHIA = "hub:lab/pythia@step*"
STEPS = (0, 1, 2, 3, 4)


class Watching(CountProbe):
    """Sees, whenever it measures, how large the files are that hold weights on this machine."""

    def __init__(self, home):
        super().__init__()
        self.home, self.weights, self.sums = home, [], []

    def measure(self, encoder, examples, part=""):
        files = [path for path in self.home.rglob("*") if path.is_file() and not path.is_symlink()]
        self.weights.append(sum(path.stat().st_size for path in files if path.stat().st_size > 4000))
        self.sums += sums([encoder.model])
        return super().measure(encoder, examples, part)


@pytest.fixture
def probe(monkeypatch, home):
    probe = Watching(home)
    specify(monkeypatch, probe)
    return probe


@pytest.fixture
def pythia(mirror):
    for step in STEPS:
        mirror.commit("lab/pythia", f"step{step}", saved(step, shards=step == 2) | TOKENIZER)
    return mirror


def run(series, **options):
    return run_probes(series, registry.asked_for(["count"], {}), device="cpu", threads=1, **options)


def failures(series, **options):
    """One line of all that could not be measured."""
    with pytest.raises(EmbryologyError) as raised:
        run(series, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def steps_of(series):
    return sorted(set(measurements.read(series)["step"]))


def sums(models):
    return [sum(parameter.detach().double().sum().item() for parameter in each.parameters()) for each in models]


def weights_here(home):
    return [path for path in home.rglob("*") if path.suffix in (".safetensors", ".bin")]


def test_each_checkpoint_is_here_while_it_is_measured_and_let_go_again(pythia, probe, home):
    series = Series.open(PYTHIA)
    assert run(series) == len(STEPS)
    one = max(sum(map(len, saved(step).values())) for step in STEPS)
    assert len(probe.weights) == len(STEPS)
    assert all(0.8 * one < size < 2 * one for size in probe.weights), "the room of two"
    assert probe.sums == pytest.approx(sums(map(model, STEPS)), rel=1e-12)
    assert weights_here(home) == []
    frame = measurements.read(series)
    standing = measurements.standing(series.folder)["count"]
    assert list(frame["key"]) == [standing.key(checkpoint) for checkpoint in series.checkpoints]
    assert len(set(frame["key"])) == len(STEPS)
    requests = len(pythia.requests)
    assert run(Series.open(PYTHIA)) == 0
    assert len(pythia.requests) == requests, "what was measured is not fetched again"


def test_all_that_is_here_at_any_time_takes_the_room_of_two_checkpoints(pythia, probe, home):
    peak, ended = [0], threading.Event()

    def watch():
        while not ended.wait(0.001):
            total = 0
            for folder, _, files in os.walk(home):
                for file in files:
                    with contextlib.suppress(FileNotFoundError):  # let go meanwhile
                        total += os.lstat(os.path.join(folder, file)).st_size
            peak[0] = max(peak[0], total)

    series = Series.open(PYTHIA)
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run(series)
    finally:
        ended.set()
        watcher.join()
    one = max(sum(map(len, saved(step).values())) for step in STEPS)
    assert 0.8 * one < peak[0] < 2 * one
    assert len(STEPS) > 2


def test_what_is_kept_is_used_without_a_network_and_not_removed(pythia, probe, home, offline):
    series = Series.open(PYTHIA)
    run(series, keep=True, steps="0,2")
    kept = sorted(weights_here(home))
    assert len({path.parent for path in kept}) == 2
    offline()
    said = failures(series, steps="0,1,2")  # what was measured is asked for no more
    assert "step 1: " in said
    assert "HF_HUB_OFFLINE keeps it from being fetched" in said
    probe.data = "two"
    assert "step 1: " in failures(series, steps="0,1,2")
    assert steps_of(series) == [0, 2]
    assert sorted(weights_here(home)) == kept


def test_what_another_program_has_fetched_is_used_and_left_there(pythia, probe, home, offline):
    for name in ("config.json", "model.safetensors"):
        hf_hub_download("lab/pythia", name, revision="step3")
    before = sorted(weights_here(home))
    series = Series.open(PYTHIA)
    offline()
    assert run(series, steps="3") == 1
    assert sorted(weights_here(home)) == before
    requests = len(pythia.requests)
    assert series.checkpoints[3].contents.read("model.safetensors", 0, 8) == saved(3)["model.safetensors"][:8]
    assert len(pythia.requests) == requests


def test_a_download_that_breaks_off_goes_on_where_it_was(pythia, probe, monkeypatch):
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    series = Series.open(PYTHIA)
    pythia.fault("/storage/.*safetensors", mirrors.cut(5000), times=2)
    assert run(series, steps="0") == 1
    ranges = [part for method, path, part in pythia.requests if "/storage/" in path and method == "GET"]
    assert ranges == [None, "bytes=5000-", "bytes=10000-"]
    assert probe.sums == pytest.approx(sums([model(0)]))


def commit_of(series, step):
    return next(checkpoint.revision.commit for checkpoint in series.checkpoints if checkpoint.step == step)


@pytest.mark.parametrize(
    ("place", "fault", "said"),
    [
        ("resolve", mirrors.error(500), "answered 500; give the same command again later"),
        ("storage", mirrors.error(500), "answered 500; give the same command again later"),
        ("resolve", mirrors.hang, "gave no answer in time"),
        ("storage", mirrors.hang, "gave no answer in time"),
        ("resolve", mirrors.error(401, "GatedRepo"), "its owner has to grant you access"),
        ("resolve", mirrors.error(404, "RevisionNotFound"), "this revision is not there, or no longer"),
        ("resolve", mirrors.error(404, "EntryNotFound"), "the file is not there, or no longer"),
        ("storage", mirrors.damaged, "came with other bytes than the Hub lists"),
        ("storage", mirrors.cut(3000), "cannot be reached, or broke off"),
    ],
)
def test_what_cannot_be_fetched_is_one_line_and_the_others_go_on(pythia, probe, place, fault, said, home):
    series = Series.open(PYTHIA)
    pythia.fault(rf"{place}/{commit_of(series, 1)}/.*safetensors", fault)
    line = failures(series)
    assert line.startswith("lab-pythia-step: could not be measured: step 1: ")
    assert said in line
    assert steps_of(series) == [0, 2, 3, 4]
    assert weights_here(home) == []
    pythia.faults.clear()
    assert run(series) == 1
    assert steps_of(series) == [*STEPS]


def test_pickles_are_loaded_as_weights_alone(mirror, probe, tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path / "executed").touch, ()

    for step in (0, 20):
        mirror.commit(f"google/mb-seed_0-step_{step}k", "main", pickled(step) | TOKENIZER)
    evil = pickled(0) | TOKENIZER | {"pytorch_model.bin": pickle.dumps(Evil(), protocol=2)}
    mirror.commit("google/mb-seed_0-step_40k", "main", evil)
    mirror.commit("google/mb-seed_0-step_60k", "main", evil | {"pytorch_model.bin": b"no weights at all" * 100})
    line = failures(Series.open("hub:google/mb-seed_0-step_{step}k"))
    for step in ("40", "60"):
        reason = "its pytorch_model.bin holds something else than weights, which is never run"
        assert f"step {step}000: hub:google/mb-seed_0-step_{step}k@main cannot be loaded: {reason}" in line
    assert "step 0" not in line
    assert not (tmp_path / "executed").exists()
    assert probe.sums == pytest.approx(sums(map(model, (0, 20))))


def test_nothing_is_asked_of_the_hub_beside_what_is_described(mirror, probe):
    for step in (0, 20):
        mirror.commit(f"google/mb-seed_0-step_{step}k", "main", pickled(step) | TOKENIZER)
    series = Series.open("hub:google/mb-seed_0-step_{step}k")
    mirror.requests.clear()
    run(series)
    wanted = {"config.json", "pytorch_model.bin"}
    assert {path.rpartition("/")[2] for _, path, _ in mirror.requests} == wanted
    assert {path.split("/")[1] for _, path, _ in mirror.requests} == {"google", "storage"}


def test_equal_weights_under_two_names_are_refused(pythia, probe):
    pythia.commit("lab/pythia", "step5", saved(1) | TOKENIZER)
    series = Series.open(PYTHIA)
    line = failures(series, steps="3,4")
    assert "the same weights more than once" in line
    assert "hub:lab/pythia@step1 and hub:lab/pythia@step5" in line
    assert probe.measured == 0
    file = series.folder.root / "series.yaml"
    file.write_text(f"{file.read_text()}leave_out: [step5]\n")
    assert run(Series.open(PYTHIA)) == len(STEPS)


def test_what_is_left_out_counts_no_more(pythia, probe):
    series = Series.open(PYTHIA)
    run(series)
    file = series.folder.root / "series.yaml"
    file.write_text(f"{file.read_text()}leave_out: [step1, '*4']\n")
    fewer = Series.open(PYTHIA)
    assert steps_of(fewer) == [0, 2, 3]
    assert measurements.set_aside(fewer) == {"count": [1, 4]}


def test_another_tokenizer_on_the_way_is_refused(pythia, probe):
    changed = TOKENIZER["vocab.txt"].replace(b"the", b"thy")
    pythia.commit("lab/pythia", "step3", saved(3) | TOKENIZER | {"vocab.txt": changed})
    said = "hub:lab/pythia@step0 and hub:lab/pythia@step3 have different tokenizers"
    assert said in failures(Series.open(PYTHIA))


def test_a_tokenizer_that_is_larger_than_the_model_is_refused(mirror, probe):
    more = "\n".join([*PIECES, "another"]).encode()
    mirror.commit("lab/one", "step0", saved(0) | TOKENIZER | {"vocab.txt": more})
    line = failures(Series.open("hub:lab/one@step0"))
    assert f"has {len(PIECES) + 1} pieces and the model vectors for {len(PIECES)}" in line
    mirror.commit("lab/one", "step1", pickled(0, len(PIECES) + 5) | TOKENIZER)
    assert run(Series.open("hub:lab/one@step1")) == 1


def test_code_of_a_repository_is_never_run(mirror, probe, tmp_path):
    code = {"auto_map": {"AutoModelForMaskedLM": "modeling.Model", "AutoConfig": "modeling.Config"}}
    config = json.loads(saved(0)["config.json"]) | code
    script = f"open({str(tmp_path / 'executed')!r}, 'w')".encode()
    for name, changes in (
        ("step0", {}),
        ("step1", {"model_type": "nomic"}),
        ("step2", {"architectures": ["NomicForMaskedLM"]}),
    ):
        files = {"config.json": json.dumps(config | changes).encode(), "modeling.py": script}
        mirror.commit("lab/own", name, saved(int(name[-1])) | TOKENIZER | files)
    line = failures(Series.open("hub:lab/own@step*"))
    assert "step 1: hub:lab/own@step1 needs code of its own (auto_map in its config.json), which is never run" in line
    assert "step 2: hub:lab/own@step2 needs code" in line
    assert "step 0" not in line, "transformers has this one"
    assert not (tmp_path / "executed").exists()
    asked = [path for _, path, _ in mirror.requests]
    assert not [path for path in asked if "modeling" in path]


def test_an_interrupt_lets_go_what_is_here(pythia, probe, home):
    probe.interrupt_at = 1
    with pytest.raises(KeyboardInterrupt):
        run(Series.open(PYTHIA))
    assert weights_here(home) == []


def test_what_a_killed_process_left_is_taken_up(pythia, probe, home):
    series = Series.open(PYTHIA)
    commit = commit_of(series, 0)
    place = home / "embryology" / commit
    client.fetch("lab/pythia", commit, ["config.json", "model.safetensors"], place)
    sent = pythia.sent
    assert run(series, steps="0") == 1
    assert pythia.sent == sent
    assert weights_here(home) == []


def test_a_configuration_that_came_wrong_is_refused(pythia, probe):
    series = Series.open(PYTHIA)

    def other(handler):
        if handler.command == "GET":
            config = saved(0)["config.json"].replace(b'"hidden_act": "gelu"', b'"hidden_act": "relu"')
            handler.answer(200, config)
        return handler.command == "GET"

    pythia.fault(f"resolve/{commit_of(series, 0)}/config.json", other)
    assert "step 0: hub:lab/pythia@step0 came with other bytes than the Hub lists" in failures(series)


def test_a_cache_that_cannot_be_written_is_one_line(pythia, probe, home):
    series = Series.open(PYTHIA)
    home.mkdir(exist_ok=True)
    (home / "embryology").write_text("in the way")
    line = failures(series, steps="0")
    assert line.count("lab/pythia@") == 1
    assert "File exists; move away what is there" in line
    (home / "embryology").unlink()


def test_a_fetched_checkpoint_computes_what_transformers_computes(pythia):
    ids = [[2, 5, 6, 7, 3]]
    for checkpoint in Series.open(PYTHIA).checkpoints[1:3]:
        with checkpoint.fetched() as here:
            predicted = Encoder.load(here, device="cpu").predict(ids, [[1, 2]], [[8, 9]])
        with torch.no_grad():
            logits = model(checkpoint.step)(torch.tensor(ids)).logits[0].log_softmax(-1)
        assert predicted.log_probability == pytest.approx([float(logits[1, 8]), float(logits[2, 9])], abs=1e-5)
        assert sha256(saved(1)["model.safetensors"]) != checkpoint.sha256 or checkpoint.step == 1
