"""NAS-Bench-101 cells as graphs with FLOPs and parameters per vertex, for all nine cells of the network.

The network (Ying et al. 2019, ``model_builder.py``): a 3x3 stem to 128 channels; three stacks of three cells on maps
of 32, 16, 8 pixels with 128, 256, 512 output channels, a 2x2 max-pool before the second and third stack; global
average pooling; a dense layer of 10. An edge from the input is a 1x1 projection with batch norm. FLOPs are two per
multiply-add of a convolution, nine per pooled value, one per added value; batch norm and ReLU are not counted.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from harness.spaces import PAD, CellBatch
from harness_nasbench.spaces.nasbench101_hash import BITS, EDGES, OUTPUT, VERTICES

OPERATIONS: Final = ("input", "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3", "output")
"""The node vocabulary. Its order, counted from 1, is the type code of the released ReNAS and CTNAS encodings."""
OPERATION_OF_OPTION: Final = np.array([2, 1, 3])
"""`OPERATIONS` index of each option of an operation gene (conv3x3, conv1x1, maxpool)."""
_INPUT, _OUTPUT = 0, len(OPERATIONS) - 1
_KERNEL: Final = np.array([0, 1, 3, 0, 0])
_POOL: Final = OPERATIONS.index("maxpool3x3")

STEM_CHANNELS: Final = 128
CLASSES: Final = 10
POSITIONS: Final = tuple(
    (STEM_CHANNELS << stack >> (stack > 0 and cell == 0), STEM_CHANNELS << stack, (32 >> stack) ** 2)
    for stack in range(3)
    for cell in range(3)
)
"""Input channels, output channels and pixels of each of the nine cells."""
_LAST = STEM_CHANNELS << 2
SKELETON_PARAMS: Final = (27 * STEM_CHANNELS + 2 * STEM_CHANNELS) + (_LAST * CLASSES + CLASSES)
"""Stem and dense layer: 3,712 + 5,130."""
SKELETON_FLOPS: Final = (
    2 * 27 * STEM_CHANNELS * 32**2
    + 4 * STEM_CHANNELS * 16**2
    + 4 * 2 * STEM_CHANNELS * 8**2
    + _LAST * 8**2
    + 2 * _LAST * CLASSES
    + CLASSES
)
"""Stem, the two 2x2 pools between stacks, global average pool, dense layer with bias."""

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def adjacency(genes: npt.NDArray[np.integer]) -> Bools:
    """bool [n, 7, 7] of encodings [n, 26], as written."""
    matrix = np.zeros((len(genes), VERTICES, VERTICES), dtype=np.bool_)
    u, v = np.array(EDGES).T
    matrix[:, u, v] = genes[:, :BITS] == 1
    return matrix


def operations(genes: npt.NDArray[np.integer]) -> Ints:
    """int64 [n, 7], indices into `OPERATIONS`."""
    ops = np.full((len(genes), VERTICES), _INPUT, dtype=np.int64)
    ops[:, 1:OUTPUT] = OPERATION_OF_OPTION[genes[:, BITS:]]
    ops[:, OUTPUT] = _OUTPUT
    return ops


def reach(matrix: Bools) -> tuple[Bools, Bools]:
    """Which vertices the input reaches, and which reach the output, each itself included: bool [n, 7] each."""
    forward = np.zeros(matrix.shape[:2], dtype=np.bool_)
    backward = np.zeros_like(forward)
    forward[:, 0] = backward[:, OUTPUT] = True
    for v in range(1, VERTICES):
        forward[:, v] = (matrix[:, :v, v] & forward[:, :v]).any(axis=1)
    for u in range(OUTPUT - 1, -1, -1):
        backward[:, u] = (matrix[:, u, u + 1 :] & backward[:, u + 1 :]).any(axis=1)
    return forward, backward


def kept_vertices(matrix: Bools) -> Bools:
    """bool [n, 7]: on a path from input to output. Input and output are kept even where there is none."""
    forward, backward = reach(matrix)
    kept = forward & backward
    kept[:, 0] = kept[:, OUTPUT] = True
    return kept


def prune(matrix: Bools) -> tuple[Bools, Bools]:
    """Adjacency without edges off every input-output path, vertices left in place; and the kept vertices."""
    kept = kept_vertices(matrix)
    return matrix & kept[:, :, None] & kept[:, None, :], kept


def vertex_channels(pruned: Bools, out_channels: int) -> Ints:
    """Channels of each vertex of pruned cells, int64 [n, 7]; 0 for the input and for vertices that are not there.

    The output's channels are divided among the interior vertices that feed it, and the first ones take the remainder;
    every other vertex has as many as the widest vertex that it feeds.
    """
    channels = np.zeros(pruned.shape[:2], dtype=np.int64)
    feeds = pruned[:, 1:OUTPUT, OUTPUT]
    share = np.maximum(feeds.sum(axis=1), 1)
    extra = feeds.cumsum(axis=1) <= (out_channels % share)[:, None]
    channels[:, 1:OUTPUT] = np.where(feeds, (out_channels // share)[:, None] + extra, 0)
    for v in range(OUTPUT - 2, 0, -1):
        widest = (pruned[:, v, v + 1 : OUTPUT] * channels[:, v + 1 : OUTPUT]).max(axis=1)
        channels[:, v] = np.where(feeds[:, v - 1], channels[:, v], widest)
    channels[:, OUTPUT] = out_channels
    return channels


def vertex_costs(pruned: Bools, ops: Ints) -> tuple[Floats, Floats]:
    """FLOPs and parameters of each vertex of pruned cells in each of the nine cells, float64 [n, 9, 7] each.

    A vertex pays for the projection of the input, for adding up what reaches it, and for its operation. The output
    concatenates, so it pays only for the input's projection and for adding that to the rest, if there is a rest.
    """
    flops = np.zeros((len(pruned), len(POSITIONS), VERTICES))
    params = np.zeros_like(flops)
    from_input = pruned[:, 0].astype(np.float64)
    added = np.maximum(pruned.sum(axis=1) - 1, 0).astype(np.float64)
    added[:, OUTPUT] = pruned[:, 0, OUTPUT] & pruned[:, 1:OUTPUT, OUTPUT].any(axis=1)
    kernel = _KERNEL[ops].astype(np.float64) ** 2
    pool = np.where(ops == _POOL, 9.0, 0.0)
    for position, (c_in, c_out, pixels) in enumerate(POSITIONS):
        if position and POSITIONS[position - 1] == POSITIONS[position]:
            flops[:, position], params[:, position] = flops[:, position - 1], params[:, position - 1]
            continue
        c = vertex_channels(pruned, c_out).astype(np.float64)
        norm = 2.0 * c
        params[:, position] = from_input * (c_in * c + norm) + np.where(kernel > 0, kernel * c * c + norm, 0.0)
        flops[:, position] = pixels * c * (2.0 * from_input * c_in + added + 2.0 * kernel * c + pool)
    return flops, params


def totals(genes: npt.NDArray[np.integer]) -> tuple[Floats, Floats]:
    """FLOPs and parameters of the whole networks, float64 [n] each."""
    pruned, _ = prune(adjacency(genes))
    flops, params = vertex_costs(pruned, operations(genes))
    return flops.sum(axis=(1, 2)) + SKELETON_FLOPS, params.sum(axis=(1, 2)) + SKELETON_PARAMS


def cell_graphs(genes: npt.NDArray[np.integer], *, pruned: bool) -> CellBatch:
    """The cells of encodings [n, 26], padded at the end to 7 nodes.

    As written (``pruned=False``) each keeps its 7 vertices; those that the benchmark prunes cost nothing.
    """
    written, ops = adjacency(genes), operations(genes)
    matrix, kept = prune(written)
    flops, params = vertex_costs(matrix, ops)
    if not pruned:
        return CellBatch(ops, written, flops, params)
    # Kept vertices move to the front in their order; the output thus ends right after the last interior one.
    order = np.argsort(~kept, axis=1, kind="stable")
    present = np.take_along_axis(kept, order, axis=1)
    rows = np.arange(len(genes))[:, None]
    ops = np.where(present, ops[rows, order], PAD)
    matrix = matrix[rows[:, :, None], order[:, :, None], order[:, None, :]]
    # A dropped vertex has no edge, hence no channels and no costs.
    return CellBatch(ops, matrix, *(np.take_along_axis(a, order[:, None, :], axis=2) for a in (flops, params)))
