"""The results of runs: the lines of a results folder. Scores are in the task's unit and orientation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from harness.protocol import Score
from harness.records.identity import digest
from harness.records.specs import Entry, OutcomeSpec, SamplingSpec, SearchSpec, Setting, Spec, TrainingSpec
from harness.spaces import Architecture

SCHEMA = 2

Status = Literal["ok", "failed", "timeout", "infeasible"]


class Paid(msgspec.Struct, frozen=True):
    """What the search paid; epochs and seconds are null where the task does not record them."""

    queries: int
    epochs: float | None = None
    seconds: float | None = None


class Asked(msgspec.Struct, frozen=True):
    """Calls of the oracle by kind, and how many distinct keys were paid for."""

    total: int = 0
    cached: int = 0
    invalid: int = 0
    infeasible: int = 0
    missing: int = 0
    keys: int = 0


class Incumbent(msgspec.Struct, frozen=True, array_like=True):
    """A change of the incumbent: what had been paid by then, its score in the column searched on, its architecture."""

    queries: int
    epochs: float | None
    seconds: float | None
    valid: float
    arch: Architecture


class SearchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One search. frames: where it raised, the frames in the author's own code, innermost last. paid: null where the
    run was killed, so that what it paid is not known.

    returned: feasible architectures, best first, ten or as many as the mode chooses among. valid: the validation score
    of each on the search task, at full fidelity, null where it is not known. ordered: whether it learned an order.
    queries_sha256: of the paid queries in order.
    """

    schema: int = SCHEMA
    id: str
    spec: SearchSpec
    status: Status = "ok"
    error: str | None = None
    frames: list[str] = []
    paid: Paid | None
    asked: Asked = Asked()
    ended_by: str
    returned: list[Architecture] = []
    valid: list[float | None] = []
    incumbents: list[Incumbent] = []
    ordered: bool = False
    queries_sha256: str = ""
    notes: dict[str, Any] = {}
    provenance: dict[str, Any] = {}
    timing: dict[str, Any] = {}
    environment: dict[str, Any] = {}


class RankQuality(msgspec.Struct, frozen=True):
    """Kendall's tau of a learned order on architectures the run never queried.

    test, valid: tau-b against final and validation scores, on n distinct keys of which the run paid for none; 0 where
    the order holds them all equal. eq13,
    ctnas: Eq. 13 of ReNAS and CTNAS's sign(0) = +1 variant, against final scores, on the same. test_rows: tau-b against
    final scores on n_rows rows that the run did not pay for; isomorphic twins of paid rows are among them. Null where
    each key has one row, since it would equal ``test``.
    """

    test: float | None
    valid: float | None
    eq13: float | None
    ctnas: float | None
    n: int
    test_rows: float | None = None
    n_rows: int | None = None


class OutcomeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The final score of a search's answer.

    status: ``failed`` where the answer has no final score, or the learned order could not be measured. arch, reported:
    the reported architecture, as an encoding and in the benchmark's notation. valid: its score on the search task at
    full fidelity. rank = 1 + rows with a strictly better final score; regret, valid_regret: distance to the best
    feasible row's score, never negative; all are null where the rows are not known. incumbents: the final score of each
    incumbent of the search, empty where that takes trainings and was not asked for. scores: that of each returned
    architecture, for the best of ten; empty where it takes trainings.
    """

    schema: int = SCHEMA
    id: str
    spec: OutcomeSpec
    status: Status = "ok"
    error: str | None = None
    split: Literal["test", "valid"]
    score: float | None = None
    arch: Architecture | None = None
    reported: str | None = None
    valid: float | None = None
    valid_regret: float | None = None
    rank: int | None = None
    regret: float | None = None
    incumbents: list[float | None] = []
    scores: list[float | None] = []
    ktau: RankQuality | None = None
    provenance: dict[str, Any] = {}
    timing: dict[str, Any] = {}
    environment: dict[str, Any] = {}


class TrainingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The final score of one architecture, on a task that trains; null where the training failed."""

    schema: int = SCHEMA
    id: str
    spec: TrainingSpec
    status: Status = "ok"
    error: str | None = None
    score: float | None = None
    timing: dict[str, Any] = {}
    environment: dict[str, Any] = {}


class SamplingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Random sampling: the denominator of RI.

    mean, std (population's where exact, else ddof 1), n: of the rows or draws that have a score. failed: draws whose
    final training failed. draws: up to 1,000 final scores drawn by the law. worst, best: of the rows or draws known.
    best_validated: mean final score of the feasible rows with the best validation score; tied: how many they are.
    best_valid, valid_mean: of validation scores. ktau_valid: tau-b of validation and final scores over all rows.
    """

    schema: int = SCHEMA
    id: str
    spec: SamplingSpec
    split: Literal["test", "valid"]
    score: Score
    search_score: Score
    mean: float
    std: float
    exact: bool
    n: Annotated[int, msgspec.Meta(ge=1)]
    failed: Annotated[int, msgspec.Meta(ge=0)] = 0
    draws: list[float] = []
    worst: float | None = None
    best: float | None = None
    best_validated: float | None = None
    tied: int | None = None
    best_valid: float | None = None
    worst_valid: float | None = None
    valid_mean: float | None = None
    ktau_valid: float | None = None
    provenance: dict[str, Any] = {}


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """One entry in one setting, each by its place in the plan: the ids of a search and an outcome for each seed."""

    setting: int
    entry: int
    searches: list[str]
    outcomes: list[str]


class PlannedSetting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting of a plan, and the id of its random sampling. What the task says of itself stands beside it.

    recorded, data_set, validated_on, one_training: as in `Task`. laws: every law that the space offers.
    """

    setting: Setting
    sampling: str
    recorded: bool = True
    data_set: str = ""
    validated_on: str = "validation"
    one_training: bool | None = None
    laws: tuple[str, ...] = ()


class PlanRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A study as it was run. The plans that no other one replaces make the study that a report is about.

    replaces: digests of the plans that stood in the folder when this one was made. declared: the ablations that each
    strategy declares.
    """

    schema: int = SCHEMA
    study: str
    seed: int
    seeds: int
    reference_seeds: int
    settings: list[PlannedSetting]
    entries: list[Entry]
    cells: list[Cell]
    declared: dict[str, tuple[str, ...]] = {}
    replaces: list[str] = []

    def __post_init__(self) -> None:
        """Raises ValueError, by which a reader leaves the line out, where a cell is none of this plan."""
        settings, entries = range(len(self.settings)), range(len(self.entries))
        for c in self.cells:
            if c.setting not in settings or c.entry not in entries or len(c.searches) != len(c.outcomes):
                raise ValueError("a cell names no setting or entry of it, or more searches than outcomes or fewer")

    @property
    def id(self) -> str:
        return digest("plan", self)

    @property
    def content(self) -> str:
        """A digest that is equal for plans that differ only in what they replace."""
        return digest("plan", msgspec.structs.replace(self, replaces=[]))


class IngestedSpec(Spec, frozen=True, kw_only=True):
    """Which run a result from elsewhere is of. role: of a search, or of a random architecture of its space."""

    task: str
    strategy: str
    role: Literal["search", "sampling"]
    seed: int
    train_seed: int | None = None
    epoch: int | None = None


class IngestedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A result that was not made here. score, valid: test and validation accuracy in percent; null: not given.

    What is null was not given; nothing is filled in. file_sha256: of the file that it was read from.
    """

    schema: int = SCHEMA
    id: str
    origin: Literal["ingested"] = "ingested"
    spec: IngestedSpec
    score: float | None = None
    valid: float | None = None
    queries: int | None = None
    epochs: float | None = None
    seconds: float | None = None
    arch: str | None = None
    source: str | None = None
    file_sha256: str = ""


class ReplayRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A search that was carried out again, by the code and on the data of its record.

    differs: in words, where the two first differ; null where they agree.
    """

    schema: int = SCHEMA
    search: str
    differs: str | None
    environment: dict[str, Any] = {}


Line = SearchRecord | OutcomeRecord | TrainingRecord | SamplingRecord | PlanRecord | IngestedRecord | ReplayRecord
