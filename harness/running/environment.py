"""Where a run ran: versions for the record, one numerical thread for the run."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
WORKER_VARIABLES = {**_THREADS, "PYTHONHASHSEED": "0", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""What a worker's environment holds before its first import. pyarrow, which pandas imports where it is installed, would
start a thread, and no run could be forked."""
DEVICE = "NAS_HARNESS_DEVICE"
"""When set: where trainings run, such as ``cuda:0``. Of several, separated by commas, each worker of a pool is told
one."""
LOG_DIR = "NAS_HARNESS_LOG_DIR"
"""When set: the folder that trainings write TensorBoard's scalars to."""

_PACKAGES = ("nas-harness", "numpy", "scipy", "torch", "torch-geometric", "optuna", "scikit-learn", "onnxruntime")


@cache
def _static() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": processor(),
        "cpus": os.cpu_count(),
        "packages": found,
    }


def describe_environment() -> dict[str, Any]:
    """Interpreter, platform, processor, versions of the packages that decide numbers; the device, if one is named."""
    return _static() | ({"device": os.environ[DEVICE]} if DEVICE in os.environ else {})


@cache
def processor() -> str:
    """The processor's name as its maker gives it, or as far as the platform tells."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def what_differs(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which libraries, and which processor, differ in two environments, as a reason why a search may go another way;
    empty where none does. A part that one of them does not name is passed over."""
    old, new = ({"processor": e.get("processor"), **e.get("packages", {})} for e in (then, now))
    differ = [name for name in new if None not in (old.get(name), new[name]) and old[name] != new[name]]
    return ", ".join(f"{name} {old[name]} then, {new[name]} now" for name in differ)


def start_single_threaded() -> None:
    """Set one numerical thread for every library that this process imports later. Call it before numpy is imported."""
    os.environ.update(_THREADS)


@contextmanager
def single_thread() -> Iterator[None]:
    """One numerical thread during a run, then as before.

    Two processes with two torch threads each on two cores run 30 to 150 times slower than with one.
    """
    torch: Any = sys.modules.get("torch")
    threads = 1 if torch is None else torch.get_num_threads()
    if threads != 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if threads != 1:
            torch.set_num_threads(threads)


@contextmanager
def environment_with(variables: Mapping[str, str]) -> Iterator[None]:
    """``variables`` in this process's environment, and so in that of the processes it starts, then as before."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
