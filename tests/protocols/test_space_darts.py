"""The DARTS space against published sizes, parameter counts and official files."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InvalidArchitecture
from harness.spaces import Architecture
from harness_nasbench.spaces.darts import CELL_GENES, NODES, DartsSpace, canonical_cell
from harness_nasbench.spaces.darts_costs import OPS
from harness_nasbench.spaces.darts_script import state_node

SPACE = DartsSpace()
PREFIX = "NetworkSelectorDatasetInfo:darts:"

DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
PDARTS = (
    "Genotype(normal=[('skip_connect', 0), ('dil_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 3), ('sep_conv_3x3', 0), ('dil_conv_5x5', 4)], normal_concat=range(2, 6), "
    "reduce=[('avg_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_3x3', 0), ('dil_conv_5x5', 2), ('max_pool_3x3', 0), "
    "('dil_conv_3x3', 1), ('dil_conv_3x3', 1), ('dil_conv_5x5', 3)], reduce_concat=range(2, 6))"
)
PC_DARTS = (
    "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 0), ('dil_conv_3x3', 1), "
    "('sep_conv_5x5', 0), ('sep_conv_3x3', 1), ('avg_pool_3x3', 0), ('dil_conv_3x3', 1)], normal_concat=range(2, 6), "
    "reduce=[('sep_conv_5x5', 1), ('max_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_5x5', 2), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('sep_conv_3x3', 2)], reduce_concat=range(2, 6))"
)

archs = st.tuples(*[st.integers(0, radix - 1) for radix in SPACE.radices])
cells = st.tuples(*[st.integers(0, radix - 1) for radix in SPACE.radices[:CELL_GENES]])


def wires(genes: Architecture) -> list[set[tuple[int, str]]]:
    """What each of a cell's nodes 2 to 5 reads, from the genotype."""
    edges = SPACE.genotype((*genes, *genes)).normal
    return [{(source, op) for op, source in edges[2 * i : 2 * i + 2]} for i in range(4)]


def isomorphic(a: Architecture, b: Architecture) -> bool:
    left, right = wires(a), wires(b)
    for order in permutations(range(4)):
        place = {0: 0, 1: 1, **{2 + i: 2 + order[i] for i in range(4)}}
        if all({(place[s], op) for s, op in left[i]} == right[order[i]] for i in range(4)):
            return True
    return False


def test_size() -> None:
    assert SPACE.size == 1_076_746_950_455_072_400


@given(archs)
def test_notations_round_trip(arch: Architecture) -> None:
    assert SPACE.is_valid(arch)
    text = SPACE.describe(arch)
    assert SPACE.parse(text) == arch
    assert SPACE.describe(SPACE.parse(text)) == text
    assert SPACE.from_config(SPACE.config(arch)) == arch
    assert SPACE.from_genotype(SPACE.genotype(arch)) == arch
    assert SPACE.from_genotype(SPACE.genotype(arch)._asdict()) == arch


def test_config_has_the_official_names_and_edges() -> None:
    """DARTS_V2's normal cell: node 4 reads 0 and 1 (edges 5, 6), node 5 reads 0 and 2 (edges 9, 11)."""
    config = SPACE.config(SPACE.parse(DARTS_V2))
    assert len(config) == 2 * (8 + 3)
    assert config[f"{PREFIX}edge_normal_0"] == config[f"{PREFIX}edge_normal_1"] == "sep_conv_3x3"
    assert config[f"{PREFIX}edge_normal_5"] == "skip_connect"
    assert config[f"{PREFIX}edge_normal_6"] == "sep_conv_3x3"
    assert config[f"{PREFIX}edge_normal_9"] == "skip_connect"
    assert config[f"{PREFIX}edge_normal_11"] == "dil_conv_3x3"
    assert config[f"{PREFIX}inputs_node_normal_5"] == "0_2"
    assert config[f"{PREFIX}inputs_node_reduce_3"] == "1_2"
    # Other parts of a full configuration are passed over.
    full = {**config, "CreateImageDataLoader:batch_size": 96, f"{PREFIX}layers": 8}
    assert SPACE.from_config(full) == SPACE.parse(DARTS_V2)


def test_config_against_the_surrogates_own_space(shared_data: Path) -> None:
    """Every value is one that the public surrogate's encoding knows."""
    known = json.loads((shared_data / "nasbench301_yahpo" / "encoding.json").read_text())
    for arch in SPACE.sample(np.random.default_rng(0), 200):
        for name, value in SPACE.config(arch).items():
            assert value in known[name.replace(":", "_COLON_")]
    inputs = {n: set(v) - {"#na#"} for n, v in known.items() if "inputs_node_normal" in n}
    assert sorted(map(len, inputs.values())) == [3, 6, 10]


@given(st.lists(archs, max_size=4))
def test_cells_are_the_genotype_in_numbers(some: list[Architecture]) -> None:
    cells = SPACE.as_cells(some)
    assert cells.shape == (len(some), 2, 4, 2, 2)
    for arch, both in zip(some, cells, strict=True):
        genotype = SPACE.genotype(arch)
        for edges, cell in zip((genotype.normal, genotype.reduce), both, strict=True):
            assert edges == [(OPS[op], source) for op, source in cell.reshape(8, 2)]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0)",
         "('sep_conv_3x3', 0), ('sep_conv_5x5', 0), ('sep_conv_3x3', 0)", "same predecessor twice"),
        ("('dil_conv_3x3', 2)", "('dil_conv_3x3', 5)", "no earlier vertex"),
        ("('dil_conv_3x3', 2)", "('none', 2)", "operation 'none'"),
        ("('dil_conv_3x3', 2)", "('dil_conv_3x3', 2.5)", "dtype"),
        ("('dil_conv_3x3', 2)]", "('dil_conv_3x3', 2), ('sep_conv_3x3', 0)]", "9 edges"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=[3, 4, 5]", "concatenated"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=range(2, 10**9)", "not a DARTS genotype"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=__import__('os')", "not a DARTS genotype"),
        (", reduce_concat=[2, 3, 4, 5]", "", "want normal"),
        ("Genotype(", "genotype(", "not a DARTS genotype"),
        ("Genotype(", "", "not a DARTS genotype"),
    ],
)  # fmt: skip
def test_parse_refuses(old: str, new: str, reason: str) -> None:
    assert old in DARTS_V2
    with pytest.raises(InvalidArchitecture, match=reason):
        SPACE.parse(DARTS_V2.replace(old, new, 1))


def test_config_refuses_missing_and_inactive_edges() -> None:
    config = SPACE.config(SPACE.parse(DARTS_V2))
    with pytest.raises(InvalidArchitecture, match="edge_normal_11 is None"):
        SPACE.from_config({k: v for k, v in config.items() if not k.endswith("edge_normal_11")})
    with pytest.raises(InvalidArchitecture, match="edge_normal_10 is given"):
        SPACE.from_config({**config, f"{PREFIX}edge_normal_10": "skip_connect"})
    with pytest.raises(InvalidArchitecture, match="inputs_node_reduce_4 is None"):
        SPACE.from_config({k: v for k, v in config.items() if not k.endswith("inputs_node_reduce_4")})
    with pytest.raises(InvalidArchitecture, match="'1_1'"):
        SPACE.from_config({**config, f"{PREFIX}inputs_node_reduce_4": "1_1"})


# -- key --------------------------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(cells, st.data())
def test_key_is_equal_exactly_for_renumbered_cells(cell: Architecture, data: st.DataObject) -> None:
    near = SPACE.mutate((*cell, *cell), random.Random(data.draw(st.integers(0, 99))))[:CELL_GENES]
    other = data.draw(st.one_of(cells, st.just(near)))
    assert (canonical_cell(cell) == canonical_cell(other)) == isomorphic(cell, other)
    # Renumber by a random order that keeps predecessors first.
    order = data.draw(st.permutations(range(4)))
    place = {0: 0, 1: 1, **{2 + i: 2 + order[i] for i in range(4)}}
    moved: list[list[tuple[str, int]]] = [[] for _ in range(4)]
    for i, reads in enumerate(wires(cell)):
        moved[order[i]] = [(op, place[source]) for source, op in reads]
    if all(source < 2 + i for i, reads in enumerate(moved) for _, source in reads):
        flat = [edge for reads in moved for edge in reads]
        twin = SPACE.from_genotype(
            {"normal": flat, "normal_concat": NODES, "reduce": flat, "reduce_concat": NODES}
        )[:CELL_GENES]  # fmt: skip
        assert canonical_cell(twin) == canonical_cell(cell)


def test_keys_of_all_cells_with_two_operations() -> None:
    """Every wiring with a few operations: keys agree with comparing every pair."""
    rng = np.random.default_rng(0)
    some = [
        tuple(int(rng.integers(0, 2 if radix == 7 else radix)) for radix in SPACE.radices[:CELL_GENES])
        for _ in range(220)
    ]
    # Few distinct wirings, so that twins occur.
    some = [(*c[:2], c[2] % 2, *c[3:5], c[5] % 2, *c[6:8], c[8] % 2, *c[9:]) for c in some]
    keys = [canonical_cell(c) for c in some]
    equal = 0
    for i in range(len(some)):
        for j in range(i):
            assert (keys[i] == keys[j]) == isomorphic(some[i], some[j])
            equal += some[i] != some[j] and keys[i] == keys[j]
    assert equal > 0


def test_key_tells_the_cells_apart() -> None:
    arch = SPACE.parse(DARTS_V2)
    swapped = arch[CELL_GENES:] + arch[:CELL_GENES]
    assert SPACE.key(arch) != SPACE.key(swapped)
    assert SPACE.keys([arch, swapped]) == [SPACE.key(arch), SPACE.key(swapped)]


def test_key_takes_less_than_200_microseconds() -> None:
    some = SPACE.sample(np.random.default_rng(0), 2000)
    SPACE.keys(some)
    best = min(_seconds(some) for _ in range(3))
    assert best / len(some) < 200e-6


def _seconds(some: list[Architecture]) -> float:
    start = time.perf_counter()
    SPACE.keys(some)
    return time.perf_counter() - start


# -- graphs and costs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "params", "flops"),
    [
        # "param size = 3.349342MB" in the log of quark0/darts; 3433798 in chenxin061/pdarts#7; 3.63 M in PC-DARTS.
        (DARTS_V2, 3_349_342, 528e6),
        (PDARTS, 3_433_798, 532e6),
        (PC_DARTS, 3_634_678, None),
    ],
)
def test_published_network_sizes(text: str, params: int, flops: float | None) -> None:
    """At 20 cells and 36 channels without the auxiliary head; FLOPs as tabulated by Chu et al. (FairDARTS)."""
    large = DartsSpace(layers=20, channels=36)
    costs = large.costs([large.parse(text)])
    assert costs["params"].tolist() == [params]
    if flops is not None:
        assert costs["flops"][0] == pytest.approx(flops, abs=0.5e6)


def test_node_costs_by_hand() -> None:
    """The first normal cell (96 + 96 channels in, 32 own, 32 x 32 pixels) and the first reduction cell (64 own)."""
    normal, reduce = SPACE.graph(SPACE.parse(DARTS_V2))
    assert normal.params is not None
    assert normal.flops is not None
    assert reduce.params is not None
    assert reduce.flops is not None
    assert normal.params.shape == (6, 15)
    assert reduce.params.shape == (2, 15)
    sep3 = 2 * (9 * 32 + 32 * 32 + 64)
    dil3 = 9 * 32 + 32 * 32 + 64
    assert normal.params[0].tolist() == [
        96 * 32 + 64, 96 * 32 + 64, sep3, sep3, 0, sep3, sep3, 0, 0, sep3, 0, 0, dil3, 0, 0
    ]  # fmt: skip
    assert normal.flops[0, 2] == 2 * (9 * 32 + 32 * 32) * 1024
    # DARTS_V2's reduction cell has pools and skips only, the skips reading node 2: nothing but the inputs costs.
    assert reduce.params[0].tolist() == [128 * 64 + 128, 128 * 64 + 128, *[0] * 13]
    skip = SPACE.graph(SPACE.parse(DARTS_V2.replace("reduce=[('max_pool_3x3', 0)", "reduce=[('skip_connect', 0)")))[1]
    assert skip.params is not None
    assert skip.flops is not None
    assert skip.params[0, 2] == 64 * 64 + 128
    assert skip.flops[0, 2] == 64 * 64 * 16 * 16


@settings(max_examples=40)
@given(st.lists(archs, min_size=1, max_size=4))
def test_batches_equal_single_graphs(some: list[Architecture]) -> None:
    batches = SPACE.graphs(some)
    for i, arch in enumerate(some):
        for cell, batch, genes in zip(SPACE.graph(arch), batches, (arch[:11], arch[11:]), strict=True):
            assert (batch.ops[i] == cell.ops).all()
            assert (batch.adjacency[i] == cell.adjacency).all()
            assert batch.params is not None
            assert (batch.params[i] == cell.params).all()
            assert not np.tril(cell.adjacency).any()
            names = [SPACE.operations[o] for o in cell.ops]
            assert names[:2] + names[-1:] == ["c_{k-2}", "c_{k-1}", "output"]
            edges = SPACE.genotype((*genes, *genes)).normal
            for k, (op, source) in enumerate(edges):
                node, addition = 2 + 3 * (k // 2) + k % 2, 4 + 3 * (k // 2)
                assert names[node] == op
                assert np.flatnonzero(cell.adjacency[:, node]).tolist() == [state_node(source)]
                assert np.flatnonzero(cell.adjacency[node]).tolist() == [addition]
                assert names[addition] == "add"
            assert np.flatnonzero(cell.adjacency[:, 14]).tolist() == [4, 7, 10, 13]
    assert SPACE.costs([])["params"].shape == (0,)


def test_laws_and_neighbours() -> None:
    some = SPACE.sample(np.random.default_rng(0), 7000)
    counts = np.array([Counter(a[i] for a in some)[0] for i in (2, 5, 8, 0)])
    assert counts / 7000 == pytest.approx([1 / 3, 1 / 6, 1 / 10, 1 / 7], abs=0.025)
    near = SPACE.neighbours(some[0])
    assert len(set(near)) == 2 * (2 + 5 + 9 + 8 * 6)


# -- script -----------------------------------------------------------------------------------------------------------


def test_script_builds_valid_cells_in_the_controllers_order() -> None:
    script, rng, n = SPACE.scripts["default"], np.random.default_rng(0), 3000
    state, kinds = script.start(n), ""
    while (decision := script.decision(state)) is not None:
        kinds += decision.kind[0]
        assert decision.cell == (len(kinds) - 1) // 16
        state = script.apply(state, np.where(decision.legal, rng.random(decision.legal.shape), -1).argmax(axis=1))
    assert kinds == "ppoo" * 8
    partial = script.partial(state)
    some, violations = script.finish(state)
    assert not violations.any()
    assert all(SPACE.is_valid(a) for a in some)
    # Up to the order of a node's two operations, what was built is what the encoding says.
    for built, cell in zip(partial, SPACE.graphs(some), strict=True):
        assert (built.adjacency.sum(axis=(1, 2)) == cell.adjacency.sum(axis=(1, 2))).all()
        assert (np.sort(built.ops, axis=1) == np.sort(cell.ops, axis=1)).all()
    # Uniform legal actions give every input pair alike.
    assert np.bincount([a[8] for a in some], minlength=10) / n == pytest.approx([0.1] * 10, abs=0.03)


def test_script_reaches_a_given_genotype_from_either_order() -> None:
    script, genotype = SPACE.scripts["default"], SPACE.genotype(SPACE.parse(PDARTS))
    for flip in (False, True):
        state = script.start(2)
        for edges in (genotype.normal, genotype.reduce):
            for i in range(0, 8, 2):
                pair = edges[i : i + 2][:: -1 if flip else 1]
                for action in [source for _, source in pair] + [OPS.index(op) for op, _ in pair]:
                    state = script.apply(state, np.array([action, action]))
        assert script.finish(state)[0] == [SPACE.parse(PDARTS)] * 2


def test_partial_graphs_and_refusals() -> None:
    script = SPACE.scripts["default"]
    state = script.apply(script.start(1), np.array([1]))
    normal, _ = script.partial(state)
    assert normal.adjacency[0, 1, 2]
    assert normal.ops[0].tolist() == [0, 1] + [-1] * 13
    with pytest.raises(ValueError, match="illegal"):
        script.apply(state, np.array([1]))
    with pytest.raises(ValueError, match="still open"):
        script.finish(state)


def test_a_pointers_options_name_inputs_and_additions_of_the_partial_graph() -> None:
    script, rng = SPACE.scripts["default"], np.random.default_rng(3)
    state, named = script.start(20), {"op": 0, "pointer": 0}
    while (decision := script.decision(state)) is not None:
        named[decision.kind] += 1
        if decision.kind == "pointer":
            assert decision.option_nodes is not None
            labels = script.partial(state)[decision.cell].ops[:, decision.option_nodes]
            expected = ["c_{k-2}", "c_{k-1}", *["add"] * (decision.options - 2)]
            assert [SPACE.operations[o] for o in labels[0]] == expected
            assert (labels == labels[0]).all()
        state = script.apply(state, np.where(decision.legal, rng.random(decision.legal.shape), -1).argmax(axis=1))
    assert named == {"op": 16, "pointer": 16}


def test_unmasked_duplicates_are_violations_and_no_architecture() -> None:
    script = SPACE.scripts["default"]
    state = script.start(1, masked=False)
    while script.decision(state) is not None:
        state = script.apply(state, np.array([0]))
    (arch,), violations = script.finish(state)
    assert violations.tolist() == [8]
    assert not SPACE.is_valid(arch)
