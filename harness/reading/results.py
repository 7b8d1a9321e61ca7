"""A study's results in a notebook: data frames, a figure, and the tables of its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import RecordError, UnknownName, counted
from harness.reading.entries import summarise
from harness.reading.figure import draw_curves, draw_scores
from harness.reading.frames import frame_of, paired_frame, runs_frame, tests_frame
from harness.reading.report.formats import as_html
from harness.reading.report.layout import as_text
from harness.reading.report.section import Choice, Source
from harness.reading.report.sections.curves import curves_of
from harness.reading.report.sections.headline import SECTION as HEADLINE
from harness.reading.study import StudyRuns, check_names, read_study
from harness.reading.summary import SettingSummary

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Results(StudyRuns):
    """One study, read back. Each data frame is made once, when it is first asked for.

    `docs/statistics.md` defines the columns. They have the names of the JSON format; a name in a nested object follows
    the object's own (``vs_search_p_study``). Every frame begins with ``title`` and the fields of the setting.
    """

    @cached_property
    def summaries(self) -> list[SettingSummary]:
        """The summary from which the report's tables are made."""
        return summarise(self)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """A line for each run of an entry or a reference, with scores as they were recorded.

        label, mode, role, study_seed, search_seed; status, error, ended_by; score, valid, rank, regret, valid_regret of
        what is reported, best_of_ten: the best final score of the first ten returned; ktau, ktau_rows, ktau_valid;
        paid_queries, paid_epochs, paid_seconds; asked, cached, invalid, infeasible, missing, keys: calls of the oracle
        by kind; wall_seconds, cpu_seconds: what the search took here; reported: the architecture; id: of the search.
        """
        return runs_frame(self.settings)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """A line for each entry and each reference in each setting: every number of the report's tables."""
        return frame_of(self.summaries)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """A line for each point of each anytime curve, over what the budget limits: ``cost``, ``score``, ``valid``."""
        return frame_of(curves_of(Source(self)))

    @cached_property
    def tests(self) -> pd.DataFrame:
        """A line for each ``question`` of each entry: p-values, superiority, difference, verdict."""
        return tests_frame(self.summaries)

    def paired(self, first: str, second: str, column: str = "score") -> pd.DataFrame:
        """The mean of ``first`` less ``second`` over common search seeds, with its interval, a line a setting.

        first, second: labels, or entries as reports name them, such as ``ctnas (poster)``. column: a numeric one of
        `runs`. Raises UnknownName, and HarnessError where they share no seed or a label stands for several modes.
        """
        return paired_frame(self.runs, first, second, column)

    def figure(
        self, what: Literal["curves", "scores"] = "curves", *, tasks: Sequence[str] = (), entries: Sequence[str] = ()
    ) -> Figure:
        """A panel for each setting: mean scores over what had been paid, or the final score of each run.

        tasks, entries: names and labels to draw (default all). Raises UnknownName, and
        HarnessError where matplotlib is missing.
        """
        if what not in ("curves", "scores"):
            raise UnknownName("figure", what, ("curves", "scores"))
        check_names((self,), tasks, entries)
        source = Source(self, Choice(tasks=tuple(tasks), entries=tuple(entries)))
        settings = [s for s in self.summaries if not tasks or s.setting.task in tasks]
        if what == "curves":
            return draw_curves(settings, curves_of(source))
        return draw_scores(settings, [drawn for _, drawn in source.shown()])

    def __repr__(self) -> str:
        settings = counted(len(self.settings), "setting")
        return f"<study {self.study!r}: {settings}, {counted(self.planned, 'run')}, in {self.folder}>"

    def __str__(self) -> str:
        """The tables of the report: ``print(results)``."""
        return as_text(*HEADLINE.tables(Source(self)))

    def _repr_html_(self) -> str:
        """The same, for a notebook."""
        return "\n".join(as_html(table) for table in HEADLINE.tables(Source(self)))


def read_results(folder: Path | str) -> Results:
    """The study in a folder, or in several folders that were joined file by file.

    Raises RecordError where it is no path, or the folder holds no study, no whole record, or records that contradict
    each other.
    """
    if not isinstance(folder, (str, PathLike)):
        raise RecordError(f"read_results({folder!r}): name the study's folder, such as 'results/quickstart'")
    return Results(**vars(read_study(folder)))
