"""Our feature tensors: what differs from the paper's, and node orders."""

from __future__ import annotations

import numpy as np

from harness.spaces.tensors import PublishedTensors
from harness_nasbench.spaces.nasbench101 import NASBench101Space
from harness_nasbench.spaces.nasbench201 import NASBench201Space
from harness_renas.features import Features, penultimate

NB101, NB201 = NASBench101Space(), NASBench201Space()


def test_penultimate_moves_the_output_alone() -> None:
    batch = NB201.graphs([(1, 0, 0, 3, 0, 0), (3, 3, 3, 3, 3, 3)])[0]
    moved = penultimate(batch)
    assert moved.ops[:, -1].tolist() == [6, 6]
    assert moved.ops[0].tolist() == [0, 4, -1, -1, -1, -1, -1, 6]
    assert np.array_equal(moved.ops[1], batch.ops[1])
    assert moved.adjacency[0, 1, -1]


def test_onehot_channels_sum_to_the_adjacency_matrix() -> None:
    archs = NB101.sample(np.random.default_rng(0), 20)
    tensors = Features(NB101, costs=False).tensors(archs)
    assert tensors.shape[1] == 4  # every operation but the input, which is no edge's destination
    ordinal = Features(NB101, types="ordinal", costs=False).tensors(archs)
    np.testing.assert_array_equal(tensors.sum(axis=1), (ordinal[:, 0] > 0).astype(np.float32))
    np.testing.assert_array_equal(np.einsum("ncuv,c->nuv", tensors, [2, 3, 4, 5]), ordinal[:, 0])


def test_ordinal_ones_are_the_papers_less_repetitions_and_empty_entries() -> None:
    """Of nine repetitions five differ; nothing leads to the input, nothing from the output."""
    archs = NB101.sample(np.random.default_rng(1), 50)
    ours = Features(NB101, types="ordinal").tensors(archs)
    paper = PublishedTensors(NB101).tensors(archs)
    assert not paper[:, :, -1, :].any()
    assert not paper[:, :, :, 0].any()
    distinct = [0, *(channel for cell in (0, 3, 4, 6, 7) for channel in (1 + 2 * cell, 2 + 2 * cell))]
    np.testing.assert_array_equal(ours, paper[:, distinct, :-1, 1:])


def test_views_are_orders_of_the_same_cell() -> None:
    archs = NB201.sample(np.random.default_rng(4), 60)
    features = Features(NB201)
    first, *others = features.views(archs, 4)
    np.testing.assert_array_equal(first, features.tensors(archs))
    assert len(others) == 3
    for view in others:
        assert not np.tril(view, k=-1).any()
        np.testing.assert_allclose(view.sum(axis=(2, 3)), first.sum(axis=(2, 3)), rtol=1e-5)
    assert any((view != first).any() for view in others)


def test_orders_are_capped_and_owned() -> None:
    archs = NB201.sample(np.random.default_rng(3), 40)
    features = Features(NB201)
    tensors, owner = features.permuted(archs, 24)
    assert sorted(set(owner.tolist())) == list(range(40))
    assert np.bincount(owner).max() <= 24
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    np.testing.assert_array_equal(tensors[first], features.tensors(archs))
    # the same edges in another order: sums over the matrix agree with the canonical order's
    np.testing.assert_allclose(tensors.sum(axis=(2, 3)), tensors[first].sum(axis=(2, 3))[owner], rtol=1e-5)
