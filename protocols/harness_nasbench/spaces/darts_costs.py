"""FLOPs and parameters of the networks that DARTS cells are trained in, per node of the cell graph.

The evaluation network of DARTS (Liu et al., ICLR 2019, ``NetworkCIFAR``) without its auxiliary head: a 3x3 stem to
three times the initial channels, cells of which those at one and two thirds of the depth halve the map and double the
channels, global average pooling, a dense layer. FLOPs are multiply-adds of convolutions and the dense layer, as the
literature on this space counts; pooling, adding, batch norm and ReLU are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harness_nasbench.formats.darts_cells import OPERATIONS

OPS: Final = OPERATIONS
CELL_NODES: Final = 15
"""Two inputs; two operations and their addition for each of four nodes; the output."""
OPERATION_NODES: Final = np.array([2, 3, 5, 6, 8, 9, 11, 12])
_STEM_WIDTH, _CLASSES, _IMAGE = 3, 10, 32

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Position:
    """One cell of the network: channels of what it reads (before last, last), its own, and the pixels of its inputs."""

    reduction: bool
    before_last: int
    last: int
    channels: int
    pixels: int


def network(layers: int, channels: int, nodes: int = 4) -> list[Position]:
    """The cells from first to last; each concatenates so many intermediate nodes."""
    found: list[Position] = []
    before_last = last = _STEM_WIDTH * channels
    pixels = _IMAGE**2
    for layer in range(layers):
        reduction = layer in (layers // 3, 2 * layers // 3)
        channels *= 1 + reduction
        found.append(Position(reduction, before_last, last, channels, pixels))
        before_last, last = last, nodes * channels
        pixels //= 4 if reduction else 1
    return found


def operation_costs(at: Position) -> tuple[Floats, Floats]:
    """FLOPs and parameters of each operation: [operations, 2], second column where it reads an input of a reduction
    cell and so has stride 2."""
    c = at.channels
    flops, params = np.zeros((len(OPS), 2)), np.zeros((len(OPS), 2))
    inner = at.pixels // 4 if at.reduction else at.pixels
    for i, op in enumerate(OPS):
        if op == "skip_connect":
            # With stride 2 a skip becomes two 1x1 convolutions of half the channels each, and a batch norm.
            flops[i, 1], params[i, 1] = c * c * inner, c * c + 2 * c
        elif "conv" in op:
            times = 2 if op.startswith("sep") else 1
            depthwise = int(op[-1]) ** 2 * c
            # The first depthwise convolution takes the stride, so that all of it runs on the small map.
            flops[i, :] = times * (depthwise + c * c) * inner
            params[i, :] = times * (depthwise + c * c + 2 * c)
    return flops, params


def input_costs(at: Position) -> tuple[Floats, Floats]:
    """FLOPs and parameters of the 1x1 convolutions that bring both inputs to the cell's channels: [2] each."""
    flops = np.array([at.before_last, at.last], dtype=np.float64) * at.channels * at.pixels
    params = np.array([at.before_last, at.last], dtype=np.float64) * at.channels + 2 * at.channels
    return flops, params


def cell_costs(ops: Ints, strided: npt.NDArray[np.bool_], positions: list[Position]) -> tuple[Floats, Floats]:
    """FLOPs and parameters of each node at each position, float64 [n, positions, 15].

    ops: int64 [n, 8], indices into `OPS`; strided: bool [n, 8], whether the operation reads an input of the cell. The
    1x1 convolution on an input is charged to the input's node; additions and the output cost nothing.
    """
    flops = np.zeros((len(ops), len(positions), CELL_NODES))
    params = np.zeros_like(flops)
    for i, at in enumerate(positions):
        stride = (strided & at.reduction).astype(np.int64)
        for array, of_op, of_input in zip((flops, params), operation_costs(at), input_costs(at), strict=True):
            array[:, i, :2] = of_input
            array[:, i, OPERATION_NODES] = of_op[ops, stride]
    return flops, params


def skeleton_costs(layers: int, channels: int, nodes: int = 4) -> tuple[float, float]:
    """FLOPs and parameters of stem and dense layer."""
    stem = _STEM_WIDTH * channels
    wide = nodes * network(layers, channels, nodes)[-1].channels
    return 27.0 * stem * _IMAGE**2 + wide * _CLASSES, 27.0 * stem + 2 * stem + wide * _CLASSES + _CLASSES
