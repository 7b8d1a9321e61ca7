"""Rules of a whole study."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.errors import counted
from harness.reading.compliance.finding import Finding, Ruling
from harness.reading.study import StudyRuns
from harness.running.study import FEWEST_SEEDS


def _several_data_sets(study: StudyRuns) -> Ruling:
    names = sorted({s.about.data_set for s in study.settings if s.about.data_set})
    if len(names) > 1:
        return True, f"{len(names)} data sets: {', '.join(names)}"
    unnamed = sorted({s.setting.task for s in study.settings if not s.about.data_set})
    if unnamed and (names or len(unnamed) > 1):
        return None, f"which data set they are of is not declared by {', '.join(unnamed)}"
    return False, f"a single data set, {(names or unnamed)[0]}: the result may not hold on another one"


def _complete(study: StudyRuns) -> Ruling:
    if study.missing:
        are = "is" if study.missing == 1 else "are"
        of_all = counted(study.planned, "planned run")
        return False, f"{study.missing} of {of_all} {are} missing; run the study again"
    return True, f"all {study.planned} planned runs are there"


def _one_study_seed(study: StudyRuns) -> Ruling:
    if study.given_up:
        seeds = ", ".join(map(str, study.given_up))
        return False, f"the folder's plans also had study seed {seeds}, and its results are not shown"
    return True, "every study seed that was planned here is shown"


def _seeds_fixed(study: StudyRuns) -> Ruling:
    looked_at = [n for n in study.seeds_before if n >= FEWEST_SEEDS]
    if looked_at:
        before = " and ".join(map(str, looked_at))
        return False, (
            f"the folder's plans also had {before} seeds, and {study.seeds} are shown: who sees results before the "
            "number is fixed finds more differences by chance than the tests say"
        )
    return True, "the number of seeds was fixed before there were results to report"


STUDY_RULES: dict[str, Callable[[StudyRuns], Ruling]] = {
    "several-data-sets": _several_data_sets,
    "complete": _complete,
    "one-study-seed": _one_study_seed,
    "seeds-fixed": _seeds_fixed,
}


def ablations(study: StudyRuns) -> Iterator[Finding]:
    """One finding a strategy: which of its ablations ran."""
    entries = [e.entry for s in study.settings for e in s.entries]
    for strategy in dict.fromkeys(e.strategy for e in entries):
        ran = sorted({e.ablation for e in entries if e.strategy == strategy and e.ablation})
        left = sorted(set(study.declared.get(strategy, ())) - set(ran))
        if left:
            ruling: Ruling = (False, f"ran: {', '.join(ran) or 'none'}; not run: {', '.join(left)}")
        elif ran:
            ruling = (True, f"ran: {', '.join(ran)}")
        else:
            ruling = (None, "it declares no component that can be taken off")
        yield Finding("ablations", *ruling, strategy)
