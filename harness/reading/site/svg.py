"""Plain SVG plots: two axes, marks, intervals, steps and bands. Colours and fonts are classes of ``figure.css``."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise

from harness.reading.site.names import shown

SERIES = 8
"""Colours; series beyond them take them again with another shape."""
_SHAPES = ("circle", "square", "triangle", "diamond")


def escaped(text: str, most: int = 40) -> str:
    return html.escape(shown(text, most))


def path(kind: str, d: str, told: str = "") -> str:
    return f'<path class="{kind}" d="{d}">{_title(told)}</path>'


def _title(told: str) -> str:
    return f"<title>{escaped(told, 200)}</title>" if told else ""


@dataclass(frozen=True)
class Scale:
    """From values to pixels; a value far outside stays within some widths of the figure."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        low, high, v = (math.log(max(x, 1e-12)) if self.log else x for x in (self.low, self.high, value))
        share = 0.5 if high <= low else min(max((v - low) / (high - low), -5.0), 6.0)
        return self.start + share * (self.end - self.start)

    def holds(self, value: float | None) -> bool:
        return value is not None and self.low <= value <= self.high

    def ticks(self) -> list[float]:
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1, 2, 5) if self.high / self.low < 5000 else (1,)
            return [t for d in decades for m in steps if self.low <= (t := m * 10.0**d) <= self.high]
        width = self.high - self.low
        if not width > 0 or not math.isfinite(width):
            return [self.low]
        rough = width / 6
        size = 10.0 ** math.floor(math.log10(rough))
        step = next(m * size for m in (1, 2, 5, 10) if m * size >= rough)
        return [k * step for k in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]


def around(values: Iterable[float | None], margin: float = 0.05) -> tuple[float, float]:
    """The range of the finite values with a margin on both sides; around 0 where there is none."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    space = (high - low) * margin or max(abs(low) * 0.01, 0.1)
    return low - space, high + space


class Plot:
    """A figure in the making. x, y: its scales; rows: names down the left side in place of a scale of y.

    left: pixels for the names.
    """

    def __init__(
        self,
        title: str,
        x: tuple[float, float],
        y: tuple[float, float] | None = None,
        *,
        rows: Sequence[str] = (),
        x_label: str,
        y_label: str = "",
        log: bool = False,
        left: float = 190.0,
    ) -> None:
        self.title, self.rows = title, rows
        left = left if rows else 62.0
        self.width = 430.0 + left if rows else 620.0
        self.height = 64.0 + 26.0 * len(rows) if rows else 380.0
        low, high = (max(x[0], 1e-9), max(x[1], x[0] * 1.01, 1e-9)) if log else x
        self.x = Scale(low, high, left, self.width - 16, log)
        bottom = self.height - 46
        self.y = Scale(*(y or (0.0, 1.0)), bottom, 12)
        self.parts: list[str] = []
        self.inside: list[str] = []
        self._axes(x_label, y_label, bottom)
        self.ground, self.parts = self.parts, []

    def row(self, place: int) -> float:
        """The middle of a row, in pixels."""
        return 28.0 + 26.0 * place

    def _axes(self, x_label: str, y_label: str, bottom: float) -> None:
        for tick in self.x.ticks():
            self.rule(self.x, tick, "grid")
            self.text(self.x.at(tick), bottom + 17, f"{tick:,.10g}", "tick middle")
        self.text((self.x.start + self.x.end) / 2, bottom + 38, x_label, "label middle")
        if self.rows:
            for place, name in enumerate(self.rows):
                self.text(self.x.start - 12, self.row(place) + 4, name, "name end", most=int((self.x.start - 12) / 7.4))
            return
        for tick in self.y.ticks():
            self.rule(self.y, tick, "grid")
            self.text(self.x.start - 7, self.y.at(tick) + 4, f"{tick:,.10g}", "tick end")
        middle = (self.y.start + self.y.end) / 2
        self.parts.append(
            f'<text class="label middle" transform="translate(14 {middle:.1f}) rotate(-90)">'
            f"{escaped(y_label, 80)}</text>"
        )

    def text(self, x: float, y: float, text: str, kind: str, most: int = 80) -> None:
        self.parts.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escaped(text, most)}</text>')

    def rule(self, axis: Scale, value: float | None, kind: str, told: str = "") -> None:
        """A line across the whole figure at one value of x or of y."""
        if value is not None and axis.holds(value):
            at = axis.at(value)
            upright, level = f"M{at:.1f} 10V{self.y.start:.1f}", f"M{self.x.start:.1f} {at:.1f}H{self.x.end:.1f}"
            self.parts.append(path(kind, upright if axis is self.x else level, told))

    def mark(self, x: float, y: float, series: int, told: str, kind: str = "", size: float = 4.0) -> None:
        """A point in pixels, its shape and colour by its series (below 0: a reference)."""
        shape = _SHAPES[(series + series // SERIES) % len(_SHAPES)] if series >= 0 else "circle"
        d = {
            "square": f"M{x - size:.1f} {y - size:.1f}h{2 * size}v{2 * size}h{-2 * size}z",
            "triangle": f"M{x:.1f} {y - 1.2 * size:.1f}l{1.2 * size:.1f} {2.1 * size:.1f}h{-2.4 * size:.1f}z",
            "diamond": f"M{x:.1f} {y - 1.3 * size:.1f}l{1.3 * size:.1f} {1.3 * size:.1f}l{-1.3 * size:.1f} "
            f"{1.3 * size:.1f}l{-1.3 * size:.1f} {-1.3 * size:.1f}z",
        }.get(shape)
        css = f"mark {colour(series)} {kind}".strip()
        if d is None:
            self.parts.append(f'<circle class="{css}" cx="{x:.1f}" cy="{y:.1f}" r="{size}">{_title(told)}</circle>')
        else:
            self.parts.append(path(css, d, told))

    def span(self, axis: Scale, low: float | None, high: float | None, at: float, series: int, kind: str = "") -> None:
        """An interval of x at a height in pixels, or one of y at a place in pixels."""
        if low is not None and high is not None and math.isfinite(low) and math.isfinite(high):
            a, b = axis.at(low), axis.at(high)
            along = f"M{a:.1f} {at:.1f}H{b:.1f}M{a:.1f} {at - 4:.1f}v8M{b:.1f} {at - 4:.1f}v8"
            upright = f"M{at:.1f} {a:.1f}V{b:.1f}M{at - 4:.1f} {a:.1f}h8M{at - 4:.1f} {b:.1f}h8"
            self.parts.append(path(f"span {colour(series)} {kind}".strip(), along if axis is self.x else upright))

    def steps(self, xs: Sequence[float], ys: Sequence[float | None], series: int, told: str) -> None:
        """A line that stays where it is until the next point."""
        d, last = [], None
        for x, y in zip(xs, ys, strict=True):
            if y is None or not math.isfinite(y):
                last = None
                continue
            at, height = f"{self.x.at(x):.1f}", f"{self.y.at(y):.1f}"
            if last is None:
                d.append(f"M{at} {height}")
            elif height != last:
                d.append(f"H{at}V{height}")
            last = height
        if d and xs:
            d.append(f"H{self.x.at(xs[-1]):.1f}")
            self.inside.append(path(f"line {colour(series)} {dash(series)}", "".join(d), told))

    def band(self, xs: Sequence[float], lows: Sequence[float | None], highs: Sequence[float | None], s: int) -> None:
        points = [
            (self.x.at(x), self.y.at(a), self.y.at(b))
            for x, a, b in zip(xs, lows, highs, strict=True)
            if a is not None and b is not None and math.isfinite(a) and math.isfinite(b)
        ]
        if len(points) > 1:
            lower, upper = _corners([p[:2] for p in points]), _corners([(p[0], p[2]) for p in points])
            outline = "L".join(f"{x:.1f} {y:.1f}" for x, y in (*upper, *reversed(lower)))
            self.inside.append(path(f"band {colour(s)}", f"M{outline}z"))

    def bars(self, edges: Sequence[float], shares: Sequence[float], y: float, height: float) -> None:
        """A histogram along x that stands on a height in pixels."""
        top = max(shares, default=0.0) or 1.0
        for a, b, share in zip(edges[:-1], edges[1:], shares, strict=True):
            if share:
                h = height * share / top
                self.parts.append(
                    f'<rect class="bar" x="{self.x.at(a):.1f}" y="{y - h:.1f}" '
                    f'width="{max(self.x.at(b) - self.x.at(a) - 0.5, 0.5):.1f}" height="{h:.1f}"/>'
                )

    def svg(self, style: str = "") -> str:
        inside = f"<style>{style}</style>" if style else ""
        x, y, width, height = self.x.start, self.y.end, self.x.end - self.x.start, self.y.start - self.y.end
        # An inner drawing cuts off what leaves it, without an id that two figures of a page would share.
        cut = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" viewBox="{x:g} {y:g} {width:g} {height:g}"'
        clipped = f"<svg {cut}>{''.join(self.inside)}</svg>" if self.inside else ""
        return (
            f'<svg class="figure" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'role="img" aria-label="{escaped(self.title, 200)}">'
            f"{inside}{''.join(self.ground)}{clipped}{''.join(self.parts)}</svg>"
        )


def _corners(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of a line that stays where it is until the next point."""
    turns = [corner for (_, y), (x, z) in pairwise(points) if y != z for corner in ((x, y), (x, z))]
    return [points[0], *turns, points[-1]]


def colour(series: int) -> str:
    return "ref" if series < 0 else f"s{series % SERIES}"


def dash(series: int) -> str:
    """Of a line: its colour comes again, and all references share one colour."""
    return f"r{(-series - 1) % 4 + 1}" if series < 0 else f"d{series // SERIES % 3}"


def static(name: str) -> str:
    """A file beside this module; ``figure.css`` colours a figure, on a page and in a file of its own."""
    return (files("harness.reading.site") / name).read_text(encoding="utf-8")
