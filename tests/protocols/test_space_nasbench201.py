from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest

from harness.errors import InvalidArchitecture
from harness_nasbench.spaces.nasbench201 import CONV1, CONV3, NONE, POOL, SKIP, NASBench201Space

SPACE = NASBench201Space()
ARCHS = list(SPACE.enumerate())
BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"


def test_published_counts() -> None:
    assert SPACE.size == len(ARCHS) == 15_625
    assert len(set(SPACE.keys(ARCHS))) == 6_466


def test_341_cells_connect_nothing() -> None:
    (batch,) = SPACE.graphs(ARCHS)
    assert int((~batch.adjacency.any(axis=(1, 2))).sum()) == 341


def test_keys_are_the_official_strings() -> None:
    package = pytest.importorskip("nats_bench.genotype_utils")
    for arch in ARCHS:
        structure = package.topology_str2structure(SPACE.describe(arch))
        assert SPACE.key(arch) == structure.to_unique_str(consider_zero=True)


def without_absent(arch: tuple[int, ...]) -> str:
    """The official string, but absent summands are left out instead of written as ``#``."""
    nodes: list[str] = ["0"]
    at = iter(arch)
    for target in (1, 2, 3):
        terms = []
        for source in range(target):
            op = next(at)
            if op != NONE and nodes[source]:
                terms.append(nodes[source] if op == SKIP else f"({nodes[source]})@{op}")
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]


def test_without_the_official_mark_of_absence_5390_classes_would_remain() -> None:
    found = [without_absent(arch) for arch in ARCHS]
    assert len(set(found)) == 5_390
    (batch,) = SPACE.graphs(ARCHS)
    assert [not text for text in found] == (~batch.adjacency.any(axis=(1, 2))).tolist()


def test_describe_and_parse_are_inverse() -> None:
    assert SPACE.parse(BEST) == (CONV3, CONV3, CONV3, SKIP, CONV3, CONV1)
    for arch in ARCHS[::37]:
        assert SPACE.parse(SPACE.describe(arch)) == arch


@pytest.mark.parametrize("text", ["", "|none~0|", BEST.replace("~2", "~1"), BEST.replace("3x3", "5x5"), BEST + "|"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(InvalidArchitecture):
        SPACE.parse(text)


def test_validity() -> None:
    assert SPACE.is_valid((0, 1, 2, 3, 4, 0))
    for wrong in ((0, 1, 2, 3, 4, 5), (0,) * 5, (0,) * 7, [0] * 6, None, ({}, 0, 0, 0, 0, 0), (0, 1, 2, 3, 4, 0.5)):
        assert not SPACE.is_valid(wrong)  # type: ignore[arg-type]


def test_neighbours_are_the_24_at_distance_one() -> None:
    arch = (0, 1, 2, 3, 4, 0)
    near = SPACE.neighbours(arch)
    assert len(set(near)) == len(near) == 24
    assert all(sum(a != b for a, b in zip(arch, n, strict=True)) == 1 for n in near)


def test_the_graph_as_written_is_the_eight_node_dag() -> None:
    (cell,) = SPACE.graph((CONV3, POOL, SKIP, NONE, CONV1, CONV3), pruned=False)
    names = [SPACE.operations[op] for op in cell.ops]
    assert names == [
        "input", "nor_conv_3x3", "avg_pool_3x3", "skip_connect", "none", "nor_conv_1x1", "nor_conv_3x3", "output",
    ]  # fmt: skip
    edges = list(zip(*map(list, np.nonzero(cell.adjacency)), strict=True))
    assert edges == [(0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7)]


def paths(arch: tuple[int, ...]) -> set[tuple[int, ...]]:
    """The cell's input-output paths, as the edges they take: found over the cell's own four nodes."""
    edges = {(0, 1): 0, (0, 2): 1, (1, 2): 2, (0, 3): 3, (1, 3): 4, (2, 3): 5}
    found = set()
    for stops in ((), (1,), (2,), (1, 2)):
        way = tuple(edges[step] for step in itertools.pairwise((0, *stops, 3)))
        if all(arch[e] != NONE for e in way):
            found.add(way)
    return found


def test_pruning_keeps_exactly_the_input_output_paths() -> None:
    for arch in ARCHS[::7]:
        (cell,) = SPACE.graph(arch)
        assert not np.tril(cell.adjacency).any()
        kept = sorted({e for way in paths(arch) for e in way})
        assert cell.ops.tolist() == [0, *(arch[e] + 1 for e in kept), 6]
        walks = np.linalg.matrix_power(np.eye(cell.nodes) + cell.adjacency, cell.nodes)
        assert len(paths(arch)) == count_paths(cell.adjacency)
        if kept:
            assert (walks[0] > 0).all()
            assert (walks[:, -1] > 0).all()


def count_paths(adjacency: np.ndarray) -> int:
    ways = np.zeros(len(adjacency))
    ways[0] = 1
    for node in range(1, len(adjacency)):
        ways[node] = ways @ adjacency[:, node]
    return int(ways[-1])


def test_graphs_equal_graph() -> None:
    for pruned in (True, False):
        archs = ARCHS[::311]
        (batch,) = SPACE.graphs(archs, pruned=pruned)
        assert batch.flops is not None
        assert batch.params is not None
        assert batch.flops.shape == batch.params.shape == (len(archs), 15, 8)
        for i, arch in enumerate(archs):
            (cell,) = SPACE.graph(arch, pruned=pruned)
            v = cell.nodes
            assert np.array_equal(batch.ops[i, :v], cell.ops)
            assert (batch.ops[i, v:] == -1).all()
            assert np.array_equal(batch.adjacency[i, :v, :v], cell.adjacency)
            assert np.array_equal(batch.flops[i, :, :v], cell.flops)
            assert np.array_equal(batch.params[i, :, :v], cell.params)


def test_costs_per_node() -> None:
    (cell,) = SPACE.graph((CONV3, POOL, SKIP, SKIP, CONV1, CONV3), pruned=False)
    assert cell.params is not None
    assert cell.flops is not None
    assert cell.params.shape == cell.flops.shape == (15, 8)
    assert cell.params[0].tolist() == [0, 9 * 256 + 32, 0, 0, 0, 256 + 32, 9 * 256 + 32, 0]
    assert cell.flops[0].tolist() == [0, 18 * 256 * 1024, 9 * 16 * 1024, 0, 0, 2 * 256 * 1024, 18 * 256 * 1024, 0]
    assert cell.params[14, 1] == 9 * 64 * 64 + 128
    assert cell.flops[14, 1] == 18 * 64 * 64 * 64
    (small,) = NASBench201Space("imagenet16-120").graph((CONV3, POOL, SKIP, SKIP, CONV1, CONV3), pruned=False)
    assert small.flops is not None
    assert np.array_equal(small.flops * 4, cell.flops)


def test_node_parameters_sum_to_the_networks() -> None:
    archs = ARCHS[::53]
    (batch,) = SPACE.graphs(archs, pruned=False)
    assert batch.params is not None
    around = SPACE.costs([(NONE,) * 6])["params"][0]
    assert np.array_equal(batch.params.sum(axis=(1, 2)) + around, SPACE.costs(archs)["params"])


@pytest.mark.parametrize(
    ("dataset", "prefix"),
    [("cifar10", "cifar10"), ("cifar100", "cifar100"), ("imagenet16-120", "imagenet16_120")],
)
def test_costs_of_the_real_table(shared_data: Path, dataset: str, prefix: str) -> None:
    """Parameters are equal on all rows. The table's FLOPs count more operations than ours, each of them accounted for.

    Besides multiply-accumulates it counts normalisations (2 an element), ReLUs (1), poolings (k^2 an output, the global
    one (side + 1)^2), and no classifier bias.
    """
    space = NASBench201Space(dataset)
    with open(shared_data / "nasbench201.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    archs = [space.parse(row["arch"]) for row in rows]
    costs = space.costs(archs)
    assert np.array_equal(np.round([float(row[f"{prefix}_params_m"]) * 1e6 for row in rows]), costs["params"])

    side = space.image
    volumes = [c * (side >> stage) ** 2 for stage, c in enumerate((16, 32, 64))]
    elements = 5 * sum(volumes)
    convolutions = sum((np.array(archs) == op).sum(axis=1) for op in (CONV1, CONV3))
    more = convolutions * 3 * elements + (np.array(archs) == POOL).sum(axis=1) * 9 * elements
    around = 2 * volumes[0] + 3 * volumes[2] + 64 * (side // 4 + 1) ** 2 - space.classes
    for before, after in itertools.pairwise(volumes):
        around += before + 2 * after + 3 * after + 4 * before // 4
    counted = np.round([float(row[f"{prefix}_flops_m"]) * 1e6 for row in rows])
    assert np.array_equal(counted, costs["flops"] + more + around)


def test_laws(shared_data: Path) -> None:
    """Mean test accuracy of the two laws, as published for the table; drawn and exact."""
    with open(shared_data / "nasbench201.csv", encoding="utf-8", newline="") as stream:
        test = {SPACE.parse(r["arch"]): float(r["cifar10_test_200ep"]) for r in csv.DictReader(stream)}
    rng = np.random.default_rng(0)
    for law, mean in (("encodings", 87.06), ("classes", 89.76)):
        drawn = [test[a] for a in SPACE.sample(rng, 200_000, law)]
        assert abs(np.mean(drawn) - mean) < 0.005 + 4 * np.std(drawn) / 200_000**0.5


def test_script_reaches_everything_and_shows_the_cell_as_written() -> None:
    script = SPACE.scripts["default"]
    every = np.array(ARCHS)
    state = script.start(len(every))
    for step in range(6):
        decision = script.decision(state)
        assert decision is not None
        assert (decision.kind, decision.node, decision.options) == ("op", step + 1, 5)
        assert decision.option_ops is not None
        assert [SPACE.operations[i] for i in decision.option_ops] == list(SPACE.choices[step].options)
        (partial,) = script.partial(state)
        assert (partial.ops[:, step + 1 : -1] == -1).all()
        assert np.array_equal(partial.ops[:, 1 : step + 1], every[:, :step] + 1)
        state = script.apply(state, every[:, step])
    archs, violations = script.finish(state)
    assert archs == ARCHS
    assert not violations.any()
    (done,), (whole,) = script.partial(state), SPACE.graphs(ARCHS, pruned=False)
    assert np.array_equal(done.ops, whole.ops)
    assert np.array_equal(done.adjacency, whole.adjacency)


def test_an_unknown_data_set_is_refused() -> None:
    with pytest.raises(ValueError, match="cifar11"):
        NASBench201Space("cifar11")
