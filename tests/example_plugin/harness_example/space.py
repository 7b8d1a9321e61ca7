"""A search space of the plugin's own: four layers in a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from harness import Architecture, CellBatch, CellGraph, Choice, InvalidArchitecture, SearchSpace

LAYERS = 4
TAPS = {"skip": 0, "filter3": 3, "filter5": 5}


class StackSpace(SearchSpace):
    """Four layers, three operations each: 81 encodings, 31 networks.

    An operation is a filter of three or five taps, or nothing (``skip``).
    Where the skips stand does not matter, so that isomorphic architectures are those with the same filters in the same
    order: 1 + 2 + 4 + 8 + 16 = 31 keys. Skips are no nodes of the pruned graph.
    """

    name = "example-stack"
    choices = tuple(Choice(f"layer {i + 1}", tuple(TAPS)) for i in range(LAYERS))
    operations = ("input", *TAPS, "output")
    max_nodes = LAYERS + 2

    def layers(self, arch: Architecture) -> list[str]:
        """The filters, in order."""
        names = self.choices[0].options
        return [names[o] for o in arch if names[o] != "skip"]

    def key(self, arch: Architecture) -> str:
        return " ".join(self.layers(arch)) or "empty"

    def describe(self, arch: Architecture) -> str:
        return ">".join(choice.options[o] for choice, o in zip(self.choices, arch, strict=True))

    def parse(self, text: str) -> Architecture:
        names = text.split(">")
        if len(names) != LAYERS or not set(names) <= set(TAPS):
            raise InvalidArchitecture(f"{text!r} is not of the form 'filter3>skip>filter5>skip'")
        return tuple(list(TAPS).index(n) for n in names)

    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        names = self.layers(arch) if pruned else [self.choices[0].options[o] for o in arch]
        ops = np.array([self.operations.index(n) for n in ("input", *names, "output")], dtype=np.int64)
        return (CellGraph(ops, np.eye(len(ops), k=1, dtype=np.bool_)),)

    def partial_graphs(self, taken: npt.NDArray[np.int64]) -> tuple[CellBatch, ...]:
        n = len(taken)
        ops = np.full((n, LAYERS + 2), -1, dtype=np.int64)
        ops[:, 0], ops[:, -1] = 0, len(self.operations) - 1
        ops[:, 1:-1] = np.where(taken >= 0, taken + 1, -1)
        return (CellBatch(ops, np.repeat(np.eye(LAYERS + 2, k=1, dtype=np.bool_)[None], n, axis=0)),)

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, npt.NDArray[np.float64]]:
        """``params``: taps and biases."""
        params = [float(sum(TAPS[name] + 1 for name in self.layers(a))) for a in archs]
        return {"params": np.array(params, dtype=np.float64)}
