"""A new plugin: a distribution with something that works, its tests and its gate, from templates."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.errors import HarnessError, UnknownName
from harness.registry import Registry

Kind = Literal["strategy", "protocol", "space", "metric"]
KINDS: tuple[str, ...] = get_args(Kind)
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def make_plugin(kind: str, name: str, parent: Path, *, registry: Registry) -> list[Path]:
    """Write a distribution called ``name`` to ``parent/name``: package, tests, study, workflow and README. Its files.

    Raises UnknownName for the kind, and HarnessError for a name that is malformed or taken, and where the folder is
    there already: nothing is overwritten.
    """
    if kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    package, folder = name.replace("-", "_"), parent / name
    _check_name(kind, name, package, registry)
    if folder.exists():
        raise HarnessError(f"{folder} is there already, and nothing is overwritten: take another name or folder")
    environment = Environment(
        loader=PackageLoader("harness.testing.kit"), undefined=StrictUndefined, keep_trailing_newline=True,
        variable_start_string="[[", variable_end_string="]]", block_start_string="[%", block_end_string="%]",
        comment_start_string="[#", comment_end_string="#]", trim_blocks=True, autoescape=False,
    )  # fmt: skip
    cls = "".join(part.capitalize() for part in name.split("-"))
    said = {
        "kind": kind,
        "name": name,
        "package": package,
        "cls": cls,
        "space": cls if cls.endswith("Space") else f"{cls}Space",
        "harness": ".".join(version("nas-harness").split(".")[:2]),
    }
    written: list[Path] = []
    for template in sorted(environment.list_templates()):
        of, _, place = template.removesuffix(".jinja").partition("/")
        if of not in ("common", kind) and not (kind == "protocol" and place == "package/space.py"):
            continue
        target = folder / (place.replace("package/", f"{package}/", 1) if place.startswith("package/") else place)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(environment.get_template(template).render(said), encoding="utf-8")
        written.append(target)
    return sorted(written)


def _check_name(kind: str, name: str, package: str, registry: Registry) -> None:
    if not _NAME.fullmatch(name):
        raise HarnessError(
            f"{name!r} is no name: small letters and digits, with single dashes between, such as my-search"
        )
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or package == "harness":
        raise HarnessError(f"{name!r} cannot be the name of a package: {package} is Python's or the harness's own")
    for provided in ("protocol", "space") if kind == "protocol" else (kind,):  # a protocol comes with its space
        if (item := registry.items.get((provided, name))) is not None:
            raise HarnessError(f"{item.title} is installed: take another name")
    if find_spec(package) is not None:
        raise HarnessError(f"a package {package!r} is installed: take another name")
