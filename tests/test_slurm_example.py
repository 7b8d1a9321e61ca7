"""examples/slurm.py: what it asks SLURM for, and its own lines on dask-jobqueue's cluster of local jobs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from studies import comparable, run, runs_in, study

from harness.registry import Registry

dask_jobqueue = pytest.importorskip("dask_jobqueue")

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "slurm.py"
STUDY = """
name = "s"
seeds = 2
reference_seeds = 2
budget = { queries = 12 }
tasks = [{ name = "toy/edges" }]
strategies = [{ name = "toy-sampler" }]
"""


def test_the_page_shows_its_lines() -> None:
    page = (ROOT / "docs" / "execution.md").read_text()
    _, _, shown = page.partition("```python\nfrom dask_jobqueue")
    lines = [line.strip() for line in EXAMPLE.read_text().splitlines()]
    for line in shown.partition("```")[0].replace('"study.toml"', "sys.argv[1]").splitlines()[1:]:
        assert line.strip() in lines


def test_slurm_is_asked_for_workers_of_one_thread() -> None:
    with dask_jobqueue.SLURMCluster(
        cores=8, processes=8, memory="32GB", walltime="08:00:00", scheduler_options={"dashboard_address": ":0"}
    ) as cluster:
        script = cluster.job_script()
    assert "#SBATCH --cpus-per-task=8" in script
    assert "#SBATCH -t 08:00:00" in script
    assert "--nthreads 1 " in script
    assert "--nworkers 8 " in script


LOCALLY = """
import runpy, sys
import dask_jobqueue, dask_jobqueue.local

class Cluster(dask_jobqueue.local.LocalCluster):
    def __init__(self, **given):
        given |= {"cores": 1, "processes": 1, "walltime": None}
        super().__init__(interface="lo", scheduler_options={"dashboard_address": ":0"}, **given)

    def scale(self, n=None, jobs=None):
        super().scale(n if jobs is None else 1)

    def wait_for_workers(self, n):
        super().wait_for_workers(1, timeout=60)

dask_jobqueue.SLURMCluster = Cluster
sys.argv[:] = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""The example with one local worker for what it asks for. A process of its own, since that cluster leaves its jobs."""


def test_it_leaves_the_records_of_this_machine(toy: Registry, tmp_path: Path) -> None:
    _, expected = run(toy, tmp_path / "serial", study("toy-sampler"))
    (tmp_path / "study.toml").write_text(STUDY)
    words = [sys.executable, "-c", LOCALLY, str(EXAMPLE), "study.toml"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert comparable(runs_in(tmp_path / "results" / "s")) == comparable(expected)
