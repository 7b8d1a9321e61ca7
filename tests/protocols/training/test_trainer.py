"""From an architecture to a score, with the store; devices; and the figures that tell whether a task discriminates."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from small_trainings import TINY, write_protocol

from harness import DataMissing, HarnessError
from harness.registry import Registry
from harness_training.checkpoint import Checkpoint
from harness_training.curve import Curve
from harness_training.device import bits, open_device, own_device
from harness_training.discrimination import discriminate, spread, summarise
from harness_training.live import on_device
from harness_training.store import Identity, Store, Stored
from harness_training.trainer import open_trainer

FILE = TINY + "[network.darts]\nchannels = 2\nlayers = 2\n"


@pytest.fixture
def tiny(data_folder: Path) -> Path:
    write_protocol(data_folder, "tiny", FILE)
    return data_folder


def test_isomorphic_cells_are_one_training(registry: Registry, tiny: Path) -> None:
    trainer = open_trainer(registry, "digits", "nasbench201", "tiny")
    space = trainer.networks.space
    one, twin = (1, 0, 0, 0, 3, 0), (1, 0, 0, 3, 0, 0)
    assert space.key(one) == space.key(twin)
    assert trainer.identity(one, 0).key == trainer.identity(twin, 0).key
    curve = trainer.train(one, 0)
    assert trainer.train(twin, 0) == curve
    assert trainer.train(twin, 0, 1) != curve
    assert len(list((tiny / "trainings" / "validation").rglob("*.json"))) == 2
    assert trainer.costs(one) == trainer.costs(twin)


def test_the_final_training_sees_more_images_and_is_another(registry: Registry, tiny: Path) -> None:
    search = open_trainer(registry, "digits", "darts", "tiny")
    final = open_trainer(registry, "digits", "darts", "tiny", purpose="final")
    assert (len(search.data.train), len(final.data.train)) == (60, 60 + len(search.data.held))
    (arch,) = search.networks.space.sample(np.random.default_rng(0), 1)
    assert search.train(arch, 0) != final.train(arch, 0)


def test_another_code_or_environment_is_another_training(
    registry: Registry, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = open_trainer(registry, "digits", "nasbench201", "tiny")
    key = trainer.identity((3,) * 6, 0).key
    assert trainer.identity((3,) * 6, 0).key == key
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    assert trainer.identity((3,) * 6, 0).key != key


def test_the_code_of_space_and_augmentation_decides_a_training_too(registry: Registry, tiny: Path) -> None:
    """The space says which cell an encoding is; AutoAugment's policy is kornia's."""
    plain = open_trainer(registry, "digits", "nasbench201", "tiny").code
    assert {what: code["package"] for what, code in plain.items()} == {
        "training": "harness_training", "networks": "harness_training", "space": "harness_nasbench",
    }  # fmt: skip
    write_protocol(tiny, "policy", FILE + "[augment]\nautoaugment = true\n")
    assert open_trainer(registry, "digits", "nasbench201", "policy").code["kornia"] == version("kornia")


def test_what_does_not_go_together_is_refused(registry: Registry, tiny: Path) -> None:
    with pytest.raises(DataMissing, match="nas-harness data import cifar10 PATH"):
        open_trainer(registry, "cifar10", "darts")
    file = tiny / "protocols" / "digits" / "tiny.toml"
    file.write_text(FILE.replace("batch = 30", "batch = 61"))
    with pytest.raises(HarnessError, match="a batch of 61 is larger than the 60 training images; lower"):
        open_trainer(registry, "digits", "darts", "tiny")


def test_devices() -> None:
    assert open_device("cpu").type == "cpu"
    for name, what in (
        ("gpu", "no device is called 'gpu'"),
        ("mps", "run on cpu or cuda"),
        ("cuda:99", r"sees \d+ GPUs here; unset --device and NAS_HARNESS_DEVICE"),
    ):
        with pytest.raises(HarnessError, match=what):
            open_device(name)
    found = bits(open_device("cpu"))
    assert found["threads"] == torch.get_num_threads()
    assert found["torch"] == torch.__version__
    assert found["instructions"]
    assert found["processor"]


def test_the_device_that_is_named_stands_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAS_HARNESS_DEVICE", raising=False)
    assert own_device("cpu:3") == torch.device("cpu:3")
    monkeypatch.setenv("NAS_HARNESS_DEVICE", "cpu:1, cpu:2")
    assert own_device("cpu:3") == torch.device("cpu:1")
    monkeypatch.setenv("NAS_HARNESS_DEVICE", "cpu,cuda:99")
    with pytest.raises(HarnessError, match=r"'cuda:99': .* sees \d+ GPUs here"):
        own_device("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_trains_on_a_gpu(registry: Registry, tiny: Path) -> None:
    trainer = on_device(open_trainer(registry, "digits", "darts", "tiny"), "cuda")
    (arch,) = trainer.networks.space.sample(np.random.default_rng(0), 1)
    assert trainer.train(arch, 0).finished


def test_variances_are_those_of_an_analysis_of_variance() -> None:
    """F of scipy's one-way analysis is 1 + repeats x SNR."""
    rng = np.random.default_rng(0)
    scores = rng.normal(50, 8, (30, 1)) + rng.normal(0, 3, (30, 3))
    found = spread(scores)
    assert 1 + 3 * found.snr == pytest.approx(stats.f_oneway(*scores).statistic)
    assert found.seeds == pytest.approx(3, rel=0.3)
    assert found.architectures == pytest.approx(8, rel=0.4)
    pairs = [stats.kendalltau(scores[:, a], scores[:, b]).statistic for a, b in ((0, 1), (0, 2), (1, 2))]
    assert found.tau == pytest.approx(np.mean(pairs))
    assert found.snr_interval[0] < found.snr < found.snr_interval[1]


def test_noise_alone_has_no_ratio_and_the_better_half_is_the_better_half() -> None:
    rng = np.random.default_rng(1)
    assert spread(rng.normal(0, 1, (400, 3))).snr < 0.1
    scores = np.concatenate([rng.normal(90, 1, (10, 3)), rng.normal(20, 1, (10, 3))])
    scores[13, 1] = np.nan
    found = summarise(scores)
    assert (found.n, found.failed) == (19, 1)
    assert found.every.snr > 100
    assert found.better.architectures < 2  # the ten of about 90


def test_a_task_is_measured_by_training(registry: Registry, tiny: Path) -> None:
    """A cell that carries nothing beside cells of convolutions: the first is at chance."""
    trainer = open_trainer(registry, "digits", "nasbench201", "tiny")
    seen: list[tuple[int, int]] = []
    found = discriminate(
        trainer, [(0,) * 6, (3,) * 6, (3, 1, 3, 1, 1, 3)], (0, 1), watch=lambda a, b: seen.append((a, b))
    )
    assert seen[-1] == (6, 6)
    assert (found.n, found.repeats, found.failed) == (3, 2, 0)
    assert found.lowest == pytest.approx(10, abs=3)
    assert found.every.seeds > 0


def test_seconds_are_of_trainings_and_not_of_finding_them(
    registry: Registry, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = open_trainer(registry, "digits", "nasbench201", "tiny")
    archs = [(0,) * 6, (3,) * 6, (3, 1, 3, 1, 1, 3)]
    clock, ordinary = [0.0], Store.find_or_train

    def timed(self: Store, identity: Identity, train: Callable[[Checkpoint], Curve], **more: Any) -> Stored:
        def run(checkpoint: Checkpoint) -> Curve:
            clock[0] += 3.0
            return train(checkpoint)

        return ordinary(self, identity, run, **more)

    monkeypatch.setattr(Store, "find_or_train", timed)
    monkeypatch.setattr("time.process_time", lambda: clock[0])
    assert discriminate(trainer, archs, (0, 1)).seconds == 3
    assert discriminate(trainer, archs, (0, 1, 2)).seconds == 3, "of three, where six came from the store"
    assert np.isnan(discriminate(trainer, archs, (0, 1)).seconds), "of none"
