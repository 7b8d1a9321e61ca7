"""How a study is carried out, where that is not what it says: executor, workers, limits."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import HarnessError

_LONGEST_RUN = 366 * 86400.0


@dataclass(frozen=True)
class Settings:
    """How a study is carried out; none of it changes a record.

    jobs: default one a core. run_timeout, final_timeout: seconds a search, and a final training, may take.
    run_memory: bytes that one of them may hold, default a fair share of the machine. retry_failed: runs that failed
    before are run again; the first records stay in the file.
    """

    executor: str = "process"
    cluster: str | None = None
    jobs: int | None = None
    run_timeout: float = 3600.0
    final_timeout: float = 86400.0
    run_memory: int | None = None
    keep_queries: bool = False
    retry_failed: bool = False

    def check(self) -> None:
        """Raises HarnessError for a setting that no study can be carried out with."""
        if self.jobs is not None and self.jobs < 1:
            raise HarnessError(f"--jobs {self.jobs}: at least 1")
        for option, seconds in (("--run-timeout", self.run_timeout), ("--final-timeout", self.final_timeout)):
            if not 0 < seconds <= _LONGEST_RUN:
                raise HarnessError(f"{option} {seconds:g}: more than 0 seconds, at most {_LONGEST_RUN:g} (a year)")
        if self.cluster is not None and self.executor in ("serial", "process"):
            raise HarnessError(
                f"--cluster {self.cluster} is not for the executor {self.executor!r}; add --executor dask"
            )
