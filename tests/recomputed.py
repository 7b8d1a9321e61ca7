"""The numbers of a report, computed again from the lines of a results folder by numpy and scipy alone.

Written after docs/statistics.md, and after nothing of the code: what the page does not say, this module cannot
compute. It reads the files itself and imports nothing of the harness.
"""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from scipy import stats

Json = dict[str, Any]
QUESTIONS = ("vs_sampling", "vs_search")


def lines(folder: Path, name: str) -> list[Json]:
    found: list[Json] = [msgspec.json.decode(line) for line in (folder / f"{name}.jsonl").read_bytes().splitlines()]
    return found


class Entry:
    """One entry in one setting: its runs by search seed, each a search and an outcome."""

    def __init__(self, about: Json, runs: list[tuple[Json, Json | None]], setting: Setting) -> None:
        self.about, self.setting = about, setting
        self.runs = sorted(runs, key=lambda run: run[0]["spec"]["search_seed"])
        self.n = len(runs)
        self.scores = [o["score"] if o is not None and o["status"] == "ok" else None for _, o in self.runs]
        self.valids = [
            None if s is None else (o or {})["valid"] for s, (_, o) in zip(self.scores, self.runs, strict=True)
        ]

    @property
    def known(self) -> list[float]:
        return [s for s in self.scores if s is not None]

    def at_mean(self, scores: list[float | None]) -> list[float]:
        """Failed runs at random sampling's mean."""
        return [self.setting.sampling["mean"] if s is None else s for s in scores]

    def at_worst(self, scores: list[float | None]) -> np.ndarray[Any, Any]:
        """Failed runs at the worst score known; higher is better."""
        return self.setting.sign * np.array([self.setting.worst if s is None else s for s in scores])

    def cost(self, of: Json) -> float:
        return float(of[self.setting.unit])

    def found_at(self, j: int, cost: float) -> tuple[float | None, float | None]:
        """Final and validation score of what run j had found when it had paid ``cost``; None: nothing yet."""
        search, outcome = self.runs[j]
        answer = None, None
        for place, incumbent in enumerate(search["incumbents"]):
            if incumbent[("queries", "epochs", "seconds").index(self.setting.unit)] <= cost:
                answer = (outcome or {})["incumbents"][place], incumbent[3]
        return answer


class Setting:
    def __init__(self, planned: Json, sampling: Json) -> None:
        self.planned, self.sampling = planned["setting"], sampling
        self.entries: list[Entry] = []
        self.references: list[Entry] = []
        budget = self.planned["budget"]
        self.unit = next(u for u in ("queries", "epochs", "seconds") if budget.get(u) is not None)
        self.limit = budget[self.unit]
        self.sign = 1.0 if sampling["score"]["higher_is_better"] else -1.0
        self.search_sign = 1.0 if sampling["search_score"]["higher_is_better"] else -1.0

    @property
    def everyone(self) -> list[Entry]:
        return [*self.entries, *self.references]

    @property
    def worst(self) -> float:
        known = [s for e in self.everyone for s in e.known] + [self.sampling["worst"], *self.sampling["draws"]]
        return min(known, key=lambda s: self.sign * s)

    @property
    def worst_valid(self) -> float:
        known = [v for e in self.everyone for v in e.valids if v is not None]
        known += [] if self.sampling["worst_valid"] is None else [self.sampling["worst_valid"]]
        return min(known, key=lambda s: self.search_sign * s)


def settings_of(folder: Path) -> list[Setting]:
    """The settings of a folder with one plan, in the order of the plan."""
    (plan,) = lines(folder, "plans")
    searches, outcomes, samplings = (
        {line["id"]: line for line in lines(folder, name)} for name in ("searches", "outcomes", "samplings")
    )
    found = [Setting(planned, samplings[planned["sampling"]]) for planned in plan["settings"]]
    for setting, entry, ids, scored in plan["cells"]:
        about = plan["entries"][entry]
        runs = [(searches[s], outcomes.get(o)) for s, o in zip(ids, scored, strict=True)]
        of = Entry(about, runs, found[setting])
        (found[setting].references if about["role"] == "reference" else found[setting].entries).append(of)
    return found


# -- tests -------------------------------------------------------------------------------------------------------------


def mann_whitney(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> float:
    """Exact up to 60 values: all sums of midranks of len(x) of the pooled values, counted one value after the other."""
    pooled = np.concatenate([x, y])
    if np.ptp(pooled) == 0:
        return 1.0
    if len(pooled) > 60:
        p: float = stats.mannwhitneyu(x, y, method="asymptotic").pvalue
        return p
    doubled = (2 * stats.rankdata(pooled)).astype(int)
    ways: list[dict[int, int]] = [{0: 1}, *({} for _ in x)]
    for rank in doubled.tolist():
        for taken in range(len(x), 0, -1):
            for total, many in ways[taken - 1].items():
                ways[taken][total + rank] = ways[taken].get(total + rank, 0) + many
    middle = len(x) * (len(pooled) + 1)
    seen = abs(int(doubled[: len(x)].sum()) - middle)
    far = sum(many for total, many in ways[len(x)].items() if abs(total - middle) >= seen)
    return far / math.comb(len(pooled), len(x))


def brunner_munzel(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> float:
    """Welch's t test on placements. 0 where all of each side are the same."""
    if np.ptp(np.concatenate([x, y])) == 0:
        return 1.0
    placements = [_shares(x, y), _shares(y, x)]
    if all(np.ptp(side) == 0 for side in placements):
        return 0.0
    # `stats.ttest_ind` compares the mean of one side with the other's; both placements have means that add up to 1.
    va, vb = (side.var(ddof=1) / len(side) for side in placements)
    df = (va + vb) ** 2 / (va**2 / (len(x) - 1) + vb**2 / (len(y) - 1))
    return float(2 * stats.t.sf(abs(placements[0].mean() - 0.5) / math.sqrt(va + vb), df))


def _shares(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.array([np.mean((y < value) + 0.5 * (y == value)) for value in x])


def against(ours: np.ndarray[Any, Any], references: list[np.ndarray[Any, Any]]) -> Json:
    """All references together: an intersection-union test."""
    differences = [ours.mean() - theirs.mean() for theirs in references]
    superiorities = [_shares(ours, theirs).mean() for theirs in references]
    signs = {np.sign(d) for d in differences} | {np.sign(s - 0.5) for s in superiorities}
    agree = len(signs) == 1 and 0 not in signs
    found: Json = {"n": max(map(len, references)), "p": 1.0, "difference": 0.0, "superiority": 0.5}
    if agree:
        found["p"] = max(max(mann_whitney(ours, r), brunner_munzel(ours, r)) for r in references)
        found["difference"] = min(differences, key=abs)
        found["superiority"] = min(superiorities, key=lambda s: abs(s - 0.5))
    if min(len(ours), *map(len, references)) < 5:
        found |= {"p": None, "superiority": None, "difference": min(differences, key=abs) if agree else 0.0}
    return found


def holm(p: list[float | None]) -> list[float | None]:
    family = sorted((value, place) for place, value in enumerate(p) if value is not None)
    found: list[float | None] = [None] * len(p)
    running = 0.0
    for step, (value, place) in enumerate(family):
        running = max(running, min(1.0, value * (len(family) - step)))
        found[place] = running
    return found


def verdict(found: Json) -> str:
    if found["p_study"] is not None and found["p_study"] < 0.05:
        if found["difference"] > 0 and found["superiority"] > 0.5:
            return "better"
        if found["difference"] < 0 and found["superiority"] < 0.5:
            return "worse"
    return "not shown to be better"


def read_at_own_cost(entry: Entry, reference: Entry) -> list[tuple[float | None, float | None]]:
    """Run j of the reference at the cost of the entry's run j mod n."""
    found = []
    for j, (search, _) in enumerate(reference.runs):
        run, score = entry.runs[j % entry.n], entry.scores[j % entry.n]
        whole = score is None or run[0]["paid"] is None or entry.cost(run[0]["paid"]) >= entry.setting.limit
        if whole or entry.cost(run[0]["paid"]) >= entry.cost(search["paid"]):
            found.append((reference.scores[j], reference.valids[j]))
        else:
            found.append(reference.found_at(j, entry.cost(run[0]["paid"])))
    return found


def tests_of(entry: Entry) -> dict[str, Json]:
    """Raw, of every question."""
    s, ours = entry.setting.sampling, entry.at_worst(entry.scores)
    failed = round(s["failed"] * len(s["draws"]) / s["n"])
    found = {"vs_sampling": against(ours, [entry.at_worst([*s["draws"], *[None] * failed])])}
    readings = [
        reading
        for reference in entry.setting.references
        for reading in (
            read_at_own_cost(entry, reference), list(zip(reference.scores, reference.valids, strict=True))
        )
    ]  # fmt: skip
    found["vs_search"] = against(ours, [entry.at_worst([score for score, _ in reading]) for reading in readings])

    def valid(values: list[float | None]) -> np.ndarray[Any, Any]:
        worst = entry.setting.worst_valid
        return entry.setting.search_sign * np.array([worst if v is None else v for v in values])

    found["valid_vs_search"] = against(valid(entry.valids), [valid([v for _, v in r]) for r in readings])
    return found


# -- lines of the table ------------------------------------------------------------------------------------------------


def student(values: list[float]) -> tuple[float, float]:
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def coverage_of_students(reference: list[float], n: int) -> float | None:
    """Of 4,000 studies of n runs drawn from the reference's: how many intervals hold its mean, to Monte Carlo error."""
    if len(reference) < 100:
        return None
    held = [
        low - 1e-9 <= np.mean(reference) <= high + 1e-9
        for low, high in map(student, np.random.default_rng(1).choice(reference, size=(4000, n)).tolist())
    ]
    return float(np.mean(held))


def mean_of(values: list[float | None]) -> float | None:
    return None if not values or None in values else float(np.mean(np.array(values, dtype=float)))


def fieller(x: list[float], y: float, y_std: float, k: int) -> tuple[float, float] | None:
    """The ends of the set of ratios r where (mean x - r y)^2 <= t^2 (vx + r^2 vy): roots of a quadratic in r."""
    mean, vx, vy = float(np.mean(x)), float(np.var(x, ddof=1)) / len(x), y_std**2 / k
    a, b = vx, (mean / y) ** 2 * vy
    t = stats.t.ppf(0.975, (a + b) ** 2 / (a**2 / (len(x) - 1) + b**2 / (k - 1)))
    if y**2 <= t**2 * vy:
        return None
    low, high = sorted(np.roots([y**2 - t**2 * vy, -2 * mean * y, mean**2 - t**2 * vx]).tolist())
    return low, high


def line_of(entry: Entry) -> Json:
    setting, s = entry.setting, entry.setting.sampling
    finals, n = entry.at_mean(entry.scores), entry.n
    outcomes = [o for _, o in entry.runs]
    low, high = student(finals)
    found: Json = {
        "label": entry.about["label"], "n": n, "failed": n - len(entry.known),
        "final_mean": np.mean(finals), "final_std": np.std(finals, ddof=1), "final_low": low, "final_high": high,
        "final_best": max(entry.known, key=lambda x: setting.sign * x),
        "final_iqm": stats.trim_mean(finals, 0.25),
        "worst_case_mean": np.mean([setting.worst if x is None else x for x in entry.scores]),
        "valid_mean": mean_of([s["valid_mean"] if v is None else v for v in entry.valids]),
        "rank_mean": mean_of([o["rank"] if o else None for o in outcomes]),
    }  # fmt: skip
    values, counts = np.unique(entry.known, return_counts=True)
    found["most_common_runs"] = counts.max()
    found["most_common"] = values[counts == counts.max()].max()
    tied = counts.max() >= 2 and counts.max() > len(entry.known) / 4
    coverage = coverage_of_students(setting.references[0].known, n)
    found["interval"] = "tied" if tied else "tails" if coverage is not None and coverage < 0.93 else "covers"
    found["interval_coverage"] = coverage

    def ri(value: float, acc: float) -> float:
        return setting.sign * 100 * (value - acc) / acc

    found["ri"] = ri(float(np.mean(finals)), s["mean"])
    found["ri_paper"] = ri(float(np.mean(finals)), float(np.mean(s["draws"][:n])))
    ends = [ri(end, s["mean"]) for end in (low, high)]
    if not s["exact"]:
        ratios = fieller(finals, s["mean"], s["std"], s["n"])
        assert ratios is not None
        ends = [setting.sign * 100 * (r - 1) for r in ratios]
    found["ri_low"], found["ri_high"] = sorted(ends)
    for name, of, best, mean, sign in (
        ("regret_mean", "regret", s["best"], s["mean"], setting.sign),
        ("valid_regret_mean", "valid_regret", s["best_valid"], s["valid_mean"], setting.search_sign),
    ):
        at_failure = None if not s["exact"] or best is None else sign * (best - mean)
        found[name] = mean_of(
            [at_failure if x is None else (o or {})[of] for x, o in zip(entry.scores, outcomes, strict=True)]
        )
    taus = [o["ktau"] for o in outcomes if o is not None and o["ktau"] is not None]
    for name, of in (("ktau", "test"), ("ktau_valid", "valid"), ("ktau_eq13", "eq13"), ("ktau_ctnas", "ctnas")):
        found[name] = mean_of([t[of] for t in taus])
    found["ktau_n"] = min((t["n"] for t in taus), default=None)
    paid = [search["paid"] for search, _ in entry.runs if search["paid"] is not None]
    asked = [search["asked"] for search, _ in entry.runs if search["paid"] is not None]
    found |= {f"paid_{unit}_mean": mean_of([p[unit] for p in paid]) for unit in ("queries", "epochs")}
    found["search_seconds_mean"] = mean_of([p["seconds"] for p in paid])
    found |= {f"{name}_mean": mean_of([a[of] for a in asked])
              for name, of in (("total_queries", "total"), ("distinct_keys", "keys"))}  # fmt: skip
    if entry.about["role"] == "entry":
        first = setting.references[0]
        beside = read_at_own_cost(entry, first)
        found["search_mean"] = np.mean(entry.at_mean([score for score, _ in beside]))
        found["search_whole_mean"] = np.mean(entry.at_mean(first.scores))
        found["search_valid_mean"] = mean_of([s["valid_mean"] if x is None else v for x, v in beside])
    return found


def report_of(folder: Path) -> list[Json]:
    """Of each setting what JSON says of it, the tests of a study of strict entries among it."""
    settings = settings_of(folder)
    raw = [[tests_of(e) for e in s.entries] for s in settings]
    in_study = iter(holm([t[q]["p"] for of_setting in raw for t in of_setting for q in QUESTIONS]))
    found = []
    for setting, of_setting in zip(settings, raw, strict=True):
        for question in (*QUESTIONS, "valid_vs_search"):
            for told, p in zip(of_setting, holm([t[question]["p"] for t in of_setting]), strict=True):
                told[question]["p_setting"] = p
        entries = []
        for entry, told in zip(setting.entries, of_setting, strict=True):
            for question in QUESTIONS:
                told[question]["p_study"] = next(in_study)
            told["valid_vs_search"]["p_study"] = None
            for answer in told.values():
                answer["verdict"] = verdict(answer)
            entries.append(line_of(entry) | told)
        entries.sort(key=lambda e: -setting.sign * e["final_mean"])
        s = setting.sampling
        found.append({
            "random_sampling": {name: s[name] for name in ("mean", "std", "exact", "n", "failed")},
            "best_validated": s["best_validated"], "tied": s["tied"], "best": s["best"], "worst": setting.worst,
            "ktau_of_validation": s["ktau_valid"], "split": s["split"],
            "entries": entries, "references": [line_of(r) for r in setting.references],
        })  # fmt: skip
    return found


# -- over settings, and along costs ------------------------------------------------------------------------------------


def everywhere(settings: list[Setting]) -> dict[str, list[Entry]]:
    """Entries and references that every setting has, by label."""
    labels = [{e.about["label"]: e for e in s.everyone} for s in settings]
    return {name: [s[name] for s in labels] for name in labels[0] if all(name in s for s in labels)}


def ranks(settings: list[Setting]) -> dict[str, list[float]]:
    """Of each entry on each setting, by mean score with failures at the worst."""
    of = everywhere(settings)
    means = np.array([[e.at_worst(e.scores).mean() for e in entries] for entries in of.values()]).round(9)
    return dict(zip(of, stats.rankdata(-means, axis=0).tolist(), strict=True))


def friedman(settings: list[Setting]) -> tuple[float, float]:
    found = stats.friedmanchisquare(*[np.negative(r) for r in ranks(settings).values()])
    return float(found.statistic), float(found.pvalue)


def nemenyi(settings: list[Setting]) -> dict[tuple[str, str], float]:
    """Nemenyi's p of each pair."""
    means = {name: float(np.mean(r)) for name, r in ranks(settings).items()}
    k = len(means)
    scale = math.sqrt(k * (k + 1) / (6 * len(settings)))
    return {
        (a, b): float(stats.studentized_range.sf(abs(means[a] - means[b]) * math.sqrt(2) / scale, k, np.inf))
        for a, b in combinations(means, 2)
    }


def interval_of_improvement(wins: list[np.ndarray[Any, Any]]) -> tuple[float, float]:
    """DeLong's variance of the mean over tasks, on the logit. wins: [ours, theirs] of each task, 1, 1/2 or 0."""
    p = float(np.mean([w.mean() for w in wins]))
    terms = [(np.var(w.mean(axis=axis), ddof=1) / n, n - 1) for w in wins for axis, n in ((1, len(w)), (0, len(w.T)))]
    variance = sum(v for v, _ in terms)
    half = stats.t.ppf(0.975, variance**2 / sum(v**2 / df for v, df in terms)) * np.sqrt(variance) / len(wins)
    low, high = (math.log(p / (1 - p)) + sign * half / (p * (1 - p)) for sign in (-1, 1))
    return 1 / (1 + math.exp(-low)), 1 / (1 + math.exp(-high))


def normalised(entry: Entry) -> np.ndarray[Any, Any]:
    s, sign = entry.setting.sampling, entry.setting.sign
    found: np.ndarray[Any, Any] = (entry.at_worst(entry.scores) - sign * s["mean"]) / (sign * (s["best"] - s["mean"]))
    return found


def along(entry: Entry, cost: float) -> tuple[list[float | None], list[float | None]]:
    """Final and validation score of each run's incumbent at a cost, failed runs at random sampling's mean."""
    s = entry.setting.sampling
    pairs = [
        (s["mean"], s["valid_mean"]) if score is None else entry.found_at(j, cost)
        for j, score in enumerate(entry.scores)
    ]
    return [final for final, _ in pairs], [valid for _, valid in pairs]
