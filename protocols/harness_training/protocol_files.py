"""Protocol files: TOML, one a named protocol of a data set, and tricks that are put on top of one.

``C+D`` is the protocol ``base`` with the tricks ``C`` and ``D``, in any order; ``other+C`` is the protocol ``other``
with the trick ``C``. A trick sizes the networks of those spaces that the protocol has networks of. Files are looked for
in the user's folder (``protocols`` in the data folder), then among the shipped ones: ``<data set>/<protocol>.toml`` and
``<data set>/tricks/<trick>.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness import HarnessError, Networks, UnknownName
from harness.data.reading import read_file
from harness.data.tables import data_dir
from harness.errors import nearest
from harness_training.recipe import PARTS, Recipe

SHIPPED = Path(__file__).parent / "protocols"
BASE = "base"
_MOST = 1 << 16


def load_recipe(data: str, protocol: str = BASE) -> Recipe:
    """The recipe of a protocol for a data set. Raises UnknownName with the nearest names, HarnessError naming the file
    and the field."""
    first, *tricks = protocol_parts(data, protocol)
    protocols, known = _files(data, "*.toml"), _files(data, "tricks/*.toml")
    if first not in protocols:
        raise UnknownName("protocol", first, {*protocols, *known}, hint=f"protocol files of {data}")
    merged = _read(protocols[first])
    _checked(merged, str(protocols[first]))
    said: dict[str, str] = {}
    for trick in tricks:
        if trick not in known:
            raise UnknownName("trick", trick, known, hint=f"protocol files of {data}")
        for path, value in _leaves(_read(known[trick])):
            if len(path) > 1 and path[0] == "network" and path[1] not in merged.get("network", {}):
                continue
            name = ".".join(path)
            if name in said:
                raise HarnessError(f"protocol {protocol!r} of {data}: both {said[name]} and {trick} set {name}")
            if name not in ("summary", "source"):
                said[name] = trick
                _set(merged, path, value, known[trick])
    files = " with ".join(str(f) for f in (protocols[first], *(known[t] for t in tricks)))
    return _checked(merged, files)


def network_settings(recipe: Recipe, networks: type[Networks], protocol: str) -> msgspec.Struct:
    """What the recipe says of the networks of a space. Raises HarnessError where it says nothing, or what is wrong."""
    space = networks.name
    if space not in recipe.network:
        raise HarnessError(
            f"protocol {protocol!r} says nothing of the networks of {space}: want [network.{space}]; "
            f"it knows {', '.join(sorted(recipe.network)) or 'none'}"
        )
    wanted = {"auxiliary": recipe.train.auxiliary, "drop_path": recipe.train.drop_path}
    for trick, amount in wanted.items():
        if amount and trick not in networks.tricks:
            raise HarnessError(f"protocol {protocol!r} sets {trick}, which the networks of {space} do not have")
    try:
        return msgspec.convert(recipe.network[space], networks.Settings)
    except msgspec.ValidationError as error:
        fields = [f.name for f in msgspec.structs.fields(networks.Settings)]
        raise HarnessError(f"protocol {protocol!r}, [network.{space}]: {_reason(str(error), fields)}") from None


def protocol_parts(data: str, protocol: str) -> list[str]:
    """The protocol file and the tricks on it; the file may be left out where it is ``base``."""
    parts = protocol.split("+")
    protocols, tricks = protocol_names(data)
    return [BASE, *parts] if parts[0] in tricks and parts[0] not in protocols else parts


def protocol_names(data: str) -> tuple[list[str], list[str]]:
    """Protocols and tricks of a data set."""
    return sorted(_files(data, "*.toml")), sorted(_files(data, "tricks/*.toml"))


def _files(data: str, pattern: str) -> dict[str, Path]:
    """By name, the user's own before the shipped ones."""
    folders = [room / data for room in (SHIPPED, data_dir() / "protocols")]
    return {path.stem: path for folder in folders for path in sorted(folder.glob(pattern))}


def _read(path: Path) -> dict[str, Any]:
    try:
        data = read_file(path)
        if len(data) > _MOST:
            raise HarnessError(f"{path}: has {len(data)} bytes, which is no protocol file")
        return tomllib.loads(data.decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HarnessError(f"{path}: not a protocol file: {error}") from None


def _leaves(table: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _set(table: dict[str, Any], path: tuple[str, ...], value: Any, file: Path) -> None:
    *above, last = path
    for key in above:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise HarnessError(f"{file}: {'.'.join(path)}: {key} is a value, not a table")
    if isinstance(table.get(last), dict):
        raise HarnessError(f"{file}: {'.'.join(path)} is a table, not a value")
    table[last] = value


def _checked(table: dict[str, Any], files: str) -> Recipe:
    try:
        recipe = msgspec.convert(table, Recipe)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        part = where.strip("`.")
        fields = [f.name for f in msgspec.structs.fields(PARTS.get(part, Recipe))]
        raise HarnessError(f"{files}: {_reason(what, fields)}{f' in [{part}]' if part else ''}") from None
    if any(e >= recipe.train.epochs for e in recipe.train.fidelities):
        raise HarnessError(f"{files}: fidelities are to be fewer epochs than the {recipe.train.epochs} of [train]")
    if recipe.train.nesterov and not recipe.train.momentum:
        raise HarnessError(f"{files}: nesterov needs a momentum")
    if recipe.contrastive is not None and recipe.train.auxiliary:
        raise HarnessError(f"{files}: an auxiliary head wants labels, which [contrastive] does not read")
    if recipe.contrastive is not None and recipe.supernet is not None:
        raise HarnessError(f"{files}: a supernet is judged by labels, which [contrastive] does not read")
    return recipe


def _reason(message: str, fields: list[str]) -> str:
    """msgspec's message, and the nearest field where one is unknown."""
    unknown = re.search(r"unknown field `([^`]+)`", message)
    hint = nearest(unknown[1], fields) if unknown else ""
    what = message.replace("Object contains", "it has").replace("Object missing", "it lacks")
    return f"{what}; {hint}" if hint else what
