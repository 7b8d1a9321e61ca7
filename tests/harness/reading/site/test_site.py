"""The leaderboard of hand-written studies, read back from its HTML, CSV and SVG files."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from site_pages import Page, pages_of
from written_records import MATCHED, TEST_ORACLE, entry, reference, sampling, write_study

from harness.errors import HarnessError, RecordError
from harness.reading import numbers
from harness.reading.entries import summarise
from harness.reading.report.section import Source
from harness.reading.report.sections.ranks import ranks_of
from harness.reading.site.boards import boards_of, submissions_of
from harness.reading.site.names import file_name, shown
from harness.reading.site.pages import strategies_of
from harness.reading.site.rankings import rankings_of
from harness.reading.site.write import write_site
from harness.reading.study import read_study
from harness.records.lines import RankQuality
from harness.records.runs import Run
from harness.registry import Registry
from harness.search.budget import Budget

TASKS = [f"toy/{k}" for k in "abcdef"]
HOSTILE = [
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "\u202egnp.exe",
    "\x1b[31mred\x07",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "x" * 10_000,
    "name\n\n# heading",
]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry()


def runs_on(tasks: Sequence[str], labels: Sequence[str] = ("alpha", "beta"), n: int = 8, **options: Any) -> list[Run]:
    rng = np.random.default_rng(3)
    made: list[Run] = []
    for task in tasks:
        for place, label in enumerate(labels):
            for_label = [float(s) for s in rng.normal(80 - 6 * place, 2, size=n)]
            made += entry(
                label, for_label, task=task, valid=70.0, ktau=RankQuality(0.5, 0.4, 0.3, 0.2, 100),
                incumbents=[(1, None, None, 60.0, 55.0), (50, None, None, 70.0, 76.0)], **options,
            )  # fmt: skip
        made += reference([float(s) for s in rng.normal(70, 2, size=8)], task=task, incumbents=[])
    return made


def site_of(tmp_path: Path, registry: Registry, *studies: Sequence[Run], **options: Any) -> dict[str, Any]:
    folders = [write_study(tmp_path / f"study-{k}", runs, **options) for k, runs in enumerate(studies)]
    write_site(folders, tmp_path / "site", lambda: registry)
    return pages_of(tmp_path / "site")


def test_every_number_is_that_of_the_report(tmp_path: Path, registry: Registry) -> None:
    runs = runs_on(TASKS)
    pages = site_of(tmp_path, registry, runs)
    study = read_study(tmp_path / "study-0")
    rows = pages["index.html"].rows["results"][1:]
    assert len(rows) == 12
    for setting in summarise(study):
        for e in setting.entries:
            (row,) = [r for r in rows if r[0].strip() == setting.title and r[1].strip() == e.label]
            assert row[2] == numbers.number(e.ri, signed=True)
            assert row[3] == numbers.interval(e.ri_low, e.ri_high, signed=True)
            assert e.vs_search is not None
            assert f"{e.vs_search.verdict} p {numbers.p_value(e.vs_search.p_study)}" in " ".join(row[5].split())
    (ranks,) = ranks_of(Source(study))
    ranked = pages["index.html"].rows["ranking-1"][1:]
    assert [(r[0].strip(), r[1], r[2]) for r in ranked] == [
        (e.label, numbers.number(e.mean_rank), numbers.interval(e.rank_low, e.rank_high)) for e in ranks.entries
    ]
    # six settings, every run of alpha above the reference's
    assert ranked[0][4] == "1.00"
    assert re.findall(r"\d+", ranked[0][8]) == ["6", "0", "0"]


def test_every_link_leads_somewhere_and_nothing_comes_from_elsewhere(tmp_path: Path, registry: Registry) -> None:
    pages = site_of(tmp_path, registry, [*runs_on(TASKS[:2], HOSTILE), *runs_on(["../up", "<b>/x"], HOSTILE[:2])])
    site = tmp_path / "site"
    for path, page in pages.items():
        ids = {a["id"] for _, a in page.tags if "id" in a}
        for link in page.links():
            file, _, anchor = link.partition("#")
            target = (site / path).parent / file if file else site / path
            assert target.is_file(), f"{path}: {link}"
            assert target.resolve().is_relative_to(site.resolve())
            if anchor:
                there = ids if not file else {a["id"] for _, a in Page(target).tags if "id" in a}
                assert anchor in there, f"{path}: {link}"
        policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
        assert policy.startswith("default-src 'none'")
        assert not [a for tag, a in page.tags if "src" in a or (tag == "link" and a["href"] != "data:,")]


def test_hostile_names_are_text_and_nothing_else(tmp_path: Path, registry: Registry) -> None:
    runs = [r for k, label in enumerate(HOSTILE) for r in runs_on(
        TASKS[:2], [label], strategy=f"{label}{k}", params={label: label}, provenance={label: {label: label}},
        search={"provenance": {"paper": f"{label} (ICLR 2020)"}},
        outcome={"reported": label},
    ) if r.entry.role == "entry"]  # fmt: skip
    runs += entry("failing", [None] * 8, task=TASKS[0], search={"error": HOSTILE[0] + "\u202e"})
    pages = site_of(tmp_path, registry, runs)
    assert len(pages) == 2 + 2 + len(HOSTILE) + 1 + 2 * len(HOSTILE) + 1  # the last: of runs
    for path, page in pages.items():
        names = [tag for tag, _ in page.tags]
        assert names.count("script") == 1, path
        assert "img" not in names
        assert all(a.get("class") for tag, a in page.tags if tag == "b")
        assert not [a for _, a in page.tags for name in a if name.startswith("on") or name == "style"], path
        raw = page.path.read_text(encoding="utf-8")
        assert not [sign for sign in "\u202e\x1b\x07" if sign in raw], path
        assert "x" * 2500 not in raw
    of_strategies = [page.text for path, page in pages.items() if path.startswith("strategies/")]
    assert sum("(ICLR 2020)" in text for text in of_strategies) == len(HOSTILE) - 1  # the longest is cut
    told = pages["index.html"].text
    assert "<script>alert(1)</script>" in told  # as a reader sees it
    assert "\\u202egnp.exe" in told
    assert "{{ 7 * 7 }}" in told
    for file in (tmp_path / "site").rglob("*.svg"):
        tree = ElementTree.parse(file)  # well-formed
        assert not tree.findall(".//{http://www.w3.org/2000/svg}script")
    assert not {p.name for p in tmp_path.iterdir()} - {"study-0", "site"}


def test_file_names_are_plain_and_differ() -> None:
    names = [file_name(label) for label in [*HOSTILE, "a/b", "a b", "A b", "", "con", "\u202e"]]
    assert len(set(names)) == len(names)
    for name in names:
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert len(name) <= 57
    assert shown("a\u202eb\tc\x00", 6) == "a\\u202eb c\\u0000"


def test_failures_one_seed_and_one_task_are_said(tmp_path: Path, registry: Registry) -> None:
    runs = [*entry("alone", [80.0]), *entry("broken", [None] * 3), *reference([60.0, 62.0])]
    pages = site_of(tmp_path, registry, runs)
    index = pages["index.html"]
    assert "A ranking takes two competitors" in index.text
    rows = {r[1].strip(): r for r in index.rows["results"][1:]}
    assert rows["alone"][2:4] == ["+60.00", "-"]
    assert "not tested" in rows["alone"][5]
    assert rows["broken"][6] == "3, 3 failed"
    assert "✗ breaks" in rows["broken"][9]
    page = next(p for name, p in pages.items() if name.startswith("settings/"))
    assert "broken , seeds 0, 1, 2: failed: ValueError: no" in page.text
    assert "no-failed-run" in page.text


def test_the_references_of_two_laws_have_dashes_of_their_own(tmp_path: Path, registry: Registry) -> None:
    step = [(1, None, None, 50.0, 60.0)]
    other = entry("matched-random-search by classes", [60.0, 62.0], role="reference", incumbents=step)
    site_of(tmp_path, registry, [*entry("alpha", [80.0] * 2), *reference([60.0, 62.0], incumbents=step), *other])
    (curves,) = (tmp_path / "site" / "figures").rglob("*curves*.svg")
    (page,) = (tmp_path / "site" / "settings").iterdir()
    for text in (curves.read_text(), page.read_text()):
        assert 'class="line ref r1"' in text
        assert 'class="line ref r2"' in text


def test_a_study_whose_every_run_failed_has_a_page(tmp_path: Path, registry: Registry) -> None:
    pages = site_of(tmp_path, registry, [*entry("alpha", [None] * 8), *entry("killed", [None] * 8, paid=None)])
    assert {r[6] for r in pages["index.html"].rows["results"][1:]} == {"8, 8 failed"}


@pytest.mark.parametrize("lost", ["searches.jsonl", "plans.jsonl"])
def test_a_study_among_others_that_lost_a_file_is_named(tmp_path: Path, registry: Registry, lost: str) -> None:
    for name in ("lost", "whole"):
        write_study(tmp_path / "studies" / name, runs_on(TASKS[:1]))
    (tmp_path / "studies" / "lost" / lost).unlink()
    with pytest.raises(RecordError, match="studies/lost holds"):
        write_site([tmp_path / "studies"], tmp_path / "site", lambda: registry)


def test_a_study_without_entries_says_so(tmp_path: Path, registry: Registry) -> None:
    pages = site_of(tmp_path, registry, reference([60.0, 62.0]))
    assert sorted(pages) == ["index.html", "method.html"]
    assert "No entry has a run yet." in pages["index.html"].text


def test_scores_that_are_no_numbers_are_left_out_and_told(tmp_path: Path, registry: Registry) -> None:
    runs = runs_on(TASKS[:1])
    folder = write_study(tmp_path / "study", runs)
    lines = (folder / "outcomes.jsonl").read_text().splitlines()
    broken = [
        lines[0].replace('"score":', '"score":NaN,"x":', 1),
        lines[1].replace('"score":', '"score":1e999,"x":', 1),
    ]
    (folder / "outcomes.jsonl").write_text("\n".join([*broken, *lines[2:]]) + "\n")
    write_site([folder], tmp_path / "site", lambda: registry)
    method = Page(tmp_path / "site" / "method.html").text
    assert "outcomes.jsonl:1: not a record" in method
    assert "outcomes.jsonl:2: not a record" in method
    rows = {r[1].strip(): r[6] for r in Page(tmp_path / "site" / "index.html").rows["results"][1:]}
    assert rows == {"alpha": "6", "beta": "8"}


def test_what_breaks_a_rule_stands_below_and_is_ranked_only_on_request(tmp_path: Path, registry: Registry) -> None:
    runs = [*runs_on(TASKS), *(r for t in TASKS for r in entry("lucky", [99.0] * 7 + [None], task=t))]
    folder = write_study(tmp_path / "study", runs)
    boards = boards_of(submissions_of([folder], lambda: registry))
    assert all([line.name for line in b.lines] == ["alpha", "beta", "lucky"] for b in boards)
    assert not any(line.compliant for b in boards for line in b.lines if line.name == "lucky")
    apart, together = rankings_of(boards)
    assert [s.name for s in apart.standings] == ["alpha", "beta", MATCHED]
    assert [(line.name, why) for line, why in apart.outside] == [("lucky", "breaks no-failed-run")]
    assert together.standings[0].name == "lucky"
    assert together.everyone


def test_other_seeds_are_shown_and_not_ranked(tmp_path: Path, registry: Registry) -> None:
    own = write_study(tmp_path / "own", runs_on(TASKS))
    other = write_study(
        tmp_path / "other", [r for t in TASKS for r in entry("chosen", [99.0] * 8, task=t, study_seed=17)], seed=17
    )
    boards = boards_of(submissions_of([own, other], lambda: registry))
    assert len(boards) == len(TASKS)
    assert [line.name for line in boards[0].lines][-1] == "chosen"
    for ranking in rankings_of(boards):
        assert "chosen" not in [s.name for s in ranking.standings]


def test_a_later_study_changes_no_earlier_verdict_and_joins_the_ranks(tmp_path: Path, registry: Registry) -> None:
    first = write_study(tmp_path / "first", runs_on(TASKS))
    guest = [r for r in runs_on(TASKS, ["alpha", "guest"], params={"size": 9}) if r.entry.role == "entry"]
    second = write_study(tmp_path / "second", [*guest, *(r for r in runs_on(TASKS) if r.entry.role == "reference")])
    alone = boards_of(submissions_of([first], lambda: registry))
    joined = boards_of(submissions_of([first, second], lambda: registry))
    before = {(b.title, line.name): line.summary for b in alone for line in b.lines}
    after = {(b.title, line.name): line.summary for b in joined for line in b.lines}
    for (title, name), summary in before.items():
        assert after[title, "alpha · first" if name == "alpha" else name] == summary
    widest = rankings_of(joined)[0]
    assert {s.name for s in widest.standings} == {"alpha · first", "alpha · second", "beta", "guest", MATCHED}


def test_a_ranking_over_settings_that_share_their_searches_has_no_interval_and_no_test(
    tmp_path: Path, registry: Registry
) -> None:
    runs = [
        r for task in TASKS
        for r in (*entry("alpha", [79.0, 81.0, 80.0], task=task, search_task=TASKS[0]),
                  *reference([70.0, 80.0, 72.0], task=task, search_task=TASKS[0]))
    ]  # fmt: skip
    index = site_of(tmp_path, registry, runs)["index.html"]
    assert "Settings share their searches, whose luck counts several times: no interval and no test" in index.text
    assert "Friedman's test that all rank alike" not in index.text
    alpha = next(row for row in index.rows["ranking-1"] if row[0].split()[:1] == ["alpha"])
    assert [alpha[k] for k in (1, 2, 3, 5, 7)] == ["1.00", "-", "a", "-", "-"]


def test_entries_of_one_label_under_two_budgets_are_not_told_apart_by_their_studies(
    tmp_path: Path, registry: Registry
) -> None:
    few = write_study(tmp_path / "few", runs_on(TASKS))
    longer = write_study(
        tmp_path / "longer", entry("alpha", [80.0] * 8, task=TASKS[0], params={"size": 9}, budget=Budget(queries=700))
    )
    boards = boards_of(submissions_of([few, longer], lambda: registry))
    assert {line.name for b in boards for line in b.lines} == {"alpha", "beta"}
    (page,) = [page for page in strategies_of(boards) if "alpha" in {line.name for _, line in page.lines}]
    shown = {(line.submission.name, line.name): params for line, params in page.entries if line.name == "alpha"}
    assert shown["few", "alpha"] != shown["longer", "alpha"]


def test_a_study_given_twice_stands_once(tmp_path: Path, registry: Registry) -> None:
    folder = write_study(tmp_path / "one" / "study", runs_on(TASKS[:2]))
    again = write_study(tmp_path / "two" / "study", runs_on(TASKS[:2]))
    submissions = submissions_of([tmp_path / "one", again, folder], lambda: registry)
    assert [s.name for s in submissions] == ["study", "study 2"]
    assert [[line.name for line in b.lines] for b in boards_of(submissions)] == [["alpha", "beta"]] * 2


def test_studies_that_contradict_each_other_are_refused_in_any_order(tmp_path: Path, registry: Registry) -> None:
    """Whatever was edited: a score, a search, matched random search, random sampling."""
    runs = runs_on(TASKS[:1])
    one = write_study(tmp_path / "one", runs)
    for number, (file, before, after) in enumerate(
        [
            ("outcomes.jsonl", '"score":', '"score":99.9,"was":'),
            ("searches.jsonl", '"valid":[]', '"valid":[99.0]'),
            ("samplings.jsonl", '"mean":50.0', '"mean":40.0'),
        ]
    ):
        other = write_study(tmp_path / f"edited-{number}", runs)
        lines = (other / file).read_text().splitlines()
        edited = lines[-1].replace(before, after)
        assert edited != lines[-1]
        (other / file).write_text("\n".join([*lines[:-1], edited]) + "\n")
        identity = re.escape(str(json.loads(edited)["id"]))
        for first, second in ((one, other), (other, one)):
            said = f"{first} and {second} both hold {identity} and say different things"
            with pytest.raises(RecordError, match=said):
                write_site([first, second], tmp_path / "site", lambda: registry)
    assert not (tmp_path / "site").exists()


def test_what_another_machine_found_is_shown_beside_it_under_its_study(tmp_path: Path, registry: Registry) -> None:
    def made_on(processor: str, score: float) -> list[Run]:
        on = {"search": {"environment": {"processor": processor}}}
        return [*entry("alpha", [score] * 8, **on), *reference([60.0] * 8, **on)]

    folders = [write_study(tmp_path / p, made_on(p, score)) for p, score in (("Z80", 80.0), ("6502", 81.0))]
    (board,) = boards_of(submissions_of(folders, lambda: registry))
    assert [line.name for line in board.lines] == ["alpha · 6502", "alpha · Z80"]
    moved = write_study(tmp_path / "moved", [*reference([99.0] * 8, search={"environment": {"processor": "6510"}})])
    with pytest.raises(RecordError, match="say different things"):  # random search draws alike on every machine
        submissions_of([folders[0], moved], lambda: registry)


def test_a_failed_run_beside_its_repetition_is_two_lines(tmp_path: Path, registry: Registry) -> None:
    tried = write_study(tmp_path / "tried", [*entry("alpha", [80.0] * 7 + [None]), *reference([60.0] * 8)])
    again = write_study(tmp_path / "again", [*entry("alpha", [80.0] * 8), *reference([60.0] * 8)])
    for folders in ([tried, again], [again, tried]):
        (board,) = boards_of(submissions_of(folders, lambda: registry))
        assert [line.name for line in board.lines] == ["alpha · again", "alpha · tried"]


def test_a_reference_that_breaks_a_rule_of_its_setting_says_so(tmp_path: Path, registry: Registry) -> None:
    runs = [*entry("alpha", [80.0] * 8), *reference([60.0] * 8, split="valid")]
    pages = site_of(tmp_path, registry, runs)
    page = next(p for name, p in pages.items() if name.startswith("settings/"))
    (row,) = [r for r in page.rows["board-1"] if r[0].strip() == MATCHED]
    assert row[-1].split() == ["reference", "✗", "breaks", "1"]
    assert f"{MATCHED} breaks: final-score-on-test" in page.text


def test_other_data_and_other_modes_are_other_boards(tmp_path: Path, registry: Registry) -> None:
    old = write_study(tmp_path / "old", runs_on(TASKS[:1]))
    new = write_study(
        tmp_path / "new",
        [
            *entry("alpha", [90.0] * 8, data_digest="d2"),
            *entry("cheat", [95.0] * 8, mode="paper", scoring=TEST_ORACLE, data_digest="d2"),
        ],
        [sampling(data_digest="d2", search_data_digest="d2")],
    )
    boards = boards_of(submissions_of([old, new], lambda: registry))
    assert [(b.title, b.mode) for b in boards] == [
        ("toy/a, data d1 d1", "strict"), ("toy/a, data d2 d2", "strict"), ("toy/a, data d2 d2", "paper")
    ]  # fmt: skip
    assert len({b.page for b in boards}) == 2


def test_figures_have_their_data_beside_them(tmp_path: Path, registry: Registry) -> None:
    site_of(tmp_path, registry, runs_on(TASKS[:1]))
    page = file_name("toy/a")
    figures = tmp_path / "site" / "figures"
    stem = f"{page}-{file_name('strict')}"
    for name in ("intervals", "runs", "curves", "ktau", "selection"):
        assert (figures / f"{stem}-{name}.svg").is_file()
    with (figures / f"{stem}-runs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    scores = [r.score for r in runs_on(TASKS[:1]) if r.entry.label == "alpha"]
    assert [float(r["score"]) for r in rows if r["entry"] == "alpha"] == scores
    drawn = ElementTree.parse(figures / f"{stem}-runs.svg")
    assert len(drawn.findall(".//{*}circle") + drawn.findall(".//{*}path[@class]")) >= 24


def test_nothing_but_an_earlier_site_is_replaced(tmp_path: Path, registry: Registry) -> None:
    folder = write_study(tmp_path / "study", runs_on(TASKS[:1]))
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("text")
    with pytest.raises(HarnessError, match="is no leaderboard; name a new folder"):
        write_site([folder], precious, lambda: registry)
    assert (precious / "thesis.tex").read_text() == "text"
    write_site([folder], tmp_path / "site", lambda: registry)
    (tmp_path / "site" / "old.html").write_text("")
    write_site([folder], tmp_path / "site", lambda: registry)
    assert not (tmp_path / "site" / "old.html").exists()
    with pytest.raises(RecordError, match="holds no study"):
        write_site([tmp_path / "nowhere"], tmp_path / "other", lambda: registry)
    assert not (tmp_path / "other").exists()


def test_the_method_page_says_what_the_documentation_says() -> None:
    root = Path(__file__).resolve().parents[4]
    page = (root / "harness/reading/site/templates/method.html").read_text(encoding="utf-8")
    documented = (root / "docs/statistics.md").read_text(encoding="utf-8")
    for figures in ("95.8 / 94.3 / 94.8", "95.2 / 94.7 / 94.3", "94.4 / 94.9 / 94.8", "94.6 / 95.2 / 94.9"):
        assert figures in page
        assert figures in documented
    assert "90 to 91 %" in page
    assert "the interval covers 90 to 91 % with 5 tasks, 94 to 95 % with 8" in documented
