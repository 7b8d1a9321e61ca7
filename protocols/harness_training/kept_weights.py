"""Weights in the store of trainings: those of a network that is asked again and again, such as a supernet."""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from harness_training.store import WEIGHTS, Identity, Store

N = TypeVar("N", bound=nn.Module)


def find_or_fit(store: Store, identity: Identity, network: N, fit: Callable[[N], None]) -> None:
    """Give ``network`` the weights of this identity: from the store, else by ``fit``, and then they are kept.

    One process fits, others wait for it. A damaged file counts as none, and is replaced.
    """
    path = store.path(identity.key).with_suffix(WEIGHTS)
    with store.alone(identity.key):
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
            network.load_state_dict(found)
        except (OSError, EOFError, RuntimeError, pickle.UnpicklingError):
            fit(network)
            store.write(path, lambda stream: torch.save(network.state_dict(), stream))
        else:
            with contextlib.suppress(OSError):  # a store that is only read keeps its times
                os.utime(path)
