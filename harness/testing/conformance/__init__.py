"""Conformance: what every strategy, space and training protocol must keep to, checked without reading its code.

In a plugin's own tests, one line::

    def test_conformance():
        assert_conforms(MyStrategy)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from harness.errors import HarnessError, UnknownName
from harness.protocol import TrainingProtocol
from harness.registry import Registry, default_registry
from harness.registry.items import uninstalled
from harness.running.environment import WORKER_VARIABLES, environment_with
from harness.spaces import SearchSpace
from harness.strategy import Strategy
from harness.testing.conformance.report import CHECKS, KINDS, Check, Failed, Kind, Report, Result, run_checks, unmade

Heard = Callable[[Result], None]


def _silent(result: Result) -> None:
    return


def check_strategy(
    cls: type[Strategy],
    *,
    params: Any = None,
    registry: Registry | None = None,
    limit: float = 30.0,
    only: Iterable[str] = (),
    heard: Heard = _silent,
) -> Report:
    """All strategy checks of ``cls``, with its cheapest parameters unless ``params`` are given.

    registry: where the spaces to try come from; default: everything installed. limit: seconds for one search.
    only: the beginnings of the names of the checks to run; default: all. heard: is told of each result as it comes.
    """
    from harness.testing.conformance import determinism, honesty, payment, tasks  # noqa: F401
    from harness.testing.conformance.subjects import StrategySubject

    def made() -> tuple[str, StrategySubject]:
        chosen = _smallest(cls) if params is None else params
        return str(getattr(cls, "name", cls.__name__)), StrategySubject(cls, chosen, registry, limit)

    registry = registry or default_registry()
    with environment_with(WORKER_VARIABLES):
        return _checked("strategy", cls, made, only, heard)


def _smallest(cls: type[Strategy]) -> Any:
    """Raises Failed where a parameter has no default."""
    try:
        return cls.Params.smallest()
    except TypeError:
        lacking = [f.name for f in msgspec.structs.fields(cls.Params) if f.required]
        if not lacking:
            raise
        raise Failed(
            f"{cls.Params.__name__} has no default for {', '.join(lacking)}: each parameter needs one"
        ) from None


def check_space(space: Any, *, only: Iterable[str] = (), heard: Heard = _silent) -> Report:
    """All space checks of a search space, or of what a callable without arguments gives.

    A HarnessError that it raises, such as DataMissing, is raised further.
    """
    from harness.testing.conformance import scripts, spaces  # noqa: F401

    def made() -> tuple[str, spaces.SpaceSubject]:
        found: SearchSpace = space if isinstance(space, SearchSpace) else space()
        return getattr(found, "name", ""), spaces.SpaceSubject(found)

    return _checked("space", space, made, only, heard)


def check_protocol(
    protocol: Any, *, tasks: Iterable[str] | None = None, only: Iterable[str] = (), heard: Heard = _silent
) -> Report:
    """All protocol checks of a protocol or its class, on all of its tasks or those named.

    Raises UnknownName for a task that it does not have; a HarnessError that it raises is raised further.
    """
    from harness.testing.conformance import protocols

    def made() -> tuple[str, protocols.ProtocolSubject]:
        found: TrainingProtocol = protocol if isinstance(protocol, TrainingProtocol) else protocol()
        wanted = None if tasks is None else frozenset(tasks)
        for task in sorted(wanted or ()):
            if found.task(task) is None:
                raise UnknownName("task", task, [listed.name for listed in found.tasks()])
        return getattr(found, "name", ""), protocols.ProtocolSubject(found, wanted)

    return _checked("protocol", protocol, made, only, heard)


def _checked(
    kind: Kind, subject: Any, made: Callable[[], tuple[str, Any]], only: Iterable[str], heard: Heard
) -> Report:
    """The report on what ``made`` gives, with its name. A HarnessError that it raises is raised further."""
    try:
        name, found = made()
    except HarnessError:
        raise
    except Exception as error:
        return unmade(kind, subject, error, heard)
    return run_checks(kind, name, found, only, heard)


def check_named(
    name: str,
    *,
    registry: Registry | None = None,
    kind: str = "",
    only: Iterable[str] = (),
    heard: Heard = _silent,
) -> list[Report]:
    """Reports of everything of that name: strategies, spaces, protocols, and tasks (``protocol/data set``); or of the
    class that stands at ``module:attribute``, installed or not. kind: only as this one.

    Raises UnknownName with the nearest known ones, PluginError or DataMissing where it does not load.
    """
    registry = registry or default_registry()
    if ":" in name and "/" not in name:  # a task of images:NAME has both
        return [check_any(uninstalled(name).load(), only=only, heard=heard)]
    reports = []
    for as_one in KINDS:
        if kind == as_one or (not kind and (as_one, name) in registry.items):
            found = registry.protocol(name) if as_one == "protocol" else registry.load(as_one, name)
            options: dict[str, Any] = {"registry": registry} if as_one == "strategy" else {}
            reports.append(_CHECK[as_one](found, only=only, heard=heard, **options))
    if not reports and "/" in name:
        task = registry.task(name)
        reports.append(check_protocol(registry.protocol(task.protocol), tasks=[name], only=only, heard=heard))
    if not reports:
        known = sorted({n for kind in KINDS for n in registry.names(kind)})
        raise UnknownName("strategy, space or protocol", name, known, hint="nas-harness list")
    return reports


_CHECK: dict[Kind, Callable[..., Report]] = {
    "strategy": check_strategy, "space": check_space, "protocol": check_protocol,
}  # fmt: skip


def check_any(subject: Any, **options: Any) -> Report:
    """`check_strategy`, `check_space` or `check_protocol`, by what ``subject`` is: a class or an instance."""
    kind = subject if isinstance(subject, type) else type(subject)
    if issubclass(kind, Strategy):
        return check_strategy(kind, **options)
    if issubclass(kind, SearchSpace):
        return check_space(subject, **options)
    if issubclass(kind, TrainingProtocol):
        return check_protocol(subject, **options)
    raise HarnessError(f"{subject!r} is no strategy, search space or training protocol")


def assert_conforms(subject: Any, **options: Any) -> Report:
    """`check_any`, as an assertion that shows the whole report: for a plugin's own tests."""
    report = check_any(subject, **options)
    if not report.ok:
        raise AssertionError(str(report))
    return report


__all__ = [
    "CHECKS", "Check", "Report", "Result", "assert_conforms", "check_any", "check_named", "check_protocol",
    "check_space", "check_strategy",
]  # fmt: skip
