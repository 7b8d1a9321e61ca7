"""What ends code in this process: Ctrl-C and SIGTERM, between two records and never within one; and a time limit."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_OWN = (signal.SIG_DFL, signal.default_int_handler)
"""The default handlers. Others stay, since somebody set them on purpose."""


class Interrupts:
    """Within ``with``, SIGINT and SIGTERM raise KeyboardInterrupt; within `held`, at its end. Main thread only."""

    _held = _rung = False

    def __enter__(self) -> Interrupts:
        main = threading.current_thread() is threading.main_thread()
        numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if main and signal.getsignal(n) in _OWN]
        self._before = {number: signal.signal(number, self._ring) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Signals wait until the body of this ``with`` is finished."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._rung:
            self._rung = False
            raise KeyboardInterrupt

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._held:
            self._rung = True
        else:
            raise KeyboardInterrupt


class RunTimeout(BaseException):
    """A run that took longer than its time limit. It is no `Exception`, so that no strategy catches it by accident."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises RunTimeout in the block after ``seconds``; only the main thread can.

    A timer that was running goes on with what is left of it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise RunTimeout(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    started = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if remaining:
            signal.setitimer(signal.ITIMER_REAL, max(remaining - (time.monotonic() - started), 0.001), interval)
