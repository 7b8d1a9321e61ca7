"""A study as pandas data frames. What does not exist is missing (NaN or None). pandas is imported when one is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from harness.reading.report.formats import lines_of
from harness.reading.study import SettingRuns
from harness.reading.summary import Against, SettingSummary
from harness.records.runs import Run

if TYPE_CHECKING:
    import pandas as pd

BEST_OF = 10
QUESTIONS = ("vs_sampling", "vs_search", "valid_vs_search")


def frame_of(items: Sequence[msgspec.Struct]) -> pd.DataFrame:
    """The lines of `lines_of`, in the columns of the CSV format."""
    import pandas as pd

    return pd.DataFrame(lines_of(items))


def runs_frame(settings: Iterable[SettingRuns]) -> pd.DataFrame:
    """A line for each run, entries before references, by setting. Scores as they were recorded."""
    import pandas as pd

    return pd.DataFrame([_run(setting, run) for setting in settings for run in setting.runs])


def _run(setting: SettingRuns, run: Run) -> dict[str, Any]:
    entry, search, outcome, paid, asked = run.entry, run.search, run.outcome, run.paid, run.asked
    best_of = [s for s in outcome.scores[:BEST_OF] if s is not None] if outcome is not None else []
    return {
        "title": setting.title,
        **lines_of([setting.setting])[0],
        "strategy": entry.strategy,
        "label": entry.label,
        "mode": entry.mode,
        "role": entry.role,
        "ablation": entry.ablation,
        "study_seed": search.spec.study_seed,
        "search_seed": run.seed,
        "status": run.status,
        "error": run.error,
        "ended_by": search.ended_by,
        "score": run.score,
        "valid": run.valid,
        "rank": outcome.rank if outcome is not None else None,
        "regret": outcome.regret if outcome is not None else None,
        "valid_regret": outcome.valid_regret if outcome is not None else None,
        "best_of_ten": setting.score.best(best_of) if best_of and setting.score is not None else None,
        "ktau": run.ktau.test if run.ktau is not None else None,
        "ktau_rows": run.ktau.test_rows if run.ktau is not None else None,
        "ktau_valid": run.ktau.valid if run.ktau is not None else None,
        "paid_queries": paid.queries if paid is not None else None,
        "paid_epochs": paid.epochs if paid is not None else None,
        "paid_seconds": paid.seconds if paid is not None else None,
        "asked": asked.total,
        "cached": asked.cached,
        "invalid": asked.invalid,
        "infeasible": asked.infeasible,
        "missing": asked.missing,
        "keys": asked.keys,
        "wall_seconds": search.timing.get("search_seconds"),
        "cpu_seconds": search.timing.get("cpu_seconds"),
        "reported": outcome.reported if outcome is not None else None,
        "id": search.id,
    }


def tests_frame(settings: Sequence[SettingSummary]) -> pd.DataFrame:
    """A line for each question of each entry, with the fields of `Against`."""
    import pandas as pd

    lines = []
    for setting in settings:
        for entry in setting.entries:
            about = {"title": setting.title, **lines_of([setting.setting])[0], "label": entry.label, "mode": entry.mode}
            for question in QUESTIONS:
                against: Against = getattr(entry, question)
                lines.append(about | {"question": question} | msgspec.structs.asdict(against))
    return pd.DataFrame(lines)
