"""The rankers' models against closed forms and symmetries."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
import torch

from harness.search.labelled import Labelled
from harness_nasbench.spaces.darts import DartsSpace
from harness_nasbench.spaces.nasbench101 import NASBench101Space
from harness_nasbench.spaces.nasbench201 import NASBench201Space
from harness_rankers.encodings import cell_vectors, one_hot_choices
from harness_rankers.forest import E2EPP, E2EPPParams, ForestRanker
from harness_rankers.gin import GINParams
from harness_rankers.layers import LayerLSTM, kernels, layer_codes
from harness_rankers.layers import fit as fit_layers
from harness_rankers.messages import Cells, MessagePassing
from harness_rankers.peephole import PeepholeParams
from harness_rankers.ridge import ridge
from harness_rankers.training import fit, loss, rate

NB201 = NASBench201Space()


def network(operations: int, cells: int = 1, **sizes: int) -> MessagePassing:
    settings = {"members": 3, "width": 8, "layers": 2} | sizes
    return MessagePassing(operations, cells, **settings, generator=torch.Generator().manual_seed(0))


def test_one_hot_choices() -> None:
    x = one_hot_choices(NB201, [(0, 1, 2, 3, 4, 0)])
    assert x.shape == (1, 30)
    assert np.flatnonzero(x[0]).tolist() == [0, 6, 12, 18, 24, 25]


def test_a_forest_predicts_what_scikit_learn_says_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    archs = NB201.sample(rng, 120)
    known = Labelled(archs[:60], rng.random(60))
    ranker = E2EPP(E2EPPParams(trees=40)).learn(NB201, known, np.random.default_rng(1))
    assert isinstance(ranker, ForestRanker)
    assert ranker.rank(archs).tolist() == ranker.forest.predict(one_hot_choices(NB201, archs)).tolist()
    assert ranker.rank([]).shape == (0,)


def test_cell_vectors_count_operations_and_edges() -> None:
    x = cell_vectors(NB201, [(3, 0, 0, 3, 0, 0)])[0]  # pruned: input, one convolution, output
    assert x[:7].tolist() == [1, 0, 0, 0, 1, 0, 1]
    assert x.sum() == 3 + 3 + 2  # counts, nodes, edges


def test_ridge_is_the_normal_equation_and_its_error_leaves_one_out() -> None:
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(30, 5)), rng.normal(size=5)
    y = x @ weights + 0.3 * rng.normal(size=30)
    cx, cy = x - x.mean(axis=0), y - y.mean()
    found, penalty = ridge(cx, cy, [2.5])
    assert penalty == 2.5
    np.testing.assert_allclose(found, np.linalg.solve(cx.T @ cx + 2.5 * np.eye(5), cx.T @ cy))

    def left_out(p: float) -> float:
        errors = []
        for i in range(30):
            keep = np.arange(30) != i
            a, b = x[keep] - x[keep].mean(axis=0), y[keep] - y[keep].mean()
            w = np.linalg.solve(a.T @ a + p * np.eye(5), a.T @ b)
            errors.append(y[i] - y[keep].mean() - (x[i] - x[keep].mean(axis=0)) @ w)
        return float(np.mean(np.square(errors)))

    penalties = [1e-3, 0.1, 1.0, 10.0, 1e3]
    assert ridge(cx, cy, penalties)[1] == min(penalties, key=left_out)


def test_isomorphic_graphs_have_one_score() -> None:
    """The README cell of NAS-Bench-101 and the isomorphic record that its notebook prints for it."""
    space = NASBench101Space()
    c1, c3, pool = "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3"
    rows = [0b0111010, 0b0000001, 0b0000001, 0b0000100, 0b0000001, 0b0000001, 0]
    twin = [0b0111100, 0b0000001, 0b0000001, 0b0000001, 0b0000010, 0b0000001, 0]
    archs = [
        space.from_matrix([[r >> (6 - i) & 1 for i in range(7)] for r in m], ["input", *ops, "output"])
        for m, ops in ((rows, (c1, c3, c3, c3, pool)), (twin, (c3, c1, pool, c3, c3)))
    ]
    with torch.inference_mode():
        scores = network(len(space.operations))(Cells.of(space, archs, pruned=True))
    torch.testing.assert_close(scores[:, 0], scores[:, 1], rtol=1e-4, atol=1e-5)


def test_scores_do_not_depend_on_padding_or_company() -> None:
    archs = NB201.sample(np.random.default_rng(0), 20)
    net = network(len(NB201.operations))
    cells = Cells.of(NB201, archs, pruned=True)
    with torch.inference_mode():
        together = net(cells)
        alone = torch.cat([net(cells[i : i + 1]) for i in range(20)], dim=1)
        v = cells.ops.shape[2]
        wide = Cells(
            torch.nn.functional.pad(cells.ops, (0, 0, 0, 3)), torch.nn.functional.pad(cells.edges, (0, 3, 0, 3))
        )
        assert wide.ops.shape[2] == v + 3
        padded = net(wide)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together, padded, rtol=1e-4, atol=1e-5)


def test_messages_go_along_edges_and_against_them() -> None:
    """Reversing every edge of an asymmetric cell changes its score: predecessors and successors are told apart."""
    cells = Cells.of(NB201, [(3, 1, 2, 4, 0, 1)], pruned=True)
    net = network(len(NB201.operations))
    with torch.inference_mode():
        assert not torch.allclose(net(cells), net(Cells(cells.ops, cells.edges.transpose(2, 3))), atol=1e-4)


def test_members_are_independent() -> None:
    """A member's gradient does not reach the others' weights."""
    cells = Cells.of(NB201, NB201.sample(np.random.default_rng(0), 10), pruned=True)
    net = network(len(NB201.operations))
    net(cells)[1].sum().backward()  # type: ignore[no-untyped-call]
    for parameter in net.parameters():
        assert parameter.grad is not None
        assert not parameter.grad[[0, 2]].any()
    assert net.score.grad is not None
    assert net.score.grad[1].any()


def test_two_cells_are_read_apart() -> None:
    space = DartsSpace()
    (arch,) = space.sample(np.random.default_rng(0), 1)
    cells = Cells.of(space, [arch], pruned=True)
    assert cells.ops.shape[0] == 2
    swapped = Cells(cells.ops.flip(0), cells.edges.flip(0))
    net = network(len(space.operations), 2)
    with torch.inference_mode():
        assert not torch.allclose(net(cells), net(swapped), atol=1e-4)


def test_pairwise_losses_by_hand() -> None:
    scores = torch.tensor([[0.3, -0.2, 0.9]])
    ranks = torch.tensor([0.0, 0.5, 0.5])
    z = [-0.2 - 0.3, 0.9 - 0.3]  # the two better ones against the worse; they themselves are tied
    expected = {
        "logistic": sum(math.log1p(math.exp(-x)) for x in z) / 2,
        "hinge": sum(max(0.0, 0.1 - x) for x in z) / 2,
        "mse": ((0.3 + 1) ** 2 + 0.2**2 + 0.9**2) / 3,
    }
    for kind, value in expected.items():
        assert loss(scores, ranks, GINParams(loss=kind)).item() == pytest.approx(value, rel=1e-5)  # type: ignore[arg-type]


def test_learning_rate_rises_then_falls_to_zero() -> None:
    shares = [rate(t, 200) for t in range(201)]
    assert shares[0] == pytest.approx(0.1, rel=1e-3)
    assert max(shares) == max(shares[:12]) <= 1.0
    assert shares[-1] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("kind", ["logistic", "hinge", "mse"])
def test_the_network_learns_the_longest_path(kind: str) -> None:
    """Depth of a NAS-Bench-201 cell: a property of the graph that no count of operations gives."""
    rng = np.random.default_rng(0)
    archs = list(dict.fromkeys(NB201.sample(rng, 320)))[:300]
    truth = np.zeros(300)
    for i, arch in enumerate(archs):
        adjacency = NB201.graph(arch)[0].adjacency
        depth = np.zeros(len(adjacency))
        for v in range(1, len(adjacency)):
            depth[v] = max((depth[u] + 1 for u in range(v) if adjacency[u, v]), default=0)
        truth[i] = depth[-1]
    known = Labelled(archs[:150], truth[:150])
    ranker = fit(NB201, known, rng, GINParams(loss=kind, members=2, width=16, epochs=40))  # type: ignore[arg-type]
    assert np.corrcoef(ranker.rank(archs[150:]), truth[150:])[0, 1] > 0.9
    assert len(ranker.rank([])) == 0


def test_layer_codes_are_operation_and_kernel_by_depth() -> None:
    """Input, 3 x 3 convolution, skip behind it, output; an operation's number counts from 1, padding is zero."""
    arch = NB201.parse("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|")
    (codes,) = layer_codes(NB201, [arch], pruned=True)
    place = {name: i + 1 for i, name in enumerate(NB201.operations)}
    conv, skip = (place["nor_conv_3x3"], 3, 3), (place["skip_connect"], 0, 0)
    assert [tuple(c) for c in codes[:5].tolist()] == [
        (place["input"], 0, 0), conv, skip, (place["output"], 0, 0), (0, 0, 0)
    ]  # fmt: skip
    assert kernels(NASBench101Space()).tolist() == [[0, 0], [1, 1], [3, 3], [3, 3], [0, 0]]


def test_layers_of_two_cells_follow_one_another() -> None:
    space = DartsSpace()
    archs = space.sample(np.random.default_rng(0), 5)
    codes = layer_codes(space, archs, pruned=True)
    real = sum((batch.ops >= 0).sum(axis=1) for batch in space.graphs(archs))
    assert ((codes[:, :, 0] > 0).sum(axis=1) == real).all()
    assert all((row[:n] > 0).all() for row, n in zip(codes[:, :, 0], real, strict=True))


def test_the_lstm_is_read_after_the_last_layer() -> None:
    """Padding behind it changes nothing."""
    codes = torch.from_numpy(layer_codes(NB201, NB201.sample(np.random.default_rng(0), 20), pruned=True))
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(0)
        network = LayerLSTM(len(NB201.operations), 3, 8, 6).eval()
        wide = torch.nn.functional.pad(codes, (0, 0, 0, 4))
        torch.testing.assert_close(network(codes), network(wide))
        # the gates' weights of 8 inputs and 6 states; 6 -> 3 -> 3 -> 1 with batch normalisation
        assert sum(p.numel() for p in network.lstm.parameters()) == 4 * 6 * (8 + 6 + 2)


def test_peephole_learns_the_number_of_convolutions() -> None:
    rng = np.random.default_rng(0)
    archs = list(dict.fromkeys(NB201.sample(rng, 320)))[:300]
    truth = np.array([sum(op == 3 for op in a) for a in archs], dtype=np.float64)
    before = torch.get_rng_state()
    params = PeepholeParams(pruned=False, hidden=32, epochs=60)
    ranker = fit_layers(NB201, Labelled(archs[:150], truth[:150]), rng, params)
    assert torch.equal(before, torch.get_rng_state())
    assert np.corrcoef(ranker.rank(archs[150:]), truth[150:])[0, 1] > 0.8
    assert ranker.rank([]).shape == (0,)


def test_no_batch_of_peephole_is_one_architecture_of_which_batch_norm_has_no_variance() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"batch"):
        msgspec.convert({"batch": 2}, PeepholeParams)
    params = msgspec.convert({"batch": 3, "width": 4, "hidden": 4, "epochs": 1}, PeepholeParams)
    archs = NB201.sample(np.random.default_rng(0), 8)
    for n in range(2, 9):
        known = Labelled(archs[:n], np.arange(n, dtype=np.float64))
        assert np.isfinite(fit_layers(NB201, known, np.random.default_rng(0), params).rank(archs)).all()
