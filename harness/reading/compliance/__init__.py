"""Best practice of NAS evaluation, rule by rule, checked on the records.

The rules are those of Yang, Esperança and Carlucci ("NAS evaluation is frustratingly hard", ICLR 2020, section 6), as
far as records can show them, and what the harness itself promises. `docs/compliance.md` defines each rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.protocol import Evaluator
from harness.reading.compliance.entries import ENTRY_RULES
from harness.reading.compliance.finding import Finding, entry_scope
from harness.reading.compliance.settings import SETTING_RULES
from harness.reading.compliance.tables import scores_as_in_the_table
from harness.reading.compliance.whole import STUDY_RULES, ablations
from harness.reading.study import StudyRuns

__all__ = ["Finding", "check_compliance", "entry_scope"]


def check_compliance(study: StudyRuns, open_task: Callable[[str], Evaluator] | None = None) -> list[Finding]:
    """Every rule on the study, then on each setting, then on each entry.

    open_task: opens a task, so that scores are compared with its table; None: they are not compared.
    """
    return list(_findings(study, open_task))


def _findings(study: StudyRuns, open_task: Callable[[str], Evaluator] | None) -> Iterator[Finding]:
    for name, study_rule in STUDY_RULES.items():
        yield Finding(name, *study_rule(study), "study")
    for name, setting_rule in SETTING_RULES.items():
        for setting in study.settings:
            yield Finding(name, *setting_rule(study, setting), setting.title)
    for setting in study.settings:
        yield Finding("scores-as-in-the-table", *scores_as_in_the_table(setting, open_task), setting.title)
    for name, entry_rule in ENTRY_RULES.items():
        for setting in study.settings:
            for entry in setting.entries:
                yield Finding(name, *entry_rule(setting, entry), entry_scope(setting, entry))
    yield from ablations(study)
