"""What is to be carried out: a search, its outcome, a final training; and the entries of a study.

A specification holds everything that decides its result, and nothing else. Its digest is the id of the result's record.
What is for people only (a label, what tuning cost) stands in an `Entry`, and changes no id.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from harness.records.identity import digest
from harness.search.budget import Budget
from harness.search.constraints import Constraint
from harness.spaces import Architecture
from harness.strategy import Scoring

STRICT = "strict"
"""The name of the mode that verdicts are about."""
Role = Literal["entry", "reference"]
KEPT = 10
"""The record of a search holds at least so many returned architectures: papers report the best of ten."""


class Spec(msgspec.Struct, frozen=True):
    """Decides a result: its digest is the id of the record. The name of the class is part of the digest."""

    @property
    def id(self) -> str:
        return digest(type(self).__name__.removesuffix("Spec").lower(), self)


class SearchSpec(Spec, frozen=True, kw_only=True):
    """One search. oracle, top: as in `Scoring`. data_digest: of the search task. code: the strategy's version."""

    search_task: str
    law: str
    constraints: tuple[Constraint, ...] = ()
    strategy: str
    params: dict[str, Any]
    oracle: Literal["validation", "test"]
    top: int
    budget: Budget
    study_seed: int
    search_seed: int
    data_digest: str
    code: dict[str, str]


class OutcomeSpec(Spec, frozen=True, kw_only=True):
    """How the answer of a search is scored. search: its id. data_digest: of the task.

    ktau_sample: on how many architectures a learned order is measured; None: it is not measured. incumbents: whether
    each incumbent gets a final score too; always true where that costs nothing.
    """

    search: str
    task: str
    final: str
    final_seed: int | None
    report: Literal["first", "best_of_returned"]
    ktau_sample: int | None
    incumbents: bool
    data_digest: str


class TrainingSpec(Spec, frozen=True, kw_only=True):
    """One final training, on a task that trains. All entries that report the architecture share it."""

    task: str
    final: str
    final_seed: int
    arch: Architecture
    data_digest: str


class SamplingSpec(Spec, frozen=True, kw_only=True):
    """Random sampling of a setting, whatever its budget. draws: None where every row is known; it is then exact."""

    task: str
    search_task: str
    law: str
    final: str
    final_seed: int | None
    constraints: tuple[Constraint, ...]
    study_seed: int
    draws: int | None
    data_digest: str
    search_data_digest: str


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions under which entries are compared. Scores of two settings never share a table."""

    task: str
    search_task: str
    law: str
    final: str
    final_seed: int | None = None
    budget: Budget
    constraints: tuple[Constraint, ...] = ()

    @property
    def title(self) -> str:
        """The task, and how this setting differs from others of the task; the budget is left out."""
        searched = "" if self.search_task == self.task else f" searched on {self.search_task}"
        return self.task + searched + "".join(f", {c}" for c in self.constraints)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of each table of a study: a strategy with its parameters under a mode; or the reference of a mode.

    tuning_queries: what choosing the parameters cost; None where it was not stated. ablation: its name, if it is one.
    """

    label: str
    strategy: str
    mode: str
    scoring: Scoring
    params: dict[str, Any]
    role: Role = "entry"
    tuning_queries: int | None = None
    ablation: str | None = None

    @property
    def title(self) -> str:
        """The label, with the mode where it is not strict."""
        return self.label if self.mode == STRICT else f"{self.label} ({self.mode})"
