"""What a shell offers for a half-typed name. Asked at every press of the key, so that a broken plugin is no error."""

from __future__ import annotations

from collections.abc import Iterable
from glob import glob, has_magic
from pathlib import Path


def strategies(incomplete: str) -> list[str]:
    """Names of strategies."""
    return _beginning(_names("strategy"), incomplete)


def tasks(incomplete: str) -> list[str]:
    """Names of tasks, of every protocol that loads."""
    from harness.registry import default_registry

    return _beginning(default_registry().tasks(), incomplete)


def things(incomplete: str) -> list[str]:
    """Names of whatever is installed; of tasks, once there is a slash."""
    if "/" in incomplete:
        return tasks(incomplete)
    return _beginning(_names("strategy", "protocol", "space", "executor", "metric"), incomplete)


def study_files(incomplete: str) -> list[str]:
    """Study files, and folders on the way to one."""
    return [p for p in _paths(incomplete) if p.endswith(("/", ".toml"))]


def study_folders(incomplete: str) -> list[str]:
    """Folders of studies, those in ``results`` first, and other folders."""
    kept = [f"{plans.parent}" for plans in sorted(Path("results").glob("*/plans.jsonl"))]
    others = [p for p in _paths(incomplete) if p.endswith("/") and p.rstrip("/") not in kept]
    return [*_beginning(kept, incomplete), *others]


def studies(incomplete: str) -> list[str]:
    """Files and folders of studies."""
    return list(dict.fromkeys([*study_folders(incomplete), *study_files(incomplete)]))


def _names(*kinds: str) -> set[str]:
    from harness.registry import default_registry

    return {name for kind, name in default_registry().items if kind in kinds}


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def _paths(incomplete: str) -> list[str]:
    if has_magic(incomplete):
        return []
    return sorted(f"{path}/" if Path(path).is_dir() else path for path in glob(f"{incomplete}*"))
