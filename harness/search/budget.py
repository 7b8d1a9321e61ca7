"""What a search may spend."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

Unit = Literal["queries", "epochs", "seconds"]
UNITS: tuple[Unit, ...] = ("queries", "epochs", "seconds")


class Budget(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Limits on paid queries, training epochs and training seconds; the first one reached ends the search."""

    queries: int | None = None
    epochs: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        limits = [x for x in (self.queries, self.epochs, self.seconds) if x is not None]
        if not limits:
            raise ValueError("a budget needs at least one of queries, epochs, seconds")
        if not all(0 < x < 1e18 for x in limits):  # a record's integers end at 9.2e18
            raise ValueError("a budget's limits are positive and below 1e18")
        for name in ("epochs", "seconds"):  # 500 and 500.0 are the same limit, with one digest
            if (limit := getattr(self, name)) is not None:
                msgspec.structs.force_setattr(self, name, float(limit))

    @property
    def unit(self) -> Unit:
        """What costs are counted in: queries where the budget limits them, else epochs, else seconds."""
        return next(unit for unit in UNITS if getattr(self, unit) is not None)


class Remaining(NamedTuple):
    """What is left of each limit; None where the budget does not limit it."""

    queries: int | None
    epochs: float | None
    seconds: float | None


class Totals(NamedTuple):
    """Paid queries, training epochs, training seconds."""

    queries: int
    epochs: float
    seconds: float
