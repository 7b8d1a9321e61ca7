"""DARTS's cells with three of its seven operations: what the choice of operations decides before any search."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from harness.spaces import Script
from harness.spaces.restricted import FewerOptions
from harness_nasbench.spaces.darts import DartsSpace
from harness_nasbench.spaces.darts_costs import OPS
from harness_nasbench.spaces.darts_script import DartsScript

KEPT = ("max_pool_3x3", "skip_connect", "sep_conv_3x3")


class FewDartsSpace(FewerOptions):
    """DARTS's cells with 3x3 separable convolutions, 3x3 max pooling and skips alone.

    The encodings are those of ``darts``, and so are keys, graphs and costs. Yang, Esperança and Carlucci (ICLR 2020),
    Figure 6, ask in the same way how far random architectures move when the operations change.
    """

    name = "darts-few"

    def __init__(self) -> None:
        super().__init__(DartsSpace(), set(OPS) - set(KEPT))

    @cached_property
    def scripts(self) -> Mapping[str, Script]:
        """``default``: that of ``darts``, operations that are gone masked."""
        return {"default": DartsScript(map(OPS.index, KEPT))}
