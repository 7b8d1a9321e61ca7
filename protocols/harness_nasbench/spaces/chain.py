"""The chain space of NAS-Bench-Macro (Su et al., CVPR 2021): eight layers, three blocks each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.errors import InvalidArchitecture
from harness.spaces import PAD, Architecture, CellBatch, CellGraph, Choice, SearchSpace, summed

BLOCKS: Final = ("identity", "mb3_k3", "mb6_k5")
"""Identity, and inverted residuals of expansion 3 and kernel 3, expansion 6 and kernel 5: the benchmark's 0, 1, 2."""
STAGES: Final = (2, 3, 3)
"""Layers of each stage; the first layer of a stage halves the map and doubles the channels."""
LAYERS: Final = sum(STAGES)
_STEM, _IMAGE, _HEAD, _CLASSES = 32, 32, 1280, 10
_EXPANSION_KERNEL = {"mb3_k3": (3, 3), "mb6_k5": (6, 5)}
_NODES: Final = LAYERS + 2
_FIRST: Final = tuple(i == 0 for length in STAGES for i in range(length))

Floats = npt.NDArray[np.float64]


class Layer(NamedTuple):
    """Channels in and out, pixels of the input, and stride."""

    c_in: int
    c_out: int
    pixels: int
    stride: int


def _layers() -> tuple[Layer, ...]:
    found, channels, side = [], _STEM, _IMAGE
    for first in _FIRST:
        stride = 2 if first else 1
        found.append(Layer(channels, channels * stride, side**2, stride))
        channels, side = channels * stride, side // stride
    return tuple(found)


def _block_costs(block: str, at: Layer) -> tuple[int, int]:
    """FLOPs (multiply-adds of convolutions) and parameters of one block."""
    after = at.pixels // at.stride**2
    if block == "identity":
        # Where map or channels change, a 1x1 convolution with batch norm; else nothing.
        return (0, 0) if at.stride == 1 else (at.c_in * at.c_out * after, at.c_in * at.c_out + 2 * at.c_out)
    expansion, kernel = _EXPANSION_KERNEL[block]
    hidden = expansion * at.c_in
    flops = at.c_in * hidden * at.pixels + kernel**2 * hidden * after + hidden * at.c_out * after
    params = at.c_in * hidden + kernel**2 * hidden + hidden * at.c_out + 4 * hidden + 2 * at.c_out
    return flops, params


def _cost_tables() -> tuple[Floats, Floats]:
    """FLOPs and parameters of each block in each layer, float64 [8, 3] each."""
    table = np.array([[_block_costs(block, at) for block in BLOCKS] for at in _layers()], dtype=np.float64)
    return table[..., 0], table[..., 1]


_FLOPS, _PARAMS = _cost_tables()
_LAST = _layers()[-1]
_STEM_COSTS = (27 * _STEM * _IMAGE**2, 27 * _STEM + 2 * _STEM)
_HEAD_COSTS = (
    _LAST.c_out * _HEAD * _LAST.pixels // _LAST.stride**2 + _HEAD * _CLASSES,
    _LAST.c_out * _HEAD + 2 * _HEAD + _HEAD * _CLASSES + _CLASSES,
)


class ChainSpace(SearchSpace):
    """NAS-Bench-Macro: a chain of eight layers, three blocks each.

    Eight digits, one per layer: 0 identity, 1 MB3_K3, 2 MB6_K5, as the benchmark writes them.

    Layers 0, 2 and 5 open a stage: they halve the map and double the channels (32 to 64, 128, 256), so that even
    their identity is a 1x1 convolution. Any other identity does nothing: moving it within its stage gives the same
    network. So the key keeps a stage's first digit and the order of its other digits that are not 0: 3,969 classes of
    6,561 encodings. The benchmark trained each class once, so each key has one row.

    The graph is a chain of ten nodes, one position each: the input, which carries the costs of the stem; the layers;
    the output, which carries those of the 1x1 convolution to 1,280 channels and of the dense layer. FLOPs are
    multiply-adds of convolutions and dense layer, as the benchmark counts; node costs sum to its two columns exactly.
    """

    name = "nasbench-macro"
    choices = tuple(Choice(f"layer_{i}", BLOCKS) for i in range(LAYERS))
    operations = ("input", *BLOCKS, "output")
    max_nodes = _NODES

    def key(self, arch: Architecture) -> str:
        stages, start = [], 0
        for length in STAGES:
            first, *rest = arch[start : start + length]
            stages.append(str(int(first)) + "".join(str(int(block)) for block in rest if block))
            start += length
        return ".".join(stages)

    def canonical(self, arch: Architecture) -> Architecture:
        """Identities moved to the end of their stage, as the benchmark trained them."""
        found: list[int] = []
        for length in STAGES:
            first, *rest = arch[len(found) : len(found) + length]
            kept = [block for block in rest if block]
            found += [first, *kept, *[0] * (len(rest) - len(kept))]
        return tuple(found)

    def describe(self, arch: Architecture) -> str:
        return "".join(str(int(block)) for block in arch)

    def parse(self, text: str) -> Architecture:
        text = text.strip()
        if len(text) != LAYERS or not set(text) <= {"0", "1", "2"}:
            raise InvalidArchitecture(f"not a nasbench-macro architecture, want eight digits of 0, 1, 2: {text!r}")
        return tuple(int(digit) for digit in text)

    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        return (self.graphs([arch])[0].cell(0),)

    def graphs(self, archs: Sequence[Architecture], *, pruned: bool = True) -> tuple[CellBatch, ...]:
        genes = self.as_array(archs)
        costs = []
        for table, stem, head in zip((_FLOPS, _PARAMS), _STEM_COSTS, _HEAD_COSTS, strict=True):
            nodes = np.empty((len(genes), 1, _NODES))
            nodes[:, 0, 0], nodes[:, 0, -1] = stem, head
            nodes[:, 0, 1:-1] = table[np.arange(LAYERS), genes]
            costs.append(nodes)
        (bare,) = self.partial_graphs(genes)
        return (CellBatch(bare.ops, bare.adjacency, *costs),)

    def partial_graphs(self, taken: npt.NDArray[np.int64]) -> tuple[CellBatch, ...]:
        """The chain with the layers decided so far, an operation of -1 for the others."""
        ops = np.full((len(taken), _NODES), PAD, dtype=np.int64)
        ops[:, 0], ops[:, -1] = 0, len(self.operations) - 1
        ops[:, 1:-1] = np.where(taken >= 0, taken + 1, PAD)
        adjacency = np.zeros((len(taken), _NODES, _NODES), dtype=np.bool_)
        adjacency[:, np.arange(_NODES - 1), np.arange(1, _NODES)] = True
        return (CellBatch(ops, adjacency),)

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, Floats]:
        return summed(self.graphs(archs))
