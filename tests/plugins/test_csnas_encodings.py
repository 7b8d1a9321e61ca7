"""Theta to architecture: what first2 keeps, and how much of theta is inert."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness_csnas.encodings import First2, dense_nodes, make_encoding
from harness_nasbench.spaces.darts import DartsSpace
from harness_nasbench.spaces.darts_dense import DenseDartsSpace

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


FIVE = DenseDartsSpace(5)


def test_on_five_nodes_theta_has_twenty_edges_a_cell_and_first2_keeps_two_of_each_nodes() -> None:
    encoding = First2(FIVE)
    assert encoding.widths == (8,) * 40
    theta = tuple(np.random.default_rng(0).integers(0, 8, 40).tolist())
    arch = encoding.decode(theta)
    assert FIVE.is_valid(arch)
    at = 0
    for j in (2, 3, 4, 5, 6):
        kept, given = arch[at : at + j], theta[at : at + j]
        first = [p for p, o in enumerate(given) if o != NONE][:2]
        assert sum(o != NONE for o in kept) == 2
        assert all(kept[p] == given[p] for p in first)
        at += j
    # A node's first two edges always matter, its k-th where fewer than two of those before it carry something.
    p = [1, 1, 1 - (7 / 8) ** 2, (1 / 8) ** 3 + 3 * (7 / 8) * (1 / 8) ** 2]
    p += [(1 / 8) ** k + k * (7 / 8) * (1 / 8) ** (k - 1) for k in (4, 5)]
    assert encoding.effective_dimensions == pytest.approx(2 * sum(sum(p[:j]) for j in (2, 3, 4, 5, 6)))
    assert encoding.effective_dimensions < 23


def test_dense_is_every_edge_of_a_dense_space_and_refused_elsewhere() -> None:
    encoding = make_encoding("dense", FIVE)
    theta = encoding.draw(np.random.default_rng(1))
    assert encoding.decode(theta) == theta
    assert encoding.effective_dimensions == 40.0
    assert [dense_nodes(s) for s in (FIVE, DenseDartsSpace(4), SPACE)] == [5, 4, None]
    with pytest.raises(HarnessError, match="'dense'.*not for darts; use 'native'"):
        make_encoding("dense", SPACE)


def test_the_two_input_cells_of_darts_are_dense_cells_of_the_same_cost() -> None:
    """The same theta, decoded into both spaces: the same networks, so equal costs, and equal keys go together."""
    dense = DenseDartsSpace(4, layers=8, channels=32)
    ours, theirs = First2(dense), First2(SPACE)
    thetas = [tuple(t) for t in np.random.default_rng(2).integers(0, 8, (60, 28)).tolist()]
    # Renumbering the last two nodes, where neither reads the other, gives an isomorphic cell.
    swapped = [(*t[:5], *t[5:8], NONE, *t[5:9], NONE, *t[14:]) for t in thetas]
    pairs = [((*t[:5], *t[5:9], *s[9:14], *t[14:]), s) for t, s in zip(thetas, swapped, strict=True)]
    every = [*thetas, *(x for pair in pairs for x in pair)]
    a, b = [ours.decode(t) for t in every], [theirs.decode(t) for t in every]
    for name, values in dense.costs(a).items():
        np.testing.assert_allclose(values, SPACE.costs(b)[name])
    x, y = dense.keys(a), SPACE.keys(b)
    assert len(set(x)) == len(set(y)) == len(set(zip(x, y, strict=True)))


def test_native_on_darts_is_an_input_pair_and_two_operations_a_node() -> None:
    encoding = make_encoding("native", SPACE)
    assert sorted(encoding.widths) == sorted([7] * 16 + [3, 6, 10] * 2)
    arch = encoding.draw(np.random.default_rng(1))
    assert encoding.decode(arch) == arch
