"""Studies carried out: records, resumption, isolation of failures, determinism."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

import harness.search.oracle
from harness.errors import DataMissing, HarnessError, RecordError, UnknownName
from harness.records.store import RUNS, Record, read_baselines, read_records
from harness.registry import Registry
from harness.running.campaign import Summary, run_study
from harness.running.study import MATCHED, StrategySpec, Study, TaskSpec, load_study
from harness.search.budget import Budget
from harness.search.constraints import Constraint

ROOT = Path(__file__).resolve().parents[3]


class Notes:
    """A listener that remembers."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        self.total = self.already = 0
        self.records: list[Record] = []
        self.notes: list[str] = []
        self.stop_after = stop_after

    def planned(self, total: int, already_done: int) -> None:
        self.total, self.already = total, already_done

    def started(self, run: Any) -> None:
        pass

    def finished(self, record: Record) -> None:
        self.records.append(record)
        if len(self.records) == self.stop_after:
            raise KeyboardInterrupt

    def note(self, message: str) -> None:
        self.notes.append(message)


def study(
    *strategies: str, tasks: tuple[str, ...] = ("toy/edges",), seeds: int = 2, queries: int = 12, **more: Any
) -> Study:
    entries = tuple(StrategySpec(name=s.partition("@")[0], mode=s.partition("@")[2] or "strict") for s in strategies)
    return Study(
        name="s",
        budget=Budget(queries=queries),
        tasks=tuple(TaskSpec(name=t) for t in tasks),
        strategies=entries,
        seeds=seeds,
        **more,
    )


def run(toy: Registry, tmp_path: Path, given: Study, **options: Any) -> tuple[Summary, list[Record]]:
    options.setdefault("executor", "serial")
    summary = run_study(given, registry=toy, results=tmp_path, **options)
    return summary, read_records(summary.folder)[0]


def comparable(records: list[Record]) -> dict[str, bytes]:
    """Records without what may differ between executors."""
    plain = [msgspec.structs.replace(r, timing={}, environment={}) for r in records]
    return {r.id: msgspec.json.encode(r) for r in plain}


def test_a_study_leaves_records_baselines_and_what_is_needed_to_read_them(toy: Registry, tmp_path: Path) -> None:
    summary, records = run(toy, tmp_path, study("toy-sampler", "toy-returner"))
    assert (summary.total, summary.finished, summary.failed) == (6, 6, [])
    left = {f.name for f in summary.folder.iterdir()}
    assert left >= {"study.toml", "environment.json", "plan.json", RUNS, "baselines.jsonl"}
    sampler = next(r for r in records if r.label == "toy-sampler")
    assert (sampler.paid.queries, sampler.ended_by, sampler.status) == (12, "queries", "ok")
    assert sampler.asked.total == sampler.paid.queries + sampler.asked.cached
    assert sampler.paid.epochs == 12 * 2 * 36
    assert sampler.final.score is not None
    assert sampler.incumbents[-1].final == sampler.final.score
    assert [i.valid for i in sampler.incumbents] == sorted(i.valid for i in sampler.incumbents)
    returner = next(r for r in records if r.label == "toy-returner")
    assert returner.ended_by == "strategy"
    assert returner.notes == {"numpy": 1.5, "none": None}
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
    (baseline,) = read_baselines(summary.folder / "baselines.jsonl").values()
    assert baseline.exact
    assert baseline.mean == pytest.approx(scores.mean(), rel=1e-12)
    assert baseline.std == pytest.approx(scores.std(), rel=1e-9)
    assert len(baseline.draws) == 1000
    valid = evaluator.validator().validate(everything, fidelity=evaluator.validator().fidelities[-1]).valid
    assert baseline.ceiling == scores[int(np.argmax(valid))]
    for r in records:
        assert r.reported is not None
        assert r.final.score == evaluator.final_scores([space.parse(r.reported)], final="single").scores[0]
        rows = {space.key(a): s for a, s in zip(everything, scores, strict=True)}
        assert r.final.rank == 1 + sum(s > r.final.score for s in rows.values())
        assert r.final.regret == max(rows.values()) - r.final.score
        assert r.final.valid_regret == pytest.approx(valid.max() - (r.final.valid or 0.0))


def test_every_incumbent_of_a_surrogate_has_its_final_score(toy: Registry, tmp_path: Path) -> None:
    """No list of all rows is needed for it: an anytime curve of final scores is known from its first cost on."""
    _, records = run(toy, tmp_path, study("toy-sampler", tasks=("toy/drawn",)))
    evaluator = toy.protocol("toy").open(toy.task("toy/drawn"))
    assert evaluator.truth("single") is None
    every = evaluator.final_scores(list(evaluator.space.enumerate()), final="single").scores.tolist()
    for r in records:
        assert len(r.incumbents) > 1
        assert r.incumbents[-1].final == r.final.score
        assert all(i.final in every for i in r.incumbents)


def test_where_lower_is_better_the_lowest_stands(toy: Registry, tmp_path: Path) -> None:
    _, records = run(toy, tmp_path, study("toy-sampler", tasks=("toy/error",), queries=40))
    for r in records:
        valids = [i.valid for i in r.incumbents]
        assert valids == sorted(valids, reverse=True)
        assert r.final.rank is not None
        assert r.final.rank < 25


def test_running_again_runs_only_what_is_missing(toy: Registry, tmp_path: Path) -> None:
    run(toy, tmp_path, study("toy-sampler"))
    before = (tmp_path / "s" / RUNS).read_bytes()
    listener = Notes()
    summary, records = run(toy, tmp_path, study("toy-sampler", seeds=3), listener=listener)
    assert (summary.already, summary.finished, listener.already) == (4, 2, 4)
    assert (tmp_path / "s" / RUNS).read_bytes().startswith(before)
    assert len(records) == 6


def test_executors_workers_and_order_leave_the_same_records(toy: Registry, tmp_path: Path) -> None:
    given = study("toy-sampler", "toy-returner", tasks=("toy/edges", "toy/nodes"))
    _, serial = run(toy, tmp_path / "a", given)
    _, processes = run(toy, tmp_path / "b", given, executor="process", jobs=2)
    assert comparable(serial) == comparable(processes)
    assert len(serial) == 12


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
    monkeypatch.setattr(harness.search.oracle, "_CALLS_AFTER_END", 1000)
    summary, records = run(toy, tmp_path, study(*names, seeds=1))
    status = {r.label: (r.status, r.error or "") for r in records}
    assert status["toy-sampler"] == ("ok", "")
    assert status[MATCHED] == ("ok", "")
    assert status["toy-raiser"][0] == "failed"
    assert "RuntimeError: a bug in the strategy (toy_plugin.py:" in status["toy-raiser"][1]
    assert "not an architecture of toy-edges" in status["toy-foreigner"][1]
    assert "NoneType, not a sequence" in status["toy-nothing"][1]
    assert "the ranker: ValueError" in status["toy-bad-ranker"][1]
    assert "SystemExit: a script's way to stop (toy_plugin.py:" in status["toy-exiter"][1]
    assert "KeyError: 'a bug in the constructor'" in status["toy-unmade"][1]
    assert "still asking after 1,000 refusals; the search had ended: queries" in status["toy-swallower"][1]
    assert {r.label for r in summary.failed} == set(names) - {"toy-sampler"}
    assert all(r.final.score is None for r in summary.failed if r.label != "toy-bad-ranker")


def test_a_strategy_cannot_overspend(toy: Registry, tmp_path: Path) -> None:
    _, records = run(toy, tmp_path, study("toy-overspender", seeds=1))
    overspender = next(r for r in records if r.label == "toy-overspender")
    assert (overspender.paid.queries, overspender.ended_by) == (12, "queries")
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
    (hung,) = summary.failed
    assert (hung.label, hung.status, hung.error) == (hanger, "timeout", "took longer than 2 s")
    assert {r.label for r in records if r.status == "ok"} == {"toy-sampler", MATCHED}


def test_a_worker_that_dies_takes_only_its_run_down(toy: Registry, tmp_path: Path) -> None:
    summary, records = run(toy, tmp_path, study("toy-killer", "toy-sampler", seeds=2), executor="process", jobs=2)
    assert {(r.label, r.status) for r in summary.failed} == {("toy-killer", "failed")}
    assert all("died 2 times" in (r.error or "") for r in summary.failed)
    assert sum(r.status == "ok" for r in records) == 4


def test_paper_mode_searches_on_test_beside_its_own_random_search(toy: Registry, tmp_path: Path) -> None:
    _, records = run(toy, tmp_path, study("toy-sampler@strict", "toy-sampler@paper", "toy-sampler@top"))
    by_mode = {(r.label, r.mode): r for r in records if r.seeds.search == 0}
    assert (MATCHED, "paper") in by_mode
    paper = by_mode["toy-sampler", "paper"]
    assert paper.incumbents[-1].valid == paper.final.score == paper.incumbents[-1].final
    assert paper.final.valid != paper.final.score
    top = by_mode["toy-sampler", "top"]
    assert top.mode_settings == {"oracle": "validation", "report": "best_of_returned", "top": 3}


def test_constraints_bind_the_incumbent_and_random_sampling_alike(toy: Registry, tmp_path: Path) -> None:
    space = toy.protocol("toy").open(toy.task("toy/edges")).space
    given = study("toy-sampler", seeds=2)
    given = msgspec.structs.replace(given, tasks=(TaskSpec(name="toy/edges", constraints=("params <= 200",)),))
    summary, records = run(toy, tmp_path, given)
    for r in records:
        assert r.reported is not None
        assert space.costs([space.parse(r.reported)])["params"][0] <= 200
        assert (r.asked.infeasible > 0) == (r.role == "row")
        assert r.paid.queries == 12
    (baseline,) = read_baselines(summary.folder / "baselines.jsonl").values()
    evaluator = toy.protocol("toy").open(toy.task("toy/edges"))
    cheap = [a for a in space.enumerate() if space.costs([a])["params"][0] <= 200]
    assert baseline.mean == pytest.approx(evaluator.final_scores(cheap, final="single").scores.mean())


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
    (baseline,) = read_baselines(summary.folder / "baselines.jsonl").values()
    evaluator = toy.protocol("toy").open(toy.task("toy/drawn"))
    space = evaluator.space
    cheap = [a for a in space.enumerate() if space.costs([a])["params"][0] <= 200]
    scores = evaluator.final_scores(cheap, final="single").scores
    assert (baseline.exact, baseline.n) == (False, 500)
    assert set(baseline.draws) <= set(scores.tolist())
    assert abs(baseline.mean - scores.mean()) < 5 * scores.std() / 500**0.5
    nothing = msgspec.structs.replace(given, tasks=(TaskSpec(name="toy/drawn", constraints=("params < 0",)),))
    with pytest.raises(HarnessError, match="of 50,000 architectures drawn for 'toy/drawn' only 0 satisfy params < 0"):
        run(toy, tmp_path, nothing)


def test_what_a_partial_table_lacks_is_counted_and_unpaid_for_all_alike(toy: Registry, tmp_path: Path) -> None:
    _, records = run(toy, tmp_path, study("toy-sampler", tasks=("toy/partial",)))
    assert {(r.role, r.status, r.paid.queries) for r in records} == {("row", "ok", 12), ("reference", "ok", 12)}
    assert all(r.asked.missing > 0 and r.asked.invalid == 0 for r in records)


@pytest.mark.parametrize("budget", [Budget(epochs=500), Budget(seconds=700.0)])
def test_matched_random_search_stands_beside_rows_that_pay_in_epochs_or_seconds(
    toy: Registry, tmp_path: Path, budget: Budget
) -> None:
    """Read off the records by hand: the last incumbent that cost no more than the row's own run."""
    from harness.reading.analysis.matched import matched_scores
    from harness.reading.analysis.results import read_results

    given = msgspec.structs.replace(study("toy-sampler", "toy-returner"), budget=budget)
    summary, _ = run(toy, tmp_path, given)
    (task,) = read_results(summary.folder).tasks
    unit = "epochs" if budget.epochs else "seconds"
    for row in task.rows:
        reference = task.reference_of(row)
        assert reference is not None
        finals, _ = matched_scores(row, reference, budget)
        expected = []
        for r, partner in zip(row.records, reference.records, strict=True):
            cost = getattr(r.paid, unit)
            spent_all = cost >= getattr(budget, unit)
            assert r.ended_by == (unit if spent_all else "strategy")
            assert spent_all or r.label == "toy-returner"
            expected.append([i.final for i in partner.incumbents if getattr(i, unit) <= cost][-1])
        assert finals == expected


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
        "from harness.running.campaign import run_study; from harness.running.study import *;"
        "s = Study(name='s', budget=Budget(queries=12), tasks=(TaskSpec(name='toy/edges'),),"
        "strategies=(StrategySpec(name='toy-slow'),), seeds=20);"
        f"run_study(s, registry=Registry(), results=Path({str(tmp_path)!r}), executor='serial')"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    path = tmp_path / "s" / RUNS
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (path.is_file() and path.read_bytes().count(b"\n") >= 3):
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    kept, problems = read_records(tmp_path / "s")
    assert len(kept) >= 3
    assert problems == []
    given = Study(
        name="s",
        budget=Budget(queries=12),
        tasks=(TaskSpec(name="toy/edges"),),
        strategies=(StrategySpec(name="toy-slow"),),
        seeds=len(kept),
    )
    summary, _ = run(toy, tmp_path, given)
    assert summary.already >= len(kept)


def test_a_torn_or_foreign_line_is_named_and_run_again(toy: Registry, tmp_path: Path) -> None:
    run(toy, tmp_path, study("toy-sampler"))
    path = tmp_path / "s" / RUNS
    lines = path.read_bytes().splitlines(keepends=True)
    newer = b'{"schema":2,"id":"of the future","outcome":{}}\n'
    not_text = lines[0].replace(b'"toy-sampler"', b'"caf\xe9"')
    path.write_bytes(b'{"not": "a record"}\n' + b"".join(lines[1:3]) + newer + not_text + lines[3][:50])
    listener = Notes()
    summary, records = run(toy, tmp_path, study("toy-sampler"), listener=listener)
    assert summary.finished == 2
    assert len(records) == 4
    assert any("runs.jsonl:1: not a record" in n for n in listener.notes)
    assert any("runs.jsonl:4: schema 2, this version reads 1" in n for n in listener.notes)
    assert any("runs.jsonl:5: not a record ('utf-8' codec" in n for n in listener.notes)
    assert any("runs.jsonl:6: torn last line" in n for n in listener.notes)


def test_a_broken_line_of_random_sampling_is_named_and_taken_again(toy: Registry, tmp_path: Path) -> None:
    run(toy, tmp_path, study("toy-sampler"))
    path = tmp_path / "s" / "baselines.jsonl"
    (good,) = read_baselines(path).values()
    path.write_bytes(path.read_bytes()[:60])
    listener = Notes()
    summary, _ = run(toy, tmp_path, study("toy-sampler"), listener=listener)
    assert any("baselines.jsonl:1: no random sampling" in n for n in listener.notes)
    assert [p.line for p in summary.problems] == [1]
    assert list(read_baselines(path).values()) == [good]


def test_an_unwritable_results_folder_is_refused(toy: Registry, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(RecordError, match="cannot be written.*--results"):
        run(toy, blocked, study("toy-sampler"))


def test_two_coordinators_do_not_write_one_folder(toy: Registry, tmp_path: Path) -> None:
    from harness.records.store import Store

    with Store.open(tmp_path / "s"), pytest.raises(RecordError, match="another process is writing"):
        run(toy, tmp_path, study("toy-sampler"))


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


def test_every_plugin_is_told_even_where_another_raises(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.hookspecs import hookimpl

    told: list[str] = []

    class Watcher:
        @hookimpl
        def nas_harness_run_started(self, run: dict[str, Any]) -> None:
            told.append(f"started {run['label']}")

        @hookimpl
        def nas_harness_run_finished(self, record: Record) -> None:
            told.append(f"finished {record.label} {len(read_records(tmp_path / 's')[0])}")

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
        with np.load(tmp_path / "s" / "queries" / f"{r.id}.npz") as kept:
            assert kept["archs"].shape == (12, 4)
            assert kept["score"].max() == r.incumbents[-1].valid


def test_queries_of_runs_that_are_over_are_said_to_be_missing(toy: Registry, tmp_path: Path) -> None:
    """Of a study of one seed that goes on with them: the first run and its reference; of a new study none."""
    run(toy, tmp_path, study("toy-sampler", seeds=1))
    for _ in range(2):
        listener = Notes()
        run(toy, tmp_path, study("toy-sampler", seeds=2), keep_queries=True, listener=listener)
        assert len(listener.notes) == 1
        assert "--keep-queries: 2 of the runs that are already there were made without it" in listener.notes[0]
    listener = Notes()
    fresh = msgspec.structs.replace(study("toy-sampler", seeds=1), name="fresh")
    for _ in range(2):
        run(toy, tmp_path, fresh, keep_queries=True, listener=listener)
    assert listener.notes == []


def test_budgets_share_their_draws(toy: Registry, tmp_path: Path) -> None:
    _, short = run(toy, tmp_path / "a", study("toy-sampler", queries=6))
    _, long = run(toy, tmp_path / "b", study("toy-sampler", queries=20))
    for a in short:
        b = next(r for r in long if (r.label, r.seeds) == (a.label, a.seeds))
        assert a.incumbents == [i for i in b.incumbents if i.queries <= 6]


def test_the_baseline_is_shared_by_all_studies(toy: Registry, tmp_path: Path) -> None:
    run(toy, tmp_path, study("toy-sampler"))
    run(toy, tmp_path, msgspec.structs.replace(study("toy-returner"), name="t"))
    assert (tmp_path / "baselines.jsonl").read_bytes().count(b"\n") == 1
    assert (tmp_path / "s" / "baselines.jsonl").read_bytes() == (tmp_path / "t" / "baselines.jsonl").read_bytes()


def test_what_timed_out_is_run_again_on_request_and_only_then(toy: Registry, tmp_path: Path) -> None:
    given = study("toy-slow", seeds=1)
    summary, _ = run(toy, tmp_path, given, run_timeout=0.1)
    assert [r.status for r in summary.failed if r.label == "toy-slow"] == ["timeout"]
    summary, _ = run(toy, tmp_path, given)
    assert [r.status for r in summary.failed if r.label == "toy-slow"] == ["timeout"]
    summary, records = run(toy, tmp_path, given, retry_failed=True)
    assert summary.failed == []
    assert {r.label: r.status for r in records}["toy-slow"] == "ok"
    assert b'"timeout"' in (tmp_path / "s" / RUNS).read_bytes()


def test_a_search_that_meets_the_end_reports_as_its_mode_says(toy: Registry, tmp_path: Path) -> None:
    """In a mode that reports the best of three, three stand, best validated first; in strict mode one."""
    _, records = run(toy, tmp_path, study("toy-sampler@strict", "toy-sampler@top", queries=30))
    space = toy.protocol("toy").open(toy.task("toy/edges")).space
    evaluator = toy.protocol("toy").open(toy.task("toy/edges"))
    for r in records:
        assert len(r.returned) == (3 if r.mode == "top" else 1)
        assert r.reported is not None
        scores = evaluator.final_scores(r.returned, final="single").scores
        assert r.final.score == max(scores)
        assert space.parse(r.reported) in r.returned
