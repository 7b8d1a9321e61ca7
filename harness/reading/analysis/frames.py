"""Records and summaries as pandas DataFrames, for notebooks and exports. pandas is imported when one is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from harness.reading.analysis.summary import TaskSummary
from harness.records.store import Record

if TYPE_CHECKING:
    import pandas as pd

RUN_COLUMNS = (
    "id", "study", "task", "search_task", "law", "final", "split", "constraints", "strategy", "label", "role", "mode",
    "ablation", "study_seed", "search_seed", "final_seed", "status", "ended_by", "score", "valid", "rank", "regret",
    "valid_regret", "ktau", "ktau_valid", "paid_queries", "paid_epochs", "paid_seconds", "asked", "cached", "invalid",
    "keys", "search_seconds", "tuning_queries", "reported",
)  # fmt: skip
POINT_COLUMNS = ("id", "task", "label", "mode", "role", "search_seed", "queries", "epochs", "seconds", "valid", "final")


def runs_frame(records: Iterable[Record]) -> pd.DataFrame:
    """One line a run, columns `RUN_COLUMNS`; scores as they were recorded, missing where a run has none."""
    import pandas as pd

    return pd.DataFrame([_run(r) for r in records], columns=list(RUN_COLUMNS))


def incumbents_frame(records: Iterable[Record]) -> pd.DataFrame:
    """One line for each change of an incumbent, columns `POINT_COLUMNS`: every anytime curve."""
    import pandas as pd

    lines = [
        (r.id, r.task, r.label, r.mode, r.role, r.seeds.search, i.queries, i.epochs, i.seconds, i.valid, i.final)
        for r in records
        for i in r.incumbents
    ]
    return pd.DataFrame(lines, columns=list(POINT_COLUMNS))


def rows_frame(tasks: Sequence[TaskSummary]) -> pd.DataFrame:
    """One line for each row of each task: the fields of `RowSummary` behind those that say which task."""
    import pandas as pd

    lines = [
        {
            "task": task.task,
            "search_task": task.search_task,
            "law": task.law,
            "constraints": " and ".join(task.constraints),
            "sampling_mean": task.random_sampling.mean,
            "ceiling": task.ceiling,
            **msgspec.structs.asdict(row),
        }
        for task in tasks
        for row in task.rows
    ]
    return pd.DataFrame(lines)


def _run(r: Record) -> tuple[Any, ...]:
    return (
        r.id, r.study, r.task, r.search_task, r.law, r.final.value, r.final.split, " and ".join(r.constraints),
        r.strategy, r.label, r.role, r.mode, r.ablation, r.seeds.study, r.seeds.search, r.seeds.final, r.status,
        r.ended_by, r.final.score, r.final.valid, r.final.rank, r.final.regret, r.final.valid_regret,
        r.ktau.test if r.ktau else None, r.ktau.valid if r.ktau else None, r.paid.queries, r.paid.epochs,
        r.paid.seconds, r.asked.total, r.asked.cached, r.asked.invalid, r.asked.keys, r.timing.get("search_seconds"),
        r.tuning_queries, r.reported,
    )  # fmt: skip
