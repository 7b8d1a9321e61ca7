"""A study as pandas data frames. What does not exist is missing (NaN or None). pandas is imported when one is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import HarnessError, UnknownName
from harness.reading.report.formats import fields_of, lines_of
from harness.reading.study import SettingRuns
from harness.reading.summary import Against, SettingSummary
from harness.records.runs import Run
from harness.records.specs import STRICT
from harness.search.budget import UNITS
from harness.statistics.inference import t_interval

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
    search, outcome, ktau = run.search, run.outcome, fields_of(run.ktau, "test", "test_rows", "valid")
    best_of = [s for s in outcome.scores[:BEST_OF] if s is not None] if outcome is not None else []
    return {
        "title": setting.title,
        **lines_of([setting.setting])[0],
        **fields_of(run.entry, "strategy", "label", "mode", "role", "ablation"),
        "study_seed": search.spec.study_seed,
        "search_seed": run.seed,
        **fields_of(run, "status", "error"),
        "ended_by": search.ended_by,
        **fields_of(run, "score", "valid"),
        **fields_of(outcome, "rank", "regret", "valid_regret"),
        "best_of_ten": setting.score.best(best_of) if best_of and setting.score is not None else None,
        **dict(zip(("ktau", "ktau_rows", "ktau_valid"), ktau.values(), strict=True)),
        **{f"paid_{unit}": value for unit, value in fields_of(run.paid, *UNITS).items()},
        "asked": run.asked.total,
        **fields_of(run.asked, "cached", "invalid", "infeasible", "missing", "keys"),
        "wall_seconds": search.timing.get("search_seconds"),
        "cpu_seconds": search.timing.get("cpu_seconds"),
        **fields_of(outcome, "reported"),
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


def paired_frame(runs: pd.DataFrame, first: str, second: str, column: str) -> pd.DataFrame:
    """The mean of ``first`` less ``second`` over common search seeds, a line for each setting that has both.

    runs: as `Results.runs`. first, second: a label, or the entry as reports name it, such as ``ctnas (poster)``.
    column: a numeric column of it. n: seeds on which both have a value; low, high: Student's 95 % interval of the mean
    difference, missing for one seed. Entries of one strategy share their draws seed by seed, so that their differences
    vary less than those of two strategies. Raises UnknownName, HarnessError, also for a label of several modes.
    """
    import pandas as pd

    if column not in runs or not pd.api.types.is_numeric_dtype(runs[column]):
        raise UnknownName("column", column, runs.select_dtypes("number").columns)
    both = [_named(runs, name) for name in (first, second)]
    lines = []
    for title in runs["title"].unique():
        sides = [of[of["title"] == title].groupby("search_seed")[column].mean() for of in both]
        difference = (sides[0] - sides[1]).dropna()
        if difference.empty:
            continue
        interval = t_interval(difference.to_numpy())
        low, high = (None, None) if interval is None else interval
        lines.append(
            {"title": title, "first": first, "second": second, "column": column, "n": len(difference)}
            | {"mean": difference.mean(), "low": low, "high": high}
        )
    if not lines:
        raise HarnessError(f"{first!r} and {second!r} share no search seed on which both have {column!r}")
    return pd.DataFrame(lines)


def _named(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """The runs of one entry: called as in reports, or by a label that stands for one mode."""
    called = runs["label"].where(runs["mode"] == STRICT, runs["label"] + " (" + runs["mode"] + ")")
    if (found := called == name).any():
        return runs[found]
    titles = called[runs["label"] == name].unique()
    if not len(titles):
        raise UnknownName("entry", name, called.unique())
    if len(titles) > 1:
        raise HarnessError(f"{name!r} stands for {' and '.join(map(repr, titles))}; name one of them")
    one: pd.DataFrame = runs[called == titles[0]]
    return one
