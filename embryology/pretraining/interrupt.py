"""Ctrl-C between steps, so that a step is whole or not begun."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Interrupt:
    """Set by Ctrl-C, looked at between steps, so that a step is whole or not begun."""

    seen: bool = False

    @classmethod
    @contextmanager
    def watched(cls) -> Iterator["Interrupt"]:
        interrupt = cls()
        if threading.current_thread() is not threading.main_thread():
            yield interrupt
            return

        def note(number: int, frame: object) -> None:
            if interrupt.seen:  # asked twice: stop at once
                raise KeyboardInterrupt
            interrupt.seen = True

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield interrupt
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
