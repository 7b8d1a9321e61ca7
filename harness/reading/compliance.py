"""Best practice of NAS evaluation, rule by rule, checked on the records alone.

The rules are those of Yang, Esperança and Carlucci ("NAS evaluation is frustratingly hard", ICLR 2020, section 6), as
far as records can show them, and what the harness itself promises. ``ok``: true, false, or null where the rule does not
apply or the records cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from harness.errors import counted
from harness.reading.analysis.matched import matched_scores
from harness.reading.analysis.results import STRICT, Results, Runs, TaskRuns
from harness.records.store import Record
from harness.running.study import FEWEST_SEEDS


class Finding(msgspec.Struct, frozen=True):
    """What a rule says of its scope: ``study``, a task's name, or ``task: row``."""

    rule: str
    ok: bool | None
    why: str
    scope: str


_Verdict = tuple[bool | None, str]
StudyRule = Callable[[Results], _Verdict]
TaskRule = Callable[[TaskRuns], _Verdict]
RowRule = Callable[[TaskRuns, Runs], _Verdict]


def check_compliance(results: Results) -> list[Finding]:
    """Every rule on the study, then on each task, then on each row."""
    return list(_findings(results))


def row_scope(task: TaskRuns, row: Runs) -> str:
    """The scope of what is found on one row."""
    return f"{task.title}: {row.title}"


def _findings(results: Results) -> Iterator[Finding]:
    for name, study_rule in STUDY_RULES.items():
        yield Finding(name, *study_rule(results), "study")
    for name, task_rule in TASK_RULES.items():
        for task in results.tasks:
            yield Finding(name, *task_rule(task), task.title)
    for name, row_rule in ROW_RULES.items():
        for task in results.tasks:
            for row in task.rows:
                yield Finding(name, *row_rule(task, row), row_scope(task, row))
    yield from _complete(results)
    yield from _with_and_without_tricks(results)
    yield from _ablations(results)


# -- the study ------------------------------------------------------------------------------------------------------


def _several_data_sets(results: Results) -> _Verdict:
    data_sets = sorted({task.task.partition("@")[0] for task in results.tasks})
    if len(data_sets) < 2:
        return False, f"a single data set, {data_sets[0]}: what holds here need not hold elsewhere"
    return True, f"{len(data_sets)} data sets"


def _modes_apart(results: Results) -> _Verdict:
    others = sorted({row.mode for task in results.tasks for row in task.rows} - {STRICT})
    if not others:
        return True, "every row is strict"
    return True, f"rows of mode {', '.join(others)} are flagged, ranked and tested apart from strict ones"


STUDY_RULES: dict[str, StudyRule] = {"several-data-sets": _several_data_sets, "modes-apart": _modes_apart}


# -- a task ---------------------------------------------------------------------------------------------------------


def _random_sampling(task: TaskRuns) -> _Verdict:
    b = task.baseline
    if b is None:
        return False, "random sampling of this task is not in the study's folder, so there is no RI"
    how = f"exact over {b.n} rows" if b.exact else f"from {b.n} draws"
    return True, f"{b.mean:.2f} +- {b.std:.2f}, {how}, law {b.law}"


def _one_final_protocol(task: TaskRuns) -> _Verdict:
    digests = {str(r.provenance.get("data_digest", "")) for r in task.records}
    seeds = {r.seeds.final for r in task.records}
    if len(digests) > 1:
        return False, f"rows come from {len(digests)} different versions of the data"
    if len(seeds) > 1:
        return False, f"rows were finally trained under {len(seeds)} different seeds"
    seed = next(iter(seeds))
    return True, f"final {task.final!r} for every row" + ("" if seed is None else f", training seed {seed}")


def _separate_seeds(task: TaskRuns) -> _Verdict:
    if _recorded(task):
        return True, "search seeds number the runs; the final training is recorded and common to all"
    return True, "search seeds number the runs; one final training seed is common to all"


def _final_on_test(task: TaskRuns) -> _Verdict:
    if task.split == "test":
        return True, "final scores are on data that no strict search sees"
    return False, f"no test data exist here: the final score is the {task.split} score that the search itself saw"


def _protocol_named(task: TaskRuns) -> _Verdict:
    unnamed = [r for r in task.records if not r.provenance.get("task")]
    if unnamed:
        return (
            False,
            f"{counted(len(unnamed), 'run does', 'runs do')} not say which protocol and data they were scored by",
        )
    if _recorded(task) and any(not r.provenance.get("data_digest") for r in task.records):
        return False, "the records carry no digest of the data"
    return True, "protocol, data and digest stand in every record"


def _same_depth(task: TaskRuns) -> _Verdict:
    if task.search_task != task.task:
        return None, f"searched on {task.search_task}, scored on {task.task}: the gap is the study's own"
    if _recorded(task):
        return True, "search and final score come from the same recorded network"
    return None, "the records do not say whether search and final training use one depth"


def _final_epoch(task: TaskRuns) -> _Verdict:
    stated = {str(_of(r, "task").get("epoch", "")) for r in task.records} - {""}
    if stated == {"final"}:
        return True, "scores of the last epoch"
    if stated:
        return False, f"scores of the {', '.join(sorted(stated))} epoch"
    return None, "the protocol does not say which epoch its scores are of"


TASK_RULES: dict[str, TaskRule] = {
    "random-sampling": _random_sampling,
    "one-final-protocol": _one_final_protocol,
    "separate-seeds": _separate_seeds,
    "final-score-on-test": _final_on_test,
    "protocol-named": _protocol_named,
    "same-depth": _same_depth,
    "final-epoch": _final_epoch,
}


# -- a row ----------------------------------------------------------------------------------------------------------


def _search_seeds(_task: TaskRuns, row: Runs) -> _Verdict:
    n = len({r.seeds.search for r in row.records})
    if n < FEWEST_SEEDS:
        return False, f"{counted(n, 'search seed')}, at least {FEWEST_SEEDS} are asked for"
    return True, counted(n, "search seed")


def _matched_search(task: TaskRuns, row: Runs) -> _Verdict:
    reference = task.reference_of(row)
    if reference is None:
        return False, "no random search under the settings of this mode"
    if matched_scores(row, reference, task.budget)[0] is None:
        return False, "matched random search has no score for every run at its cost"
    return True, "random search of the same seeds, read off at each run's own cost"


def _no_failed_run(_task: TaskRuns, row: Runs) -> _Verdict:
    if not row.failed:
        return True, "every run finished"
    named = "; ".join(f"seed {r.seeds.search} {r.status}: {r.error or 'no final score'}" for r in row.failed[:3])
    more = f"; and {len(row.failed) - 3} more" if len(row.failed) > 3 else ""
    how_many = f"{len(row.failed)} of {counted(len(row.records), 'run')} failed"
    return False, f"{how_many}, each scores random sampling's mean ({named}{more})"


def _strict(_task: TaskRuns, row: Runs) -> _Verdict:
    if row.mode == STRICT:
        return True, "validation scores only, each one paid; reported without a look at test scores"
    told = []
    if row.settings.get("oracle") == "test":
        told.append("searched on test scores")
    if row.settings.get("report") == "best_of_returned":
        told.append(f"reports the best final score among {row.settings.get('top')} returned")
    return False, f"mode {row.mode}: {' and '.join(told) or 'differs from strict as the strategy describes'}"


def _tuning(_task: TaskRuns, row: Runs) -> _Verdict:
    stated = {r.tuning_queries for r in row.records}
    if None in stated:
        return False, "tuning_queries is not stated: say what tuning its parameters cost, 0 where nothing was tuned"
    return True, f"queries spent on tuning: {', '.join(f'{s:,}' for s in sorted(s for s in stated if s is not None))}"


def _accounting(task: TaskRuns, row: Runs) -> _Verdict:
    for r in row.counted:
        a = r.asked
        if a.total != r.paid.queries + a.cached + a.invalid + a.infeasible + a.missing:
            return False, f"seed {r.seeds.search}: the calls do not add up to their total"
        if task.budget.queries is not None and r.paid.queries > task.budget.queries:
            return False, f"seed {r.seeds.search}: paid {r.paid.queries} of {task.budget.queries} queries"
        if a.keys > r.paid.queries:
            return False, f"seed {r.seeds.search}: more distinct architectures than paid queries"
    return True, "every call is paid, cached, invalid or refused; none above the budget"


def _cost(_task: TaskRuns, row: Runs) -> _Verdict:
    unknown = len(row.records) - len(row.counted)
    if unknown:
        return False, f"what {counted(unknown, 'killed run')} paid is not known"
    seconds = "" if any(r.paid.seconds is None for r in row.records) else " and training seconds"
    return True, f"paid queries{seconds}, and wall time"


def _spread(_task: TaskRuns, row: Runs) -> _Verdict:
    if len(row.records) < 2:
        return False, "one run has neither a standard deviation nor an interval"
    return True, "mean, standard deviation (ddof 1), best, n and interval"


def _code(_task: TaskRuns, row: Runs) -> _Verdict:
    for r in row.records:
        code = _of(r, "code")
        if not code.get("version") and not code.get("sha256"):
            return False, f"seed {r.seeds.search} names neither a version nor a digest of the strategy's code"
    return True, "version or digest of the strategy's code, and all its parameters"


def _architectures(_task: TaskRuns, row: Runs) -> _Verdict:
    without = [r.seeds.search for r in row.records if r.final.score is not None and not r.returned]
    if without:
        seeds = "seed" if len(without) == 1 else "seeds"
        return False, f"{seeds} {', '.join(map(str, without))}: the reported architecture is not named"
    return True, "the reported architecture and the seeds of every run"


def _tau_stated(_task: TaskRuns, row: Runs) -> _Verdict:
    measured = [r.ktau for r in row.records if r.ktau is not None]
    if not measured:
        return None, "it learns no order"
    return True, f"tau-b against final scores of {min(t.n for t in measured)} rows never queried; other variants beside"


ROW_RULES: dict[str, RowRule] = {
    "search-seeds": _search_seeds,
    "matched-random-search": _matched_search,
    "no-failed-run": _no_failed_run,
    "strict-mode": _strict,
    "tuning-stated": _tuning,
    "accounting": _accounting,
    "search-cost": _cost,
    "spread": _spread,
    "code-version": _code,
    "architectures": _architectures,
    "ktau-variant": _tau_stated,
}


# -- what takes the whole study -------------------------------------------------------------------------------------


def _complete(results: Results) -> Iterator[Finding]:
    plan = results.plan
    if plan is None:
        yield Finding("complete", None, "the folder does not say what was planned", "study")
        return
    missing = len(set(plan.ids) - {r.id for r in results.records})
    if missing:
        is_ = "is" if missing == 1 else "are"
        why = f"{missing} of {counted(len(plan.ids), 'planned run')} {is_} missing; run the study again"
        yield Finding("complete", False, why, "study")
    else:
        yield Finding("complete", True, f"all {len(plan.ids)} planned runs are there", "study")


def _with_and_without_tricks(results: Results) -> Iterator[Finding]:
    rule = "with-and-without-tricks"
    for task in results.tasks:
        data_set, _, variant = task.task.partition("@")
        variants = sorted(
            {t.task.partition("@")[2] or "no tricks" for t in results.tasks if t.task.partition("@")[0] == data_set}
        )
        if _recorded(task):
            why = "recorded: every architecture was trained under the one protocol of the benchmark"
            yield Finding(rule, None, why, task.title)
        elif len(variants) < 2:
            yield Finding(rule, False, f"trained under one protocol only, {variant or 'no tricks'}", task.title)
        else:
            yield Finding(rule, True, f"protocols of this data set: {', '.join(variants)}", task.title)


def _ablations(results: Results) -> Iterator[Finding]:
    """One finding a strategy: which of its ablations ran."""
    rows = [row for task in results.tasks for row in task.rows]
    for strategy in dict.fromkeys(row.strategy for row in rows):
        ran = sorted({row.ablation for row in rows if row.strategy == strategy and row.ablation})
        declared = None if results.plan is None else results.plan.ablations_declared.get(strategy)
        yield Finding("ablations", *_ablated(ran, declared), strategy)


def _ablated(ran: list[str], declared: Iterable[str] | None) -> _Verdict:
    if declared is None:
        return (True, f"ran: {', '.join(ran)}") if ran else (None, "none ran; which exist is not recorded")
    left = sorted(set(declared) - set(ran))
    if not ran and not left:
        return None, "it declares no component that can be taken off"
    if left:
        return False, f"ran: {', '.join(ran) or 'none'}; not run: {', '.join(left)}"
    return True, f"ran: {', '.join(ran)}"


def _recorded(task: TaskRuns) -> bool:
    return all(r.seeds.final is None for r in task.records)


def _of(record: Record, key: str) -> dict[str, Any]:
    value = record.provenance.get(key)
    return value if isinstance(value, dict) else {}
