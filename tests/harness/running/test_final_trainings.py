"""Tasks that train: final trainings are items of their own, and so are the draws of random sampling."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from studies import Notes, comparable, run, study

from harness.protocol import RunContext, Validator
from harness.records.store import read_folder, read_samplings
from harness.registry import Registry
from harness.running.environment import DEVICE
from harness.running.study import MATCHED
from harness.testing.synthetic import SyntheticEvaluator

TRAINED = ("toy/trained",)


def test_what_a_search_returned_is_trained_apart_and_once(toy: Registry, tmp_path: Path) -> None:
    listener = Notes()
    summary, runs = run(toy, tmp_path, study("toy-sampler", "toy-slow", tasks=TRAINED, seeds=3), listener=listener)
    found = read_folder(summary.folder)
    evaluator = toy.protocol("toy").open(toy.task("toy/trained"))
    assert len(runs) == 9
    for r in runs:
        assert r.outcome is not None
        assert r.outcome.arch is not None
        assert r.score == evaluator.final_scores([r.outcome.arch], final="trained", seed=0).scores[0]
        assert (r.outcome.rank, r.outcome.regret, r.outcome.incumbents) == (None, None, [])
        assert r.valid == r.search.incumbents[-1].valid
    # One training for each architecture that is reported or drawn, whoever reports it.
    archs = [t.spec.arch for t in found.trainings.values()]
    assert len(archs) == len(set(archs))
    assert {r.outcome.arch for r in runs if r.outcome} <= set(archs)
    assert [what for what, _, _ in listener.stages] == ["run", "final training", "run"]
    assert listener.stages[1][1] == len(archs)


def test_random_sampling_is_trained_and_differs_by_study_seed(toy: Registry, tmp_path: Path) -> None:
    summary, _ = run(toy, tmp_path, study("toy-sampler", tasks=TRAINED))
    (sampling,) = read_folder(summary.folder).samplings.values()
    assert (sampling.exact, sampling.n, sampling.spec.draws, sampling.failed) == (False, 8, 8, 0)
    assert sampling.mean == pytest.approx(sum(sampling.draws) / 8)
    other, _ = run(toy, tmp_path / "b", study("toy-sampler", tasks=TRAINED, seed=1))
    (second,) = read_folder(other.folder).samplings.values()
    assert sampling.draws != second.draws


def test_the_seed_of_final_trainings_repeats_no_search(toy: Registry, tmp_path: Path) -> None:
    run(toy, tmp_path, study("toy-sampler", tasks=TRAINED))
    before = (tmp_path / "s" / "searches.jsonl").read_bytes()
    _, runs = run(toy, tmp_path, study("toy-sampler", tasks=TRAINED, final_seed=5))
    assert (tmp_path / "s" / "searches.jsonl").read_bytes() == before
    assert all(r.outcome and r.outcome.spec.final_seed == 5 for r in runs)


def test_incumbents_are_trained_on_request(toy: Registry, tmp_path: Path) -> None:
    _, runs = run(toy, tmp_path, study("toy-sampler", tasks=TRAINED, score_incumbents=True))
    for r in runs:
        assert r.outcome is not None
        assert all(final is not None for _, final in r.incumbents)
        assert r.incumbents[-1][1] == r.score


@pytest.mark.parametrize("how", ["fail", "explode"])
def test_a_final_training_that_fails_is_told_above_and_below_the_fraction(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("TOY_TRAINING", how)
    summary, runs = run(toy, tmp_path, study("toy-sampler", tasks=TRAINED, seeds=8))
    (sampling,) = read_folder(summary.folder).samplings.values()
    assert sampling.failed > 0
    assert sampling.n + sampling.failed == 8
    assert f"random sampling on toy/trained: {sampling.failed} of 8 draws failed" in summary.failed
    assert read_samplings(tmp_path) == {}, "what lacks draws is no other study's"
    failed = [r for r in runs if r.failed]
    assert failed
    assert {(r.status, r.error) for r in failed} == {("failed", "the final training failed: the training diverged")}
    assert all(sum(r.outcome.arch or ()) % 2 == 0 for r in failed if r.outcome)
    # A success later stands, on request.
    monkeypatch.delenv("TOY_TRAINING")
    again, runs = run(toy, tmp_path, study("toy-sampler", tasks=TRAINED, seeds=8))
    assert again.failed == summary.failed
    again, runs = run(toy, tmp_path, study("toy-sampler", tasks=TRAINED, seeds=8), retry_failed=True)
    assert again.failed == []
    (whole,) = read_folder(summary.folder).samplings.values()
    assert (whole.id, whole.n, whole.failed) == (sampling.id, 8, 0)
    assert read_samplings(tmp_path) == {whole.id: whole}


def test_a_failed_training_of_an_incumbent_is_repeated_where_the_answer_has_its_score(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = study("toy-sampler", tasks=TRAINED, seeds=8, score_incumbents=True)
    monkeypatch.setenv("TOY_TRAINING", "fail")
    _, runs = run(toy, tmp_path, given)
    lacking = {r.search.id for r in runs if not r.failed and any(final is None for _, final in r.incumbents)}
    assert lacking
    monkeypatch.delenv("TOY_TRAINING")
    summary, runs = run(toy, tmp_path, given, retry_failed=True)
    assert summary.finished >= len(lacking)
    assert all(final is not None for r in runs for _, final in r.incumbents)
    _, whole = run(toy, tmp_path / "b", given)
    assert comparable(runs) == comparable(whole)


def test_random_sampling_that_lacks_draws_is_exchanged_for_that_of_another_study(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = study("toy-sampler", tasks=TRAINED, seeds=8)
    monkeypatch.setenv("TOY_TRAINING", "fail")
    summary, _ = run(toy, tmp_path, given)
    monkeypatch.delenv("TOY_TRAINING")
    run(toy, tmp_path, msgspec.structs.replace(given, name="other"))
    run(toy, tmp_path, given, retry_failed=True)
    (mine,) = read_folder(summary.folder).samplings.values()
    assert read_samplings(tmp_path) == {mine.id: mine}
    assert mine.failed == 0


def test_final_trainings_have_a_time_limit_of_their_own(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = study("toy-returner", tasks=TRAINED, seeds=1, ktau_sample=10)
    monkeypatch.setenv("TOY_TRAINING", "hang")
    searches, _ = run(toy, tmp_path, given, listener=Notes(stop_after=1), final_timeout=0.2)
    assert searches.interrupted
    summary, runs = run(toy, tmp_path / "b", msgspec.structs.replace(given, seeds=1), final_timeout=0.05)
    timed_out = [r for r in read_folder(summary.folder).trainings.values() if r.status == "timeout"]
    assert len(timed_out) == len(read_folder(summary.folder).trainings)
    assert all(r.search.status == "ok" and r.failed for r in runs)


def test_executors_leave_the_same_records_of_trained_tasks(toy: Registry, tmp_path: Path) -> None:
    given = study("toy-sampler", tasks=TRAINED)
    _, serial = run(toy, tmp_path / "a", given)
    _, processes = run(toy, tmp_path / "b", given, executor="process", jobs=2)
    assert comparable(serial) == comparable(processes)


def test_an_interruption_between_search_and_final_training_loses_nothing(toy: Registry, tmp_path: Path) -> None:
    given = study("toy-sampler", tasks=TRAINED)
    _, whole = run(toy, tmp_path / "a", given)
    for stop in range(1, 12):
        run(toy, tmp_path / "b", given, listener=Notes(stop_after=stop))
    _, resumed = run(toy, tmp_path / "b", given)
    assert comparable(resumed) == comparable(whole)
    assert {r.entry.label for r in resumed} == {"toy-sampler", MATCHED}


@pytest.mark.parametrize("device", [None, "cuda:1"])
def test_what_trains_is_told_the_seed_a_scratch_folder_and_the_device_of_its_run(
    toy: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str | None
) -> None:
    seen: list[tuple[int, bool, str]] = []
    made = SyntheticEvaluator.validator

    def watched(self: SyntheticEvaluator, column: str = "validation", context: RunContext = RunContext()) -> Validator:
        seen.append((context.seed, context.scratch is not None and context.scratch.is_dir(), context.device))
        return made(self, column, context)

    monkeypatch.setattr(SyntheticEvaluator, "validator", watched)
    monkeypatch.delenv(DEVICE, raising=False)
    if device is not None:
        monkeypatch.setenv(DEVICE, device)
    run(toy, tmp_path, study("toy-sampler", tasks=TRAINED, seeds=2))
    assert {(seed, True, device or "cpu") for seed in (0, 1)} <= set(seen)
