"""What a gate compares runs by: a value for each run, and the differences on common seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from harness.errors import GateError
from harness.reading.gate.pairs import Pair
from harness.reading.matched import Floats
from harness.records.lines import SamplingRecord
from harness.records.runs import Run
from harness.running.study import GateMetric, GateSpec
from harness.statistics.verdicts import worst_case


class Measured(NamedTuple):
    """Values of both sides in the metric's own unit, and differences that are positive where the candidate is better;
    all float64 [n]."""

    candidate: Floats
    reference: Floats
    differences: Floats


class _Values(NamedTuple):
    """value: of a run that did not fail, None where it is not known. worst: what else a failed run may not beat."""

    value: Callable[[Run], float | None]
    sign: float
    worst: tuple[float, ...] = ()


def measure(pair: Pair, metric: GateMetric) -> Measured:
    """A failed run has the worst value known of either side and of random sampling, so that no run gains by failing.

    Raises GateError where the runs do not have the metric.
    """
    values = _METRICS[metric](pair)
    every = [_values(runs, values, pair, metric) for runs in (pair.candidate, pair.reference, pair.every_reference)]
    worst = values.sign * np.array(values.worst, dtype=np.float64)
    known = [np.array(side, dtype=np.float64) for side in every]  # None becomes NaN
    try:
        candidate, reference = (worst_case(side, worst, *known) for side in every[:2])
    except ValueError:
        raise GateError("metric", f"{pair.entry.title} on {pair.title}: every run failed on both sides") from None
    if metric == "seconds_ratio":
        return Measured(-candidate, -reference, np.log(reference / candidate))
    return Measured(values.sign * candidate, values.sign * reference, candidate - reference)


def margin_of(spec: GateSpec) -> float:
    """The margin in the unit of the differences."""
    return math.log1p(spec.margin) if spec.metric == "seconds_ratio" else spec.margin


def _values(runs: Sequence[Run], values: _Values, pair: Pair, metric: str) -> list[float | None]:
    """Oriented so that higher is better; None for a failed run."""
    found: list[float | None] = []
    for run in runs:
        value = None if run.failed else values.value(run)
        if value is None and not run.failed:
            raise GateError(
                "metric",
                f"{pair.entry.title} on {pair.title}: its runs have no {metric}; name another metric in [gate]",
            )
        found.append(None if value is None else values.sign * value)
    return found


def _sampling(pair: Pair) -> SamplingRecord:
    if pair.sampling is None:
        raise GateError("metric", f"{pair.title}: random sampling, which says what its scores are, is not finished")
    return pair.sampling


def _valid_regret(pair: Pair) -> _Values:
    """Where the best row is not known, the validation score: its differences are those of the regret."""
    sampling = _sampling(pair)
    if sampling.best_valid is None:
        worst = () if sampling.worst_valid is None else (sampling.worst_valid,)
        return _Values(lambda run: run.valid, sampling.search_score.sign, worst)
    worst = () if sampling.worst_valid is None else (abs(sampling.best_valid - sampling.worst_valid),)
    return _Values(lambda run: run.outcome.valid_regret if run.outcome is not None else None, -1, worst)


def _score(pair: Pair) -> _Values:
    sampling = _sampling(pair)
    return _Values(lambda r: r.score, sampling.score.sign, () if sampling.worst is None else (sampling.worst,))


def _ktau(pair: Pair) -> _Values:
    return _Values(lambda run: run.ktau.test if run.ktau is not None else None, 1, (-1.0,))


def _queries_to_median(pair: Pair) -> _Values:
    """Paid queries after which the incumbent's validation score is the median of the reference's last ones; where it
    never is, one more than any run of either side paid."""
    sign = _sampling(pair).search_score.sign
    lasts = [sign * run.search.incumbents[-1].valid for run in pair.every_reference if run.search.incumbents]
    if not lasts:
        raise GateError("metric", f"{pair.entry.title} on {pair.title}: no run of the reference has an incumbent")
    median = float(np.median(lasts))
    never = 1 + max(r.paid.queries for r in (*pair.candidate, *pair.every_reference) if r.paid is not None)

    def reached(run: Run) -> float:
        return next((float(i.queries) for i in run.search.incumbents if sign * i.valid >= median), float(never))

    return _Values(reached, -1, (float(never),))


def _seconds(pair: Pair) -> _Values:
    """Wall time of the search: comparable on one machine alone."""
    return _Values(lambda run: run.search.timing.get("search_seconds"), -1)


_METRICS: dict[GateMetric, Callable[[Pair], _Values]] = {
    "valid_regret": _valid_regret,
    "score": _score,
    "ktau": _ktau,
    "queries_to_median": _queries_to_median,
    "seconds_ratio": _seconds,
}
