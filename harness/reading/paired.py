"""Two entries over the search seeds that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import HarnessError, UnknownName
from harness.statistics.inference import t_interval

if TYPE_CHECKING:
    import pandas as pd


def paired_frame(runs: pd.DataFrame, first: str, second: str, column: str) -> pd.DataFrame:
    """The mean of ``first`` less ``second`` over common search seeds, a line for each setting that has both.

    runs: as `Results.runs`. column: a numeric column of it. n: seeds on which both have a value; low, high: Student's
    95 % interval of the mean difference, missing for one seed. Entries of one strategy share their draws seed by seed,
    so that their differences vary less than those of two strategies. Raises UnknownName, HarnessError.
    """
    import pandas as pd

    if column not in runs or not pd.api.types.is_numeric_dtype(runs[column]):
        raise UnknownName("column", column, runs.select_dtypes("number").columns)
    for label in (first, second):
        if label not in set(runs["label"]):
            raise UnknownName("entry", label, runs["label"].unique())
    lines = []
    for title, of_setting in runs.groupby("title", sort=False):
        sides = [
            of_setting[of_setting["label"] == label].groupby("search_seed")[column].mean() for label in (first, second)
        ]
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
