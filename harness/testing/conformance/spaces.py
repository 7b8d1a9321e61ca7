"""Space checks: architectures, keys, graphs, notation, variation, laws."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from harness.errors import HarnessError, InvalidArchitecture
from harness.spaces import LAWS, Architecture, CellGraph, RestrictedSpace, SearchSpace, on_path
from harness.spaces.base import SETS
from harness.testing.conformance.isomorphism import Colouring, computation, isomorphic
from harness.testing.conformance.report import Failed, Skipped, check, expect, expect_refusal

SMALL = 20_000
"""Encodings up to which every architecture is looked at."""
_DRAWN = 1_000


class SpaceSubject:
    """A space under check, with architectures to look at: all where it is small, else drawn ones and neighbours.

    Raises Failed where it is no space, or does not set what a space sets.
    """

    def __init__(self, space: SearchSpace) -> None:
        expect(isinstance(space, SearchSpace), f"it is {space!r}, which is no SearchSpace")
        lacking = [name for name in SETS if not hasattr(space, name)]
        expect(not lacking, f"it sets no {', '.join(lacking)}")
        self.space = space
        self.encodings = math.prod(space.radices)

    @property
    def small(self) -> bool:
        return self.encodings <= SMALL

    @cached_property
    def everything(self) -> list[Architecture]:
        """Every valid architecture. Raises Skipped where they are too many."""
        if not self.small:
            raise Skipped(f"{self.encodings:.3g} encodings are too many to look at each")
        return list(self.space.enumerate())

    @cached_property
    def drawn(self) -> list[Architecture]:
        """A thousand, under the default law."""
        return self.space.sample(np.random.default_rng(0), _DRAWN)

    @cached_property
    def pool(self) -> list[Architecture]:
        """Distinct architectures with many near relatives among them."""
        if self.small:
            return self.everything
        found = dict.fromkeys(self.drawn)
        for arch in self.drawn[:25]:
            found.update(dict.fromkeys(self.space.neighbours(arch)[:60]))
        return list(found)

    @cached_property
    def cells(self) -> list[tuple[CellGraph, ...]]:
        """The pruned graphs of `pool`."""
        return [self.space.graph(a) for a in self.pool]

    @cached_property
    def colours(self) -> list[list[list[int]]]:
        """Node colours of `cells`."""
        colouring = Colouring()
        return [[colouring(cell) for cell in cells] for cells in self.cells]

    def isomorphic(self, i: int, j: int) -> bool:
        """Whether all cells of two architectures of `pool` are."""
        parts = zip(self.cells[i], self.cells[j], self.colours[i], self.colours[j], strict=True)
        return all(isomorphic(*part) for part in parts)


@check("space", "it is described completely")
def described(subject: SpaceSubject) -> None:
    """Name, choices with at least one option each and distinct names, node vocabulary, sizes."""
    space = subject.space
    expect(isinstance(space.name, str) and space.name, "it has no name")
    expect(space.choices, "it has no choices")
    names = [c.name for c in space.choices]
    expect(len(set(names)) == len(names), "two choices have the same name")
    for choice in space.choices:
        expect(len(set(choice.options)) == len(choice.options) > 0, f"options of {choice.name!r}: {choice.options}")
    expect(len(set(space.operations)) == len(space.operations) > 0, f"its operations are {space.operations}")
    expect(space.cells >= 1, f"it has {space.cells} cells")


@check("space", "is_valid tells architectures from anything else")
def membership(subject: SpaceSubject) -> None:
    """Drawn architectures are valid; other lengths, options, types are not, and raise nothing. ``size`` counts them."""
    space, arch = subject.space, subject.drawn[0]
    for drawn in subject.drawn:
        expect(space.is_valid(drawn), f"it draws {drawn!r}, which it calls invalid")
        expect(type(drawn) is tuple and all(type(x) is int for x in drawn), f"{drawn!r} is no tuple of plain ints")
    wrong: list[Any] = [
        arch[:-1], (*arch, 0), (), None, 3, "x" * len(arch), list(arch), (space.radices[0], *arch[1:]), (-1, *arch[1:]),
        (0.5, *arch[1:]), (None, *arch[1:]), ("a", *arch[1:]),
    ]  # fmt: skip
    for other in wrong:
        expect(space.is_valid(other) is False, f"is_valid({other!r}) is {space.is_valid(other)!r}")
        why = f"check({other!r}) does not raise InvalidArchitecture"
        expect_refusal(InvalidArchitecture, why, space.check, other)
    if subject.small:
        expect(space.size in (None, len(subject.everything)), f"size is {space.size}, not {len(subject.everything)}")


@check("space", "every law is named and draws valid architectures")
def laws(subject: SpaceSubject) -> None:
    """Laws are of the known names; each draws n valid architectures that the generator alone decides; others raise."""
    space = subject.space
    expect(set(space.laws) <= set(LAWS), f"laws are {space.laws}; known: {LAWS}")
    expect(space.default_law in space.laws, f"the default law {space.default_law!r} is not among {space.laws}")
    for law in space.laws:
        a, b, c = (space.sample(np.random.default_rng(s), 200, law) for s in (0, 0, 1))
        expect(len(a) == 200, f"law {law!r}: asked for 200, drew {len(a)}")
        expect(all(space.is_valid(x) for x in a), f"law {law!r} draws invalid architectures")
        expect(a == b, f"law {law!r}: the same generator state drew other architectures")
        expect(a != c, f"law {law!r}: another seed drew the same 200 architectures")
        expect(space.sample(np.random.default_rng(0), 0, law) == [], f"law {law!r}: drawing none is not []")
    expect(space.sample(np.random.default_rng(0), 50) == space.sample(np.random.default_rng(0), 50, space.default_law),
           "without a law it does not draw by its default law")  # fmt: skip
    why = "an unknown law does not raise HarnessError"
    expect_refusal(HarnessError, why, space.sample, np.random.default_rng(0), 1, "no such law")


@check("space", "every architecture can be drawn")
def drawable(subject: SpaceSubject) -> str:
    """Of at most 2,000 architectures, each (under other laws than encodings, each key) is drawn: a uniform law misses
    one with probability below 0.0001.
    """
    space = subject.space
    everything = subject.everything
    if len(everything) > 2_000:
        raise Skipped(f"{len(everything)} architectures are too many to wait for each")
    n = math.ceil(len(everything) * (math.log(len(everything)) + 10))
    tried = []
    for law in space.laws:
        if law == "official":
            continue
        tried.append(law)
        drawn = set(space.sample(np.random.default_rng(2), n, law))
        if law == "encodings":
            missed = len(set(everything) - drawn)
        else:
            missed = len(set(space.keys(everything)) - set(space.keys(sorted(drawn))))
        expect(not missed, f"law {law!r}: {missed} of {len(everything)} were not drawn in {n}")
    return f"{len(everything)} architectures, {n} draws under {', '.join(tried)}"


@check("space", "keys tell isomorphic architectures from others")
def keys(subject: SpaceSubject) -> str:
    """On all architectures of a small space, else on drawn ones and neighbours: isomorphic pruned graphs (exact test)
    have equal keys; equal keys have isomorphic graphs, or graphs that compute the same once identities are contracted
    and shared nodes unfolded. Cells that carry nothing are left out. Says nothing of pairs that it did not see.
    Where the space says in ``key_differs`` how a benchmark's own key differs, the pairs are counted, not judged.
    """
    space = subject.space
    found = space.keys(subject.pool)
    expect(all(type(k) is str for k in found), "a key is no str")
    expect(found == space.keys(subject.pool), "a second call gave other keys")
    same, merged, foreign = _within_keys(subject, found)
    split = _between_keys(subject, found)
    seen = f"{len(found)} architectures, {len(set(found))} keys"
    if space.key_differs:
        raise Skipped(
            f"{space.key_differs} ({seen}; {len(foreign)} share a key with a network that differs, "
            f"{len(split)} keys have an isomorphic graph under another key)"
        )
    for pairs, what in ((foreign, "share a key and are not the same network"), (split, "are isomorphic; keys differ")):
        if pairs:
            a, b = (space.describe(subject.pool[i]) for i in pairs[0])
            raise Failed(f"{a} and {b} {what} ({len(pairs)} such)")
    return f"{seen}; of those that share one, {same} with an isomorphic graph, {merged} with the same computation"


@check("space", "the canonical encoding is of the same key")
def canonical(subject: SpaceSubject) -> str:
    """On all architectures of a small space, else on drawn ones: valid, of the same key, and its own canonical one."""
    space = subject.space
    found = [space.canonical(a) for a in subject.pool]
    for arch, chosen in zip(subject.pool, found, strict=True):
        expect(space.is_valid(chosen), f"canonical({arch}) is {chosen}, which is not of the space")
        expect(space.canonical(chosen) == chosen, f"canonical({chosen}) is not itself, but it is canonical({arch})")
    expect(space.keys(found) == space.keys(subject.pool), "the canonical encoding has another key")
    return f"{len(set(subject.pool))} architectures are trained as {len(set(found))}"


Pair = tuple[int, int]


def _within_keys(subject: SpaceSubject, keys: Sequence[str]) -> tuple[int, int, list[Pair]]:
    """Against the first of each key: how many are isomorphic, how many only compute the same, and the other pairs."""
    operations, cells = subject.space.operations, subject.cells
    first: dict[str, int] = {}
    same = merged = 0
    foreign: list[Pair] = []
    for i, key in enumerate(keys):
        one = first.setdefault(key, i)
        if one == i:
            continue
        if subject.isomorphic(one, i):
            same += 1
        elif [computation(c, operations) for c in cells[one]] == [computation(c, operations) for c in cells[i]]:
            merged += 1
        else:
            foreign.append((one, i))
    return same, merged, foreign


def _between_keys(subject: SpaceSubject, keys: Sequence[str]) -> list[Pair]:
    """Pairs of first architectures of two keys whose graphs are isomorphic, and carry something."""
    alike: dict[Any, list[int]] = {}
    for i in {key: i for i, key in reversed(list(enumerate(keys)))}.values():
        if any(c.adjacency.any() for c in subject.cells[i]):
            alike.setdefault(tuple(tuple(sorted(x)) for x in subject.colours[i]), []).append(i)
    return [
        (other, i)
        for members in alike.values()
        for position, i in enumerate(members)
        for other in members[:position]
        if subject.isomorphic(other, i)
    ]


@check("space", "describe and parse are each other's inverse")
def notation(subject: SpaceSubject) -> None:
    """On all architectures of a small space, else on drawn ones; what is no architecture raises InvalidArchitecture."""
    space = subject.space
    texts = [space.describe(a) for a in subject.pool]
    for arch, text in zip(subject.pool, texts, strict=True):
        expect(space.parse(text) == arch, f"{arch} is described as {text!r}, which is parsed as {space.parse(text)}")
    expect(len(set(texts)) == len(texts), "two architectures have the same description")
    for text in ("", "not an architecture", texts[0] + "?", texts[0][: len(texts[0]) // 2]):
        why = f"parse({text!r}) does not raise InvalidArchitecture"
        expect_refusal(InvalidArchitecture, why, space.parse, text)


@check("space", "graphs are well formed")
def graphs(subject: SpaceSubject) -> None:
    """One DAG a cell in topological order, operations of the vocabulary, at most ``max_nodes``; pruned graphs hold
    only nodes on a path from a source to the output, or no edge at all.
    """
    space = subject.space
    for arch, pruned in zip(subject.pool, subject.cells, strict=True):
        for cells in (pruned, space.graph(arch, pruned=False)):
            expect(isinstance(cells, tuple) and len(cells) == space.cells, f"{arch}: not {space.cells} cells")
            for cell in cells:
                where = f"{space.describe(arch)}: "
                expect(not np.tril(cell.adjacency).any(), where + "its adjacency is not strictly upper triangular")
                expect(((cell.ops >= 0) & (cell.ops < len(space.operations))).all(), where + "an unknown operation")
                expect(cell.nodes <= space.max_nodes, where + f"{cell.nodes} nodes, more than {space.max_nodes}")
        for cell in pruned:
            sources = [i for i in range(cell.nodes) if not cell.adjacency[:, i].any()]
            used = on_path(cell.adjacency, sources, cell.nodes - 1)
            dangling = cell.adjacency.any(axis=1) & ~used
            expect(not dangling.any(), f"{space.describe(arch)}: a pruned graph has nodes that do not reach the output")


@check("space", "a batch equals its architectures one by one")
def batches(subject: SpaceSubject) -> None:
    """keys and their number, graphs (pruned and not) and costs of 100 architectures, and of none."""
    space, archs = subject.space, subject.pool[:: max(len(subject.pool) // 100, 1)]
    expect(space.keys(archs) == [space.key(a) for a in archs], "keys differ")
    expect(space.keys([]) == [], "keys([]) is not []")
    twice = [*archs, *archs]
    expect(space.distinct(twice) == len(set(space.keys(archs))), "distinct counts other keys than keys gives")
    for pruned in (True, False):
        batch = space.graphs(archs, pruned=pruned)
        expect(len(batch) == space.cells, f"graphs gives {len(batch)} batches for {space.cells} cells")
        for c, cells in enumerate(batch):
            for i, arch in enumerate(archs):
                one = space.graph(arch, pruned=pruned)[c]
                v = one.nodes
                where = f"graphs differ for {space.describe(arch)}"
                expect((cells.ops[i, :v] == one.ops).all() and (cells.ops[i, v:] == -1).all(), where)
                expect((cells.adjacency[i, :v, :v] == one.adjacency).all(), where)
                expect(cells.adjacency[i].sum() == one.adjacency.sum(), where)
                for name in ("flops", "params"):
                    many, single = getattr(cells, name), getattr(one, name)
                    expect((many is None) == (single is None), f"{name} of graphs are there in one form only")
                    if many is not None:
                        expect(np.allclose(many[i][:, :v], single), f"{name} of {where}")
        expect(all(len(b) == 0 for b in space.graphs([], pruned=pruned)), "graphs([]) is not empty")
    costs = space.costs(archs)
    for name, values in costs.items():
        expect(values.shape == (len(archs),) and np.isfinite(values).all(), f"costs of {name!r} are not finite, [n]")
        single = np.array([space.costs([a])[name][0] for a in archs])
        expect(np.allclose(values, single), f"costs of {name!r} differ")
    expect(set(space.costs([])) == set(costs), "costs([]) names other quantities")


@check("space", "mutation, neighbours and crossover stay in the space")
def variation(subject: SpaceSubject) -> None:
    """On 100 architectures: valid results that the generator alone decides; a mutation and a neighbour differ."""
    space, archs = subject.space, subject.drawn[:100]
    streams = [random.Random(1), random.Random(1)]
    for a, b in zip(archs, reversed(archs), strict=True):
        child, again = (space.mutate(a, r) for r in streams)
        expect(space.is_valid(child), f"mutate({a}) gives {child}, which is invalid")
        expect(child != a, f"mutate({a}) gives the same architecture")
        expect(child == again, "mutate draws from something else than its generator")
        mixed, again = (space.crossover(a, b, r) for r in streams)
        expect(space.is_valid(mixed), f"crossover({a}, {b}) gives {mixed}, which is invalid")
        expect(mixed == again, "crossover draws from something else than its generator")
    for a in archs[:20]:
        near = space.neighbours(a)
        expect(len(set(near)) == len(near), f"neighbours of {a} repeat themselves")
        expect(a not in near, f"{a} is among its own neighbours")
        expect(all(space.is_valid(x) for x in near), f"a neighbour of {a} is invalid")
        expect(near == space.neighbours(a), f"neighbours of {a} come in another order the second time")


@check("space", "it can be restricted to a subset")
def restricted(subject: SpaceSubject) -> None:
    """Closed over 20 architectures it draws, mutates and enumerates these alone, and keeps their keys."""
    space = subject.space
    rows = subject.pool[:: max(len(subject.pool) // 20, 1)][:20]
    closed = RestrictedSpace(space, rows)
    expect(closed.size == len(set(rows)), f"restricted to {len(set(rows))}, its size is {closed.size}")
    expect(set(closed.sample(np.random.default_rng(0), 300)) <= set(rows), "it draws others")
    expect(closed.keys(rows) == space.keys(rows), "its keys differ")
    outside = [a for a in subject.drawn if a not in set(rows)]
    expect(not any(closed.is_valid(a) for a in outside), "it calls others valid")
    rng = random.Random(0)
    expect({closed.mutate(a, rng) for a in rows} <= set(rows), "it mutates into others")
