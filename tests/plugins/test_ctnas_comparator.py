"""CTNAS's comparator and its rival: sizes of the released network, equations of the poster, pairs and labels."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch

from harness.spaces import SearchSpace, on_path
from harness.testing.spaces import ToyNodeSpace
from harness_ctnas.comparator import NAC, Comparator
from harness_ctnas.dense import residual_layer
from harness_ctnas.encoder import GCN, MLP, Embedding, EquationGCN, encode
from harness_ctnas.exploration import pseudo_labelled
from harness_ctnas.params import PUBLISHED, CTNASParams, RegressionNASParams
from harness_ctnas.regression import Regressor
from harness_nasbench.spaces.darts import DartsSpace
from harness_nasbench.spaces.nasbench101 import NASBench101Space
from harness_nasbench.spaces.nasbench201 import NASBench201Space

SPACE = NASBench201Space()
Floats = npt.NDArray[np.float64]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def params(**given: Any) -> CTNASParams:
    """The released code's learning rate and pairs, where nothing else is given."""
    return CTNASParams(**{"lr": 2e-4, "pairs": "permutation", **given})


def comparator(space: SearchSpace = SPACE, seed: int = 0, **given: Any) -> Comparator:
    return Comparator(space, params(**given), seeded(seed))


def sigmoid(x: Floats | float) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(x))))


@pytest.mark.parametrize(
    ("space", "layers", "parameters"),
    [(NASBench101Space(), 4, 67_073), (NASBench101Space(), 2, 34_049), (NASBench201Space(), 2, 34_305)],
)
def test_the_comparator_has_the_released_number_of_parameters(space: SearchSpace, layers: int, parameters: int) -> None:
    nac = NAC(Embedding(layers=layers).network(space, seeded()), seeded())
    assert sum(p.numel() for p in nac.parameters()) == parameters


def test_two_cells_share_the_network_and_have_an_output_weight_each() -> None:
    """Ten operations and the dummy; Linear(4 * 128, 1): ratio 4 of the released code."""
    space = DartsSpace()
    nac = NAC(Embedding().network(space, seeded()), seeded())
    expected = (len(space.operations) + 1) * 128 + 2 * (128 * 128 + 128) + 4 * 128 + 1
    assert sum(p.numel() for p in nac.parameters()) == expected
    assert nac(encode(space, space.sample(np.random.default_rng(0), 5), pruned=True)).shape == (5, 2)


def test_a_layer_is_p_x_w_plus_b_plus_x() -> None:
    layer = residual_layer(4, seeded())
    x, p = torch.randn(3, 5, 4, generator=seeded(1)), torch.rand(3, 5, 5, generator=seeded(2))
    weights = dict(layer.named_parameters())
    assert sorted(weights) == ["lin_rel.bias", "lin_rel.weight"]
    w, b = weights["lin_rel.weight"], weights["lin_rel.bias"]
    torch.testing.assert_close(layer(x, p), p @ (x @ w.T) + b + x)
    assert max(abs(v).max().item() for v in weights.values()) <= 0.5


def test_nodes_hear_their_predecessors_and_themselves() -> None:
    """NAS-Bench-101's input -> output: transposed adjacency plus identity; the dummy operation pads to 7 nodes."""
    space = NASBench101Space()
    (arch,) = space.sample(np.random.default_rng(0), 1)
    cell = space.graph(arch)[0]
    given = encode(space, [arch], pruned=True)
    v = cell.nodes
    assert given.ops[0, 0].tolist() == [*(cell.ops + 1).tolist(), *[0] * (7 - v)]
    expected = np.eye(7)
    expected[:v, :v] += cell.adjacency.T
    np.testing.assert_array_equal(given.flow[0, 0].numpy(), expected)


def test_the_embedding_is_equation_4_with_what_the_released_code_adds() -> None:
    """Mean over all eight nodes, padding among them, after ReLU on both layers."""
    gcn = GCN(len(SPACE.operations), 1, 2, seeded())
    archs = SPACE.sample(np.random.default_rng(0), 6)
    given = encode(SPACE, archs, pruned=True)
    assert (given.ops == 0).any()
    w = {k: v.detach().numpy().astype(np.float64) for k, v in gcn.named_parameters()}
    for i in range(6):
        x, p = w["embedding"][given.ops[i, 0].numpy()], given.flow[i, 0].numpy().astype(np.float64)
        for layer in (0, 1):
            x = np.maximum(p @ x @ w[f"layers.{layer}.lin_rel.weight"].T + w[f"layers.{layer}.lin_rel.bias"] + x, 0.0)
        with torch.inference_mode():
            z = gcn(given.take(torch.tensor([i])))[0].numpy()
        np.testing.assert_allclose(z, x.sum(axis=0) / 8, rtol=1e-4, atol=1e-4)


def test_the_poster_s_equation_4_to_the_letter() -> None:
    """Z = A phi(A X W0) W1 and p = sigmoid([Z ; Z'] W_FC): no self-loop, no residual, no bias, no last ReLU."""
    nac = NAC(Embedding("equation").network(SPACE, seeded()), seeded())
    assert isinstance(nac.network, EquationGCN)
    assert sum(p.numel() for p in nac.parameters() if p.requires_grad) == 8 * 128 + 2 * 128 * 128 + 2 * 128
    archs = SPACE.sample(np.random.default_rng(0), 6)
    found = nac(encode(SPACE, archs, pruned=True)).detach().numpy()
    x = nac.network.embedding.detach().double().numpy()
    w0, w1 = (w.detach().double().numpy() for w in nac.network.weights)
    fc = nac.w.detach().double().numpy()
    for arch, (u, v) in zip(archs, found, strict=True):
        (graph,) = SPACE.graph(arch)
        a = graph.adjacency.T.astype(np.float64)
        z = (a @ np.maximum(a @ x[graph.ops + 1] @ w0, 0.0) @ w1).sum(axis=0) / 8
        np.testing.assert_allclose([u, v], z @ fc, rtol=1e-3, atol=1e-4)
    assert nac.c.item() == 0.0
    assert not nac.c.requires_grad


def test_nasbench101_is_pruned_before_it_is_padded() -> None:
    """As the released code does: what a cell's unused vertices hold makes no difference, and they are dummies."""
    space = NASBench101Space()
    (arch,) = [a for a in space.sample(np.random.default_rng(0), 50) if space.graph(a)[0].nodes == 4][:1]
    full = space.graphs([arch], pruned=False)[0]
    unused = next(v for v in range(1, 6) if not on_path(full.adjacency[0], [0], 6)[v])
    other = (*arch[: 21 + unused - 1], (arch[21 + unused - 1] + 1) % 3, *arch[21 + unused :])
    given = Embedding().encode(space, [arch, other])
    assert (given.ops[0] == given.ops[1]).all()
    assert (given.ops[0, 0, 4:] == 0).all()
    published = CTNASParams(**PUBLISHED)
    assert Embedding.of(published) == Embedding()


def test_the_mlp_on_one_hot_choices_has_the_released_sizes() -> None:
    """120 options, three layers of 512 and Linear(1024, 1): the released code's MBSpaceNAC(20 * 3 * 2, 512)."""
    nac = NAC(MLP((6,) * 20, seeded()), seeded())
    assert sum(p.numel() for p in nac.parameters()) == (120 * 512 + 512) + 2 * (512 * 512 + 512) + 1024 + 1


@pytest.mark.parametrize("space", [SPACE, ToyNodeSpace(), DartsSpace()], ids=lambda s: s.name)
def test_the_mlp_works_on_any_space(space: SearchSpace) -> None:
    network = Embedding("mlp").network(space, seeded())
    assert isinstance(network, MLP)
    archs = space.sample(np.random.default_rng(0), 5)
    w = [(x.weight.detach().double().numpy(), x.bias.detach().double().numpy()) for x in network.layers]  # type: ignore[union-attr]
    with torch.inference_mode():
        z = network(Embedding("mlp").encode(space, archs)).numpy()
    for arch, row in zip(archs, z, strict=True):
        x = np.concatenate([np.eye(k)[a] for a, k in zip(arch, space.radices, strict=True)])
        for i, (weight, bias) in enumerate(w):
            x = weight @ (np.maximum(x, 0.0) if i else x) + bias
        np.testing.assert_allclose(row, x, rtol=1e-4, atol=1e-5)


def test_the_probability_is_equation_3() -> None:
    """sigmoid([Z_a ; Z_a'] W_FC + c), and `rank` orders by it whatever a' is."""
    known, space = comparator(), SPACE
    archs = space.sample(np.random.default_rng(0), 20)
    with torch.inference_mode():
        z = known.nac.network(encode(space, archs, pruned=True)).double().numpy()
    fc = known.nac.w.detach().double().numpy().T.reshape(-1)
    u = known.rank(archs)
    for beta in (3, 7):
        pair = np.concatenate([z, np.broadcast_to(z[beta], z.shape)], axis=1)
        p = known.against(archs[beta])(archs)
        np.testing.assert_allclose(p, sigmoid(pair @ fc + known.nac.c.item()), rtol=1e-4)
        np.testing.assert_allclose(p, known.compare(archs, [archs[beta]] * 20), rtol=1e-12)
        assert np.argsort(p).tolist() == np.argsort(u).tolist()


def test_isomorphic_parts_off_the_path_do_not_count_when_pruned() -> None:
    """Two cells that differ in an edge out of a node that nothing reaches."""
    a = SPACE.parse("|none~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|skip_connect~2|")
    b = SPACE.parse("|none~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|skip_connect~2|")
    pruned, written = (comparator(pruned=p) for p in (True, False))
    assert pruned.rank([a])[0] == pruned.rank([b])[0]
    assert written.rank([a])[0] != written.rank([b])[0]


@pytest.mark.parametrize("pairs", ["all", "permutation"])
def test_pairs_are_labelled_greater_or_equal_and_never_with_themselves(pairs: str) -> None:
    found = comparator(pairs=pairs)
    scores = torch.tensor([3.0, 1.0, 2.0, 2.0])
    halves = torch.tensor([[10.0, 1.0], [20.0, 2.0], [30.0, 3.0], [40.0, 4.0]])  # u and v say who is who
    seen: set[tuple[int, int]] = set()
    for _ in range(200):
        logits, y = found._pairs(halves, scores)
        for logit, label in zip((logits - found.nac.c).tolist(), y.tolist(), strict=True):
            a = round(logit) // 10 - 1
            b = round(logit) % 10 - 1
            seen.add((a, b))
            assert label == float(scores[a] >= scores[b])
    assert seen == {(a, b) for a in range(4) for b in range(4) if a != b}


def test_once_is_each_pair_of_c_once_and_every_pseudo_label() -> None:
    """The poster's C: M(M-1)/2 pairs of the labelled architectures, in one step with all of D, of one weight."""
    found = comparator(pairs="once", batch=2)
    archs = list(dict.fromkeys(SPACE.sample(np.random.default_rng(0), 12)))[:9]
    scores = torch.arange(9, dtype=torch.float64)
    labelled = found.encode(archs)
    ((logits, y, weights),) = found._steps(labelled, scores, None)
    assert len(logits) == len(y) == 9 * 8 / 2
    assert y.sum() == 0.0  # each later one is better
    assert weights is None
    d = pseudo_labelled(found, archs, 3, "confident", np.random.default_rng(0))
    ((logits, y, weights),) = found._steps(labelled, scores, d)
    assert (len(y), weights) == (36 + 3, None)


@pytest.mark.parametrize("pairs", ["all", "permutation", "once"])
def test_the_comparator_learns_an_order(pairs: str) -> None:
    """The number of 3 x 3 convolutions of cells as written, from 150 of them."""
    archs = list(dict.fromkeys(SPACE.sample(np.random.default_rng(0), 320)))[:300]
    truth = np.array([sum(op == 3 for op in a) for a in archs], dtype=np.float64)
    found = comparator(pruned=False, pairs=pairs, lr=1e-3)
    found.fit(found.encode(archs[:150]), torch.from_numpy(truth[:150]), 60 if pairs != "once" else 120)
    assert np.corrcoef(found.rank(archs[150:]), truth[150:])[0, 1] > 0.8
    best, worst = archs[int(truth.argmax())], archs[int(truth.argmin())]
    assert found.against(worst)([best])[0] > 0.9
    assert found.against(best)([worst])[0] < 0.1


def test_one_architecture_makes_no_pair_and_no_step() -> None:
    found = comparator()
    before = [p.detach().clone() for p in found.nac.parameters()]
    found.fit(found.encode(SPACE.sample(np.random.default_rng(0), 1)), torch.tensor([1.0]), 3)
    assert all(torch.equal(a, b) for a, b in zip(before, found.nac.parameters(), strict=True))


def test_confident_pairs_are_the_surest_with_their_most_probable_label() -> None:
    found = comparator()
    archs = list(dict.fromkeys(SPACE.sample(np.random.default_rng(0), 60)))[:50]
    found.fit(found.encode(archs), torch.arange(50, dtype=torch.float64), 30)
    perm = np.random.default_rng(5).permutation(50)
    p = sigmoid(found.halves(archs)[:, 0] + found.halves(archs)[perm, 1] + found.nac.c.item())
    p = p[perm != np.arange(50)]
    d = pseudo_labelled(found, archs, 20, "confident", np.random.default_rng(5))
    sure = np.sort(np.maximum(p, 1 - p))[::-1][:20]
    np.testing.assert_allclose(own(found, d), sure, rtol=1e-5)
    assert 0 < d.y.mean() < 1
    released = pseudo_labelled(found, archs, 20, "released", np.random.default_rng(5))
    np.testing.assert_allclose(own(found, released), np.sort(p)[::-1][:20], rtol=1e-5)


def own(found: Comparator, d: object) -> Floats:
    """The probability that the comparator gives each pair's own label."""
    with torch.inference_mode():
        u, v = found.nac(d.first)[:, 0].numpy(), found.nac(d.second)[:, 1].numpy()  # type: ignore[attr-defined]
    p = sigmoid(u.astype(np.float64) + v + found.nac.c.item())
    return np.asarray(np.where(d.y.numpy() == 1.0, p, 1 - p))  # type: ignore[attr-defined]


@pytest.mark.parametrize("pairs", ["permutation", "all"])
def test_pseudo_labels_teach(pairs: Literal["permutation", "all"]) -> None:
    """Beside labels that are all equal, so that every labelled pair says 1, only pseudo-labels can say 0."""
    archs = list(dict.fromkeys(SPACE.sample(np.random.default_rng(1), 60)))[:50]
    found = comparator(lr=1e-3)
    found.fit(found.encode(archs), torch.arange(50, dtype=torch.float64), 60)
    d = pseudo_labelled(found, archs, 25, "confident", np.random.default_rng(0))
    assert d.y.min() == 0.0
    right = []
    for pseudo in (None, d):
        pupil = comparator(seed=1, lr=1e-3, pairs=pairs)
        pupil.fit(pupil.encode(archs), torch.zeros(50), 150, pseudo)
        right.append((own(pupil, d) > 0.5).mean())
    assert right[0] == d.y.mean()
    assert right[1] > 0.9


def test_networks_come_from_their_generator_alone() -> None:
    before = torch.get_rng_state()
    archs = SPACE.sample(np.random.default_rng(0), 3)
    a, b, c = (comparator(seed=s).rank(archs) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_the_regressor_predicts_scores() -> None:
    archs = list(dict.fromkeys(SPACE.sample(np.random.default_rng(0), 320)))[:300]
    truth = np.array([sum(op == 3 for op in a) / 6 for a in archs])
    found = Regressor(SPACE, RegressionNASParams(pruned=False, lr=1e-3), seeded())
    found.fit(found.encode(archs[:150]), torch.from_numpy(truth[:150].astype(np.float32)), 150)
    predicted = found.rank(archs[150:])
    assert np.corrcoef(predicted, truth[150:])[0, 1] > 0.8
    assert np.abs(predicted - truth[150:]).mean() < 0.5 * np.abs(truth[150:] - truth[:150].mean()).mean()


def test_ranking_nothing_gives_nothing() -> None:
    space = ToyNodeSpace()
    assert comparator(space).rank([]).shape == (0,)
    assert Regressor(space, RegressionNASParams(), seeded()).rank([]).shape == (0,)
