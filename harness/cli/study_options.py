"""A study from command-line options: the same `Study` as from a study file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any

from harness.errors import HarnessError, StudyError
from harness.running.study import Study, study_from
from harness.search.budget import UNITS


def study_of(
    *,
    strategy: Sequence[str] = (),
    task: Sequence[str] = (),
    budget: str = "",
    mode: str | None = None,
    param: Sequence[str] = (),
    name: str | None = None,
    tuning_queries: int | None = None,
    **seeds: int,
) -> Study:
    """The study that the options describe. seeds: seed, seeds and reference_seeds, where given.

    Raises StudyError naming the option that is wrong or missing.
    """
    if not strategy or not task or not budget:
        wanted = {"--strategy": strategy, "--task": task, "--budget": budget}
        missing = ", ".join(option for option, value in wanted.items() if not value)
        raise StudyError(f"name a study file, or give {missing} (nas-harness run --help)")
    if param and len(set(strategy)) > 1:
        raise StudyError("--param needs exactly one --strategy; a study file gives each its own")
    given: dict[str, Any] = {"params": dict(map(parameter, param)), "mode": mode, "tuning_queries": tuning_queries}
    given = {key: value for key, value in given.items() if value is not None}
    return study_from(
        {
            "name": name or default_name(strategy, task),
            "budget": parse_budget(budget),
            "tasks": [{"name": one} for one in task],
            "strategies": [{"name": one, **given} for one in strategy],
            **seeds,
        }
    )


def parse_budget(text: str) -> dict[str, float]:
    """``100`` or ``queries=100,seconds=2e4``. Raises StudyError."""
    limits: dict[str, float] = {}
    for part in text.split(","):
        key, sign, value = part.rpartition("=")
        key = key.strip() if sign else "queries"
        if key not in UNITS or key in limits:
            known = ", ".join(UNITS)
            raise StudyError(f"--budget {text!r}: limits are {known}, each once, such as queries=100,seconds=2e4")
        try:
            number = float(value)
        except ValueError:
            raise StudyError(f"--budget {text!r}: {value.strip()!r} is no number") from None
        if key == "queries" and number != int(number if abs(number) < 1e18 else 0):
            raise StudyError(f"--budget {text!r}: the number of queries must be whole")
        limits[key] = int(number) if key == "queries" else number
    return limits


def parse_memory(text: str, option: str = "--run-memory") -> int:
    """Bytes of ``2GiB``, ``500 MB`` or ``1000000``. Raises HarnessError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", text, re.IGNORECASE)
    if found is None or (found[3] and not found[2]):
        raise HarnessError(f"{option} {text!r}: write bytes, or a number with a unit such as 500MB or 2GiB")
    power = " KMGT".index(found[2].upper() or " ")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


def default_name(strategies: Sequence[str], tasks: Sequence[str]) -> str:
    """The name of a study that has none: its first strategy and task, and how many more there are."""

    def short(names: Sequence[str]) -> str:
        return names[0] + (f"-and-{len(names) - 1}-more" if len(names) > 1 else "")

    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{short(strategies)}-on-{short(tasks)}").strip("-.")


def parameter(text: str) -> tuple[str, Any]:
    """``key=value``; the value as TOML reads it, else as a string."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise StudyError(f"--param {text!r} is not of the form key=value")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()
