"""NAS-Bench-Macro's chain space against every row of the public table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InvalidArchitecture
from harness.spaces import Architecture
from harness_nasbench.spaces.chain import ChainSpace

SPACE = ChainSpace()
archs = st.tuples(*[st.integers(0, 2)] * 8)


@pytest.fixture(scope="module")
def table(shared_data: Path) -> dict[str, tuple[int, int]]:
    with (shared_data / "nasbench_macro.csv").open(newline="") as file:
        return {row["arch"]: (int(row["params"]), int(row["flops"])) for row in csv.DictReader(file)}


def test_costs_of_every_row(table: dict[str, tuple[int, int]]) -> None:
    assert len(table) == SPACE.size == 6561
    every = [SPACE.parse(text) for text in table]
    assert set(every) == set(SPACE.enumerate())
    costs = SPACE.costs(every)
    assert np.stack([costs["params"], costs["flops"]], axis=1).tolist() == [list(row) for row in table.values()]


def test_equal_keys_have_equal_costs_and_unequal_multisets_do_not(table: dict[str, tuple[int, int]]) -> None:
    """Twins of one key agree in both published columns; a stage with another multiset of blocks never has that key."""
    by_key: dict[str, set[tuple[int, int]]] = {}
    for text, row in table.items():
        by_key.setdefault(SPACE.key(SPACE.parse(text)), set()).add(row)
    assert all(len(rows) == 1 for rows in by_key.values())
    # Per stage: 3 x (3, 7, 7) sequences once identities after the first layer are dropped.
    assert len(by_key) == (3 * 3) * (3 * 7) * (3 * 7) == 3969


def computation(arch: Architecture) -> list[tuple[int, int, int]]:
    """What runs, in order: (block, channels in, stride), leaving out identities that change nothing."""
    channels, found = 32, []
    for layer, block in enumerate(arch):
        stride = 2 if layer in (0, 2, 5) else 1
        if block or stride == 2:
            found.append((block, channels, stride))
        channels *= stride
    return found


@given(archs, archs)
def test_key_is_equal_exactly_for_the_same_computation(a: Architecture, b: Architecture) -> None:
    assert (SPACE.key(a) == SPACE.key(b)) == (computation(a) == computation(b))


def test_known_twins() -> None:
    """An identity moves freely behind its stage's first layer, and nowhere else."""
    key = {text: SPACE.key(SPACE.parse(text)) for text in ("02110120", "02101120", "02011120", "02110102", "02110201")}
    assert key["02110120"] == key["02101120"]
    assert key["02110120"] != key["02011120"]
    assert key["02110120"] == key["02110102"]
    assert key["02110120"] != key["02110201"]


@given(archs)
def test_notation_round_trip(arch: Architecture) -> None:
    assert SPACE.parse(SPACE.describe(arch)) == arch


def test_leading_zeros_and_refusals() -> None:
    assert SPACE.parse("00000012") == (0, 0, 0, 0, 0, 0, 1, 2)
    assert SPACE.describe((0,) * 8) == "00000000"
    for text in ["", "12", "000000123", "00000013", "0000000a", "\u0660" * 8]:
        with pytest.raises(InvalidArchitecture, match="eight digits"):
            SPACE.parse(text)


@given(st.lists(archs, max_size=3))
def test_graphs_are_chains_and_batches_equal_singles(some: list[Architecture]) -> None:
    (batch,) = SPACE.graphs(some)
    assert batch.ops.shape == (len(some), 10)
    totals = SPACE.costs(some)
    for i, arch in enumerate(some):
        (cell,) = SPACE.graph(arch)
        assert cell.ops.tolist() == [0, *(block + 1 for block in arch), 4]
        assert [SPACE.operations[o] for o in cell.ops[1:9]] == [SPACE.choices[0].options[b] for b in arch]
        assert [tuple(e) for e in np.argwhere(cell.adjacency)] == [(v, v + 1) for v in range(9)]
        assert (batch.ops[i] == cell.ops).all()
        assert batch.flops is not None
        assert cell.flops is not None
        assert (batch.flops[i] == cell.flops).all()
        assert cell.flops.sum() == totals["flops"][i]


def test_block_costs_by_hand() -> None:
    """Layer 1: 64 channels on 16 x 16. MB3_K3 expands to 192; published difference to identity 27,200 and 6,733,824."""
    (cell,) = SPACE.graph(SPACE.parse("01000000"))
    assert cell.params is not None
    assert cell.flops is not None
    assert cell.params[0, 2] == 64 * 192 + 9 * 192 + 192 * 64 + 2 * (192 + 192 + 64) == 27_200
    assert cell.flops[0, 2] == (64 * 192 + 9 * 192 + 192 * 64) * 256 == 6_733_824
    assert cell.params[0, 4] == 0  # layer 3, an identity inside its stage
    assert cell.params[0, 1] == 32 * 64 + 128  # layer 0, an identity that doubles the channels


def test_script_and_law() -> None:
    script, rng, n = SPACE.scripts["default"], np.random.default_rng(0), 3000
    state, nodes = script.start(n), []
    while (decision := script.decision(state)) is not None:
        assert decision.option_ops is not None
        assert [SPACE.operations[o] for o in decision.option_ops] == list(SPACE.choices[0].options)
        nodes.append(decision.node)
        state = script.apply(state, rng.integers(0, 3, n))
    assert nodes == list(range(1, 9))
    some, violations = script.finish(state)
    assert not violations.any()
    (built,), (final,) = script.partial(state), SPACE.graphs(some)
    assert (built.ops == final.ops).all()
    assert (built.adjacency == final.adjacency).all()
    drawn = np.array(SPACE.sample(rng, n))
    assert np.abs((drawn == 1).mean(axis=0) - 1 / 3).max() < 4.5 * (2 / 9 / n) ** 0.5
