"""Work items: what a worker is given, and what it gives back. Plain values, so that they travel to any worker."""

from __future__ import annotations

import msgspec

from harness.records.lines import SearchRecord, TrainingRecord
from harness.records.specs import OutcomeSpec, SearchSpec, TrainingSpec
from harness.running.ranking import Drawn, Learned
from harness.running.seal import Closed


class SearchItem(msgspec.Struct, frozen=True, kw_only=True, tag="search"):
    """A search, and the outcomes whose final scores are recorded: the coordinator reads them as soon as it is over."""

    spec: SearchSpec
    outcomes: tuple[OutcomeSpec, ...]
    title: str

    @property
    def id(self) -> str:
        return self.spec.id


class TrainingItem(msgspec.Struct, frozen=True, kw_only=True, tag="training"):
    """A final training."""

    spec: TrainingSpec
    title: str

    @property
    def id(self) -> str:
        return self.spec.id


class BatchItem(msgspec.Struct, frozen=True, kw_only=True, tag="batch"):
    """Searches of the harness's own code, one after the other in one process: a process for each would cost more."""

    items: tuple[SearchItem, ...]

    @property
    def id(self) -> str:
        return self.items[0].id

    @property
    def title(self) -> str:
        return f"{self.items[0].title} and {len(self.items) - 1} more"


Item = SearchItem | TrainingItem | BatchItem


def parts_of(item: Item) -> tuple[SearchItem | TrainingItem, ...]:
    """The items of a batch, else the item itself."""
    return item.items if isinstance(item, BatchItem) else (item,)


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an item. learned: what a search's learned order says. queries: every paid query of a search as
    .npz, where they are kept. parts: of a batch."""

    search: SearchRecord | None = None
    learned: tuple[Learned, ...] = ()
    training: TrainingRecord | None = None
    queries: bytes | None = None
    parts: tuple[Product, ...] = ()

    @property
    def queries_paid(self) -> int:
        """By its searches, as far as is known."""
        paid = None if self.search is None else self.search.paid
        return (0 if paid is None else paid.queries) + sum(part.queries_paid for part in self.parts)

    def answers(self, item: Item) -> bool:
        """Whether it is a result of this item. A process that ran a strategy's code may send anything."""
        if isinstance(item, BatchItem):
            whole = len(self.parts) == len(item.items)
            return whole and all(part.answers(i) for part, i in zip(self.parts, item.items, strict=True))
        if isinstance(item, TrainingItem):
            found = self.training
            return found is not None and (found.id, found.spec) == (item.id, item.spec)
        if self.search is None or (self.search.id, self.search.spec) != (item.id, item.spec):
            return False
        return {said.outcome for said in self.learned} <= {o.id for o in item.outcomes}


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker makes ready once, before its first item, and compares with what the coordinator has.

    plugins: those to load, None: all. harness, strategies: version of the code. tasks: digest of the data of each that
    is searched or trained. finals: tasks that give final scores. warmed: a search of each kind. drawn: what learned
    orders are asked for. closed: what a search may not reach. imports: what the strategies require. keep_queries:
    whether each search gives every paid query.
    """

    plugins: frozenset[str] | None
    harness: dict[str, str]
    strategies: dict[str, dict[str, str]]
    tasks: dict[str, str]
    finals: tuple[str, ...] = ()
    warmed: tuple[SearchSpec, ...] = ()
    drawn: tuple[Drawn, ...] = ()
    closed: Closed = Closed()
    imports: tuple[str, ...] = ()
    keep_queries: bool = False
