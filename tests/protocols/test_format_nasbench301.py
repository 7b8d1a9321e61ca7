"""NAS-Bench-301's pickled boosters: bit-identical to the libraries that wrote them; damage and other files refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written_xgboost import write_booster

from harness.errors import DataError
from harness_nasbench.formats import darts_cells, lightgbm_text, nasbench301
from harness_nasbench.formats.trees import Forest, Tree

DATA = Path(__file__).resolve().parent.parent / "data" / "nasbench301"
WRITTEN = ("xgboost_1.0.2", "xgboost_1.2.1", "lightgbm_2.3.1")
KIND = {"xgboost_1.0.2": "xgb", "xgboost_1.2.1": "xgb", "lightgbm_2.3.1": "lgb"}


@pytest.mark.parametrize("name", WRITTEN)
def test_predictions_equal_those_of_the_writing_library(name: str) -> None:
    forest = nasbench301.read_member(DATA / f"{name}.model", kind=KIND[name])
    answers = json.loads((DATA / f"{name}.json").read_text())
    assert len(forest) == 12
    read = forest.predict(answers["rows"])
    assert read.tolist() == answers["predictions"]
    assert [forest.predict([row])[0] for row in answers["rows"]] == answers["predictions"]


def test_current_lightgbm_agrees(tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    rng = np.random.default_rng(3)
    rows = rng.integers(-1, 7, (500, 56)).astype(float)
    target = 93 + rows[:, 10] * 0.3 - rows[:, 12] * rows[:, 33] * 0.1 + rng.normal(size=500)
    parameters = {"objective": "regression", "verbose": -1, "num_threads": 1, "seed": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(rows, label=target), 40)
    file = tmp_path / "surrogate_model.model"
    for protocol, best in ((2, 0), (4, 25), (5, 40)):
        booster.best_iteration = best  # what early stopping leaves; prediction then stops there
        file.write_bytes(pickle.dumps(booster, protocol))
        forest = nasbench301.read_member(file, kind="lgb")
        assert len(forest) == (best or 40)
        np.testing.assert_array_equal(forest.predict(rows), booster.predict(rows))


NAMES = """batch_size augment autoaugment cutout cutout_holes cutout_length fastautoaugment loss_module auxiliary
drop_path_prob edge_normal_0 edge_normal_1 edge_reduce_0 edge_reduce_1 init_channels inputs_node_normal_3
inputs_node_normal_4 inputs_node_normal_5 inputs_node_reduce_3 inputs_node_reduce_4 inputs_node_reduce_5 layers network
optimizer learning_rate momentum weight_decay T_max eta_min lr_scheduler batch_loss_computation_technique alpha
edge_normal_10 edge_normal_11 edge_normal_12 edge_normal_13 edge_normal_2 edge_normal_3 edge_normal_4 edge_normal_5
edge_normal_6 edge_normal_7 edge_normal_8 edge_normal_9 edge_reduce_10 edge_reduce_11 edge_reduce_12 edge_reduce_13
edge_reduce_2 edge_reduce_3 edge_reduce_4 edge_reduce_5 edge_reduce_6 edge_reduce_7 edge_reduce_8
edge_reduce_9""".split()  # noqa: SIM905
"""Last parts of the names in the official configspace.json, in its order."""


def test_encoding_by_column_name() -> None:
    assert len(NAMES) == nasbench301.COLUMNS
    normal = [("sep_conv_3x3", 0), ("skip_connect", 1), ("avg_pool_3x3", 2), ("dil_conv_5x5", 0), ("max_pool_3x3", 1),
              ("dil_conv_3x3", 3), ("sep_conv_5x5", 4), ("skip_connect", 2)]  # fmt: skip
    reduce = [("dil_conv_5x5", 1), ("max_pool_3x3", 0)] * 4
    cells = darts_cells.from_genotype(normal, reduce)
    (row,) = nasbench301.encode(cells[None])
    config = {key.removeprefix(darts_cells.PREFIX): value for key, value in darts_cells.to_config(cells).items()}
    for name, value in zip(NAMES, row, strict=True):
        if name.startswith("edge"):
            assert value == (darts_cells.OPERATIONS.index(config[name]) if name in config else -1)
        elif name.startswith("inputs"):
            node = int(name[-1]) - 2
            assert value == [f"{a}_{b}" for a, b in darts_cells.PAIRS[node]].index(config[name])
    constants = dict(zip(NAMES, row.tolist(), strict=True))
    assert (constants["batch_size"], constants["layers"], constants["init_channels"]) == (0.586345, 0.00075, 0.00315)
    assert (constants["momentum"], constants["alpha"], constants["network"]) == (0.898876, 0.705128, 0)


def test_configurations_that_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "model_config.json"
    with pytest.raises(DataError, match=r"model_config\.json: cannot be read"):
        nasbench301.kind_of(config)
    for content in (b"{", b"\xff"):
        config.write_bytes(content)
        with pytest.raises(DataError, match=r"model_config\.json: not JSON"):
            nasbench301.kind_of(config)
    with pytest.raises(DataError, match=r"lightgbm_2.3.1.*not a pickled xgboost Booster"):
        nasbench301.read_member(DATA / "lightgbm_2.3.1.model", kind="xgb")


def booster(tmp_path: Path, handle: Any, module: str = "xgboost.core", **state: Any) -> Path:
    """A pickle of a Booster with this state, put together by opcodes."""
    body = pickle.dumps({"handle": handle, **state}, 2)[2:-1]
    file = tmp_path / "surrogate_model.model"
    file.write_bytes(b"\x80\x02c" + module.encode() + b"\nBooster\n)\x81" + body + b"b.")
    return file


def tree(left: list[int], right: list[int], feature: list[int], value: list[float]) -> Tree:
    return Tree(np.array(left), np.array(right), np.array(feature), np.array(value), np.array(value))


STUMP = tree([1, -1, -1], [2, -1, -1], [3, 0, 0], [2.0, -0.25, 0.75])


def test_written_model(tmp_path: Path) -> None:
    file = booster(tmp_path, bytearray(write_booster([STUMP, STUMP], features=56, base=0.5)))
    rows = np.zeros((3, 56))
    rows[:, 3] = (1.5, 2.0, 9.0)
    assert nasbench301.read_member(file, kind="xgb").predict(rows).tolist() == [0.0, 2.0, 2.0]
    with pytest.raises(ValueError, match="not numbers"):
        nasbench301.read_member(file, kind="xgb").predict(rows * np.nan)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (tree([1, -1, -1], [1, -1, -1], [3, 0, 0], [2.0, 0, 0]), "reached twice"),
        (tree([0, -1, -1], [2, -1, -1], [3, 0, 0], [2.0, 0, 0]), "reached twice"),
        (tree([1, 0, -1], [2, 2, -1], [3, 0, 0], [2.0, 0, 0]), "reached twice"),
        (tree([1, -1, -1], [7, -1, -1], [3, 0, 0], [2.0, 0, 0]), "does not exist"),
        (tree([1, -1, -1], [-1, -1, -1], [3, 0, 0], [2.0, 0, 0]), "does not exist"),
        (tree([1, -1, -1], [2, -1, -1], [56, 0, 0], [2.0, 0, 0]), "feature beyond the 56"),
        (tree([1, -1, -1], [2, -1, -1], [3, 0, 0], [2.0, np.inf, 0]), "not finite"),
    ],
)
def test_trees_that_are_none(tmp_path: Path, bad: Tree, message: str) -> None:
    file = booster(tmp_path, write_booster([STUMP, bad], features=56))
    with pytest.raises(DataError, match=f"surrogate_model.model: model in the Booster: .*{message}"):
        nasbench301.read_member(file, kind="xgb")


def test_boosters_that_are_refused(tmp_path: Path) -> None:
    good = write_booster([STUMP], features=56)
    for handle, message in [
        ("text", "a str instead of bytes"),
        (None, "a NoneType instead of bytes"),
        (b"", "byte 0: the model ends early"),
        (good[:300], "ends early|bytes are left"),
        (b'{"learner": {}}', "JSON or UBJSON model of a later xgboost"),
        (write_booster([STUMP], features=55), "1 trees over 55 columns, where NAS-Bench-301 has 56"),
        (write_booster([], features=56), "0 trees over 56 columns"),
        (good.replace(b"reg:squarederror", b"binary:logistic!"), "'binary:logistic!'"),
        (good.replace(b"gbtree", b"gblin_"), "a 'gblin_' model"),
    ]:
        with pytest.raises(DataError, match=message):
            nasbench301.read_member(booster(tmp_path, handle), kind="xgb")
    with pytest.raises(DataError, match="refused: the file asks for os.Booster"):
        nasbench301.read_member(booster(tmp_path, good, module="os"), kind="xgb")


def lightgbm_model() -> str:
    data = (DATA / "lightgbm_2.3.1.model").read_bytes()
    start = data.index(b"tree\nversion")
    return data[start : data.index(b"\nend of trees", start) + 14].decode()


def test_lightgbm_models_that_are_refused() -> None:
    text = lightgbm_model()
    assert len(lightgbm_text.parse(text)) == 12
    assert len(lightgbm_text.parse(text, iterations=5)) == 5
    for changed, message in [
        ("x" + text, "not a LightGBM model"),
        (text.replace("tree\n", "tree\naverage_output\n", 1), "not a LightGBM model"),
        (text.replace("num_class=1", "num_class=3"), "num_class is '3'"),
        (text.replace("objective=regression", "objective=binary sigmoid:1"), "objective 'binary sigmoid:1'"),
        (text.replace("\nend of trees", ""), "ends early"),
        (text.replace("Tree=3", "Tree=4"), "tree 3: stands as tree '4'"),
        (text[: text.index("\nTree=5")] + "\nend of trees", "5 trees where 12 are declared"),
        (text.replace("num_leaves=5", "num_leaves=6", 1), "values of leaf_value instead of 6"),
        (text.replace("num_leaves=5", "num_leaves=" + "9" * 8, 1), "num_leaves is '99999999'"),
        (text.replace("num_cat=0", "num_cat=1", 1), "categorical or linear"),
        (text.replace("left_child=1", "left_child=9", 1), "does not exist|reached twice"),
        (text.replace("decision_type=2", "decision_type=6", 1), "zero as missing"),
        (text.replace("leaf_value=", "leaf_value=nan ", 1), "values of leaf_value instead"),
        (text.replace("threshold=", "threshold=x", 1), "threshold: could not convert"),
    ]:
        assert changed != text
        with pytest.raises(ValueError, match=message):
            lightgbm_text.parse(changed)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_fuzz_only_data_errors(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(WRITTEN))
    raw = bytearray((DATA / f"{name}.model").read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file = tmp_path_factory.getbasetemp() / "surrogate_model.model"
    file.write_bytes(raw[: data.draw(st.one_of(st.just(len(raw)), st.integers(0, len(raw))))])
    try:
        forest = nasbench301.read_member(file, kind=KIND[name])
    except DataError as error:
        assert "surrogate_model.model" in str(error)  # noqa: PT017
    else:
        assert forest.predict(np.zeros((2, 56))).shape == (2,)


def test_an_empty_forest_is_its_base() -> None:
    forest = Forest.of_trees([], features=2, base=1.5, inclusive=True, dtype="float64")
    assert forest.predict(np.zeros((3, 2))).tolist() == [1.5] * 3
