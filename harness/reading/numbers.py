"""How numbers are written in tables: two decimals where scores are percent, nothing where nothing is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.protocol import Score
from harness.reading.agreement import Spread
from harness.reading.summary import EntrySummary, SettingSummary
from harness.search.budget import UNITS, Budget, Unit
from harness.statistics.inference import Verdict

NONE = "-"
_ONE: dict[Unit, str] = {"queries": "query", "epochs": "epoch", "seconds": "second"}
_WORDS: dict[Verdict, str] = {"better": "better", "worse": "worse", "not shown to be better": "not shown"}


def decimals(unit: str | None) -> int:
    """Decimals of a score: 2 for percent, else 4."""
    return 2 if unit in ("%", "percent") else 4


def score(of: Score) -> str:
    """What a score is, in words: ``error in %, lower is better``."""
    unit = f" in {of.unit}" if of.unit else ""
    return f"{of.name}{unit}" + ("" if of.higher_is_better else ", lower is better")


def number(value: float | None, places: int = 2, *, signed: bool = False) -> str:
    if value is None:
        return NONE
    text = f"{value:+.{places}f}" if signed else f"{value:.{places}f}"
    return text[1:] if text[0] in "+-" and not text.strip("+-0.") else text


def interval(low: float | None, high: float | None, places: int = 2, *, signed: bool = False) -> str:
    if low is None or high is None:
        return NONE
    return f"[{number(low, places, signed=signed)}, {number(high, places, signed=signed)}]"


def plus_minus(mean: float | None, spread: float | None, places: int = 2) -> str:
    """``93.10±0.20``; the mean alone where the spread is not known."""
    return number(mean, places) + ("" if spread is None else f"±{number(spread, places)}")


def mean_and_half(mean: float | None, high: float | None, places: int = 2) -> str:
    """A mean with half the width of its interval, whose upper end is ``high``."""
    return plus_minus(mean, None if mean is None or high is None else high - mean, places)


def ri_interval(of: EntrySummary, places: int = 2) -> str:
    """The interval of RI with its mark. One without width says nothing and is left out."""
    mark = {"tied": "*", "tails": "**"}.get(of.interval or "", "")
    if of.ri_low is not None and of.ri_low == of.ri_high:
        return mark or NONE
    return interval(of.ri_low, of.ri_high, places, signed=True) + mark


def facts(of: SettingSummary) -> Iterator[tuple[str, str]]:
    """What is known of a setting itself, by name: random sampling, the best validated and the best score, KTau."""
    places, sampling = decimals(of.score.unit if of.score else None), of.random_sampling
    if sampling.mean is not None:
        how = f"all {sampling.n} rows" if sampling.exact else f"from {sampling.n} draws"
        failed = f", {sampling.failed} more failed" if sampling.failed else ""
        spread = f"{number(sampling.mean, places)} ± {number(sampling.std, places)}"
        yield "random sampling", f"{spread} ({how}{failed})"
    if of.best_validated is not None:
        tied = f" (mean of {of.tied} tied)" if of.tied and of.tied > 1 else ""
        yield "best validated", number(of.best_validated, places) + tied
    if of.best is not None:
        yield "best" if sampling.exact else "best of the draws", number(of.best, places)
    if of.ktau_of_validation is not None:
        yield "KTau of validation and final", number(of.ktau_of_validation)


def mean_and_largest(spread: Spread | None, places: int = 2) -> str:
    return NONE if spread is None else f"{number(spread.mean, places)} ({number(spread.high, places)})"


def p_value(p: float | None) -> str:
    """Three decimals; ``<.001`` below .001."""
    if p is None:
        return NONE
    return "<.001" if p < 0.001 else f"{p:.3f}".replace("0.", ".", 1)


def verdict(words: Verdict, p: float | None) -> str:
    """The verdict in words and its adjusted p, each padded to one width."""
    return f"{_WORDS[words]:9} {p_value(p):>5}"


def count(value: float | None) -> str:
    """A mean count, without decimals where it is whole."""
    if value is None:
        return NONE
    if value >= 1e5:
        return f"{value:.2e}".replace("e+0", "e").replace("e+", "e")
    return f"{value:.0f}" if math.isclose(value, round(value), abs_tol=0.005) else f"{value:.1f}"


def seconds(value: float | None) -> str:
    """A duration with its unit."""
    if value is None:
        return NONE
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if value >= 2 * size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.1f} s" if value >= 0.05 else f"{value * 1000:.0f} ms"


def listed(names: Sequence[str], most: int = 3, between: str = ", ") -> str:
    """The first names, and how many more there are."""
    return between.join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def runs(n: int, failed: int) -> str:
    """How many runs, and how many of them failed."""
    return f"{n}" if not failed else f"{n}, {failed} failed"


def budget(limits: Budget) -> str:
    return ", ".join(paid(value, unit) for unit in UNITS if (value := getattr(limits, unit)) is not None)


def paid(value: float, unit: Unit) -> str:
    """A cost with its unit."""
    text = count(value)
    return f"{text} {_ONE[unit] if text == '1' else unit}"
