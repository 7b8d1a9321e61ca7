"""What a study of many tiny runs costs: `python docs/measurements/scale.py RUNS [copied]`, in a clone of the project.

Each run is one query of a made-up task, in a process of its own, two at a time. ``copied``: only 20 runs are carried
out, and their records are written under the ids of the others. Prints one line of JSON: how long the study, a second
call that finds everything there, and the report took; their CPU seconds; the coordinator's memory; the disk used.
Figures and machine: docs/scale.md.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
STUDY = """
name = "scale"
seeds = {runs}
reference_seeds = 8
budget = {{ queries = 1 }}
tasks = [{{ name = "toy/edges" }}]
strategies = [{{ name = "toy-sampler", params = {{ size = 1 }} }}]
"""
MAIN = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"


def watch(words: list[str], folder: Path) -> dict[str, Any]:
    """Run the command: wall and CPU seconds (its processes' too), its own memory [MiB] at each tenth of its time."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    held: list[float] = []
    with subprocess.Popen([sys.executable, "-c", MAIN, *words], stdout=subprocess.DEVNULL, cwd=folder) as process:
        seen = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                held.append(seen.memory_info().rss / 2**20)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)}: exit status {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    tenths = [round(held[len(held) * i // 10]) for i in range(10)]
    return {
        "seconds": round(time.monotonic() - began, 2),
        "cpu_seconds": round(cpu, 2),
        "mib": tenths,
        "most_mib": round(max(held)),
    }


def copy(folder: Path, runs: int) -> None:
    """Write what 20 runs of ``study.toml`` said as the records of so many runs."""
    sys.path.insert(0, str(ROOT / "tests" / "toy"))
    import msgspec

    from harness.records.store import Store, read_folder
    from harness.registry import Registry
    from harness.running.plan import make_plan
    from harness.running.study import load_study

    registry, results = Registry(), folder / "results" / "scale"
    found = read_folder(results)
    (folder / "study.toml").write_text(STUDY.format(runs=runs))
    plan = make_plan(load_study(folder / "study.toml"), registry)
    searches = {r.spec.strategy: r for r in found.searches.values()}
    (outcome, *_) = found.outcomes.values()
    with Store.open(results) as store:
        for identity, spec in plan.searches.items():
            if identity not in found.searches:
                store.append(msgspec.structs.replace(searches[spec.strategy], id=identity, spec=spec))
                for scored in plan.outcomes[identity]:
                    store.append(msgspec.structs.replace(outcome, id=scored.id, spec=scored))


def measure(runs: int, *, copied: bool) -> dict[str, Any]:
    path = os.pathsep.join([str(ROOT / "tests" / "toy"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    os.environ.update(PYTHONPATH=path, NAS_HARNESS_PLUGINS="toy")
    load = os.getloadavg()[0]
    with TemporaryDirectory(prefix="scale-") as scratch:
        folder = Path(scratch)
        (folder / "study.toml").write_text(STUDY.format(runs=20 if copied else runs))
        words = ["run", "study.toml", "--results", "results", "--jobs", "2", "--quiet"]
        ran = watch(words, folder)
        if copied:
            copy(folder, runs)
        again = watch(words, folder)
        report = watch(["report", "results/scale"], folder)
        size = sum(f.stat().st_size for f in (folder / "results").rglob("*") if f.is_file())
    return {
        "runs": runs,
        "load_before": round(load, 1),
        **({} if copied else {"runs_a_second": round(runs / ran["seconds"]), "run": ran}),
        "again": again,
        "report": report,
        "bytes_a_run": round(size / runs),
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), copied=sys.argv[2:] == ["copied"])))
