"""The search that all proxies share: score a pool, which is free of queries, then spend the budget best first."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
import numpy.typing as npt

from harness import Architecture, Params, Strategy, said
from harness.search.labelled import classes, distinct, small
from harness.search.oracle import best_first

if TYPE_CHECKING:
    from harness import Oracle

Floats = npt.NDArray[np.float64]
UNDEFINED = -1e30
"""The place of an architecture that a proxy gives no finite number: below all that it gives one."""


class ProxyParams(Params):
    pool: Annotated[
        int,
        said(
            "architectures of distinct keys that the proxy scores, drawn at random; at least as many as the budget has "
            "queries. A space of at most so many architectures is scored whole",
            ge=1,
        ),
    ] = 1000
    law: Annotated[str | None, said("law that the pool is drawn by; none: the task's")] = None
    top: Annotated[int, said("how many architectures are returned", ge=1)] = 10

    @classmethod
    def smallest(cls) -> Any:
        return cls(pool=4)


class ProxyRanker:
    """The order of a proxy: higher is held to be better. An architecture is scored once."""

    def __init__(self, proxy: Callable[[Sequence[Architecture]], Floats]) -> None:
        self._proxy = proxy
        self._known: dict[Architecture, float] = {}

    def rank(self, archs: Sequence[Architecture]) -> Floats:
        """The proxy of each, float64 [n]; `UNDEFINED` where it is no finite number."""
        new = [a for a in dict.fromkeys(archs) if a not in self._known]
        if new:
            found = np.asarray(self._proxy(new), dtype=np.float64)
            self._known.update(zip(new, np.where(np.isfinite(found), found, UNDEFINED).tolist(), strict=True))
        return np.array([self._known[a] for a in archs], dtype=np.float64)


P_co = TypeVar("P_co", bound=ProxyParams, covariant=True)


class ProxyStrategy(Strategy[P_co]):
    """Subclasses say what the proxy is (`proxy`). It buys nothing: its price is CPU seconds, which ``timing`` holds."""

    @abstractmethod
    def proxy(self, oracle: Oracle, rng: np.random.Generator) -> Callable[[Sequence[Architecture]], Floats]:
        """What gives each architecture a number, float64 [n], higher is better; not finite: none.

        Raises StudyError where the space of the oracle does not have what the proxy needs.
        """

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        """The best validated of the pool's best by the proxy; those of equal number in random order."""
        p = self.params
        pool_rng, proxy_rng, tie_rng = rng.spawn(3)
        started = time.process_time()
        self.ranker = ranker = ProxyRanker(self.proxy(oracle, proxy_rng))
        pool = drawn(oracle, pool_rng, max(p.pool, oracle.budget.queries or 0), p.law)
        scores = ranker.rank(pool)
        scored = time.process_time()
        self.notes |= {"scored": len(pool), "undefined": int((scores == UNDEFINED).sum())}
        self.seconds |= {"proxy": scored - started}
        for place in np.lexsort((tie_rng.random(len(pool)), -scores)).tolist():
            if oracle.ended_by is not None:
                break
            oracle.query(pool[place])
        self.seconds |= {"verify": time.process_time() - scored}
        return best_first(oracle, p.top)


def drawn(oracle: Oracle, rng: np.random.Generator, n: int, law: str | None) -> list[Architecture]:
    """n feasible architectures of distinct keys; of a space of at most n architectures one of every key."""
    if small(oracle.space, n):
        return [arch for arch, _ in classes(oracle)]
    return list(islice(distinct(oracle, rng, law), n))
