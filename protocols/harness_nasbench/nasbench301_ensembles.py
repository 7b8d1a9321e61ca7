"""NAS-Bench-301's own ensembles of boosted trees: from the official folder or zip file to a table of nodes, and back.

The official files are pickles of ten boosters each. The table has one row a node, all members one after another:
``left``, ``right``, ``feature``, ``threshold``, ``value``, ``root``; the members' other numbers are facts.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness import Architecture, DataError, Fidelity
from harness.data.reading import open_file
from harness.data.tables import Progress, Table, sha256, write_table
from harness.protocol import Floats
from harness_nasbench.datasets import NASBENCH301
from harness_nasbench.formats import nasbench301 as official
from harness_nasbench.formats.trees import COLUMNS, Forest
from harness_nasbench.spaces.darts import DartsSpace
from harness_nasbench.surrogate import row_of

NAME = "nasbench301"
FULL = Fidelity("100 epochs", 100)
ACCURACY = tuple(kind for kind, predicts in official.KINDS.items() if predicts == "accuracy")
RUNTIME = tuple(kind for kind, predicts in official.KINDS.items() if predicts == "runtime")
_MODEL, _CONFIG = "surrogate_model.model", "model_config.json"
_VERSION = re.compile(r"_v(\d+\.\d+)")
_MOST_BYTES = {_MODEL: 256 << 20, _CONFIG: 1 << 20}
_MOST_UNFOLDED, _ROOM = 16, 16 << 20
"""What is unpacked takes at most so many times the zip file, and so many bytes beside."""


# -- import -----------------------------------------------------------------------------------------------------------


def import_ensembles(source: Path, where: Path, report: Progress) -> Path:
    """Write a table for each accuracy ensemble in a folder or zip file, with the runtime ensemble; returns its folder.

    Graph networks (``gnn_gin``) are left out. Raises DataError with the file and the reason.
    """
    if source.is_dir():
        return _import_folder(source, source, where, report)
    with tempfile.TemporaryDirectory(prefix="nas-harness-") as scratch:
        _unpack(source, Path(scratch), report)
        try:
            return _import_folder(Path(scratch), source, where, report)
        except DataError as error:
            raise DataError(str(error).replace(f"{scratch}/", f"{source}: ")) from error


def _import_folder(folder: Path, source: Path, where: Path, report: Progress) -> Path:
    files: dict[str, list[Path]] = {}
    for file in sorted(folder.rglob(_MODEL)):
        files.setdefault(official.kind_of(file.with_name(_CONFIG)), []).append(file)
    accuracy = [kind for kind in ACCURACY if kind in files]
    runtime = [kind for kind in RUNTIME if kind in files][:1]
    if not accuracy:
        found = f"those of {', '.join(sorted(files))}" if files else "none"
        raise DataError(f"{source}: want surrogate models of {' or '.join(ACCURACY)}, found {found}")
    read: dict[str, list[Forest]] = {}
    for n, kind in enumerate((*accuracy, *runtime)):
        report("reading trees", n / len((*accuracy, *runtime)))
        read[kind] = [official.read_member(file, kind=kind) for file in files[kind]]
    for kind in accuracy:
        used = [file for k in (kind, *runtime) for file in files[k]]
        version = _VERSION.search(str(files[kind][0].relative_to(folder)) + f"/{source.name}")
        _write(where / NAME / kind, kind, {k: read[k] for k in (kind, *runtime)}, source.name, _digest(used, folder),
               version[1] if version else "not named by its folder")  # fmt: skip
    report("reading trees", 1.0)
    return where / NAME


def _digest(files: Sequence[Path], folder: Path) -> str:
    """SHA-256 of the paths and digests of the members that were read."""
    lines = (f"{file.relative_to(folder).as_posix()} {sha256(file)}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _write(folder: Path, kind: str, forests: dict[str, list[Forest]], source: str, digest: str, version: str) -> None:
    members, parts, start = [], [], 0
    for each, trees in forests.items():
        for forest in trees:
            end = start + len(forest.nodes["root"])
            members.append({
                "kind": each, "predicts": official.KINDS[each], "nodes": [start, end], "base": forest.base,
                "inclusive": forest.inclusive, "dtype": forest.dtype, "depth": forest.depth, "trees": len(forest),
            })  # fmt: skip
            parts.append(forest.nodes)
            start = end
    columns = {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}
    columns["feature"] = columns["feature"].astype(np.uint8)
    write_table(
        folder, columns, benchmark=NAME, source=source, source_sha256=digest, version=version,
        licence=NASBENCH301.licence, importer=f"{NAME}-ensembles/1", facts={"surrogate": kind, "members": members},
    )  # fmt: skip


def _unpack(source: Path, scratch: Path, report: Progress) -> None:
    """Unpack only the models and configurations of a zip file, each no larger than a model can be.

    The sizes that the archive states bound what is unpacked, within the folder, whatever its names are.
    """
    try:
        with open_file(source) as file, zipfile.ZipFile(file) as archive:
            wanted = [i for i in archive.infolist() if Path(i.filename).name in _MOST_BYTES and not i.is_dir()]
            large = any(item.file_size > _MOST_BYTES[Path(item.filename).name] for item in wanted)
            most = _MOST_UNFOLDED * source.stat().st_size + _ROOM
            if large or sum(item.file_size for item in wanted) > most:
                raise DataError(f"{source}: its models unfold into more than those of an official file")
            for n, item in enumerate(wanted):
                report(f"unpacking {source.name}", n / len(wanted))
                archive.extract(item, scratch)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise DataError(f"{source}: cannot be unpacked: {error}") from error


# -- use --------------------------------------------------------------------------------------------------------------


class Ensembles:
    """The mean over the members. ``noisy``: a draw from a normal distribution with the members' mean and spread, as in
    the official interface by default; here the encoding seeds the generator, so that the answer is always the same.
    """

    fidelities: tuple[Fidelity, ...] = (FULL,)

    def __init__(self, table: Table, *, noisy: bool = False) -> None:
        """Raises DataError where the table holds no ensemble."""
        self._space, self._noisy = DartsSpace(), noisy
        members: dict[str, list[Forest]] = {"accuracy": [], "runtime": []}
        try:
            for member in table.meta.facts["members"]:
                members[member["predicts"]].append(read_member(table, member))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{table.folder}: not an ensemble of NAS-Bench-301: {error}; import it again") from error
        self._accuracy, self._runtime = members["accuracy"], members["runtime"]
        self.timed = bool(self._runtime)

    def predict(self, archs: Sequence[Architecture], level: int) -> tuple[Floats, Floats | None]:
        rows = official.encode(self._space.as_cells(archs))
        seconds = predictions(self._runtime, rows).mean(axis=0) if self.timed else None
        each = predictions(self._accuracy, rows)
        valid: Floats = each.mean(axis=0)
        if self._noisy:
            draws = [np.random.default_rng([301, row_of(a), *a]).standard_normal() for a in archs]
            valid = valid + each.std(axis=0) * np.array(draws)
        return valid, seconds

    def expected(self, archs: Sequence[Architecture]) -> Floats:
        mean: Floats = predictions(self._accuracy, official.encode(self._space.as_cells(archs))).mean(axis=0)
        return mean


def predictions(members: Sequence[Forest], rows: Floats) -> Floats:
    """Of each member, float64 [members, n], for encoded architectures [n, 56]."""
    return np.stack([member.predict(rows).astype(np.float64) for member in members])


def read_member(table: Table, member: dict[str, Any]) -> Forest:
    """The trees of one of the table's ``members``. Raises KeyError, TypeError or ValueError where it is none."""
    part = slice(*member["nodes"])
    return Forest(
        {name: np.asarray(table[name])[part] for name in COLUMNS}, features=official.COLUMNS, base=member["base"],
        inclusive=member["inclusive"], dtype=member["dtype"], depth=member["depth"],
    )  # fmt: skip
