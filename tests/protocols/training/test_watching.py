"""Progress of a training, and TensorBoard's scalars where they are wanted."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import HarnessError
from harness.cli import main
from harness.registry import Registry
from harness_training import watching
from harness_training.curve import Curve, Judged
from harness_training.trainer import open_trainer
from harness_training.watching import Lines, Scalars


def curve(done: int, epochs: int = 10) -> Curve:
    judged = (Judged(epochs, 87.5),) if done == epochs else ()
    return Curve(epochs=epochs, loss=tuple(1 / (i + 1) for i in range(done)), judged=judged)


def test_a_long_training_says_epoch_loss_and_what_is_left() -> None:
    said: list[str] = []
    clock: Iterator[float] = iter([0.0, 20.0, 40.0, 60.0, 80.0, 7280.0])
    lines = Lines("training", say=said.append, now=lambda: next(clock))
    for done in (1, 2, 3, 4, 5):
        lines(curve(done, 50 if done == 5 else 10))
    assert said == [
        "training: epoch 2 of 10, loss 0.5000, about 3 minutes left",
        "training: epoch 4 of 10, loss 0.2500, about 2 minutes left",
        "training: epoch 5 of 50, loss 0.2000, about 18 hours left",
    ]


def test_a_resumed_training_is_not_taken_for_a_fast_one() -> None:
    said: list[str] = []
    clock = iter([0.0, 10.0, 40.0])
    lines = Lines("training", say=said.append, now=lambda: next(clock))
    lines(curve(7))  # six epochs stood in the checkpoint
    lines(curve(8))
    assert said == ["training: epoch 8 of 10, loss 0.1250, about 40 seconds left"]


def test_the_end_and_a_short_training_say_nothing() -> None:
    said: list[str] = []
    clock = iter([0.0, 1.0, 100.0])
    lines = Lines("training", say=said.append, now=lambda: next(clock))
    lines(curve(1))
    lines(curve(10))
    assert said == []


def test_scalars_are_loss_and_accuracy_by_epoch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written: list[Any] = []

    class Writer:
        def __init__(self, folder: str) -> None:
            written.append(folder)

        def add_scalar(self, *what: Any) -> None:
            written.append(what)

        def close(self) -> None:
            written.append("closed")

    fake = types.ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    scalars = Scalars(tmp_path)
    scalars(curve(9))
    scalars(curve(10))
    assert written == [str(tmp_path), ("loss", 1 / 9, 9), ("loss", 0.1, 10), ("accuracy", 87.5, 10), "closed"]


def test_tensorboard_itself_reads_what_was_written(tmp_path: Path) -> None:
    """Its step counts from 1, as epochs do."""
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed: pip install tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    scalars = Scalars(tmp_path, "contrastive loss")
    for done in (1, 9, 10):
        scalars(curve(done))
    found = EventAccumulator(str(tmp_path)).Reload()
    assert found.Tags()["scalars"] == ["loss", "contrastive loss"]
    assert [(e.step, round(e.value, 3)) for e in found.Scalars("loss")] == [(1, 1.0), (9, 0.111), (10, 0.1)]
    assert [(e.step, e.value) for e in found.Scalars("contrastive loss")] == [(10, 87.5)]


def test_a_training_tells_of_itself_where_a_study_shows_its_progress(
    registry: Registry, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the folder alone: the same score as unwatched, and no line is left at its end."""
    trainer = open_trainer(registry, "digits", "nasbench201", "smoke")
    shown: list[str] = []
    tell = watching.under_way.tell
    monkeypatch.setattr(watching, "SHOWN_EVERY", 0.0)
    monkeypatch.setattr(watching.under_way, "tell", lambda line: (shown.append(str(line)), tell(line)))
    arch = (1, 0, 0, 0, 0, 0)
    with watching.under_way.watched() as folder:
        watch = watching.watcher(trainer, arch, 0, 2)
        watched = trainer.train(arch, 0, 2, watch=watch)
        assert list(folder.iterdir()) == []
    line = r"training \w{8} for validation, seed 0: epoch 1 of 2, loss \d\.\d{4}, about \d+ seconds? left"
    assert re.fullmatch(line, shown[0])
    assert shown[1:] == ["None"]
    assert trainer.train(arch, 0, 2) == watched


def test_without_tensorboard_it_is_said_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(HarnessError, match="pip install tensorboard"):
        Scalars(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    status = main(["run", "no.toml", "--log-dir", str(tmp_path)])
    assert status == 2
    assert "pip install tensorboard" in capsys.readouterr().err


def test_a_folder_of_scalars_that_cannot_be_written_is_refused_and_fails_no_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboard")
    file = tmp_path / "file"
    file.touch()
    assert main(["run", "no.toml", "--log-dir", str(file)]) == 2
    assert f"--log-dir {file} cannot be written: File exists" in capsys.readouterr().err
    scalars = Scalars(file / "inside")
    for _ in range(2):
        scalars(Curve(epochs=2, loss=(1.0,)))
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert said[0].startswith("--log-dir: ")
    assert said[0].endswith("; no more scalars of this training")
