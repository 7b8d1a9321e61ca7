"""Who has the records and docs/statistics.md computes every number of a report again (`recomputed`)."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recomputed
from recomputed import Json
from rich.console import Console
from scipy import stats
from studies import run, study

from harness.reading.report.section import Choice
from harness.reading.report.sections import write_report
from harness.registry import Registry
from harness.search.budget import Budget

ENTRIES = ("toy-returner", "toy-content", "toy-fickle")
"""One that stops after ten draws, learns an order and returns what it likes, one that stops on success, one that fails
in a third of its runs."""
STUDIES: dict[str, dict[str, Any]] = {
    "by queries, one task of errors": {"tasks": ("toy/edges", "toy/error")},
    "by epochs, every law and single repeats": {"tasks": ("toy/laws", "toy/timeless"), "budget": Budget(epochs=900.0)},
    "by seconds, a surrogate": {"tasks": ("toy/edges", "toy/drawn"), "budget": Budget(seconds=1000.0)},
}


def told(folder: Path, *sections: str, toy: Registry, **choice: Any) -> Json:
    console = Console(file=io.StringIO(), width=100)
    write_report(folder, Choice(sections=sections, form="json", **choice), console, lambda: toy)
    found: Json = json.loads(console.file.getvalue())  # type: ignore[attr-defined]
    return found


@pytest.fixture(scope="module")
def carried_out() -> dict[str, Path]:
    """Each study is carried out once."""
    return {}


@pytest.fixture(params=STUDIES)
def folder(
    request: pytest.FixtureRequest,
    toy: Registry,
    tmp_path_factory: pytest.TempPathFactory,
    carried_out: dict[str, Path],
) -> Path:
    if request.param not in carried_out:
        given = study(*ENTRIES, seeds=8, reference_seeds=20, **STUDIES[request.param])
        carried_out[request.param] = run(toy, tmp_path_factory.mktemp("study"), given)[0].folder
    return carried_out[request.param]


def agree(said: Json, ours: Json, where: str) -> None:
    """Everything that was computed again, to 1e-9."""
    for name, value in ours.items():
        here = f"{where}: {name}"
        if isinstance(value, dict):
            agree(said[name], value, here)
        elif isinstance(value, list):
            assert len(said[name]) == len(value), here
            for of, item in zip(said[name], value, strict=True):
                agree(of, item, f"{here} {item['label']}")
        elif value is None or isinstance(value, (str, bool)):
            assert said[name] == value, here
        else:
            assert said[name] == pytest.approx(float(value), rel=1e-9, abs=1e-9), here


NOT_COMPUTED = {
    "strategy", "mode", "role", "ablation", "params", "tuning_queries", "failed_runs", "ended_by", "wall_seconds_mean",
    "search_weakest",
}  # fmt: skip
"""What is read off a record, and which of the references has the largest p."""


def test_every_number_of_the_table(folder: Path, toy: Registry) -> None:
    said = told(folder, "table", toy=toy)["settings"]
    ours = recomputed.report_of(folder)
    assert len(said) == len(ours) == 2
    for of, setting in zip(said, ours, strict=True):
        agree(of, setting, of["title"])
        for line in of["entries"]:
            assert set(line) - set(setting["entries"][0]) == NOT_COMPUTED, "a number that nothing here computes"


def test_ranks_over_tasks(folder: Path, toy: Registry) -> None:
    """Two settings have no test and no interval; `test_ranks_of_six_settings` has them."""
    (said,) = told(folder, "ranks", toy=toy)["ranks"]
    ours = recomputed.ranks(recomputed.settings_of(folder))
    assert {e["label"]: e["ranks"] for e in said["entries"]} == ours
    assert {e["label"]: e["mean_rank"] for e in said["entries"]} == {name: np.mean(r) for name, r in ours.items()}
    assert [e["mean_rank"] for e in said["entries"]] == sorted(e["mean_rank"] for e in said["entries"])
    assert {e["groups"] for e in said["entries"]} == {"a"}


def test_ranks_of_six_settings(toy: Registry, tmp_path: Path) -> None:
    tasks = ("toy/edges", "toy/error", "toy/laws", "toy/timeless", "toy/partial", "toy/drawn")
    folder = run(toy, tmp_path, study(*ENTRIES, seeds=8, reference_seeds=20, tasks=tasks))[0].folder
    (said,) = told(folder, "ranks", toy=toy)["ranks"]
    settings = recomputed.settings_of(folder)
    statistic, p = recomputed.friedman(settings)
    assert (said["friedman_statistic"], said["friedman_p"]) == (pytest.approx(statistic), pytest.approx(p))
    groups = {e["label"]: set(e["groups"]) for e in said["entries"]}
    for (a, b), apart in recomputed.nemenyi(settings).items():
        assert (groups[a] & groups[b] == set()) == (p < 0.05 and apart < 0.05), (a, b)
    blocks = np.array([said["entries"][k]["ranks"] for k in range(len(groups))])
    tail = stats.norm.cdf(stats.t.ppf(0.025, 5) * np.sqrt(6 / 5))
    drawn = blocks[:, np.random.default_rng(1).integers(6, size=(20_000, 6))].mean(axis=2)
    for entry, means in zip(said["entries"], drawn, strict=True):
        low, high = np.quantile(means, [tail, 1 - tail])
        ends = (None, None) if low == high else (pytest.approx(low, abs=0.25), pytest.approx(high, abs=0.25))
        assert (entry["rank_low"], entry["rank_high"]) == ends


def test_probability_of_improvement_and_normalised_scores(folder: Path, toy: Registry) -> None:
    said = told(folder, "improvement", "profiles", toy=toy)
    settings = recomputed.settings_of(folder)
    of = recomputed.everywhere(settings)
    assert {i["label"] for i in said["improvement"]} == set(ENTRIES)
    for told_of in said["improvement"]:
        sides = [[e.at_worst(e.scores) for e in of[name]] for name in (told_of["label"], told_of["against"])]
        assert told_of["against"] == "matched-random-search"
        wins = [(x[:, None] > y) + 0.5 * (x[:, None] == y) for x, y in zip(*sides, strict=True)]
        assert told_of["probability"] == pytest.approx(np.mean([w.mean() for w in wins]), abs=1e-9)
        ends = recomputed.interval_of_improvement(wins)
        assert [told_of["probability_low"], told_of["probability_high"]] == pytest.approx(ends, abs=1e-9)
    assert {p["label"] for p in said["profiles"]} == set(of)
    for profile in said["profiles"]:
        scores = [recomputed.normalised(e) for e in of[profile["label"]]]
        assert profile["mean"] == pytest.approx(np.mean([s.mean() for s in scores]), abs=1e-9)
        assert profile["tau"] == pytest.approx(np.linspace(0, 1, 101))
        shares = [[np.mean(s > tau) for tau in profile["tau"]] for s in scores]
        assert profile["share"] == pytest.approx(np.mean(shares, axis=0), abs=1e-9)
        at = profile["tau"].index(0.8)
        (n,) = {s.size for s in scores}
        above = sum(int(np.sum(s > 0.8)) for s in scores)
        ends = stats.binomtest(above, n * len(scores)).proportion_ci(method="wilson")
        assert (profile["share_low"][at], profile["share_high"][at]) == pytest.approx((ends.low, ends.high), abs=1e-9)


def test_curves_at_given_costs(folder: Path, toy: Registry) -> None:
    settings = recomputed.settings_of(folder)
    at = tuple(settings[0].limit * share for share in (0.25, 0.5, 1.0))
    said = told(folder, "curves", toy=toy, at=at)["curves"]
    by_label = {(s.planned["task"], e.about["label"]): e for s in settings for e in s.everyone}
    assert len(said) == len(by_label)
    for curve in said:
        entry = by_label[curve["setting"]["task"], curve["label"]]
        assert (curve["cost"], curve["unit"]) == (list(at), entry.setting.unit)
        for place, cost in enumerate(at):
            for name, scores in zip(("score", "valid"), recomputed.along(entry, cost), strict=True):
                found = [curve[name][place], curve[f"{name}_low"][place], curve[f"{name}_high"][place]]
                known = [s for s in scores if s is not None]
                if len(known) < len(scores):
                    assert found == [None] * 3
                else:
                    ends = [np.mean(known), *recomputed.student(known)]
                    assert found == pytest.approx(ends, rel=1e-9, abs=1e-9), (curve["label"], cost, name)


def test_one_curve_less_another(folder: Path, toy: Registry) -> None:
    """Welch's interval, as scipy has it."""
    settings = recomputed.settings_of(folder)
    cost = settings[0].limit
    choice = {"at": (cost,), "against": "matched-random-search"}
    for told_of in told(folder, "curves", toy=toy, **choice)["differences"]:
        (setting,) = [s for s in settings if s.planned["task"] == told_of["setting"]["task"]]
        sides = [
            setting.sign * np.array(recomputed.along(e, cost)[0])
            for name in (told_of["label"], told_of["against"])
            for e in setting.everyone
            if e.about["label"] == name
        ]
        ends = stats.ttest_ind(*sides, equal_var=False).confidence_interval()
        assert told_of["score"] == [pytest.approx(sides[0].mean() - sides[1].mean())]
        if np.ptp(sides[0]) or np.ptp(sides[1]):
            assert [told_of["score_low"][0], told_of["score_high"][0]] == pytest.approx([ends.low, ends.high])
