"""A report as one HTML file that needs nothing else: the tables, and the figures that the site has of each setting."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup

from harness.reading.report.formats import as_html
from harness.reading.report.section import Source
from harness.reading.report.table import Table
from harness.reading.site import svg
from harness.reading.site.boards import Board, Submission, boards_of
from harness.reading.site.figures import Figure, figures_of_board
from harness.reading.site.write import Drawn, environment


def page(title: str, tables: Sequence[Table], source: Source | None) -> str:
    """Tables, then the figures of a study. Their SVG and CSV files are in the page, as links to save."""
    boards = []
    if source is not None:
        whole = Submission(source.study.folder.resolve().name, Source(source.study, registry=source.registry))
        boards = [_chosen(b, source) for b in boards_of([whole])]
    drawn = [(b, [_drawn(f) for f in figures_of_board(b)]) for b in boards if b.lines]
    html = [Markup(as_html(table)) for table in tables]
    return environment().get_template("one_file.html").render(title=title, tables=html, boards=drawn)


def _chosen(board: Board, source: Source) -> Board:
    choice = source.choice
    lines = [line for line in board.lines if not choice.entries or line.runs.entry.label in choice.entries]
    return replace(board, lines=tuple(lines) if not choice.tasks or board.setting.task in choice.tasks else ())


def _drawn(figure: Figure) -> Drawn:
    return Drawn(
        figure,
        Markup(figure.plot.svg()),
        _data("image/svg+xml", figure.plot.svg(svg.static("figure.css"))),
        _data("text/csv", figure.csv),
    )


def _data(kind: str, text: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(text.encode(errors='backslashreplace')).decode()}"
