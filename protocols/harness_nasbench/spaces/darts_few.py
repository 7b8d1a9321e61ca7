"""DARTS's cells with three of its seven operations: what the choice of operations decides before any search."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import prod

import numpy as np

from harness.spaces import Architecture, Script
from harness_nasbench.spaces.darts import DartsSpace
from harness_nasbench.spaces.darts_costs import OPS
from harness_nasbench.spaces.darts_script import DartsScript

KEPT = ("max_pool_3x3", "skip_connect", "sep_conv_3x3")
_OPTIONS = [[i for i, o in enumerate(c.options) if o in KEPT or o not in OPS] for c in DartsSpace.choices]
"""Those that each choice of ``darts`` keeps."""


class FewDartsSpace(DartsSpace):
    """DARTS's cells with 3x3 separable convolutions, 3x3 max pooling and skips alone.

    The encodings are those of ``darts``, and so are keys, graphs and costs. Yang, Esperança and Carlucci (ICLR 2020),
    Figure 6, ask in the same way how far random architectures move when the operations change.
    """

    name = "darts-few"
    all_valid = False

    @property
    def size(self) -> int | None:
        return prod(map(len, _OPTIONS))

    def is_valid(self, arch: Architecture) -> bool:
        return self._is_encoding(arch) and all(a in kept for a, kept in zip(arch, _OPTIONS, strict=True))

    def _sample(self, rng: np.random.Generator, n: int, law: str) -> list[Architecture]:
        columns = [np.array(kept)[rng.integers(0, len(kept), n)] for kept in _OPTIONS]
        return [tuple(row) for row in np.stack(columns, axis=1).tolist()]

    @cached_property
    def scripts(self) -> Mapping[str, Script]:
        """``default``: that of ``darts``, operations that are gone masked."""
        return {"default": DartsScript(map(OPS.index, KEPT))}
