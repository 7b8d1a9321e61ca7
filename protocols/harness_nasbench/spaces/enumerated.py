"""Spaces small enough to be enumerated: every encoding, its class and its row in tables, computed once a process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness import Architecture, HarnessError, InvalidArchitecture, SearchSpace

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Enumeration:
    """All N valid encodings of a space, in lexicographic order.

    encodings: int64 [N, choices]. class_of: int64 [N], 0 <= class < classes. keys: one string a class.
    representatives: int64 [classes], the encoding that stands for each class.
    """

    encodings: Ints
    class_of: Ints
    keys: tuple[str, ...]
    representatives: Ints

    @cached_property
    def architectures(self) -> list[Architecture]:
        return list(zip(*self.encodings.T.tolist(), strict=True))

    @cached_property
    def index(self) -> dict[Architecture, int]:
        """Position of each encoding. A query does this look-up alone."""
        return {arch: i for i, arch in enumerate(self.architectures)}

    @cached_property
    def row_of_class(self) -> dict[Architecture, int]:
        """Class of each encoding, for tables that have one row a class."""
        return dict(zip(self.architectures, self.class_of.tolist(), strict=True))

    @cached_property
    def class_sizes(self) -> Ints:
        """int64 [classes]."""
        return np.bincount(self.class_of, minlength=len(self.keys))

    @cached_property
    def members(self) -> tuple[Ints, Ints]:
        """Encodings sorted by class, int64 [N], and where each class starts, int64 [classes]."""
        starts = np.concatenate([[0], np.cumsum(self.class_sizes)[:-1]])
        return np.argsort(self.class_of, kind="stable"), starts


class EnumeratedSpace(SearchSpace):
    """A space over an `Enumeration`. ``rows_are_classes``: whether isomorphic architectures share one row.

    Laws: ``encodings``, uniform over valid encodings; ``classes``, uniform over classes and then over the class's
    encodings; ``rows`` where rows are classes: uniform over classes, each by its representative.
    """

    rows_are_classes: bool = False

    @property
    def enumeration(self) -> Enumeration:
        """The enumeration. All instances of the space in a process share it."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        return len(self.enumeration.encodings)

    @property
    def row_index(self) -> dict[Architecture, int]:
        """Row of every valid architecture."""
        return self.enumeration.row_of_class if self.rows_are_classes else self.enumeration.index

    @cached_property
    def row_architectures(self) -> Sequence[Architecture]:
        """One architecture per row."""
        every = self.enumeration
        if not self.rows_are_classes:
            return every.architectures
        return [every.architectures[i] for i in every.representatives.tolist()]

    def law_weights(self, law: str) -> npt.NDArray[np.float64] | None:
        """Probability of each row under ``law``, float64 [rows]; None where it is uniform."""
        every = self.enumeration
        if self.rows_are_classes:
            return every.class_sizes / self.size if law == "encodings" else None
        if law == "classes":
            weights: npt.NDArray[np.float64] = 1.0 / (len(every.keys) * every.class_sizes[every.class_of])
            return weights
        return None

    def is_valid(self, arch: Architecture) -> bool:
        try:
            return isinstance(arch, tuple) and arch in self.enumeration.index
        except TypeError:
            return False

    def check(self, arch: Architecture) -> Architecture:
        every = self.enumeration
        try:
            return every.architectures[every.index[arch]]
        except (KeyError, TypeError):
            raise InvalidArchitecture(self.fault(arch)) from None

    def key(self, arch: Architecture) -> str:
        every = self.enumeration
        try:
            return every.keys[every.row_of_class[arch]]
        except (KeyError, TypeError):
            self.check(arch)
            raise

    def keys(self, archs: Sequence[Architecture]) -> list[str]:
        keys, classes = self.enumeration.keys, self.enumeration.row_of_class
        try:
            return [keys[classes[a]] for a in archs]
        except (KeyError, TypeError):
            for arch in archs:
                self.check(arch)
            raise

    def distinct(self, archs: Sequence[Architecture]) -> int:
        return len(set(map(self.enumeration.row_of_class.__getitem__, archs)))

    def canonical(self, arch: Architecture) -> Architecture:
        every = self.enumeration
        return every.architectures[int(every.representatives[every.row_of_class[self.check(arch)]])]

    def enumerate(self) -> Iterator[Architecture]:
        return iter(self.enumeration.architectures)

    def _sample(self, rng: np.random.Generator, n: int, law: str) -> list[Architecture]:
        every = self.enumeration
        if law == "encodings":
            drawn = rng.integers(0, self.size, size=n)
        elif law == "rows" and self.rows_are_classes:
            drawn = every.representatives[rng.integers(0, len(every.keys), size=n)]
        elif law == "classes":
            classes = rng.integers(0, len(every.keys), size=n)
            order, starts = every.members
            drawn = order[starts[classes] + rng.integers(0, every.class_sizes[classes])]
        else:
            raise HarnessError(f"{self.name} does not draw by the law {law!r}")
        return [every.architectures[i] for i in drawn.tolist()]
