"""Every image data set that live training knows: what it is, where its table stands, and how it gets there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from harness import DataError, DataMissing, DataSet, UnknownName
from harness.data.tables import Progress, SourceFile, Table, data_dir, open_table, sha256, table_exists, write_table
from harness_training.data.digits import built_in_table

ROOM = "images"
"""The folder, below the data folder, of all tables of images."""
FOLDERS = "images:"
"""A data set of this beginning is a folder of the user's, ``images:NAME``."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


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


def import_official(name: str, source: Path, where: Path, progress: Progress | None = None) -> Path:
    """The table of an official data set. Raises DataError."""

    def read(source: Path) -> tuple[dict[str, Any], list[str]]:
        from harness_training.data.cifar import CLASSES, read_cifar
        from harness_training.data.idx import read_idx_folder

        columns = read_cifar(name, source) if name in CLASSES else read_idx_folder(source)
        return columns, [str(c) for c in range(int(columns["labels"].max()) + 1)]

    licence = OFFICIAL[name].licence
    return _imported(name, read, source, where, progress, version="official", licence=licence, importer=f"{name}/1")


def import_folder(source: Path, where: Path, progress: Progress | None = None) -> Path:
    """The table of a folder of images, as the data set ``images:NAME`` with the folder's name. Raises DataError."""
    from harness_training.data.folders import read_image_folder

    name = source.resolve().name.lower()
    if not _NAME.fullmatch(name):
        raise DataError(f"{source}: call the folder by small letters, digits, - and _, for the data set takes its name")
    about = {"version": "own", "licence": "own", "importer": "images/1"}
    return _imported(FOLDERS + name, read_image_folder, source, where, progress, **about)


def _imported(
    name: str,
    read: Callable[[Path], tuple[dict[str, Any], list[str]]],
    source: Path,
    where: Path,
    progress: Progress | None,
    **about: Any,
) -> Path:
    """The folder of the table. read: columns and names of classes."""
    report = progress or (lambda what, done: None)
    report(f"reading {source.name}", 0.0)
    columns, classes = read(source)
    report("writing", 0.7)
    folder = folder_of(name, where)
    digest = sha256(source) if source.is_file() else ""
    write_table(
        folder, columns, benchmark=name, source=source.name, source_sha256=digest, facts={"classes": classes}, **about
    )
    report("done", 1.0)
    return folder


_KRIZ = "https://www.cs.toronto.edu/~kriz/"
_CIFAR = "its archive, binary or Python version, or the folder that it unpacks to"
_IDX = "the folder of its four idx files, gzipped or not"

OFFICIAL = {
    d.name: d
    for d in (
        DataSet(
            "cifar10", "CIFAR-10: 60,000 colour images of 32 x 32, ten classes", "none stated",
            _KRIZ + "cifar.html", (), (f"{ROOM}/cifar10",), 170_052_171, _CIFAR, partial(import_official, "cifar10"),
            (SourceFile("cifar-10-binary.tar.gz", _KRIZ + "cifar-10-binary.tar.gz"),),
        ),
        DataSet(
            "cifar100", "CIFAR-100: 60,000 colour images of 32 x 32, a hundred classes", "none stated",
            _KRIZ + "cifar.html", (), (f"{ROOM}/cifar100",), 169_001_437, _CIFAR, partial(import_official, "cifar100"),
            (SourceFile("cifar-100-binary.tar.gz", _KRIZ + "cifar-100-binary.tar.gz"),),
        ),
        DataSet(
            "mnist", "MNIST: 70,000 grey images of 28 x 28, ten digits", "none stated",
            "https://yann.lecun.com/exdb/mnist/", (), (f"{ROOM}/mnist",), 11_594_722, _IDX,
            partial(import_official, "mnist"),
        ),
        DataSet(
            "fashion-mnist", "Fashion-MNIST: 70,000 grey images of 28 x 28, ten kinds of clothing", "MIT",
            "https://github.com/zalandoresearch/fashion-mnist", (), (f"{ROOM}/fashion-mnist",), 30_878_645, _IDX,
            partial(import_official, "fashion-mnist"),
        ),
    )
}  # fmt: skip
_DIGITS = "https://scikit-learn.org/stable/datasets/toy_dataset.html"
BUILT_IN = {
    name: DataSet(
        name, summary, "CC BY 4.0 (UCI), BSD-3-Clause (scikit-learn)", _DIGITS, (), (f"{ROOM}/{name}",),
        install="made by itself when it is first used: pip install 'nas-harness[training]'",
    )
    for name, summary in (
        ("digits", "1,797 grey images of 8 x 8, ten digits, from scikit-learn"),
        ("cluttered-digits", "the same digits at random places among patches of others, 16 x 16"),
    )
}  # fmt: skip
_FOLDERS = DataSet(
    FOLDERS.rstrip(":"), "folders of your own images, one a class: each is the data set images:NAME", "your own",
    "your own", (), (f"{ROOM}/folder-",), accepts="a folder that has a folder of images for each class",
    make=import_folder,
)  # fmt: skip


def image_data_sets(tasks: Sequence[str]) -> list[DataSet]:
    """Built in, official, and the user's own folders; each with those of ``tasks`` that train on it."""
    own = [
        replace(_FOLDERS, name=name, summary="a folder of your own images", folders=(f"{ROOM}/{folder_of(name).name}",))
        for name in folder_names()
    ]
    every = [
        replace(data, tasks=tuple(t for t in tasks if t.partition("/")[2].partition("@")[0] == data.name))
        for data in (*BUILT_IN.values(), *OFFICIAL.values(), *own)
    ]
    mine = every[len(BUILT_IN) + len(OFFICIAL) :]
    together = replace(
        _FOLDERS,
        tasks=tuple(t for data in mine for t in data.tasks),
        folders=tuple(f for data in mine for f in data.folders) or _FOLDERS.folders,
    )
    return [*every, together]
