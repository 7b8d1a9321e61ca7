"""Two entries over the search seeds that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import HarnessError, UnknownName
from harness.records.specs import STRICT
from harness.statistics.inference import t_interval

if TYPE_CHECKING:
    import pandas as pd


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
