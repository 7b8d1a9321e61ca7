"""Theta to architecture: what first2 keeps, and how much of theta is inert."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness_csnas.encodings import First2, make_encoding
from harness_nasbench.spaces.darts import DartsSpace

SPACE = DartsSpace()
FIRST2 = First2(SPACE)
NONE, SKIP, SEP3 = 0, 3, 4


def genes(theta: tuple[int, ...]) -> list[tuple[str, int]]:
    """The normal cell's (operation, predecessor) pairs, read back from the space's own notation."""
    text = SPACE.describe(FIRST2.decode(theta))
    namespace = {"Genotype": dict, "range": range}
    found: dict[str, list[tuple[str, int]]] = eval(text, {"__builtins__": {}}, namespace)
    return found["normal"]


def test_theta_has_an_operation_of_eight_for_each_of_the_14_edges_of_either_cell() -> None:
    assert len(FIRST2.widths) == 28
    assert set(FIRST2.widths) == {8}
    assert FIRST2.names[:5] == ("normal_2_0", "normal_2_1", "normal_3_0", "normal_3_1", "normal_3_2")


def test_a_node_keeps_its_two_lowest_predecessors_that_carry_an_operation() -> None:
    normal = (SEP3, 5, NONE, 1, 2, 6, NONE, NONE, 7, NONE, NONE, NONE, 1, NONE)
    assert genes(normal + (SEP3,) * 14) == [
        ("sep_conv_3x3", 0),
        ("sep_conv_5x5", 1),
        ("max_pool_3x3", 1),
        ("avg_pool_3x3", 2),
        ("dil_conv_3x3", 0),
        ("dil_conv_5x5", 3),
        ("skip_connect", 0),
        ("max_pool_3x3", 3),
    ]


@given(st.tuples(*[st.integers(0, 7)] * 28))
def test_every_theta_encodes_a_valid_architecture(theta: tuple[int, ...]) -> None:
    assert SPACE.is_valid(FIRST2.decode(theta))


def test_the_effective_dimensions_are_what_changing_one_variable_at_a_time_shows() -> None:
    rng = np.random.default_rng(0)
    live = []
    for theta in rng.integers(0, 8, size=(150, 28)).tolist():
        base = FIRST2.decode(tuple(theta))
        changed = [
            any(FIRST2.decode((*theta[:i], o, *theta[i + 1 :])) != base for o in (SEP3, 5, 6)) for i in range(28)
        ]
        live.append(sum(changed))
    assert np.mean(live) == pytest.approx(FIRST2.effective_dimensions, abs=3 * np.std(live) / np.sqrt(len(live)) + 0.05)


def test_native_on_darts_is_an_input_pair_and_two_operations_a_node() -> None:
    encoding = make_encoding("native", SPACE)
    assert sorted(encoding.widths) == sorted([7] * 16 + [3, 6, 10] * 2)
    arch = encoding.draw(np.random.default_rng(1))
    assert encoding.decode(arch) == arch
