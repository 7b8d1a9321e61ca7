"""A space restricted to a part of its architectures: those that a table holds, or those of fewer options."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from math import prod

import numpy as np

from harness.errors import HarnessError, InvalidArchitecture
from harness.spaces.base import SearchSpace
from harness.spaces.graphs import CellBatch, CellGraph
from harness.spaces.script import Architecture, ChoiceScript, Script


class _Within(SearchSpace):
    """A part of ``parent``: the same encodings, fewer of them valid."""

    all_valid = False

    def __init__(self, parent: SearchSpace) -> None:
        self.parent = parent
        self.choices, self.operations = parent.choices, parent.operations
        self.cells, self.max_nodes = parent.cells, parent.max_nodes

    def key(self, arch: Architecture) -> str:
        return self.parent.key(arch)

    def keys(self, archs: Sequence[Architecture]) -> list[str]:
        return self.parent.keys(archs)

    def canonical(self, arch: Architecture) -> Architecture:
        """The parent's canonical encoding, which need not be in this part."""
        return self.parent.canonical(arch)

    def describe(self, arch: Architecture) -> str:
        return self.parent.describe(arch)

    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        return self.parent.graph(arch, pruned=pruned)

    def graphs(self, archs: Sequence[Architecture], *, pruned: bool = True) -> tuple[CellBatch, ...]:
        return self.parent.graphs(archs, pruned=pruned)

    def costs(self, archs: Sequence[Architecture]) -> dict[str, np.ndarray]:
        return dict(self.parent.costs(archs))

    @cached_property
    def scripts(self) -> Mapping[str, Script]:
        """``default`` alone: one decision a choice, masked to what has a completion in this part."""
        partial = self.parent.partial_graphs
        return {"default": ChoiceScript(self.radices, is_valid=self.is_valid, partial=partial, dead=self._dead)}

    @abstractmethod
    def _dead(self, prefixes: np.ndarray, step: int) -> np.ndarray:
        """The options that leave no valid completion of each prefix, bool [n, options]."""


class FewerOptions(_Within):
    """``parent`` without some options, wherever a choice has them. Law ``encodings``: choices uniform over the rest.

    A subclass names it. The parent's encodings must all be valid. Raises HarnessError where a choice would have no
    option.
    """

    def __init__(self, parent: SearchSpace, without: Collection[str]) -> None:
        super().__init__(parent)
        self._kept = [[i for i, o in enumerate(c.options) if o not in without] for c in parent.choices]
        if not all(self._kept):
            raise HarnessError(f"{parent.name} without {', '.join(sorted(without))} has a choice with no option left")
        self._sets = [frozenset(k) for k in self._kept]

    @property
    def size(self) -> int | None:
        return prod(map(len, self._kept))

    def is_valid(self, arch: Architecture) -> bool:
        return self._is_encoding(arch) and all(a in kept for a, kept in zip(arch, self._sets, strict=True))

    def parse(self, text: str) -> Architecture:
        return self.check(self.parent.parse(text))

    def _sample(self, rng: np.random.Generator, n: int, law: str) -> list[Architecture]:
        columns = [np.array(kept)[rng.integers(0, len(kept), n)] for kept in self._kept]
        return [tuple(row) for row in np.stack(columns, axis=1).tolist()]

    def _dead(self, prefixes: np.ndarray, step: int) -> np.ndarray:
        gone = ~np.isin(np.arange(self.radices[step]), self._kept[step])
        return np.tile(gone, (len(prefixes), 1))


class RestrictedSpace(_Within):
    """``parent``, with only the given architectures valid. Law ``rows``: uniform over them."""

    laws = ("rows",)
    default_law = "rows"

    def __init__(self, parent: SearchSpace, rows: Sequence[Architecture]) -> None:
        if not rows:
            raise HarnessError(f"{parent.name} cannot be restricted to no architecture at all")
        super().__init__(parent)
        self.name = parent.name
        self._rows = [parent.check(a) for a in rows]
        self._members = frozenset(self._rows)

    @property
    def size(self) -> int | None:
        return len(self._members)

    def is_valid(self, arch: Architecture) -> bool:
        return self._is_encoding(arch) and arch in self._members

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

    @cached_property
    def _beginnings(self) -> frozenset[Architecture]:
        """All prefixes of the given architectures."""
        return frozenset(arch[:length] for arch in self._members for length in range(1, len(arch) + 1))

    def _dead(self, prefixes: np.ndarray, step: int) -> np.ndarray:
        options = range(self.radices[step])
        found = [[(*prefix, option) not in self._beginnings for option in options] for prefix in prefixes.tolist()]
        return np.array(found, dtype=np.bool_).reshape(len(found), len(options))

    def enumerate(self) -> Iterator[Architecture]:
        return iter(sorted(self._members))
