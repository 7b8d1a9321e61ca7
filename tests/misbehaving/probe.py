"""What the state of a process is that a later request could notice."""

from __future__ import annotations

import builtins
import ctypes
import decimal
import gc
import locale
import os
import random
import resource
import signal
import socket
import sys
import threading
import warnings

import msgspec
import numpy as np


def probe() -> bytes:
    """As JSON. Two processes of one template give the same bytes."""
    from misbehaving.requests import Victim

    found = {
        "victim": Victim().answer(),
        "default_rng": np.random.default_rng(5).random(),
        "Random": random.Random(5).random(),
        "builtins": [repr(getattr(builtins, n)) for n in ("len", "open", "print", "sorted", "__import__")],
        "recursion": sys.getrecursionlimit(),
        "rounding": ctypes.CDLL("libm.so.6").fegetround(),
        "third": float(np.float64(1) / np.float64(3)).hex(),
        "errors": [np.geterr(), decimal.getcontext().prec, len(warnings.filters)],
        "environment": {k: v for k, v in os.environ.items() if k != "TMPDIR"},
        "umask": os.umask(0),
        "locale": locale.setlocale(locale.LC_ALL),
        "socket": socket.getdefaulttimeout(),
        "limits": [resource.getrlimit(n) for n in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)],
        "nice": os.nice(0),
        "signals": [str(signal.getsignal(n)) for n in sorted(signal.valid_signals())],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "timer": signal.getitimer(signal.ITIMER_REAL),
        "modules": sorted(sys.modules),
        "path": sys.path,
        "gc": gc.isenabled(),
        "functions": [f.__module__ + f.__qualname__ for f in (np.random.default_rng, random.Random)],
        "os": [type(f).__name__ for f in (os.write, os._exit, os.fork)],
        "trace": [repr(sys.gettrace()), repr(sys.getprofile()), repr(sys.excepthook)],
        "threads": threading.active_count(),
        "descriptors": sorted(os.readlink(f"/proc/self/fd/{n}").split(":")[0] for n in os.listdir("/proc/self/fd")
                              if os.path.lexists(f"/proc/self/fd/{n}")),
        "scratch": os.listdir("."),
    }  # fmt: skip
    return msgspec.json.encode(found)
