"""ReNAS's tensors against the published NAS-Bench-101 example and definitions worked out by hand; orders of nodes."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from harness import Architecture, CellBatch
from harness.spaces.ordering import alternatives, canonical, depths, reordered
from harness.spaces.tensors import PublishedTensors, cell_tensor, edges_of
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness_nasbench.spaces.nasbench101 import NASBench101Space
from harness_nasbench.spaces.nasbench201 import NASBench201Space

NB101, NB201 = NASBench101Space(), NASBench201Space()
C1, C3, MP = "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3"
# Record 00005c142e6f48ac74fdcf73e3439874, the example of AlbertiPot/nar (data/nasbench101_vertice_example.json), with
# the FLOPs and parameters of its seven vertices in the first cell as that file gives them.
MATRIX = np.array(
    [
        [0, 1, 0, 0, 1, 1, 0],
        [0, 0, 1, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ]
)
EXAMPLE = NB101.from_matrix(MATRIX.tolist(), ["input", C3, MP, C3, C3, C1, "output"])
TYPES = np.array([1, 3, 4, 3, 3, 2, 5])
FLOPS = np.array([0, 92274688, 589824, 75497472, 92274688, 25296896, 0])
PARAMS = np.array([0, 45312, 0, 36992, 45312, 12544, 0])
BY_DEPTH = [0, 1, 4, 2, 3, 5, 6]  # depths 0, 1, 2, 3, 1, 4, 5; both convolutions of depth 1 are 3 x 3


def test_published_example() -> None:
    (tensor,) = PublishedTensors(NB101).tensors([EXAMPLE])
    assert tensor.shape == (19, 7, 7)
    adjacency = MATRIX[np.ix_(BY_DEPTH, BY_DEPTH)]
    for channel, values in ((0, TYPES), (1, FLOPS), (2, PARAMS)):
        np.testing.assert_array_equal(tensor[channel], (adjacency * values[BY_DEPTH]).astype(np.float32))


def test_only_five_of_nine_repetitions_differ() -> None:
    """Stack 1 has one kind of cell, stacks 2 and 3 two each: the first halves the map and doubles the channels."""
    (tensor,) = PublishedTensors(NB101).tensors([EXAMPLE])
    pairs = {tensor[1 + 2 * c : 3 + 2 * c].tobytes() for c in range(9)}
    assert len(pairs) == 5


def test_padding_is_penultimate() -> None:
    small = NB101.from_matrix([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", C3, "output"])
    (tensor,) = PublishedTensors(NB101).tensors([small])
    expected = np.zeros((7, 7))
    expected[0, 1], expected[1, 6] = 3, 5
    np.testing.assert_array_equal(tensor[0], expected)


def test_edge_layout_is_31_by_4_by_4() -> None:
    """Operations at [source, target] with the numbers none 0, skip 1, conv1x1 2, conv3x3 3, avgpool 4."""
    (tensor,) = PublishedTensors(NB201).tensors([(4, 3, 2, 1, 0, 3)])
    assert tensor.shape == (31, 4, 4)
    assert tensor[0].tolist() == [[0, 4, 3, 1], [0, 0, 2, 0], [0, 0, 0, 3], [0, 0, 0, 0]]
    # 2 k^2 C^2 HW FLOPs and k^2 C^2 + 2 C parameters at 16, 32, 64 channels on maps of 32, 16, 8
    for cell, (c, side) in enumerate([(16, 32)] * 5 + [(32, 16)] * 5 + [(64, 8)] * 5):
        flops, params = tensor[1 + 2 * cell], tensor[2 + 2 * cell]
        assert flops[0, 2] == 2 * 9 * c * c * side * side
        assert flops[0, 1] == 9 * c * side * side
        assert (params[1, 2], params[0, 2], params[0, 1]) == (c * c + 2 * c, 9 * c * c + 2 * c, 0)


def test_edges_of_nasbench201_alone() -> None:
    assert edges_of(NB201) == [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    assert [edges_of(space) for space in (NB101, ToyEdgeSpace(), ToyNodeSpace())] == [None] * 3


def by_hand(arch: Architecture) -> np.ndarray:
    """The type channel from the definition alone: prune, order by depth, move the output to the last place."""
    (graph,) = NB101.graph(arch)
    depth = depths(graph.adjacency[None])[0].tolist()
    inner = sorted(range(1, graph.nodes - 1), key=lambda v: (depth[v], int(graph.ops[v]), v))
    place = {0: 0, **{v: i + 1 for i, v in enumerate(inner)}, graph.nodes - 1: 6}
    found = np.zeros((7, 7))
    for u, v in np.argwhere(graph.adjacency):
        found[place[int(u)], place[int(v)]] = graph.ops[v] + 1
    return found


def test_padding_is_penultimate_in_every_cell_of_nasbench101() -> None:
    """Encodings have seven vertices; those on no path are no part of the cell, and never sort behind the input."""
    archs = NB101.sample(np.random.default_rng(0), 300)
    whole = NB101.graphs(archs, pruned=False)[0].ops >= 0
    real = (NB101.graphs(archs)[0].ops >= 0).sum(axis=1)
    assert (real < whole.sum(axis=1)).mean() > 0.5
    tensors = PublishedTensors(NB101).tensors(archs)
    np.testing.assert_array_equal(tensors[:, 0], [by_hand(a) for a in archs])
    for tensor, n in zip(tensors, real, strict=True):
        assert not tensor[:, n - 1 : 6].any()
        assert not tensor[:, :, n - 1 : 6].any()


def test_pad_product_concatenate() -> None:
    """A chain of three nodes in a matrix of four: zeros at the third place, the destination's value on each edge."""
    chain = np.eye(3, k=1, dtype=np.bool_)
    f, p = np.array([[0.0, 10.0, 20.0], [0.0, 30.0, 40.0]]), np.array([[0.0, 1.0, 2.0], [0.0, 3.0, 4.0]])
    tensor = cell_tensor(chain, np.array([1, 3, 5]), f, p, 4)
    assert tensor.shape == (5, 4, 4)
    assert tensor[:, 0, 1].tolist() == [3, 10, 1, 30, 3]
    assert tensor[:, 1, 3].tolist() == [5, 20, 2, 40, 4]
    assert np.count_nonzero(tensor) == 2 * 5


def test_depth_is_the_longest_distance_to_the_input() -> None:
    assert depths(MATRIX[None].astype(np.bool_)).tolist() == [[0, 1, 2, 3, 1, 4, 5]]


def test_canonical_order_keeps_matrices_triangular() -> None:
    for space in (NB101, NB201):
        for pruned in (True, False):
            batch = space.graphs(space.sample(np.random.default_rng(2), 100), pruned=pruned)[0]
            found = reordered(batch, canonical(batch))
            assert not np.tril(found.adjacency).any()
            assert (found.ops[:, 0] == batch.ops[:, 0]).all()
            np.testing.assert_array_equal(np.sort(found.ops, axis=1), np.sort(batch.ops, axis=1))


def test_alternatives_are_the_distinct_orders_of_a_depth() -> None:
    """Three parallel nodes of three operations have 3! orders; with two operations alike, 3."""
    adjacency = np.zeros((1, 5, 5), dtype=np.bool_)
    adjacency[0, 0, 1:4] = adjacency[0, 1:4, 4] = True
    for ops, orders in (((1, 2, 3), 6), ((1, 1, 2), 3), ((1, 1, 1), 1)):
        batch = CellBatch(np.array([[0, *ops, 4]]), adjacency)
        found = [batch.ops[0][order][1:4].tolist() for order in alternatives(batch, 0, 24)]
        assert len(found) == orders
        assert sorted(found) == sorted(list(p) for p in set(permutations(ops)))
        assert found[0] == sorted(ops)
    assert len(list(alternatives(CellBatch(np.array([[0, 1, 2, 3, 4]]), adjacency), 0, 4))) == 4


@pytest.mark.parametrize("space", [NB101, NB201], ids=["nodes", "edges"])
def test_orders_are_capped_and_owned(space: NASBench101Space | NASBench201Space) -> None:
    archs = space.sample(np.random.default_rng(3), 40)
    features = PublishedTensors(space)
    tensors, owner = features.permuted(archs, 24)
    assert sorted(set(owner.tolist())) == list(range(40))
    assert np.bincount(owner).max() <= (24 if space is NB101 else 1)
    assert len(owner) > 40 or space is NB201
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    np.testing.assert_array_equal(tensors[first], features.tensors(archs))
    # the same edges in another order: sums over the matrix agree with the canonical order's
    np.testing.assert_allclose(tensors.sum(axis=(2, 3)), tensors[first].sum(axis=(2, 3))[owner], rtol=1e-5)


def test_types_alone_where_costs_are_unwanted() -> None:
    assert PublishedTensors(NB101, costs=False).tensors([EXAMPLE]).shape == (1, 1, 7, 7)
    assert PublishedTensors(NB201, costs=False).tensors([(4, 3, 2, 1, 0, 3)]).shape == (1, 1, 4, 4)


def test_cells_of_edges_can_be_tensors_of_nodes_too() -> None:
    """Input, a convolution, output in a matrix of eight; nothing on no path. NAS-Bench-101 has no edges to choose."""
    arch = NB201.parse("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
    (tensor,) = PublishedTensors(NB201, edges=False).tensors([arch])
    assert tensor.shape == (31, 8, 8)
    place = {name: i + 1 for i, name in enumerate(NB201.operations)}
    assert np.argwhere(tensor[0]).tolist() == [[0, 1], [1, 7]]
    assert (tensor[0, 0, 1], tensor[0, 1, 7]) == (place["nor_conv_3x3"], place["output"])
    same = PublishedTensors(NB101).tensors([EXAMPLE]), PublishedTensors(NB101, edges=False).tensors([EXAMPLE])
    np.testing.assert_array_equal(*same)
