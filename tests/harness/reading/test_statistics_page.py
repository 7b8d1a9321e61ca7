"""docs/statistics.md defines every name that a report has in JSON."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import msgspec
import pytest

from harness.reading.compliance import Finding
from harness.reading.report.sections.correlation import TaskCorrelation
from harness.reading.report.sections.curves import Curve
from harness.reading.report.sections.differences import Difference
from harness.reading.report.sections.improvement import Improvement
from harness.reading.report.sections.ktau import Order
from harness.reading.report.sections.ladder import Rung
from harness.reading.report.sections.metrics import MetricSummary
from harness.reading.report.sections.profiles import Profile
from harness.reading.report.sections.ranks import Ranks
from harness.reading.summary import SettingSummary

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "statistics.md").read_text(encoding="utf-8")
DATA = [
    SettingSummary, Finding, Ranks, Improvement, Profile, Curve, Difference, Order, TaskCorrelation, MetricSummary,
    Rung,
]  # fmt: skip


def structs(kind: type[msgspec.Struct]) -> set[type[msgspec.Struct]]:
    """A struct, and every struct in its fields."""
    found = {kind}
    for hint in typing.get_type_hints(kind).values():
        stack = [hint]
        while stack:
            part = stack.pop()
            stack += typing.get_args(part)
            if isinstance(part, type) and issubclass(part, msgspec.Struct) and part not in found:
                found |= structs(part)
    return found


@pytest.mark.parametrize("kind", DATA, ids=lambda k: k.__name__)
def test_every_name_is_defined(kind: type[msgspec.Struct]) -> None:
    defined = set(re.findall(r"`(\w+)`", PAGE.partition("## Every name in JSON")[2]))
    names = {field for struct in structs(kind) for field in struct.__struct_fields__}
    assert names - defined == set()
