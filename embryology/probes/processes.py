"""Several checkpoints at a time, each in a process of its own: a small model keeps one core busy, hardly two."""

import multiprocessing
import pickle
import signal
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from embryology.errors import EmbryologyError
from embryology.probes.measuring import Asked, Measuring, News, Tell
from embryology.runs.checkpoints import Checkpoint
from embryology.specs import registry

LOOKS = 0.2
"""Seconds from one look at what the processes say to the next."""


def measure(measuring: Measuring, todo: dict[Checkpoint, list[Asked]], tell: Tell, jobs: int) -> None:
    """As :meth:`Measuring.checkpoint` of each, ``jobs`` at a time; each process prepares what it measures.

    Args:
        measuring: where its ``threads`` are None each process takes its share of torch's own number.

    Raises:
        EmbryologyError: a process died.
        Exception: as of :meth:`Measuring.checkpoint`; no other checkpoint is begun.
    """
    # Spawned: a process that is forked shares locks of threads that it does not have.
    context = multiprocessing.get_context("spawn")
    news: SimpleQueue[News] = context.SimpleQueue()
    plug_ins = [plugin.file for plugin in registry.added.values()]
    begin = plug_ins, pickle.dumps((measuring, list(todo.values()))), jobs, news
    # Those with most to measure first, and so none of them is waited for last.
    order = sorted(enumerate(todo), key=lambda pair: -len(todo[pair[1]]))
    pool = ProcessPoolExecutor(jobs, context, _begin, begin)
    try:
        waiting = {pool.submit(_measure, number, checkpoint) for number, checkpoint in order}
        while waiting:
            done, waiting = wait(waiting, LOOKS, FIRST_EXCEPTION)
            while not news.empty():
                tell(news.get())
            for future in done:
                future.result()
    except BaseException as error:
        for process in multiprocessing.active_children():
            process.terminate()
        if isinstance(error, BrokenProcessPool):
            raise EmbryologyError(
                f"{measuring.series.name}: a process that measured has died, perhaps as memory ran out; what was "
                "measured is kept: run it again, with --jobs 1 if it dies again"
            ) from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)


_here: Callable[[int, Checkpoint], None]
"""What this process does of each checkpoint; :func:`_begin` sets it."""


def _begin(plug_ins: list[Path], pickled: bytes, jobs: int, news: "SimpleQueue[News]") -> None:
    """Make a process ready."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the one that began the others ends them
    for file in plug_ins:
        registry.add(file)
    measuring: Measuring
    measuring, probes = pickle.loads(pickled)  # not before: their classes may be a plug-in's
    if measuring.threads is None:
        import torch

        measuring.threads = max(1, torch.get_num_threads() // jobs)

    def here(number: int, checkpoint: Checkpoint) -> None:
        measuring.checkpoint(checkpoint, probes[number], news.put)

    global _here
    _here = here


def _measure(number: int, checkpoint: Checkpoint) -> None:
    _here(number, checkpoint)
