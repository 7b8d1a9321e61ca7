"""NAS-Bench-301's cells: notation both ways, and the official categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness_nasbench.formats import darts_cells as darts

# DARTS, second order, as its authors published it.
NORMAL = [("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 1),
          ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2)]  # fmt: skip
REDUCE = [("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1), ("max_pool_3x3", 0),
          ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1)]  # fmt: skip


@st.composite
def architectures(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    cells = np.zeros((2, 4, 2, 2), dtype=np.int64)
    for k in range(2):
        for node in range(4):
            inputs = draw(st.permutations(range(node + 2)))[:2]
            for slot in range(2):
                cells[k, node, slot] = draw(st.integers(0, 6)), inputs[slot]
    return cells


def test_the_published_darts_cells() -> None:
    config = darts.to_config(darts.from_genotype(NORMAL, REDUCE))
    prefix = "NetworkSelectorDatasetInfo:darts:"
    edges = {key.removeprefix(prefix): value for key, value in config.items()}
    assert edges == {
        "edge_normal_0": "sep_conv_3x3", "edge_normal_1": "sep_conv_3x3", "edge_normal_2": "sep_conv_3x3",
        "edge_normal_3": "sep_conv_3x3", "edge_normal_5": "skip_connect", "edge_normal_6": "sep_conv_3x3",
        "edge_normal_9": "skip_connect", "edge_normal_11": "dil_conv_3x3",
        "inputs_node_normal_3": "0_1", "inputs_node_normal_4": "0_1", "inputs_node_normal_5": "0_2",
        "edge_reduce_0": "max_pool_3x3", "edge_reduce_1": "max_pool_3x3", "edge_reduce_3": "max_pool_3x3",
        "edge_reduce_4": "skip_connect", "edge_reduce_5": "max_pool_3x3", "edge_reduce_7": "skip_connect",
        "edge_reduce_10": "max_pool_3x3", "edge_reduce_11": "skip_connect",
        "inputs_node_reduce_3": "1_2", "inputs_node_reduce_4": "0_2", "inputs_node_reduce_5": "1_2",
    }  # fmt: skip


@given(architectures())
def test_round_trips(cells: np.ndarray[Any, Any]) -> None:
    genotype = darts.to_genotype(cells)
    np.testing.assert_array_equal(darts.from_genotype(**genotype), cells)
    config = darts.to_config(cells)
    assert darts.to_config(darts.from_config({**config, "OptimizerSelector:optimizer": "sgd"})) == config
    assert len(config) == 22


@given(architectures())
def test_categories_by_definition(cells: np.ndarray[Any, Any]) -> None:
    edges, pairs = darts.categories(cells[None])
    assert (edges >= 0).sum() == 16
    for k in range(2):
        for node, start in enumerate((0, 2, 5, 9)):
            for operation, predecessor in cells[k, node]:
                assert edges[0, k, start + predecessor] == operation
            if node:
                assert darts.PAIRS[node][pairs[0, k, node - 1]] == tuple(sorted(cells[k, node, :, 1]))


def test_refusals() -> None:
    good = darts.from_genotype(NORMAL, REDUCE)
    for change, message in [
        ((0, 2, 0, 1, 0), "architecture 0, normal cell, node 2: the same predecessor twice"),
        ((1, 0, 0, 1, 2), "architecture 0, reduce cell, node 0: a predecessor that is no earlier vertex"),
        ((1, 3, 1, 0, 7), "architecture 0, reduce cell, node 3: an unknown operation"),
    ]:
        bad = good.copy()
        bad[change[:4]] = change[4]
        with pytest.raises(ValueError, match=message):
            darts.categories(bad[None])
    with pytest.raises(ValueError, match="instead of integers"):
        darts.check_cells(good)
    with pytest.raises(ValueError, match="7 edges instead of 8"):
        darts.from_genotype(NORMAL[:-1], REDUCE)
    with pytest.raises(ValueError, match="operation 'none'"):
        darts.from_genotype([("none", 0), *NORMAL[1:]], REDUCE)
    config = darts.to_config(good)
    for key, value, message in [
        ("edge_normal_0", "none", "edge_normal_0 is 'none'"),
        ("edge_normal_13", "skip_connect", "edge_normal_13 is given, but no node takes it"),
        ("inputs_node_reduce_4", "0_4", "inputs_node_reduce_4 is '0_4'"),
    ]:
        with pytest.raises(ValueError, match=message):
            darts.from_config({**config, darts.PREFIX + key: value})
