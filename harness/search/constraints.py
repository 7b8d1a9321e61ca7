"""Hard constraints of a study, such as ``params <= 2.69e6``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from harness.errors import StudyError

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
}
_FORM = re.compile(r"\s*([a-z_][a-z0-9_]*)\s*(<=|>=|<|>)\s*([-+0-9.eE_]+)\s*")


class Constraint(msgspec.Struct, frozen=True, array_like=True):
    """``quantity operator bound``, in the quantity's own unit (params, flops: plain counts; seconds)."""

    quantity: str
    operator: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Raises StudyError where ``text`` is not ``name <= number`` (or ``<``, ``>=``, ``>``)."""
        match = _FORM.fullmatch(text)
        try:
            if match is None or math.isinf(bound := float(match[3])):
                raise ValueError
            return cls(match[1], match[2], bound)
        except ValueError:
            raise StudyError(f"constraint {text!r} is not of the form 'params <= 2.69e6'") from None

    def hold(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Which values satisfy it, bool [n]. NaN, a quantity that does not exist, never does."""
        return np.asarray(_OPERATORS[self.operator](values, self.bound), dtype=np.bool_)

    def excess(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """How far the value is beyond the bound, relative to it; 0 where it holds, inf where there is no value."""
        beyond = np.abs(values - self.bound) / max(abs(self.bound), 1e-12)
        beyond = np.where(np.isnan(values), np.inf, np.maximum(beyond, 1e-12))
        return np.where(self.hold(values), 0.0, beyond)

    def __str__(self) -> str:
        """The text from which `parse` reads exactly the same bound."""
        short = f"{self.bound:g}"
        return f"{self.quantity} {self.operator} {short if float(short) == self.bound else repr(self.bound)}"


def total_excess(
    constraints: Sequence[Constraint], values: Mapping[str, npt.NDArray[np.float64]], n: int
) -> npt.NDArray[np.float64]:
    """`Constraint.excess` over all constraints, summed, of ``values`` by quantity, float64 [n] each."""
    return sum((c.excess(values[c.quantity]) for c in constraints), np.zeros(n))
