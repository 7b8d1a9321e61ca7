"""The time that is left is told by kind: cheap items behind dear ones do not count as dear."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from studies import study

from harness.registry import Registry
from harness.running import time_left
from harness.running.items import Item, SearchPart
from harness.running.plan import Evaluators, make_plan
from harness.running.study import MATCHED
from harness.running.time_left import TimeLeft


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock."""
    now = [0.0]
    monkeypatch.setattr(time_left.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, seconds)


@pytest.fixture
def items(toy: Registry) -> list[Item]:
    """Four searches of each of two strategies, then random search, as a campaign carries them out."""
    planned = make_plan(study("toy-slow", "toy-sampler", seeds=4), toy, Evaluators(toy)).searches.values()
    found = [Item((SearchPart(spec=spec, outcomes=(), title=""),)) for spec in planned]
    return sorted(found, key=lambda item: (item.parts[0].spec.strategy == MATCHED, item.parts[0].spec.strategy))


def test_each_kind_takes_what_its_own_took(items: list[Item], at: Callable[[float], None]) -> None:
    """One worker: a minute a search of the first strategy, a second of the other, a hundredth of random search."""
    own = [item.parts[0] for item in items if item.parts[0].spec.strategy == MATCHED]
    dear, cheap, batch = items[:4], items[4:8], Item(tuple(own))
    assert {i.parts[0].spec.strategy for i in dear} != {i.parts[0].spec.strategy for i in cheap}
    seconds = [60.0] * 4 + [1.0] * 4 + [0.01 * len(own)]
    left, now = TimeLeft([*dear, *cheap, batch]), 0.0
    said: list[float | None] = [left.seconds]
    for item, takes in zip((*dear, *cheap, batch), seconds, strict=True):
        left.started(item)
        now += takes
        at(now)
        left.ended(item)
        said.append(left.seconds)
    assert said[0] is None, "nothing is known yet"
    assert said[1] == pytest.approx(7 * 60), "what is not known takes what is; random search nothing"
    assert said[5] == pytest.approx(3), "three of the cheap one, a second each"
    assert said[-1] == pytest.approx(0, abs=1e-9)


def test_two_workers_need_half_the_time(items: list[Item], at: Callable[[float], None]) -> None:
    left = TimeLeft(items[:4])
    left.started(items[0])
    left.started(items[1])
    at(10.0)
    left.ended(items[0])
    left.ended(items[1])
    assert left.seconds == pytest.approx(10.0)


def test_what_was_lost_is_still_to_be_done(items: list[Item], at: Callable[[float], None]) -> None:
    left = TimeLeft(items[:2])
    left.started(items[0])
    at(5.0)
    left.started(items[0])
    at(10.0)
    left.ended(items[0])
    assert left.seconds == pytest.approx(10.0), "one of five seconds is left, at half the pace"


def test_random_search_alone_tells_nothing(items: list[Item], at: Callable[[float], None]) -> None:
    own = next(item for item in items if item.parts[0].spec.strategy == MATCHED)
    left = TimeLeft([own, items[0]])
    left.started(own)
    at(1.0)
    left.ended(own)
    assert left.seconds is None
