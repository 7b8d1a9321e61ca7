"""DARTS's cells with three operations: what is drawn, what is refused, conformance."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from harness.errors import InvalidArchitecture
from harness.testing.conformance import assert_conforms
from harness_nasbench.spaces.darts import DartsSpace
from harness_nasbench.spaces.darts_costs import OPS
from harness_nasbench.spaces.darts_few import KEPT, FewDartsSpace

SPACE, WHOLE = FewDartsSpace(), DartsSpace()


def operations(arch: tuple[int, ...]) -> list[str]:
    genotype = WHOLE.genotype(arch)
    return [op for op, _ in (*genotype.normal, *genotype.reduce)]


def test_three_operations_are_drawn_alike_and_inputs_as_before() -> None:
    """(180 x 3^8)^2 cells; of 16,000 operations a third each, within four standard errors."""
    assert SPACE.size == (180 * 3**8) ** 2
    drawn = SPACE.sample(np.random.default_rng(0), 1000)
    counts = Counter(op for arch in drawn for op in operations(arch))
    assert set(counts) == set(KEPT)
    assert all(abs(n - 16_000 / 3) < 4 * (16_000 * 2 / 9) ** 0.5 for n in counts.values())
    assert {arch[8] for arch in drawn} == set(range(10)), "the inputs of the last node"


def test_a_cell_with_another_operation_is_refused() -> None:
    (arch,) = SPACE.sample(np.random.default_rng(1), 1)
    assert SPACE.parse(WHOLE.describe(arch)) == arch
    other = (OPS.index("dil_conv_5x5"), *arch[1:])
    assert WHOLE.is_valid(other)
    assert not SPACE.is_valid(other)
    with pytest.raises(InvalidArchitecture):
        SPACE.parse(WHOLE.describe(other))
    assert SPACE.key(arch) == WHOLE.key(arch)
    assert SPACE.costs([arch])["params"] == WHOLE.costs([arch])["params"]


def test_conformance() -> None:
    """What is other than in ``darts``, which conforms as a whole."""
    only = (
        "it is described completely",
        "is_valid tells architectures from anything else",
        "every law is named and draws valid architectures",
        "mutation, neighbours and crossover stay in the space",
        "every masked completion of a script is valid",
        "an unmasked completion counts its violations",
    )
    assert len(assert_conforms(SPACE, only=only).results) == len(only)


def test_a_cell_of_other_operations_is_refused_in_every_notation() -> None:
    (other,) = (a for a in WHOLE.sample(np.random.default_rng(0), 1) if not set(operations(a)) <= set(KEPT))
    for read, said in ((SPACE.from_genotype, WHOLE.genotype(other)), (SPACE.from_config, WHOLE.config(other))):
        with pytest.raises(InvalidArchitecture):
            read(said)
    with pytest.raises(InvalidArchitecture):
        SPACE.parse(WHOLE.describe(other))
