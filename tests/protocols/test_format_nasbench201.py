"""Files written by the official packages' own classes, read here and by their APIs; damage and other files refused."""

from __future__ import annotations

import bz2
import itertools
import os
import pickle
import random
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness_nasbench.formats import nasbench201
from harness_nasbench.formats.nasbench201_cells import OPERATIONS
from harness_nasbench.formats.torch_file import load_torch

api_utils = pytest.importorskip("nats_bench.api_utils")

ARCHITECTURES = [
    f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|" for a, b, c, d, e, f in itertools.product(OPERATIONS, repeat=6)
]
PRESENT = (0, 11, 284)
STORED = {  # (epochs, data set) -> seeds, splits at every epoch, splits at the last one: as in the published files
    (12, "cifar10-valid"): ((777, 111), ("x-valid", "ori-test"), ()),
    (12, "cifar10"): ((111,), ("ori-test",), ()),
    (12, "cifar100"): ((111,), ("x-valid", "x-test", "ori-test"), ()),
    (12, "ImageNet16-120"): ((111,), ("x-valid", "x-test", "ori-test"), ()),
    (200, "cifar10-valid"): ((777, 888), ("x-valid",), ("ori-test",)),
    (200, "cifar10"): ((777, 888), ("ori-test",), ()),
    (200, "cifar100"): ((777, 888, 999), ("ori-test",), ("x-valid", "x-test")),
    (200, "ImageNet16-120"): ((777, 888), ("ori-test",), ("x-valid", "x-test")),
}


def results(index: int, epochs: int, number: Any = float) -> dict[str, Any]:
    """The state of one architecture's ArchResults, with invented values."""
    rng = random.Random(index * 1000 + epochs)
    arch = api_utils.ArchResults(index, ARCHITECTURES[index])
    for (budget, dataset), (seeds, every, last) in STORED.items():
        if budget != epochs:
            continue
        for seed in seeds:
            curve = {i: number(rng.uniform(10, 95)) for i in range(epochs)}
            config = {"name": "infer.tiny", "C": 16, "N": 5, "arch_str": ARCHITECTURES[index], "num_classes": 10}
            trial = api_utils.ResultsCount(
                dataset, None, curve, curve, number(0.5 + index), number(20.0 + index), config, seed, epochs,
                [0.01, 0.02],
            )  # fmt: skip
            trial.update_train_info(curve, curve, curve, OrderedDict((i, rng.uniform(5, 9)) for i in range(epochs)))
            for split in every:
                keys = [f"{split}@{i}" for i in range(epochs)]
                values = {key: number(rng.uniform(10, 95)) for key in keys}
                trial.update_eval(values, values, {key: rng.uniform(0.1, 0.2) for key in keys})
            for split in last:
                key = f"{split}@{epochs - 1}"
                trial.eval_names.append(split)
                trial.eval_acc1es[key] = number(rng.uniform(10, 95))
                trial.eval_losses[key], trial.eval_times[key] = 1.0, rng.uniform(0.1, 0.2)
            arch.update(dataset, seed, trial)
    return arch.state_dict()  # type: ignore[no-any-return]


def content(names: tuple[str, str] = ("12", "200"), number: Any = float) -> dict[str, Any]:
    infos = {i: {names[0]: results(i, 12, number), names[1]: results(i, 200, number)} for i in PRESENT}
    return {"meta_archs": ARCHITECTURES, "arch2infos": infos, "evaluated_indexes": set(PRESENT)}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nats") / "NATS-tss-v1_0-test.pickle.pbz2"
    api_utils.pickle_save(content(), path, ext="")
    return path


@pytest.fixture(scope="module")
def simple(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nats") / "NATS-tss-v1_0-test-simple"
    folder.mkdir()
    whole = content()
    infos = whole.pop("arch2infos")
    api_utils.pickle_save(whole, folder / "meta.pickle", ext=".pbz2")
    for index, info in infos.items():
        api_utils.pickle_save(info, folder / f"{index:06d}.pickle", ext=".pbz2")
    return folder


def same(a: nasbench201.OfficialTable, b: nasbench201.OfficialTable) -> None:
    assert a.architectures == b.architectures
    for name in ("operations", "present"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    for name in ("final", "train_seconds", "params", "latency"):
        left, right = getattr(a, name), getattr(b, name)
        assert left.keys() == right.keys()
        for key in left:
            np.testing.assert_array_equal(left[key], right[key])


def test_every_value_is_the_official_apis(full: Path) -> None:
    import nats_bench

    seen: list[tuple[int, int]] = []
    table = nasbench201.read_official(full, partial=True, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 15_625), (2, 15_625), (3, 15_625)]
    assert np.flatnonzero(table.present).tolist() == list(PRESENT)
    assert table.operations[284].tolist() == [0, 0, 2, 1, 1, 4]
    api = nats_bench.create(str(full), "tss", fast_mode=False, verbose=False)
    checked = 0
    for (epochs, dataset), (seeds, every, last) in STORED.items():
        for split, seed, index in itertools.product((*every, *last), seeds, PRESENT):
            official = (
                api.query_by_index(index, dataset, hp=str(epochs))[seed].get_eval(split) if split in every else None
            )
            raw = api.arch2infos_dict[index][str(epochs)].query(dataset, seed)
            key = (epochs, dataset, split, seed)
            assert table.final[key][index] == raw.eval_acc1es[f"{split}@{epochs - 1}"]
            if official is not None:
                assert table.final[key][index] == official["accuracy"]
            train = raw.get_train()["all_time"]
            assert table.train_seconds[epochs, dataset, seed][index] == pytest.approx(train, rel=1e-12)
            checked += 1
        cost = api.get_cost_info(11, dataset, hp=str(epochs))
        assert table.params[dataset][11] == cost["params"]
        assert table.latency[dataset][11] == pytest.approx(cost["latency"])
    assert checked == sum(len(s) * len(e + l) * 3 for s, e, l in STORED.values())
    assert len(table.final) == checked / 3
    assert (200, "cifar10", "ori-test", 999) not in table.final
    assert np.isnan(table.final[200, "cifar10", "ori-test", 777][1])


def test_simple_folder_is_the_same(full: Path, simple: Path) -> None:
    same(nasbench201.read_official(full, partial=True), nasbench201.read_official(simple, partial=True))


@pytest.mark.parametrize("number", [float, np.float64])
@pytest.mark.parametrize("zipped", [True, False])
def test_pth_old_and_new_is_the_same(full: Path, tmp_path: Path, zipped: bool, number: Any) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "NAS-Bench-201-test.pth"
    torch.save(content(("less", "full"), number), path, _use_new_zipfile_serialization=zipped)
    table = nasbench201.read_official(path, partial=True)
    same(nasbench201.read_official(full, partial=True), table)
    if number is float:
        nas_201_api = pytest.importorskip("nas_201_api")
        api = nas_201_api.NASBench201API(torch.load(path), verbose=False)
        trial = api.arch2infos_dict[11]["200"].query("cifar100", 999)
        for split in ("x-valid", "x-test"):
            assert table.final[200, "cifar100", split, 999][11] == trial.eval_acc1es[f"{split}@199"]


def test_numpy_1_names(full: Path, tmp_path: Path) -> None:
    data = pickle.dumps(content(number=np.float64), 2).replace(b"cnumpy._core.", b"cnumpy.core.")
    assert b"numpy.core.multiarray" in data
    path = tmp_path / "old.pickle.pbz2"
    path.write_bytes(bz2.compress(data, 1))
    same(nasbench201.read_official(full, partial=True), nasbench201.read_official(path, partial=True))


def test_tensors_in_torch_files_are_left_alone(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    for zipped in (True, False):
        path = tmp_path / "weights.pth"
        torch.save({"a": torch.arange(3.0), "b": [1, 2]}, path, _use_new_zipfile_serialization=zipped)
        read = load_torch(path)
        assert (read["a"].kind, read["b"]) == ("tensor", [1, 2])


class Hostile:
    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


def test_hostile_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    made = tmp_path / "made"
    bad = {"meta_archs": [], "arch2infos": {0: Hostile(str(made))}}
    for name, zipped in (("zip.pth", True), ("legacy.pth", False), ("nats.pickle.pbz2", None)):
        path = tmp_path / name
        if zipped is None:
            path.write_bytes(bz2.compress(pickle.dumps(bad)))
        else:
            torch.save(bad, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(DataError, match=f"{name}.*refused: the file asks for posix.mkdir"):
            nasbench201.read_official(path)
        assert not made.exists()
    bomb = tmp_path / "bomb.pth"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 24))
    with pytest.raises(DataError, match="compressed, which torch never does"):
        nasbench201.read_official(bomb)


def change(data: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    inner = data
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return data


TRIAL = ("arch2infos", 11, "200", "all_results", ("cifar100", 888))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("meta_archs",), None, "no list meta_archs"),
        (("meta_archs",), ARCHITECTURES[:-1], "15,624 architectures instead of 15,625"),
        (("meta_archs",), [*ARCHITECTURES[:-1], ARCHITECTURES[0]], "entry 15624: the same architecture as entry 0"),
        (("meta_archs",), [*ARCHITECTURES[:-1], "64:64:64:64:64"], "entry 15624: '64:64:64:64:64' is no"),
        (("arch2infos",), {}, "results of 0 architectures"),
        (("arch2infos", 15_625), {}, "architecture 15625: no index"),
        (("arch2infos", 11), None, "architecture 11: no results by epochs"),
        (("arch2infos", 11, "90"), {}, "architecture 11: results for '90' epochs"),
        (("arch2infos", 11, "200"), {}, "architecture 11, 200 epochs: no dictionary 'all_results'"),
        (("arch2infos", 11, "200", "arch_index"), 12, "results of architecture 12"),
        (("arch2infos", 11, "200", "all_results", ("svhn", 777)), {}, "is none of cifar10-valid"),
        (TRIAL, [], "architecture 11, 200 epochs, cifar100, seed 888: not the state of a training"),
        ((*TRIAL, "epochs"), 90, "seed 888: trained for 90 epochs"),
        ((*TRIAL, "params"), None, "params is None, not a number"),
        ((*TRIAL, "latency"), ["x"], "latency is no list"),
        ((*TRIAL, "train_times", 7), -1.0, "train_times.7. is -1.0"),
        ((*TRIAL, "eval_acc1es", "x-valid@199"), float("nan"), "x-valid is nan, not a number from 0 to 100"),
    ],
)
def test_wrong_content_is_named(tmp_path: Path, path: tuple[Any, ...], value: Any, message: str) -> None:
    file = tmp_path / "wrong.pickle.pbz2"
    file.write_bytes(bz2.compress(pickle.dumps(change(content(), path, value)), 1))
    with pytest.raises(DataError, match=message) as caught:
        nasbench201.read_official(file, partial=True)
    assert "wrong.pickle.pbz2" in str(caught.value)


def test_incomplete_and_other_files(full: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="results of 3 architectures instead of 15,625"):
        nasbench201.read_official(full)
    with pytest.raises(DataError, match="meta.pickle.pbz2: cannot be read"):
        nasbench201.read_official(tmp_path)
    for name, data, message in [
        ("a.pth", b"", "ends inside the pickle"),
        ("a.pth", b"PK\x03\x04", "damaged zip"),
        ("a.pth", pickle.dumps(1), "ends inside the pickle|not a file that torch.save wrote"),
        ("a.pickle.pbz2", b"not bz2", "damaged compressed data|cannot be read"),
        ("a.pickle.pbz2", bz2.compress(pickle.dumps({1: 2})), "no list meta_archs"),
    ]:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=message):
            nasbench201.read_official(tmp_path / name)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_fuzz_only_data_errors(simple: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Damage under the compression, in one architecture's file."""
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    folder.mkdir(exist_ok=True)
    (folder / "meta.pickle.pbz2").write_bytes((simple / "meta.pickle.pbz2").read_bytes())
    raw = bytearray(bz2.decompress((simple / "000011.pickle.pbz2").read_bytes()))
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    packed = bytearray(bz2.compress(raw, 1))
    if data.draw(st.booleans()):
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (folder / "000011.pickle.pbz2").write_bytes(packed)
    try:
        nasbench201.read_official(folder, partial=True)
    except DataError as error:
        assert "000011.pickle.pbz2" in str(error)  # noqa: PT017


def test_a_torch_file_that_claims_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "long.pth"
    path.write_bytes(b"\x80\x04\x8e" + (1 << 40).to_bytes(8, "little") + b"x.")
    with pytest.raises(DataError, match=r"long\.pth: refused: it unfolds into more than"):
        nasbench201.read_official(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_fuzz_torch_files(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path_factory.getbasetemp() / "fuzzed.pth"
    small = {"meta_archs": ["a"], "arch2infos": {}, "x": [1.5, np.float64(2)]}
    torch.save(small, path, _use_new_zipfile_serialization=data.draw(st.booleans()))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw[: data.draw(st.one_of(st.just(len(raw)), st.integers(0, len(raw))))])
    with pytest.raises(DataError, match=r"fuzzed\.pth"):
        nasbench201.read_official(path)
