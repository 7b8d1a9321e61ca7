"""Kendall's tau over seeds, and several studies beside each other by the number of labels they paid."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from written_records import entry, run, write_study

from harness.errors import HarnessError, UnknownName
from harness.reading.report.section import Choice, Source
from harness.reading.report.sections import write_report
from harness.reading.report.sections.ktau import orders_of
from harness.reading.study import read_study
from harness.records.lines import Paid, RankQuality
from harness.records.runs import Run
from harness.search.budget import Budget


def learned(label: str, paid: int, taus: list[tuple[float, float, float | None]], **options: Any) -> list[Run]:
    """A run for each (tau on keys, tau of validation, tau on rows)."""
    return [
        run(label, seed, 80.0, paid=Paid(paid), ktau=RankQuality(t, v, t, t, 900, r, 950), **options)
        for seed, (t, v, r) in enumerate(taus)
    ]


def studies(tmp_path: Path) -> list[Path]:
    few = [*learned("ridge", 90, [(0.4, 0.5, 0.6), (0.6, 0.5, 0.6)]), *entry("random", [80.0, 81.0])]
    many = [*learned("ridge", 423, [(0.7, 0.5, 0.8), (0.7, 0.5, 0.8)]), *learned("net", 423, [(0.9, 0.5, None)] * 2)]
    return [write_study(tmp_path / "few", few), write_study(tmp_path / "many", many)]


def written(folders: list[Path], **choice: Any) -> str:
    text = io.StringIO()
    chosen = Choice(sections=("ktau",), others=tuple(folders[1:]), **choice)
    write_report(folders[0], chosen, Console(file=text, width=100))
    return text.getvalue()


def test_means_and_students_intervals_over_runs(tmp_path: Path) -> None:
    first, second = map(read_study, studies(tmp_path))
    found = orders_of(Source(first, others=(second,)))
    assert [(o.label, o.paid, o.n) for o in found] == [("ridge", 90.0, 2), ("ridge", 423.0, 2), ("net", 423.0, 2)]
    first = found[0]
    half = 12.7062 * 0.1  # t of one degree of freedom; .4 and .6: standard error .1
    assert (first.ktau, first.ktau_low, first.ktau_high) == (
        pytest.approx(0.5), pytest.approx(0.5 - half, abs=1e-4), pytest.approx(0.5 + half, abs=1e-4),
    )  # fmt: skip
    assert (first.ktau_rows, first.ktau_rows_n, first.ktau_n) == (pytest.approx(0.6), 950, 900)
    assert (first.ktau_valid, first.ktau_of_validation) == (0.5, 0.7)
    assert found[2].ktau_rows is None


def test_several_studies_are_columns_of_one_table(tmp_path: Path) -> None:
    folders = studies(tmp_path)
    blocks = written(folders).split("\n\n")
    assert blocks[0].splitlines()[0] == "toy/a: tau-b against final scores, unseen keys, n = 2"
    assert [line.split() for line in blocks[0].splitlines()[1:-1]] == [
        ["paid", "queries", "90", "423"],
        ["ridge", "0.500±1.271", "0.700±0.000"],
        ["net", "-", "0.900±0.000"],
        ["validation", "scores", "themselves", "0.700", "0.700"],
    ]
    assert "unseen rows" in blocks[1]
    assert {b.splitlines()[-1] for b in blocks} == {"± half the width of the 95 % t interval of the mean over runs"}
    assert blocks[1].splitlines()[-2].split() == ["net", "-", "-"]
    assert "| ridge | 0.500±1.271 | 0.700±0.000 |" in written(folders, form="markdown")
    lines = list(csv.DictReader(io.StringIO(written(folders, form="csv"))))
    assert [(line["study"], line["label"], line["paid"], line["ktau_rows"]) for line in lines][-1] == (
        "written", "net", "423.0", "",
    )  # fmt: skip
    told = json.loads(written(folders, form="json"))
    assert [o["ktau"] for o in told["ktau"]] == [float(line["ktau"]) for line in lines]


def test_rows_of_one_name_and_one_number_of_labels_are_told_apart_by_study(tmp_path: Path) -> None:
    both = [learned("ridge", 90, [(0.4, 0.5, None)] * 3), learned("ridge", 90, [(0.6, 0.5, None)] * 2)]
    folders = [
        write_study(tmp_path / str(i), r, [], study=name)
        for i, (r, name) in enumerate(zip(both, ("old", "new"), strict=True))
    ]
    table = written(folders).split("\n\n")[0].splitlines()
    assert [line.split() for line in table[1:-1]] == [
        ["paid", "queries", "90"],
        ["ridge,", "old", "0.400±0.000", "(n", "3)"],
        ["ridge,", "new", "0.600±0.000", "(n", "2)"],
    ]


def test_only_ktau_merges_and_names_are_checked(tmp_path: Path) -> None:
    folders = studies(tmp_path)
    with pytest.raises(HarnessError, match="only --section ktau shows several studies"):
        write_report(folders[0], Choice(others=(folders[1],)), Console(file=io.StringIO()))
    with pytest.raises(UnknownName, match="unknown entry 'nett'; did you mean 'net'"):
        written(folders, entries=("nett",))
    assert "net" not in written(folders, entries=("ridge",))
    with pytest.raises(UnknownName, match="unknown task"):
        written(folders, tasks=("toy/b",))


def test_one_study_has_all_variants_with_its_interval(tmp_path: Path) -> None:
    told = written(studies(tmp_path)[:1])
    assert told.splitlines()[0] == "toy/a"
    assert told.splitlines()[2].split() == [
        "ridge", "90", "0.500", "[-0.771,", "1.771]", "0.600", "0.500", "0.500", "0.500", "0.700", "2",
    ]  # fmt: skip


def test_several_budgets_of_one_study_are_columns_too(tmp_path: Path) -> None:
    runs = [
        r
        for labels, tau in ((90, 0.4), (423, 0.7))
        for r in learned("ridge", labels, [(tau, 0.5, None)] * 2, budget=Budget(queries=labels))
    ]
    folder = write_study(tmp_path, runs)
    assert [line.split() for line in written([folder]).splitlines()[:3]] == [
        ["toy/a:", "tau-b", "against", "final", "scores,", "unseen", "keys,", "n", "=", "2"],
        ["paid", "queries", "90", "423"],
        ["ridge", "0.400±0.000", "0.700±0.000"],
    ]
