"""How far something is: a bar on a terminal, and a line now and then where there is none, as in a log file."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

EVERY = 30.0
"""Seconds from one line to the next, at least; what is done sooner says nothing."""
SPEED_OVER = 600.0
"""Seconds over which speed is taken, for the time left: one cell of a probe may take minutes."""


class Progress(Bars):
    """Rich's, whose bars stand on a terminal alone; elsewhere :meth:`update` prints a line now and then.

    Args:
        console: where it is shown; None shows nothing.
        counts: what is done of how much, a format of ``task`` such as ``{task.completed:,} of {task.total:,} steps``.
        options: of rich's, such as ``get_time``.
    """

    def __init__(self, console: Console | None, counts: str, **options: Any):
        console, self.counts = console or Console(quiet=True), counts
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn(counts, markup=False),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            speed_estimate_period=SPEED_OVER,
            disable=not _draws(console),
            **options,
        )
        self.said = self.get_time()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        if self.disable and self.get_time() - self.said >= EVERY:
            self.said = self.get_time()
            (task,) = (task for task in self.tasks if task.id == task_id)
            left = task.time_remaining
            ends = "" if left is None else f", {timedelta(seconds=left)} left"
            _say(self.console, f"{task.description}: {self.counts.format(task=task)}{ends}")


@contextmanager
def working(console: Console, what: str) -> Iterator[None]:
    """A spinner beside what is being done where that cannot be counted; no terminal has one line that it began."""
    if _draws(console):
        with console.status(what):
            yield
    else:
        _say(console, f"{what} …")
        yield


def _draws(console: Console) -> bool:
    return console.is_terminal and not console.is_dumb_terminal


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
