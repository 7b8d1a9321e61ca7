"""The figures of a study, for a notebook and as files for a paper: curves, and every run's final score or KTau.

matplotlib is an extra.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.errors import HarnessError, UnknownName
from harness.reading.report.section import Source
from harness.reading.report.sections.curves import Curve, curves_of
from harness.reading.study import EntryRuns
from harness.reading.summary import SettingSummary
from harness.records.specs import STRICT, Entry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ACROSS = 3
_WIDTH = 3.4
"""Inches of a panel: as wide as a column of a paper; three side by side are as wide as a notebook."""
_HEIGHT, _COLUMN_HEIGHT = 2.8, 2.4
"""Inches of a panel in a notebook, and in a column of a paper."""
_GREY = "0.45"
_DASHES = ("--", "-.", ":", (0, (9, 3)))
"""Of the references, one a law."""
_FILES = (".svg", ".png", ".pdf")
_DRAWN = ("table", "curves", "ktau")
"""Sections that have a figure: every run's final score, mean scores over what was paid, KTau of each run."""


def draw_curves(settings: Sequence[SettingSummary], curves: Sequence[Curve], *, column: bool = False) -> Figure:
    """Mean final score with its 95 % band over what had been paid, a panel for each setting with curves; references are
    dashed. The means of the last nine tenths of the budget are shown whole: the first queries would flatten them.

    Where incumbents have no final scores, validation scores are drawn, and the axis says so. column: the panels one
    below the other, as for a column of a paper.
    """
    settings = [s for s in settings if any(c.title == s.title for c in curves)]
    figure, panels = _panels(len(settings), column)
    for panel, setting in zip(panels, settings, strict=True):
        members = [c for c in curves if c.title == setting.title]
        references = cycle(_DASHES)
        final = all(s is not None or v is None for c in members for s, v in zip(c.score, c.valid, strict=True))
        for k, c in enumerate(members):
            middle, low, high = (
                np.array(values, dtype=np.float64)
                for values in ((c.score, c.score_low, c.score_high) if final else (c.valid, c.valid_low, c.valid_high))
            )
            is_entry = c.role == "entry"
            style = {"color": f"C{k % 10}"} if is_entry else {"color": _GREY, "linestyle": next(references)}
            panel.step(c.cost, middle, where="post", label=c.name, linewidth=1.4, **style)
            panel.fill_between(c.cost, low, high, step="post", alpha=0.15, color=style["color"], linewidth=0)
        _about(panel, setting, _score(setting, "final" if final else "validation"), "y")
        panel.set_xlabel(f"{members[0].unit} paid", fontsize=8)
        late = max((c.cost[-1] for c in members if c.cost), default=0) / 10
        means = ((c.cost, c.score if final else c.valid) for c in members)
        shown = [v for costs, values in means for cost, v in zip(costs, values, strict=True) if cost >= late]
        _frame(panel, shown, setting if final else None, "y")
    _legend(figure, panels)
    return figure


def draw_scores(
    settings: Sequence[SettingSummary], drawn: Sequence[Sequence[EntryRuns]], *, column: bool = False
) -> Figure:
    """The final score of each run, a line for each strict entry, a panel for each setting; a bar is the mean.

    drawn: the entries of each setting. References are grey. column: as in `draw_curves`.
    """
    figure, panels = _panels(len(settings), column, drawn)
    for panel, setting, entries in zip(panels, settings, drawn, strict=True):
        everyone = [e for e in entries if e.entry.mode == STRICT]
        _scatter(panel, [(e.entry, [r.score for r in e.runs if r.score is not None]) for e in everyone])
        _about(panel, setting, _score(setting, "final"), "x")
        _frame(panel, [r.score for e in everyone for r in e.runs], setting, "x")
    return figure


def draw_orders(settings: Sequence[SettingSummary], drawn: Sequence[Sequence[EntryRuns]]) -> Figure:
    """KTau of each run that learned an order, a line for each entry that did, a panel for each setting.

    Dotted: KTau of validation and final scores. Raises HarnessError where no run learned an order.
    """
    learned = [
        (setting, [(e.entry, taus) for e in entries if (taus := _taus(e))])
        for setting, entries in zip(settings, drawn, strict=True)
    ]
    if not any(entries for _, entries in learned):
        raise HarnessError("no run of these learned an order, so that there is no KTau to draw")
    figure, panels = _panels(len(settings), True, [entries for _, entries in learned])
    for panel, (setting, entries) in zip(panels, learned, strict=True):
        _scatter(panel, entries)
        panel.axvline(0, color=_GREY, linewidth=0.8)
        if setting.ktau_of_validation is not None:
            label = "KTau of validation scores"
            panel.axvline(setting.ktau_of_validation, color=_GREY, linestyle=":", linewidth=1, label=label)
        _about(panel, setting, "KTau of learned and true order", "x")
    _legend(figure, panels)
    return figure


def write_plot(source: Source, path: Path) -> None:
    """Draw the chosen section (default: every run's final score).

    Raises UnknownName for another ending than ``.svg``, ``.png`` or ``.pdf``, HarnessError for a section without a
    figure, where matplotlib is missing, and where the file cannot be written.
    """
    if path.suffix not in _FILES:
        raise UnknownName("ending of --plot", path.suffix or path.name, _FILES)
    what = source.choice.sections or ("table",)
    if len(what) != 1 or what[0] not in _DRAWN:
        raise HarnessError(f"--plot draws one section: {', '.join(_DRAWN)}")
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


def _scatter(panel: Any, lines: Sequence[tuple[Entry, Sequence[float]]]) -> None:
    """A line for each entry, the first on top: a point a value, a bar at their mean, names in some 18 characters."""
    rng = np.random.default_rng(0)  # of the scatter about a line, which means nothing
    for place, (entry, values) in enumerate(lines):
        color = _GREY if entry.role == "reference" else f"C{place % 10}"
        about = rng.uniform(-0.25, 0.25, len(values))
        panel.plot(values, place + about, ".", color=color, alpha=0.6, markersize=4)
        if values:
            panel.plot([np.mean(values)] * 2, [place - 0.35, place + 0.35], color=color, linewidth=2)
    panel.set_yticks(range(len(lines)), [textwrap.fill(entry.title, 18) for entry, _ in lines], fontsize=8)
    panel.invert_yaxis()


def _taus(entry: EntryRuns) -> list[float]:
    return [r.ktau.test for r in entry.runs if r.ktau is not None and r.ktau.test is not None]


def _panels(n: int, column: bool, drawn: Sequence[Sequence[object]] = ()) -> tuple[Figure, list[Any]]:
    """n panels, as high as the names of the entries ``drawn`` take, three lines each."""
    if not n:
        raise HarnessError("there is no setting to draw")
    try:
        from matplotlib import pyplot
    except ImportError:
        raise HarnessError('a figure takes matplotlib: pip install "nas-harness[plot]"') from None
    across = 1 if column else min(n, _ACROSS)
    down = math.ceil(n / across)
    height = max(_COLUMN_HEIGHT if column else _HEIGHT, 0.6 + 0.38 * max(map(len, drawn), default=0))
    size = _WIDTH * across, height * down
    figure, axes = pyplot.subplots(down, across, figsize=size, squeeze=False, layout="constrained")
    pyplot.close(figure)  # a notebook shows what is returned, once
    panels = list(axes.flat)
    for panel in panels[n:]:
        panel.set_axis_off()
    return figure, panels[:n]


def _about(panel: Any, setting: SettingSummary, label: str, axis: Literal["x", "y"]) -> None:
    panel.set_title(textwrap.fill(setting.title, 28), fontsize=9)  # beside the next panel's
    panel.tick_params(labelsize=8)
    getattr(panel, f"set_{axis}label")(label, fontsize=8)


def _score(setting: SettingSummary, what: Literal["final", "validation"]) -> str:
    if setting.score is None:
        return f"{what} score"
    return f"{what} {setting.score.name}" + (f" ({setting.score.unit})" if setting.score.unit else "")


def _frame(panel: Any, scores: Sequence[float | None], setting: SettingSummary | None, axis: Literal["x", "y"]) -> None:
    """Set the axis so that all scores show. Best validated is a dotted line where it fits."""
    known = [s for s in scores if s is not None]
    if not known:
        return
    low, high = min(known), max(known)
    best = None if setting is None else setting.best_validated
    if best is not None and abs(best - (low + high) / 2) < 2 * (high - low):
        draw = panel.axhline if axis == "y" else panel.axvline
        draw(best, color=_GREY, linestyle=":", linewidth=1, label="best validated")
        low, high = min(low, best), max(high, best)
    margin = 0.05 * (high - low) or 0.5
    getattr(panel, f"set_{axis}lim")(low - margin, high + margin)


def _legend(figure: Figure, panels: Sequence[Any]) -> None:
    """One legend for all panels, below them."""
    named = {label: line for panel in panels for line, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    narrow = figure.get_figwidth() <= _WIDTH
    if narrow:  # a name a line, and as much room for the panels as before
        figure.set_figheight(figure.get_figheight() + 0.16 * len(named))
    columns, names = 1 if narrow else 3, list(named)
    figure.legend(named.values(), names, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)
