"""A space restricted to a part of its architectures: those that a table holds."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from harness.errors import HarnessError, InvalidArchitecture
from harness.spaces.base import SearchSpace
from harness.spaces.graphs import CellBatch, CellGraph
from harness.spaces.script import Architecture, ChoiceScript, Script, dead_ends


class RestrictedSpace(SearchSpace):
    """``parent``, with only the given architectures valid. The encodings stay. Law ``rows``: uniform over them."""

    laws = ("rows",)
    default_law = "rows"
    all_valid = False

    def __init__(self, parent: SearchSpace, rows: Sequence[Architecture]) -> None:
        if not rows:
            raise HarnessError(f"{parent.name} cannot be restricted to no architecture at all")
        self.parent, self.name = parent, parent.name
        self.choices, self.operations = parent.choices, parent.operations
        self.cells, self.max_nodes = parent.cells, parent.max_nodes
        self._rows = [parent.check(a) for a in rows]
        self._members = frozenset(self._rows)

    @property
    def size(self) -> int | None:
        return len(self._members)

    def is_valid(self, arch: Architecture) -> bool:
        return self._is_encoding(arch) and arch in self._members

    def key(self, arch: Architecture) -> str:
        return self.parent.key(arch)

    def keys(self, archs: Sequence[Architecture]) -> list[str]:
        return self.parent.keys(archs)

    def canonical(self, arch: Architecture) -> Architecture:
        """The parent's canonical encoding, which need not be in this part."""
        return self.parent.canonical(arch)

    def describe(self, arch: Architecture) -> str:
        return self.parent.describe(arch)

    def parse(self, text: str) -> Architecture:
        arch = self.parent.parse(text)
        if arch not in self._members:
            raise InvalidArchitecture(f"{text!r} is not among the {len(self._members)} architectures of this table")
        return arch

    def _sample(self, rng: np.random.Generator, n: int, law: str) -> list[Architecture]:
        return [self._rows[i] for i in rng.integers(0, len(self._rows), size=n)]

    def mutate(self, arch: Architecture, rng: random.Random) -> Architecture:
        near = self.neighbours(arch)
        rows = near or [row for row in self._rows if row != arch] or [arch]
        return rows[int(rng.random() * len(rows))]

    def enumerate(self) -> Iterator[Architecture]:
        return iter(sorted(self._members))

    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        return self.parent.graph(arch, pruned=pruned)

    def graphs(self, archs: Sequence[Architecture], *, pruned: bool = True) -> tuple[CellBatch, ...]:
        return self.parent.graphs(archs, pruned=pruned)

    def costs(self, archs: Sequence[Architecture]) -> dict[str, np.ndarray]:
        return dict(self.parent.costs(archs))

    @cached_property
    def scripts(self) -> Mapping[str, Script]:
        """``default`` alone: one decision a choice, masked to what has a completion in this part."""
        script = ChoiceScript(
            self.radices, is_valid=self.is_valid, partial=self.parent.partial_graphs,
            dead=dead_ends(self._members, self.radices),
        )  # fmt: skip
        return {"default": script}
