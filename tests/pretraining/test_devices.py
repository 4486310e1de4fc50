import os
import re
import shutil
import socket
import time
from functools import partial
from pathlib import Path

import filelock
import joblib
import pytest
import yaml
from torch.distributed import run

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.pretraining.devices import Devices, refuse_unknown_tracker, sharing_cores
from embryology.runs.losses import read
from embryology.runs.paths import RunFolder
from tests.processes import CONTEXT, command, run_command
from tests.training import SHORT, small_preset, train


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path / "runs"))
    return tmp_path


def arguments(preset, root, *options):
    file = root.parent / f"{root.name}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(preset.model_dump(mode="json", include={"outcome", "speed"})))
    return ("pretrain", str(file), "--run", str(root), *options)


def spoken(text):
    return [line for line in text.splitlines() if "Writing" not in line]


def join(world):
    os.environ.update({name: str(value) for name, value in world.items()})


def pretrain(preset, root, processes, *options):
    """What ``embryology pretrain --processes`` starts, from a server that has the imports: status and lines of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told, said = arguments(preset, root, *options), [root.parent / f"{root.name}-{rank}" for rank in range(processes)]
    started = []
    for rank in range(processes):
        world = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
        world |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        job = (said[rank], os.environ["EMBRYOLOGY_RUNS"], partial(join, world), told)
        started.append(CONTEXT.Process(target=run_command, args=job))
        started[-1].start()
    for process in started:
        process.join(120)
    return [process.exitcode for process in started], [spoken(file.read_text()) for file in said]


def agree(one, other, tolerance):
    columns = ["masked_loss", "pair_loss", "replaced_loss", "gradient_norm", "held_out_masked_loss"]
    one, other = read(RunFolder(one)), read(RunFolder(other))
    differences = (one[columns] - other[columns]).abs().max()
    assert differences.max() < tolerance, differences
    assert one["tokens"].tolist() == other["tokens"].tolist()


def test_any_number_of_processes_resumes_what_another_began(home):
    """Saved at step 20 by two processes, where longer sequences begin, and resumed by one and by three."""
    preset = small_preset(
        home,
        steps=30,
        checkpoints=[0, 20, 30],
        batch_size=12,
        phases=[{"steps": 20}, {"steps": 10, "batch_size": 6, "sequence_length": 96}],
    )
    alone = train(preset, home / "runs" / "alone").root
    two = home / "runs" / "two"
    many = preset.model_copy(update={"speed": preset.speed.model_copy(update={"threads": 99})})
    assert pretrain(many, two, 2) == ([0, 0], [[], []])
    agree(two, alone, 2e-3)
    said = [(two.parent / f"two-{rank}.out").read_text() for rank in range(2)]
    assert ["done at step 30" in each for each in said] == [True, False]
    three = Path(shutil.copytree(two, home / "runs" / "three"))
    for folder in (two, three):
        (folder / "state" / "step-00000030.pt").unlink()
    train(preset, two, resume=True)
    assert pretrain(many, three, 3, "--resume") == ([0, 0, 0], [[], [], []])
    for folder in (two, three):
        agree(folder, alone, 2e-3)
    sessions = [yaml.safe_load((folder / "run.yaml").read_text())["sessions"] for folder in (two, three)]
    assert [[session["processes"] for session in each] for each in sessions] == [[2, 1], [2, 3]]
    of_two, of_three = (max(1, joblib.cpu_count() // processes) for processes in (2, 3))
    assert [[session["speed"]["threads"] for session in each] for each in sessions] == [[of_two, 1], [of_two, of_three]]


@pytest.mark.parametrize(("cores", "processes", "threads"), [(8, 1, 4), (8, 2, 4), (8, 3, 2), (2, 3, 1), (2, None, 2)])
def test_processes_of_a_machine_share_its_cores(cores, processes, threads, home, monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: cores)
    monkeypatch.setenv("WORLD_SIZE", "99")  # on all machines
    if processes:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    asked = small_preset(home).model_copy(update={"speed": presets.Speed(threads=4, resume_every=7)})
    given = sharing_cores(asked)
    assert (given.speed.threads, given.speed.resume_every, given.outcome) == (threads, 7, asked.outcome)


def launched(said, preset, root):
    """``embryology pretrain --processes 2``, in a process of its own."""
    given = (said, os.environ["EMBRYOLOGY_RUNS"], int, arguments(preset, root, "--processes", "2"))
    process = CONTEXT.Process(target=run_command, args=given)
    process.start()
    return process


def test_processes_that_are_asked_to_stop_save_and_are_resumed(home):
    preset, root = small_preset(home, steps=300, checkpoints=[0, 300], **SHORT), home / "runs" / "stopped"
    process = launched(home / "said", preset, root)
    while not list(root.glob("state/*.pt")):
        assert process.exitcode is None
        time.sleep(0.1)
    process.terminate()
    process.join(120)
    assert process.exitcode == 1
    (line,) = spoken((home / "said").read_text())
    assert re.match(r"error: interrupted at step \d+ of 300, everything is saved", line)
    train(preset, root, resume=True)
    assert read(RunFolder(root))["step"].iloc[-1] == 300


def test_electra_takes_the_same_course_in_two_processes_and_two_parts(home):
    objective = presets.load("tiny-electra").outcome.objective.model_dump(mode="json")
    model = presets.load("smoke").outcome.model.model_dump(mode="json")
    model |= {"family": "electra", "generator_size": 0.5}
    preset = small_preset(home, steps=30, checkpoints=[0, 30], objective=objective, model=model)
    parts = preset.model_copy(update={"speed": preset.speed.model_copy(update={"gradient_accumulation_steps": 2})})
    alone = train(preset, home / "runs" / "alone").root
    assert pretrain(parts, home / "runs" / "two", 2) == ([0, 0], [[], []])
    agree(home / "runs" / "two", alone, 2e-2)


def test_a_refusal_is_one_line_whichever_process(home):
    preset = small_preset(home, steps=30, checkpoints=[0, 20, 30], batch_size=15)
    status, ((line,), nothing) = pretrain(preset, home / "runs" / "odd", 2)
    assert (status, nothing) == ([1, 1], [])
    assert line.startswith("error: batch_size 15 cannot be divided among 2 processes")
    locked = RunFolder(home / "runs" / "locked")
    locked.root.mkdir(parents=True)
    with filelock.FileLock(locked.lock):  # what the main process alone finds
        status, ((line,), nothing) = pretrain(small_preset(home), locked.root, 2)
    assert (status, nothing) == ([1, 1], [])
    assert "another process is training in" in line


def start_what_fails():
    """Let torch's launcher start programs that fail at once, in place of trainings that take seconds to refuse."""
    real = run.parse_args
    run.parse_args = lambda given: real([*given[: given.index("-m")], "--no-python", "false"])


def test_where_a_process_fails_that_alone_speaks(home):
    given = arguments(small_preset(home), home / "runs" / "failed", "--processes", "2")
    assert command(home / "said", start_what_fails, *given) == (1, [])


def test_what_the_main_process_refuses_all_refuse():
    devices = Devices()

    def refuse():
        raise EmbryologyError("no")

    assert devices.on_main(lambda: 3) == 3
    with pytest.raises(EmbryologyError, match="no"):
        devices.on_main(refuse)


def test_a_tracker_that_is_not_installed_is_one_line():
    with pytest.raises(EmbryologyError, match=r"there is no tracker 'nonsense'; accelerate knows aim, .*wandb"):
        refuse_unknown_tracker("nonsense")
    with pytest.raises(EmbryologyError, match="the tracker mlflow is not installed; pip install it"):
        refuse_unknown_tracker("mlflow")
