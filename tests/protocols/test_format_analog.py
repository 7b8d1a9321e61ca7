"""analog-nasbench's data file, real where the package is installed, else written in its layout."""

from __future__ import annotations

import importlib.util
import itertools
import pickle
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness_nasbench.formats import analog
from harness_nasbench.formats.nasbench201_csv import read_csv


@pytest.fixture
def classes() -> Iterator[tuple[type, type]]:
    """Stand-ins for the package's two classes, under its module name."""
    module = types.ModuleType("analognasbench.data")
    made = []
    for name in ("Architecture", "DriftMeasurement"):
        kind = type(name, (), {"__module__": "analognasbench.data"})
        setattr(module, name, kind)
        made.append(kind)
    names = ("analognasbench", "analognasbench.data")
    before = {name: sys.modules.get(name) for name in names}
    sys.modules.update(dict.fromkeys(names, module))
    yield made[0], made[1]
    for name, previous in before.items():
        if previous is None:
            del sys.modules[name]
        else:
            sys.modules[name] = previous


def entry(key: tuple[int, ...], kinds: tuple[type, type], accuracy: float) -> Any:
    architecture, drift = kinds[0](), {}
    for name in ("baseline", "analog"):
        for seconds in (60, 3_600, 86_400, 2_592_000):
            measured = kinds[1]()
            measured.__dict__.update(value=accuracy / 2, uncertainty=0.5)
            drift[f"{name}_drift_{seconds}"] = measured
    fields = {f"{name}_accuracy": accuracy for name in analog.PROTOCOLS}
    architecture.__dict__.update(architecture=key, **fields, **drift)
    return architecture


def table(kinds: tuple[type, type]) -> dict[tuple[int, ...], Any]:
    keys = itertools.product(range(5), repeat=6)
    return {key: entry(key, kinds, 10 + 0.001 * i) for i, key in enumerate(keys)}


def test_layout_and_orders(tmp_path: Path, classes: tuple[type, type]) -> None:
    file = tmp_path / "data.anb"
    file.write_bytes(pickle.dumps(table(classes)))
    read = analog.read(file)
    # (1, 0, 2, 3, 4, 0) in the file: none, skip, conv3x3, conv1x1, pool, skip on 01 02 03 12 13 23.
    row, place = int("012341", 5), int("102340", 5)
    assert read["qat"][row] == pytest.approx(10 + 0.001 * place)


def test_wrong_content_is_refused(tmp_path: Path, classes: tuple[type, type]) -> None:
    file = tmp_path / "data.anb"
    content = table(classes)
    key = (0, 1, 2, 3, 4, 0)
    for change, message in [
        ({key: entry((0,) * 6, classes, 50.0)}, "its entry is about architecture"),
        ({key: entry(key, classes, float("nan"))}, "'baseline_accuracy' is nan"),
        ({key: entry(key, classes, 940.0)}, "not a percentage"),
        ({key: {"architecture": key}}, "no Architecture record"),
        ({key: None, (9, 0, 0, 0, 0, 0): None}, "not the 15,625 architectures"),
    ]:
        file.write_bytes(pickle.dumps({**content, **change}))
        with pytest.raises(DataError, match=message) as caught:
            analog.read(file)
        assert "data.anb" in str(caught.value)
    for other in ({"a": 1}, [1, 2], None):
        file.write_bytes(pickle.dumps(other))
        with pytest.raises(DataError, match="not the 15,625 architectures"):
            analog.read(file)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_fuzz_only_data_errors(tmp_path: Path, classes: tuple[type, type], data: st.DataObject) -> None:
    raw = bytearray(pickle.dumps({(0,) * 6: entry((0,) * 6, classes, 50.0)}))
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file = tmp_path / "data.anb"
    file.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    with pytest.raises(DataError, match=r"data\.anb"):
        analog.read(file)


def test_real_file_has_the_stated_orders(shared_data: Path) -> None:
    spec = importlib.util.find_spec("analognasbench")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("analog-nasbench is not installed")
    read = analog.read(Path(spec.submodule_search_locations[0]) / "data.anb")
    official = read_csv(shared_data / "nasbench201.csv")
    order = np.lexsort(official.operations.T[::-1])
    test = official.columns["cifar10_test_200ep"][order]
    assert np.corrcoef(test, read["baseline"])[0, 1] == pytest.approx(0.99936, abs=1e-5)
    assert read["analog"].max() == pytest.approx(91.326)
