"""Whether the shipped tasks tell architectures apart: figures measured once, and shown by ``nas-harness describe``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

MEASURED = Path(__file__).parent / "measured.toml"


def figures_of(task: str, recipe: str, images: str) -> dict[str, Any]:
    """The figures of a task; none where they were measured with another recipe or other images, whose digests these
    are."""
    found: dict[str, Any] = tomllib.loads(MEASURED.read_text(encoding="utf-8")).get(task, {})
    if (found.pop("recipe", None), found.pop("images", None)) != (recipe, images):
        return {}
    return found
