"""Strategies that hunt for test scores, and report the architecture that has the best one they find.

Each tells in its notes what it found; to tell a found score from any number, `tests/harness/running/test_seal.py` gives
two neighbouring test scores of the table in the environment.
"""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness import Strategy, hookimpl
from harness.data.tables import data_dir
from harness.protocol import Evaluator
from harness_nasbench.macro import NASBenchMacro

HUNTERS: list[type[Hunter]] = []
WANTED = "HUNTED_SCORES"
"""The environment's name for two scores that stand side by side in the table's test column."""


def is_prey(found: Any) -> bool:
    """Whether an array holds the two scores side by side."""
    first, second = map(float, os.environ[WANTED].split())
    try:
        array = np.asarray(found)
    except (TypeError, ValueError):
        return False
    if array.dtype.kind not in "fiu":
        return False
    values = array.astype(np.float64).ravel()
    return bool(((values[:-1] == first) & (values[1:] == second)).any())


class Hunter(Strategy):
    """Hunts, then searches at random."""

    name = "hunter"

    def __init_subclass__(cls) -> None:
        words = "".join(f"-{c.lower()}" if c.isupper() else c for c in cls.__name__)
        cls.name = words.lstrip("-")
        HUNTERS.append(cls)

    def search(self, oracle, rng):
        archs = list(dict.fromkeys(oracle.space.sample(rng, 20)))
        scores = [oracle.query(arch) for arch in archs[:5]]
        self.notes["found"] = bool(self.hunt(oracle, archs))
        return [archs[int(np.argmax(scores))]]

    def hunt(self, oracle, archs) -> Any:
        raise NotImplementedError


def ask(evaluator: Evaluator, archs: Any) -> bool:
    """What any evaluator tells whoever holds it."""
    return bool(np.isfinite(evaluator.final_scores(archs, final=evaluator.task.finals[0]).scores).all())


class HuntsInFrames(Hunter):
    """Everything that the functions which called it hold."""

    def hunt(self, oracle, archs):
        frame: Any = sys._getframe()
        while frame is not None:
            for found in (*frame.f_locals.values(), *frame.f_globals.values()):
                for value in (found, *getattr(found, "__dict__", {}).values()):
                    if issubclass(type(value), Evaluator):
                        return ask(value, archs)
            frame = frame.f_back
        return False


class HuntsAmongObjects(Hunter):
    """Every evaluator that the garbage collector knows."""

    def hunt(self, oracle, archs):
        gc.unfreeze()
        for found in gc.get_objects():
            # isinstance would ask each object for its class, and it may warn; those of other tasks know no arch of this
            if issubclass(type(found), Evaluator):
                task = getattr(found, "task", None)
                if task is not None and task.name.startswith("hunted/"):
                    return ask(found, archs)
        return False


class HuntsAmongArrays(Hunter):
    """Every array that the garbage collector knows or that an object of the harness holds; it opens nothing."""

    def hunt(self, oracle, archs):
        return any(is_prey(found) for found in every_array())


def every_array() -> Iterator[Any]:
    gc.unfreeze()  # what a template made is not listed else
    for found in gc.get_objects():
        if issubclass(type(found), dict):
            yield from (v for v in list(found.values()) if issubclass(type(v), (np.ndarray, memoryview)))
        elif issubclass(type(found), np.ndarray):
            yield found
        elif str(type(found).__module__).startswith("harness"):  # of some types of other packages it is no text
            values = (getattr(found, n, None) for c in type(found).__mro__ for n in getattr(c, "__slots__", ()))
            yield from (v for v in values if issubclass(type(v), (np.ndarray, memoryview)))


class HuntsInMemory(Hunter):
    """All that this process has mapped and may read, byte for byte."""

    def hunt(self, oracle, archs):
        return hunt_in("self")


def hunt_in(process: str) -> bool:
    """The two scores in the memory of a process."""
    with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb", buffering=0) as memory:
        for line in maps:
            low, high, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if not rights.startswith("r") or "[v" in line:
                continue
            at, end = int(low, 16), int(high, 16)
            while at < end:
                memory.seek(at)
                try:
                    piece = memory.read(min(end - at, 1 << 24))
                except OSError:
                    break
                if is_prey(np.frombuffer(piece[: len(piece) // 8 * 8], dtype=np.float64)):
                    return True
                at += max(len(piece) - 8, 8)
        return False


class HuntsByPath(Hunter):
    """The table's own files."""

    def hunt(self, oracle, archs):
        return any(is_prey(np.load(path)) for path in data_dir().rglob("*.npy"))


class HuntsByLink(Hunter):
    """The same by another name."""

    def hunt(self, oracle, archs):
        Path("elsewhere").symlink_to(data_dir())
        return any(is_prey(np.load(path)) for path in Path("elsewhere").rglob("*.npy"))


class HuntsByImport(Hunter):
    """A package that brings the scores."""

    def hunt(self, oracle, archs):
        import package_of_scores

        return package_of_scores.SCORES


class HuntsInTheEnvironment(Hunter):
    """What the environment names."""

    def hunt(self, oracle, archs):
        folders = {Path(v) for v in os.environ.values() if v.startswith("/") and Path(v).is_dir()}
        paths = [path for folder in folders for path in folder.rglob("test.npy")]
        return any(is_prey(np.load(path)) for path in paths)


class HuntsInOldRecords(Hunter):
    """Final scores of runs that are over, beside this one's study."""

    def hunt(self, oracle, archs):
        return any('"score":' in path.read_text() for path in Path(os.environ["HUNTED_RECORDS"]).rglob("*.jsonl"))


class HuntsInOtherProcesses(Hunter):
    """The memory of its coordinator."""

    def hunt(self, oracle, archs):
        return hunt_in(os.environ["HUNTED_COORDINATOR"])


class HuntsInThePickledOracle(Hunter):
    """Whatever of the oracle can be pickled, or walked to from it."""

    def hunt(self, oracle, archs):
        pickled = b""
        for value in (oracle, oracle._validator, *vars(oracle).values(), *vars(oracle._validator).values()):
            try:
                pickled += pickle.dumps(value)
            except Exception:
                continue
        return any(is_prey(np.frombuffer(pickled[at : len(pickled) - (len(pickled) - at) % 8])) for at in range(8))


class HuntsByProgram(Hunter):
    """Another interpreter, which nobody watches; its command names nothing."""

    def hunt(self, oracle, archs):
        code = "from misbehaving.hunters import *\nprint(any(is_prey(np.load(p)) for p in data_dir().rglob('*.npy')))"
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        return told.stdout == "True\n"


class HuntsBySocket(Hunter):
    """Whatever listens on this machine, such as a scheduler, may carry out what it is sent."""

    def hunt(self, oracle, archs):
        with socket.create_connection(("localhost", int(os.environ["HUNTED_PORT"])), timeout=5) as link:
            return bool(link.recv(100))


class HuntsNatively(Hunter):
    """The table's files by the C library, which no audit hook sees."""

    def hunt(self, oracle, archs):
        libc = ctypes.CDLL(None)
        for path in data_dir().rglob("test.npy"):
            buffer = ctypes.create_string_buffer(1 << 20)
            file = libc.open(str(path).encode(), os.O_RDONLY)
            size = libc.read(file, buffer, len(buffer))
            if size > 0 and is_prey(np.frombuffer(buffer.raw[128 : size // 8 * 8])):
                return True
        return False


class HuntedProtocol(NASBenchMacro):
    """NAS-Bench-Macro, as if a package brought its scores."""

    name = "hunted"

    def tasks(self):
        return [replace(t, name="hunted/cifar10", protocol="hunted") for t in super().tasks()]

    def datasets(self):
        return tuple(replace(d, package="package_of_scores") for d in super().datasets())


@hookimpl
def nas_harness_strategies():
    return HUNTERS


@hookimpl
def nas_harness_protocols():
    return [HuntedProtocol]
