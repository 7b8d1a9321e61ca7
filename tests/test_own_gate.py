"""The project's gate on itself: on three tasks, 20 seeds, the baseline is not worse than the reference records."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytest.importorskip("nas_bench_graph")


@pytest.mark.nas_gate(study="tests/own_gate/study.toml", against="tests/own_gate/reference")
def test_no_baseline_got_worse(nas_study) -> None:
    entries = [run for run in nas_study.every_run if run.entry.role == "entry"]
    assert len(entries) == 3 * 20
    assert not any(run.failed for run in entries)


def test_the_reference_is_small_and_without_queries() -> None:
    files = list((ROOT / "tests" / "own_gate" / "reference").rglob("*"))
    assert sum(f.stat().st_size for f in files) < 400_000
    assert not [f for f in files if f.suffix == ".npz"]
