"""Architectures as vectors: their choices, their cells, or ReNAS's tensors of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness import Architecture, SearchSpace
from harness.spaces.tensors import PublishedTensors

Floats = npt.NDArray[np.float64]
Encoding = Literal["choices", "cells", "tensor", "node-tensor"]


def one_hot_choices(space: SearchSpace, archs: Sequence[Architecture]) -> Floats:
    """One column an option of each choice: float64 [n, options]."""
    taken = space.as_array(archs)
    columns = [taken[:, i, None] == np.arange(k)[None, :] for i, k in enumerate(space.radices)]
    return np.concatenate(columns, axis=1).astype(np.float64)


def cell_vectors(space: SearchSpace, archs: Sequence[Architecture], *, pruned: bool = True) -> Floats:
    """For each cell: how often each operation stands in it, one-hot operations by node, and the adjacency matrix."""
    parts: list[npt.NDArray[np.generic]] = []
    for batch in space.graphs(archs, pruned=pruned):
        n, v = batch.ops.shape
        nodes = batch.ops[:, :, None] == np.arange(len(space.operations))
        upper = np.triu_indices(v, 1)
        parts += [nodes.sum(axis=1), nodes.reshape(n, -1), batch.adjacency[:, upper[0], upper[1]]]
    return np.concatenate(parts, axis=1).astype(np.float64)


def tensor_vectors(space: SearchSpace, archs: Sequence[Architecture], *, edges: bool = True) -> Floats:
    """The entries of ReNAS's published tensors (operation types, FLOPs and parameters): float64 [n, entries].

    edges: whether operations lie on edges where the space's choices do.
    """
    return PublishedTensors(space, edges=edges).tensors(archs).reshape(len(archs), -1).astype(np.float64)


def vectors(space: SearchSpace, archs: Sequence[Architecture], encoding: Encoding, *, pruned: bool = True) -> Floats:
    """`one_hot_choices`, `cell_vectors` or `tensor_vectors`."""
    if encoding == "choices":
        return one_hot_choices(space, archs)
    if encoding == "cells":
        return cell_vectors(space, archs, pruned=pruned)
    return tensor_vectors(space, archs, edges=encoding == "tensor")
