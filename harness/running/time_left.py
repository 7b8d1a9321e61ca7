"""How long the items of a stage still take, from those that have ended."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import fmean

from harness.running.items import Item, Part, TrainingPart
from harness.running.study import MATCHED

_Kind = tuple[str, ...]


class TimeLeft:
    """Counts what is left by kind: strategy, params, task and budget of a search; task and final of a training.

    An item takes as long as those of its kind took so far: a strategy that trains may need a minute where random search
    needs a millisecond.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._began = time.monotonic()
        self._left = Counter(_kind(part) for item in items for part in item.parts)
        self._started: dict[str, float] = {}
        self._done: Counter[_Kind] = Counter()
        self._took: dict[_Kind, float] = defaultdict(float)
        """Seconds, of all that are done of a kind."""

    def started(self, item: Item) -> None:
        self._started[item.id] = time.monotonic()

    def ended(self, item: Item) -> None:
        """An item is done. One that was lost is not: it is still to be carried out."""
        each = (time.monotonic() - self._started.pop(item.id, self._began)) / len(item.parts)
        for kind in map(_kind, item.parts):
            self._left[kind] -= 1
            self._done[kind] += 1
            self._took[kind] += each

    @property
    def seconds(self) -> float | None:
        """At the pace so far, the seconds until all are done; None before an item that is no random search is done.

        A kind of which nothing is done takes the mean of the other kinds; random search takes nothing until then.
        """
        means = {kind: took / self._done[kind] for kind, took in self._took.items()}
        known = [mean for kind, mean in means.items() if kind[0] != MATCHED]
        if not known:
            return None
        usual = fmean(known)
        work = sum(n * means.get(kind, 0.0 if kind[0] == MATCHED else usual) for kind, n in self._left.items())
        pace = (time.monotonic() - self._began) / sum(self._took.values())
        return work * pace


def _kind(part: Part) -> _Kind:
    if isinstance(part, TrainingPart):
        return "final training", part.spec.task, part.spec.final
    return part.spec.strategy, part.spec.search_task, str(part.spec.params), str(part.spec.budget)
