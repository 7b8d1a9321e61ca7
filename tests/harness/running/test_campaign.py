"""Studies carried out: records, resumption, isolation of failures, determinism."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from studies import Notes, comparable, run, runs_in, study

import harness.search.ledger
from harness.errors import DataMissing, HarnessError, RecordError, UnknownName
from harness.reading.results import read_results
from harness.records.lines import OutcomeRecord, SamplingRecord
from harness.records.runs import Run
from harness.records.store import FILES, read_folder
from harness.registry import Registry
from harness.running.study import MATCHED, StrategySpec, TaskSpec, load_study
from harness.search.budget import Budget
from harness.search.constraints import Constraint
from harness.strategy import Scoring

ROOT = Path(__file__).resolve().parents[3]
SEARCHES, SAMPLINGS = "searches.jsonl", "samplings.jsonl"


def sampling_in(folder: Path) -> SamplingRecord:
    (found,) = read_folder(folder).samplings.values()
    return found


def test_a_study_leaves_records_and_what_is_needed_to_read_them(toy: Registry, tmp_path: Path) -> None:
    summary, records = run(toy, tmp_path, study("toy-sampler", "toy-returner"))
    assert (summary.total, summary.finished, summary.failed) == (6, 6, [])
    left = {f.name for f in summary.folder.iterdir()}
    assert left >= {"study.toml", "environment.json", "plans.jsonl", SEARCHES, "outcomes.jsonl", SAMPLINGS}
    sampler = next(r for r in records if r.entry.label == "toy-sampler")
    assert sampler.paid is not None
    assert (sampler.search.ended_by, sampler.status) == ("queries", "ok")
    assert (sampler.paid.queries, sampler.paid.epochs) == (12, 12 * 2 * 36)
    assert sampler.asked.total == sampler.paid.queries + sampler.asked.cached
    assert sampler.score is not None
    assert sampler.incumbents[-1][1] == sampler.score
    assert [i.valid for i in sampler.search.incumbents] == sorted(i.valid for i in sampler.search.incumbents)
    returner = next(r for r in records if r.entry.label == "toy-returner")
    assert returner.search.ended_by == "strategy"
    assert returner.search.notes == {"numpy": 1.5, "none": None}
    assert returner.ktau is not None
    assert returner.ktau.n == 55 - returner.asked.keys
    assert load_study(summary.folder / "study.toml") == study("toy-sampler", "toy-returner")


def test_the_final_score_is_the_tables_and_random_sampling_is_exact(toy: Registry, tmp_path: Path) -> None:
    import numpy as np

    summary, records = run(toy, tmp_path, study("toy-sampler"))
    evaluator = toy.protocol("toy").open(toy.task("toy/edges"))
    space = evaluator.space
    everything = list(space.enumerate())
    scores = evaluator.final_scores(everything, final="single").scores
    sampling = sampling_in(summary.folder)
    assert sampling.exact
    assert sampling.mean == pytest.approx(scores.mean(), rel=1e-12)
    assert sampling.std == pytest.approx(scores.std(), rel=1e-9)
    assert len(sampling.draws) == 1000
    valid = evaluator.validator().validate(everything, fidelity=evaluator.validator().fidelities[-1]).valid
    assert (sampling.best_validated, sampling.tied) == (scores[int(np.argmax(valid))], 1)
    for r in records:
        assert r.outcome is not None
        assert r.outcome.reported is not None
        assert r.score == evaluator.final_scores([space.parse(r.outcome.reported)], final="single").scores[0]
        rows = {space.key(a): s for a, s in zip(everything, scores, strict=True)}
        assert r.outcome.rank == 1 + sum(s > r.score for s in rows.values())
        assert r.outcome.regret == max(rows.values()) - r.score
        assert r.outcome.valid_regret == pytest.approx(valid.max() - (r.valid or 0.0))


def test_every_incumbent_of_a_surrogate_has_its_final_score(toy: Registry, tmp_path: Path) -> None:
    """No list of all rows is needed for it: an anytime curve of final scores is known from its first cost on."""
    _, records = run(toy, tmp_path, study("toy-sampler", tasks=("toy/drawn",)))
    evaluator = toy.protocol("toy").open(toy.task("toy/drawn"))
    assert evaluator.truth("single") is None
    every = evaluator.final_scores(list(evaluator.space.enumerate()), final="single").scores.tolist()
    for r in records:
        assert len(r.incumbents) > 1
        assert r.incumbents[-1][1] == r.score
        assert all(final in every for _, final in r.incumbents)


def test_where_lower_is_better_the_lowest_stands(toy: Registry, tmp_path: Path) -> None:
    _, records = run(toy, tmp_path, study("toy-sampler", tasks=("toy/error",), queries=40))
    for r in records:
        valids = [i.valid for i in r.search.incumbents]
        assert valids == sorted(valids, reverse=True)
        assert r.outcome.rank is not None
        assert r.outcome.rank < 25


def test_running_again_runs_only_what_is_missing(toy: Registry, tmp_path: Path) -> None:
    run(toy, tmp_path, study("toy-sampler"))
    before = (tmp_path / "s" / SEARCHES).read_bytes()
    listener = Notes()
    summary, records = run(toy, tmp_path, study("toy-sampler", seeds=3), listener=listener)
    assert (summary.already, summary.finished, listener.already) == (4, 2, 4)
    assert (tmp_path / "s" / SEARCHES).read_bytes().startswith(before)
    assert len(records) == 6


def test_executors_workers_and_order_leave_the_same_records(toy: Registry, tmp_path: Path) -> None:
    given = study("toy-sampler", "toy-returner", tasks=("toy/edges", "toy/nodes"))
    _, serial = run(toy, tmp_path / "a", given)
    _, processes = run(toy, tmp_path / "b", given, executor="process", jobs=2)
    assert comparable(serial) == comparable(processes)
    assert len(serial) == 12


def test_no_more_runs_are_under_way_than_there_are_processes(toy: Registry, tmp_path: Path) -> None:
    class Going(Notes):
        now = most = 0

        def started(self, title: str) -> None:
            self.now += 1
            self.most = max(self.most, self.now)

        def ended(self, title: str, queries: int, left: float | None, waiting: int) -> None:
            self.now -= 1

    listener = Going()
    run(toy, tmp_path, study("toy-sampler", seeds=4), executor="process", jobs=1, listener=listener)
    assert (listener.most, listener.now) == (1, 0)


def test_a_strategy_that_fails_fails_alone_and_says_why(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = (
        "toy-raiser",
        "toy-foreigner",
        "toy-nothing",
        "toy-bad-ranker",
        "toy-exiter",
        "toy-unmade",
        "toy-swallower",
        "toy-sampler",
    )
    monkeypatch.setattr(harness.search.ledger, "_CALLS_AFTER_END", 1000)
    summary, records = run(toy, tmp_path, study(*names, seeds=1))
    status = {r.entry.label: (r.status, r.error or "") for r in records}
    assert status["toy-sampler"] == ("ok", "")
    assert status[MATCHED] == ("ok", "")
    assert status["toy-raiser"][0] == "failed"
    assert "RuntimeError: a bug in the strategy (toy_plugin.py:" in status["toy-raiser"][1]
    assert "not an architecture of toy-edges" in status["toy-foreigner"][1]
    assert "NoneType, not a sequence" in status["toy-nothing"][1]
    assert "the learned order: ValueError" in status["toy-bad-ranker"][1]
    assert "SystemExit: a script's way to stop (toy_plugin.py:" in status["toy-exiter"][1]
    assert "KeyError: 'a bug in the constructor'" in status["toy-unmade"][1]
    assert "still asking after 1,000 refusals; the search had ended: queries" in status["toy-swallower"][1]
    assert {r.entry.label for r in records if r.failed} == set(names) - {"toy-sampler"}
    assert len(summary.failed) == len(names) - 1
    assert any("toy-raiser on toy/edges, seed 0: failed: RuntimeError: a bug" in said for said in summary.failed)


def test_a_strategy_cannot_overspend(toy: Registry, tmp_path: Path) -> None:
    _, records = run(toy, tmp_path, study("toy-overspender", seeds=1))
    overspender = next(r for r in records if r.entry.label == "toy-overspender")
    assert overspender.paid is not None
    assert (overspender.paid.queries, overspender.search.ended_by) == (12, "queries")
    assert overspender.asked.total <= 12 * 50


@pytest.mark.parametrize(
    ("executor", "hanger"), [("serial", "toy-hanger"), ("serial", "toy-deaf"), ("process", "toy-deaf")]
)
def test_a_run_that_hangs_is_ended_and_the_study_goes_on(
    toy: Registry, tmp_path: Path, executor: str, hanger: str
) -> None:
    started = time.monotonic()
    summary, records = run(
        toy, tmp_path, study(hanger, "toy-sampler", seeds=1), executor=executor, jobs=2, run_timeout=2.0
    )
    assert time.monotonic() - started < 40
    (hung,) = (r for r in records if r.failed)
    assert len(summary.failed) == 1
    assert (hung.entry.label, hung.status, hung.error) == (hanger, "timeout", "took longer than 2 s")
    assert {r.entry.label for r in records if r.status == "ok"} == {"toy-sampler", MATCHED}


def test_a_worker_that_dies_takes_only_its_run_down(toy: Registry, tmp_path: Path) -> None:
    summary, records = run(toy, tmp_path, study("toy-killer", "toy-sampler", seeds=2), executor="process", jobs=2)
    assert {(r.entry.label, r.status) for r in records if r.failed} == {("toy-killer", "failed")}
    assert all("failed: it ended its process: SIGKILL, after os.kill" in said for said in summary.failed)
    assert sum(r.status == "ok" for r in records) == 4


def test_paper_mode_searches_on_test_beside_its_own_random_search(toy: Registry, tmp_path: Path) -> None:
    _, records = run(toy, tmp_path, study("toy-sampler@strict", "toy-sampler@paper", "toy-sampler@top"))
    by_mode = {(r.entry.label, r.entry.mode): r for r in records if r.seed == 0}
    assert (MATCHED, "paper") in by_mode
    paper = by_mode["toy-sampler", "paper"]
    assert paper.incumbents[-1][0].valid == paper.score == paper.incumbents[-1][1]
    assert paper.valid != paper.score
    top = by_mode["toy-sampler", "top"]
    assert top.entry.scoring == Scoring("validation", "best_of_returned", 3)


def test_constraints_bind_the_incumbent_and_random_sampling_alike(toy: Registry, tmp_path: Path) -> None:
    space = toy.protocol("toy").open(toy.task("toy/edges")).space
    given = study("toy-sampler", seeds=2)
    given = msgspec.structs.replace(given, tasks=(TaskSpec(name="toy/edges", constraints=("params <= 200",)),))
    summary, records = run(toy, tmp_path, given)
    for r in records:
        assert r.outcome is not None
        assert r.outcome.reported is not None
        assert space.costs([space.parse(r.outcome.reported)])["params"][0] <= 200
        assert (r.asked.infeasible > 0) == (r.entry.role == "entry")
        assert r.paid.queries == 12
    sampling = sampling_in(summary.folder)
    evaluator = toy.protocol("toy").open(toy.task("toy/edges"))
    cheap = [a for a in space.enumerate() if space.costs([a])["params"][0] <= 200]
    assert sampling.mean == pytest.approx(evaluator.final_scores(cheap, final="single").scores.mean())


def test_constraints_that_nothing_satisfies_are_refused(toy: Registry, tmp_path: Path) -> None:
    given = msgspec.structs.replace(
        study("toy-sampler"), tasks=(TaskSpec(name="toy/edges", constraints=("params < 0",)),)
    )
    with pytest.raises(HarnessError, match="no architecture of 'toy/edges' satisfies params < 0"):
        run(toy, tmp_path, given)
    unknown = msgspec.structs.replace(given, tasks=(TaskSpec(name="toy/edges", constraints=("weight < 3",)),))
    with pytest.raises(HarnessError, match="'weight'.*it has: .*params"):
        run(toy, tmp_path, unknown)


@pytest.mark.parametrize("refused", ["toy/edges", "toy/drawn"])
def test_a_refused_study_writes_nothing(toy: Registry, tmp_path: Path, refused: str) -> None:
    """Neither over the study of that name, nor a folder of a new one, nor random sampling of its other tasks."""
    first, _ = run(toy, tmp_path, study("toy-sampler"))
    before = {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()}
    tasks = (TaskSpec(name="toy/nodes"), TaskSpec(name=refused, constraints=("params < 0",)))
    for name in (first.study, "new"):
        with pytest.raises(HarnessError, match="params < 0"):
            run(toy, tmp_path, msgspec.structs.replace(study("toy-sampler"), name=name, tasks=tasks))
    assert {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()} == before
    assert [f.name for f in tmp_path.iterdir() if f.is_dir()] == [first.study]


@pytest.mark.parametrize("bound", [1234567.0, 2.69e6, 200.0, 0.1, 1e-7, 123456789.123])
def test_a_constraint_means_the_same_wherever_it_is_read(bound: float) -> None:
    assert Constraint.parse(str(Constraint("params", "<=", bound))).bound == bound


def test_a_surrogates_random_sampling_stands_under_the_constraints_too(toy: Registry, tmp_path: Path) -> None:
    """Without a truth, the mean is of feasible draws alone."""
    given = study("toy-sampler", seeds=1)
    given = msgspec.structs.replace(given, tasks=(TaskSpec(name="toy/drawn", constraints=("params <= 200",)),))
    summary, _ = run(toy, tmp_path, given)
    sampling = sampling_in(summary.folder)
    evaluator = toy.protocol("toy").open(toy.task("toy/drawn"))
    space = evaluator.space
    cheap = [a for a in space.enumerate() if space.costs([a])["params"][0] <= 200]
    scores = evaluator.final_scores(cheap, final="single").scores
    assert (sampling.exact, sampling.n) == (False, 500)
    assert set(sampling.draws) <= set(scores.tolist())
    assert abs(sampling.mean - scores.mean()) < 5 * scores.std() / 500**0.5
    nothing = msgspec.structs.replace(given, tasks=(TaskSpec(name="toy/drawn", constraints=("params < 0",)),))
    with pytest.raises(HarnessError, match="of 50,000 architectures drawn for 'toy/drawn' only 0 satisfy params < 0"):
        run(toy, tmp_path, nothing)


def test_what_a_partial_table_lacks_is_counted_and_unpaid_for_all_alike(toy: Registry, tmp_path: Path) -> None:
    _, runs = run(toy, tmp_path, study("toy-sampler", tasks=("toy/partial",)))
    assert {(r.entry.role, r.status, r.paid and r.paid.queries) for r in runs} == {
        ("entry", "ok", 12),
        ("reference", "ok", 12),
    }
    assert all(r.asked.missing > 0 and r.asked.invalid == 0 for r in runs)


@pytest.mark.parametrize(
    ("constraints", "status", "error"),
    [
        ((), "failed", "the task has no final score of it"),
        (("train_seconds < 1e9",), "infeasible", "no returned architecture satisfies the constraints"),
    ],
)
def test_an_answer_that_a_partial_table_lacks_is_the_runs_own_failure(
    toy: Registry, tmp_path: Path, constraints: tuple[str, ...], status: str, error: str
) -> None:
    task = TaskSpec(name="toy/partial", constraints=constraints)
    summary, runs = run(toy, tmp_path, msgspec.structs.replace(study("toy-guesser"), tasks=(task,)))
    assert (summary.stopped, summary.finished) == (None, summary.total)
    assert {(r.entry.role, r.status, r.error) for r in runs} == {("entry", status, error), ("reference", "ok", None)}


@pytest.mark.parametrize("budget", [Budget(epochs=500), Budget(seconds=700.0)])
def test_matched_random_search_stands_beside_entries_that_pay_in_epochs_or_seconds(
    toy: Registry, tmp_path: Path, budget: Budget
) -> None:
    """Read off the records by hand: the last incumbent that cost no more than the entry's own run."""
    from harness.reading.matched import read_off

    summary, _ = run(toy, tmp_path, study("toy-sampler", "toy-returner", budget=budget))
    (setting,) = read_results(summary.folder).settings
    unit = budget.unit
    for entry in setting.entries:
        reference = setting.reference_of(entry.entry)
        assert reference is not None
        for r, partner in zip(entry.runs, reference.runs, strict=True):
            cost = getattr(r.paid, unit)
            spent_all = cost >= getattr(budget, unit)
            assert r.search.ended_by == (unit if spent_all else "strategy")
            assert spent_all or r.entry.label == "toy-returner"
            expected = [final for i, final in partner.incumbents if getattr(i, unit) <= cost][-1]
            answer = read_off(partner, cost, unit)
            assert answer is not None
            assert answer.score == expected


def test_missing_data_and_unknown_executors_are_named_before_anything_runs(toy: Registry, tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="toy-download"):
        run(toy, tmp_path, study("toy-sampler", tasks=("toy/absent",)))
    with pytest.raises(UnknownName, match="did you mean 'process'"):
        run(toy, tmp_path, study("toy-sampler"), executor="proces")
    assert not (tmp_path / "s").exists()


def test_interruption_leaves_whole_records_and_the_rest_is_run_later(toy: Registry, tmp_path: Path) -> None:
    given = study("toy-sampler", seeds=4)
    summary, records = run(toy, tmp_path, given, listener=Notes(stop_after=3))
    assert summary.interrupted
    assert len(records) == 3
    summary, records = run(toy, tmp_path, given)
    assert (summary.interrupted, summary.already, len(records)) == (False, 3, 8)


def test_kill_minus_nine_of_the_coordinator_loses_no_finished_run(toy: Registry, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from harness.registry import Registry;"
        "from harness.running.campaign import *; from harness.running.study import *;"
        "s = Study(name='s', budget=Budget(queries=12), tasks=(TaskSpec(name='toy/edges'),),"
        "strategies=(StrategySpec(name='toy-slow'),), seeds=20, reference_seeds=20);"
        f"carry_out_study(s, registry=Registry(), results=Path({str(tmp_path)!r}),settings=Settings(executor='serial'))"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    path = tmp_path / "s" / SEARCHES
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (path.is_file() and path.read_bytes().count(b"\n") >= 3):
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    kept = read_folder(tmp_path / "s")
    assert len(kept.searches) >= 3
    assert kept.problems == []
    summary, _ = run(toy, tmp_path, study("toy-slow", seeds=len(kept.outcomes)))
    assert summary.already >= len(kept.outcomes)


def test_a_torn_or_foreign_line_is_named_and_run_again(toy: Registry, tmp_path: Path) -> None:
    run(toy, tmp_path, study("toy-sampler"))
    path = tmp_path / "s" / SEARCHES
    lines = path.read_bytes().splitlines(keepends=True)
    newer = b'{"schema":3,"id":"of the future","outcome":{}}\n'
    not_text = lines[0].replace(b'"toy-sampler"', b'"caf\xe9"')
    edited = lines[0].replace(b'"study_seed":0', b'"study_seed":1')
    whole = b"".join(lines[1:3])
    path.write_bytes(b'{"not": "a record"}\n' + whole + newer + not_text + edited + lines[3][:50])
    listener = Notes()
    summary, runs = run(toy, tmp_path, study("toy-sampler"), listener=listener)
    assert summary.finished == 2
    assert len(runs) == 4
    for line, why in (
        (1, "not a record"),
        (4, "schema 3, this version reads 2"),
        (5, "not a record ('utf-8' codec"),
        (6, "its id is not the digest of its specification"),
        (7, "torn last line"),
    ):
        assert any(f"searches.jsonl:{line}: {why}" in n for n in listener.notes), (line, listener.notes)


def test_a_broken_line_of_random_sampling_is_named_and_taken_again(toy: Registry, tmp_path: Path) -> None:
    run(toy, tmp_path, study("toy-sampler"))
    path = tmp_path / "s" / SAMPLINGS
    good = sampling_in(tmp_path / "s")
    path.write_bytes(path.read_bytes()[:60])
    listener = Notes()
    summary, _ = run(toy, tmp_path, study("toy-sampler"), listener=listener)
    assert any("samplings.jsonl:1: torn last line" in n for n in listener.notes)
    assert [p.line for p in summary.problems] == [1]
    assert sampling_in(tmp_path / "s") == good


def test_records_of_one_id_that_say_different_things_are_refused(toy: Registry, tmp_path: Path) -> None:
    run(toy, tmp_path, study("toy-sampler"))
    path = tmp_path / "s" / "outcomes.jsonl"
    line = path.read_bytes().splitlines()[0]
    record = msgspec.json.decode(line, type=OutcomeRecord)
    better = msgspec.structs.replace(record, score=99.0)
    later = msgspec.structs.replace(record, timing={"seconds": 7.0})
    path.write_bytes(path.read_bytes() + msgspec.json.encode(later) + b"\n")
    assert len(read_folder(tmp_path / "s").outcomes) == 4
    path.write_bytes(path.read_bytes() + msgspec.json.encode(better) + b"\n")
    with pytest.raises(
        RecordError, match="jsonl:1 and .*jsonl:6 are both .* say different things.*remove the wrong line"
    ):
        run(toy, tmp_path, study("toy-sampler"))


def test_results_of_an_earlier_version_are_refused_in_one_sentence(toy: Registry, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "runs.jsonl").write_text('{"schema":1}\n')
    with pytest.raises(RecordError, match="was written by an earlier version.*run its study again"):
        run(toy, tmp_path, study("toy-sampler"))


def test_folders_of_two_machines_that_are_joined_are_one_study(toy: Registry, tmp_path: Path) -> None:
    """One has a strategy that the other has not; both have the reference."""
    run(toy, tmp_path / "a", study("toy-sampler"))
    run(toy, tmp_path / "b", study("toy-returner", seeds=3))
    joined = tmp_path / "c" / "s"
    joined.mkdir(parents=True)
    for name in FILES.values():
        parts = [f.read_bytes() for x in "ab" if (f := tmp_path / x / "s" / name).is_file()]
        (joined / name).write_bytes(b"".join(parts))
    runs = runs_in(joined)
    assert sorted({(r.entry.label, r.seed) for r in runs}) == sorted(
        [("toy-sampler", i) for i in range(2)] + [(name, i) for i in range(3) for name in ("toy-returner", MATCHED)]
    )
    results = read_results(joined)
    assert (results.missing, results.problems) == (0, [])
    (setting,) = results.settings
    assert setting.sampling is not None
    # A plan that is run there next replaces both.
    run(toy, tmp_path / "c", study("toy-sampler"))
    assert {r.entry.label for r in runs_in(joined)} == {"toy-sampler", MATCHED}


def test_what_only_tells_people_more_runs_nothing_again(toy: Registry, tmp_path: Path) -> None:
    """A label, what tuning cost, the study's name for it, and another number of seeds."""
    run(toy, tmp_path, study("toy-sampler"))
    spec = StrategySpec(name="toy-sampler", label="renamed", tuning_queries=400)
    summary, runs = run(toy, tmp_path, msgspec.structs.replace(study("toy-sampler"), strategies=(spec,)))
    assert (summary.already, summary.finished) == (4, 0)
    assert {(r.entry.label, r.entry.tuning_queries) for r in runs if r.entry.role == "entry"} == {("renamed", 400)}


def test_several_budgets_stand_in_one_study(toy: Registry, tmp_path: Path) -> None:
    given = study("toy-sampler", budget=(Budget(queries=6), Budget(queries=12)))
    summary, runs = run(toy, tmp_path, given)
    assert summary.total == 8
    assert sorted({(r.setting.budget.queries, r.paid.queries) for r in runs if r.paid}) == [(6, 6), (12, 12)]
    _, alone = run(toy, tmp_path / "alone", study("toy-sampler"))
    assert comparable(alone).items() <= comparable(runs).items()


def test_a_search_is_carried_out_once_however_many_finals_score_it(toy: Registry, tmp_path: Path) -> None:
    """Two tasks without a validation split, searched on a third; a final that comes later repeats no search."""
    first, second = (TaskSpec(name=f"toy/{name}", search_task="toy/edges") for name in ("final", "final2"))
    one = msgspec.structs.replace(study("toy-sampler"), tasks=(first,))
    run(toy, tmp_path, one)
    before = (tmp_path / "s" / SEARCHES).read_bytes()
    summary, runs = run(toy, tmp_path, msgspec.structs.replace(one, tasks=(first, second)))
    assert (tmp_path / "s" / SEARCHES).read_bytes() == before
    assert (summary.total, summary.already, summary.finished) == (8, 4, 4)
    assert {r.setting.task for r in runs} == {"toy/final", "toy/final2"}
    assert len({r.search.id for r in runs}) == 4
    _, together = run(toy, tmp_path / "b", msgspec.structs.replace(one, tasks=(first, second)))
    assert comparable(together) == comparable(runs)


def test_a_learned_order_is_measured_against_a_final_that_comes_later(toy: Registry, tmp_path: Path) -> None:
    """The order is gone with its search, which is then repeated, to the same record."""
    first, second = (TaskSpec(name=f"toy/{name}", search_task="toy/edges") for name in ("final", "final2"))
    one = msgspec.structs.replace(study("toy-returner"), tasks=(first,))
    run(toy, tmp_path, one)
    _, runs = run(toy, tmp_path, msgspec.structs.replace(one, tasks=(first, second)))
    entries = [r for r in runs if r.entry.role == "entry"]
    assert len(entries) == 4
    assert all(r.ktau is not None for r in entries)
    assert (tmp_path / "s" / SEARCHES).read_bytes().count(b"\n") == 4


@pytest.mark.parametrize("day", ["other", "broken"])
def test_a_repeated_search_that_differs_has_no_order_to_measure(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: str
) -> None:
    """Its order is that of another search than the record's."""
    first, second = (TaskSpec(name=f"toy/{name}", search_task="toy/edges") for name in ("final", "final2"))
    one = msgspec.structs.replace(study("toy-moody"), tasks=(first,))
    run(toy, tmp_path, one)
    monkeypatch.setenv("TOY_DAY", day)
    listener = Notes()
    both = msgspec.structs.replace(one, tasks=(first, second))
    summary, runs = run(toy, tmp_path, both, listener=listener)
    entries = [r for r in runs if r.entry.role == "entry"]
    assert {(r.setting.task, r.status, r.ktau is None) for r in entries} == {
        ("toy/final", "ok", False),
        ("toy/final2", "ok", True),
    }
    assert sum("it differs from its record; KTau is not measured" in note for note in listener.notes) == 2
    assert summary.already + summary.finished == summary.total


def test_what_does_not_decide_a_search_is_not_in_its_random_stream(toy: Registry, tmp_path: Path) -> None:
    """The stream hangs on the search task: a proxy is searched as the task itself is."""
    proxied = msgspec.structs.replace(
        study("toy-sampler"), tasks=(TaskSpec(name="toy/final", search_task="toy/edges"),)
    )
    _, plain = run(toy, tmp_path / "a", study("toy-sampler"))
    _, of_proxy = run(toy, tmp_path / "b", proxied)
    assert [r.search.queries_sha256 for r in plain] == [r.search.queries_sha256 for r in of_proxy]


def test_an_unwritable_results_folder_is_refused(toy: Registry, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(RecordError, match="cannot be written.*--results"):
        run(toy, blocked, study("toy-sampler"))


def test_two_coordinators_do_not_write_one_folder(toy: Registry, tmp_path: Path) -> None:
    from harness.records.store import Store

    with Store.open(tmp_path / "s"), pytest.raises(RecordError, match="another process is writing.*rename"):
        run(toy, tmp_path, study("toy-sampler"))


@pytest.mark.parametrize("room", [0, 100, 5000])
def test_a_full_disk_ends_the_study_and_the_next_call_goes_on(
    toy: Registry, tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes ``room`` bytes more of records, and so a part of a line."""
    _, expected = run(toy, tmp_path / "a", study("toy-sampler"))
    write, left = os.write, room

    def until_full(descriptor: int, data: Any) -> int:
        nonlocal left
        written = write(descriptor, bytes(data[:left])) if left else 0
        left -= written
        if not written:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written

    with monkeypatch.context() as patch:
        patch.setattr("harness.records.store.os.write", until_full)
        with pytest.raises(RecordError, match=r"jsonl cannot be written: No space left on device.*resumes") as caught:
            run(toy, tmp_path / "b", study("toy-sampler"))
        assert caught.value.status == 3
    _, runs = run(toy, tmp_path / "b", study("toy-sampler"))
    assert comparable(runs) == comparable(expected)
    assert read_folder(tmp_path / "b" / "s").problems == []


def test_a_last_line_that_only_lacks_its_end_is_kept(toy: Registry, tmp_path: Path) -> None:
    run(toy, tmp_path, study("toy-sampler"))
    path = tmp_path / "s" / SEARCHES
    before = path.read_bytes()
    path.write_bytes(before[:-1])
    run(toy, tmp_path, study("toy-sampler", seeds=3))
    assert path.read_bytes().startswith(before)
    assert read_folder(tmp_path / "s").problems == []


def test_a_folder_that_vanishes_ends_the_study_and_the_next_call_makes_it_anew(toy: Registry, tmp_path: Path) -> None:
    _, expected = run(toy, tmp_path / "a", study("toy-sampler"))

    class Remover(Notes):
        def finished(self, title: str, said: str, failed: bool) -> None:
            shutil.rmtree(tmp_path / "b", ignore_errors=True)

    with pytest.raises(RecordError, match=r"jsonl was removed while the study ran.*the same command runs") as caught:
        run(toy, tmp_path / "b", study("toy-sampler"), listener=Remover())
    assert caught.value.status == 3
    _, runs = run(toy, tmp_path / "b", study("toy-sampler"))
    assert comparable(runs) == comparable(expected)


def test_a_clock_that_is_set_back_changes_no_record_and_ends_no_run(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, expected = run(toy, tmp_path / "a", study("toy-sampler"))
    now = iter(range(10**9, 0, -3600))
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: float(next(now)))
        summary, runs = run(toy, tmp_path / "b", study("toy-sampler"), run_timeout=20.0)
    assert summary.failed == []
    assert comparable(runs) == comparable(expected)


def test_a_hook_that_raises_is_told_once_and_fails_nothing(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_HOOK", "raise")
    listener = Notes()
    summary, _ = run(toy, tmp_path, study("toy-sampler"), listener=listener)
    assert summary.failed == []
    assert [n for n in listener.notes if "hook" in n] == [
        "plugin 'toy': nas_harness_run_finished raised ValueError: a bug in the hook"
    ]


def test_a_hook_that_exits_ends_nothing(toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_HOOK", "exit")
    listener = Notes()
    summary, _ = run(toy, tmp_path, study("toy-sampler"), listener=listener)
    assert summary.failed == []
    assert "plugin 'toy': nas_harness_study_finished raised SystemExit: 7" in listener.notes


def test_every_plugin_is_told_even_where_another_raises(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.hookspecs import hookimpl

    told: list[str] = []

    class Watcher:
        @hookimpl
        def nas_harness_run_started(self, run: dict[str, Any]) -> None:
            told.append(f"started {run['spec']['strategy']}")

        @hookimpl
        def nas_harness_run_finished(self, run: Run) -> None:
            told.append(f"finished {run.entry.label} {len(read_folder(tmp_path / 's').searches)}")

        @hookimpl(specname="nas_harness_study_finished")
        def the_end(self, folder: str) -> None:
            told.append(f"done {Path(folder).name}")

    monkeypatch.setenv("TOY_HOOK", "raise")
    for name in ("watcher-a", "watcher-b"):
        toy.register(Watcher(), name)
    run(toy, tmp_path, study("toy-sampler", seeds=1))
    once = ["started toy-sampler", "finished toy-sampler 1", f"started {MATCHED}", f"finished {MATCHED} 2", "done s"]
    assert told == [line for line in once for _ in range(2)]


def test_every_query_is_kept_on_request(toy: Registry, tmp_path: Path) -> None:
    import numpy as np

    _, records = run(toy, tmp_path, study("toy-sampler", seeds=1), keep_queries=True)
    for r in records:
        with np.load(tmp_path / "s" / "queries" / f"{r.search.id}.npz") as kept:
            assert kept["archs"].shape == (12, 4)
            assert kept["score"].max() == r.incumbents[-1][0].valid


def test_queries_of_runs_that_are_over_are_said_to_be_missing(toy: Registry, tmp_path: Path) -> None:
    """Of a study of one seed that goes on with them: the first run and its reference; of a new study none."""
    run(toy, tmp_path, study("toy-sampler", seeds=1))
    for _ in range(2):
        listener = Notes()
        run(toy, tmp_path, study("toy-sampler", seeds=2), keep_queries=True, listener=listener)
        assert len(listener.notes) == 1
        assert "--keep-queries: 2 of the searches that are already there were made without it" in listener.notes[0]
    listener = Notes()
    fresh = msgspec.structs.replace(study("toy-sampler", seeds=1), name="fresh")
    for _ in range(2):
        run(toy, tmp_path, fresh, keep_queries=True, listener=listener)
    assert listener.notes == []


def test_budgets_share_their_draws(toy: Registry, tmp_path: Path) -> None:
    _, short = run(toy, tmp_path / "a", study("toy-sampler", queries=6))
    _, long = run(toy, tmp_path / "b", study("toy-sampler", queries=20))
    for a in short:
        b = next(r for r in long if (r.entry.label, r.seed) == (a.entry.label, a.seed))
        assert a.search.incumbents == [i for i in b.search.incumbents if i.queries <= 6]


def test_random_sampling_is_shared_by_all_studies(toy: Registry, tmp_path: Path) -> None:
    run(toy, tmp_path, study("toy-sampler"))
    run(toy, tmp_path, msgspec.structs.replace(study("toy-returner"), name="t"))
    assert (tmp_path / SAMPLINGS).read_bytes().count(b"\n") == 1
    assert (tmp_path / "s" / SAMPLINGS).read_bytes() == (tmp_path / "t" / SAMPLINGS).read_bytes()


def test_what_timed_out_is_run_again_on_request_and_only_then(toy: Registry, tmp_path: Path) -> None:
    given = study("toy-slow", seeds=1)
    summary, _ = run(toy, tmp_path, given, run_timeout=0.1)
    assert [said for said in summary.failed if "toy-slow" in said and ": timeout: " in said]
    summary, _ = run(toy, tmp_path, given)
    assert [said for said in summary.failed if "toy-slow" in said and ": timeout: " in said]
    summary, records = run(toy, tmp_path, given, retry_failed=True)
    assert summary.failed == []
    assert {r.entry.label: r.status for r in records}["toy-slow"] == "ok"
    assert b'"timeout"' in (tmp_path / "s" / SEARCHES).read_bytes()


def test_a_search_that_meets_the_end_reports_as_its_mode_says(toy: Registry, tmp_path: Path) -> None:
    """Ten stand in the record. A mode that reports the best of three chooses among three, strict mode among one."""
    _, records = run(toy, tmp_path, study("toy-sampler@strict", "toy-sampler@top", queries=30))
    space = toy.protocol("toy").open(toy.task("toy/edges")).space
    evaluator = toy.protocol("toy").open(toy.task("toy/edges"))
    for r in records:
        chosen = 3 if r.entry.mode == "top" else 1
        assert len(r.search.returned) == 10
        assert r.outcome is not None
        assert r.outcome.reported is not None
        scores = evaluator.final_scores(r.search.returned, final="single").scores
        assert r.outcome.scores == scores.tolist()
        assert r.score == max(scores[:chosen])
        assert space.parse(r.outcome.reported) in r.search.returned[:chosen]
