"""Strategies that misbehave as `misbehaving.requests` does, and in ways that only strategies can.

Each searches soundly after its mischief, where it can. None may change the record of another strategy, end the study,
or leave a process behind.
"""

from __future__ import annotations

import ctypes
import gc
import os
import random
import shutil
import signal
import sys
import threading
import time
import types
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np

from harness import Strategy, hookimpl
from misbehaving import requests

STRATEGIES: list[type[Misbehaving]] = []


class Misbehaving(Strategy):
    """Misbehaves, then searches at random. ends: how a pool tells that its process ended."""

    name = "misbehaving"
    ends: ClassVar[str] = "done"

    def __init_subclass__(cls) -> None:
        words = "".join(f"-{c.lower()}" if c.isupper() else c for c in cls.__name__)
        cls.name = words.lstrip("-")
        STRATEGIES.append(cls)

    def search(self, oracle, rng):
        self.mischief(oracle, rng)
        while True:
            for arch in oracle.space.sample(rng, 8):
                oracle.query(arch)

    def mischief(self, oracle, rng):
        pass


# -- what others use ---------------------------------------------------------------------------------------------------


class PatchesTheOracle(Misbehaving):
    """Its budget never ends."""

    ends = "timeout"

    def mischief(self, oracle, rng):
        type(oracle).query = lambda *_, **__: 99.0
        type(oracle).digest = lambda _: "forged"


class PatchesTheRunner(Misbehaving):
    def mischief(self, oracle, rng):
        import harness.running.runner as runner

        for name in ("best_first", "stream", "rank_quality"):
            if hasattr(runner, name):
                setattr(runner, name, lambda *_, **__: None)


class PatchesTheSpace(Misbehaving):
    def mischief(self, oracle, rng):
        type(oracle.space).sample = lambda self, rng, n, law=None: [(0,) * len(self.choices)] * n
        type(oracle.space).is_valid = lambda *_: True


class PatchesTheStreams(Misbehaving):
    def mischief(self, oracle, rng):
        import harness.records.identity as identity

        identity.stream = lambda *_: np.random.Generator(np.random.PCG64(0))


class PatchesTheSyntheticScores(Misbehaving):
    ends = "raised"

    def mischief(self, oracle, rng):
        import harness.testing.synthetic as synthetic

        synthetic._unit = lambda *_: 0.99
        type(oracle._validator).read = lambda *_, **__: None


class PatchesTheEncoder(Misbehaving):
    def mischief(self, oracle, rng):
        msgspec.json.encode = lambda *_, **__: b"{}"


class ReplacesDefaultRng(Misbehaving):
    def mischief(self, oracle, rng):
        np.random.default_rng = lambda *_: np.random.Generator(np.random.PCG64(0))


class ReplacesRandom(Misbehaving):
    def mischief(self, oracle, rng):
        random.Random = lambda *_: types.SimpleNamespace(random=lambda: 0.5, randrange=lambda *_: 0)


class SeedsEveryGlobalGenerator(Misbehaving):
    def mischief(self, oracle, rng):
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002


class ReplacesModules(Misbehaving):
    def mischief(self, oracle, rng):
        for name in ("numpy", "random", "harness.search.oracle"):
            sys.modules[name] = types.ModuleType(name)


class ReplacesBuiltins(Misbehaving):
    ends = "raised"

    def mischief(self, oracle, rng):
        requests.replaces_builtins(b"")


class PatchesOtherStrategies(Misbehaving):
    def mischief(self, oracle, rng):
        for cls in Misbehaving.__subclasses__():
            cls.search = lambda *_: []


class ChangesDefaultParams(Misbehaving):
    shared: ClassVar[dict[str, int]] = {"size": 1}

    def mischief(self, oracle, rng):
        self.shared["size"] += 1
        self.notes["size"] = self.shared["size"]
        Misbehaving.Params.smallest = classmethod(lambda cls: None)


class CountsItsRuns(Misbehaving):
    runs: ClassVar[list[int]] = []

    def mischief(self, oracle, rng):
        self.runs.append(1)
        self.notes["runs"] = len(self.runs)


class ChangesWhatTheCollectorFinds(Misbehaving):
    """Every dict of floats and every writable array in the process."""

    def mischief(self, oracle, rng):
        for found in gc.get_objects():
            if type(found) is dict and found and all(type(v) is float for v in found.values()):
                for key in found:
                    found[key] = 99.0
            elif type(found) is np.ndarray and found.dtype == np.float64 and found.flags.writeable:
                found[...] = 99.0


# -- the interpreter ---------------------------------------------------------------------------------------------------


class LowersTheRecursionLimit(Misbehaving):
    def mischief(self, oracle, rng):
        sys.setrecursionlimit(80)


class RecursesPastTheStack(Misbehaving):
    ends = "ended"

    def mischief(self, oracle, rng):
        requests.recurses_past_the_stack(b"")


class RaisesFromAnAlarm(Misbehaving):
    ends = "any"

    def mischief(self, oracle, rng):
        def ring(*_):
            raise TimeoutError("rung")

        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)


class RaisesFromAThread(Misbehaving):
    """An asynchronous exception in the main thread, again and again."""

    ends = "any"

    def mischief(self, oracle, rng):
        main = threading.main_thread().ident

        def disturb():
            while True:
                time.sleep(0.01)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main), ctypes.py_object(ValueError))

        threading.Thread(target=disturb, daemon=True).start()


class RoundsUp(Misbehaving):
    def mischief(self, oracle, rng):
        requests.changes_the_rounding_mode(b"")


class RaisesOnNumbers(Misbehaving):
    def mischief(self, oracle, rng):
        requests.changes_numpy_and_decimal_errors(b"")


class ChangesTheEnvironment(Misbehaving):
    def mischief(self, oracle, rng):
        requests.changes_the_environment(b"")


class LowersItsLimits(Misbehaving):
    def mischief(self, oracle, rng):
        requests.changes_limits(b"")


class IgnoresSignals(Misbehaving):
    def mischief(self, oracle, rng):
        requests.ignores_every_signal(b"")


class TracesEverything(Misbehaving):
    def mischief(self, oracle, rng):
        requests.traces_everything(b"")


class StopsTheCollector(Misbehaving):
    def mischief(self, oracle, rng):
        gc.disable()
        gc.freeze()


class PatchesTheSender(Misbehaving):
    def mischief(self, oracle, rng):
        requests.patches_the_sender(b"")


class ChangesTorch(Misbehaving):
    def mischief(self, oracle, rng):
        torch: Any = sys.modules.get("torch")
        if torch is not None:
            torch.set_default_dtype(torch.float64)
            torch.set_num_threads(7)
            torch.use_deterministic_algorithms(True)
            torch.manual_seed(0)


# -- descriptors, folders and processes --------------------------------------------------------------------------------


class ClosesDescriptors(Misbehaving):
    ends = "ended"

    def mischief(self, oracle, rng):
        requests.closes_every_descriptor(b"")


class WritesGarbage(Misbehaving):
    ends = "garbled"

    def mischief(self, oracle, rng):
        requests.writes_garbage_to_every_descriptor(b"")


class PrintsWithoutEnd(Misbehaving):
    def mischief(self, oracle, rng):
        requests.prints_without_end(b"")


class DeletesItsFolder(Misbehaving):
    def mischief(self, oracle, rng):
        shutil.rmtree(os.getcwd())


class LeavesLockedFolders(Misbehaving):
    def mischief(self, oracle, rng):
        requests.leaves_locked_folders(b"")


class FillsItsFolder(Misbehaving):
    def mischief(self, oracle, rng):
        for i in range(300):
            Path(f"file{i}").write_bytes(b"x" * 4096)


class LeavesThreads(Misbehaving):
    def mischief(self, oracle, rng):
        requests.leaves_threads(b"")


class LeavesProcesses(Misbehaving):
    def mischief(self, oracle, rng):
        requests.leaves_processes(b"")


class LeavesDaemons(Misbehaving):
    def mischief(self, oracle, rng):
        requests.leaves_daemons(b"")


class LeavesAForkBomb(Misbehaving):
    def mischief(self, oracle, rng):
        requests.leaves_processes_that_fork_again(b"")


# -- ends --------------------------------------------------------------------------------------------------------------


class ExitsAtOnce(Misbehaving):
    ends = "ended"

    def mischief(self, oracle, rng):
        os._exit(0)


class Exits(Misbehaving):
    ends = "raised"

    def mischief(self, oracle, rng):
        sys.exit(0)


class Crashes(Misbehaving):
    ends = "ended"

    def mischief(self, oracle, rng):
        ctypes.string_at(0)


class KillsItself(Misbehaving):
    ends = "ended"

    def mischief(self, oracle, rng):
        os.kill(os.getpid(), signal.SIGKILL)


class KillsItsKeeper(Misbehaving):
    ends = "raised"

    def mischief(self, oracle, rng):
        os.kill(os.getppid(), signal.SIGKILL)


class Interrupts(Misbehaving):
    ends = "raised"

    def mischief(self, oracle, rng):
        raise KeyboardInterrupt


class RaisesGeneratorExit(Misbehaving):
    ends = "raised"

    def mischief(self, oracle, rng):
        raise GeneratorExit


class CannotBeMade(Misbehaving):
    ends = "raised"

    def __init__(self, params=None):
        raise SystemExit("no strategy today")


class Allocates(Misbehaving):
    ends = "memory"

    def mischief(self, oracle, rng):
        requests.allocates_without_end(b"")


class Hangs(Misbehaving):
    ends = "timeout"

    def mischief(self, oracle, rng):
        requests.spins_and_ignores_everything(b"")


# -- what is read after the search -------------------------------------------------------------------------------------


class RankerExits(Misbehaving):
    def mischief(self, oracle, rng):
        self.ranker = self

    def rank(self, archs):
        sys.exit("a ranker's way to stop")


class RankerInterrupts(RankerExits):
    def rank(self, archs):
        raise KeyboardInterrupt


class RankerReturnsNonsense(RankerExits):
    def rank(self, archs):
        return {"order": archs}


class NotesAreNone(Misbehaving):
    def mischief(self, oracle, rng):
        self.notes = None
        self.seconds = None


class NotesAreAList(Misbehaving):
    def mischief(self, oracle, rng):
        self.notes = [1, 2, 3]
        self.seconds = {"phase": "long"}


class NotesHoldThemselves(Misbehaving):
    def mischief(self, oracle, rng):
        self.notes["self"] = self.notes


class NotesRaise(Misbehaving):
    def mischief(self, oracle, rng):
        class Note:
            def __str__(self):
                raise KeyboardInterrupt

        self.notes["note"] = Note()


class ReturnsWithoutEnd(Misbehaving):
    def search(self, oracle, rng):
        class Endless(list):
            def __len__(self):
                return 1

            def __iter__(self):
                while True:
                    yield oracle.space.sample(rng, 1)[0]

        return Endless()


@hookimpl
def nas_harness_strategies():
    return STRATEGIES


def prepare(_: bytes):
    return search


def search(request: bytes) -> bytes:
    """What the strategy that is named does on a made-up task, without a runner: scores in order, and its notes."""
    from harness.errors import BudgetExhausted
    from harness.search.oracle import Budget, Oracle
    from harness.testing.spaces import ToyEdgeSpace
    from harness.testing.synthetic import SyntheticEvaluator

    encode = msgspec.json.encode
    cls = {s.name: s for s in [Misbehaving, *STRATEGIES]}[request.decode()]
    oracle = Oracle(SyntheticEvaluator(ToyEdgeSpace()).validator(), Budget(queries=20))
    with suppress(BudgetExhausted):
        cls(None).search(oracle, np.random.default_rng(3))
    return encode([[entry.score for entry in oracle.ledger], repr(cls.Params.smallest()), random.Random(3).random()])
