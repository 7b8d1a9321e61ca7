"""NAS-Bench-301's surrogates into tables: the model is read and tested first, and stored without a pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from harness import DataError, DataMissing
from harness.data.reading import read_file
from harness.data.tables import Progress, write_table
from harness_nasbench.datasets import NASBENCH301
from harness_nasbench.formats import darts_cells, yahpo
from harness_nasbench.nasbench301_ensembles import import_ensembles

NAME = "nasbench301"
INSTALL = "pip install nas-harness[nasbench301]"
_MODELS = ("surrogate.onnx", "model.onnx")


def import_table(source: Path, where: Path, progress: Progress | None = None) -> Path:
    """Write the table of the surrogate that ``source`` holds under ``where``; returns its folder.

    source: YAHPO Gym's ``.onnx``, or a folder with it as ``surrogate.onnx`` or ``model.onnx``; or the official models,
    a folder or a zip file. Raises DataError with the file and the reason, leaving an existing table as it was;
    DataMissing where the libraries are missing.
    """
    report = progress or (lambda what, done: None)
    model = source
    if source.is_dir():
        model = next((source / name for name in _MODELS if (source / name).is_file()), source)
    if model.suffix == ".onnx":
        return _import_yahpo(model, where, report)
    if model.suffix == ".zip" or model.is_dir():
        return import_ensembles(model, where, report)
    raise DataError(f"{source}: {NAME} is imported from {NASBENCH301.accepts}; this is none of them")


def _import_yahpo(model: Path, where: Path, report: Progress) -> Path:
    report(f"reading {model.name}", 0.0)
    encoding = model.with_name("encoding.json")
    if encoding.is_file():
        _check_encoding(encoding)
    try:
        surrogate = yahpo.Surrogate(model)
    except ImportError as error:
        raise DataMissing(f"{model}: {error}; the surrogate needs onnx and onnxruntime: {INSTALL}") from error
    report("writing", 0.9)
    digest = hashlib.sha256(surrogate.raw).hexdigest()
    published = digest == yahpo.SHA256
    folder = where / NAME / "yahpo"
    write_table(
        folder, {"onnx": np.frombuffer(surrogate.raw, dtype=np.uint8)},
        benchmark=NAME, source=model.name, source_sha256=digest,
        version="YAHPO Gym v1" if published else "unknown: not the file published with YAHPO Gym v1",
        licence=NASBENCH301.licence, importer=f"{NAME}-yahpo/1", facts={"published": published},
    )  # fmt: skip
    report("done", 1.0)
    return folder


def _check_encoding(path: Path) -> None:
    """Refuse a model whose categories have other numbers than `yahpo.encode` gives them."""
    edges = ("#na#", *sorted(darts_cells.OPERATIONS))
    names = {f"edge_{kind}_{i}": edges for kind in darts_cells.KINDS for i in range(darts_cells.EDGES)}
    for kind in darts_cells.KINDS:
        for node, pairs in enumerate(darts_cells.PAIRS[1:], start=3):
            names[f"inputs_node_{kind}_{node}"] = ("#na#", *(f"{low}_{high}" for low, high in pairs))
    try:
        found = json.loads(read_file(path))
        for name, texts in names.items():
            numbers = found[(darts_cells.PREFIX + name).replace(":", "_COLON_")]
            if numbers != {text: number for number, text in enumerate(texts)}:
                raise DataError(f"{path}: {name} has the categories {str(numbers)[:200]}, not those of YAHPO Gym v1")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: not the encoding of YAHPO Gym's nb301: {type(error).__name__} {error}") from error
