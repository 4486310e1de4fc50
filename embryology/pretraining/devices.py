"""One process or many: what accelerate does for training, in the few words that the loop needs."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import DistributedDataParallelKwargs, LoggerType
from torch import Tensor, nn

from embryology.errors import EmbryologyError
from embryology.presets import Preset


class Devices:
    """The processes that train one model together; usually there is one."""

    def __init__(self, track: str | None = None, logs: Path | None = None):
        """
        Args:
            track: a tracker of accelerate, such as ``tensorboard`` or ``wandb``.
            logs: where a tracker that writes files puts them.

        Raises:
            EmbryologyError: the tracker's package is not installed.
        """
        available = [str(tracker) for tracker in get_available_trackers()]
        if track is not None and track not in available:
            known = sorted(str(tracker) for tracker in LoggerType if tracker != LoggerType.ALL)
            if track not in known:
                raise EmbryologyError(f"there is no tracker {track!r}; accelerate knows {', '.join(known)}")
            here = f", or take {', '.join(available)}, which is installed" if available else ""
            raise EmbryologyError(f"the tracker {track} is not installed; pip install it{here}")
        # Precision is our own affair: see Trainee.
        self.accelerator = Accelerator(
            cpu=not torch.cuda.is_available(),
            mixed_precision="no",
            log_with=track,
            project_dir=logs,
            # The only one is ELECTRA's noise, the same in every process.
            kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
        )
        self.device = self.accelerator.device
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

    def main_first(self) -> AbstractContextManager:
        """Around what the main process does before the others begin."""
        return self.accelerator.main_process_first()

    def wait(self) -> None:
        self.accelerator.wait_for_everyone()
