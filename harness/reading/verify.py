"""Whether a folder agrees with its code and data: records are checked, random sampling and searches made again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.errors import counted
from harness.reading.compliance import check_compliance
from harness.reading.ingested import is_ingested, read_ingested
from harness.reading.replay import matched_strategies, replay
from harness.reading.study import read_study
from harness.records.lines import SamplingRecord
from harness.records.store import Folder, alike, read_folder
from harness.registry import Registry
from harness.running.plan import Evaluators, OpenTask
from harness.running.sampling import recorded_sampling
from harness.running.settings import Settings

RULES = ("complete", "runs-differ", "scores-as-in-the-table", "seeds-in-order", "one-study-seed")
"""The compliance rules that break where a record was changed, left out or added."""


def verify(
    folder: Path, *, registry: Registry, sample: int = 5, seed: int = 0, settings: Settings | None = None
) -> Iterator[str]:
    """What is wrong in a folder, each a sentence; empty where all agrees.

    Checked are: lines that cannot be used; `RULES`; random sampling, computed again where scores are recorded; and
    searches, carried out again: every one of matched random search, and ``sample`` of the others, drawn with ``seed``.
    Of results from elsewhere only the lines can be checked.

    Raises RecordError where the folder holds no study or contradicts itself.
    """
    if is_ingested(folder):
        yield from read_ingested(folder).problems
        return
    study, evaluators = read_study(folder), Evaluators(registry)
    yield from study.problems
    broken = (f for f in check_compliance(study, evaluators) if f.ok is False and f.rule in RULES)
    yield from (f"{f.rule}: {f.why} ({f.scope})" for f in broken)
    found = read_folder(folder)
    yield from _samplings(found, evaluators)
    matched = matched_strategies(found)
    references = [i for i, s in found.searches.items() if s.spec.strategy in matched]
    others = sum(s.spec.strategy not in matched and s.paid is not None for s in found.searches.values())
    left_out: Counter[str] = Counter()
    for ids, size in ((references, 0), ((), min(sample, others))):
        if ids or size:
            for search in replay(folder, ids, registry=registry, sample=size, seed=seed, settings=settings):
                if search.differs is not None and search.carried_out:
                    yield f"{search.id[:12]} {search.title}: {search.differs}"
                elif search.differs is not None:
                    left_out[search.differs] += 1
    yield from (f"{counted(n, 'search', 'searches')} {why}" for why, n in left_out.items())


def _samplings(found: Folder, evaluators: Evaluators) -> Iterator[str]:
    planned = {about.sampling: about for plan in found.heads for about in plan.settings}
    for identity, about in planned.items():
        record = found.samplings.get(identity)
        if record is None:
            yield f"random sampling of {about.setting.title} is missing"
        elif about.recorded and (differs := _differs(record, evaluators)):
            yield f"random sampling of {about.setting.title} is not what the data say: {', '.join(differs)}"


def _differs(record: SamplingRecord, evaluators: Evaluators) -> list[str]:
    """The fields that differ from random sampling made again."""
    spec = record.spec
    t = OpenTask(evaluators(spec.task), evaluators(spec.search_task), spec)
    here = t.evaluator.data_digest, t.search.data_digest
    if here != (spec.data_digest, spec.search_data_digest):
        return ["the data here are others than the record's"]
    kept, made = msgspec.structs.asdict(record), msgspec.structs.asdict(recorded_sampling(t))
    return [name for name in kept if name != "provenance" and not alike(kept[name], made[name])]
