"""How a study is carried out, where that is not what it says: executor, workers, limits."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.running.environment import DEVICE, environment_with

_LONGEST_RUN = 366 * 86400.0


@dataclass(frozen=True)
class Settings:
    """How a study is carried out; none of it changes a record, but for device: a GPU gives other bits than a CPU.

    jobs: default one a core. device: where trainings run, such as ``cuda`` or ``cuda:0,cuda:1``: one run at a time on
    each GPU, unless jobs says otherwise. run_timeout, final_timeout: seconds a search, and a final training, may take.
    run_memory: bytes that one of them may hold, default a fair share of the machine. retry_failed: runs that failed
    before are run again; the first records stay in the file.
    """

    executor: str = "process"
    cluster: str | None = None
    jobs: int | None = None
    device: str | None = None
    run_timeout: float = 3600.0
    final_timeout: float = 86400.0
    run_memory: int | None = None
    keep_queries: bool = False
    retry_failed: bool = False

    def environment(self) -> AbstractContextManager[None]:
        """Names the device in this process's environment, which its workers inherit."""
        return environment_with({} if self.device is None else {DEVICE: self.device})

    @property
    def workers(self) -> int | None:
        """How many runs are carried out at a time; None: as many as there is room for."""
        if self.jobs is None and self.device not in (None, "cpu"):
            return str(self.device).count(",") + 1
        return self.jobs

    def check(self) -> None:
        """Raises HarnessError for a setting that no study can be carried out with."""
        if self.jobs is not None and self.jobs < 1:
            raise HarnessError(f"--jobs {self.jobs}: at least 1")
        for option, seconds in (("--run-timeout", self.run_timeout), ("--final-timeout", self.final_timeout)):
            if not 0 < seconds <= _LONGEST_RUN:
                raise HarnessError(f"{option} {seconds:g}: more than 0 seconds, at most {_LONGEST_RUN:g} (a year)")
        if self.device is not None and "," in self.device and self.executor == "serial":
            raise HarnessError(f"--device {self.device}: the executor 'serial' carries out one run at a time; name one")
        if self.device is not None and self.executor not in ("serial", "process"):
            raise HarnessError(
                f"--device {self.device} is for the workers of this machine: set {DEVICE} where the workers of "
                f"{self.executor!r} start"
            )
        if self.cluster is not None and self.executor in ("serial", "process"):
            raise HarnessError(
                f"--cluster {self.cluster} is not for the executor {self.executor!r}; add --executor dask"
            )
