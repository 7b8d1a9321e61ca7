"""The gate on records written by hand: what is compared, by what, and what cannot be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
from written_records import ERROR, entry, reference, run, sampling, write_study

from harness.errors import GateError, RecordError
from harness.protocol import Score
from harness.reading.gate import show
from harness.reading.gate.lines import Gate, GateLine, judge
from harness.reading.gate.metrics import measure
from harness.reading.gate.pairs import Pair, pair_up, read_side
from harness.reading.gate.reference import write_reference
from harness.reading.study import read_study
from harness.records.lines import Paid, RankQuality
from harness.records.runs import Run
from harness.records.store import read_folder
from harness.running.study import GateMetric, GateSpec
from harness.search.budget import Budget

SPEC = GateSpec(margin=1.0)
NEW = {"code": {"distribution": "toy", "version": "1.1"}}
"""The candidate's: another version of the code, so that its searches have ids of their own."""
REGRETS = [3.0, 4.0, 2.0, 5.0, 3.5, 4.5, 2.5, 3.0]


def side(label: str, regrets: Sequence[float | None], queries: str = "old", **options: Any) -> list[Run]:
    """Runs with these validation regrets; None: a failed one. queries: what their digests begin with."""
    return [
        run(
            label,
            seed,
            None if regret is None else 80.0,
            valid=None if regret is None else 92.0 - regret,
            valid_regret=regret,
            search={"queries_sha256": f"{queries} {label} {seed}"},
            **options,
        )
        for seed, regret in enumerate(regrets)
    ]


def pairs(
    tmp_path: Path, candidate: Sequence[Run], against: Sequence[Run], samplings: Any = None, **options: Any
) -> list[Pair]:
    folders = [tmp_path / "new", tmp_path / "old"]
    for folder, runs in zip(folders, (candidate, against), strict=True):
        write_study(folder, runs, samplings, **options)
    return pair_up(read_side(folders[0]), read_side(folders[1], whole=True))


def lines(tmp_path: Path, candidate: Sequence[Run], against: Sequence[Run], spec: GateSpec = SPEC) -> list[GateLine]:
    return judge(pairs(tmp_path, candidate, against), spec)


def plus(values: Sequence[float], more: float | Sequence[float]) -> list[float]:
    return (np.array(values) + more).tolist()


def gate_of(found: list[GateLine], **changes: Any) -> Gate:
    fields: dict[str, Any] = {
        "study": "mine", "folder": "results/mine", "against": "reference", "metric": "valid_regret", "margin": 1.0,
        "alpha": 0.05, "looks": [8], "lines": found,
    }  # fmt: skip
    return Gate(**(fields | changes))


class TestVerdicts:
    def test_equal_digests_and_answers_are_unchanged_and_not_tested(self, tmp_path: Path) -> None:
        (row,) = lines(tmp_path, side("a", REGRETS, **NEW), side("a", REGRETS))
        assert (row.verdict, row.n, row.p_worse, row.difference) == ("unchanged", 8, None, None)

    def test_one_other_query_is_a_change(self, tmp_path: Path) -> None:
        changed = side("a", REGRETS[:-1], **NEW) + side("a", REGRETS, "new", **NEW)[-1:]
        (row,) = lines(tmp_path, changed, side("a", REGRETS))
        assert (row.verdict, row.difference, row.p_worse) == ("not worse", 0.0, 1.0)

    def test_an_order_that_changed_is_a_change_though_no_query_did(self, tmp_path: Path) -> None:
        def ordered(tau: float, **options: Any) -> list[Run]:
            quality = RankQuality(tau, tau, tau, tau, 100)
            return [run("a", seed, 80.0, ktau=quality, **options) for seed in range(8)]

        (row,) = lines(tmp_path, ordered(0.4, **NEW), ordered(0.6), GateSpec(margin=0.05, metric="ktau"))
        assert row.verdict == "worse"
        assert row.difference == pytest.approx(-0.2)

    def test_better_worse_and_not_worse_by_the_margin(self, tmp_path: Path) -> None:
        """Eight equal signs: p = 1/256, so that three rows are decided after Holm's correction."""
        small = [0.1, -0.1] * 4
        candidate = [
            *side("lost", plus(REGRETS, 2), "new", **NEW),
            *side("won", plus(REGRETS, -2), "new", **NEW),
            *side("same", plus(REGRETS, small), "new", **NEW),
        ]
        against = [*side("lost", REGRETS), *side("won", REGRETS), *side("same", REGRETS)]
        found = {row.label: row for row in lines(tmp_path, candidate, against)}
        assert {label: row.verdict for label, row in found.items()} == {
            "lost": "worse", "won": "better", "same": "not worse"
        }  # fmt: skip
        assert (found["lost"].p_worse, found["won"].p_better) == (1 / 256, 1 / 256)
        assert found["lost"].difference == pytest.approx(-2)
        assert (found["lost"].candidate, found["lost"].reference) == (np.mean(REGRETS) + 2, np.mean(REGRETS))
        assert gate_of(list(found.values())).status == 1

    def test_undecided_says_how_many_more_seeds(self, tmp_path: Path) -> None:
        changed = plus(REGRETS, [-3, 3, -2.5, 2, -2, 3, -3, 2])
        (row,) = lines(tmp_path, side("a", changed, "new", **NEW), side("a", REGRETS))
        assert row.verdict == "undecided"
        # n = ((1.645 + .842) s / (margin + mean d))^2
        assert row.std is not None
        assert row.difference is not None
        assert row.more_seeds == math.ceil((2.4865 * row.std / (1 + row.difference)) ** 2) - 8
        found = gate_of([row])
        assert found.status == 4
        assert f"{row.more_seeds} more seeds would decide" in show.table(found).footnotes[0]

    def test_a_failed_run_is_the_worst_known_and_counted(self, tmp_path: Path) -> None:
        """Random sampling's validation scores go from 15 to 92: a regret of 77."""
        failing = [*REGRETS[:6], None, None]
        (pair,) = pairs(tmp_path, side("a", failing, "new", **NEW), side("a", REGRETS))
        assert measure(pair, "valid_regret").candidate.tolist() == [*REGRETS[:6], 77.0, 77.0]
        (row,) = judge([pair], SPEC)
        assert (row.failed, row.reference_failed, row.lost_most) == (2, 0, pair.candidate[6].search.id)

    def test_what_an_earlier_look_decided_stays_and_others_see_all_their_seeds(self, tmp_path: Path) -> None:
        late = plus(REGRETS, [0.5, -0.5, 0.5, -0.5, 9, 9, 9, 9])
        found = pairs(
            tmp_path,
            [*side("a", late, "new", **NEW), *side("b", late, "new", **NEW)],
            [*side("a", REGRETS), *side("b", REGRETS)],
        )
        first = judge(found, GateSpec(margin=1.0, alpha=0.2), seeds=4, looks=2)
        assert [(row.n, row.difference) for row in first] == [(4, 0.0), (4, 0.0)]
        kept = {first[0].key: first[0]}
        second = judge(found, GateSpec(margin=1.0, alpha=0.2), seeds=8, looks=2, decided=kept)
        assert second[0] == first[0]
        assert (second[1].n, second[1].difference) == (8, -4.5)


class TestMetrics:
    def test_final_score_where_lower_is_better(self, tmp_path: Path) -> None:
        samplings = [sampling(score=ERROR, worst=60.0, best=5.0)]
        found = pairs(
            tmp_path,
            [run("a", s, v, **NEW) for s, v in enumerate([10.0, 12.0, None])],
            [run("a", s, v) for s, v in enumerate([11.0, 11.0, 11.0])],
            samplings,
        )
        measured = measure(found[0], "score")
        assert measured.candidate.tolist() == [10.0, 12.0, 60.0]
        assert measured.differences.tolist() == [1.0, -1.0, -49.0]

    def test_validation_scores_stand_for_regret_where_the_best_row_is_not_known(self, tmp_path: Path) -> None:
        samplings = [sampling(best_valid=None, worst_valid=None, search_score=Score("error", "%", False))]
        found = pairs(
            tmp_path,
            [run("a", s, 80.0, valid=v, **NEW) for s, v in enumerate([3.0, 5.0])],
            [run("a", s, 80.0, valid=v) for s, v in enumerate([4.0, 4.0])],
            samplings,
        )
        assert measure(found[0], "valid_regret").differences.tolist() == [1.0, -1.0]

    def test_queries_to_the_references_median(self, tmp_path: Path) -> None:
        """The reference ends at 80, 84 and 90: its median is 84. Who never gets there stands at 101 of 100 queries."""

        def searched(ends: Sequence[tuple[int, float]], **options: Any) -> list[Run]:
            return [
                run("a", s, 80.0, incumbents=[(1, None, None, 50.0, 50.0), (at, None, None, end, end)], **options)
                for s, (at, end) in enumerate(ends)
            ]

        found = pairs(
            tmp_path,
            searched([(5, 85.0), (60, 84.0), (9, 83.0)], **NEW),
            searched([(10, 80.0), (20, 84.0), (30, 90.0)]),
        )
        measured = measure(found[0], "queries_to_median")
        assert measured.candidate.tolist() == [5, 60, 101]
        assert measured.reference.tolist() == [101, 20, 30]
        assert measured.differences.tolist() == [96, -40, -71]

    def test_seconds_are_tested_as_a_ratio_though_nothing_else_changed(self, tmp_path: Path) -> None:
        def timed(seconds: float, **options: Any) -> list[Run]:
            search = {"timing": {"search_seconds": seconds}}
            return [run("a", seed, 80.0, search=search, **options) for seed in range(8)]

        spec = GateSpec(margin=0.1, metric="seconds_ratio")
        (slower,) = lines(tmp_path, timed(3.0, **NEW), timed(2.0), spec)
        assert (slower.verdict, slower.candidate, slower.reference) == ("worse", 3.0, 2.0)
        assert slower.difference == pytest.approx(math.log(2 / 3))
        (within,) = lines(tmp_path, timed(2.1, **NEW), timed(2.0), spec)
        assert within.verdict == "not worse"

    @pytest.mark.parametrize("metric", ["ktau", "valid_regret", "queries_to_median"])
    def test_runs_without_the_metric_are_refused(self, tmp_path: Path, metric: GateMetric) -> None:
        runs = [run("a", seed, 80.0, **NEW) for seed in range(3)]
        (pair,) = pairs(tmp_path, runs, entry("a", [70.0, 70.0, 70.0]))
        with pytest.raises(
            GateError, match=f"a on toy/a: .*({metric}|no run of the reference has an incumbent)"
        ) as found:
            measure(pair, metric)
        assert found.value.status == 17


class TestBadInput:
    def refused(self, tmp_path: Path, candidate: Sequence[Run], against: Sequence[Run], **options: Any) -> GateError:
        with pytest.raises(GateError) as found:
            pairs(tmp_path, candidate, against, **options)
        assert "\n" not in str(found.value)
        return found.value

    def test_one_search_that_went_two_ways_comes_before_all_else(self, tmp_path: Path) -> None:
        there = [*side("a", REGRETS), *side("b", REGRETS)]
        error = self.refused(tmp_path, side("a", REGRETS, "other"), there)
        assert error.status == 10
        assert "a on toy/a, seed 0: the same search" in str(error)
        assert "and so did 7 more; mend that first: the strategy is not deterministic (nas-harness check a)" in str(
            error
        )

    def test_another_library_is_named_as_a_reason_why_a_search_went_two_ways(self, tmp_path: Path) -> None:
        def under(version: str, queries: str) -> list[Run]:
            search = {"queries_sha256": queries, "environment": {"packages": {"numpy": version, "scipy": "1.0"}}}
            return [run("a", 0, 80.0, search=search)]

        error = self.refused(tmp_path, under("2.1", "x"), under("2.0", "y"))
        assert str(error).endswith(
            ", or goes otherwise elsewhere (numpy 2.0 then, 2.1 now): write the reference anew here (--update)"
        )

    def test_an_entry_or_a_setting_on_one_side_alone(self, tmp_path: Path) -> None:
        error = self.refused(tmp_path, side("a", REGRETS, **NEW), [*side("a", REGRETS), *side("b", REGRETS)])
        assert (error.status, "the study lacks b on toy/a" in str(error)) == (12, True)
        (tmp_path / "again").mkdir()
        both = [*side("a", REGRETS, **NEW), *side("a", REGRETS, **NEW, task="toy/c")]
        error = self.refused(tmp_path / "again", both, side("a", REGRETS))
        assert (error.status, "old lacks a on toy/c; restore it" in str(error)) == (12, True)

    def test_another_budget(self, tmp_path: Path) -> None:
        error = self.refused(tmp_path, side("a", REGRETS, **NEW), side("a", REGRETS, budget=Budget(queries=50)))
        assert error.status == 13
        assert "toy/a: the study has the budget 100 queries, " in str(error)
        assert "old has 50 queries" in str(error)

    def test_other_data(self, tmp_path: Path) -> None:
        error = self.refused(tmp_path, side("a", REGRETS, data_digest="d2", **NEW), side("a", REGRETS))
        assert error.status == 14
        assert "a on toy/a: the data has another digest here (d2) than in the reference (d1)" in str(error)

    @pytest.mark.parametrize(
        ("seeds", "said"),
        [({"study_seed": 1}, "0 to 7 of study seed 1 here and 0 to 7 of study seed 0"), ({}, "8 to 9")],
    )
    def test_no_common_seed(self, tmp_path: Path, seeds: dict[str, Any], said: str) -> None:
        ours = side("a", REGRETS if seeds else [*REGRETS, 1.0, 1.0], "new", **seeds, **NEW)[-8 if seeds else -2 :]
        error = self.refused(tmp_path, ours, side("a", REGRETS))
        assert error.status == 15
        assert "a on toy/a: no common seed, with " + said in str(error)

    def test_a_reference_of_an_earlier_schema(self, tmp_path: Path) -> None:
        folder = write_study(tmp_path / "old", side("a", REGRETS))
        text = (folder / "searches.jsonl").read_text()
        (folder / "searches.jsonl").write_text(text.replace('"schema":2', '"schema":1', 1))
        with pytest.raises(
            GateError, match=r"searches.jsonl:1: schema 1, this version reads 2.*make them anew"
        ) as found:
            read_side(folder, whole=True)
        assert found.value.status == 11
        before = tmp_path / "before"
        before.mkdir()
        (before / "runs.jsonl").write_text("{}\n")
        with pytest.raises(GateError, match="was written by an earlier version") as found:
            read_side(before)
        assert found.value.status == 11

    def test_a_torn_line_is_refused_in_a_reference_alone(self, tmp_path: Path) -> None:
        folder = write_study(tmp_path / "old", side("a", REGRETS))
        with (folder / "outcomes.jsonl").open("a") as file:
            file.write('{"id": ')
        with pytest.raises(RecordError, match="torn last line.*restore it"):
            read_side(folder, whole=True)
        assert read_side(folder)[1].planned == 8


class TestReference:
    def test_holds_the_entries_alone_with_the_reason_and_reads_as_a_study(self, tmp_path: Path) -> None:
        runs = [*side("a", REGRETS), *side("b", REGRETS), *reference([60.0] * 8)]
        folder = write_study(tmp_path / "study", runs)
        size = write_reference(folder, tmp_path / "ref", "the first version")
        written = [p for p in (tmp_path / "ref").iterdir() if p.is_file()]
        assert size == sum(p.stat().st_size for p in written)
        assert not any(p.suffix == ".part" for p in written)
        study = read_study(tmp_path / "ref")
        assert [(e.entry.label, len(e.runs)) for e in study.settings[0].everyone] == [("a", 8), ("b", 8)]
        assert (study.missing, study.problems) == (0, [])
        provenances = [r.provenance["reference"] for r in read_folder(tmp_path / "ref").searches.values()]
        assert provenances == [{"reason": "the first version"}] * 16
        kept = pair_up(read_side(folder), read_side(tmp_path / "ref", whole=True))
        assert [row.verdict for row in judge(kept, SPEC)] == ["unchanged", "unchanged"]

    def test_replaces_a_reference_and_never_a_study(self, tmp_path: Path) -> None:
        first = write_study(tmp_path / "first", side("a", REGRETS))
        second = write_study(tmp_path / "second", side("a", plus(REGRETS, 1), "new", **NEW))
        write_reference(first, tmp_path / "ref", "one")
        write_reference(second, tmp_path / "ref", "two")
        found = read_folder(tmp_path / "ref").searches
        assert found.keys() == read_folder(second).searches.keys()
        with pytest.raises(RecordError, match="first is the folder of a study, not of reference records"):
            write_reference(second, first, "three")
        with pytest.raises(RecordError, match="--update needs a --reason"):
            write_reference(second, tmp_path / "ref", " ")

    def test_an_unfinished_study_makes_none(self, tmp_path: Path) -> None:
        runs = side("a", REGRETS)
        folder = write_study(tmp_path / "study", runs[:5], missing=runs[5:])
        with pytest.raises(RecordError, match="3 of 8 runs are missing"):
            write_reference(folder, tmp_path / "ref", "one")
        assert not (tmp_path / "ref").exists()


class TestShown:
    @pytest.fixture
    def found(self, tmp_path: Path) -> Gate:
        changed = plus(REGRETS, [-3, 3, -2.5, 2, -2, 3, -3, 2])
        labels = ("lost", "open", "kept")
        candidate = [
            *side("lost", [*plus(REGRETS[:7], 2), None], "new", **NEW),
            *side("open", changed, "new", **NEW),
            *side("kept", REGRETS, **NEW),
        ]
        against = [r for label in labels for r in side(label, REGRETS)]
        return gate_of(lines(tmp_path, candidate, against))

    def test_a_line_for_each_row(self, found: Gate) -> None:
        table = show.table(found)
        cells = {row.cells[0]: row.cells for row in table.rows}
        assert [cells[k][2] for k in ("lost", "open", "kept")] == ["worse", "undecided", "unchanged"]
        assert cells["lost"][-1] == "8, 1 against 0 failed"
        assert cells["kept"][3:6] == ("-", "-", "-")
        assert show.said(found) == "1 worse, 1 undecided, 1 unchanged"

    def test_junit_fails_what_is_worse_or_undecided(self, found: Gate) -> None:
        root = ElementTree.fromstring(show.junit(found))
        (suite,) = root
        assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
        failures = {case.get("name"): [f.get("type") for f in case] for case in suite}
        assert failures == {"lost": ["worse"], "open": ["undecided"], "kept": []}
        assert {case.get("classname") for case in suite} == {"toy/a"}

    def test_the_run_that_lost_most_of_the_row_that_lost(self, found: Gate) -> None:
        worst = run("lost", 7, None, **NEW).search.id
        assert worst in show.reproduce(found)

    def test_json_is_whole(self, found: Gate) -> None:
        assert msgspec.json.decode(msgspec.json.encode(found), type=Gate) == found

    def test_worse_goes_before_undecided(self, found: Gate) -> None:
        assert found.status == 1
        assert msgspec.structs.replace(found, lines=found.lines[1:]).status == 4
        assert msgspec.structs.replace(found, lines=found.lines[2:]).status == 0


def test_a_killed_run_is_never_unchanged(tmp_path: Path) -> None:
    """What it asked is not known."""
    (pair,) = pairs(
        tmp_path,
        [run("a", 0, None, paid=None, **NEW), run("a", 1, 80.0, **NEW)],
        [run("a", 0, None, paid=None), run("a", 1)],
    )
    assert not pair.unchanged
    assert pair.candidate[1].paid == Paid(100)
