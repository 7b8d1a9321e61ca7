"""What the processes that carry out items make ready, and what they do with an item; messages are MessagePack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import HarnessError
from harness.records.identity import code_version
from harness.records.specs import OutcomeSpec, SearchSpec
from harness.registry import Registry
from harness.running.items import Item, Preparation
from harness.running.plan import code_of
from harness.running.runner import Runner
from harness.running.scoring import Scorer
from harness.running.seal import seals
from harness.running.settings import Settings


def preparation_of(
    scorer: Scorer,
    searches: Iterable[SearchSpec],
    scored: Sequence[tuple[OutcomeSpec, SearchSpec]],
    folder: Path,
    settings: Settings,
) -> Preparation:
    """For these searches and outcomes of the study in ``folder``, with this process's versions.

    Raises UnknownName, PluginError.
    """
    registry = scorer.evaluators.registry
    kinds = {(spec.strategy, *_readied_by(spec)): spec for spec in searches}
    outcomes = {outcome.task: outcome for outcome, _ in scored}
    required = {m for name, *_ in kinds for m in registry.find("strategy", name).provides.requires}
    return Preparation(
        plugins=registry.only,
        harness=code_version("harness", "nas-harness"),
        searches=tuple(kinds.values()),
        outcomes=tuple(outcomes.values()),
        drawn=scorer.drawn(scored),
        records=str(folder.parent.absolute()),
        cluster=settings.cluster,
        imports=tuple(sorted(required)),
        keep_queries=settings.keep_queries,
    )


def prepare(told: bytes) -> Callable[[bytes], bytes]:
    """Open the plugins and tasks of a `Preparation`: a function from an `Item` to the `Product` of each of its parts.

    Raises HarnessError for what is other than the coordinator's.
    """
    wanted = msgspec.msgpack.decode(told, type=Preparation)
    _same("nas-harness", code_version("harness", "nas-harness"), wanted.harness)
    registry = Registry(only=wanted.plugins)
    for spec in wanted.searches:
        _same(f"the strategy {spec.strategy!r}", code_of(spec.strategy, registry), spec.code)
        msgspec.msgpack.Decoder(registry.load("strategy", spec.strategy).Params)  # so that no run has to read its types

    items = msgspec.msgpack.Decoder(Item)  # made once: the types of a message cost more than a small one itself
    runner = Runner(registry, drawn=wanted.drawn, keep_queries=wanted.keep_queries)
    tasks = {spec.search_task: spec.data_digest for spec in wanted.searches}
    trained = {o.task: o.data_digest for o in wanted.outcomes if o.final_seed is not None}
    for task, digest in (tasks | trained).items():
        if runner.evaluators(task).data_digest != digest:
            raise HarnessError(f"the data of {task!r} is other than the study's; import the same file here")
    for search in {_readied_by(spec): spec for spec in wanted.searches}.values():
        runner.warm(search)
    every = {*tasks, *(o.task for o in wanted.outcomes)}
    runner.seals = seals(registry, every, wanted.records, wanted.cluster)  # last: it allows what is there by now
    return lambda item: msgspec.msgpack.encode([runner.carry_out(part) for part in items.decode(item).parts])


def _readied_by(spec: SearchSpec) -> tuple[Any, ...]:
    """Equal for searches of which one makes ready what the others need, whatever their strategies."""
    return spec.search_task, spec.law, spec.constraints, spec.oracle


def _same(what: str, here: dict[str, str], wanted: dict[str, str]) -> None:
    if here != wanted:
        raise HarnessError(f"{what} is {_version(here)}, and the study's is {_version(wanted)}; install the same")


def _version(code: dict[str, str]) -> str:
    digest = code.get("sha256", "")
    return " ".join(filter(None, [code["version"], f"with sources {digest[:12]}" if digest else ""])) or "unknown"
