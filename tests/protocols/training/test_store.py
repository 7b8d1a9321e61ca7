"""The store of trainings: one training a key, apart by purpose, bounded, safe for several processes."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness_training.checkpoint import Checkpoint
from harness_training.curve import Curve, Judged
from harness_training.store import LOCKS, Identity, Store, kept, prune, stored_trainings

CURVE = Curve(epochs=2, loss=(1.0, 0.5), judged=(Judged(2, 87.5),))


def identity(**changes: Any) -> Identity:
    plain = {
        "space": "darts", "arch": (1, 2, 3), "recipe": "r", "data": "d", "epochs": 2, "seed": 0,
        "code": {"training": "1"}, "environment": {"torch": "2", "threads": 1},
    }  # fmt: skip
    return Identity(**plain | changes)


def counted(trained: list[str], curve: Curve = CURVE) -> Any:
    def run(checkpoint: Checkpoint) -> Curve:
        trained.append(checkpoint.key)
        return curve

    return run


def test_trains_once_and_finds_it_again(tmp_path: Path) -> None:
    trained: list[str] = []
    first = Store("validation", tmp_path).find_or_train(identity(), counted(trained))
    again = Store("validation", tmp_path).find_or_train(identity(), counted(trained))
    assert trained == [identity().key]
    assert first == again
    assert again.curve == CURVE
    assert again.curve.score == 87.5
    assert {p.suffix or p.name for p in tmp_path.rglob("*") if p.is_file()} == {".json", LOCKS}


@pytest.mark.parametrize(
    "change",
    [
        {"space": "x"}, {"arch": (1, 2, 4)}, {"recipe": "x"}, {"data": "x"}, {"epochs": 3}, {"seed": 1},
        {"code": {"training": "2"}}, {"environment": {"torch": "2", "threads": 2}},
    ],
)  # fmt: skip
def test_whatever_decides_the_bits_is_part_of_the_key(tmp_path: Path, change: dict[str, Any]) -> None:
    store = Store("validation", tmp_path)
    store.find_or_train(identity(), counted([]))
    assert store.find(identity(**change)) is None
    assert store.find(identity()) is not None


def test_a_search_does_not_find_final_trainings(tmp_path: Path) -> None:
    Store("final", tmp_path).find_or_train(identity(), counted([]))
    assert Store("validation", tmp_path).find(identity()) is None
    assert Store("final", tmp_path).find(identity()) is not None


@pytest.mark.parametrize("damage", [b"", b"{", b'{"identity": 3}'])
def test_a_damaged_result_is_trained_anew(tmp_path: Path, damage: bytes) -> None:
    store, trained = Store("validation", tmp_path), []
    store.find_or_train(identity(), counted(trained))
    store.path(identity().key).write_bytes(damage)
    assert store.find_or_train(identity(), counted(trained)).curve == CURVE
    assert len(trained) == 2
    assert store.find(identity()) is not None


def test_a_training_that_fails_leaves_nothing_and_frees_the_key(tmp_path: Path) -> None:
    store = Store("validation", tmp_path)

    def broken(checkpoint: Checkpoint) -> Curve:
        raise MemoryError

    with pytest.raises(MemoryError):
        store.find_or_train(identity(), broken)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [LOCKS]
    assert store.find_or_train(identity(), counted([])).curve == CURVE


def _race(folder: str, start: Any, trained: Any) -> None:
    def run(checkpoint: Checkpoint) -> Curve:
        with trained.get_lock():
            trained.value += 1
        time.sleep(0.3)
        return CURVE

    start.wait()
    assert Store("validation", Path(folder)).find_or_train(identity(), run).curve == CURVE


def test_several_processes_train_a_key_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, trained = context.Barrier(4), context.Value("i", 0)
    workers = [context.Process(target=_race, args=(str(tmp_path), start, trained)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [w.exitcode for w in workers] == [0] * 4
    assert trained.value == 1
    assert {p.suffix or p.name for p in tmp_path.rglob("*") if p.is_file()} == {".json", LOCKS}


def test_a_key_has_one_holder_among_threads_too(tmp_path: Path) -> None:
    store = Store("validation", tmp_path)
    with ThreadPoolExecutor(1) as other:
        with store.alone("ab" * 16):
            waits = other.submit(store.alone("ab" * 16).__enter__)
            with store.alone("cd" * 16):
                pass  # another key is free, and to give it back frees no other
            with pytest.raises(TimeoutError):
                waits.result(timeout=0.2)
        waits.result(timeout=10)


def test_a_training_that_misses_a_file_says_so(tmp_path: Path) -> None:
    def broken(checkpoint: Checkpoint) -> Curve:
        raise FileNotFoundError("weights.bin")

    store = Store("validation", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"weights\.bin"):
        store.find_or_train(identity(), broken)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [LOCKS]


def test_a_store_that_cannot_be_written_keeps_nothing_and_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder can be made below this")
    trained: list[str] = []
    said: list[str] = []
    for _ in range(2):
        found = Store("validation", tmp_path / "file").find_or_train(identity(), counted(trained), say=said.append)
        assert found.curve == CURVE
    assert len(trained) == 2
    assert len(said) == 2
    assert "not kept" in said[0]


def test_a_disk_that_fills_while_a_training_runs_does_not_fail_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def train(checkpoint: Checkpoint) -> Curve:
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", full)
            checkpoint.write(CURVE, torch.nn.Linear(2, 2))
        assert list(checkpoint.path.parent.glob("*.p*t*")) == []
        monkeypatch.setattr(os, "replace", full)
        return CURVE

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    said: list[str] = []
    assert Store("validation", tmp_path).find_or_train(identity(), train, say=said.append).curve == CURVE
    assert [line.rpartition(": ")[2] for line in said] == ["[Errno 28] No space left on device"] * 2
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["locks"]


def test_listing_and_pruning_start_with_what_was_longest_unused(tmp_path: Path) -> None:
    store = Store("validation", tmp_path)
    for seed in range(4):
        store.find_or_train(identity(seed=seed), counted([]))
        os.utime(store.path(identity(seed=seed).key), (1000 + seed, 1000 + seed))
    assert store.find(identity(seed=0)) is not None  # and so is used now
    assert [s.identity.seed for _, s in stored_trainings(tmp_path)] == [1, 2, 3, 0]
    total = sum(k.bytes for k in kept(tmp_path))
    removed, freed = prune(tmp_path, total * 3 // 5)
    assert removed == 2
    assert freed > 0
    assert [s.identity.seed for _, s in stored_trainings(tmp_path)] == [3, 0]


def test_pruning_removes_old_checkpoints_and_keeps_running_ones(tmp_path: Path) -> None:
    store = Store("validation", tmp_path)
    old, running = (store.path(k * 32).with_suffix(".pt") for k in "ab")
    for path in (old, running):
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(1000))
    os.utime(old, (1000, 1000))
    store.find_or_train(identity(), counted([]))
    assert prune(tmp_path, 1 << 30) == (1, 1000)
    assert not old.exists()
    assert prune(tmp_path, 0)[0] == 1
    assert running.exists()
    assert store.find(identity()) is None


def test_the_store_bounds_itself(tmp_path: Path) -> None:
    """Each run has a process, and so a store, of its own, and may write one result alone."""
    seeds = range(900)
    last = max(seed for seed in seeds if identity(seed=seed).key.startswith("00"))
    for seed in seeds[: last + 1]:
        Store("validation", tmp_path, limit=1500).find_or_train(identity(seed=seed), counted([]))
    assert 0 < sum(k.bytes for k in kept(tmp_path)) <= 1500


def test_an_interrupted_training_goes_on_from_its_checkpoint_and_then_leaves_none(tmp_path: Path) -> None:
    store, seen = Store("validation", tmp_path), []

    def interrupted(checkpoint: Checkpoint) -> Curve:
        checkpoint.path.write_bytes(b"half-way")
        raise KeyboardInterrupt

    def resumed(checkpoint: Checkpoint) -> Curve:
        seen.append(checkpoint.path.read_bytes())
        return CURVE

    with pytest.raises(KeyboardInterrupt):
        store.find_or_train(identity(), interrupted)
    assert store.find(identity()) is None
    store.find_or_train(identity(), resumed)
    assert seen == [b"half-way"]
    assert {p.suffix or p.name for p in tmp_path.rglob("*") if p.is_file()} == {".json", LOCKS}


def test_pruning_sweeps_up_after_killed_processes(tmp_path: Path) -> None:
    folder = tmp_path / "validation" / "ab"
    folder.mkdir(parents=True)
    old, fresh = folder / "abc.json.7.partial", folder / "abd.json.8.partial"
    for path in (old, fresh):
        path.touch()
    os.utime(old, (1000, 1000))
    prune(tmp_path)
    assert [p.name for p in folder.iterdir()] == [fresh.name]


def test_a_store_sweeps_its_own_room_alone(tmp_path: Path) -> None:
    """A search may not open what lies among final trainings; `prune` sweeps there."""
    other = Store("final", tmp_path).path("ab" * 16).with_suffix(".partial")
    other.parent.mkdir(parents=True)
    other.touch()
    os.utime(other, (1000, 1000))
    swept = next(seed for seed in range(900) if identity(seed=seed).key.startswith("00"))
    Store("validation", tmp_path).find_or_train(identity(seed=swept), counted([]))
    assert other.exists()
    prune(tmp_path)
    assert not other.exists()
