"""Image data sets: built in, imported from official layouts, and what is refused."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_trainings import TINY

from harness import DataError, UnknownName
from harness.cli import main
from harness.data.tables import open_table
from harness.reading.report.description import describe_name
from harness.registry import Registry
from harness.testing.conformance import check_named
from harness_training.data import catalogue, cifar, digits, idx
from harness_training.data.reading import training_data
from harness_training.data.splits import POOL, TEST


def test_digits_are_scikit_learns(data_folder: Path) -> None:
    """1,797 images; the sum of all grey levels, 0 to 16, is that of scikit-learn's file."""
    from sklearn.datasets import load_digits

    table = catalogue.open_images("digits")
    assert table["images"].shape == (1797, 1, 8, 8)
    levels = np.round(table["images"].reshape(1797, -1) * (16 / 255))
    assert np.array_equal(levels, load_digits().data)
    assert np.bincount(table["labels"]).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert isinstance(table["images"], np.memmap)
    table.verify()


def test_cluttered_digits_hold_each_digit_whole_and_split_once(data_folder: Path) -> None:
    plain, table = catalogue.open_images("digits"), catalogue.open_images("cluttered-digits")
    assert table["images"].shape == (1797, 1, 16, 16)
    assert np.bincount(table["part"]).tolist() == [500, 648, 649]
    windows = np.lib.stride_tricks.sliding_window_view(table["images"][:, 0], (8, 8), axis=(1, 2))
    for i in range(0, 1797, 40):
        assert (windows[i] == plain["images"][i, 0]).all(axis=(2, 3)).any()


def test_clutter_comes_from_training_digits_alone() -> None:
    """Donors are dark, all others bright: nothing bright is seen outside a bright digit's own window."""
    images = np.full((40, 8, 8), 255, dtype=np.uint8)
    images[:20] = 7
    found = digits._cluttered(images, np.arange(20), np.random.default_rng(0))
    assert set(np.unique(found[:20])) <= {0, 7}
    assert ((found[20:] == 255).sum(axis=(1, 2)) == 64).all()
    assert (found == 7).any(axis=(1, 2)).all()


def test_a_search_sees_no_test_image_and_a_final_training_sees_all_others(data_folder: Path) -> None:
    table = catalogue.open_images("digits")
    search, final = (training_data(table, p, train=300) for p in ("validation", "final"))
    assert [len(search.train), len(search.held), len(final.train), len(final.held)] == [300, 748, 1048, 749]
    assert search.digest == final.digest
    assert search.shape == final.shape == (1, 8, 10)
    seen = {bytes(x.numpy().tobytes()) for part in (search.train, search.held) for x in part.pixels}
    tested = {bytes(x.numpy().tobytes()) for x in final.held.pixels}
    assert not seen & tested
    assert training_data(table, "validation", train=301).digest != search.digest


def test_a_built_in_table_of_another_version_is_made_anew(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = catalogue.open_images("digits")
    monkeypatch.setattr(digits, "_IMPORTER", "2")
    assert catalogue.open_images("digits").meta.importer == "digits/2"
    assert first.meta.importer == "digits/1"
    assert first.digest == catalogue.open_images("digits").digest


# -- CIFAR -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_cifar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The official layout with a hundred images a file."""
    small = {key: replace(v, each=(100, 100)) for key, v in cifar.VERSIONS.items()}
    monkeypatch.setattr(cifar, "VERSIONS", small)


def batches(name: str, kind: str) -> tuple[dict[str, bytes], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Files of random images in the official layout, and their images and (fine) labels in order."""
    version, classes = cifar.VERSIONS[name, kind], cifar.CLASSES[name]
    rng = np.random.default_rng(0)
    files, images, labels = {}, [], []
    for i, file in enumerate((*version.train, version.test)):
        pixels = rng.integers(0, 256, (100, 3072), dtype=np.uint8)
        y = rng.permutation(np.arange(100) % classes).astype(np.uint8)
        if kind == "python":
            batch = {b"data": pixels, version.label_key: y.tolist(), b"batch_label": b"batch %d" % i}
            files[file] = pickle.dumps(batch, 2)
        else:
            coarse = [] if name == "cifar10" else [y[:, None] // 5]
            files[file] = np.concatenate([*coarse, y[:, None], pixels], axis=1).tobytes()
        images.append(pixels)
        labels.append(y)
    return files, np.concatenate(images).reshape(-1, 3, 32, 32), np.concatenate(labels)


def packed(files: dict[str, bytes], path: Path) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in {"readme.html": b"x", **files}.items():
            member = tarfile.TarInfo(f"cifar/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("form", ["archive", "folder"])
@pytest.mark.parametrize(("name", "kind"), list(cifar.VERSIONS))
def test_cifar_from_every_official_form(name: str, kind: str, form: str, small_cifar: None, data_folder: Path) -> None:
    files, images, labels = batches(name, kind)
    source = packed(files, data_folder / "official.tar.gz")
    if form == "folder":
        source = data_folder / "unpacked"
        source.mkdir()
        for file, data in files.items():
            (source / file).write_bytes(data)
    assert catalogue.missing(name) == f"{name} is not imported: nas-harness data import {name} PATH"
    folder = catalogue.import_official(name, source, data_folder)
    table = open_table(folder)
    assert np.array_equal(table["images"], images)
    assert np.array_equal(table["labels"], labels)
    assert np.bincount(table["part"], minlength=3).tolist() == [len(images) - 100, 0, 100]
    assert len(table.meta.facts["classes"]) == cifar.CLASSES[name]
    assert catalogue.open_images(name).digest == table.digest


def test_a_cifar_file_cut_short_or_of_the_other_set_is_refused(small_cifar: None, tmp_path: Path) -> None:
    files, _, _ = batches("cifar10", "binary")
    short = packed({**files, "data_batch_3.bin": files["data_batch_3.bin"][:-1]}, tmp_path / "short.tar.gz")
    with pytest.raises(DataError, match=r"data_batch_3.bin: has 307299 bytes instead of 307300"):
        cifar.read_cifar("cifar10", short)
    with pytest.raises(DataError, match=r"train.bin, test.bin are not in it|test.bin, train.bin are not in it"):
        cifar.read_cifar("cifar100", short)
    unequal = bytearray(files["test_batch.bin"])
    unequal[0] = (unequal[0] + 1) % 10
    with pytest.raises(DataError, match="test images are not equally many of 10 classes"):
        cifar.read_cifar("cifar10", packed({**files, "test_batch.bin": bytes(unequal)}, tmp_path / "u.tar.gz"))
    whole = packed(files, tmp_path / "whole.tar.gz")
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(whole.read_bytes()[:-20000])
    with pytest.raises(DataError, match="cannot be read"):
        cifar.read_cifar("cifar10", broken)
    broken.write_text("no archive at all")
    with pytest.raises(DataError, match="could not be opened") as caught:
        cifar.read_cifar("cifar10", broken)
    assert "\n" not in str(caught.value)


def test_a_pickle_that_would_run_code_is_refused(small_cifar: None, tmp_path: Path) -> None:
    files, _, _ = batches("cifar10", "python")
    hostile = packed({**files, "data_batch_1": b"\x80\x02cos\nsystem\nU\x04trueq\x01\x85R."}, tmp_path / "h.tar.gz")
    with pytest.raises(DataError, match="asks for os.system"):
        cifar.read_cifar("cifar10", hostile)


# -- idx -------------------------------------------------------------------------------------------------------------


def idx_files(folder: Path, monkeypatch: pytest.MonkeyPatch, *, zipped: bool) -> np.ndarray[Any, Any]:
    monkeypatch.setattr(idx, "_ROWS", {"train": 30, "t10k": 20})
    rng, images = np.random.default_rng(0), []
    for prefix, n in idx._ROWS.items():
        images.append(rng.integers(0, 256, (n, 28, 28), dtype=np.uint8))
        pixels = struct.pack(">4I", 0x803, n, 28, 28) + images[-1].tobytes()
        labels = struct.pack(">2I", 0x801, n) + bytes(i % 10 for i in range(n))
        for stem, data in (("images-idx3", pixels), ("labels-idx1", labels)):
            file = folder / f"{prefix}-{stem}-ubyte{'.gz' if zipped else ''}"
            file.write_bytes(gzip.compress(data) if zipped else data)
    return np.concatenate(images)


@pytest.mark.parametrize("zipped", [True, False])
def test_idx_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    images = idx_files(tmp_path, monkeypatch, zipped=zipped)
    found = idx.read_idx_folder(tmp_path)
    assert np.array_equal(found["images"][:, 0], images)
    assert found["labels"].tolist() == [i % 10 for n in (30, 20) for i in range(n)]
    assert found["part"].tolist() == [POOL] * 30 + [TEST] * 20


def test_damaged_idx_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    idx_files(tmp_path, monkeypatch, zipped=False)
    file = tmp_path / "train-images-idx3-ubyte"
    good = file.read_bytes()
    for data, what in (
        (good[:-1], "has 23535 bytes instead of 23536"),
        (good + b"x", "has 23537 bytes instead of 23536"),
        (b"\0\0\x08\x01" + good[4:], "its header says 0x801"),
    ):
        file.write_bytes(data)
        with pytest.raises(DataError, match=what):
            idx.read_idx_folder(tmp_path)
    file.unlink()
    with pytest.raises(DataError, match="holds no train-images-idx3-ubyte or"):
        idx.read_idx_folder(tmp_path)


# -- folders ---------------------------------------------------------------------------------------------------------


def pictures(folder: Path, n: int, *, mode: str = "RGB", side: int = 8) -> None:
    from PIL import Image

    folder.mkdir(parents=True)
    for i in range(n):
        Image.new(mode, (side, side), (i * 10, 20, 30) if mode == "RGB" else i).save(folder / f"{i}.png")


def test_a_folder_of_images(data_folder: Path) -> None:
    source = data_folder / "shop"
    pictures(source / "cats", 3)
    pictures(source / "dogs", 2, mode="L")
    catalogue.import_folder(source, data_folder)
    table = catalogue.open_images("images:shop")
    assert table["images"].shape == (5, 3, 8, 8)
    assert table["images"][2, :, 0, 0].tolist() == [20, 20, 30]
    assert table["images"][4, :, 0, 0].tolist() == [1, 1, 1]
    assert table["labels"].tolist() == [0, 0, 0, 1, 1]
    assert table.meta.facts["classes"] == ["cats", "dogs"]
    assert "images:shop" in catalogue.known_names()


def test_a_folder_with_its_own_split(data_folder: Path) -> None:
    source = data_folder / "own"
    for part, n in (("train", 4), ("test", 2)):
        for name in ("a", "b"):
            pictures(source / part / name, n, mode="L")
    catalogue.import_folder(source, data_folder)
    table = catalogue.open_images("images:own")
    assert table["images"].shape == (12, 1, 8, 8)
    assert np.bincount(table["part"], minlength=3).tolist() == [8, 0, 4]


@pytest.mark.parametrize("empty", [True, False])
def test_a_folder_with_validation_images_alone_is_refused(data_folder: Path, empty: bool) -> None:
    source = data_folder / "half"
    for part, n in (("train", 4), ("val", 2)):
        for name in ("a", "b"):
            pictures(source / part / name, n, mode="L")
    if empty:
        (source / "test").mkdir()
    with pytest.raises(DataError, match="half: has validation images but none to test with: add a folder test, or"):
        catalogue.import_folder(source, data_folder)
    assert catalogue.folder_names() == []


def test_folders_that_are_no_data_set_are_refused(data_folder: Path) -> None:
    source = data_folder / "bad"
    pictures(source / "a", 2)
    with pytest.raises(DataError, match="at least two classes"):
        catalogue.import_folder(source, data_folder)
    pictures(source / "b", 1, side=9)
    with pytest.raises(DataError, match=r"b/0.png: has 9 x 9 pixels; make all images square and of one size"):
        catalogue.import_folder(source, data_folder)
    (source / "b" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(DataError, match=r"b/0.png: cannot be read as an image"):
        catalogue.import_folder(source, data_folder)
    with pytest.raises(UnknownName, match="did you mean 'cifar10'"):
        catalogue.open_images("cifar-10")


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_images_of_more_than_8_bits_are_refused_not_clipped(data_folder: Path, mode: str) -> None:
    from PIL import Image

    source = data_folder / "deep"
    pictures(source / "a", 2, mode="L")
    pictures(source / "b", 2, mode="L")
    Image.new(mode, (8, 8), 300).save(source / "b" / "2.tiff")
    with pytest.raises(DataError, match=rf"b/2.tiff: has more than 8 bits a pixel \(mode {mode}"):
        catalogue.import_folder(source, data_folder)


def test_a_hidden_folder_is_no_class_and_an_empty_one_is_refused(data_folder: Path) -> None:
    source = data_folder / "shop"
    for name in ("cats", "dogs", ".ipynb_checkpoints"):
        pictures(source / name, 2)
    catalogue.import_folder(source, data_folder)
    assert catalogue.open_images("images:shop")["images"].shape[0] == 4
    (source / "birds").mkdir()
    with pytest.raises(DataError, match=r"birds: holds no image \(.bmp, "):
        catalogue.import_folder(source, data_folder)


def test_each_imported_folder_is_a_data_set_that_can_be_removed_alone(
    data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for own in ("shop", "zoo"):
        for name in ("cats", "dogs"):
            pictures(data_folder / own / name, 2)
        catalogue.import_folder(data_folder / own, data_folder)
    assert main(["data", "info", "images:shop"]) == 0
    assert "folder-shop" in capsys.readouterr().out
    assert main(["data", "rm", "images:shop", "--yes"]) == 0
    assert catalogue.folder_names() == ["images:zoo"]


def test_a_task_on_a_folder_of_images_is_described_and_checked_by_its_name(data_folder: Path) -> None:
    """The colon in its name names no module."""
    for name in ("cats", "dogs"):
        pictures(data_folder / "shop" / name, 60)
    catalogue.import_folder(data_folder / "shop", data_folder)
    own = data_folder / "protocols" / "images:shop"
    own.mkdir(parents=True)
    (own / "base.toml").write_text(TINY.replace("train = 60\nvalidation = 100", "train = 40\nvalidation = 20"))
    task = "train/images:shop@nasbench201+base"
    assert describe_name(Registry(), task)["name"] == task
    (report,) = check_named(task, registry=Registry(), only=["fidelities"])
    assert [(report.kind, r.status) for r in report.results] == [("protocol", "passed")]
