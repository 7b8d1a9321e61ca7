"""What the training loop costs beside the same loop in bare PyTorch: under 5 %.

Processor time of the ranking task's training, cut to 4 epochs of a NAS-Bench-201 cell on 500 cluttered digits, bare and
through the loop by turns, the median of the ratios. The bare loop has its images as normalised floats in memory, its
learning rate set by hand, and judges once, as the recipe does. Neither builds its network nor reads data in the time.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from harness.registry import Registry
from harness_training.augment import Pipeline
from harness_training.loop import Job, train
from harness_training.trainer import Trainer, open_trainer

EPOCHS, TURNS, MOST = 4, 11, 1.05


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_HARNESS_DATA", str(tmp_path_factory.mktemp("data")))
        return open_trainer(Registry(), "cluttered-digits", "nasbench201")


def bare(build: Callable[[], nn.Module], trainer: Trainer) -> float:
    data, part = trainer.data, trainer.recipe.train
    pipeline = Pipeline(trainer.recipe.augment, data.train.pixels)
    images, held = pipeline.plain(data.train.pixels), pipeline.plain(data.held.pixels)
    torch.manual_seed(0)
    network = build()
    optimiser = torch.optim.SGD(
        network.parameters(), part.lr, part.momentum, weight_decay=part.weight_decay, nesterov=part.nesterov
    )
    parameters = list(network.parameters())
    steps = EPOCHS * math.ceil(len(images) / part.batch)
    step = 0
    for _ in range(EPOCHS):
        network.train()
        for rows in torch.randperm(len(images)).split(part.batch):
            optimiser.param_groups[0]["lr"] = part.lr * 0.5 * (1 + math.cos(math.pi * step / steps))
            loss = functional.cross_entropy(network(images[rows]), data.train.labels[rows])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, part.clip)
            optimiser.step()
            step += 1
    network.eval()
    with torch.inference_mode():
        right = sum(
            (network(x).argmax(1) == y).sum() for x, y in zip(held.split(512), data.held.labels.split(512), strict=True)
        )
    return 100 * int(right) / len(held)


def test_the_loop_costs_under_five_percent(trainer: Trainer, record_property: Callable[[str, object], None]) -> None:
    torch.set_num_threads(1)
    space = trainer.networks.space
    ratios = []
    for arch in space.sample(np.random.default_rng(0), TURNS):
        chosen = space.canonical(arch)

        def build(auxiliary: bool = False, chosen: tuple[int, ...] = chosen) -> nn.Module:
            return trainer.networks.build(chosen, trainer.data.shape)

        start = time.process_time()
        bare(build, trainer)
        middle = time.process_time()
        train(Job(build, trainer.data, trainer.recipe, 0, EPOCHS))
        ratios.append((time.process_time() - middle) / (middle - start))
    record_property("ratios", ratios)
    print(f"\nloop / bare: median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f} of {TURNS}")
    assert statistics.median(ratios) < MOST
