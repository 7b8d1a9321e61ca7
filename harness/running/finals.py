"""Which final trainings a study still needs: of what its searches returned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from harness.protocol import Floats
from harness.records.lines import SearchRecord, TrainingRecord
from harness.records.specs import OutcomeSpec, SamplingSpec, TrainingSpec
from harness.records.store import Folder
from harness.running.plan import Plan
from harness.spaces import Architecture


def waiting(
    plan: Plan, found: Folder, identities: Iterable[str] | None = None
) -> Iterator[tuple[SearchRecord, OutcomeSpec]]:
    """Finished searches, of all or of these, whose answers are finally trained and have no outcome yet."""
    for identity in plan.outcomes if identities is None else identities:
        search = found.searches.get(identity)
        if search is not None and search.status == "ok":
            for spec in plan.outcomes[identity]:
                if spec.final_seed is not None and spec.id not in found.outcomes:
                    yield search, spec


def candidates(spec: OutcomeSpec, search: SearchRecord) -> list[Architecture]:
    """The returned architectures from which the reported one is chosen."""
    return search.returned[: search.spec.top if spec.report == "best_of_returned" else 1]


def trainings_of(search: SearchRecord, spec: OutcomeSpec) -> list[TrainingSpec]:
    """Of its candidates, and of its incumbents where these are scored; none where final scores are recorded."""
    if spec.final_seed is None:
        return []
    answers = candidates(spec, search) + ([i.arch for i in search.incumbents] if spec.incumbents else [])
    return [training_of(spec, arch) for arch in answers]


def training_of(spec: OutcomeSpec | SamplingSpec, arch: Architecture) -> TrainingSpec:
    """The final training of an answer, or of a draw of random sampling."""
    assert spec.final_seed is not None
    return TrainingSpec(
        task=spec.task, final=spec.final, final_seed=spec.final_seed, arch=arch, data_digest=spec.data_digest
    )


def scores_in(trained: Mapping[str, TrainingRecord], trainings: Sequence[TrainingSpec]) -> Floats:
    """Final scores of trainings that are over, float64 [n]; NaN where one failed."""
    scores = [trained[spec.id].score for spec in trainings]
    return np.array(scores, dtype=np.float64)  # None becomes NaN
