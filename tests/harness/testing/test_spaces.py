"""The toy spaces, against counts made by hand."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from harness.errors import InvalidArchitecture
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace


def test_edges_count():
    space = ToyEdgeSpace()
    archs = list(space.enumerate())
    assert len(archs) == space.size == 256
    # nine live branches (three operations twice); none, one, or an unordered pair of them
    assert len(set(space.keys(archs))) == 1 + 9 + (9 + 36)


def test_edges_dead_branch_is_pruned_and_does_not_matter():
    space = ToyEdgeSpace()
    assert space.key((0, 3, 1, 2)) == space.key((2, 0, 1, 2)) == space.key((1, 2, 0, 0)) == "skip.conv1"
    (cell,) = space.graph((0, 3, 1, 2))
    assert [space.operations[o] for o in cell.ops] == ["input", "skip", "conv1", "output"]
    assert cell.adjacency.sum() == 3
    (whole,) = space.graph((0, 3, 1, 2), pruned=False)
    assert whole.nodes == 6
    assert whole.adjacency.sum() == 6


def test_edges_costs_count_live_convolutions():
    space = ToyEdgeSpace()
    # conv1 has 1, conv3 has 9 weights a squared channel; the network has a cell of 4 and one of 8 channels
    costs = space.costs([(2, 3, 0, 3), (1, 1, 0, 0)])
    assert costs["params"].tolist() == [(1 + 9) * (16 + 64), 0]
    assert costs["flops"].tolist() == [64 * 800, 0]


def test_edges_classes_law_is_uniform_over_keys():
    space = ToyEdgeSpace()
    drawn = space.keys(space.sample(np.random.default_rng(0), 11_000, "classes"))
    counts = np.unique(drawn, return_counts=True)[1]
    assert len(counts) == 55
    assert counts.min() > 120  # 200 expected, standard deviation 14
    assert counts.max() < 280


def test_nodes_count():
    space = ToyNodeSpace()
    archs = list(space.enumerate())
    # 46 of 64 edge sets join input and output with at most five edges; two operations on two nodes
    assert len(archs) == space.size == 46 * 4
    # no inner node 1, one 2 * 2, two parallel 3 * 2, two in a row (4 + 3) * 4
    assert len(set(space.keys(archs))) == 1 + 4 + 6 + 28


def _isomorphic(space, a, b):
    """By definition: some renaming of the nodes keeps operations and edges."""
    (x,), (y,) = space.graph(a), space.graph(b)
    if x.nodes != y.nodes:
        return False
    return any(
        all(x.ops[p] == y.ops[i] for i, p in enumerate(order))
        and (x.adjacency[np.ix_(order, order)] == y.adjacency).all()
        for order in (list(p) for p in permutations(range(x.nodes)))
    )


def test_nodes_key_is_equal_exactly_for_isomorphic_graphs():
    space = ToyNodeSpace()
    archs = list(space.enumerate())[::3]
    for a, b in product(archs, archs):
        assert (space.key(a) == space.key(b)) == _isomorphic(space, a, b)


def test_nodes_notation():
    space = ToyNodeSpace()
    arch = space.parse("conv1(0) conv3(0,1) output(1,2)")
    assert arch == (1, 0, 1, 1, 1, 0, 1, 1)
    assert all(space.parse(space.describe(a)) == a for a in space.enumerate())
    for text in ("conv1() conv1() output()", "conv1(0) conv3(0,1) output(0,1,2)x", "conv9(0) conv3(0) output(1)"):
        with pytest.raises(InvalidArchitecture):
            space.parse(text)


@pytest.mark.parametrize("space", [ToyEdgeSpace(), ToyNodeSpace()], ids=lambda s: s.name)
def test_script_reaches_exactly_the_valid_architectures(space):
    script = space.scripts["default"]
    states = [script.start(1)]
    for _ in range(script.max_decisions):
        grown = []
        for state in states:
            decision = script.decision(state)
            grown += [script.apply(state, np.array([o])) for o in np.flatnonzero(decision.legal[0])]
        states = grown
    found = [script.finish(s) for s in states]
    assert sorted(archs[0] for archs, _ in found) == sorted(space.enumerate())
    assert all(violations[0] == 0 for _, violations in found)


def test_script_decides_edges_and_operations():
    script = ToyNodeSpace().scripts["default"]
    state, kinds = script.start(2), []
    while (decision := script.decision(state)) is not None:
        kinds.append((decision.kind, decision.source, decision.node))
        state = script.apply(state, decision.legal.argmax(axis=1))
    assert kinds == [
        ("edge", 0, 1), ("op", None, 1), ("edge", 0, 2), ("edge", 1, 2), ("op", None, 2),
        ("edge", 0, 3), ("edge", 1, 3), ("edge", 2, 3),
    ]  # fmt: skip
