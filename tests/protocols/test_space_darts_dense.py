"""CSNAS's dense cells: sizes the paper states, nodes that nothing reaches, keys, canonical encodings, notation."""

from __future__ import annotations

import random
from itertools import permutations

import numpy as np
import pytest

from harness.errors import InvalidArchitecture
from harness.spaces import Architecture
from harness_nasbench.spaces.darts_dense import NONE, OPERATIONS, DenseDartsSpace

SPACE = DenseDartsSpace()
SKIP, SEP3 = OPERATIONS.index("skip_connect"), OPERATIONS.index("sep_conv_3x3")


def cell(edges: dict[tuple[int, int], int], space: DenseDartsSpace = SPACE) -> Architecture:
    """One cell from the operation of each edge (predecessor, node) that carries one."""
    return tuple(edges.get(edge, NONE) for edge in space.edges)


def test_sizes_are_the_papers() -> None:
    """(8^14)^2, about 2e25, with four nodes; 20 edges a cell with five."""
    assert DenseDartsSpace(4).size == 8**28
    assert 1.9e25 < 8**28 < 2e25
    assert SPACE.size == 8**40
    assert [c.name for c in SPACE.choices[:6]] == [
        "normal_2_0", "normal_2_1", "normal_3_0", "normal_3_1", "normal_3_2", "normal_4_0",
    ]  # fmt: skip
    assert len({c.options for c in SPACE.choices}) == 1


def test_what_nothing_reaches_is_zero_and_pruned() -> None:
    """Node 3 reads nothing, so what reads node 3 carries nothing either, and costs nothing."""
    alone = cell({(0, 2): SEP3})
    with_dead = cell({(0, 2): SEP3, (3, 4): SEP3, (4, 5): SKIP})
    other = cell({(0, 2): SEP3, (1, 4): SEP3})
    assert SPACE.key(alone + alone) == SPACE.key(with_dead + alone) != SPACE.key(other + alone)
    normal, reduce = SPACE.graph(with_dead + cell({}))
    assert [SPACE.operations[o] for o in normal.ops] == ["c_{k-2}", "c_{k-1}", "sep_conv_3x3", "add", "output"]
    assert normal.adjacency.nonzero()[0].tolist() == [0, 2, 3]
    assert (reduce.nodes, int(reduce.adjacency.sum())) == (3, 0), "a cell that carries nothing"
    costs = SPACE.costs([alone + alone, with_dead + alone, other + alone])
    assert costs["params"][0] == costs["params"][1] < costs["params"][2]


def test_a_separable_convolution_has_the_parameters_of_its_layers() -> None:
    """Twice a depthwise 3x3, a 1x1 and a batch norm: in 16, 32 and 64 channels, two normal cells of each."""
    empty, one = (SPACE.costs([cell(e) + cell({})])["params"][0] for e in ({}, {(0, 2): SEP3}))
    assert one - empty == sum(2 * 2 * (9 * c + c * c + 2 * c) for c in (16, 32, 64))
    assert DenseDartsSpace(5).costs([(NONE,) * 40])["params"][0] > DenseDartsSpace(4).costs([(NONE,) * 28])["params"][0]


def test_keys_are_equal_exactly_for_renumbered_cells() -> None:
    """All 24 orders of four nodes, applied by hand to random cells; those that turn no edge backwards keep the key."""
    space, rng = DenseDartsSpace(4), random.Random(0)
    seen = 0
    for _ in range(30):
        edges = {e: rng.randrange(1, 8) for e in space.edges if rng.random() < 0.4}
        edges |= {(0, j): rng.randrange(1, 8) for j in (2, 3, 4, 5)}  # every node is reached
        rest = cell({(1, 2): SKIP}, space)
        key = space.key(cell(edges, space) + rest)
        for order in permutations((2, 3, 4, 5)):
            place = {0: 0, 1: 1, **dict(zip((2, 3, 4, 5), order, strict=True))}
            moved = {(place[p], place[j]): o for (p, j), o in edges.items()}
            if all(p < j for p, j in moved):
                seen += moved != edges
                assert space.key(cell(moved, space) + rest) == key
        changed = {**edges, (0, 5): edges[0, 5] % 7 + 1}
        assert space.key(cell(changed, space) + rest) != key
    assert seen > 30


def twin_cell(ops: Architecture, space: DenseDartsSpace, rng: random.Random) -> Architecture:
    """The cell with its nodes renumbered at random, and with other operations on the edges that carry nothing."""
    live, edges = {0, 1}, {}
    for (p, j), op in zip(space.edges, ops, strict=True):
        if op != NONE and p in live:
            live.add(j)
            edges[p, j] = op
    orders = [(0, 1, *order) for order in permutations(range(2, 2 + space.nodes))]
    place = rng.choice([order for order in orders if all(order[p] < order[j] for p, j in edges)])
    dead = {place[j] for j in range(2, 2 + space.nodes) if j not in live}
    moved = {(place[p], place[j]): o for (p, j), o in edges.items()}
    return cell(moved | {e: rng.randrange(len(OPERATIONS)) for e in space.edges if e[0] in dead}, space)


def some_architectures(space: DenseDartsSpace, n: int) -> list[Architecture]:
    """Of every density: full cells have few twins, sparse ones dead nodes."""
    rng, found = np.random.default_rng(space.nodes), []
    for arch in space.as_array(space.sample(rng, n)):
        found.append(tuple(np.where(rng.random(len(arch)) < rng.random(), NONE, arch).tolist()))
    return [*found, cell({}, space) * 2]


@pytest.mark.parametrize("nodes", [2, 4, 5])
def test_one_encoding_is_canonical_for_all_of_a_key(nodes: int) -> None:
    """Random architectures, renumberings of them with other dead edges, and neighbours that differ in one choice."""
    space, rng = DenseDartsSpace(nodes), random.Random(nodes)
    archs = some_architectures(space, 100)
    half = len(space.edges)
    twins = [twin_cell(a[:half], space, rng) + twin_cell(a[half:], space, rng) for a in archs for _ in range(2)]
    assert space.keys(twins) == [key for key in space.keys(archs) for _ in range(2)]
    pool = [*archs, *twins, *(space.mutate(a, rng) for a in archs)]
    keys, found = space.keys(pool), [space.canonical(a) for a in pool]
    assert len(set(keys)) == len(set(found)) == len(set(zip(keys, found, strict=True))) < len(set(pool))
    assert all(space.is_valid(a) for a in found)
    assert space.keys(found) == keys
    assert [space.canonical(a) for a in found] == found
    assert [DenseDartsSpace(nodes).canonical(a) for a in archs] == found[: len(archs)]
    ours, theirs = space.costs(pool), space.costs(found)
    assert all((ours[name] == theirs[name]).all() for name in ("params", "flops"))


def test_canonical_cells_by_hand() -> None:
    """Dead edges carry ``none``, nodes that an input reaches come first; plain ints, and nothing foreign is taken."""
    sparse = cell({(0, 4): SEP3, (2, 3): SKIP, (4, 6): SKIP})
    assert SPACE.canonical(sparse + cell({})) == cell({(0, 2): SEP3, (2, 3): SKIP}) + cell({})
    (arch,) = SPACE.sample(np.random.default_rng(0), 1)
    assert all(type(o) is int for o in SPACE.canonical(tuple(np.array(arch))))
    with pytest.raises(InvalidArchitecture, match="it has 39 options"):
        SPACE.canonical(arch[:-1])


def test_keys_stay_as_they_are() -> None:
    """Records name architectures by them."""
    sparse = cell({(0, 4): SEP3, (2, 3): SKIP, (4, 6): SKIP})
    assert SPACE.key(sparse + cell({})) == "2:12292/0:0"


def test_notation_and_what_is_refused() -> None:
    arch = SPACE.sample(np.random.default_rng(0), 1)[0]
    text = SPACE.describe(arch)
    assert text.startswith(f"normal=|{OPERATIONS[arch[0]]}~0|{OPERATIONS[arch[1]]}~1|+|")
    assert SPACE.parse(f" {text} ") == arch
    for wrong in (text.replace("normal", "other"), text.replace("~1", "~2", 1), DenseDartsSpace(4).describe((0,) * 28)):
        with pytest.raises(InvalidArchitecture, match="5 nodes a cell"):
            SPACE.parse(wrong)
    with pytest.raises(ValueError, match="1 to 5"):
        DenseDartsSpace(6)


def test_partial_graphs_show_what_is_decided() -> None:
    script = SPACE.scripts["default"]
    state = script.apply(script.apply(script.start(1), np.array([SEP3])), np.array([NONE]))
    decision = script.decision(state)
    assert decision is not None
    normal, reduce = script.partial(state)
    assert [SPACE.operations[o] if o >= 0 else "?" for o in normal.ops[0, :6]] == [
        "c_{k-2}", "c_{k-1}", "sep_conv_3x3", "none", "add", "?",
    ]  # fmt: skip
    assert (decision.cell, decision.node) == (0, 5)
    assert (reduce.ops[0] == -1).sum() == 20
