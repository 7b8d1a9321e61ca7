"""Work items: what a worker is given, and what it gives back. Plain values, so that they travel to any worker."""

from __future__ import annotations

import msgspec

from harness.records.lines import SearchRecord, TrainingRecord
from harness.records.specs import OutcomeSpec, SearchSpec, TrainingSpec
from harness.running.ranking import Draw, Learned
from harness.spaces import Architecture


class SearchPart(msgspec.Struct, frozen=True, kw_only=True, tag="search"):
    """A search, and the outcomes whose final scores are recorded: the coordinator reads them as soon as it is over."""

    spec: SearchSpec
    outcomes: tuple[OutcomeSpec, ...]
    title: str

    @property
    def id(self) -> str:
        return self.spec.id


class TrainingPart(msgspec.Struct, frozen=True, kw_only=True, tag="training"):
    """A final training."""

    spec: TrainingSpec
    title: str

    @property
    def id(self) -> str:
        return self.spec.id


Part = SearchPart | TrainingPart


class Item(msgspec.Struct, frozen=True):
    """What one process carries out: a search or a final training; of the harness's own searches many, one after the
    other, since a process for each would cost more than they do."""

    parts: tuple[Part, ...]

    @property
    def id(self) -> str:
        return self.parts[0].id

    @property
    def title(self) -> str:
        more = f" and {len(self.parts) - 1} more" if len(self.parts) > 1 else ""
        return self.parts[0].title + more


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a part. learned: what a search's learned order says. queries: every paid query of a search as .npz,
    where they are kept."""

    search: SearchRecord | None = None
    learned: tuple[Learned, ...] = ()
    training: TrainingRecord | None = None
    queries: bytes | None = None

    def answers(self, part: Part) -> bool:
        """Whether it is a result of this part. A process that ran a strategy's code may send anything."""
        if isinstance(part, TrainingPart):
            found = self.training
            return found is not None and (found.id, found.spec) == (part.id, part.spec)
        if self.search is None or (self.search.id, self.search.spec) != (part.id, part.spec):
            return False
        return {said.outcome for said in self.learned} <= {o.id for o in part.outcomes}


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker makes ready once, before its first item, and compares with what the coordinator has.

    plugins: those to load, None: all. harness: version of its code. searches: one for each strategy in each setting,
    whatever its seed and budget. outcomes: an outcome on each task that gives final scores. drawn: what learned orders
    are asked for. records, cluster: the folder of all studies and the scheduler's address, which a search may
    not reach. imports: what the strategies require. keep_queries: whether each search gives every paid query.
    """

    plugins: frozenset[str] | None
    harness: dict[str, str]
    searches: tuple[SearchSpec, ...]
    outcomes: tuple[OutcomeSpec, ...]
    drawn: dict[Draw, list[Architecture]] = {}
    records: str
    cluster: str | None
    imports: tuple[str, ...] = ()
    keep_queries: bool = False
