"""Live tasks: their names, what a search may see of them, what a training that fails costs, and whole studies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from distributions import install
from scipy.stats import kendalltau
from small_trainings import TINY, write_protocol
from studies import comparable, run, runs_in, study

from harness import HarnessError, RunContext, UnknownName
from harness.cli import main
from harness.reading.report.description import describe_name
from harness.reading.report.section import Source
from harness.reading.report.sections.correlation import correlations_of
from harness.reading.report.sections.ladder import ladders_of
from harness.reading.report.sections.spread import spreads_of
from harness.reading.study import read_study
from harness.records.store import read_folder
from harness.registry import Registry
from harness.running.listening import Listener
from harness.running.settings import Settings
from harness.running.study import StrategySpec, Study, TaskSpec
from harness.search.budget import Budget
from harness.search.constraints import Constraint
from harness.search.oracle import Oracle
from harness.testing import assert_conforms
from harness_training import figures, loop
from harness_training.__main__ import main as measure
from harness_training.live import LiveEvaluator
from harness_training.protocol import LiveTraining
from harness_training.store import kept
from harness_training.task_names import TaskName

TASK = "train/digits@nasbench201+tiny"
FILE = TINY + "fidelities = [1]\n"


@pytest.fixture
def tiny(data_folder: Path) -> Path:
    """The protocol file of `TASK`, in a data folder of the test's own."""
    return write_protocol(data_folder, "tiny", FILE)


def opened(registry: Registry, name: str = TASK) -> LiveEvaluator:
    found = registry.protocol("train").open(registry.task(name))
    assert isinstance(found, LiveEvaluator)
    return found


def test_names(registry: Registry, tiny: Path) -> None:
    assert TaskName.parse("train/digits@darts+C+D") == ("digits", "darts", "C+D")
    assert TaskName("digits", "darts", "C+D").tricks == ("C", "D")
    assert TaskName("digits", "darts", "base").tricks == ()
    assert TaskName("digits", "darts", "base+A").tricks == ("A",)
    assert str(TaskName("images:own", "darts", "C")) == "train/images:own@darts+C"
    for wrong in ("train/digits", "train/digits@darts", "toy/digits@darts+C", "train/@darts+C"):
        assert TaskName.parse(wrong) is None
    listed = {t.name for t in LiveTraining().tasks()}
    assert {TASK, "train/digits@darts+base", "train/digits@darts+C", "train/cifar10@darts+base"} <= listed
    assert registry.task("train/digits@darts+C+D+A").summary.endswith("; with C, D, A")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("train/digit@darts+base", "unknown image data set 'digit'; did you mean 'digits'?"),
        ("train/digits@darts+bse", "unknown protocol 'bse'; did you mean 'base'?"),
        ("train/digits@darts+C+X", "unknown trick 'X'"),
        ("train/digits@darts", "unknown task 'train/digits@darts'; did you mean 'train/digits@darts"),
    ],
)
def test_unknown_names_are_told_apart(registry: Registry, tiny: Path, name: str, what: str) -> None:
    with pytest.raises(UnknownName) as error:
        registry.task(name)
    assert what in str(error.value)


def test_a_space_without_networks_or_settings_is_refused(registry: Registry, tiny: Path) -> None:
    with pytest.raises(UnknownName, match="unknown network 'dart'; did you mean 'darts'"):
        opened(registry, "train/digits@dart+base")
    with pytest.raises(HarnessError, match=r"'tiny' says nothing of the networks of darts: want \[network.darts\]"):
        opened(registry, "train/digits@darts+tiny")
    task = registry.task("train/cifar10@darts+base")
    assert "nas-harness data import cifar10 PATH" in (registry.protocol("train").missing(task) or "")


@pytest.mark.parametrize(
    ("name", "trick"),
    [
        ("train/digits@nasbench201+smoke+50C", "50C"),
        ("train/digits@nasbench201+smoke+C+4cells", "4cells"),
        ("train/digits@nasbench-macro+mobile+50C", "50C"),
        ("train/cifar10@darts+csnas+1500E+A", "A"),
        ("train/digits@nasbench201+tiny+words", "words"),
    ],
)
def test_a_trick_that_changes_nothing_is_refused_and_not_listed(
    registry: Registry, tiny: Path, name: str, trick: str
) -> None:
    """Neither the networks of other spaces nor what the protocol says already."""
    (tiny.parent / "tricks" / "words.toml").write_text('summary = "x"\n[network.darts]\nlayers = 3\n')
    with pytest.raises(HarnessError, match=f"the trick {trick} changes nothing of trainings on .*; leave it out"):
        registry.task(name)
    with pytest.raises(HarnessError, match="changes nothing"):
        measure([name])
    assert registry.task(name.replace(f"+{trick}", ""))
    listed = {t.name for t in LiveTraining().tasks()}
    assert not any(t.endswith("+words") and "@darts+" not in t for t in listed)
    assert {"train/digits@darts-few+50C", "train/cifar10@darts-few+24cells", "train/digits@darts+words"} <= listed


def test_a_trick_makes_no_networks_that_its_protocol_has_not(registry: Registry, tiny: Path) -> None:
    with pytest.raises(HarnessError, match=r"says nothing of the networks of darts: want \[network.darts\]"):
        opened(registry, "train/digits@darts+smoke+50C")


@pytest.mark.parametrize("trick", ["[data]\ntrain = 50\n", "[train]\nfidelities = []\n", "[supernet]\nepochs = 1\n"])
def test_what_a_trick_changes_beside_the_training_counts(registry: Registry, tiny: Path, trick: str) -> None:
    (tiny.parent / "tricks" / "X.toml").write_text(trick)
    assert opened(registry, f"{TASK}+X").data_digest != opened(registry).data_digest


def test_it_conforms(registry: Registry, tiny: Path) -> None:
    assert_conforms(LiveTraining, tasks=[TASK, "train/digits@darts+C+D", "train/cifar10@darts+base"])


def test_fidelities_are_trainings_of_their_own_and_charged_as_such(registry: Registry, tiny: Path) -> None:
    validator = opened(registry).validator(context=RunContext(seed=3))
    oracle = Oracle(validator, Budget(epochs=5))
    half, full = oracle.fidelities
    assert (half.epochs, full.epochs, half.resumable, full.resumable) == (1, 2, False, False)
    one, twin = (1, 0, 0, 0, 3, 0), (1, 0, 0, 3, 0, 0)
    scores = [oracle.query(one, fidelity=half), oracle.query(one), oracle.query(twin)]
    assert scores[1] == scores[2]
    assert (oracle.paid.queries, oracle.paid.epochs) == (2, 3)
    assert opened(registry).validator(context=RunContext(seed=4)).row(one) == validator.row(twin)
    with pytest.raises(ValueError, match="unknown repeat 7"):
        oracle.query(one, repeat=7)


def test_a_search_has_no_test_image_and_the_final_training_is_stored_apart(registry: Registry, tiny: Path) -> None:
    evaluator = opened(registry)
    validator = evaluator.validator()
    arch = (3,) * 6
    validator.validate([arch], fidelity=validator.fidelities[-1])
    assert {f.purpose for f in kept()} == {"validation"}
    searching = evaluator._search.data
    assert (len(searching.train), len(searching.held)) == (60, 100)
    first, again, other = (evaluator.final_scores([arch], final="trained", seed=s).scores[0] for s in (0, 0, 1))
    assert first == again
    final = evaluator._final.data
    assert (len(final.train), len(final.held)) == (160, 1797 - 160)
    assert sorted(f.purpose for f in kept()) == ["final", "final", "validation"]
    seen = {image.numpy().tobytes() for part in (searching.train, searching.held) for image in part.pixels}
    learned = {image.numpy().tobytes() for image in final.train.pixels}
    assert seen == learned
    assert first != other or np.isclose(first, other)
    with pytest.raises(HarnessError, match="has no final 'mean'; it has trained"):
        evaluator.final_scores([arch], final="mean")


SPIES = """
from harness import Provides, Strategy, hookimpl
from harness.data.tables import data_dir

class Spy(Strategy):
    path = ""

    def search(self, oracle, rng):
        archs = oracle.space.sample(rng, 1)
        oracle.query(archs[0])
        self.notes["seen"] = len((data_dir() / self.path).read_bytes())
        return archs

class Finals(Spy):
    name, path = "spy-finals", "trainings/final/aa/old.json"

class Images(Spy):
    name, path = "spy-images", "images/digits/images.npy"

@hookimpl
def nas_harness_strategies():
    return [Provides("spies:Finals"), Provides("spies:Images")]
"""


def test_a_search_cannot_open_final_scores_or_images(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the task trains, and stores its trainings in the same folder."""
    installed, old = tmp_path / "installed", tmp_path / "trainings" / "final" / "aa" / "old.json"
    install(installed, "spies", SPIES)
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.setenv("PYTHONPATH", str(installed))
    old.parent.mkdir(parents=True)
    old.write_text("99.9")
    given = study("spy-finals", "spy-images", tasks=(TASK,), seeds=1, queries=1)
    _, runs = run(Registry(), tmp_path / "results", given, executor="process", jobs=1)
    said = {r.entry.label: str(r.error) for r in runs if r.failed}
    assert {name: what.partition(" (")[0] for name, what in said.items()} == {
        "spy-finals": f"it opened {old}, which is closed to a search",
        "spy-images": f"it opened {tmp_path}/images/digits/images.npy, which is closed to a search",
    }


def test_what_a_task_offers_is_part_of_its_identity(registry: Registry, tiny: Path) -> None:
    """A strategy that asks for cheap trainings searches otherwise where these are others."""
    before = opened(registry).data_digest
    write_protocol(tiny.parents[2], "tiny", TINY)
    assert opened(registry).data_digest != before


def test_costs_are_those_of_the_network_that_is_trained(registry: Registry, tiny: Path) -> None:
    evaluator = opened(registry)
    validator = evaluator.validator()
    arch = (3, 1, 2, 4, 3, 3)
    network = evaluator._search.networks.build(arch, evaluator._search.data.shape)
    costs = validator.costs([arch, (0,) * 6])
    assert costs["params"][0] == sum(p.numel() for p in network.parameters())
    assert costs["flops"][0] > costs["flops"][1] > 0
    assert {name: values.shape for name, values in validator.costs([]).items()} == {"params": (0,), "flops": (0,)}
    oracle = Oracle(validator, Budget(queries=2), constraints=(Constraint("params", "<", float(costs["params"][0])),))
    assert np.isnan(oracle.query(arch))
    assert oracle.paid.queries == 0
    with pytest.raises(HarnessError, match="does not record 'train_seconds'"):
        Oracle(validator, Budget(queries=2), constraints=(Constraint("train_seconds", "<", 1.0),))
    with pytest.raises(HarnessError, match="seconds"):
        Oracle(validator, Budget(seconds=2.0))


def test_a_training_that_diverges_is_paid(registry: Registry, tiny: Path) -> None:
    tiny.write_text(FILE.replace("lr = 0.1", "lr = 1e30"))
    oracle = Oracle(opened(registry).validator(), Budget(queries=1))
    assert np.isnan(oracle.query((3,) * 6))
    assert (oracle.paid.queries, oracle.paid.epochs, oracle.ended_by) == (1, 2, "queries")


def test_figures_are_shown_of_the_very_recipe_and_images_that_were_measured(
    registry: Registry, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measured by the command of the page, on three architectures and two seeds."""
    measure([TASK, "--architectures", "3", "--seeds", "2"])
    measured = tmp_path / "measured.toml"
    measured.write_text(capsys.readouterr().out)
    monkeypatch.setattr(figures, "MEASURED", measured)
    found = opened(registry).measured()
    assert (found["n"], found["repeats"], found["failed"]) == (3, 2, 0)
    assert set(found["every"]) == {"architectures", "seeds", "snr", "snr_interval", "tau", "tau_interval"}
    assert "every" in describe_name(registry, TASK)["measured"]
    tiny.write_text(FILE.replace("lr = 0.1", "lr = 0.2"))
    assert opened(registry).measured() == {}
    with pytest.raises(HarnessError, match="'digits' is no live task"):
        measure(["digits"])


def live_study(*strategies: str, queries: int = 3, **more: Any) -> Any:
    return study(*strategies, tasks=(TASK,), queries=queries, **more)


def test_out_of_memory_fails_the_run_alone_and_is_named(
    registry: Registry, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = loop._Training.run

    def run_out(self: Any, *args: Any) -> Any:
        if self.job.seed == 1 and len(self.objective.images) == 60:
            raise torch.OutOfMemoryError("tried to allocate 80 GiB")
        return ordinary(self, *args)

    monkeypatch.setattr(loop._Training, "run", run_out)
    _, runs = run(registry, tmp_path, live_study("random-search"))
    assert {(r.entry.strategy, r.seed) for r in runs if r.failed} == {
        ("random-search", 1), ("matched-random-search", 1)
    }  # fmt: skip
    assert all("out of memory on cpu with batches of 30" in str(r.error) for r in runs if r.failed)


def test_a_warm_store_gives_the_same_records_at_the_same_price(registry: Registry, tiny: Path, tmp_path: Path) -> None:
    given = live_study("random-search", "regularized-evolution", seeds=2)
    cold, runs = run(registry, tmp_path / "cold", given)
    trained = len(kept())
    assert trained
    warm, again = run(registry, tmp_path / "warm", given)
    assert len(kept()) == trained
    assert comparable(runs) == comparable(again)
    assert all(r.paid is not None and (r.paid.queries, r.paid.epochs, r.paid.seconds) == (3, 6, None) for r in again)
    one, two = (read_folder(s.folder) for s in (cold, warm))
    assert {i: t.score for i, t in one.trainings.items()} == {i: t.score for i, t in two.trainings.items()}
    (sampling,) = one.samplings.values()
    assert (sampling.exact, sampling.n) == (False, 8)
    assert all(0 <= x <= 100 for x in sampling.draws)


def test_the_store_is_listed_and_pruned(registry: Registry, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluator = opened(registry)
    assert main(["data", "trainings"]) == 0
    assert "no trainings are kept here" in capsys.readouterr().out
    validator = evaluator.validator()
    for fidelity in validator.fidelities:
        validator.validate([(3,) * 6, (1,) * 6], fidelity=fidelity)
    evaluator.final_scores([(3,) * 6], final="trained", seed=0)
    assert main(["data", "trainings", "--format", "json"]) == 0
    found = {s["kind"]: s["trainings"] for s in json.loads(capsys.readouterr().out)}
    names = ("final, nasbench201, 2 epochs", "validation, nasbench201, 1 epochs", "validation, nasbench201, 2 epochs")
    assert found == dict(zip(names, (1, 2, 2), strict=True))
    assert main(["data", "prune", "--most", "0B"]) == 0
    assert "removed 5 files" in capsys.readouterr().out
    assert kept() == []
    assert main(["data", "prune", "--most", "much"]) == 2
    assert "--most 'much': write bytes" in capsys.readouterr().err


def test_one_search_is_scored_under_several_final_protocols(registry: Registry, tiny: Path, tmp_path: Path) -> None:
    (tiny.parent / "tricks" / "L.toml").write_text("[train]\nepochs = 3\n")
    longer = f"{TASK}+L"
    given = live_study("random-search")
    given = type(given)(
        name="s", budget=given.budget, seeds=2, reference_seeds=2, strategies=(StrategySpec(name="random-search"),),
        tasks=(TaskSpec(name=TASK), TaskSpec(name=longer, search_task=TASK)),
    )  # fmt: skip
    summary, runs = run(registry, tmp_path, given)
    found = read_folder(summary.folder)
    assert len(found.searches) == 4
    assert len(runs) == 8
    one, two = (s for s in found.samplings.values())
    archs = {task: [t.spec.arch for t in found.trainings.values() if t.spec.task == task] for task in (TASK, longer)}
    assert sorted(archs[TASK]) == sorted(archs[longer])
    assert {one.spec.task, two.spec.task} == {TASK, longer}
    assert {tuple(r.outcome.provenance["task"]["tricks"]) for r in runs if r.outcome} == {(), ("L",)}


def test_figures_about_the_task_come_from_random_sampling(registry: Registry, tiny: Path, tmp_path: Path) -> None:
    """Yang et al.: the same architectures with two final seeds (Figure 8), their spread (4), their curves (5)."""
    (tiny.parent / "tricks" / "each.toml").write_text('[train]\njudge = "each"\nepochs = 4\n')
    each = f"{TASK}+each"
    given = Study(
        name="s", budget=Budget(queries=1), seeds=1, reference_seeds=1, draws=5,
        strategies=(StrategySpec(name="random-search"),),
        tasks=(TaskSpec(name=TASK), TaskSpec(name=TASK, final_seed=1), TaskSpec(name=each, search_task=TASK)),
    )  # fmt: skip
    summary, _ = run(registry, tmp_path, given)
    found = read_folder(summary.folder)
    source = Source(read_study(summary.folder), registry=lambda: registry)
    assert len(found.searches) == 2, "one search and its reference are scored under all three"
    ((first, other, _),) = ladders_of(source)
    assert (first.n, other.setting.final_seed, other.paired) == (5, 1, True)
    by_seed = [[t for t in found.trainings.values() if t.spec.final_seed == s and t.spec.task == TASK] for s in (0, 1)]
    assert {t.spec.arch for t in by_seed[0]} == {t.spec.arch for t in by_seed[1]}
    drawn = next(s.drawn for s in spreads_of(source, source.open_task) if s.setting.task == TASK)
    assert drawn is not None
    assert (drawn.n, drawn.mean) == (5, pytest.approx(first.mean))
    plain, again, curves = correlations_of(source, source.open_task)
    assert plain.missing == again.missing == "its trainings keep no score of every epoch"
    assert [(a.kind, a.epochs, a.n) for a in curves.agreements] == [("epochs", e, curves.sample) for e in (1, 2, 3)]
    archs = [t.spec.arch for t in found.trainings.values() if t.spec.task == each]
    kept_curves = opened(registry, each).learning_curves(archs, final="trained", seed=0)
    assert kept_curves is not None
    finals = opened(registry, each).final_scores(archs, final="trained", seed=0).scores
    assert kept_curves[-1].tolist() == finals.tolist()
    want = kendalltau(kept_curves[:3].mean(axis=0), finals).statistic
    assert curves.agreements[2].ktau_smoothed == pytest.approx(want, nan_ok=True)
    assert main(["data", "prune", "--most", "0B"]) == 0
    (emptied,) = (c for c in correlations_of(source, source.open_task) if c.setting.task == each)
    assert emptied.missing == "none of its trainings is in the store of trainings here"


@pytest.mark.measure
@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_bytes(tiny: Path, tmp_path: Path) -> None:
    """Two worker processes, killed with their coordinator among the searches and among the final trainings."""
    file = tmp_path / "s.toml"
    file.write_text(
        f'name = "s"\nseeds = 2\nbudget = {{ queries = 4 }}\n[[tasks]]\nname = "{TASK}"\n'
        '[[strategies]]\nname = "regularized-evolution"\n'
    )
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    command = [sys.executable, "-c", "from harness.cli import main; main()", "run", str(file), "--jobs", "2", "-q"]
    for records, lines in (("searches.jsonl", 1), ("trainings.jsonl", 3)):
        process = subprocess.Popen([*command, "--results", str(resumed)])
        written = resumed / "s" / records
        while process.poll() is None:
            if written.is_file() and written.read_bytes().count(b"\n") >= lines:
                process.kill()
                break
            time.sleep(0.05)
        process.wait()
    subprocess.run([*command, "--results", str(resumed)], check=True)
    assert main(["run", str(file), "--executor", "serial", "-q", "--results", str(whole)]) == 0
    assert comparable(runs_in(resumed / "s")) == comparable(runs_in(whole / "s"))
    assert len(runs_in(whole / "s")) == 4


def test_a_study_is_carried_out_on_the_devices_that_are_named(
    registry: Registry, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one that is not there nothing begins; on several one run at a time each; the environment is left as it was."""
    given = study("random-search", tasks=(TASK,), seeds=2, reference_seeds=2, queries=1)
    monkeypatch.setenv("NAS_HARNESS_DEVICE", "cuda:98")
    with pytest.raises(HarnessError, match=r"'cuda:98': .* sees \d+ GPUs here"):
        opened(registry)  # for whatever: also where a search elsewhere is finally trained here
    with pytest.raises(HarnessError, match=r"'cuda:99': .* sees \d+ GPUs here; unset --device"):
        run(registry, tmp_path, given, device="cpu,cuda:99", executor="process")
    assert not list(tmp_path.glob("s/*.jsonl"))
    with pytest.raises(HarnessError, match="carries out one run at a time; name one"):
        run(registry, tmp_path, given, device="cpu,cpu", executor="serial")
    with pytest.raises(HarnessError, match="set NAS_HARNESS_DEVICE where the workers of 'dask' start"):
        run(registry, tmp_path, given, device="cpu", executor="dask")
    _, one = run(registry, tmp_path / "one", given, device="cpu", executor="serial")
    _, two = run(registry, tmp_path / "two", given, device="cpu,cpu", executor="process")
    assert comparable(one) == comparable(two)
    assert not [r.error for r in two if r.failed]
    told = {r.environment.get("device") for r in read_folder(tmp_path / "two" / "s").searches.values()}
    assert told == {"cpu"}, "each worker is told one of the two"
    assert os.environ["NAS_HARNESS_DEVICE"] == "cuda:98"
    wanted = {(None, None): None, ("cuda", None): 1, ("cuda:0,cuda:1", None): 2, ("cuda", 3): 3, ("cpu", None): None}
    assert {(device, jobs): Settings(device=device, jobs=jobs).workers for device, jobs in wanted} == wanted


def test_a_listener_hears_how_many_searches_wait_for_their_final_trainings(
    registry: Registry, tiny: Path, tmp_path: Path
) -> None:
    """Searches that were over before are counted too; while trainings are carried out, nothing waits for them."""
    heard: list[tuple[str, int]] = []

    class Watching(Listener):
        def ended(self, title: str, queries: int, left: float | None, waiting: int) -> None:
            heard.append(("search" if queries else "training", waiting))

    for seeds in (1, 3):
        given = study("random-search", tasks=(TASK,), seeds=seeds, reference_seeds=1, queries=1)
        run(registry, tmp_path, given, executor="serial", listener=Watching())
        if seeds == 1:
            for name in ("outcomes", "trainings"):
                (tmp_path / "s" / f"{name}.jsonl").unlink()
    searches = [waiting for what, waiting in heard if what == "search"]
    assert searches == [0, 1, 2, 3]
    assert {waiting for what, waiting in heard if what == "training"} == {0}
