"""Which final trainings a study still needs: of what its searches returned."""

from __future__ import annotations

from collections.abc import Iterator

from harness.records.lines import SearchRecord
from harness.records.specs import OutcomeSpec, SamplingSpec, TrainingSpec
from harness.records.store import Folder
from harness.running.plan import Plan
from harness.running.scoring import candidates
from harness.spaces import Architecture


def waiting(plan: Plan, found: Folder) -> Iterator[tuple[SearchRecord, OutcomeSpec]]:
    """Finished searches whose answers are finally trained and have no outcome yet."""
    for identity in plan.outcomes:
        yield from waiting_of(plan, found, identity)


def waiting_of(plan: Plan, found: Folder, identity: str) -> Iterator[tuple[SearchRecord, OutcomeSpec]]:
    """What of `waiting` is of one search."""
    search = found.searches.get(identity)
    if search is not None and search.status == "ok":
        for spec in plan.outcomes[identity]:
            if spec.final_seed is not None and spec.id not in found.outcomes:
                yield search, spec


def answers_of(search: SearchRecord, spec: OutcomeSpec) -> list[Architecture]:
    """What is finally trained of a search: its candidates, and its incumbents where these are scored."""
    return candidates(spec, search) + ([i.arch for i in search.incumbents] if spec.incumbents else [])


def training_of(spec: OutcomeSpec | SamplingSpec, arch: Architecture) -> TrainingSpec:
    """The final training of an answer, or of a draw of random sampling."""
    assert spec.final_seed is not None
    return TrainingSpec(
        task=spec.task, final=spec.final, final_seed=spec.final_seed, arch=arch, data_digest=spec.data_digest
    )
