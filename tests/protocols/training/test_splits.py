"""Splits: disjoint, stratified, seeded, nested."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HarnessError
from harness_training.data.splits import POOL, TEST, VALIDATION, split


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=20, max_size=200), st.integers(1, 17), st.integers(0, 3), st.booleans())
def test_parts_are_disjoint_whole_and_stratified(labels: list[int], train: int, seed: int, official: bool) -> None:
    y = np.array(labels, dtype=np.int16)
    part = np.full(len(y), POOL, dtype=np.int8)
    if official:
        part[-3:] = TEST
        train = min(train, len(y) - 4)
    found = split(y, part, train=train, seed=seed)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(y)))
    assert len(found.train) == train
    if official:
        assert found.test.tolist() == list(range(len(y) - 3, len(y)))
    else:
        assert 0 <= len(found.test) - len(found.validation) <= 1
    pool = y[part == POOL]
    for label in set(pool.tolist()):
        share = train * (pool == label).mean()
        assert abs((y[found.train] == label).sum() - share) <= 3


def test_seeds_differ_and_fewer_training_images_are_a_part_of_more() -> None:
    y = np.repeat(np.arange(10), 100)
    part = np.zeros(1000, dtype=np.int8)
    small, large = (split(y, part, train=n, seed=1) for n in (300, 500))
    assert set(small.train) < set(large.train)
    assert np.bincount(y[small.train]).tolist() == [30] * 10
    assert not np.array_equal(small.train, split(y, part, train=300, seed=2).train)
    assert np.array_equal(small.test, split(y, part, train=300, seed=1).test)


def test_default_sizes() -> None:
    y = np.repeat(np.arange(10), 100)
    part = np.zeros(1000, dtype=np.int8)
    assert [len(rows) for rows in split(y, part, train=None)] == [600, 200, 200]
    part[900:] = TEST
    assert [len(rows) for rows in split(y, part, train=None)] == [450, 450, 100]
    part[800:900] = VALIDATION
    assert [len(rows) for rows in split(y, part, train=None)] == [800, 100, 100]
    with pytest.raises(HarnessError, match="comes with its own split, 800 train"):
        split(y, part, train=500)


@pytest.mark.parametrize("train", [0, 999, 1000, 5000])
def test_a_split_that_does_not_fit_is_refused(train: int) -> None:
    with pytest.raises(HarnessError, match=rf"train = {train}, validation = \d+: 1000 images are there"):
        split(np.repeat(np.arange(10), 100), np.zeros(1000, dtype=np.int8), train=train)


def test_validation_images_without_test_images_are_refused() -> None:
    part = np.array([POOL] * 8 + [VALIDATION] * 2, dtype=np.int8)
    with pytest.raises(HarnessError, match="validation images but none to test with: add a folder test, or move"):
        split(np.arange(10) % 2, part, train=None)


def test_fewer_validation_images_leave_more_to_test_with() -> None:
    y = np.repeat(np.arange(10), 100)
    part = np.zeros(1000, dtype=np.int8)
    many, few = (split(y, part, train=200, validation=n) for n in (400, 100))
    assert [len(rows) for rows in few] == [200, 100, 700]
    assert np.array_equal(many.train, few.train)
    assert set(few.validation) < set(many.validation)
    part[900:] = TEST
    assert [len(rows) for rows in split(y, part, train=200, validation=100)] == [200, 100, 100]
    with pytest.raises(HarnessError, match="train = 800, validation = 101: 900 images"):
        split(y, part, train=800, validation=101)
    part[800:900] = VALIDATION
    with pytest.raises(HarnessError, match="own split, 100 validation"):
        split(y, part, train=None, validation=50)
