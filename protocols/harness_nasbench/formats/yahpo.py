"""YAHPO Gym's NAS-Bench-301 surrogate: an ONNX file exported with batch size 1, evaluated in batches.

Inputs: 34 categories (28 edges, then 6 pairs of inputs, in numeric order) and the epoch, 1 to 98. Outputs: validation
accuracy in percent and training seconds. Only the declared shapes of inputs and outputs fix the batch size; the graph
itself takes it from its input. So it is enough to rename this dimension in memory. On opening, a batch is compared with
single evaluations of the unchanged file; unless they are equal bit for bit, architectures are evaluated one by one.
Source: Pfisterer et al., "YAHPO Gym" (2022), scenario nb301.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.reading import read_file
from harness.errors import DataError
from harness_nasbench.formats.darts_cells import OPERATIONS, PAIRS, categories

__all__ = ["BATCH", "MAX_EPOCH", "SHA256", "Surrogate", "encode"]

SHA256 = "3c6a6fb3a70998bf6c55883bdc5cc71cff190e1859468d72cc6960b88f06d280"
"""Of ``surrogate.onnx`` as published with YAHPO Gym v1."""
MAX_EPOCH = 98
BATCH = 512
"""Rows a call. More rows are not faster, and the activations of these fit into the cache."""

_CATEGORY = np.array([1 + sorted(OPERATIONS).index(name) for name in OPERATIONS] + [0], dtype=np.int32)
"""Category of each operation; the last one, for index -1, is that of an edge that does not exist."""
_ROWS = (*[len(OPERATIONS) + 1] * 28, *[len(PAIRS[node]) + 1 for _ in range(2) for node in (1, 2, 3)])
_COLUMNS = len(_ROWS)
_KNOWN_OPERATORS = frozenset(
    ("Add", "Cast", "Concat", "Constant", "ConstantOfShape", "Div", "Gather", "Gemm", "Mul", "Selu", "Shape", "Sigmoid")
) | {"Sub", "Unsqueeze"}


def encode(cells: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """The 34 categories [n, 34] of DARTS cells [n, 2, 4, 2, 2] (`darts_cells`)."""
    edges, pairs = categories(cells)
    return np.concatenate([_CATEGORY[edges].reshape(-1, 28), pairs.reshape(-1, 6).astype(np.int32) + 1], axis=1)


class Surrogate:
    """The surrogate in memory. A prediction does not depend on its batch, bit for bit.

    `batch` is the number of rows evaluated at once: `BATCH`, or 1 where this machine's kernels round batches otherwise.
    """

    def __init__(self, path: Path, raw: bytes | None = None) -> None:
        """Read and check the file, or ``raw``, its bytes, where they are kept elsewhere.

        Raises `DataError` naming the file and the reason; ImportError without onnx and onnxruntime.
        """
        self.raw = _read(path) if raw is None else raw
        model = _model(path, self.raw)
        single = _session(model.SerializeToString(), path)
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
        self._session = _session(model.SerializeToString(), path)
        self.batch = self._check(single, path)

    def predict(
        self, inputs: npt.NDArray[np.int32], epochs: npt.ArrayLike = MAX_EPOCH
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """(validation accuracy in percent [n], training seconds [n]) of encoded architectures [n, 34] after `epochs`.

        `epochs` is one number or [n], 1 to 98. Raises ValueError on anything out of range.
        """
        inputs = np.ascontiguousarray(inputs, dtype=np.int32)
        if inputs.ndim != 2 or inputs.shape[1] != _COLUMNS or (inputs < 0).any() or (inputs >= _ROWS).any():
            raise ValueError(f"inputs {inputs.shape} are not categories [n, {_COLUMNS}]")
        epoch = np.broadcast_to(np.asarray(epochs), (len(inputs),))
        if ((epoch < 1) | (epoch > MAX_EPOCH) | (epoch != np.floor(epoch))).any():
            raise ValueError(f"epochs are whole numbers from 1 to {MAX_EPOCH}")
        column = epoch.astype(np.float32)[:, None]
        out = np.empty((len(inputs), 2), dtype=np.float32)
        for start in range(0, len(inputs), self.batch):
            part = slice(start, start + self.batch)
            out[part] = _run(self._session, inputs[part], np.ascontiguousarray(column[part]))
        return out[:, 0].copy(), out[:, 1].copy()

    def _check(self, single: Any, path: Path) -> int:
        rng = np.random.default_rng(301)
        inputs = rng.integers(0, _ROWS, (33, _COLUMNS), dtype=np.int32)
        inputs[0], inputs[1] = 0, np.array(_ROWS) - 1
        epochs = rng.integers(1, MAX_EPOCH + 1, (33, 1)).astype(np.float32)
        try:
            alone = np.concatenate([_run(single, inputs[i : i + 1], epochs[i : i + 1]) for i in range(33)])
            together = _run(self._session, inputs, epochs)
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise DataError(f"{path}: cannot be evaluated: {_first_line(error)}") from error
        if (
            alone.shape != (33, 2)
            or not np.isfinite(alone).all()
            or not ((alone[:, 0] >= 0) & (alone[:, 0] <= 100)).all()
        ):
            raise DataError(f"{path}: does not answer with a percentage and seconds")
        if together.shape != alone.shape or not np.allclose(alone, together, rtol=1e-4, atol=1e-3):
            raise DataError(f"{path}: answers differently in a batch than alone")
        return BATCH if np.array_equal(alone, together) else 1


def _read(path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _model(path: Path, raw: bytes) -> Any:
    import onnx

    try:
        model = onnx.load_model_from_string(raw)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and onnx raise types of their own, without a common base
        raise DataError(f"{path}: not a valid ONNX model: {_first_line(error)}") from error
    graph = model.graph
    shapes = {
        value.name: (value.type.tensor_type.elem_type, [d.dim_value for d in value.type.tensor_type.shape.dim])
        for value in (*graph.input, *graph.output)
    }
    names = [value.name for value in graph.input]
    kinds = onnx.TensorProto
    expected = {"x_cat": (kinds.INT32, [1, _COLUMNS]), "x_cont": (kinds.FLOAT, [1, 1])}
    if names != list(expected) or any(shapes[name] != want for name, want in expected.items()) or len(shapes) != 3:
        raise DataError(f"{path}: inputs {shapes} are not those of YAHPO's nb301 surrogate")
    for node in graph.node:
        if node.domain or node.op_type not in _KNOWN_OPERATORS:
            raise DataError(
                f"{path}: node {node.output[0]!r}: operator {node.domain}{node.op_type} is not expected here"
            )
    tables = [
        tensor.dims[0] for tensor in graph.initializer if len(tensor.dims) == 2 and tensor.name.startswith("embds")
    ]
    if sorted(tables) != sorted(_ROWS):
        raise DataError(f"{path}: {len(tables)} embedding tables do not fit the {_COLUMNS} categories")
    for tensor in graph.initializer:
        if tensor.data_location == kinds.EXTERNAL:
            raise DataError(f"{path}: tensor {tensor.name!r} lies outside the file")
        if tensor.data_type == kinds.INT64 and (np.abs(onnx.numpy_helper.to_array(tensor)) > 1 << 16).any():
            raise DataError(f"{path}: tensor {tensor.name!r} asks for a huge array")
    return model


def _session(raw: bytes, path: Path) -> Any:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it would start a thread, and no run could be forked
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no public base
        raise DataError(f"{path}: cannot be loaded: {_first_line(error)}") from error


def _run(session: Any, inputs: npt.NDArray[np.int32], epochs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    result: npt.NDArray[np.float32] = session.run(None, {"x_cat": inputs, "x_cont": epochs})[0]
    return result


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
