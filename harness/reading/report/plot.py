"""The figures of a report as files for a paper: one panel a setting, as wide as a column."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError, UnknownName
from harness.reading.figure import draw_curves, draw_orders, draw_scores
from harness.reading.report.section import Source
from harness.reading.report.sections.curves import curves_of

FORMATS = (".svg", ".png", ".pdf")
PLOTS = ("table", "curves", "ktau")
"""Sections that have a figure: every run's final score, mean scores over what was paid, KTau of each run."""


def write_plot(source: Source, path: Path) -> None:
    """Draw the chosen section (default: every run's final score).

    Raises UnknownName for another ending than ``.svg``, ``.png`` or ``.pdf``, HarnessError for a section without a
    figure, where matplotlib is missing, and where the file cannot be written.
    """
    if path.suffix not in FORMATS:
        raise UnknownName("ending of --plot", path.suffix or path.name, FORMATS)
    what = source.choice.sections or ("table",)
    if len(what) != 1 or what[0] not in PLOTS:
        raise HarnessError(f"--plot draws one section: {', '.join(PLOTS)}")
    shown = [entries for _, entries in source.shown()]
    if what == ("curves",):
        figure = draw_curves(source.settings, curves_of(source), column=True)
    elif what == ("ktau",):
        figure = draw_orders(source.settings, shown)
    else:
        figure = draw_scores(source.settings, shown, column=True)
    no_date: dict[str, dict[str, None]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}
    try:
        import matplotlib as mpl

        with mpl.rc_context({"svg.hashsalt": "nas-harness", "pdf.fonttype": 42}):
            figure.savefig(path, dpi=300, metadata=no_date[path.suffix])
    except OSError as error:
        raise HarnessError(f"{path} cannot be written: {error.strerror}") from error
