"""Space conformance: the toy spaces pass, and every check fails on a space that breaks its rule."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from harness.errors import InvalidArchitecture
from harness.spaces import CellGraph, Choice, ChoiceScript, RestrictedSpace, SearchSpace
from harness.testing import ToyEdgeSpace, ToyNodeSpace, assert_conforms, check_space
from harness.testing.conformance import CHECKS
from harness.testing.conformance.isomorphism import Colouring, computation, isomorphic
from harness.testing.spaces import _NodeScript


class TwoChoicesOfOneName(ToyEdgeSpace):
    def __init__(self):
        super().__init__()
        self.choices = (*self.choices[:3], Choice("in->a", self.edge_ops))


class TakesLists(ToyNodeSpace):
    def is_valid(self, arch):
        return super().is_valid(tuple(arch) if isinstance(arch, list) else arch)


class RaisesOnNonsense(ToyNodeSpace):
    def is_valid(self, arch):
        return len(arch) == 8 and super().is_valid(arch)


class DrawsNumpyIntegers(ToyEdgeSpace):
    def _sample(self, rng, n, law):
        return [tuple(np.array(a)) for a in super()._sample(rng, n, law)]


class MiscountsItself(ToyNodeSpace):
    @property
    def size(self):
        return 256


class InventsALaw(ToyEdgeSpace):
    laws = ("encodings", "mine")


class DrawsTheSame(ToyEdgeSpace):
    def _sample(self, rng, n, law):
        return super()._sample(np.random.default_rng(0), n, law)


class DrawsTooMany(ToyEdgeSpace):
    def _sample(self, rng, n, law):
        return super()._sample(rng, n + 1, law)


class NeverDrawsOne(ToyNodeSpace):
    def _sample(self, rng, n, law):
        gone = self.parse("conv1(0) conv1(1) output(2)")
        found = [a for a in super()._sample(rng, 2 * n + 20, law) if a != gone]
        return found[:n]


class SplitsTwins(ToyNodeSpace):
    def key(self, arch):
        return self.describe(arch)


class MergesOperations(ToyNodeSpace):
    def key(self, arch):
        return super().key(arch).replace("conv3", "conv1")


class PointlessNotation(ToyNodeSpace):
    def describe(self, arch):
        return super().describe(arch).replace("conv3", "conv1")


class TolerantParser(ToyNodeSpace):
    def parse(self, text):
        return super().parse(text.rstrip("?"))


class ForgetsToPrune(ToyNodeSpace):
    def graph(self, arch, *, pruned=True):
        return super().graph(arch, pruned=False)

    def key(self, arch):
        return ToyNodeSpace().key(arch)


class BackwardGraph(ToyEdgeSpace):
    def graph(self, arch, *, pruned=True):
        (cell,) = super().graph(arch, pruned=pruned)
        return (replace(cell, adjacency=cell.adjacency.T),)


class OtherBatchKeys(ToyNodeSpace):
    def keys(self, archs):
        return [self.key(a) for a in archs][::-1]


class OtherBatchGraphs(ToyEdgeSpace):
    def graphs(self, archs, *, pruned=True):
        (batch,) = super().graphs(archs, pruned=pruned)
        return (replace(batch, adjacency=np.zeros_like(batch.adjacency)),)


class OtherBatchCosts(ToyEdgeSpace):
    def costs(self, archs):
        found = super().costs(archs)
        return {k: v / max(len(archs), 1) for k, v in found.items()}


class MutatesByGlobalRandom(ToyEdgeSpace):
    def mutate(self, arch, rng):
        return super().mutate(arch, random)


class MutatesToItself(ToyEdgeSpace):
    def mutate(self, arch, rng):
        return arch if rng.random() < 0.2 else super().mutate(arch, rng)


class InvalidNeighbours(ToyNodeSpace):
    def neighbours(self, arch):
        return [(*arch[:i], 1 - arch[i], *arch[i + 1 :]) for i in range(8)]


class InvalidCrossover(ToyNodeSpace):
    def crossover(self, a, b, rng):
        return tuple(x if rng.random() < 0.5 else y for x, y in zip(a, b, strict=True))


class CannotBeRestricted(ToyNodeSpace):
    def check(self, arch):
        return super().check((0,) * len(self.radices))


class CanonicalOfAnotherKey(ToyNodeSpace):
    def canonical(self, arch):
        return (0,) * len(self.radices)


class _Unmasked(_NodeScript):
    def __init__(self, space):
        super().__init__(space)
        self._dead = None


class ScriptThatFinishesInvalid(ToyNodeSpace):
    @property
    def scripts(self):
        return {"default": _Unmasked(self)}


class _TakesAll(_NodeScript):
    def decision(self, state):
        found = super().decision(state)
        return found and replace(found, legal=np.ones_like(found.legal)) if not state.masked else found

    def apply(self, state, actions):
        decision = super().decision(state)
        legal = decision.legal[np.arange(len(actions)), np.minimum(actions, 1)]
        return super().apply(state, np.where(legal, actions, decision.legal.argmax(axis=1)))


class ScriptThatTakesIllegalActions(ToyNodeSpace):
    @property
    def scripts(self):
        return {"default": _TakesAll(self)}


class _Changing(_NodeScript):
    def decision(self, state):
        found = super().decision(state)
        return found and replace(found, slot=0)


class ScriptThatReusesSlots(ToyNodeSpace):
    @property
    def scripts(self):
        return {"default": _Changing(self)}


class _CountsNothing(_NodeScript):
    def finish(self, state):
        archs, violations = super().finish(state)
        return archs, np.zeros_like(violations)


class ScriptThatCountsNothing(ToyNodeSpace):
    @property
    def scripts(self):
        return {"default": _CountsNothing(self)}


class ScriptThatMissesOne(ToyEdgeSpace):
    @property
    def scripts(self):
        def dead(prefix, step):
            found = np.zeros((len(prefix), 4), dtype=np.bool_)
            if step == 3:
                found[(prefix == 3).all(axis=1), 3] = True
            return found

        return {"default": ChoiceScript(self.radices, is_valid=self.is_valid, partial=self.partial_graphs, dead=dead)}


CAUGHT_BY = {
    TwoChoicesOfOneName: "it is described completely",
    TakesLists: "is_valid tells",
    RaisesOnNonsense: "is_valid tells",
    DrawsNumpyIntegers: "is_valid tells",
    MiscountsItself: "is_valid tells",
    InventsALaw: "every law is named",
    DrawsTheSame: "every law is named",
    DrawsTooMany: "every law is named",
    NeverDrawsOne: "every architecture can be drawn",
    SplitsTwins: "keys tell",
    MergesOperations: "keys tell",
    PointlessNotation: "describe and parse",
    TolerantParser: "describe and parse",
    ForgetsToPrune: "graphs are well formed",
    BackwardGraph: "graphs are well formed",
    OtherBatchKeys: "a batch equals",
    OtherBatchGraphs: "a batch equals",
    OtherBatchCosts: "a batch equals",
    MutatesByGlobalRandom: "mutation, neighbours",
    MutatesToItself: "mutation, neighbours",
    InvalidNeighbours: "mutation, neighbours",
    InvalidCrossover: "mutation, neighbours",
    CannotBeRestricted: "it can be restricted",
    CanonicalOfAnotherKey: "the canonical encoding",
    ScriptThatFinishesInvalid: "every masked completion",
    ScriptThatTakesIllegalActions: "every masked completion",
    ScriptThatReusesSlots: "every masked completion",
    ScriptThatCountsNothing: "an unmasked completion",
    ScriptThatMissesOne: "a script reaches",
}


@pytest.mark.parametrize("space", [ToyEdgeSpace, ToyNodeSpace, lambda: ToyEdgeSpace(3)])
def test_toy_spaces_conform(space):
    report = check_space(space)
    assert report.ok, str(report)
    assert not report.skipped


class WithoutDescribe(ToyEdgeSpace):
    describe = SearchSpace.describe


class WithoutChoices(SearchSpace):
    name = "bare"
    key = graph = describe = parse = None


@pytest.mark.parametrize(
    ("space", "name", "why"),
    [
        (WithoutDescribe, "WithoutDescribe", "TypeError: Can't instantiate abstract class WithoutDescribe"),
        (WithoutChoices, "bare", "it sets no choices, operations"),
        (lambda: None, "<lambda>", "it is None, which is no SearchSpace"),
    ],
)
def test_what_cannot_be_made_has_one_failed_check(space, name, why):
    report = check_space(space)
    assert not report.ok
    assert report.name == name
    assert [(r.check, r.status) for r in report.results] == [("it can be made", "failed")]
    assert report.results[0].why.startswith(why)


def test_a_restricted_space_conforms():
    space = ToyNodeSpace()
    assert_conforms(RestrictedSpace(space, list(space.enumerate())[::3]))


def test_a_row_without_neighbours_mutates_to_another_one():
    space = ToyEdgeSpace(3)
    first = next(space.enumerate())
    far = next(a for a in space.enumerate() if sum(x != y for x, y in zip(a, first, strict=True)) > 1)
    restricted = RestrictedSpace(space, [first, far])
    rng = random.Random(0)
    assert {restricted.mutate(first, rng) for _ in range(20)} == {far}


@pytest.mark.parametrize(("space", "check"), CAUGHT_BY.items(), ids=lambda x: x.__name__ if isinstance(x, type) else "")
def test_catches(space, check):
    report = check_space(space, only=[check])
    assert report.failed, str(report)


def test_every_check_is_shown_to_fail():
    check_space(ToyNodeSpace, only=["keys tell"])  # the checks are registered when they are first run
    names = {c.name for c in CHECKS if c.kind == "space"}
    assert len(names) == 14
    assert all(any(name.startswith(start) for start in CAUGHT_BY.values()) for name in names)


def test_a_key_that_differs_by_its_benchmark_s_rule_is_counted_not_judged():
    class Official(SplitsTwins):
        key_differs = "the benchmark names inner nodes"

    report = check_space(Official, only=["keys tell"])
    # every one of the 184 architectures has a key of its own, though they make 39 classes
    assert not report.failed
    assert "the benchmark names inner nodes (184 architectures, 184 keys; 0 share a key" in report.skipped[0].why


def test_a_large_space_says_what_it_could_not_look_at():
    report = check_space(lambda: ToyEdgeSpace(11), only=["every architecture can be drawn", "a script reaches"])
    assert not report.ran
    assert not report.ok
    assert {r.why for r in report.skipped} == {"2.86e+04 encodings are too many to look at each"}


# -- isomorphism ------------------------------------------------------------------------------------------------------


def _cell(ops, edges):
    adjacency = np.zeros((len(ops), len(ops)), dtype=np.bool_)
    for u, v in edges:
        adjacency[u, v] = True
    return CellGraph(np.array(ops), adjacency)


def test_isomorphism_where_colours_do_not_decide():
    """Two six-cycles' worth of regular layers: equal colours throughout, one graph connected, the other not."""
    ring = _cell([0, 0, 0, 0, 0, 0], [(0, 3), (0, 4), (1, 4), (1, 5), (2, 5), (2, 3)])
    same = _cell([0, 0, 0, 0, 0, 0], [(0, 4), (0, 5), (1, 5), (1, 3), (2, 3), (2, 4)])
    eight = [(0, 4), (0, 5), (1, 4), (1, 5), (2, 6), (2, 7), (3, 6), (3, 7)]
    two_rings = _cell([0] * 8, eight)
    one_ring = _cell([0] * 8, [(0, 4), (0, 5), (1, 5), (1, 6), (2, 6), (2, 7), (3, 7), (3, 4)])
    colouring = Colouring()
    colours = {id(c): colouring(c) for c in (ring, same, two_rings, one_ring)}
    assert sorted(colours[id(two_rings)]) == sorted(colours[id(one_ring)])
    assert isomorphic(ring, same, colours[id(ring)], colours[id(same)])
    assert not isomorphic(two_rings, one_ring, colours[id(two_rings)], colours[id(one_ring)])
    assert isomorphic(one_ring, one_ring, colours[id(one_ring)], colours[id(one_ring)])


def test_isomorphism_agrees_with_networkx():
    networkx = pytest.importorskip("networkx")
    rng = np.random.default_rng(0)
    colouring, found = Colouring(), []
    for _ in range(80):
        v = int(rng.integers(3, 5))
        cell = CellGraph(rng.integers(0, 2, size=v), np.triu(rng.random((v, v)) < 0.5, 1))
        graph = networkx.from_numpy_array(cell.adjacency.astype(int), create_using=networkx.DiGraph)
        networkx.set_node_attributes(graph, dict(enumerate(cell.ops.tolist())), "op")
        found.append((cell, colouring(cell), graph))
    match = networkx.algorithms.isomorphism.categorical_node_match("op", None)
    agreed = 0
    for i, (a, x, g) in enumerate(found):
        for b, y, h in found[:i]:
            expected = networkx.is_isomorphic(g, h, node_match=match)
            assert isomorphic(a, b, x, y) == expected
            agreed += expected
    assert agreed > 5


def test_computation_unfolds_shared_nodes_and_contracts_identities():
    operations = ("input", "conv", "skip", "output")
    plain = _cell([0, 1, 3], [(0, 1), (1, 2)])
    through_skip = _cell([0, 2, 1, 3], [(0, 1), (1, 2), (2, 3)])
    twice = _cell([0, 1, 1, 3], [(0, 1), (0, 2), (1, 3), (2, 3)])
    shared = _cell([0, 1, 2, 2, 3], [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)])
    assert computation(plain, operations) == computation(through_skip, operations)
    assert computation(twice, operations) == computation(shared, operations)
    assert computation(plain, operations) != computation(twice, operations)


def test_parse_errors_are_of_the_right_kind():
    class WrongError(ToyNodeSpace):
        def parse(self, text):
            try:
                return super().parse(text)
            except InvalidArchitecture as error:
                raise KeyError(text) from error

    assert "KeyError" in str(check_space(WrongError, only=["describe and parse"]))
