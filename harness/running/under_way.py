"""What trainings that are under way say of themselves, for whoever shows the progress of a study.

A process that trains writes one line to a file of its own, in a folder that the environment names. So nothing goes
through the messages between workers and their coordinator, and no record depends on who is watching.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from harness.running.environment import environment_with

FOLDER = "NAS_HARNESS_UNDER_WAY"
"""When set: the folder that trainings write their line to."""


@contextmanager
def watched() -> Iterator[Path]:
    """A folder for the lines of all processes that are started meanwhile on this machine."""
    with TemporaryDirectory(prefix="nas-harness-") as folder, environment_with({FOLDER: folder}):
        yield Path(folder)


def tell(line: str | None) -> None:
    """Write this process's line, or take it away; nothing where nobody watches."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return
    path = Path(folder, str(os.getpid()))
    with suppress(OSError):  # whoever watched has gone, and a training does not end for that
        if line is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(line, encoding="utf-8")


def lines(folder: Path) -> list[str]:
    """The lines of the processes that are alive, in the order of their numbers."""
    found = []
    with suppress(OSError):
        for path in sorted(folder.iterdir(), key=lambda p: int(p.name)):
            if psutil.pid_exists(int(path.name)) and (line := path.read_text(encoding="utf-8").strip()):
                found.append(line)
    return found
