"""The search space contract: what an architecture means, how it is drawn, varied, named and turned into graphs."""

from __future__ import annotations

import copy
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

import numpy as np
import numpy.typing as npt

from harness.errors import HarnessError, InvalidArchitecture
from harness.spaces.graphs import CellBatch, CellGraph, pad
from harness.spaces.script import Architecture, ChoiceScript, Script

SETS = ("name", "choices", "operations")
"""What a subclass of `SearchSpace` has to set."""
LAWS = ("encodings", "rows", "classes", "official")
_ENUMERABLE = 2_000_000


def scalar_rng(rng: np.random.Generator) -> random.Random:
    """A `random.Random` seeded from ``rng``: scalar draws at a fifth of the cost of numpy's generator."""
    return random.Random(int(rng.integers(0, 2**63)))


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision of a space: its name and the names of its options."""

    name: str
    options: tuple[str, ...]


def under_law(space: SearchSpace, law: str) -> SearchSpace:
    """The same space with ``law`` as its default."""
    if law == space.default_law:
        return space
    if law not in space.laws:
        raise HarnessError(f"{space.name} has no law {law!r}; it has {', '.join(space.laws)}")
    found = copy.copy(space)
    found.default_law = law
    return found


def grouped(archs: Sequence[Architecture], names: Sequence[str]) -> dict[str, list[Architecture]]:
    """The architectures of each name, names in the order in which they first come."""
    found: dict[str, list[Architecture]] = {}
    for arch, name in zip(archs, names, strict=True):
        found.setdefault(name, []).append(arch)
    return found


class SearchSpace(ABC):
    """A set of architectures: a fixed list of choices, each with named options.

    An architecture is ``tuple[int, ...]``, one option index per choice. Subclasses set ``name``, ``choices``,
    ``operations`` (the node vocabulary of `graph`, input and output included) and implement `key`, `graph`,
    `describe` and `parse`; everything else has a correct default that a subclass may make faster.
    Instances are immutable after construction and hold no score.
    """

    name: str
    choices: tuple[Choice, ...]
    operations: tuple[str, ...]
    cells: int = 1
    """Number of distinct cells, the length of what `graph` returns."""
    max_nodes: int
    """Nodes of the largest cell graph."""
    laws: tuple[str, ...] = ("encodings",)
    default_law: str = "encodings"
    key_differs: str = ""
    """How and why a benchmark's own key differs from isomorphism of the pruned graphs; empty where it does not."""
    all_valid: bool = True
    """Whether every encoding is valid; the fast paths then skip `is_valid`."""

    # -- what an architecture is ------------------------------------------------------------------------------------

    @cached_property
    def radices(self) -> tuple[int, ...]:
        """Number of options of each choice."""
        return tuple(len(c.options) for c in self.choices)

    @property
    def size(self) -> int | None:
        """Number of valid architectures (encodings); None where it is not known."""
        return prod(self.radices) if self.all_valid else None

    def is_valid(self, arch: Architecture) -> bool:
        """Whether ``arch`` is of this space. False, never an error, for anything else."""
        return self._is_encoding(arch)

    def fault(self, arch: object) -> str:
        """One sentence: why ``arch``, which is not of this space, is none."""
        return f"{arch!r} is not an architecture of {self.name}: {self._fault(arch)}"

    def _fault(self, arch: object) -> str:
        n = len(self.radices)
        if not isinstance(arch, tuple):
            made = ": write tuple(...)" if isinstance(arch, (list, np.ndarray)) else ""
            return f"it is a {type(arch).__name__}, not a tuple of option indices{made}"
        if len(arch) != n:
            of_several = bool(arch) and all(self._is_encoding(a) for a in arch)
            return (
                f"it is a tuple of {len(arch)} architectures: pass one, or all of them to query_many"
                if of_several
                else f"it has {len(arch)} options, and the space has {n} choices"
            )
        for choice, a, k in zip(self.choices, arch, self.radices, strict=True):
            if isinstance(a, (int, np.integer)):
                if not 0 <= a < k:
                    return f"option {a} of the choice {choice.name!r} is not between 0 and {k - 1}"
            elif not (isinstance(a, (float, np.floating)) and a in range(k)):
                return f"{a!r} for the choice {choice.name!r} is a {type(a).__name__}, not the index of an option"
        return "each option exists, but the space does not allow all of them together"

    def _is_encoding(self, arch: object) -> bool:
        if not isinstance(arch, tuple) or len(arch) != len(self.radices):
            return False
        for a, k in zip(arch, self.radices, strict=True):
            if type(a) is int:  # stands on the per-query path
                if not 0 <= a < k:
                    return False
            else:
                try:
                    if not (0 <= a < k and int(a) == a):
                        return False
                except (TypeError, ValueError):
                    return False
        return True

    def check(self, arch: Architecture) -> Architecture:
        """``arch`` with plain ints; raises InvalidArchitecture where it is not of this space."""
        if not self.is_valid(arch):
            raise InvalidArchitecture(self.fault(arch))
        return tuple(map(int, arch))

    def as_array(self, archs: Sequence[Architecture]) -> npt.NDArray[np.int64]:
        """int64 [n, choices]; also for n = 0."""
        return np.array(archs, dtype=np.int64).reshape(len(archs), len(self.choices))

    @abstractmethod
    def key(self, arch: Architecture) -> str:
        """A string equal for isomorphic architectures and only for them."""

    def keys(self, archs: Sequence[Architecture]) -> list[str]:
        """`key` of each."""
        return [self.key(a) for a in archs]

    def distinct(self, archs: Sequence[Architecture]) -> int:
        """How many keys they have."""
        return len(set(self.keys(archs)))

    def canonical(self, arch: Architecture) -> Architecture:
        """The encoding that is trained in place of ``arch``. A space may give one encoding for all of a key.

        By default ``arch`` itself, so that isomorphic architectures are trained apart.
        """
        return self.check(arch)

    @abstractmethod
    def describe(self, arch: Architecture) -> str:
        """The architecture in the benchmark's own notation, the inverse of `parse`."""

    @abstractmethod
    def parse(self, text: str) -> Architecture:
        """The architecture that ``text`` describes. Raises InvalidArchitecture."""

    # -- how architectures are drawn and varied ---------------------------------------------------------------------

    def sample(self, rng: np.random.Generator, n: int, law: str | None = None) -> list[Architecture]:
        """n architectures drawn independently (with replacement) under ``law`` (default: ``default_law``)."""
        law = law or self.default_law
        if law not in self.laws:
            raise HarnessError(f"{self.name} has no law {law!r}; it has {', '.join(self.laws)}")
        return self._sample(rng, n, law)

    def _sample(self, rng: np.random.Generator, n: int, law: str) -> list[Architecture]:
        if law != "encodings":
            raise NotImplementedError(f"{type(self).__name__} names the law {law!r} but does not draw by it")
        found: list[Architecture] = []
        for _ in range(10_000):
            draws = rng.integers(0, self.radices, size=(max(n - len(found), 1), len(self.radices)))
            rows = [tuple(row) for row in draws.tolist()]
            found += rows if self.all_valid else [a for a in rows if self.is_valid(a)]
            if len(found) >= n:
                return found[:n]
        raise HarnessError(f"{self.name}: fewer than {n} of the drawn encodings are valid")

    def mutate(self, arch: Architecture, rng: random.Random) -> Architecture:
        """A valid architecture that differs from ``arch`` in one uniformly drawn choice, redrawn until valid."""
        radices = self.radices
        d = len(radices)
        for _ in range(1000):
            i = int(rng.random() * d)
            k = radices[i]
            if k == 1:
                continue
            o = int(rng.random() * (k - 1))
            child = arch[:i] + (o + (o >= arch[i]),) + arch[i + 1 :]  # noqa: RUF005 (a third faster than unpacking)
            if self.all_valid or self.is_valid(child):
                return child
        raise HarnessError(f"{self.name}: no valid mutation of {self.describe(arch)} in 1000 draws")

    def crossover(self, a: Architecture, b: Architecture, rng: random.Random) -> Architecture:
        """Uniform crossover, redrawn up to 50 times until valid; then ``a``."""
        for _ in range(50):
            child = tuple(x if rng.random() < 0.5 else y for x, y in zip(a, b, strict=True))
            if self.all_valid or self.is_valid(child):
                return child
        return a

    def neighbours(self, arch: Architecture) -> list[Architecture]:
        """Every valid architecture that differs from ``arch`` in one choice, in a fixed order."""
        found = [(*arch[:i], o, *arch[i + 1 :]) for i, k in enumerate(self.radices) for o in range(k) if o != arch[i]]
        return found if self.all_valid else [a for a in found if self.is_valid(a)]

    def enumerate(self) -> Iterator[Architecture]:
        """Every valid architecture, in lexicographic order. Raises HarnessError beyond 2 million encodings."""
        if prod(self.radices) > _ENUMERABLE:
            raise HarnessError(f"{self.name} has {prod(self.radices):.3g} encodings, too many to enumerate")
        for arch in product(*(range(k) for k in self.radices)):
            if self.all_valid or self.is_valid(arch):
                yield arch

    # -- what strategies learn from ---------------------------------------------------------------------------------

    @abstractmethod
    def graph(self, arch: Architecture, *, pruned: bool = True) -> tuple[CellGraph, ...]:
        """One DAG per distinct cell, nodes in topological order, input first and output last.

        By default without nodes that lie on no input-output path; ``pruned=False`` for the cell as written. A cell
        with no input-output path keeps its inputs and its output, without edges.
        """

    def graphs(self, archs: Sequence[Architecture], *, pruned: bool = True) -> tuple[CellBatch, ...]:
        """`graph` of each, padded at the end to ``max_nodes``: one batch per distinct cell."""
        found = [self.graph(a, pruned=pruned) for a in archs]
        return tuple(pad([g[c] for g in found], self.max_nodes) for c in range(self.cells))

    def partial_graphs(self, taken: npt.NDArray[np.int64]) -> tuple[CellBatch, ...]:
        """Graphs of unfinished encodings, int64 [n, choices] with -1 for open choices (the default script's view).

        The default shows each choice as a node in a chain; a space whose graph says more overrides it.
        """
        n, d = taken.shape
        ops = np.where(taken >= 0, taken, -1)
        adjacency = np.zeros((n, d, d), dtype=np.bool_)
        adjacency[:, np.arange(d - 1), np.arange(1, d)] = True
        return (CellBatch(ops, adjacency),)

    @cached_property
    def scripts(self) -> Mapping[str, Script]:
        """Ways to build architectures step by step; ``default`` everywhere: the choices in their order."""
        number = {name: i for i, name in enumerate(self.operations)}
        all_operations = all(number.keys() >= set(choice.options) for choice in self.choices)
        return {
            "default": ChoiceScript(
                self.radices,
                is_valid=self.is_valid,
                partial=self.partial_graphs,
                option_ops=[np.array([number[o] for o in c.options]) for c in self.choices] if all_operations else None,
            )
        }

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, npt.NDArray[np.float64]]:
        """What is known of each network before training: ``params`` and ``flops``, float64 [n] each; may be empty."""
        return {}
