"""The example plugin, installed for real: listed, described, checked, run and reported, alone and beside the others."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "tests" / "example_plugin"
FIRST_PARTY_GONE = '''
import sys


class Gone:
    """First-party plugins are not there to be imported."""

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top.startswith("harness_") and top != "harness_example":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Gone())
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder that the example plugin is installed in, by pip, from a copy of its source."""
    pytest.importorskip("hatchling", reason="the example plugin is built with hatchling")
    source, target = tmp_path_factory.mktemp("source") / "example", tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
               "--disable-pip-version-check", "--target", str(target), str(source)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def run(words, site, *, folder, **environment) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(environment.pop("first", "")), str(site), str(ROOT)]).lstrip(os.pathsep)
    return subprocess.run(
        [sys.executable, "-c", "from harness.cli import main; raise SystemExit(main())", *words],
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200", **environment}, capture_output=True, text=True,
        cwd=folder,
    )  # fmt: skip


@pytest.fixture(params=["beside the others", "alone by name", "others removed"])
def harness(request, site, tmp_path):
    """The command line under three sets of plugins; returns what it printed, having checked its exit status."""
    options: dict[str, object] = {}
    if request.param == "alone by name":
        options["NAS_HARNESS_PLUGINS"] = "example"
    elif request.param == "others removed":
        blocker = tmp_path / "blocker"
        blocker.mkdir()
        (blocker / "sitecustomize.py").write_text(FIRST_PARTY_GONE)
        options["first"] = blocker

    def call(*words: str, status: int = 0) -> str:
        done = run(words, site, folder=tmp_path, **options)
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    call.plugins = request.param
    return call


def test_it_is_listed_with_its_distribution(harness):
    out = harness("list")
    for name in ("example-annealing", "example-stack", "example-denoising"):
        assert re.search(rf"{name}\s+nas-harness-example\s+1\.0\.0\s+ok", out), out
    first_party = "regularized-evolution" in out
    assert first_party == (harness.plugins == "beside the others")


def test_it_is_described_with_its_parameters(harness):
    out = harness("describe", "example-annealing")
    assert "cooling" in out
    assert "factor on the temperature after each new architecture" in " ".join(out.split())


@pytest.mark.parametrize("name", ["example-annealing", "example-stack", "example-denoising"])
def test_it_conforms(harness, name):
    out = harness("check", name)
    assert re.search(rf"{name} conforms \(\d+ checks", out), out


def test_it_runs_and_is_reported(harness, tmp_path):
    harness("run", "--strategy", "example-annealing", "--task", "example-denoising/sines", "--seeds", "8", "--budget",
            "10", "--results", "out", "--name", "first", "--jobs", "1", "--executor", "serial", "--quiet")  # fmt: skip
    records = [json.loads(line) for line in (tmp_path / "out" / "first" / "searches.jsonl").read_text().splitlines()]
    own = [r for r in records if r["spec"]["strategy"] == "example-annealing"]
    assert len(own) == 8
    assert {r["status"] for r in own} == {"ok"}
    assert {r["paid"]["queries"] for r in own} == {10}
    assert {r["ended_by"] for r in own} == {"queries"}
    assert "nas-harness-example" in json.dumps(own[0]["provenance"])

    (task,) = json.loads(harness("report", "out/first", "--format", "json"))["settings"]
    assert task["setting"]["task"] == "example-denoising/sines"
    sampling = task["random_sampling"]
    assert sampling["exact"]
    assert sampling["mean"] == pytest.approx(mean_by_hand(), rel=1e-9)
    row = next(r for r in task["entries"] if r["strategy"] == "example-annealing")
    assert row["n"] == 8
    assert row["ri"] == pytest.approx(100 * (row["final_mean"] - sampling["mean"]) / sampling["mean"], rel=1e-6)
    assert row["ri"] > 0


def mean_by_hand() -> float:
    """Mean test score over the 81 encodings: k filters stand in C(4, k) ways among four layers."""
    repeats: dict[str, list[float]] = {}
    for line in csv.DictReader((EXAMPLE / "harness_example" / "scores.csv").read_text().splitlines()):
        if line["epochs"] == "80":
            repeats.setdefault(line["key"], []).append(float(line["test"]))
    ways = {key: math.comb(4, 0 if key == "empty" else len(key.split())) for key in repeats}
    assert sum(ways.values()) == 81
    return sum(ways[key] * sum(r) / len(r) for key, r in repeats.items()) / 81


def test_its_own_tests_pass(site, tmp_path):
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(tmp_path / "tests")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), "NAS_HARNESS_PLUGINS": "example"},
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "9 passed" in done.stdout


def test_what_its_readme_says_to_try_works(site, tmp_path):
    block = re.search(r"## Try it\n+```\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL)
    assert block is not None
    commands = [shlex.split(line) for line in block[1].splitlines()]
    assert commands[0] == ["pip", "install", "./tests/example_plugin"]  # what the fixture did
    assert (ROOT / "tests" / "example_plugin" / "pyproject.toml").is_file()
    for words in commands[1:]:
        assert words[0] == "nas-harness"
        done = run(words[1:], site, folder=tmp_path, NAS_HARNESS_PLUGINS="example")
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_files_its_readme_names_are_there():
    named = re.findall(r"^\| `([^`]+)` \|", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
    assert len(named) == 7
    assert all((EXAMPLE / name).is_file() for name in named)
