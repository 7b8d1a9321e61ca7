"""What the processes that carry out items make ready, and what they do with an item; messages are MessagePack."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from harness.errors import HarnessError
from harness.records.identity import code_version
from harness.records.specs import OutcomeSpec, SearchSpec
from harness.registry import Registry
from harness.running.items import Order, Preparation
from harness.running.plan import code_of
from harness.running.runner import Runner

PREPARE, CARRY_OUT = "harness.running.worker:prepare", "harness.running.worker:carry_out"

_runner: Runner | None = None


def preparation_of(
    registry: Registry, searches: Iterable[SearchSpec], scored: Iterable[tuple[OutcomeSpec, SearchSpec]]
) -> Preparation:
    """For these searches and outcomes, with this process's versions. Raises UnknownName, PluginError."""
    strategies: dict[str, dict[str, str]] = {}
    tasks: dict[str, str] = {}
    ways: dict[object, tuple[OutcomeSpec, SearchSpec]] = {}
    for spec in searches:
        strategies[spec.strategy], tasks[spec.search_task] = spec.code, spec.data_digest
    for outcome, search in scored:
        tasks[outcome.task] = outcome.data_digest
        ways.setdefault((outcome.task, outcome.final, search.search_task, search.constraints), (outcome, search))
    required = {m for name in strategies for m in registry.find("strategy", name).provides.requires}
    return Preparation(
        plugins=registry.only,
        harness=code_version("harness", "nas-harness"),
        strategies=strategies,
        tasks=tasks,
        scored=tuple(ways.values()),
        imports=tuple(sorted(required)),
    )


def prepare(told: bytes) -> None:
    """Open the plugins and tasks of a `Preparation`. Raises HarnessError for what is other than the coordinator's."""
    global _runner
    wanted = msgspec.msgpack.decode(told, type=Preparation)
    _same("nas-harness", code_version("harness", "nas-harness"), wanted.harness)
    registry = Registry(only=wanted.plugins)
    for strategy, code in wanted.strategies.items():
        _same(f"the strategy {strategy!r}", code_of(strategy, registry), code)
    runner = Runner(registry)
    for task, digest in wanted.tasks.items():
        if runner.evaluators(task).data_digest != digest:
            raise HarnessError(f"the data of {task!r} is other than the study's; import the same file here")
    for outcome, search in wanted.scored:
        runner.warm(outcome, search)
    _runner = runner


def carry_out(order: bytes) -> bytes:
    """The `Product` of an `Order`, in a process that is prepared."""
    if _runner is None:
        raise RuntimeError("the worker was not prepared")
    decoded = msgspec.msgpack.decode(order, type=Order)
    return msgspec.msgpack.encode(_runner.carry_out(decoded.item, keep_queries=decoded.keep_queries))


def _same(what: str, here: dict[str, str], wanted: dict[str, str]) -> None:
    if here != wanted:
        raise HarnessError(f"{what} is {_version(here)}, and the study's is {_version(wanted)}; install the same")


def _version(code: dict[str, str]) -> str:
    digest = code.get("sha256", "")
    return " ".join(filter(None, [code["version"], f"with sources {digest[:12]}" if digest else ""])) or "unknown"
