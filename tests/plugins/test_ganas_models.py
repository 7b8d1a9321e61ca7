"""GA-NAS's encoder and discriminator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness import CellBatch
from harness.testing.spaces import ToyEdgeSpace
from harness_ganas.discriminator import Discriminator
from harness_ganas.encoder import KGNN, stack
from harness_ganas.params import GANASParams
from harness_nasbench.spaces.nasbench201 import CONV3, NASBench201Space


@pytest.fixture(autouse=True)
def _seeded():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def test_the_layer_is_morris_et_als_convolution() -> None:
    layer = KGNN(1, 1, hidden=4, layers=1, padding=True).predecessors[0]
    x, a = torch.randn(4, 5, 3), (torch.rand(4, 5, 5) < 0.5).float()
    w2, b, w1 = layer.lin_rel.weight, layer.lin_rel.bias, layer.lin_root.weight
    by_hand = torch.stack(
        [
            torch.stack(
                [w1 @ g[i] + w2 @ sum((m[i, j] * g[j] for j in range(5)), torch.zeros(3)) + b for i in range(5)]
            )
            for g, m in zip(x, a, strict=True)
        ]
    )
    torch.testing.assert_close(layer(x, a), by_hand)


def chain(ops, v=5):
    adjacency = np.zeros((1, v, v), dtype=np.bool_)
    for i in range(len(ops) - 1):
        adjacency[0, i, i + 1] = True
    return CellBatch(np.array([[*ops, *[-1] * (v - len(ops))]]), adjacency)


def embed(gnn, *cells):
    return gnn(gnn.inputs(stack(cells)))


def test_padding_is_left_out_of_convolution_and_readout() -> None:
    gnn = KGNN(4, 1, hidden=8, layers=2, padding=True)
    nodes, graph = embed(gnn, chain([0, 1, 3]))
    assert nodes.shape == (1, 1, 5, 8)
    assert not nodes[0, 0, 3:].any()
    torch.testing.assert_close(graph[0, :8], nodes[0, 0, :3].mean(dim=0))
    torch.testing.assert_close(graph[0, 8:], nodes[0, 0, :3].amax(dim=0))


def test_an_undecided_node_is_a_node() -> None:
    gnn = KGNN(4, 1, hidden=8, layers=2, padding=False)
    nodes, graph = embed(gnn, chain([0, -1, 3], v=3))
    torch.testing.assert_close(graph[0, :8], nodes[0, 0].mean(dim=0))


def test_direction_is_kept() -> None:
    gnn = KGNN(4, 1, hidden=8, layers=2, padding=True)
    forth = chain([0, 1, 3], v=3)
    back = CellBatch(forth.ops, forth.adjacency.transpose(0, 2, 1))
    assert not torch.allclose(embed(gnn, forth)[1], embed(gnn, back)[1])


def test_distinct_cells_share_weights_and_stand_side_by_side() -> None:
    gnn = KGNN(4, 2, hidden=8, layers=2, padding=True)
    a, b = chain([0, 1, 3]), chain([0, 2, 2, 3])
    both, swapped = embed(gnn, a, b)[1], embed(gnn, b, a)[1]
    assert both.shape == (1, 32)
    torch.testing.assert_close(both[0, :16], swapped[0, 16:])
    torch.testing.assert_close(both[0, 16:], swapped[0, :16])


def test_taking_some_inputs_embeds_these() -> None:
    space, gnn = NASBench201Space(), KGNN(7, 1, hidden=8, layers=2, padding=True)
    archs = space.sample(np.random.default_rng(0), 9)
    inputs = gnn.inputs(stack(space.graphs(archs)))
    some = np.array([7, 0, 7, 3])
    torch.testing.assert_close(gnn(inputs.take(some))[1], gnn(inputs)[1][some])


def test_an_odd_width_is_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        KGNN(4, 1, hidden=7, layers=1, padding=True)


@pytest.mark.parametrize("pairwise", [True, False], ids=["pairwise", "pointwise"])
def test_unseen_cells_of_the_truths_kind_score_higher(pairwise: bool) -> None:
    space, rng = NASBench201Space(), np.random.default_rng(1)
    every = space.sample(rng, 3000)
    good = list(dict.fromkeys(a for a in every if a.count(CONV3) >= 3))
    plain = [a for a in every if a.count(CONV3) == 0][:100]
    kind: Any = "pairwise" if pairwise else "pointwise"
    found = Discriminator(space, GANASParams(discriminator=kind, disc_hidden=16, disc_layers=2))
    for _ in range(5):
        found.train(good[:25], space.sample(rng, 25), rng)
    unseen, others = found.score(good[25:125]), found.score(plain)
    assert ((unseen >= 0) & (unseen <= 1)).all()
    auc = (unseen[:, None] > others[None]).mean()
    assert auc > 0.95


def test_the_score_is_the_mean_over_the_truth_set() -> None:
    space, rng = ToyEdgeSpace(), np.random.default_rng(0)
    truth, other = space.sample(rng, 5), space.sample(rng, 5)
    found = Discriminator(space, GANASParams(disc_hidden=8, disc_layers=1, disc_epochs=2, disc_pairs=8, disc_batch=16))
    found.train(truth, other, rng)
    x = space.sample(rng, 20)
    with torch.no_grad():
        taus, xs = found.encode(truth), found.encode(x)
        by_hand = [float(np.mean([torch.sigmoid(found.head(tau, g)).item() for tau in taus])) for g in xs]
    np.testing.assert_allclose(found.score(x), by_hand, atol=1e-6)
    np.testing.assert_array_equal(found.rank(x), found.score(x))


def test_one_truth_cell_is_enough_to_train_on() -> None:
    space, rng = ToyEdgeSpace(), np.random.default_rng(0)
    params = GANASParams(disc_hidden=8, disc_layers=1, disc_epochs=60, disc_pairs=16, disc_batch=32)
    found = Discriminator(space, params)
    found.train([(3, 3, 3, 3)], space.sample(rng, 20), rng)
    assert found.score([(3, 3, 3, 3)])[0] > found.score([(1, 1, 1, 1)])[0]


def test_scoring_before_training_is_an_error() -> None:
    space = ToyEdgeSpace()
    with pytest.raises(RuntimeError, match="not trained"):
        Discriminator(space, GANASParams()).score([(0, 0, 0, 0)])
