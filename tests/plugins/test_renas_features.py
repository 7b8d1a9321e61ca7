"""Feature tensors against the published NAS-Bench-101 example and definitions worked out by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from harness import CellBatch, StudyError
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness_nasbench.spaces.nasbench101 import NASBench101Space
from harness_nasbench.spaces.nasbench201 import NASBench201Space
from harness_renas.features import Features, Layout, edges_of, penultimate
from harness_renas.ordering import alternatives, canonical, depths, reordered

NB101, NB201 = NASBench101Space(), NASBench201Space()
PAPER = Layout(types="ordinal", repeats=True, trimmed=False)
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
    (tensor,) = Features(NB101, PAPER).tensors([EXAMPLE])
    assert tensor.shape == (19, 7, 7)
    adjacency = MATRIX[np.ix_(BY_DEPTH, BY_DEPTH)]
    for channel, values in ((0, TYPES), (1, FLOPS), (2, PARAMS)):
        np.testing.assert_array_equal(tensor[channel], (adjacency * values[BY_DEPTH]).astype(np.float32))


def test_only_five_of_nine_repetitions_differ() -> None:
    """Stack 1 has one kind of cell, stacks 2 and 3 two each: the first halves the map and doubles the channels."""
    (tensor,) = Features(NB101, PAPER).tensors([EXAMPLE])
    pairs = {tensor[1 + 2 * c : 3 + 2 * c].tobytes() for c in range(9)}
    assert len(pairs) == 5
    distinct = Features(NB101, Layout(types="ordinal", trimmed=False)).tensors([EXAMPLE])
    assert distinct.shape == (1, 1 + 2 * 5, 7, 7)


def test_padding_is_penultimate() -> None:
    small = NB101.from_matrix([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", C3, "output"])
    (tensor,) = Features(NB101, PAPER).tensors([small])
    expected = np.zeros((7, 7))
    expected[0, 1], expected[1, 6] = 3, 5
    np.testing.assert_array_equal(tensor[0], expected)


def test_penultimate_moves_the_output_alone() -> None:
    batch = NB201.graphs([(1, 0, 0, 3, 0, 0), (3, 3, 3, 3, 3, 3)])[0]
    moved = penultimate(batch)
    assert moved.ops[:, -1].tolist() == [6, 6]
    assert moved.ops[0].tolist() == [0, 4, -1, -1, -1, -1, -1, 6]
    assert np.array_equal(moved.ops[1], batch.ops[1])
    assert moved.adjacency[0, 1, -1]


def test_edge_layout_is_31_by_4_by_4() -> None:
    """Operations at [source, target] with the numbers none 0, skip 1, conv1x1 2, conv3x3 3, avgpool 4."""
    layout = Layout("edge", "ordinal", repeats=True, pruned=False, trimmed=False)
    (tensor,) = Features(NB201, layout).tensors([(4, 3, 2, 1, 0, 3)])
    assert tensor.shape == (31, 4, 4)
    assert tensor[0].tolist() == [[0, 4, 3, 1], [0, 0, 2, 0], [0, 0, 0, 3], [0, 0, 0, 0]]
    # 2 k^2 C^2 HW FLOPs and k^2 C^2 + 2 C parameters at 16, 32, 64 channels on maps of 32, 16, 8
    for cell, (c, side) in enumerate([(16, 32)] * 5 + [(32, 16)] * 5 + [(64, 8)] * 5):
        flops, params = tensor[1 + 2 * cell], tensor[2 + 2 * cell]
        assert flops[0, 2] == 2 * 9 * c * c * side * side
        assert flops[0, 1] == 9 * c * side * side
        assert (params[1, 2], params[0, 2], params[0, 1]) == (c * c + 2 * c, 9 * c * c + 2 * c, 0)


def test_pruned_edge_layout_drops_what_lies_on_no_path() -> None:
    layout = Layout("edge", "ordinal", repeats=True, trimmed=False)
    (tensor,) = Features(NB201, layout).tensors([(3, 0, 0, 1, 0, 3)])  # 0->1 leads nowhere, 2->3 comes from nowhere
    assert tensor[0].tolist() == [[0, 0, 0, 1], [0] * 4, [0] * 4, [0] * 4]
    assert not tensor[1:].any()


@pytest.mark.parametrize("space", [NB101, ToyEdgeSpace(), ToyNodeSpace()], ids=lambda s: s.name)
def test_spaces_without_edges_as_choices_refuse_the_edge_layout(space: object) -> None:
    with pytest.raises(StudyError, match="no edge layout"):
        Features(space, Layout("edge"))  # type: ignore[arg-type]


def test_edges_of_nasbench201() -> None:
    assert edges_of(NB201) == [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]


def test_onehot_channels_sum_to_the_adjacency_matrix() -> None:
    archs = NB101.sample(np.random.default_rng(0), 20)
    tensors = Features(NB101, Layout(costs=False, trimmed=False)).tensors(archs)
    assert tensors.shape[1] == 4  # every operation but the input, which is no edge's destination
    ordinal = Features(NB101, Layout(types="ordinal", costs=False, trimmed=False)).tensors(archs)
    np.testing.assert_array_equal(tensors.sum(axis=1), (ordinal[:, 0] > 0).astype(np.float32))
    np.testing.assert_array_equal(np.einsum("ncuv,c->nuv", tensors, [2, 3, 4, 5]), ordinal[:, 0])


@pytest.mark.parametrize("layout", ["node", "edge"])
def test_trimmed_rows_and_columns_are_empty(layout: str) -> None:
    archs = NB201.sample(np.random.default_rng(1), 50)
    whole = Features(NB201, Layout(layout, trimmed=False)).tensors(archs)  # type: ignore[arg-type]
    assert not whole[:, :, -1, :].any()
    assert not whole[:, :, :, 0].any()
    trimmed = Features(NB201, Layout(layout)).tensors(archs)  # type: ignore[arg-type]
    np.testing.assert_array_equal(trimmed, whole[:, :, :-1, 1:])


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


def test_views_are_orders_of_the_same_cell() -> None:
    archs = NB201.sample(np.random.default_rng(4), 60)
    features = Features(NB201, Layout(trimmed=False))
    first, *others = features.views(archs, 4)
    np.testing.assert_array_equal(first, features.tensors(archs))
    assert len(others) == 3
    for view in others:
        assert not np.tril(view).any()
        np.testing.assert_allclose(view.sum(axis=(2, 3)), first.sum(axis=(2, 3)), rtol=1e-5)
    assert any((view != first).any() for view in others)
    assert len(list(Features(NB201, Layout("edge")).views(archs, 4))) == 1


def test_orders_are_capped_and_owned() -> None:
    archs = NB201.sample(np.random.default_rng(3), 40)
    features = Features(NB201, Layout())
    tensors, owner = features.permuted(archs, 24)
    assert sorted(set(owner.tolist())) == list(range(40))
    assert np.bincount(owner).max() <= 24
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    np.testing.assert_array_equal(tensors[first], features.tensors(archs))
    # the same edges in another order: sums over the matrix agree with the canonical order's
    np.testing.assert_allclose(tensors.sum(axis=(2, 3)), tensors[first].sum(axis=(2, 3))[owner], rtol=1e-5)
