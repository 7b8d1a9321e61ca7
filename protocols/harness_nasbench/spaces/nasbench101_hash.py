"""NAS-Bench-101 cells as plain ints: packing, pruning, validity, and the benchmark's module hash.

An encoding is 26 ints: the 21 bits above the diagonal of a 7 x 7 adjacency matrix, row by row, then the operations of
vertices 1 to 5 as indices into `OPS`. Vertex 0 is the input, vertex 6 the output.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import md5
from typing import Final

VERTICES: Final = 7
MAX_EDGES: Final = 9
OUTPUT: Final = VERTICES - 1
OPS: Final = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""In the benchmark's own order, which the hash depends on."""
EDGES: Final = tuple((u, v) for u in range(VERTICES) for v in range(u + 1, VERTICES))
BITS: Final = len(EDGES)
GENES: Final = BITS + VERTICES - 2
LABELINGS: Final[int] = len(OPS) ** (VERTICES - 2)
"""Ways to label the five interior vertices: 243."""

_DIGITS: Final = bytes(48 + i if i < len(OPS) else 120 for i in range(256))
_INPUT_LABEL, _OUTPUT_LABEL = -1, -2


def pack(arch: Sequence[int]) -> int:
    """The encoding as one int, ``matrix * 243 + labels`` (first gene most significant); -1 where it is none."""
    if not isinstance(arch, tuple) or len(arch) != GENES:
        return -1
    try:
        digits = bytes(arch).translate(_DIGITS)
        matrix, labelling = int(digits[:BITS], 2), int(digits[BITS:], 3)
    except (TypeError, ValueError):
        return -1
    return matrix * LABELINGS + labelling


def unpack(code: int) -> tuple[int, ...]:
    """The encoding that `pack` gives ``code`` for."""
    matrix, labels = divmod(code, LABELINGS)
    ops = []
    for _ in range(VERTICES - 2):
        labels, op = divmod(labels, len(OPS))
        ops.append(op)
    return (*(matrix >> (BITS - 1 - k) & 1 for k in range(BITS)), *reversed(ops))


def successors(arch: Sequence[int]) -> tuple[int, list[int]]:
    """The vertices that lie on a path from input to output, and each vertex's successors among them, as bit masks.

    Pruned as the benchmark prunes (Ying et al. 2019; ``ModelSpec``); no vertex is kept where no such path exists.
    """
    follow = [0] * VERTICES
    for bit, (u, v) in zip(arch, EDGES, strict=False):
        if bit:
            follow[u] |= 1 << v
    forward = 1
    for u in range(OUTPUT):
        if forward >> u & 1:
            forward |= follow[u]
    backward = 1 << OUTPUT
    for u in range(OUTPUT - 1, -1, -1):
        if follow[u] & backward:
            backward |= 1 << u
    kept = forward & backward
    if not kept & 1:
        return 0, [0] * VERTICES
    return kept, [follow[u] & kept if kept >> u & 1 else 0 for u in range(VERTICES)]


def is_valid(arch: Sequence[int]) -> bool:
    """Whether ``arch`` is an encoding whose output is reachable with at most 9 edges after pruning."""
    if pack(arch) < 0:
        return False
    kept, follow = successors(arch)
    return kept != 0 and sum(mask.bit_count() for mask in follow) <= MAX_EDGES


def module_hash(arch: Sequence[int]) -> str:
    """The benchmark's isomorphism-invariant hash of a valid encoding, after pruning: 32 hexadecimal digits.

    Seven rounds at most of Weisfeiler-Lehman refinement over MD5 digests (``graph_util.hash_module`` of
    google-research/nasbench): a vertex starts as its out-degree, in-degree and label, then takes in the sorted
    digests of its predecessors and successors, as many times as the pruned cell has vertices.
    """
    kept, follow = successors(arch)
    vertices = [v for v in range(VERTICES) if kept >> v & 1]
    place = {v: i for i, v in enumerate(vertices)}
    out = [[place[w] for w in vertices if follow[v] >> w & 1] for v in vertices]
    into: list[list[int]] = [[] for _ in vertices]
    for i, targets in enumerate(out):
        for j in targets:
            into[j].append(i)
    labels = [_INPUT_LABEL, *(arch[BITS + v - 1] for v in vertices[1:-1]), _OUTPUT_LABEL]
    # The digest is of a tuple of ints as Python prints it; numpy scalars would print, and hash, differently.
    digests = [
        _start(len(targets), len(sources), int(label))
        for targets, sources, label in zip(out, into, labels, strict=True)
    ]
    rounds = list(zip(into, out, strict=True))
    for _ in vertices:
        digests = [
            md5(
                (
                    "".join(sorted([digests[w] for w in sources]))
                    + "|"
                    + "".join(sorted([digests[w] for w in targets]))
                    + "|"
                    + own
                ).encode()
            ).hexdigest()
            for (sources, targets), own in zip(rounds, digests, strict=True)
        ]
    return md5(str(sorted(digests)).encode()).hexdigest()


_starts: dict[tuple[int, int, int], str] = {}


def _start(out_degree: int, in_degree: int, label: int) -> str:
    key = (out_degree, in_degree, label)
    found = _starts.get(key)
    if found is None:
        found = _starts[key] = md5(str(key).encode()).hexdigest()
    return found
