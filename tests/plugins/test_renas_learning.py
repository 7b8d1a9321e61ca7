"""ReNAS's losses, network and training against their definitions."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from harness import Labelled
from harness.testing.spaces import ToyNodeSpace
from harness_nasbench.spaces.darts import DartsSpace
from harness_nasbench.spaces.nasbench101 import NASBench101Space
from harness_nasbench.spaces.nasbench201 import NASBench201Space
from harness_renas.features import Features
from harness_renas.losses import continuity, distances, phi, ranking, sampled_continuity
from harness_renas.network import LeNet, built
from harness_renas.params import ReNASParams
from harness_renas.predictor import _batches, fit, standardiser

LOGISTIC = phi("logistic")


def sign(x: float) -> float:
    return float(x > 0) - float(x < 0)


def test_lenet_has_the_published_number_of_parameters() -> None:
    assert sum(p.numel() for p in LeNet(19, 7).parameters()) == 813_615


def test_network_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    a, b, c = built(3, 4, 1), built(3, 4, 1), built(3, 4, 2)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(a.score.weight, b.score.weight)
    assert not torch.equal(a.score.weight, c.score.weight)


@pytest.mark.parametrize(
    ("kind", "at"), [("hinge", lambda z: max(0.0, 1.0 - z)), ("logistic", lambda z: math.log1p(math.exp(-z))),
                     ("exponential", lambda z: math.exp(-z))],
)  # fmt: skip
def test_ranking_loss_is_equation_3(kind: str, at: object) -> None:
    e, y = [0.3, -1.2, 2.0, 0.1], [0.5, 0.1, 0.9, 0.5]
    terms = [
        at((e[i] - e[j]) * sign(y[i] - y[j]))  # type: ignore[operator]
        for i, j in combinations(range(4), 2) if y[i] != y[j]
    ]  # fmt: skip
    found = ranking(torch.tensor(e), torch.tensor(y), phi(kind))  # type: ignore[arg-type]
    assert found.item() == pytest.approx(sum(terms) / len(terms), rel=1e-6)


def test_ranking_loss_of_equal_labels_has_no_gradient() -> None:
    e = torch.tensor([1.0, 2.0], requires_grad=True)
    ranking(e, torch.tensor([0.5, 0.5]), LOGISTIC).backward()  # type: ignore[no-untyped-call]
    assert e.grad is not None
    assert e.grad.tolist() == [0.0, 0.0]


def test_continuity_loss_is_equation_4() -> None:
    rng = np.random.default_rng(0)
    eta, y = rng.normal(size=(6, 3)), rng.random(6)
    total = 0.0
    for i, j, k in combinations(range(6), 3):
        d = np.linalg.norm(eta[i] - eta[j]) - np.linalg.norm(eta[i] - eta[k])
        total += math.log1p(math.exp(-d * sign(abs(y[i] - y[j]) - abs(y[i] - y[k]))))
    found = continuity(torch.from_numpy(eta), torch.from_numpy(y), LOGISTIC)
    assert found.item() == pytest.approx(total / 20, rel=1e-6)


def test_sampled_continuity_agrees_with_the_full_sum_in_expectation() -> None:
    """Value and gradient, within five standard errors of 400 batches of 200 triplets."""
    generator = torch.Generator().manual_seed(0)
    eta = torch.randn(9, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    y = torch.rand(9, generator=generator, dtype=torch.float64)
    (full,) = torch.autograd.grad(continuity(eta, y, LOGISTIC), eta)
    found = [torch.autograd.grad(sampled_continuity(eta, y, LOGISTIC, 200, generator), eta)[0] for _ in range(400)]
    stacked = torch.stack(found)
    error = stacked.std(dim=0) / math.sqrt(len(found))
    assert ((stacked.mean(dim=0) - full).abs() < 5 * error + 1e-12).all()
    assert full.abs().max() > 20 * error.max()  # the comparison has power
    values = torch.stack([sampled_continuity(eta, y, LOGISTIC, 200, generator).detach() for _ in range(400)])
    exact = continuity(eta, y, LOGISTIC).item()
    assert values.mean().item() == pytest.approx(exact, abs=5 * values.std().item() / 20)


def test_distance_of_equal_rows_has_a_finite_gradient() -> None:
    eta = torch.ones(3, 4, requires_grad=True)
    distances(eta).sum().backward()  # type: ignore[no-untyped-call]
    assert eta.grad is not None
    assert torch.isfinite(eta.grad).all()


def test_standardiser_leaves_out_what_no_label_varies() -> None:
    """Zero mean, unit (population) variance; an entry that is constant is 0 of every architecture."""
    x = np.array([[[[1.0, 7.0]]], [[[3.0, 7.0]]]], dtype=np.float32)
    mean, scale = standardiser(x)
    np.testing.assert_array_equal((x - mean) / scale, [[[[-1, 0]]], [[[1, 0]]]])
    unseen = np.array([[[[5.0, 9.2274688e7]]]], dtype=np.float32)
    np.testing.assert_array_equal((unseen - mean) / scale, [[[[3, 0]]]])


@pytest.mark.parametrize("space", [NASBench101Space(), DartsSpace()], ids=["nasbench101", "darts"])
@pytest.mark.parametrize("views", [1, 4])
def test_cells_with_edges_that_no_label_has_are_predicted_within_reach_of_the_labels(space: Any, views: int) -> None:
    """FLOPs of a position that is empty in every labelled cell are up to 1e8; evolution would end at such cells."""
    rng = np.random.default_rng(3)
    archs = space.sample(rng, 60)
    scores = np.array([sum(a) / len(a) for a in archs]) + rng.normal(size=60)
    predictor = fit(Features(space), Labelled(archs, scores), rng, ReNASParams(epochs=15, views=views))
    known, unseen = predictor.rank(archs), predictor.rank(space.sample(rng, 600))
    assert np.ptp(known) > 0
    assert np.abs(unseen - known.mean()).max() < 10 * np.ptp(known)


@pytest.mark.parametrize(("orders", "size"), [("all", 6), ("drawn", 3)])
def test_an_epoch_covers_every_architecture(orders: str, size: int) -> None:
    source = torch.tensor([0, 0, 0, 1, 2, 2])
    generator = torch.Generator().manual_seed(0)
    seen = set()
    for _ in range(40):
        pieces = list(_batches(source, ReNASParams(orders=orders, batch=4), generator))  # type: ignore[arg-type]
        rows = torch.cat([rows for rows, _ in pieces])
        owners = torch.cat([owner for _, owner in pieces])
        assert len(rows) == size
        assert torch.equal(source[rows], owners)
        assert sorted(set(owners.tolist())) == [0, 1, 2]
        seen |= set(rows.tolist())
    assert seen == set(range(6))


@pytest.mark.parametrize("variant", ["renas-2", "renas-4", "renas-6"])
def test_every_objective_learns_the_number_of_convolutions(variant: str) -> None:
    """Of 300 NAS-Bench-201 cells as written, 150 to learn from: a property that a linear layer could read off."""
    space = NASBench201Space()
    rng = np.random.default_rng(0)
    archs = list(dict.fromkeys(space.sample(rng, 320)))[:300]
    truth = np.array([sum(op == 3 for op in a) for a in archs], dtype=np.float64)
    params = ReNASParams(variant=variant, epochs=60, triplets=2000)  # type: ignore[arg-type]
    known = Labelled(archs[:150], truth[:150])
    predicted = fit(Features(space, pruned=False), known, rng, params).rank(archs[150:])
    assert np.corrcoef(predicted, truth[150:])[0, 1] > 0.8


def test_full_continuity_trains() -> None:
    space = ToyNodeSpace()
    archs = list(space.enumerate())[:12]
    scores = np.array([float(sum(a)) for a in archs])
    rng = np.random.default_rng(0)
    predictor = fit(Features(space), Labelled(archs, scores), rng, ReNASParams(epochs=3, triplets=None))
    assert np.isfinite(predictor.rank(archs)).all()
    assert len(predictor.rank([])) == 0
