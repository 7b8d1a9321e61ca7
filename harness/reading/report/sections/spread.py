"""How random architectures spread: Yang, Esperança and Carlucci (ICLR 2020), Figure 4; of two spaces, Figure 6.

A method's gain says little where random architectures of the space differ by as much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from harness.errors import DataMissing, PluginError, UnknownName
from harness.protocol import Evaluator
from harness.reading import numbers
from harness.reading.agreement import Spread, spread
from harness.reading.report.section import Section, Source
from harness.reading.report.table import Column, Row, Table, name_column
from harness.reading.study import SettingRuns
from harness.records.identity import stream
from harness.records.specs import Setting
from harness.running.ranking import sampled

DRAWS = 214
"""The number of random architectures that Yang et al. train for the figure."""


class TaskSpread(msgspec.Struct, frozen=True, kw_only=True):
    """Final scores of 214 random architectures of a task, distinct rows by its law; of one that trains, of its draws.

    missing: why there are none, else null. mean, std: of all rows by the law (the population's), where recorded.
    Constraints restrict neither, and are in the title of a task that trains alone: its draws are under them. Of
    several settings that differ only in budget or constraints, ``setting`` is the first.
    """

    title: str
    setting: Setting
    unit: str | None = None
    missing: str | None = None
    drawn: Spread | None = None
    mean: float | None = None
    std: float | None = None


def spreads_of(source: Source, open_task: Callable[[str], Evaluator]) -> list[TaskSpread]:
    """The spread of each chosen task, opened by ``open_task``. Raises DataError for broken data."""
    return [_of_task(runs, open_task) for runs in source.tasks()]


def _of_task(runs: SettingRuns, open_task: Callable[[str], Evaluator]) -> TaskSpread:
    s = runs.setting
    found = partial(TaskSpread, title=s.title, setting=s)
    try:
        evaluator = open_task(s.task)
    except (DataMissing, PluginError, UnknownName) as error:
        return found(missing=f"it needs the task's data: {error}")
    if not evaluator.task.recorded:
        draws = [] if runs.sampling is None else runs.sampling.draws
        why = None if draws else "random sampling has no score yet"
        return found(unit=evaluator.score.unit, drawn=spread(draws), missing=why)
    rng = stream(runs.study_seed, "spread", s.task)
    archs = sampled(evaluator, s.law, s.final, rng, DRAWS)
    truth = evaluator.truth(s.final)
    mean, std = (None, None) if truth is None else truth.mean_std(s.law)
    drawn = spread(evaluator.final_scores(archs, final=s.final).scores)
    whole = msgspec.structs.replace(s, constraints=()).title
    return found(title=whole, unit=evaluator.score.unit, drawn=drawn, mean=mean, std=std)


def _table(found: Sequence[TaskSpread]) -> Table:
    columns = (
        name_column("task"), Column("drawn"), Column("mean"), Column("std"), Column("lowest"), Column("highest"),
        Column("all rows", dropped=1),
    )  # fmt: skip
    return Table(
        "spread of random architectures",
        columns,
        tuple(Row(_cells(t)) for t in found if t.drawn is not None),
        legend="std: ddof 1; all rows: mean ± standard deviation of every row by the law, where recorded",
        footnotes=tuple(f"{t.title}: none, since {t.missing}" for t in found if t.missing),
    )


def _cells(t: TaskSpread) -> tuple[str, ...]:
    places = numbers.decimals(t.unit)
    assert t.drawn is not None
    shown = [numbers.number(v, places) for v in (t.drawn.mean, t.drawn.std, t.drawn.low, t.drawn.high)]
    whole = numbers.NONE if t.mean is None else f"{numbers.number(t.mean, places)} ± {numbers.number(t.std, places)}"
    return t.title, str(t.drawn.n), *shown, whole


SECTION = Section("spread", lambda source: spreads_of(source, source.open_task), lambda found, _: [_table(found)])
