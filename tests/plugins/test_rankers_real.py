"""Learned orders on real NAS-Bench-201: what a working implementation reaches with a wide margin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.search.labelled import Labelled
from harness.spaces.tensors import PublishedTensors
from harness.statistics.metrics import ktau
from harness_nasbench.formats.nasbench201_csv import read_csv
from harness_nasbench.spaces.nasbench201 import NASBench201Space
from harness_rankers.forest import E2EPP
from harness_rankers.gin import GINRanker
from harness_rankers.peephole import Peephole
from harness_rankers.ridge import Ridge
from harness_renas.features import Features
from harness_renas.params import ReNASParams
from harness_renas.predictor import fit

SPACE = NASBench201Space()


@pytest.fixture(scope="module")
def data(shared_data: Path) -> tuple[Labelled, list[tuple[int, ...]], np.ndarray]:
    """90 labels of CIFAR-10 (validation), and 1,000 other architectures with their test scores."""
    table = read_csv(shared_data / "nasbench201.csv")
    archs = [SPACE.parse(text) for text in table.architectures]
    order = np.random.default_rng(0).permutation(len(archs))
    keys: dict[str, int] = {}
    for i in order.tolist():
        keys.setdefault(SPACE.key(archs[i]), i)
    chosen = list(keys.values())
    known, rest = chosen[:90], chosen[90:1090]
    valid, test = (table.columns[f"cifar10_{split}_200ep"] for split in ("valid", "test"))
    return Labelled([archs[i] for i in known], valid[known]), [archs[i] for i in rest], test[rest]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cls", "least"),
    [(GINRanker, 0.65), (E2EPP, 0.35), (Peephole, 0.25), (Ridge, 0.25)],
    ids=lambda x: getattr(x, "name", ""),
)
def test_rankers(cls: Any, least: float, data: tuple[Labelled, list[tuple[int, ...]], np.ndarray]) -> None:
    known, archs, truth = data
    ranker = cls().learn(SPACE, known, np.random.default_rng(0))
    tau = ktau(ranker.rank(archs), truth)
    assert tau is not None
    assert tau > least


@pytest.mark.slow
def test_renas_and_its_published_features(data: tuple[Labelled, list[tuple[int, ...]], np.ndarray]) -> None:
    """Pruned one-hot features rank better than the published ones, by far more than seeds differ."""
    known, archs, truth = data
    found = []
    for features in (Features(SPACE), PublishedTensors(SPACE)):
        predictor = fit(features, known, np.random.default_rng(0), ReNASParams())
        found.append(ktau(predictor.rank(archs), truth))
    ours, published = found
    assert ours is not None
    assert published is not None
    assert ours > 0.6
    assert ours > published > 0.3
