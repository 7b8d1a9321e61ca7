"""Where trainings run, and what of it decides their bits."""

from __future__ import annotations

import os
from typing import Any

import torch

from harness import HarnessError
from harness.running.environment import DEVICE, processor


def open_device(name: str) -> torch.device:
    """``cpu``, ``cuda`` or ``cuda:1``. Raises HarnessError where there is none such on this machine."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise HarnessError(f"no device is called {name!r}; want cpu, cuda or such as cuda:1") from None
    if device.type not in ("cpu", "cuda"):
        raise HarnessError(f"{name!r}: trainings run on cpu or cuda")
    count = torch.cuda.device_count() if device.type == "cuda" else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        raise HarnessError(f"{name!r}: torch {torch.__version__} sees {count} GPUs here; unset --device and {DEVICE}")
    return device


def own_device(default: str) -> torch.device:
    """What `DEVICE` names, or the default. Where it names several, as it does to a coordinator, the first. Raises
    HarnessError where any of them is not there."""
    devices = [open_device(name.strip()) for name in os.environ.get(DEVICE, default).split(",")]
    return devices[0]


def bits(device: torch.device) -> dict[str, str | int]:
    """What decides the bits of a training beside its recipe and seed: torch's version; on a CPU the instructions that
    torch uses, its threads, and the processor, whose libraries choose by it; on a GPU its kind, CUDA and cuDNN."""
    found: dict[str, str | int] = {"torch": str(torch.__version__), "device": device.type}
    if device.type == "cuda":
        cudnn: Any = torch.backends.cudnn
        found |= {"processor": torch.cuda.get_device_name(device), "cuda": str(torch.version.cuda)}
        found["cudnn"] = str(cudnn.version())
    else:
        found |= {"processor": processor(), "instructions": torch.backends.cpu.get_cpu_capability()}
        found["threads"] = torch.get_num_threads()
    return found
