"""Writes the site into a new folder, which takes the place of an earlier site when it is whole."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.errors import HarnessError, counted
from harness.reading import numbers
from harness.reading.ingested import UNDER_COVERAGE
from harness.reading.site import pages, svg
from harness.reading.site.boards import Board, Submission, boards_of, submissions_of
from harness.reading.site.elsewhere import Elsewhere, elsewhere_of, ri
from harness.reading.site.figures import Figure, figures_of_board, numbered, ranking_figure
from harness.reading.site.names import file_name, shown
from harness.reading.site.rankings import Ranking, rankings_of
from harness.reading.site.runs import RunPage, run_page
from harness.registry import Registry, default_registry

MARKER = ".nas-harness-leaderboard"
"""A file that only a folder written here has, so that nothing else is ever replaced."""


@dataclass(frozen=True)
class Drawn:
    """A figure on a page: what stands in the page, and the files beside it."""

    figure: Figure
    inline: Markup
    svg: str
    csv: str


def write_site(folders: Sequence[Path], out: Path, registry: Callable[[], Registry] = default_registry) -> str:
    """Build the site of these results folders in ``out``; what was written, in words.

    Raises RecordError where a folder holds no study, HarnessError where ``out`` is there and is no earlier site.
    """
    if out.exists() and not (out / MARKER).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise HarnessError(f"{out} is there and is no leaderboard; name a new folder with --output")
    submissions = submissions_of(folders, registry)
    boards, elsewhere = boards_of(submissions), elsewhere_of(folders)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent, ignore_cleanup_errors=True) as part:
            _Site(Path(part), submissions, boards, elsewhere).write()
            os.chmod(part, 0o755)
            if out.exists():
                shutil.rmtree(out)
            os.rename(part, out)
    except OSError as error:
        raise HarnessError(f"{out} cannot be written: {error.strerror}") from error
    strategies = pages.strategies_of(boards)
    return f"{counted(len(boards), 'board')}, {counted(len(strategies), 'strategy', 'strategies')}"


class _Site:
    def __init__(
        self, folder: Path, submissions: Sequence[Submission], boards: Sequence[Board], elsewhere: Elsewhere
    ) -> None:
        self.folder, self.submissions, self.boards, self.elsewhere = folder, submissions, boards, elsewhere
        self.environment = environment()

    def write(self) -> None:
        for name in ("settings", "strategies", "runs", "figures"):
            (self.folder / name).mkdir()
        (self.folder / MARKER).write_text("", encoding="utf-8")
        rankings = rankings_of(self.boards)
        by_page: dict[str, list[Board]] = {}
        for board in self.boards:
            by_page.setdefault(board.page, []).append(board)
        strategies = pages.strategies_of(self.boards)
        self._page(
            "index.html", "index.html", rankings=[(r, self._draw("", _place(r), ranking_figure(r))) for r in rankings]
        )
        for name, boards in by_page.items():
            drawn = [
                (b, [self._draw("../", f"{name}-{file_name(b.mode)}", f) for f in figures_of_board(b)]) for b in boards
            ]
            self._page("setting.html", f"settings/{name}.html", boards=drawn, title=boards[0].title)
        for strategy in strategies:
            figure = strategy.figure
            drawn_figure = None if figure is None else self._draw("../", f"strategy-{strategy.page}", figure)
            self._page("strategy.html", f"strategies/{strategy.page}.html", strategy=strategy, figure=drawn_figure)
        for of in (RunPage(board, line) for board in self.boards for line in board.everyone):
            (self.folder / "runs" / f"{of.page}.jsonl").write_text(
                of.records, encoding="utf-8", errors="backslashreplace"
            )
            self._page("runs.html", f"runs/{of.page}.html", of=of)
        if self.elsewhere:
            self._page("elsewhere.html", "elsewhere.html")
        self._page("method.html", "method.html", strategies=strategies)

    def _page(self, template: str, path: str, **values: Any) -> None:
        up = "../" * path.count("/")
        text = self.environment.get_template(template).render(
            **values, all_boards=self.boards, submissions=self.submissions, elsewhere=self.elsewhere, up=up
        )
        (self.folder / path).write_text(text, encoding="utf-8", errors="backslashreplace")

    def _draw(self, up: str, of: str, figure: Figure) -> Drawn:
        """Writes the figure's files."""
        path = f"figures/{of}-{figure.name}"
        (self.folder / f"{path}.svg").write_text(figure.plot.svg(svg.static("figure.css")), encoding="utf-8")
        (self.folder / f"{path}.csv").write_text(figure.csv, encoding="utf-8", errors="backslashreplace")
        return Drawn(figure, Markup(figure.plot.svg()), f"{up}{path}.svg", f"{up}{path}.csv")


def _place(ranking: Ranking) -> str:
    return file_name("ranking", ranking.mode, str(ranking.everyone), *(b.title for b in ranking.boards))


def environment() -> Environment:
    """Everything is escaped, and what turns or hides text is written out, wherever a value stands."""
    found = Environment(
        loader=PackageLoader("harness.reading.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    style, script = svg.static("figure.css") + svg.static("site.css"), svg.static("site.js")
    found.globals |= {
        "style": Markup(style),
        "script": Markup(script),
        "policy": f"default-src 'none'; style-src 'sha256-{_sha(style)}'; script-src 'sha256-{_sha(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'",
        "version": version("nas-harness"),
        "strategy_page": file_name,
        "numbers": numbers,
        "pages": pages,
        "numbered": numbered,
        "colour": svg.colour,
        "dash": svg.dash,
        "run_page": run_page,
        "ri_elsewhere": ri,
        "under_coverage": UNDER_COVERAGE,
        "drawn": lambda plot: Markup(plot.svg()),
    }
    found.filters["brief"] = partial(shown, most=60)
    return found


def _finalize(value: Any) -> Any:
    if value is None:
        return numbers.NONE
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _sha(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
