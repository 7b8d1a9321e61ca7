"""A small ONNX model with the interface of YAHPO Gym's nb301 surrogate; its answers are invented."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

ROWS = (*[8] * 28, 4, 7, 11, 4, 7, 11)


def build(rows: tuple[int, ...] = ROWS, extra: tuple[Any, ...] = (), outputs: int = 2) -> Any:
    """A small model with the surrogate's inputs and outputs: embeddings of width 1, one layer, invented weights."""
    helper, kinds = onnx.helper, onnx.TensorProto
    rng = np.random.default_rng(5)

    def tensor(name: str, values: np.ndarray[Any, Any]) -> Any:
        return onnx.numpy_helper.from_array(values, name)

    nodes, weights = [], []
    for i, count in enumerate(rows):
        weights.append(tensor(f"embds_fct.{i}.weight", rng.normal(size=(count, 1)).astype(np.float32)))
        weights.append(tensor(f"i{i}", np.array(i)))
        nodes.append(helper.make_node("Gather", ["x_cat", f"i{i}"], [f"c{i}"], axis=1))
        nodes.append(helper.make_node("Gather", [f"embds_fct.{i}.weight", f"c{i}"], [f"e{i}"]))
    weights.append(tensor("w", rng.normal(size=(outputs, len(rows) + 1)).astype(np.float32)))
    weights += [tensor("b", np.zeros(outputs, dtype=np.float32)), tensor("scale", np.array([99.0], dtype=np.float32))]
    nodes.append(helper.make_node("Mul", ["x_cont", "scale"], ["scaled"]))
    nodes.append(helper.make_node("Concat", [*[f"e{i}" for i in range(len(rows))], "scaled"], ["all"], axis=1))
    nodes.append(helper.make_node("Gemm", ["all", "w", "b"], ["y"], transB=1))
    nodes += [helper.make_node("Sigmoid", ["y"], ["s"]), *extra]
    nodes.append(helper.make_node("Mul", ["s", "scale"], ["out"]))
    inputs = [helper.make_tensor_value_info("x_cat", kinds.INT32, [1, len(rows)]),
              helper.make_tensor_value_info("x_cont", kinds.FLOAT, [1, 1])]  # fmt: skip
    answer = [helper.make_tensor_value_info("out", kinds.FLOAT, [1, outputs])]
    graph = helper.make_graph(nodes, "small", inputs, answer, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
