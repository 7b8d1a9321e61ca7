"""Folders of one study from several machines, joined into one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.errors import RecordError
from harness.records.store import FILES, Folder, read_folder


def merge_folders(folders: Sequence[Path], out: Path) -> Folder:
    """Join the files of ``folders`` into the new folder ``out``, each record once. Returns what the new folder holds.

    The study of the new folder is the union of theirs: see `harness.records.lines.PlanRecord`.
    ``out`` is there whole or not at all. Raises RecordError where ``out`` is there already, a folder holds no study, or
    two records of one id say different things.
    """
    if out.exists():
        raise RecordError(f"{out} is there already; name a new folder")
    for folder in folders:
        there = read_folder(folder)
        if not (there.plans or there.ingested):
            raise RecordError(f"{folder} holds no study; is it the folder of one?")
    read_folder(*folders)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent, ignore_cleanup_errors=True) as part:
            _join(folders, Path(part))
            os.rename(part, out)
    except OSError as error:
        raise RecordError(f"{out} cannot be written: {error.strerror}") from error
    return read_folder(out)


def _join(folders: Sequence[Path], out: Path) -> None:
    for name in FILES.values():
        there = [folder / name for folder in folders if (folder / name).is_file()]
        lines = dict.fromkeys(line for file in there for line in file.read_bytes().split(b"\n") if line.strip())
        if lines:
            (out / name).write_bytes(b"\n".join(lines) + b"\n")
    for folder in folders:
        if (folder / "queries").is_dir():
            shutil.copytree(folder / "queries", out / "queries", dirs_exist_ok=True)
