"""Files in NAS-Bench-101's official format over real cells; the scores are invented and say nothing of any network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from written_nasbench101 import write

from harness.spaces import Architecture
from harness_nasbench.formats import nasbench101 as official
from harness_nasbench.formats.nasbench101 import Evaluation, Record
from harness_nasbench.spaces.nasbench101 import NASBench101Space
from harness_nasbench.spaces.nasbench101_hash import BITS, EDGES, OPS, VERTICES, module_hash, successors

SPACE = NASBench101Space()


def written(arch: Architecture) -> tuple[np.ndarray[Any, np.dtype[np.int8]], tuple[str, ...]]:
    """Adjacency and operations of a cell without its pruned vertices, as the official files have it."""
    kept = successors(arch)[0]
    vertices = [v for v in range(VERTICES) if kept >> v & 1]
    matrix = np.zeros((VERTICES, VERTICES), dtype=np.int8)
    for bit, edge in zip(arch, EDGES, strict=False):
        matrix[edge] = bit
    names = ("input", *(OPS[o] for o in arch[BITS:]), "output")
    return matrix[np.ix_(vertices, vertices)], tuple(names[v] for v in vertices)


def invented_records(
    archs: Sequence[Architecture], epochs: Sequence[int] = (108,), *, seed: int = 0
) -> Iterator[Record]:
    """Three trainings of each architecture and number of epochs, cell by cell."""
    rng = np.random.default_rng(seed)
    for start in range(0, len(archs), 4096):
        chunk = list(archs[start : start + 4096])
        params = SPACE.costs(chunk)["params"]
        scores = rng.uniform(0.1, 0.95, (len(chunk), len(epochs), official.REPEATS, 3, 3)).round(4)
        times = rng.uniform(10.0, 5000.0, (len(chunk), len(epochs), official.REPEATS))
        for i, arch in enumerate(chunk):
            adjacency, operations = written(arch)
            digest = module_hash(arch)
            for e, number in enumerate(epochs):
                for repeat in range(official.REPEATS):
                    time = float(times[i, e, repeat])
                    halfway, final = (
                        Evaluation(time * half / 2, *scores[i, e, repeat, half, 1:].tolist()) for half in (1, 2)
                    )
                    yield Record(digest, number, adjacency, operations, int(params[i]), halfway, final)


def write_invented(
    path: Path, archs: Sequence[Architecture], epochs: Sequence[int] = (108,), *, seed: int = 0
) -> list[Record]:
    """Write a small file; the records that are in it."""
    records = list(invented_records(archs, epochs, seed=seed))
    write(path, records)
    return records


def with_final(record: Record, **values: float) -> Record:
    """The same training with other values in its last evaluation."""
    return replace(record, final=replace(record.final, **values))
