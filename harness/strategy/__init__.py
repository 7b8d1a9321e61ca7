"""The search strategy contract."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Literal,
    Protocol,
    dataclass_transform,
    get_args,
    get_origin,
    runtime_checkable,
)

import msgspec
import numpy as np
from typing_extensions import TypeVar

from harness.errors import PluginError
from harness.spaces import Architecture

if TYPE_CHECKING:
    from harness.search.oracle import Oracle


def said(text: str, **limits: Any) -> Any:
    """What a parameter is, and its limits: ``lr: Annotated[float, said("learning rate", gt=0.0)] = 0.1``."""
    return msgspec.Meta(description=text, **limits)


class _KeywordOnly(msgspec.StructMeta):
    """msgspec hands ``frozen`` and ``forbid_unknown_fields`` down to subclasses, but not ``kw_only``."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        return super().__new__(mcls, name, bases, namespace, **{"kw_only": True, **options})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Params(msgspec.Struct, metaclass=_KeywordOnly, frozen=True, forbid_unknown_fields=True):
    """Base of a strategy's parameters: typed, with defaults, checked when a study is read.

    Subclasses are frozen, take keywords alone and refuse unknown fields, as this class does. Document each field with
    ``Annotated[int, said("...", ge=1)]``: `nas-harness describe` shows it.
    """

    @classmethod
    def smallest(cls) -> Any:
        """The cheapest parameters under which the strategy still does all its steps; for quick checks."""
        return cls()


class Scoring(msgspec.Struct, frozen=True):
    """How a run is scored. Only the runner acts on it.

    oracle: the column that the oracle answers from. report: ``first`` reports the first returned architecture;
    ``best_of_returned`` the best by final score among the first ``top`` (a choice by test score: some papers make it).
    """

    oracle: Literal["validation", "test"] = "validation"
    report: Literal["first", "best_of_returned"] = "first"
    top: int = 1


class Mode(Scoring, frozen=True):
    """How a run is scored, and the parameters that the mode sets; those that a study sets go before them."""

    note: str = ""
    params: dict[str, Any] = {}

    @property
    def scoring(self) -> Scoring:
        """The part that decides scores. Runs of two modes may be compared where it is equal."""
        return Scoring(self.oracle, self.report, self.top)


STRICT = Mode()


@runtime_checkable
class Ranker(Protocol):
    """A learned order over architectures; higher is predicted better. KTau is measured on it."""

    def rank(self, archs: Sequence[Architecture]) -> np.ndarray:
        """Predicted utility, float [n], any scale."""
        ...


@runtime_checkable
class Comparing(Ranker, Protocol):
    """A learned order that compares in pairs. CTNAS's variant of KTau is measured on the comparisons themselves."""

    def compare(self, a: Sequence[Architecture], b: Sequence[Architecture]) -> np.ndarray:
        """Probabilities that a_i is at least as good as b_i, float [n], in [0, 1]."""
        ...


P_co = TypeVar("P_co", bound=Params, default=Params, covariant=True)


class Strategy(ABC, Generic[P_co]):
    """One search method. ``class Mine(Strategy[MyParams])`` has parameters, ``class Mine(Strategy)`` has none.

    The runner makes an instance for each run: ``cls(params)``. A strategy maximises: `Oracle.query` answers so that
    higher is better, whatever the task's score. It draws from ``rng`` alone, does not change global random state, and
    may keep a learned order in ``self.ranker``. The first line of its docstring is its summary.
    """

    name: ClassVar[str]
    paper: ClassVar[str] = ""
    """Where the method is published: authors, title, venue and year. Shown beside its results."""
    Params: ClassVar[type[Params]] = Params
    """The class between the brackets of ``Strategy[...]``. The harness finds it; do not set it."""
    modes: ClassVar[dict[str, Mode]] = {"strict": STRICT}
    ablations: ClassVar[dict[str, dict[str, Any]]] = {}
    """name -> the parameters that differ, with one component off."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """``{"training"}``: it needs `Oracle.training`, which only live tasks have."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Find `Params`. Raises PluginError where it is no `Params`, where the body sets it or ``summary``, or where a
        mode is no `Mode`.
        """
        super().__init_subclass__(**options)
        if "Params" in cls.__dict__:
            own = getattr(cls.__dict__["Params"], "__name__", "MyParams")
            raise PluginError(
                f"{cls.__name__} sets Params in its body: write class {cls.__name__}(Strategy[{own}]) instead"
            )
        if "summary" in cls.__dict__:
            raise PluginError(
                f"{cls.__name__} sets summary: write it as the first line of the class's docstring instead"
            )
        for name, mode in cls.modes.items():
            if not isinstance(mode, Mode):
                raise PluginError(f"{cls.__name__}: mode {name!r} is {mode!r}: write harness.Mode(...)")
        for base in cls.__dict__.get("__orig_bases__", ()):
            if not issubclass(get_origin(base) or object, Strategy):
                continue
            for given in get_args(base):
                if isinstance(given, type) and issubclass(given, Params):
                    cls.Params = given
                elif not isinstance(given, TypeVar):
                    shown = getattr(given, "__name__", given)
                    raise PluginError(f"{cls.__name__}: Strategy[{shown}]: {shown} is no subclass of harness.Params")

    def __init__(self, params: P_co | None = None) -> None:
        self.params: P_co = params if params is not None else type(self).Params()  # type: ignore[assignment]
        self.ranker: Ranker | None = None
        self.notes: dict[str, Any] = {}
        """Plain JSON values kept in the record: counts, nearest supported settings."""
        self.seconds: dict[str, float] = {}
        """Seconds of each phase of the search; kept in the record's ``timing``."""

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the wall seconds of the block to a phase."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[phase] = self.seconds.get(phase, 0.0) + time.perf_counter() - started

    @abstractmethod
    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        """Search until done or until BudgetExhausted propagates; architectures, best first."""
