"""What a search may not reach while its strategy's code runs: folders that hold scores, and processes that do.

The process of a search holds validation columns and no final score. An audit hook sees what Python code reaches for,
and ends the run by name. Where the kernel has Landlock, it refuses the same to native code and to other programs.
"""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import psutil

from harness.data.tables import data_dir
from harness.registry import Registry
from harness.running import landlock
from harness.running.child import refuse

_MEMORY = re.compile(r"/proc/(\d+)(/task/\d+)?/mem")


@dataclass
class Seal:
    """folders: closed ones. modules: packages that hold scores. hosts: names and addresses not to connect to."""

    folders: Sequence[str]
    modules: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    rules: int | None = field(init=False)

    def __post_init__(self) -> None:
        self.folders = tuple(os.path.realpath(folder) for folder in self.folders)
        self.rules = landlock.rules_without(self.folders)

    def close(self, package: str) -> None:
        """Of this process, for good; only in a process of one run. Ends it where it has a closed package already.

        package: that of the strategy, whose code is named.
        """
        for module in sorted(self.modules & sys.modules.keys()):
            refuse(f"it has imported {module}, which holds scores")
        if self.rules is not None:
            landlock.restrict(self.rules)
        sys.addaudithook(self._hook(package))

    def _hook(self, package: str) -> Callable[[str, tuple[Any, ...]], None]:
        run, folders = os.getpid(), tuple(f + os.sep for f in self.folders)
        ways = {"open": "opened", "os.link": "linked", "os.rename": "moved"}

        def hook(event: str, args: tuple[Any, ...]) -> None:
            if event in ways:
                if isinstance(args[0], (str, bytes, os.PathLike)):
                    path = os.path.realpath(os.fsdecode(args[0]))
                    if (path + os.sep).startswith(folders):
                        refuse(f"it {ways[event]} {path}, which is closed to a search{_place(package)}")
                    if (memory := _MEMORY.fullmatch(path)) and int(memory[1]) not in (run, os.getpid()):
                        refuse(f"it opened the memory of another process, {path}{_place(package)}")
            elif event == "import":
                if args[0].partition(".")[0] in self.modules:
                    refuse(f"it imported {args[0]}, which holds scores{_place(package)}")
            elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
                command = str(args[:2])
                for named in (*self.folders, *self.modules):
                    if named in command:
                        refuse(f"it started a program with {named}, which is closed to a search{_place(package)}")
            elif event in ("socket.connect", "socket.sendto"):
                self._check_address(args[1], package)

        return hook

    def _check_address(self, address: Any, package: str) -> None:
        if not isinstance(address, tuple):
            return
        host = str(address[0])
        with suppress(OSError):
            host = socket.gethostbyname(host)
        if host.startswith("127.") or host in self.hosts:
            refuse(f"it connected to {address[0]}, where its study is carried out{_place(package)}")


def _place(package: str) -> str:
    """The innermost place in the author's own code."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] == package:
            return f" ({os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno})"
        frame = frame.f_back
    return ""


def seals(registry: Registry, tasks: Iterable[str], records: str, cluster: str | None) -> dict[bool, Seal]:
    """For searches of recorded tasks, and of tasks that train: these need a part of the data folder.

    tasks: all of the study. records: the folder of all studies. cluster: a scheduler's address.
    """
    wanted = [registry.task(name) for name in tasks]
    recording = {task.protocol for task in wanted if task.recorded}
    training = {task.protocol for task in wanted if not task.recorded}
    held = [data_set for name in sorted(recording) for data_set in registry.protocol(name).datasets()]
    modules = frozenset(d.package for d in held if d.package)
    packages = [folder for module in modules for folder in _folders_of(module)]
    outside = [*packages, records]
    tables = [folder for data_set in held for folder in data_set.folders]
    tables += [folder for name in sorted(training) for folder in registry.protocol(name).closed()]
    hosts = {a.address for each in psutil.net_if_addrs().values() for a in each if a.family == socket.AF_INET}
    hosts |= {"0.0.0.0", "::1"}
    if cluster is not None and (host := urlsplit(cluster).hostname):
        hosts.add(host)
        with suppress(OSError):
            hosts.add(socket.gethostbyname(host))
    ways = {True: [str(data_dir()), *outside], False: [*(str(data_dir() / t) for t in tables), *outside]}
    return {recorded: Seal(folders, modules, frozenset(hosts)) for recorded, folders in ways.items()}


def _folders_of(module: str) -> list[str]:
    spec = importlib.util.find_spec(module)
    return [str(Path(f)) for f in (spec.submodule_search_locations or ())] if spec is not None else []
