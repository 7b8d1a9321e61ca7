"""Plugins in a folder of their own, as pip would leave them."""

from __future__ import annotations

from pathlib import Path


def install(
    folder: Path, name: str, source: str | None = None, *, load: str | None = None, version: str = "1.0"
) -> None:
    """A distribution with one entry point of its own name, for ``load`` (default: the module of that name).

    source: of that module, where it is to be written too.
    """
    module = name.replace("-", "_")
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[nas_harness]\n{name} = {load or module}\n")
    if source is not None:
        (folder / f"{module}.py").write_text(source)
