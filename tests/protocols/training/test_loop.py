"""The training loop: the same bits whatever happens, and what goes wrong said clearly."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_trainings import AUGMENT, SHAPE, TRICKS, random_data, small_recipe, weights
from small_trainings import small_job as job
from torch import nn
from torch.nn import functional

from harness import ImageShape
from harness.registry import Registry
from harness_training.augment import Pipeline
from harness_training.checkpoint import Checkpoint
from harness_training.curve import Curve
from harness_training.loop import Job, train
from harness_training.objective import evaluate
from harness_training.recipe import AugmentPart


def test_same_seed_same_bits_and_another_seed_others(registry: Registry) -> None:
    (first, one), (again, two), (other, three) = (
        train(job(registry, AUGMENT, seed=seed, judge="each", **TRICKS)) for seed in (0, 0, 1)
    )
    assert first == again
    assert first.finished
    assert weights(one) == weights(two)
    assert weights(one) != weights(three)
    assert other.loss != first.loss
    assert [j.epochs for j in first.judged] == [1, 2, 3]
    assert first.score == first.judged[-1].score


def test_global_random_state_is_left_as_found(registry: Registry) -> None:
    torch.manual_seed(3)
    before, numpys = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    train(job(registry, AUGMENT, **TRICKS))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpys)  # noqa: NPY002
    assert not torch.are_deterministic_algorithms_enabled()


CHILD = """
import sys, torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from harness.registry import Registry
from harness_training.loop import train
from small_trainings import AUGMENT, TRICKS, small_job, weights
print(weights(train(small_job(Registry(), AUGMENT, **TRICKS))[1]))
"""


def test_same_bits_in_two_processes() -> None:
    found = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
        ran = subprocess.run(
            [sys.executable, "-c", CHILD, str(Path(__file__).parents[2])],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        found.add(ran.stdout)
    assert len(found) == 1
    assert len(found.pop().strip()) == 64


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("at", [1, 2])
def test_interrupted_and_resumed_gives_the_bits_of_uninterrupted(registry: Registry, tmp_path: Path, at: int) -> None:
    one = job(registry, AUGMENT, judge="each", **TRICKS)

    def stop(curve: Curve) -> None:
        if len(curve.loss) == at:
            raise Interrupted

    checkpoint = Checkpoint(tmp_path / "x.pt", "key", every=0)
    with pytest.raises(Interrupted):
        train(one, checkpoint=checkpoint, watch=stop)
    assert checkpoint.path.is_file()
    epochs: list[int] = []
    resumed, network = train(one, checkpoint=checkpoint, watch=lambda c: epochs.append(len(c.loss)))
    whole, uninterrupted = train(one)
    assert epochs == list(range(at + 1, 4))
    assert resumed == whole
    assert weights(network) == weights(uninterrupted)
    assert [p.name for p in tmp_path.iterdir()] == ["x.pt"]


def test_a_short_training_writes_no_checkpoint(registry: Registry, tmp_path: Path) -> None:
    seen: list[int] = []
    train(
        job(registry), checkpoint=Checkpoint(tmp_path / "x.pt", "k"),
        watch=lambda curve: seen.append(len(list(tmp_path.iterdir()))),
    )  # fmt: skip
    assert seen == [0, 0, 0]


@pytest.mark.parametrize("damage", ["cut", "other", "foreign", "network"])
def test_a_checkpoint_that_cannot_be_used_is_named_and_passed_over(
    registry: Registry, tmp_path: Path, damage: str
) -> None:
    one, said = job(registry), []
    path = tmp_path / "x.pt"

    def stop(curve: Curve) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        train(one, checkpoint=Checkpoint(path, "other" if damage == "other" else "key", every=0), watch=stop)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-500])
    if damage == "foreign":
        path.write_bytes(b"no zip at all")
    if damage == "network":
        state = torch.load(path, weights_only=True)
        del state["network"]["network.stem.0.weight"]
        torch.save(state, path)
    found, network = train(one, checkpoint=Checkpoint(path, "key", say=said.append))
    assert len(said) == 1
    assert said[0].startswith(f"{path}: not used, the training starts anew: ")
    whole, plain = train(one)
    assert (found, weights(network)) == (whole, weights(plain))


def test_a_training_that_diverges_ends_and_scores_nan(registry: Registry) -> None:
    curve, _ = train(job(registry, lr=1e12, clip=0.0, epochs=6))
    assert curve.diverged is not None
    assert len(curve.loss) == curve.diverged < 6
    assert not math.isfinite(curve.loss[-1])
    assert curve.finished
    assert math.isnan(curve.score)


def test_a_last_batch_of_one_image_is_left_out(registry: Registry) -> None:
    """41 images in batches of 8 would leave one alone, which batch norm cannot normalise on a map of one pixel."""
    data = random_data(41, shape=ImageShape(1, 4, 3))
    curve, _ = train(job(registry, data=data, auxiliary=0.4))
    assert curve.finished
    assert curve.diverged is None


class Recorder(nn.Module):
    """One weight; keeps what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))
        self.drop_path = 0.0
        self.shown: list[torch.Tensor] = []
        self.rates: list[float] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.shown.append(x)
            self.rates.append(self.drop_path)
        return self.weight.expand(len(x), 3)


def recorded(**train_: Any) -> tuple[Curve, Recorder]:
    network = Recorder()
    augment = train_.pop("augment", None)
    found, _ = train(Job(lambda auxiliary: network, random_data(), small_recipe(augment, **train_), 0))
    return found, network


def test_every_image_is_shown_once_an_epoch_in_an_order_of_its_own() -> None:
    _, network = recorded(epochs=2)
    first, second = torch.cat(network.shown[:5]), torch.cat(network.shown[5:])
    assert len(network.shown) == 10
    assert not torch.equal(first, second)
    ordered = [sorted(x.flatten(1).sum(1).tolist()) for x in (first, second)]
    assert ordered[0] == ordered[1]
    assert len(set(ordered[0])) == 40


def test_training_images_are_normalised_by_their_own_mean_and_deviation() -> None:
    _, network = recorded(epochs=1)
    shown = torch.cat(network.shown)
    assert float(shown.mean()) == pytest.approx(0, abs=1e-6)
    assert float(shown.std(correction=0)) == pytest.approx(1, abs=1e-6)


def test_drop_path_grows_linearly_with_the_epochs() -> None:
    _, network = recorded(epochs=4, drop_path=0.2)
    assert network.rates[::5] == pytest.approx([0, 0.05, 0.1, 0.15])


@pytest.mark.parametrize("cosine", ["step", "epoch"])
def test_sgd_as_torch_does_it(cosine: str) -> None:
    """The same loop written plainly, with torch's own schedule: the same weights."""
    _, network = recorded(epochs=2, cosine=cosine, nesterov=True, clip=0.1)
    plain = Recorder()
    optimiser = torch.optim.SGD(plain.parameters(), 0.05, 0.9, weight_decay=5e-4, nesterov=True)
    steps = 10 if cosine == "step" else 2
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    data = random_data().train
    pipeline = Pipeline(AugmentPart(), data.pixels)
    every = pipeline.plain(data.pixels).flatten(1)
    for step, shown in enumerate(network.shown):
        rows = (shown.flatten(1)[:, None] == every).all(2).nonzero()[:, 1]
        loss = functional.cross_entropy(plain(shown), data.labels[rows])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 0.1)
        optimiser.step()
        if cosine == "step" or step == 4:
            schedule.step()
    assert torch.allclose(network.weight, plain.weight, rtol=1e-5, atol=1e-8)


def test_evaluation_counts_what_is_right() -> None:
    network = Recorder()
    with torch.no_grad():
        network.weight.copy_(torch.tensor([0.0, 1.0, 0.0]))
    data = random_data()
    accuracy = evaluate(network, data.held, Pipeline(AugmentPart(), data.train.pixels), small_recipe().train)
    assert accuracy == pytest.approx(100 * float((data.held.labels == 1).double().mean()))
    with torch.no_grad():
        network.weight[0] = float("nan")
    assert math.isnan(evaluate(network, data.held, Pipeline(AugmentPart(), data.train.pixels), small_recipe().train))


def test_lower_precision_trains_too_and_the_layout_is_a_gpus_alone(registry: Registry) -> None:
    curve, network = train(job(registry, epochs=1, precision="bfloat16"))
    plain, same = train(job(registry, epochs=1))
    assert curve.loss[0] == pytest.approx(plain.loss[0], rel=0.05)
    assert all(p.dtype == torch.float32 for p in network.parameters())
    assert weights(network) != weights(same)
    assert weights(train(job(registry, epochs=1, channels_last=True))[1]) == weights(same)


def test_what_can_be_learnt_is_learnt(registry: Registry) -> None:
    """Three classes of constant images, told apart perfectly after a few epochs."""
    from harness_training.data.reading import Images, TrainingData

    labels = torch.arange(60) % 3
    pixels = (labels * 100).to(torch.uint8)[:, None, None, None].expand(60, 1, 8, 8).contiguous()
    images = Images(pixels, labels)
    data = TrainingData("plain", "validation", SHAPE, images, images, "plain")
    curve, _ = train(job(registry, data=data, epochs=8))
    assert curve.score == 100
    assert curve.loss[-1] < curve.loss[0]
