"""Proxies that need no network: how large one is. The floor that every other proxy should clear.

White, Khodak, Tu, Shah, Bubeck and Dey, "A Deeper Look at Zero-Cost Proxies for Lightweight NAS" (ICLR blog track,
2022), and NAS-Bench-Suite-Zero (Krishnakumar et al., NeurIPS 2022) set proxies beside these two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from harness import Architecture, StudyError, said
from harness_proxies.search import Floats, ProxyParams, ProxyStrategy

if TYPE_CHECKING:
    from harness import Oracle


class SizeParams(ProxyParams):
    pool: Annotated[
        int,
        said(
            "architectures of distinct keys that are compared, drawn at random; at least as many as the budget has "
            "queries. A space of at most so many architectures is compared whole",
            ge=1,
        ),
    ] = 20_000


class _Largest(ProxyStrategy[SizeParams]):
    cost: ClassVar[str]
    """As in `SearchSpace.costs`."""

    def proxy(self, oracle: Oracle, rng: np.random.Generator) -> Callable[[Sequence[Architecture]], Floats]:
        space, cost = oracle.space, self.cost
        if cost not in space.costs([]):
            raise StudyError(f"{self.name} does not suit {space.name}, which knows no {cost} of an architecture")
        return lambda archs: np.asarray(space.costs(archs)[cost], dtype=np.float64)


class MostParameters(_Largest):
    """The most parameters first, the best of these by validation."""

    name: ClassVar[str] = "proxy-params"
    paper: ClassVar[str] = (
        "White et al., A Deeper Look at Zero-Cost Proxies for Lightweight NAS (ICLR blog track, 2022)"
    )
    cost = "params"


class MostFlops(_Largest):
    """The most FLOPs first, the best of these by validation."""

    name: ClassVar[str] = "proxy-flops"
    paper: ClassVar[str] = (
        "White et al., A Deeper Look at Zero-Cost Proxies for Lightweight NAS (ICLR blog track, 2022)"
    )
    cost = "flops"
