"""Columns of scores against each other, by hand and against numbers published by others."""

from __future__ import annotations

import numpy as np
import pytest

from harness.reading.agreement import Spread, best, moving_average, pairing, spread

NAN = np.nan


def test_a_pairing_by_hand() -> None:
    """Of 90 80 70 60 against 70 85 71 60.5, and two without a partner: ranks 1 2 3 4 against 3 1 2 4."""
    found = pairing([90.0, 80.0, 70.0, 60.0, NAN, 1.0], [70.0, 85.0, 71.0, 60.5, 99.0, NAN])
    assert (found.n, found.ktau) == (4, pytest.approx((4 - 2) / 6))
    assert found.changes is not None
    assert found.shifts is not None
    assert (found.changes.mean, found.changes.low, found.changes.high) == (6.625, 0.5, 20.0)
    assert (found.shifts.mean, found.shifts.high) == (1.0, 2.0)


def test_equal_scores_share_the_best_of_their_ranks() -> None:
    """3 3 1 have ranks 1 1 3, 1 2 3 ranks 3 2 1."""
    found = pairing([3.0, 3.0, 1.0], [1.0, 2.0, 3.0])
    assert found.shifts == Spread(n=3, mean=5 / 3, std=pytest.approx(np.sqrt(1 / 3)), low=1.0, high=2.0)


def test_what_cannot_be_said_of_too_few_is_none() -> None:
    assert spread([NAN, NAN]) is None
    assert spread([2.0, NAN]) == Spread(n=1, mean=2.0, std=None, low=2.0, high=2.0)
    none = pairing([1.0, NAN], [NAN, 1.0])
    assert (none.n, none.ktau, none.changes, none.shifts) == (0, None, None, None)
    assert pairing([1.0, 1.0], [1.0, 2.0]).ktau is None, "a constant side has no order"


def test_the_best_tenth_is_rounded_up_and_never_holds_what_has_no_score() -> None:
    scores = np.array([NAN, *range(11)], dtype=np.float64)
    assert np.flatnonzero(best(scores)).tolist() == [10, 11]
    assert not best([NAN, NAN]).any()


def test_the_moving_average_is_that_of_the_last_epochs_and_keeps_the_length() -> None:
    curve = np.arange(30.0)[:, None] * [1.0, 2.0]
    smooth = moving_average(curve)
    assert smooth.shape == (30, 2)
    assert smooth[0].tolist() == [0.0, 0.0]
    assert smooth[10].tolist() == [5.0, 10.0]
    assert smooth[29].tolist() == [19.5, 39.0], "the mean of epochs 10 to 29"
    assert np.isnan(moving_average([[1.0], [NAN], [2.0]], 2)[:, 0]).tolist() == [False, True, True]


def test_smoothing_brings_early_epochs_nearer_to_the_last_as_figure_5_has_it() -> None:
    """214 noisy curves that differ in a level: over w epochs the noise falls to 1 / sqrt(w) of one epoch's."""
    rng = np.random.default_rng(0)
    level = rng.normal(size=214)
    curves = level + rng.normal(size=(100, 214))
    raw, smooth = pairing(curves[59], level).ktau, pairing(moving_average(curves)[59], level).ktau
    # tau of normal pairs of correlation r is 2 / pi asin r: r is 1 / sqrt(2), and 1 / sqrt(1.05).
    assert raw == pytest.approx(0.5, abs=0.1)
    assert smooth == pytest.approx(2 / np.pi * np.arcsin(1.05**-0.5), abs=0.06)
