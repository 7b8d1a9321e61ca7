"""The verdict on every entry in every setting of a gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import msgspec
import numpy as np

from harness.reading.gate.metrics import Measured, margin_of, measure
from harness.reading.gate.pairs import Pair
from harness.reading.summary import InSetting
from harness.records.identity import stream
from harness.records.specs import Setting
from harness.running.study import GateMetric, GateSpec
from harness.statistics.gate import GateTest, GateVerdict, gate_verdicts, more_seeds, paired_test

Verdict = Literal["unchanged"] | GateVerdict
PASSED, WORSE, UNDECIDED = 0, 1, 4
"""Exit statuses."""


class GateLine(InSetting, frozen=True, kw_only=True):
    """One entry in one setting. candidate, reference: mean values over the n common seeds, failed runs at the worst
    value known. difference, std (ddof 1): of the paired differences, positive where the candidate is better.

    p_better, p_not_worse, p_worse: before Holm's correction. Like the means they are null where nothing was tested,
    because all runs are unchanged. more_seeds: how many would decide; null where it is decided, or not to be told.
    lost_most: id of the candidate's search that lost most.
    """

    verdict: Verdict
    n: int
    failed: int
    reference_failed: int
    candidate: float | None = None
    reference: float | None = None
    difference: float | None = None
    std: float | None = None
    p_better: float | None = None
    p_not_worse: float | None = None
    p_worse: float | None = None
    more_seeds: int | None = None
    lost_most: str | None = None

    @property
    def key(self) -> tuple[Setting, str, str]:
        return self.setting, self.label, self.mode


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate says. folder: the candidate's; against: the reference's. looks: seeds at which it looks, of which
    the lines are those of the last one that was needed; one where it is not sequential. alpha: of the whole gate.
    """

    study: str
    folder: str
    against: str
    metric: GateMetric
    margin: float
    alpha: float
    looks: list[int]
    lines: list[GateLine]

    @property
    def status(self) -> int:
        """Exit status: the worst verdict's."""
        verdicts = {line.verdict for line in self.lines}
        return WORSE if "worse" in verdicts else UNDECIDED if "undecided" in verdicts else PASSED


def judge(
    pairs: Sequence[Pair],
    spec: GateSpec,
    *,
    seeds: int | None = None,
    looks: int = 1,
    decided: Mapping[tuple[Setting, str, str], GateLine] | None = None,
) -> list[GateLine]:
    """A line for each pair, on its first ``seeds`` common seeds; what was ``decided`` at an earlier look stays.

    Where time is what counts, runs that are unchanged are tested too. Raises GateError where the runs do not have the
    metric.
    """
    pairs = [replace(p, candidate=p.candidate[:seeds], reference=p.reference[:seeds]) for p in pairs]
    lines = [_blank(p) for p in pairs]
    timed = spec.metric == "seconds_ratio"
    known = decided or {}
    open_ = [k for k, line in enumerate(lines) if line.key not in known and (timed or not pairs[k].unchanged)]
    lines = [known.get(line.key, line) for line in lines]
    measured = [measure(pairs[k], spec.metric) for k in open_]
    tests = [_test(lines[k], of, spec) for k, of in zip(open_, measured, strict=True)]
    level, over = spec.alpha / looks, [line.verdict for line in known.values() if line.verdict != "unchanged"]
    verdicts = gate_verdicts(tests, alpha=level, decided=over)
    level /= len(tests) + len(over) or 1
    for k, of, test, verdict in zip(open_, measured, tests, verdicts, strict=True):
        lines[k] = msgspec.structs.replace(
            lines[k],
            verdict=verdict,
            candidate=float(of.candidate.mean()),
            reference=float(of.reference.mean()),
            **test._asdict(),
            more_seeds=more_seeds(test, margin_of(spec), alpha=level) if verdict == "undecided" else None,
            lost_most=pairs[k].candidate[int(np.argmin(of.differences))].search.id,
        )
    return lines


def _blank(pair: Pair) -> GateLine:
    return GateLine(
        setting=pair.setting,
        title=pair.title,
        label=pair.entry.label,
        mode=pair.entry.mode,
        verdict="unchanged",
        n=len(pair.candidate),
        failed=sum(r.failed for r in pair.candidate),
        reference_failed=sum(r.failed for r in pair.reference),
    )


def _test(line: GateLine, of: Measured, spec: GateSpec) -> GateTest:
    rng = stream(0, "gate", line.title, line.label, line.mode)
    return paired_test(of.differences, margin_of(spec), rng=rng)
