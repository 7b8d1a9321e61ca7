"""Every image data set that live training knows: what it is, where its table stands, and how it gets there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness import DataError, DataMissing, UnknownName
from harness.data.tables import Progress, SourceFile, Table, data_dir, open_table, sha256, table_exists, write_table
from harness_training.data.digits import built_in_table

ROOM = "images"
"""The folder, below the data folder, of all tables of images."""
FOLDERS = "images:"
"""A data set of this beginning is a folder of the user's, ``images:NAME``."""
BUILT_IN = ("digits", "cluttered-digits")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class ImageData:
    """An official image data set. accepts: what is imported, in words. files: what can be downloaded."""

    name: str
    summary: str
    licence: str
    source: str
    accepts: str
    size: int
    files: tuple[SourceFile, ...] = ()


_KRIZ = "https://www.cs.toronto.edu/~kriz/"
_CIFAR = "its archive, binary or Python version, or the folder that it unpacks to"
OFFICIAL = {
    d.name: d
    for d in (
        ImageData(
            "cifar10", "CIFAR-10: 60,000 colour images of 32 x 32, ten classes", "none stated",
            _KRIZ + "cifar.html", _CIFAR, 170_052_171,
            (SourceFile("cifar-10-binary.tar.gz", _KRIZ + "cifar-10-binary.tar.gz"),),
        ),
        ImageData(
            "cifar100", "CIFAR-100: 60,000 colour images of 32 x 32, a hundred classes", "none stated",
            _KRIZ + "cifar.html", _CIFAR, 169_001_437,
            (SourceFile("cifar-100-binary.tar.gz", _KRIZ + "cifar-100-binary.tar.gz"),),
        ),
        ImageData(
            "mnist", "MNIST: 70,000 grey images of 28 x 28, ten digits", "none stated",
            "https://yann.lecun.com/exdb/mnist/", "the folder of its four idx files, gzipped or not", 11_594_722,
        ),
        ImageData(
            "fashion-mnist", "Fashion-MNIST: 70,000 grey images of 28 x 28, ten kinds of clothing", "MIT",
            "https://github.com/zalandoresearch/fashion-mnist", "the folder of its four idx files, gzipped or not",
            30_878_645,
        ),
    )
}  # fmt: skip


def folder_of(name: str, where: Path | None = None) -> Path:
    """Where the table of a data set stands."""
    return data_dir(where) / ROOM / name.replace(FOLDERS, "folder-")


def known_names() -> list[str]:
    """Built in, official, and the user's own folders that are imported."""
    return [*BUILT_IN, *OFFICIAL, *folder_names()]


def folder_names() -> list[str]:
    """The user's own folders that are imported, as data sets."""
    return sorted(p.name.replace("folder-", FOLDERS, 1) for p in (data_dir() / ROOM).glob("folder-*"))


def missing(name: str) -> str | None:
    """Why the data set cannot be opened here, with the command that mends it; None where it can. Raises UnknownName."""
    if name in BUILT_IN or table_exists(folder_of(name)):
        return None
    if name in OFFICIAL:
        return f"{name} is not imported: nas-harness data import {name} PATH"
    raise UnknownName("image data set", name, known_names(), hint="nas-harness data list")


def open_images(name: str) -> Table:
    """Its table: images uint8 [n, channels, side, side], labels int16 [n], part int8 [n].

    Raises UnknownName, DataMissing, DataError.
    """
    if name in BUILT_IN:
        return built_in_table(name, folder_of(name))
    if (why := missing(name)) is not None:
        raise DataMissing(f"{why}; looked in {folder_of(name)}")
    return open_table(folder_of(name))


def import_official(name: str) -> Callable[[Path, Path, Progress | None], Path]:
    """What writes the table of an official data set: ``make`` of its `harness.data.tables.DataSet`."""

    def make(source: Path, where: Path, progress: Progress | None = None) -> Path:
        from harness_training.data.cifar import CLASSES, read_cifar
        from harness_training.data.idx import read_idx_folder

        report = progress or (lambda what, done: None)
        report(f"reading {source.name}", 0.0)
        columns = read_cifar(name, source) if name in CLASSES else read_idx_folder(source)
        report("writing", 0.7)
        folder = folder_of(name, where)
        digest = sha256(source) if source.is_file() else ""
        write_table(
            folder, columns, benchmark=name, source=source.name, source_sha256=digest, version="official",
            licence=OFFICIAL[name].licence, importer=f"{name}/1",
            facts={"classes": [str(c) for c in range(int(columns["labels"].max()) + 1)]},
        )  # fmt: skip
        report("done", 1.0)
        return folder

    return make


def import_folder(source: Path, where: Path, progress: Progress | None = None) -> Path:
    """The table of a folder of images, as the data set ``images:NAME`` with the folder's name. Raises DataError."""
    from harness_training.data.folders import read_image_folder

    name = source.resolve().name.lower()
    if not _NAME.fullmatch(name):
        raise DataError(f"{source}: call the folder by small letters, digits, - and _, for the data set takes its name")
    report = progress or (lambda what, done: None)
    report(f"reading {source.name}", 0.0)
    columns, classes = read_image_folder(source)
    report("writing", 0.7)
    folder = folder_of(FOLDERS + name, where)
    write_table(
        folder, columns, benchmark=FOLDERS + name, source=source.name, source_sha256="", version="own", licence="own",
        importer="images/1", facts={"classes": classes},
    )  # fmt: skip
    report("done", 1.0)
    return folder
