"""The set schedules: |X_0|, |X_t|, K and T."""

from __future__ import annotations

from typing import Literal, NamedTuple

Name = Literal["own", "setup1", "setup1-pool", "setup2", "setup2-pool", "nasbench201", "nasbench301"]


class Schedule(NamedTuple):
    """|X_0| = initial, |X_t| = batch + (t - 1) growth, K = truth, T = iterations."""

    initial: int
    batch: int
    growth: int
    truth: int
    iterations: int

    def size(self, t: int) -> int:
        """|X_t| for t = 1, 2, ..."""
        return self.batch + (t - 1) * self.growth


PUBLISHED: dict[str, Schedule] = {
    # The paper's two setups on NAS-Bench-101, read literally: |X_t| = |X_{t-1}| + 50 (+ 100).
    "setup1": Schedule(50, 100, 50, 25, 10),
    "setup2": Schedule(100, 200, 100, 50, 10),
    # The same sentence read as: each iteration adds 50 (100) to the pool.
    "setup1-pool": Schedule(50, 50, 0, 25, 10),
    "setup2-pool": Schedule(100, 100, 0, 50, 10),
    # Not in the paper: T is left to the budget (445 distinct queries, and 10,000).
    "nasbench201": Schedule(50, 60, 10, 25, 100),
    "nasbench301": Schedule(100, 200, 100, 50, 100),
}
