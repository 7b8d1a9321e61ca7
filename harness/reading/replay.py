"""Searches of a study, carried out again: whether they agree with their records, and where they first differ."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.errors import HarnessError, RecordError
from harness.records.lines import OutcomeRecord, ReplayRecord, SearchRecord
from harness.records.store import Folder, Store, read_folder
from harness.registry import Registry
from harness.running.environment import describe_environment, what_differs
from harness.running.execution import Lost, Stopped, Work
from harness.running.folder import queries_file
from harness.running.items import Item, Product, SearchPart
from harness.running.plan import Evaluators, code_of
from harness.running.scoring import Scorer
from harness.running.settings import Settings
from harness.running.worker import preparation_of

_UNEQUAL: dict[str, Any] = {"timing": {}, "environment": {}}


@dataclass(frozen=True)
class Replayed:
    """A search that was carried out again, or was not. differs: in words, where it first differs, or why it was not
    carried out; None where it agrees."""

    id: str
    title: str
    differs: str | None
    carried_out: bool = True


def replay(
    folder: Path,
    ids: Sequence[str] = (),
    *,
    registry: Registry,
    sample: int = 5,
    seed: int = 0,
    settings: Settings | None = None,
    keep: bool = False,
) -> Iterator[Replayed]:
    """Carry out again the searches whose ids begin with one of ``ids``; by default ``sample`` finished ones, drawn with
    ``seed``: of matched random search only where there are too few others. Their records stay as they are.

    keep: note in the folder what was carried out, for its compliance list.

    Raises RecordError where there is no such search, and HarnessError for settings with which none can be carried
    out, and where none can be.
    """
    settings = settings or Settings()
    settings.check()
    found = read_folder(folder)
    searches = _chosen(found, ids, sample, seed)
    titles = titles_in(found)
    evaluators = Evaluators(registry)
    parts: list[SearchPart] = []
    for search in searches:
        title = titles.get(search.id, search.spec.strategy)
        if (why := _changed(search, registry, evaluators)) is not None:
            yield Replayed(search.id, title, why, carried_out=False)
        else:
            outcomes = tuple(o.spec for o in _outcomes(found, search))
            parts.append(SearchPart(spec=search.spec, outcomes=outcomes, title=title))
    if not parts:
        return
    with settings.environment(), Store.open(folder) if keep else nullcontext() as store:
        for done in _replayed(found, parts, Scorer(evaluators), settings):
            if store is not None:
                store.append(ReplayRecord(search=done.id, differs=done.differs, environment=describe_environment()))
            yield done


def _replayed(found: Folder, parts: Sequence[SearchPart], scorer: Scorer, settings: Settings) -> Iterator[Replayed]:
    scored = [(o.spec, found.searches[p.id].spec) for p in parts for o in _outcomes(found, found.searches[p.id])]
    settings = replace(settings, keep_queries=True)
    work = Work(preparation_of(scorer, [p.spec for p in parts], scored, found.path, settings), settings)
    engine = scorer.evaluators.registry.load("executor", settings.executor)()
    try:
        engine.open(work)
        items = [Item((part,)) for part in parts]
        stream = engine.execute(items, work, started=lambda item: None)
        with closing(stream) as outcomes:  # type: ignore[type-var]
            for outcome in outcomes:
                if isinstance(outcome, Lost):
                    raise Stopped(f"{outcome.item.title} was lost: {outcome.error}")
                kept = found.searches[outcome.item.id]
                differs = _difference(found, kept, outcome.products[0], scorer)
                if differs and (elsewhere := what_differs(kept.environment, describe_environment())):
                    differs += f" ({elsewhere})"
                yield Replayed(kept.id, outcome.item.title, differs)
    finally:
        engine.close()


def _chosen(found: Folder, ids: Sequence[str], sample: int, seed: int) -> list[SearchRecord]:
    if not found.searches:
        raise RecordError(f"{found.path} holds no search")
    if not ids:
        over = sorted(i for i, r in found.searches.items() if r.paid is not None)
        drawn = [found.searches[over[i]] for i in np.random.default_rng(seed).permutation(len(over)).tolist()]
        matched = matched_strategies(found)
        return sorted(drawn, key=lambda search: search.spec.strategy in matched)[:sample]
    return list({search.id: search for prefix in ids for search in searches_called(found, prefix)}.values())


def matched_strategies(found: Folder) -> set[str]:
    """The strategies of matched random search."""
    return {e.strategy for plan in found.heads for e in plan.entries if e.role == "reference"}


def searches_called(found: Folder, prefix: str) -> list[SearchRecord]:
    """The searches whose ids begin with ``prefix``. Raises RecordError where there is none."""
    matching = [record for identity, record in found.searches.items() if identity.startswith(prefix)]
    if not matching:
        raise RecordError(f"{found.path} holds no search whose id begins with {prefix!r}")
    return matching


def titles_in(found: Folder) -> dict[str, str]:
    """Search id -> entry, task and seed in words."""
    return {
        identity: f"{plan.entries[cell.entry].title} on {plan.settings[cell.setting].setting.task}, seed {seed}"
        for plan in found.heads
        for cell in plan.cells
        for seed, identity in enumerate(cell.searches)
    }


def _outcomes(found: Folder, search: SearchRecord) -> list[OutcomeRecord]:
    """Those whose final scores are recorded. A final training is an item of its own."""
    return [o for o in found.outcomes.values() if o.spec.search == search.id and o.spec.final_seed is None]


def _changed(search: SearchRecord, registry: Registry, evaluators: Evaluators) -> str | None:
    """Why the search cannot be carried out as it was."""
    spec = search.spec
    try:
        if (code := code_of(spec.strategy, registry)) != spec.code:
            return (
                f"not carried out: it was made by other code ({_words(spec.code)}) than is installed ({_words(code)})"
            )
        if evaluators(spec.search_task).data_digest != spec.data_digest:
            return f"not carried out: the data of {spec.search_task} have changed"
    except HarnessError as error:
        return f"not carried out: {error}"
    return None


def _words(code: dict[str, str]) -> str:
    return ", ".join(f"{name} {code[name][:12]}" for name in ("version", "sha256") if code.get(name))


# -- where two searches differ -----------------------------------------------------------------------------------------


def _difference(found: Folder, kept: SearchRecord, product: Product, scorer: Scorer) -> str | None:
    new = product.search
    assert new is not None
    if new.paid is None:  # it left no record
        same = kept.status != "ok" and kept.error == new.error
        return None if same else f"it ended by {kept.ended_by} then, and now: {new.error}"
    if kept.queries_sha256 != new.queries_sha256:
        file = queries_file(found.path, kept.id)
        if file.is_file() and product.queries is not None:
            return _first_query(file.read_bytes(), product.queries)
        return _between_incumbents(kept, new)
    if (field := _first_field(kept, new)) is not None:
        return f"its queries agree, but not its {field}"
    for outcome in _outcomes(found, kept) if new.status == "ok" else []:
        now = scorer.outcome(outcome.spec, new, {}, product.learned)
        if (field := _first_field(outcome, now)) is not None:
            return f"its search agrees, but not the {field} of its outcome on {outcome.spec.task}"
    return None


def _first_query(kept: bytes, new: bytes) -> str:
    """Where the queries of both first differ; they are as `runner.queries_npz` writes them."""
    with np.load(io.BytesIO(kept)) as old, np.load(io.BytesIO(new)) as now:
        shared = min(len(old["score"]), len(now["score"]))
        for i in range(shared):
            for name in ("archs", "fidelity", "repeat", "score", "epochs", "seconds"):
                if not np.array_equal(old[name][i], now[name][i], equal_nan=True):
                    return f"query {i + 1} is the first to differ: its {name} was {old[name][i]}, and is {now[name][i]}"
        return f"the first {shared} queries agree; it paid {len(old['score'])}, and now {len(now['score'])}"


def _between_incumbents(kept: SearchRecord, new: SearchRecord) -> str:
    """Where two searches differ whose queries were not kept: only incumbents and the number of queries are known."""
    last = 0
    for old, now in zip(kept.incumbents, new.incumbents, strict=False):
        if old != now:
            return f"its queries differ, first between query {last + 1} and {min(old.queries, now.queries)}"
        last = old.queries
    totals = [None if r.paid is None else r.paid.queries for r in (kept, new)]
    paid = "" if totals[0] == totals[1] else f"; it paid {totals[0]}, and now {totals[1]}"
    return f"its queries differ, first after query {last} at the earliest{paid} (--keep-queries keeps each)"


def _first_field(kept: Any, new: Any) -> str | None:
    names: Iterable[str] = kept.__struct_fields__
    encode = msgspec.json.Encoder(order="deterministic").encode
    return next((n for n in names if n not in _UNEQUAL and encode(getattr(kept, n)) != encode(getattr(new, n))), None)
