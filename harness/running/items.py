"""Work items: what a worker is given, and what it gives back. Plain values, so that they travel to any worker."""

from __future__ import annotations

import msgspec

from harness.records.lines import OutcomeRecord, SearchRecord, TrainingRecord
from harness.records.specs import OutcomeSpec, SearchSpec, TrainingSpec


class SearchItem(msgspec.Struct, frozen=True, kw_only=True, tag="search"):
    """A search, and its outcomes with recorded final scores: these are read as soon as it is over."""

    spec: SearchSpec
    outcomes: tuple[OutcomeSpec, ...]
    title: str

    @property
    def id(self) -> str:
        return self.spec.id


class OutcomeItem(msgspec.Struct, frozen=True, kw_only=True, tag="outcome"):
    """A search that is over, to be scored with recorded final scores."""

    spec: OutcomeSpec
    search: SearchRecord
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


Item = SearchItem | OutcomeItem | TrainingItem | BatchItem


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an item. queries: every paid query of a search as .npz, where they are kept. parts: of a batch."""

    search: SearchRecord | None = None
    outcomes: tuple[OutcomeRecord, ...] = ()
    training: TrainingRecord | None = None
    queries: bytes | None = None
    parts: tuple[Product, ...] = ()

    def answers(self, item: Item) -> bool:
        """Whether it is a result of this item. A process that ran a strategy's code may send anything."""
        if isinstance(item, BatchItem):
            whole = len(self.parts) == len(item.items)
            return whole and all(part.answers(i) for part, i in zip(self.parts, item.items, strict=True))
        if isinstance(item, TrainingItem):
            found = self.training
            return found is not None and (found.id, found.spec) == (item.id, item.spec)
        wanted = {item.id: item.spec} if isinstance(item, OutcomeItem) else {o.id: o for o in item.outcomes}
        if isinstance(item, SearchItem):
            if self.search is None or (self.search.id, self.search.spec) != (item.id, item.spec):
                return False
            if self.search.status != "ok":
                wanted = {}
        return {o.id: o.spec for o in self.outcomes} == wanted and len(self.outcomes) == len(wanted)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An item, and whether to keep every query: one message to a worker."""

    item: Item
    keep_queries: bool


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker makes ready once, before its first item, and compares with what the coordinator has.

    plugins: those to load; None: all. harness, strategies: versions of the code. tasks: the digest of each task's data.
    scored: for each way in which answers are scored, one outcome and its search. imports: what the strategies require.
    """

    plugins: frozenset[str] | None
    harness: dict[str, str]
    strategies: dict[str, dict[str, str]]
    tasks: dict[str, str]
    scored: tuple[tuple[OutcomeSpec, SearchSpec], ...] = ()
    imports: tuple[str, ...] = ()
