"""Rules of an entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice

from harness.errors import counted
from harness.reading import numbers
from harness.reading.compliance.finding import Ruling
from harness.reading.matched import all_of, beside, cost_of
from harness.reading.study import EntryRuns, SettingRuns
from harness.records.specs import STRICT
from harness.running.study import FEWEST_SEEDS
from harness.search.budget import UNITS, Unit

_ALIKE = 0.01
"""Costs that differ by a smaller share are equal."""


def _search_seeds(_: SettingRuns, entry: EntryRuns) -> Ruling:
    n = len({r.seed for r in entry.runs})
    if n < FEWEST_SEEDS:
        return False, f"{counted(n, 'search seed')}, at least {FEWEST_SEEDS} are needed"
    return True, counted(n, "search seed")


def _seeds_in_order(_: SettingRuns, entry: EntryRuns) -> Ruling:
    """No run is left out, and no run is there twice."""
    seeds = [r.seed for r in entry.runs]
    if seeds == list(range(len(seeds))):
        return True, f"search seeds 0 to {len(seeds) - 1}, each once"
    twice = sorted(seed for seed, times in Counter(seeds).items() if times > 1)
    known = set(seeds)
    left = list(islice((seed for seed in range(max(seeds)) if seed not in known), 6))
    told = [f"{', '.join(map(str, left[:5]))}{', ...' * (len(left) > 5)} left out"] if left else []
    told += [f"{', '.join(map(str, twice))} more than once"] if twice else []
    return False, f"search seeds are not 0, 1, 2, ...: {' and '.join(told)}"


def _runs_differ(_: SettingRuns, entry: EntryRuns) -> Ruling:
    """No run is a copy of another one under another seed."""
    same: dict[str, list[int]] = {}
    for run in entry.runs:
        if run.search.queries_sha256 and run.paid is not None and run.paid.queries > 1:
            same.setdefault(run.search.queries_sha256, []).append(run.seed)
    copies = [seeds for seeds in same.values() if len(set(seeds)) > 1]
    if copies:
        seeds = ", ".join(map(str, copies[0]))
        return False, f"seeds {seeds} paid for the same queries in the same order: copied, or nothing is drawn"
    return True, "no two runs paid for the same queries in the same order"


def _matched_search(setting: SettingRuns, entry: EntryRuns) -> Ruling:
    told = []
    for reference in setting.references_of(entry.entry):
        n, m, name = len(entry.runs), len(reference.runs), reference.entry.label
        if m < n:
            return False, f"{name} has {counted(m, 'run')}, fewer than the {n} of the entry"
        if beside(reference, entry, setting.setting.budget) is None:
            return False, f"what {name} had found at the cost of each run is not known"
        nothing = f", of which {len(reference.failed)} without a final score" if reference.failed else ""
        told.append(f"{counted(m, 'run')} of {name}{nothing}")
    if not told:
        return False, "no random search that is scored as this entry is"
    return True, f"{' and '.join(told)}, read at each run's own cost and at the whole budget"


def _no_failed_run(_: SettingRuns, entry: EntryRuns) -> Ruling:
    if not entry.failed:
        return True, "every run finished"
    how_many = f"{len(entry.failed)} of {counted(len(entry.runs), 'run')} failed"
    why = numbers.listed(entry.failures, between="; ")
    return False, f"{how_many}, each stands at the worst score known in verdicts ({why})"


def _strict(_: SettingRuns, entry: EntryRuns) -> Ruling:
    scoring = entry.entry.scoring
    told = []
    if scoring.oracle == "test":
        told.append("searched on test scores")
    if scoring.report == "best_of_returned":
        told.append(f"reports the best final score among {scoring.top} returned")
    if entry.entry.mode == STRICT and not told:
        return True, "validation scores only, each one paid; reported without a look at test scores"
    return False, f"mode {entry.entry.mode}: {' and '.join(told) or 'differs from strict as the strategy describes'}"


def _tuning_stated(_: SettingRuns, entry: EntryRuns) -> Ruling:
    spent = entry.entry.tuning_queries
    if spent is None:
        return False, "tuning_queries is not stated: say what tuning its parameters cost, 0 where nothing was tuned"
    return True, f"queries spent on tuning: {spent:,}"


def _tuning_matched(setting: SettingRuns, entry: EntryRuns) -> Ruling:
    spent = entry.entry.tuning_queries
    if spent is None:
        return None, "what tuning cost is not stated"
    reference = setting.reference_of(entry.entry)
    had = (reference.entry.tuning_queries if reference is not None else None) or 0
    if spent > had:
        queries = counted(spent, "query", "queries")
        return False, f"{queries} went into its parameters beside the budget, and matched random search had {had:,}"
    return True, "its parameters cost no query that matched random search did not have"


def _accounting(setting: SettingRuns, entry: EntryRuns) -> Ruling:
    limit = setting.setting.budget.queries
    for r in entry.runs:
        if r.paid is None:
            continue
        a, paid = r.asked, r.paid.queries
        if a.total != paid + a.cached + a.invalid + a.infeasible + a.missing:
            return False, f"seed {r.seed}: the calls do not add up to their total"
        if limit is not None and paid > limit:
            return False, f"seed {r.seed}: paid {paid} of {limit} queries"
        if a.keys > paid:
            return False, f"seed {r.seed}: more distinct architectures than paid queries"
    return True, "every call is paid, cached, invalid or refused; no more queries paid than budgeted"


def _cost_as_reference(setting: SettingRuns, entry: EntryRuns) -> Ruling:
    """The last query may cross the limit, and further than the reference's last query did."""
    reference = setting.reference_of(entry.entry)
    unit = setting.setting.budget.unit
    ours, theirs = _costs(entry, unit), _costs(reference, unit)
    if not ours or not theirs:
        return None, "what it or matched random search paid is not known"
    mean, limit = sum(ours) / len(ours), sum(theirs) / len(theirs)
    if mean > limit * (1 + _ALIKE):
        return False, f"it paid {numbers.paid(mean, unit)} a run, matched random search {numbers.paid(limit, unit)}"
    told = [f"no more {unit} paid than matched random search, within 1 %"]
    for other in UNITS:
        more, most = _costs(entry, other), _costs(reference, other)
        if other != unit and more and most and mean and limit and sum(most):
            each, theirs_each = sum(more) / sum(ours), sum(most) / sum(theirs)
            if abs(each - theirs_each) > _ALIKE * theirs_each:
                a, b = numbers.paid(each * mean, other), numbers.paid(theirs_each * mean, other)
                told.append(f"for the same {unit} it paid {a} a run, matched random search {b}")
    return True, "; ".join(told)


def _costs(entry: EntryRuns | None, unit: Unit) -> list[float]:
    """Empty where one is not known."""
    paid = [] if entry is None else [r.paid for r in entry.runs if r.paid is not None]
    return all_of(cost_of(p, unit) for p in paid) or []


def _stopping(setting: SettingRuns, entry: EntryRuns) -> Ruling:
    """A run that stops when its score is good chooses the cost at which it is compared."""
    unit = setting.setting.budget.unit
    limit = getattr(setting.setting.budget, unit)
    costs = [min(c, limit) for c in _costs(entry, unit)]
    if not costs:
        return None, "what its runs paid is not known"
    if max(costs) - min(costs) <= _ALIKE * limit:
        return True, "its runs paid alike within 1 % of the budget, whatever they found"
    ends = f"{numbers.count(min(costs))} to {numbers.paid(max(costs), unit)}"
    return False, f"its runs ended at {ends} of {numbers.count(limit)}: when to stop may hang on what was found"


def _search_cost(_: SettingRuns, entry: EntryRuns) -> Ruling:
    unknown = len(entry.runs) - len(entry.counted)
    if unknown:
        return False, f"{counted(unknown, 'run')} left no count of what was paid"
    seconds = "" if not _costs(entry, "seconds") else " and training seconds"
    return True, f"paid queries{seconds}, and wall time"


def _spread(_: SettingRuns, entry: EntryRuns) -> Ruling:
    if len(entry.runs) < 2:
        return False, "one run has neither a standard deviation nor an interval"
    return True, "mean, standard deviation (ddof 1), best, n and interval"


def _code(_: SettingRuns, entry: EntryRuns) -> Ruling:
    for r in entry.runs:
        code = r.search.spec.code
        if not code.get("version") and not code.get("sha256"):
            return False, f"seed {r.seed} names neither a version nor a digest of the strategy's code"
    return True, "version or digest of the strategy's code, and all its parameters"


def _architectures(_: SettingRuns, entry: EntryRuns) -> Ruling:
    without = [r.seed for r in entry.runs if r.score is not None and (r.outcome is None or r.outcome.arch is None)]
    if without:
        seeds = "seed" if len(without) == 1 else "seeds"
        return False, f"{seeds} {', '.join(map(str, without))}: the reported architecture is not named"
    return True, "the reported architecture of every run that has a final score"


def _deterministic(_: SettingRuns, entry: EntryRuns) -> Ruling:
    again = [(r.seed, r.replay) for r in entry.runs if r.replay is not None]
    if not again:
        return None, "no run was carried out again"
    for seed, replay in again:
        if replay.differs is not None:
            why = f"seed {seed} was carried out again, and {replay.differs}"
            return False, f"not deterministic, or its record was changed: {why}"
    return True, f"{len(again)} of {counted(len(entry.runs), 'run')} carried out again, all the same"


def _tau_stated(_: SettingRuns, entry: EntryRuns) -> Ruling:
    """Without a tau, nobody knows how good a learned order is."""
    measured = [r.ktau for r in entry.runs if r.ktau is not None]
    unmeasured = [r.seed for r in entry.runs if r.search.ordered and r.ktau is None]
    if unmeasured and measured:
        return False, f"seed {', '.join(map(str, unmeasured))}: learned an order that was not measured"
    if not measured:
        learned = "its learned order was not measured" if unmeasured else "it learns no order"
        return None, learned
    return True, f"tau-b against final scores of {min(t.n for t in measured)} rows never queried; other variants beside"


ENTRY_RULES: dict[str, Callable[[SettingRuns, EntryRuns], Ruling]] = {
    "search-seeds": _search_seeds,
    "seeds-in-order": _seeds_in_order,
    "runs-differ": _runs_differ,
    "matched-random-search": _matched_search,
    "cost-as-reference": _cost_as_reference,
    "stopping": _stopping,
    "no-failed-run": _no_failed_run,
    "strict-mode": _strict,
    "tuning-stated": _tuning_stated,
    "tuning-matched": _tuning_matched,
    "accounting": _accounting,
    "search-cost": _search_cost,
    "spread": _spread,
    "code-version": _code,
    "deterministic": _deterministic,
    "architectures": _architectures,
    "ktau-variant": _tau_stated,
}
