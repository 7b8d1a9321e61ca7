"""One search in a process of its own: reads which on standard input, prints its trajectory's digest."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from types import ModuleType
from typing import Any

import msgspec


def load(module: str, file: str | None, name: str) -> Any:
    """The class, from its module, or from its file where the module has no importable name."""
    found: Any = _module(module, file)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _module(module: str, file: str | None) -> ModuleType:
    try:
        if module == "__main__":
            raise ModuleNotFoundError
        return importlib.import_module(module)
    except ModuleNotFoundError:
        if file is None:
            raise
        alias = "_conformance_" + module.replace(".", "_")
        spec = importlib.util.spec_from_file_location(alias, file)
        if spec is None or spec.loader is None:
            raise
        found = importlib.util.module_from_spec(spec)
        sys.modules[alias] = found
        spec.loader.exec_module(found)
        return found


def main() -> None:
    from harness.testing.conformance.report import Failed, NotRun, Skipped
    from harness.testing.conformance.subjects import StrategySubject

    order = json.load(sys.stdin)
    try:
        cls = load(order["module"], order["file"], order["name"])
        subject = StrategySubject(cls, msgspec.convert(order["params"], cls.Params), limit=order["limit"])
        try:
            answer: dict[str, Any] = {"trajectory": subject.trial(subject.task()).trajectory}
        except (Failed, NotRun, Skipped) as error:
            answer = {"error": str(error), "stopped": subject.stopped}
    except Exception as error:
        answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())}
    print("\n" + json.dumps(answer))


if __name__ == "__main__":
    main()
