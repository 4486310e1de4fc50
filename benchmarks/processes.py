"""Do several processes train as one does, and does any number of them resume what another began?

    python benchmarks/processes.py [--most 4] [--steps 40] [--kills]

ALBERT, BERT and ELECTRA of 2 × 32 in float32 on processors, 48 sequences a step, by 1 to 4 processes, each with two
parts a step and a process that makes batches. Beside one process: the largest relative difference of the losses, how
far the weights are from those of one process as a share of how far these moved, and of ELECTRA the share of samples
that are the same, with the largest gap between the two best of those that are not. With ``--kills``: for every two
numbers of processes a run by the first is killed (SIGKILL of one process after half of the steps, where longer
sequences begin) and resumed by the second. Prints tables in Markdown.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import typer
import yaml
from rich.console import Console
from safetensors.torch import load_file

from embryology import presets
from embryology.pretraining import trainee
from embryology.pretraining.devices import expected_processes
from embryology.pretraining.loop import pretrain
from embryology.pretraining.objectives import IGNORED
from embryology.runs import losses
from embryology.runs.paths import ROOT, RunFolder

FAMILIES = {
    "albert": {"model": {}, "objective": {}},
    "bert": {"model": {"family": "bert"}, "objective": {"pair": "nsp"}},
    "electra": {
        "model": {"family": "electra", "generator_size": 0.5},
        "objective": {"pair": "none", "pair_weight": 0, "rtd_weight": 10, "random_replace_prob": 0},
    },
}
PARTS = ["masked_loss", "pair_loss", "replaced_loss"]


def preset(family: str, steps: int) -> presets.Preset:
    values = presets.load("smoke").model_dump(mode="json")
    outcome = values["outcome"]
    outcome["model"] |= FAMILIES[family]["model"]
    outcome["objective"] |= FAMILIES[family]["objective"]
    outcome |= {"batch_size": 48, "steps": steps, "checkpoints": [0, steps // 2, steps]}
    outcome["long"] = {"from_step": steps // 2, "batch_size": 48, "sequence_length": 96}
    values["speed"] |= {"threads": 1, "gradient_accumulation_steps": 2, "workers": 1, "resume_every": 10}
    return presets.validated({**values, "probes": {}}, family)


def recording(folder: Path) -> None:
    """Let every sample of a generator in training be written down, with the two largest scores of each place."""
    real, count = trainee.replace, iter(range(10**9))

    def replace(batch, logits, noise):
        scores = (logits + noise.unfold(0, logits.shape[1], 1)[batch.noise]).topk(2)
        if trainee_is_training():
            gaps = scores.values[:, 0] - scores.values[:, 1]
            np.save(
                folder / f"{os.environ.get('RANK', '0')}-{next(count):06d}.npy",
                np.stack([batch.noise, batch.labels, scores.indices[:, 0], gaps])[:, batch.labels != IGNORED],
            )
        return real(batch, logits, noise)

    def trainee_is_training() -> bool:
        frame = sys._getframe(2)
        return bool(frame.f_locals["self"].training)

    trainee.replace = replace


def worker(file: str, root: str, samples: str) -> None:
    """One of the processes."""
    chosen = presets.load(file)
    if samples:
        recording(Path(samples))
    pretrain(chosen, RunFolder(Path(root)), resume=True, console=Console(quiet=True))


def start(chosen: presets.Preset, root: Path, processes: int, samples: Path | None = None) -> subprocess.Popen:
    file = root.parent / f"{chosen.name}.yaml"
    file.write_text(yaml.safe_dump(chosen.model_dump(mode="json")))
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [
        sys.executable,
        *launcher,
        __file__,
        "--as-worker",
        json.dumps([str(file), str(root), str(samples or "")]),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def weights(root: Path, step: int) -> torch.Tensor:
    folder = RunFolder(root).checkpoint(step)
    files = sorted(folder.rglob("model.safetensors"))
    return torch.cat([tensor.flatten() for file in files for _, tensor in sorted(load_file(file).items())])


def differences(root: Path, alone: Path, steps: int) -> tuple[float, float]:
    """The largest relative difference of a loss, and the distance of the weights as a share of the movement."""
    one, other = (losses.read(RunFolder(place))[PARTS] for place in (alone, root))
    first, last, here = weights(alone, 0), weights(alone, steps), weights(root, steps)
    return float(((other - one) / one).abs().max().max()), float((here - last).norm() / (last - first).norm())


def sampled(folder: Path) -> dict[tuple[float, float], tuple[float, float]]:
    """By noise and true piece, which hardly two places of a short run share: the sample, and the gap to the next."""
    columns = np.concatenate([np.load(file) for file in sorted(folder.glob("*.npy"))], axis=1)
    return {(noise, true): (piece, gap) for noise, true, piece, gap in columns.T}


def compared(home: Path, most: int, steps: int) -> None:
    print("| family | processes | losses differ by | weights, of the movement | samples the same | gap of others |")
    print("|---|---|---|---|---|---|", flush=True)
    for family in FAMILIES:
        runs = {}
        for processes in range(1, most + 1):
            root, samples = home / f"{family}-{processes}" / "run", home / f"{family}-{processes}" / "samples"
            samples.mkdir(parents=True)
            if start(preset(family, steps), root, processes, samples if family == "electra" else None).wait():
                raise SystemExit(f"{family} by {processes} processes failed")
            runs[processes] = sampled(samples) if family == "electra" else {}
            if processes > 1:
                loss, moved = differences(root, home / f"{family}-1" / "run", steps)
                same = gap = ""
                if family == "electra":
                    shared = runs[1].keys() & runs[processes].keys()
                    others = [key for key in shared if runs[1][key][0] != runs[processes][key][0]]
                    same = f"{1 - len(others) / len(shared):.4%} of {len(shared):,}"
                    gap = f"{max((runs[1][key][1] for key in others), default=0):.1g}"
                print(f"| {family} | {processes} | {loss:.1e} | {moved:.1e} | {same} | {gap} |", flush=True)


def killed(home: Path, most: int, steps: int) -> None:
    print("\n| family | begun by | resumed by | losses differ by | weights, of the movement |")
    print("|---|---|---|---|---|", flush=True)
    for family in FAMILIES:
        for first in range(1, most + 1):
            for second in range(1, most + 1):
                root = home / f"{family}-{first}-{second}" / "run"
                root.parent.mkdir(parents=True)
                process = start(preset(family, steps), root, first)
                while not (root / "state" / f"step-{steps // 2:08d}.pt").exists():
                    if process.poll() is not None:
                        raise SystemExit(f"{family} by {first} processes failed")
                    time.sleep(0.02)
                children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout
                os.kill(int(children.split()[-1]) if first > 1 else process.pid, signal.SIGKILL)
                process.terminate()
                process.wait()
                if start(preset(family, steps), root, second).wait():
                    raise SystemExit(f"{family}: {second} processes cannot resume what {first} began")
                loss, moved = differences(root, home / f"{family}-1" / "run", steps)
                print(f"| {family} | {first} | {second} | {loss:.1e} | {moved:.1e} |", flush=True)


def main(most: int = 4, steps: int = 40, kills: bool = False, as_worker: str = "") -> None:
    if as_worker:
        worker(*json.loads(as_worker))
        return
    assert expected_processes() == 1
    with tempfile.TemporaryDirectory() as place:
        os.environ["EMBRYOLOGY_RUNS"] = str(Path(place) / "runs")
        compared(Path(place), most, steps)
        if kills:
            killed(Path(place), most, steps)


if __name__ == "__main__":
    typer.run(main)
