"""Hard constraints of a study, such as ``params <= 2.69e6``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.errors import StudyError

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
}
_FORM = re.compile(r"\s*([a-z_][a-z0-9_]*)\s*(<=|>=|<|>)\s*([-+0-9.eE_]+)\s*")


@dataclass(frozen=True, slots=True)
class Constraint:
    """``quantity operator bound``, in the quantity's own unit (params, flops: plain counts; seconds)."""

    quantity: str
    operator: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Raises StudyError where ``text`` is not ``name <= number`` (or ``<``, ``>=``, ``>``)."""
        match = _FORM.fullmatch(text)
        try:
            if match is None:
                raise ValueError
            return cls(match[1], match[2], float(match[3]))
        except ValueError:
            raise StudyError(f"constraint {text!r} is not of the form 'params <= 2.69e6'") from None

    def holds(self, value: float) -> bool:
        """NaN, a quantity that does not exist, never holds."""
        return _OPERATORS[self.operator](value, self.bound)

    def excess(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """How far beyond the bound, relative to it; 0 where it holds, inf where there is no value."""
        sign = 1.0 if self.operator[0] == "<" else -1.0
        beyond = np.maximum(sign * (values - self.bound), 0.0) / max(abs(self.bound), 1e-12)
        return np.where(np.isnan(values), np.inf, beyond)

    def __str__(self) -> str:
        return f"{self.quantity} {self.operator} {self.bound:g}"


def first_broken(constraints: tuple[Constraint, ...], values: Mapping[str, float]) -> Constraint | None:
    """The first constraint that does not hold for these values."""
    return next((c for c in constraints if not c.holds(values[c.quantity])), None)
