"""One process or many: what accelerate does for training, in the few words that the loop needs."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TypeVar

import joblib
import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import LoggerType, broadcast_object_list
from torch import Tensor, nn

from embryology.errors import EmbryologyError
from embryology.presets import Preset

Result = TypeVar("Result")


def expected_processes() -> int:
    """How many processes a launcher has started, before they are joined."""
    return int(os.environ.get("WORLD_SIZE", 1))


def speaks() -> bool:
    """Whether this process is the first of its machine: only that one says what all of them find."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def sharing_cores(preset: Preset) -> Preset:
    """``preset`` with no more threads than each process's share of this machine's cores: more wait for one another, and
    training takes many times as long."""
    share = max(1, joblib.cpu_count() // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
    speed = preset.speed.model_copy(update={"threads": min(preset.speed.threads, share)})
    return preset.model_copy(update={"speed": speed})


def launch(processes: int, arguments: Sequence[str]) -> None:
    """Run ``embryology`` with ``arguments`` in several processes of this machine that train together.

    Raises:
        SystemExit: one of them failed, and has said why.
    """
    import logging

    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.disable(logging.ERROR)  # the processes speak for themselves
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # what each may have is set later
    settings = run.parse_args(["--standalone", "--nproc-per-node", str(processes), "-m", "embryology"])
    settings.training_script_args = list(arguments)  # apart, as its own options may be begun alike
    try:
        run.run(settings)
    except (ChildFailedError, SignalException):
        sys.exit(1)


def refuse_unknown_tracker(track: str | None) -> None:
    """
    Args:
        track: a tracker of accelerate, such as ``tensorboard`` or ``wandb``.

    Raises:
        EmbryologyError: there is none of that name, or its package is not installed.
    """
    available = [str(tracker) for tracker in get_available_trackers()]
    if track is not None and track not in available:
        known = sorted(str(tracker) for tracker in LoggerType if tracker != LoggerType.ALL)
        if track not in known:
            raise EmbryologyError(f"there is no tracker {track!r}; accelerate knows {', '.join(known)}")
        here = f", or take {', '.join(available)}, which is installed" if available else ""
        raise EmbryologyError(f"the tracker {track} is not installed; pip install it{here}")


class Devices:
    """The processes that train one model together; usually there is one."""

    def __init__(self, track: str | None = None, logs: Path | None = None):
        """Join the processes, which wait for each other.

        Args:
            track: a tracker that :func:`refuse_unknown_tracker` lets pass.
            logs: where a tracker that writes files puts them.
        """
        # Precision is our own affair: see Trainee.
        self.accelerator = Accelerator(
            cpu=not torch.cuda.is_available(),
            mixed_precision="no",
            log_with=track,
            project_dir=logs,
        )
        device = self.accelerator.device
        self.device = torch.device("cpu") if device.type == "cpu" else device  # and not cpu:0, which torch.load refuses
        self.process, self.processes = self.accelerator.process_index, self.accelerator.num_processes
        self.is_main = self.accelerator.is_main_process
        self.tracked = track is not None

    def share(self, model: nn.Module) -> nn.Module:
        """``model`` on this process's device, so that a backward pass averages gradients over the processes."""
        return self.accelerator.prepare_model(model)

    def total(self, values: Tensor) -> Tensor:
        """The sum of ``values`` over all processes, in every one of them."""
        return self.accelerator.reduce(values, "sum") if self.processes > 1 else values

    def together(self, model: nn.Module, last: bool) -> AbstractContextManager:
        """Around a part of a step: gradients are exchanged after the ``last`` one only."""
        return nullcontext() if last else self.accelerator.no_sync(model)

    @contextmanager
    def tracking(self, name: str, preset: Preset) -> Iterator[None]:
        """Around training: opens the tracker, if there is one, and closes it."""
        if self.tracked:
            settings = {"preset": preset.name, "outcome_sha256": preset.outcome_sha256, "seed": preset.outcome.seed}
            self.accelerator.init_trackers(name, config=settings)
        try:
            yield
        finally:
            if self.tracked:
                self.accelerator.end_training()

    def log(self, row: dict) -> None:
        """Send a row of losses to the tracker, if there is one."""
        if self.tracked:
            self.accelerator.log({key: value for key, value in row.items() if value is not None}, step=row["step"])

    def on_main(self, action: Callable[[], Result]) -> Result | None:
        """What the main process makes of ``action`` while the others wait; None in these.

        Raises:
            EmbryologyError: ``action`` did; in every process, as none can go on alone.
        """
        result, said = None, None
        if self.is_main:
            try:
                result = action()
            except EmbryologyError as error:
                said = str(error)
        if self.processes > 1:
            (said,) = broadcast_object_list([said])
        if said is not None:
            raise EmbryologyError(said)
        return result
