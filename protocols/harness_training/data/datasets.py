"""The image data sets as ``nas-harness data`` shows them."""

from __future__ import annotations

from collections.abc import Sequence

from harness import DataSet
from harness_training.data.catalogue import (
    BUILT_IN,
    FOLDERS,
    OFFICIAL,
    ROOM,
    folder_names,
    import_folder,
    import_official,
)

_OWN = FOLDERS.rstrip(":")
_DIGITS = "https://scikit-learn.org/stable/datasets/toy_dataset.html"
_SUMMARIES = {
    "digits": "1,797 grey images of 8 x 8, ten digits, from scikit-learn",
    "cluttered-digits": "the same digits at random places among patches of others, 16 x 16",
}


def image_data_sets(tasks: Sequence[str]) -> list[DataSet]:
    """Built in, official, and the user's own folders; each with those of ``tasks`` that train on it."""

    def of(name: str) -> tuple[str, ...]:
        return tuple(t for t in tasks if t.partition("/")[2].partition("@")[0] == name)

    built_in = [
        DataSet(
            name, _SUMMARIES[name], "CC BY 4.0 (UCI), BSD-3-Clause (scikit-learn)", _DIGITS, of(name),
            (f"{ROOM}/{name}",), install="made by itself when it is first used: pip install 'nas-harness[training]'",
        )
        for name in BUILT_IN
    ]  # fmt: skip
    official = [
        DataSet(
            d.name, d.summary, d.licence, d.source, of(d.name), (f"{ROOM}/{d.name}",), size=d.size, accepts=d.accepts,
            make=import_official(d.name), files=d.files,
        )
        for d in OFFICIAL.values()
    ]  # fmt: skip
    own = {name: f"{ROOM}/{name.replace(FOLDERS, 'folder-')}" for name in folder_names()}
    accepts = "a folder that has a folder of images for each class"
    folders = [
        DataSet(
            name, "a folder of your own images", "your own", "your own", of(name), (folder,), accepts=accepts,
            make=import_folder,
        )
        for name, folder in own.items()
    ]  # fmt: skip
    return [
        *built_in,
        *official,
        DataSet(
            _OWN, "folders of your own images, one a class: each is the data set images:NAME", "your own", "your own",
            tuple(t for name in own for t in of(name)), tuple(own.values()) or (f"{ROOM}/folder-",), make=import_folder,
            accepts=accepts,
        ),
        *folders,
    ]  # fmt: skip
