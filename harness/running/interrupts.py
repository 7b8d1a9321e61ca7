"""Ctrl-C and SIGTERM: both end a study between two records, never within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_OWN = (signal.SIG_DFL, signal.default_int_handler)
"""The default handlers. Others stay, since somebody set them on purpose."""


class Interrupts:
    """Within ``with``, SIGINT and SIGTERM raise KeyboardInterrupt; within `held`, at its end. Main thread only."""

    def __init__(self) -> None:
        self._held = self._rung = False
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) in _OWN:
                    self._before[number] = signal.signal(number, self._ring)
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
