"""Power and seeds needed, against simulation by hand and Noether's formula."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from harness.statistics.power import power, seeds_needed

POPULATION = np.random.default_rng(0).normal(94.0, 0.3, 200)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


class TestPower:
    def test_nothing_to_find_is_found_in_one_study_of_forty_at_most(self) -> None:
        found = power(POPULATION, [POPULATION], seeds=8, reference_seeds=200, rng=rng(), studies=1000)
        assert found <= 0.035

    def test_more_reference_runs_find_more(self) -> None:
        few, many = (
            power(POPULATION + 0.3, [POPULATION], seeds=8, reference_seeds=m, rng=rng(), studies=200) for m in (8, 200)
        )
        assert many > few + 0.1

    def test_better_is_better_than_every_reference(self) -> None:
        """The other law's reference is .15 better: an entry .2 above the first is hardly above the second."""
        one, both = (
            power(POPULATION + 0.2, of, seeds=20, reference_seeds=200, rng=rng(), studies=200)
            for of in ([POPULATION], [POPULATION, POPULATION + 0.15])
        )
        assert one > 0.7
        assert both < 0.3

    def test_a_stricter_level_finds_less(self) -> None:
        plain, strict = (
            power(POPULATION + 0.3, [POPULATION], seeds=8, reference_seeds=200, rng=rng(), alpha=a, studies=200)
            for a in (0.05, 0.05 / 16)
        )
        assert strict < plain - 0.1

    def test_too_few_seeds_find_nothing(self) -> None:
        assert power(POPULATION + 9, [POPULATION], seeds=4, reference_seeds=200, rng=rng(), studies=10) == 0.0


class TestSeedsNeeded:
    def test_is_about_noethers_number(self) -> None:
        """Noether (JASA 1987): z^2 (m + n + 1) / (12 m n) = (p - 1/2)^2 with p = P(entry > reference), one sided."""
        difference, m = 0.15, 200
        p = float(scipy.stats.norm.cdf(difference / (0.3 * np.sqrt(2))))
        z = scipy.stats.norm.ppf(0.975) + scipy.stats.norm.ppf(0.8)
        noether = next(n for n in range(5, 1000) if z**2 * (m + n + 1) / (12 * m * n) <= (p - 0.5) ** 2)
        found = seeds_needed([POPULATION], difference, reference_seeds=m, rng=rng(), studies=200)
        assert found == pytest.approx(noether, rel=0.3)

    def test_the_difference_is_to_the_best_reference(self) -> None:
        """A worse one beside it changes nothing."""
        alone, beside = (
            seeds_needed(of, 0.3, reference_seeds=200, rng=rng(), studies=200)
            for of in ([POPULATION], [POPULATION - 5, POPULATION])
        )
        assert beside == pytest.approx(alone, rel=0.3)

    def test_a_large_difference_needs_the_fewest_runs(self) -> None:
        assert seeds_needed([POPULATION], 10.0, reference_seeds=200, rng=rng(), studies=50) == 5

    def test_a_difference_too_small_to_find(self) -> None:
        assert seeds_needed([POPULATION], 0.001, reference_seeds=200, rng=rng(), most=20, studies=50) is None

    @pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
    def test_a_difference_is_positive(self, bad: float) -> None:
        with pytest.raises(ValueError, match="a difference to detect is positive"):
            seeds_needed([POPULATION], bad, reference_seeds=200, rng=rng())
