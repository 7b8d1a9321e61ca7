"""The YAHPO surrogate: real where the data is, else a small model with the same interface."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_surrogate import ROWS, build

from harness.errors import DataError
from harness.running.environment import WORKER_VARIABLES
from harness_nasbench.formats import darts_cells, yahpo

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("yahpo") / "surrogate.onnx"
    path.write_bytes(build().SerializeToString())
    return path


def test_a_process_that_has_opened_it_can_be_forked(small: Path) -> None:
    words = (
        "import sys, pathlib; from harness.running.template import thread_names\n"
        "from harness_nasbench.formats import yahpo\n"
        "yahpo.Surrogate(pathlib.Path(sys.argv[1])); sys.exit(', '.join(thread_names()) or 0)"
    )
    subprocess.run([sys.executable, "-c", words, str(small)], check=True, env={**os.environ, **WORKER_VARIABLES})


def sample(n: int, seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    cells = np.zeros((n, 2, 4, 2, 2), dtype=np.int64)
    cells[..., 0] = rng.integers(0, 7, cells.shape[:-1])
    for node in range(4):
        pairs = np.array(darts_cells.PAIRS[node])
        cells[:, :, node, :, 1] = pairs[rng.integers(0, len(pairs), (n, 2))]
    return cells


def test_encoding_of_one_architecture_by_hand() -> None:
    normal = [("sep_conv_3x3", 0), ("skip_connect", 1), ("avg_pool_3x3", 2), ("dil_conv_5x5", 0), ("max_pool_3x3", 1),
              ("dil_conv_3x3", 3), ("sep_conv_5x5", 4), ("skip_connect", 2)]  # fmt: skip
    reduce = [("max_pool_3x3", 0), ("max_pool_3x3", 1)] * 4
    (row,) = yahpo.encode(darts_cells.from_genotype(normal, reduce)[None]).tolist()
    # alphabetical: avg 1, dil3 2, dil5 3, max 4, sep3 5, sep5 6, skip 7; 0 where there is no edge
    assert row[:14] == [5, 7, 3, 0, 1, 0, 4, 0, 2, 0, 0, 7, 0, 6]
    assert row[14:28] == [4, 4, 4, 4, 0, 4, 4, 0, 0, 4, 4, 0, 0, 0]
    assert row[28:] == [2, 5, 9, 1, 1, 1]  # 0_2, 1_3, 2_4; 0_1 three times


def test_encoding_agrees_with_the_published_one(shared_data: Path) -> None:
    import json

    encoding = json.loads((shared_data / "nasbench301_yahpo" / "encoding.json").read_text())
    cells = sample(50)
    for row, one in zip(yahpo.encode(cells).tolist(), cells, strict=True):
        config = darts_cells.to_config(one)
        names = [f"edge_{kind}_{i}" for kind in ("normal", "reduce") for i in range(14)]
        names += [f"inputs_node_{kind}_{i}" for kind in ("normal", "reduce") for i in (3, 4, 5)]
        for name, category in zip(names, row, strict=True):
            value = config.get(darts_cells.PREFIX + name, "#na#")
            assert encoding[(darts_cells.PREFIX + name).replace(":", "_COLON_")][value] == category


@pytest.mark.parametrize("which", ["small", "real"])
def test_batches_equal_the_unchanged_file_bit_for_bit(which: str, request: pytest.FixtureRequest) -> None:
    path = (
        request.getfixturevalue("small")
        if which == "small"
        else request.getfixturevalue("shared_data") / "nasbench301_yahpo" / "surrogate.onnx"
    )
    surrogate = yahpo.Surrogate(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    unchanged = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    inputs = yahpo.encode(sample(700))
    epochs = np.arange(700) % 98 + 1
    accuracy, seconds = surrogate.predict(inputs, epochs)
    for i in range(700):
        (expected,) = unchanged.run(
            None, {"x_cat": inputs[i : i + 1], "x_cont": epochs[i : i + 1, None].astype(np.float32)}
        )
        assert expected[0].tolist() == [accuracy[i], seconds[i]]
    for size in (1, 2, 3, 7, 64, 513):
        np.testing.assert_array_equal(surrogate.predict(inputs[:size], epochs[:size])[0], accuracy[:size])
    assert surrogate.predict(inputs[:0])[0].shape == (0,)


def test_the_real_surrogate_answers_sensibly(shared_data: Path) -> None:
    import hashlib

    path = shared_data / "nasbench301_yahpo" / "surrogate.onnx"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == yahpo.SHA256
    surrogate = yahpo.Surrogate(path)
    inputs = yahpo.encode(sample(2000))
    accuracy, seconds = surrogate.predict(inputs)
    assert 90 < accuracy.min() < accuracy.max() < 97
    assert 1e3 < seconds.min() < seconds.max() < 1e4
    early, _ = surrogate.predict(inputs, 5)
    assert (early < accuracy).all()


def test_inputs_are_checked(small: Path) -> None:
    surrogate = yahpo.Surrogate(small)
    inputs = yahpo.encode(sample(3))
    for bad in (inputs[:, :33], inputs - 9, inputs + 9):
        with pytest.raises(ValueError, match="are not categories"):
            surrogate.predict(bad)
    for epochs in (0, 99, 1.5, np.nan):
        with pytest.raises(ValueError, match="whole numbers from 1 to 98"):
            surrogate.predict(inputs, epochs)


def test_other_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "surrogate.onnx"
    helper = onnx.helper
    external = build()
    external.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    external.graph.initializer[0].external_data.add(key="location", value="../secret")
    huge = build()
    next(t for t in huge.graph.initializer if t.name == "i3").CopyFrom(
        onnx.numpy_helper.from_array(np.array(1 << 40), "i3")
    )
    for model, message in [
        (b"", "ONNX model|not those of"),
        (b"hello", "not a valid ONNX model"),
        (build((*ROWS[:-1], 12)).SerializeToString(), "embedding tables do not fit"),
        (build(ROWS[:-1]).SerializeToString(), "are not those of YAHPO"),
        (build(outputs=3).SerializeToString(), "does not answer with a percentage"),
        (build(extra=(helper.make_node("Exp", ["s"], ["t"]),)).SerializeToString(), "operator Exp is not expected"),
        (external.SerializeToString(), "outside the file|not a valid ONNX"),
        (huge.SerializeToString(), "'i3' asks for a huge array"),
    ]:
        path.write_bytes(model)
        with pytest.raises(DataError, match=message) as caught:
            yahpo.Surrogate(path)
        assert str(path) in str(caught.value)
    with pytest.raises(DataError, match="cannot be read"):
        yahpo.Surrogate(tmp_path / "absent.onnx")


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_fuzz_only_data_errors(small: Path, data: st.DataObject) -> None:
    raw = bytearray(small.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = small.with_name("damaged.onnx")
    damaged.write_bytes(raw[: data.draw(st.integers(len(raw) // 2, len(raw)))])
    try:
        yahpo.Surrogate(damaged)
    except DataError as error:
        assert "damaged.onnx" in str(error)  # noqa: PT017
