"""Runs as they are read: an entry of a study, its search, and how its answer was scored."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import RecordError
from harness.records.lines import Asked, Incumbent, OutcomeRecord, Paid, RankQuality, ReplayRecord, SearchRecord, Status
from harness.records.specs import Entry, Setting


@dataclass(frozen=True, slots=True)
class Run:
    """One entry in one setting with one search seed.

    outcome: None where the search left nothing to score, or its answer has not been scored yet. replay: None where the
    search was not carried out again.
    """

    entry: Entry
    setting: Setting
    search: SearchRecord
    outcome: OutcomeRecord | None
    replay: ReplayRecord | None = None

    @property
    def seed(self) -> int:
        """The search seed, which numbers the run."""
        return self.search.spec.search_seed

    @property
    def score(self) -> float | None:
        """The final score; None where the run failed."""
        return self.outcome.score if self.outcome is not None and self.outcome.status == "ok" else None

    @property
    def failed(self) -> bool:
        return self.score is None

    @property
    def status(self) -> Status:
        """``ok``; else the status of what failed, the search or its final scores."""
        return self.search.status if self.outcome is None or self.search.status != "ok" else self.outcome.status

    @property
    def error(self) -> str | None:
        """Why it failed, in words."""
        if self.search.status != "ok" or self.outcome is None:
            return self.search.error
        return self.outcome.error

    @property
    def paid(self) -> Paid | None:
        """What the search paid; None where it is not known, since the run was killed."""
        return self.search.paid

    @property
    def asked(self) -> Asked:
        return self.search.asked

    @property
    def valid(self) -> float | None:
        """Validation score of the reported architecture."""
        return self.outcome.valid if self.outcome is not None else None

    @property
    def ktau(self) -> RankQuality | None:
        return self.outcome.ktau if self.outcome is not None else None

    @property
    def incumbents(self) -> list[tuple[Incumbent, float | None]]:
        """Each incumbent of the search with its final score, None where that is not known.

        Raises RecordError where the two records have different numbers of them.
        """
        final_scores = self.outcome.incumbents if self.outcome is not None else []
        known = final_scores or [None] * len(self.search.incumbents)
        if len(known) != len(self.search.incumbents):
            raise RecordError(
                f"search {self.search.id} has {len(self.search.incumbents)} incumbents, its outcome final scores of "
                f"{len(known)}: one of the two records was changed; run the study again in a new folder"
            )
        return list(zip(self.search.incumbents, known, strict=True))
