"""A folder of hand-written records, read back as one study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from written_records import BEST_OF_TEN, entry, plan_of, reference, run, sampling, study, write_study

from harness.errors import RecordError, UnknownName
from harness.reading.study import check_names, read_study
from harness.records.lines import Paid
from harness.records.store import FILES
from harness.search.budget import Budget

EIGHT = [80.0, 81.0, 82.0, 83.0, 84.0, 85.0, 86.0, 87.0]
FIFTY = Budget(queries=50)


def test_laws_finals_budgets_and_constraints_never_share_a_table_and_titles_tell_them_apart() -> None:
    runs = [
        run("alpha", 0),
        run("alpha", 1, law="classes"),
        run("alpha", 2, budget=FIFTY, paid=Paid(50)),
        run("alpha", 3, constraints=["params <= 1e+06"]),
        run("alpha", 4, final="repeat:777"),
        run("alpha", 5, search_task="toy/b"),
    ]
    found = study(runs, [sampling()])
    assert [len(list(s.runs)) for s in found.settings] == [1] * 6
    assert [s.sampling is not None for s in found.settings] == [True, False, True, False, False, False]
    assert [s.title for s in found.settings] == [
        "toy/a, law rows, final mean, 100 queries",
        "toy/a, law classes, final mean, 100 queries",
        "toy/a, law rows, final mean, 50 queries",
        "toy/a, params <= 1e+06",
        "toy/a, law rows, final repeat:777, 100 queries",
        "toy/a searched on toy/b",
    ]


def test_entries_and_references_stand_apart_and_a_reference_is_found_by_how_it_is_scored() -> None:
    paper = {"mode": "paper", "scoring": BEST_OF_TEN}
    (setting,) = study([
        *entry("alpha", EIGHT), *entry("beta", EIGHT, **paper), *reference(EIGHT), *reference(EIGHT, **paper)
    ]).settings  # fmt: skip
    assert [e.entry.title for e in setting.entries] == ["alpha", "beta (paper)"]
    strict, other = setting.references
    assert [setting.reference_of(e.entry) for e in setting.entries] == [strict, other]


def test_records_that_no_plan_names_are_left_out(tmp_path: Path) -> None:
    runs = entry("alpha", EIGHT)
    folder = write_study(tmp_path, runs, plans=[plan_of(runs[:5], [sampling()])])
    found = read_study(folder)
    assert len(list(found.every_run)) == 5
    assert found.problems == ["3 records do not belong to the study as it last ran; left out"]


def test_a_plan_that_replaces_another_one_stands_alone_and_the_seed_it_gave_up_is_told(tmp_path: Path) -> None:
    old, new = entry("alpha", EIGHT[:3], study_seed=7), entry("alpha", EIGHT)
    first = plan_of(old, [sampling()], seed=7)
    second = plan_of(new, [sampling()], replaces=[first.id])
    found = read_study(write_study(tmp_path, [*old, *new], plans=[first, second]))
    assert [len(e.runs) for s in found.settings for e in s.entries] == [8]
    assert found.given_up == (7,)


def test_plans_that_replace_nothing_make_one_study(tmp_path: Path) -> None:
    """As of two machines, whose folders were joined file by file: each had half of the entries, and one seed more."""
    one, two = entry("alpha", EIGHT[:4]), [run("alpha", 4, 84.0), *entry("beta", EIGHT)]
    plans = [plan_of(one, [sampling()]), plan_of(two, [sampling()])]
    found = read_study(write_study(tmp_path, [*one, *two], plans=plans))
    (setting,) = found.settings
    assert [(e.entry.label, [r.seed for r in e.runs]) for e in setting.entries] == [
        ("alpha", [0, 1, 2, 3, 4]),
        ("beta", list(range(8))),
    ]
    assert (found.planned, found.missing) == (13, 0)


def test_settings_that_differ_in_their_random_sampling_alone_have_titles_of_their_own(tmp_path: Path) -> None:
    """As of two versions of the data: sections that go by title would show one under the other."""
    one, two = entry("alpha", EIGHT), entry("alpha", EIGHT, study_seed=7)
    samplings = [sampling(), sampling(data_digest="d2", mean=60.0)]
    plans = [plan_of(one, samplings[:1]), plan_of(two, samplings[1:], seed=7)]
    found = read_study(write_study(tmp_path, [*one, *two], samplings, plans=plans))
    titles = [s.title for s in found.settings]
    assert len(set(titles)) == 2
    assert [s.sampling.mean for s in found.settings if s.sampling is not None] == [50.0, 60.0]


@pytest.mark.parametrize("other", [{"params": {"size": 1}}, {"strategy": "other"}])
def test_of_two_entries_with_one_label_the_later_is_shown_and_it_is_said(other: dict[str, Any]) -> None:
    first = entry("alpha", [10.0] * 3, **other)
    found = study(first + entry("alpha", EIGHT))
    (only,) = found.settings[0].entries
    assert [r.score for r in only.runs] == EIGHT
    assert "two different entries are called 'alpha' on toy/a; the later one is shown" in found.problems[0]


def test_a_run_that_failed_in_its_search_is_whole_and_one_without_an_outcome_is_missing(tmp_path: Path) -> None:
    runs = [run("alpha", 0), run("alpha", 1, None), run("alpha", 2)]
    folder = write_study(tmp_path, runs)
    outcomes = folder / FILES[type(runs[0].outcome)]  # type: ignore[index]
    outcomes.write_bytes(outcomes.read_bytes().splitlines(keepends=True)[0])
    found = read_study(folder)
    assert [(r.seed, r.failed) for r in found.every_run] == [(0, False), (1, True)]
    assert (found.planned, found.missing) == (3, 1)


def test_a_torn_last_line_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = write_study(tmp_path, entry("alpha", EIGHT))
    with (folder / "searches.jsonl").open("ab") as file:
        file.write(b'{"schema":2,"id":"half')
    found = read_study(folder)
    assert len(list(found.every_run)) == 8
    assert len(found.problems) == 1
    assert "searches.jsonl:9: torn last line, left out" in found.problems[0]


def test_a_folder_without_a_study_is_refused_and_studies_inside_it_are_named(tmp_path: Path) -> None:
    write_study(tmp_path / "one", entry("alpha", EIGHT))
    with pytest.raises(RecordError, match="name one of: one"):
        read_study(tmp_path)
    with pytest.raises(RecordError, match="holds no study"):
        read_study(tmp_path / "nothing")
    plans = tmp_path / "one" / "plans.jsonl"
    plans.write_bytes(plans.read_bytes()[:50])
    with pytest.raises(RecordError, match=r"no plan in plans\.jsonl \(.*plans.jsonl:1: torn last line, left out\)"):
        read_study(tmp_path / "one")
    plans.write_bytes(b"")
    with pytest.raises(RecordError, match=r"holds records but no plan in plans\.jsonl; run its study again"):
        read_study(tmp_path / "one")
    plans.unlink()
    with pytest.raises(RecordError, match=r"holds records but no plans\.jsonl; run its study again"):
        read_study(tmp_path / "one")


def test_names_that_the_study_does_not_have_are_refused() -> None:
    found = [study(entry("alpha", EIGHT)), study(entry("beta", EIGHT))]
    check_names(found, ["toy/a"], ["alpha", "beta"])
    with pytest.raises(UnknownName, match="unknown task 'toy/c'"):
        check_names(found, ["toy/c"], [])
    with pytest.raises(UnknownName, match="unknown entry 'alhpa'; did you mean 'alpha'"):
        check_names(found, [], ["alhpa"])
