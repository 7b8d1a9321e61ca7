"""NAS-Bench-301's published ``xgb`` and ``lgb`` ensembles, accuracy or runtime, without its package.

A folder holds one folder a member, each with ``surrogate_model.model`` (a pickled Booster), ``model_config.json`` and
``data_config.json``. Source: nasbench301's api.py, ensemble.py, and
surrogate_models/gradient_boosting.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data import safe_pickle
from harness.data.reading import read_file
from harness.errors import DataError
from harness_nasbench.formats import lightgbm_text, xgboost_binary
from harness_nasbench.formats.darts_cells import EDGES, categories
from harness_nasbench.formats.trees import Forest

__all__ = ["COLUMNS", "KINDS", "encode", "kind_of", "read_member"]

COLUMNS = 56
KINDS = {"xgb": "accuracy", "lgb": "accuracy", "xgb_time": "runtime", "lgb_time": "runtime"}
"""Model names in ``model_config.json`` -> what they predict: validation accuracy in percent, or training seconds."""

_CONSTANT = {
    0: 0.586345, 4: 0.166664, 5: 0.31, 14: 0.00315, 21: 0.00075, 24: -3.688879, 25: 0.898876, 26: -8.111728,
    27: 0.00995, 28: 1e-12, 31: 0.705128,
}  # fmt: skip
"""The fixed training settings that the official API adds to every query, as ConfigSpace scales them. Other columns that
belong to no edge or input are categories with the index 0."""
_TAIL = (10, 11, 12, 13, 2, 3, 4, 5, 6, 7, 8, 9)
"""Edges 2 to 13 in the order of their names, which is the order of their columns."""
_EDGE_COLUMN = np.empty((2, EDGES), dtype=np.intp)
for _kind in range(2):
    _EDGE_COLUMN[_kind, :2] = (10 + 2 * _kind, 11 + 2 * _kind)
    _EDGE_COLUMN[_kind, list(_TAIL)] = 32 + 12 * _kind + np.arange(12)
_PAIR_COLUMN = np.array([[15, 16, 17], [18, 19, 20]])

_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("xgboost.core", "Booster"): safe_pickle.Stub.named("xgboost"),
    ("lightgbm.basic", "Booster"): safe_pickle.Stub.named("lightgbm"),
    ("collections", "defaultdict"): lambda *_: {},
}


def encode(cells: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The 56 columns [n, 56] of DARTS cells [n, 2, 4, 2, 2] (`darts_cells`), in the order of configspace.json.

    An edge that no node uses is -1, which the official code puts in place of NaN. Raises ValueError for
    malformed cells.
    """
    edges, pairs = categories(cells)
    rows = np.zeros((len(edges), COLUMNS))
    rows[:, list(_CONSTANT)] = list(_CONSTANT.values())
    rows[:, _EDGE_COLUMN] = edges
    rows[:, _PAIR_COLUMN] = pairs
    return rows


def read_member(file: Path, *, kind: str) -> Forest:
    """The trees in one pickled Booster, xgboost 1.0 to 1.2 or LightGBM. Raises `DataError` naming file and reason."""
    booster = safe_pickle.load_path(file, allow=_ALLOWED)
    library = "xgboost" if kind.startswith("xgb") else "lightgbm"
    if not isinstance(booster, safe_pickle.Stub) or booster.kind != library or type(booster.state) is not dict:
        raise DataError(f"{file}: not a pickled {library} Booster, though its model_config.json says {kind!r}")
    handle = booster.state.get("handle", booster.state.get("_handle"))
    try:
        forest = _forest(library, handle, booster.state.get("best_iteration", 0))
    except ValueError as error:
        raise DataError(f"{file}: model in the Booster: {error}") from error
    if forest.features != COLUMNS or not len(forest):
        raise DataError(
            f"{file}: {len(forest)} trees over {forest.features} columns, where NAS-Bench-301 has {COLUMNS}"
        )
    return forest


def _forest(library: str, handle: Any, best: Any) -> Forest:
    if library == "xgboost":
        if not isinstance(handle, (bytes, bytearray)):
            raise ValueError(f"a {type(handle).__name__} instead of bytes")
        return xgboost_binary.parse(bytes(handle))
    if type(handle) is not str or type(best) is not int:
        raise ValueError(f"a {type(handle).__name__} instead of text, best iteration {str(best)[:20]}")
    return lightgbm_text.parse(handle, iterations=best)


def kind_of(file: Path) -> str:
    """The kind of model that a ``model_config.json`` names, whether or not it is of `KINDS`. Raises DataError."""
    try:
        config = json.loads(read_file(file))
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: not JSON: {error}") from error
    name = config.get("model") if isinstance(config, dict) else None
    return name if type(name) is str else str(name)
