"""NAS-Bench-101's space against published hashes, counts and costs."""

from __future__ import annotations

import hashlib
import random
import time
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError, InvalidArchitecture
from harness.spaces import Architecture, CellGraph, Script
from harness_nasbench.spaces import nasbench101_costs as costs
from harness_nasbench.spaces.nasbench101 import NASBench101Space
from harness_nasbench.spaces.nasbench101_hash import EDGES, OPS, is_valid, module_hash, pack, unpack
from harness_nasbench.spaces.nasbench101_index import CELLS, CellIndex, PackedArchitectures, as_genes, build_index

SPACE = NASBench101Space()
C3, C1, MP = OPS

# The benchmark's record of this hash is public (AlbertiPot/nar, data/nasbench101_vertice_example.json).
RECORD = SPACE.from_matrix(
    [
        [0, 1, 0, 0, 1, 1, 0],
        [0, 0, 1, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ["input", C3, MP, C3, C3, C1, "output"],
)
RECORD_HASH = "00005c142e6f48ac74fdcf73e3439874"
# The Inception-like cell of the benchmark's README, and the isomorphic record that its notebook prints for it.
README = SPACE.from_matrix(
    [
        [0, 1, 1, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ["input", C1, C3, C3, C3, MP, "output"],
)
README_TWIN = SPACE.from_matrix(
    [
        [0, 1, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ["input", C3, C1, MP, C3, C3, "output"],
)
README_HASH = "28cfc7874f6d200472e1a9dcd8650aa0"

encodings = st.tuples(*[st.integers(0, 1)] * 21, *[st.integers(0, 2)] * 5)
valid_encodings = encodings.filter(is_valid)


@pytest.fixture(scope="module")
def index() -> CellIndex:
    return build_index()


def as_matrix(arch: Architecture) -> np.ndarray:
    matrix = np.zeros((7, 7), dtype=int)
    for bit, edge in zip(arch, EDGES, strict=False):
        matrix[edge] = bit
    return matrix


def brute_prune(arch: Architecture) -> tuple[np.ndarray, list[int]]:
    """Pruned matrix and labels by transitive closure."""
    matrix = as_matrix(arch)
    paths = np.linalg.matrix_power(matrix + np.eye(7, dtype=int), 7) > 0
    kept = np.flatnonzero(paths[0] & paths[:, 6])
    labels = [-1, *arch[21:], -2]
    return matrix[np.ix_(kept, kept)], [labels[v] for v in kept]


class OfficialHash:
    """The module hash as the benchmark computes it, with its data types: a numpy matrix, neighbours one by one."""

    def __init__(self, arch: Architecture) -> None:
        self.matrix, self.labels = brute_prune(arch)

    def __call__(self) -> str:
        matrix, size = self.matrix, len(self.labels)
        degrees = zip(matrix.sum(axis=1).tolist(), matrix.sum(axis=0).tolist(), self.labels, strict=True)
        state = [hashlib.md5(str(d).encode("utf-8")).hexdigest() for d in degrees]
        for _ in range(size):
            following = []
            for v in range(size):
                before = sorted(state[w] for w in range(size) if matrix[w, v])
                after = sorted(state[w] for w in range(size) if matrix[v, w])
                text = "|".join(["".join(before), "".join(after), state[v]])
                following.append(hashlib.md5(text.encode("utf-8")).hexdigest())
            state = following
        return hashlib.md5(str(sorted(state)).encode("utf-8")).hexdigest()


def isomorphic(a: Architecture, b: Architecture) -> bool:
    (m, x), (w, y) = brute_prune(a), brute_prune(b)
    if len(x) != len(y):
        return False
    inner = range(1, len(x) - 1)
    for middle in permutations(inner):
        order = [0, *middle, len(x) - 1]
        if [x[v] for v in order] == y and (m[np.ix_(order, order)] == w).all():
            return True
    return False


# -- hash -------------------------------------------------------------------------------------------------------------


def test_known_hashes() -> None:
    assert SPACE.key(RECORD) == RECORD_HASH
    assert SPACE.key(README) == SPACE.key(README_TWIN) == README_HASH


def test_numpy_genes_and_float_matrices_hash_alike() -> None:
    """The official code hashes a float matrix to a key that no record has (google-research/nasbench#32)."""
    assert SPACE.key(tuple(np.array(RECORD))) == RECORD_HASH
    floats = as_matrix(README).astype(float)
    assert SPACE.key(SPACE.from_matrix(floats, ["input", C1, C3, C3, C3, MP, "output"])) == README_HASH


@given(valid_encodings)
def test_hash_is_the_official_algorithm_after_pruning(arch: Architecture) -> None:
    assert module_hash(arch) == OfficialHash(arch)()


@settings(max_examples=60)
@given(valid_encodings, st.permutations(range(1, 6)), st.data())
def test_key_is_equal_exactly_for_isomorphic_cells(arch: Architecture, order: list[int], data: st.DataObject) -> None:
    other = data.draw(st.one_of(valid_encodings, st.just(SPACE.mutate(arch, random.Random(1)))))
    assert (SPACE.key(arch) == SPACE.key(other)) == isomorphic(arch, other)
    place = [0, *order, 6]
    moved = {(place[u], place[v]) for bit, (u, v) in zip(arch, EDGES, strict=False) if bit}
    if all(u < v for u, v in moved):
        labels = [0] * 5
        for v, op in zip(order, arch[21:], strict=True):
            labels[v - 1] = op
        assert SPACE.key((*(int(e in moved) for e in EDGES), *labels)) == SPACE.key(arch)


def test_key_over_every_small_cell() -> None:
    """All cells of at most 4 vertices: as many keys as classes found by comparing every pair."""
    small = [(0, 1, 2, 6)[i] for i in range(4)]
    bits = [k for k, (u, v) in enumerate(EDGES) if u in small and v in small]
    archs = []
    for code in range(1 << len(bits)):
        for ops in range(9):
            arch = [0] * 26
            for i, k in enumerate(bits):
                arch[k] = code >> i & 1
            arch[21], arch[22] = divmod(ops, 3)
            if is_valid(tuple(arch)):
                archs.append(tuple(arch))
    by_key: dict[str, Architecture] = {}
    for arch in archs:
        twin = by_key.setdefault(SPACE.key(arch), arch)
        assert isomorphic(arch, twin)
    classes = list(by_key.values())
    assert not any(isomorphic(a, b) for i, a in enumerate(classes) for b in classes[:i])
    # 1 cell of 2 vertices, 6 of 3, 84 of 4.
    assert len(classes) == 1 + 6 + 84


# -- validity, notation -----------------------------------------------------------------------------------------------


def test_refuses_what_is_no_encoding() -> None:
    for bad in [RECORD[:-1], (*RECORD, 0), (2, *RECORD[1:]), (*RECORD[:-1], 3), (-1, *RECORD[1:]), (256, *RECORD[1:]),
                list(RECORD), None, 26, "0" * 26, (*RECORD[:-1], 0.5), (*RECORD[:-1], None)]:  # fmt: skip
        assert SPACE.is_valid(bad) is False  # type: ignore[arg-type]
    with pytest.raises(InvalidArchitecture):
        SPACE.check((0,) * 26)


def test_limits_hold_after_pruning() -> None:
    full = (1,) * 21 + (0,) * 5
    assert not SPACE.is_valid(full)
    # Ten raw edges, of which the dangling vertex 5 takes three.
    edges = {(0, 1), (1, 2), (2, 3), (3, 4), (4, 6), (0, 6), (1, 6), (0, 5), (1, 5), (2, 5)}
    arch = (*(int(e in edges) for e in EDGES), 0, 0, 0, 0, 0)
    assert sum(arch) == 10
    assert SPACE.is_valid(arch)
    assert SPACE.graph(arch)[0].nodes == 6


@given(encodings)
def test_validity_by_transitive_closure(arch: Architecture) -> None:
    matrix, labels = brute_prune(arch)
    assert SPACE.is_valid(arch) == (len(labels) >= 2 and matrix.sum() <= 9)


@given(encodings)
def test_packing_round_trip(arch: Architecture) -> None:
    assert unpack(pack(arch)) == arch


@given(valid_encodings)
def test_notation_round_trip(arch: Architecture) -> None:
    text = SPACE.describe(arch)
    assert SPACE.parse(text) == arch
    assert SPACE.describe(SPACE.parse(text)) == text


def test_reads_the_records_own_fields_and_smaller_cells() -> None:
    text = "0100110001000000010010000010000001000000010000000|input," + ",".join([C3, MP, C3, C3, C1]) + ",output"
    assert SPACE.parse(text) == RECORD
    assert SPACE.describe(RECORD) == text
    small = SPACE.parse(f"010001000|input,{MP},output")
    assert SPACE.graph(small)[0].ops.tolist() == [0, 3, 4]
    assert SPACE.parse('{"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"]}') == SPACE.parse("0100|input,output")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "square"),
        ("01|input,output", "square"),
        ("0120|input,output", "square"),
        ("0010|input,output", "above the diagonal"),
        ("0000|input,output", "not connected"),
        ("0100|output,input", "want input"),
        ("010001000|input,conv5x5,output", "want input"),
        ("0" * 64 + "|" + ",".join(["input", *[C3] * 6, "output"]), "2 to 7"),
        ("0111111001111100011110000111000001100000010000000|input," + ",".join([C3] * 5) + ",output", "21 edges"),
        ('{"matrix": 3, "ops": []}', "not an adjacency matrix"),
        ('{"matrix": [[0, 0.9], [0, 0]], "ops": ["input", "output"]}', "0 and 1"),
        ('{"matrix": [[0, "1"], [0, 0]], "ops": ["input", "output"]}', "0 and 1"),
        ("{}", "JSON"),
        ("{", "JSON"),
    ],
)
def test_parse_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(InvalidArchitecture, match=reason):
        SPACE.parse(text)


# -- graphs and costs -------------------------------------------------------------------------------------------------


def test_published_vertex_costs() -> None:
    """FLOPs and parameters of every vertex in all nine cells, and the totals, of the public record."""
    (cell,) = SPACE.graph(RECORD)
    first = [0, 92274688, 589824, 75497472, 92274688, 25296896, 0]
    flops = [first] * 3 + [
        [0, 83886080, 294912, 75497472, 83886080, 16842752, 0],
        [0, 92274688, 294912, 75497472, 92274688, 25231360, 0],
        [0, 92274688, 294912, 75497472, 92274688, 25231360, 0],
        [0, 83886080, 147456, 75497472, 83886080, 16809984, 0],
        [0, 92274688, 147456, 75497472, 92274688, 25198592, 0],
        [0, 92274688, 147456, 75497472, 92274688, 25198592, 0],
    ]
    params = [[0, 45312, 0, 36992, 45312, 12544, 0]] * 3 + [
        [0, 164352, 0, 147712, 164352, 33280, 0],
        [0, 180736, 0, 147712, 180736, 49664, 0],
        [0, 180736, 0, 147712, 180736, 49664, 0],
        [0, 656384, 0, 590336, 656384, 132096, 0],
        [0, 721920, 0, 590336, 721920, 197632, 0],
        [0, 721920, 0, 590336, 721920, 197632, 0],
    ]
    assert cell.flops is not None
    assert cell.params is not None
    assert cell.flops.tolist() == flops
    assert cell.params.tolist() == params
    assert cell.params.sum() + 3712 + 5130 == 8_555_530
    total = SPACE.costs([RECORD])
    assert total["params"].tolist() == [8_555_530]
    assert total["flops"].tolist() == [2_527_684_618]


def test_published_parameters_of_the_readme_cell() -> None:
    assert SPACE.costs([README, README_TWIN])["params"].tolist() == [2_694_282, 2_694_282]


def test_direct_edge_from_input_to_output_is_charged_to_the_output() -> None:
    """A cell that is one projection: 1x1 convolutions with batch norm, 128 -> 128 first."""
    (cell,) = SPACE.graph(SPACE.parse("0100|input,output"))
    assert cell.flops is not None
    assert cell.params is not None
    assert cell.params[0].tolist() == [0, 128 * 128 + 256]
    assert cell.flops[0].tolist() == [0, 2 * 128 * 128 * 1024]
    assert cell.params[3].tolist() == [0, 128 * 256 + 512]
    (beside,) = SPACE.graph(SPACE.parse(f"011001000|input,{MP},output"))
    assert beside.flops is not None
    assert beside.flops[0, 2] == 2 * 128 * 128 * 1024 + 128 * 1024  # and one addition per value


def scalar_costs(arch: Architecture, c_in: int, c_out: int, pixels: int) -> tuple[list[int], list[int]]:
    """Costs vertex by vertex from the published rules, with loops."""
    matrix, labels = brute_prune(arch)
    last = len(labels) - 1
    channels = [0] * (last + 1)
    feeding = [v for v in range(1, last) if matrix[v, last]]
    for i, v in enumerate(feeding):
        channels[v] = c_out // len(feeding) + (i < c_out % len(feeding))
    for v in range(last - 1, 0, -1):
        if v not in feeding:
            channels[v] = max(channels[w] for w in range(1, last) if matrix[v, w])
    channels[last] = c_out
    flops, params = [0] * (last + 1), [0] * (last + 1)
    for v in range(1, last + 1):
        c, kernel = channels[v], 0 if v == last else {0: 3, 1: 1, 2: 0}[labels[v]]
        if matrix[0, v]:
            params[v] += c_in * c + 2 * c
            flops[v] += 2 * c_in * c * pixels
        terms = matrix[0, v] + (bool(feeding) if v == last else matrix[1:, v].sum())
        if v != last or matrix[0, v]:
            flops[v] += (int(terms) - 1) * c * pixels
        if kernel:
            params[v] += kernel**2 * c**2 + 2 * c
            flops[v] += 2 * kernel**2 * c**2 * pixels
        elif v != last:
            flops[v] += 9 * c * pixels
    return flops, params


@settings(max_examples=60)
@given(st.lists(valid_encodings, min_size=1, max_size=4))
def test_batches_equal_single_cells_and_loops(archs: list[Architecture]) -> None:
    (batch,) = SPACE.graphs(archs)
    (written,) = SPACE.graphs(archs, pruned=False)
    totals = SPACE.costs(archs)
    for i, arch in enumerate(archs):
        (cell,) = SPACE.graph(arch)
        matrix, labels = brute_prune(arch)
        v = cell.nodes
        assert v == len(labels)
        assert cell.adjacency.astype(int).tolist() == matrix.tolist()
        assert cell.ops.tolist() == [{-1: 0, 0: 2, 1: 1, 2: 3, -2: 4}[label] for label in labels]
        assert batch.ops[i].tolist() == cell.ops.tolist() + [-1] * (7 - v)
        assert not batch.adjacency[i, v:].any()
        assert (batch.adjacency[i, :v, :v] == cell.adjacency).all()
        assert batch.flops is not None
        assert batch.params is not None
        assert written.params is not None
        for position, form in enumerate(costs.POSITIONS):
            flops, params = scalar_costs(arch, *form)
            assert batch.flops[i, position].tolist() == flops + [0] * (7 - v)
            assert batch.params[i, position].tolist() == params + [0] * (7 - v)
        assert batch.params[i].sum() + 3712 + 5130 == totals["params"][i]
        assert written.params[i].sum() == batch.params[i].sum()
        assert written.adjacency[i].astype(int).tolist() == as_matrix(arch).tolist()


def test_costs_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    archs = SPACE.sample(np.random.default_rng(0), 50)
    whole = SPACE.costs(archs)
    monkeypatch.setattr("harness_nasbench.spaces.nasbench101._CHUNK", 7)
    parts = SPACE.costs(archs)
    assert (whole["params"] == parts["params"]).all()
    assert (whole["flops"] == parts["flops"]).all()
    assert SPACE.costs([])["params"].shape == (0,)


# -- drawing and varying ----------------------------------------------------------------------------------------------


def test_official_law_is_rejection_of_uniform_encodings() -> None:
    """73.34 % of encodings are valid (373,754,169 of 2^21 x 3^5), and all of these equally likely."""
    rng = np.random.default_rng(3)
    raw = rng.integers(0, SPACE.radices, size=(20_000, 26))
    share = np.mean([is_valid(tuple(a)) for a in raw.tolist()])
    assert share == pytest.approx(373_754_169 / (2**21 * 3**5), abs=4 * (0.73 * 0.27 / 20_000) ** 0.5)
    drawn = np.array(SPACE.sample(rng, 20_000, "official"))
    kept = np.array([a for a in raw.tolist() if is_valid(tuple(a))])
    spread = (0.25 / len(kept) + 0.25 / len(drawn)) ** 0.5
    assert np.abs(drawn[:, :21].mean(axis=0) - kept[:, :21].mean(axis=0)).max() < 4.5 * spread


def test_mutation_rates() -> None:
    """Edges flip at 1/7 and operations change at 1/5 where every child is valid: a cell with room for 3 more edges."""
    rng = random.Random(5)
    children = np.array([SPACE.mutate(RECORD, rng) for _ in range(4000)])
    assert all(SPACE.is_valid(tuple(c)) for c in children.tolist())
    changed = children != np.array(RECORD)
    assert changed.any(axis=1).all()
    # Redrawing until valid and different shifts the rates a little: 0.2 / (1 - P(no change)) = 0.2 / 0.987.
    assert changed[:, 21:].mean() == pytest.approx(0.2, abs=0.02)
    assert 0.08 < changed[:, :21].mean() < 1 / 7 + 0.02


@given(valid_encodings, valid_encodings, st.integers(0, 2**32))
def test_variation_stays_valid(a: Architecture, b: Architecture, seed: int) -> None:
    rng = random.Random(seed)
    assert SPACE.is_valid(SPACE.mutate(a, rng))
    child = SPACE.crossover(a, b, rng)
    assert SPACE.is_valid(child)
    assert all(c in (x, y) for c, x, y in zip(child, a, b, strict=True))


def test_neighbours_differ_in_one_bit_or_operation() -> None:
    near = SPACE.neighbours(RECORD)
    assert len(near) == len(set(near))
    assert all(sum(x != y for x, y in zip(RECORD, a, strict=True)) == 1 and SPACE.is_valid(a) for a in near)
    assert sum(a[:21] == RECORD[:21] for a in near) == 10


def test_rows_of_a_table_become_the_default_law() -> None:
    rows = PackedArchitectures(np.array([pack(RECORD), pack(README)], dtype=np.uint32))
    space = NASBench101Space(rows=rows)
    assert space.default_law == "rows"
    assert set(space.sample(np.random.default_rng(0), 50)) == {RECORD, README}
    assert "rows" not in SPACE.laws
    with pytest.raises(HarnessError, match="has no law 'rows'"):
        SPACE.sample(np.random.default_rng(0), 1, "rows")
    with pytest.raises(HarnessError, match="without rows"):
        NASBench101Space(rows=[])
    assert list(rows) == [RECORD, README]
    assert list(rows[1:]) == [README]


def test_does_not_enumerate_encodings() -> None:
    with pytest.raises(HarnessError, match="423,624"):
        SPACE.enumerate()


# -- scripts ----------------------------------------------------------------------------------------------------------


def run(script: Script, n: int, seed: int, *, masked: bool = True) -> tuple[list[Architecture], np.ndarray, np.ndarray]:
    """Uniform legal actions; the cells, their violations, and how many decisions each took."""
    rng = np.random.default_rng(seed)
    state, taken = script.start(n, masked=masked), np.zeros(n, dtype=int)
    while (decision := script.decision(state)) is not None:
        assert decision.slot < script.slots
        assert decision.legal.shape == (n, decision.options)
        assert decision.legal.any(axis=1)[~decision.done].all()
        taken += ~decision.done
        state = script.apply(state, np.where(decision.legal, rng.random(decision.legal.shape), -1).argmax(axis=1))
    assert taken.max(initial=0) <= script.max_decisions
    (partial,) = script.partial(state)
    archs, violations = script.finish(state)
    written = [SPACE.graph(a, pruned=False)[0] for a in archs[:50]]
    for i, cell in enumerate(written):
        built = partial.ops[i] >= 0
        assert partial.adjacency[i].sum() == cell.adjacency.sum()
        assert sorted(partial.ops[i][built]) == sorted([*cell.ops[: built.sum() - 1].tolist(), 4])
    return archs, violations, taken


def test_ctnas_always_takes_18_decisions_and_is_always_valid() -> None:
    archs, violations, taken = run(SPACE.scripts["ctnas"], 30_000, 0)
    assert set(taken.tolist()) == {18}
    assert not violations.any()
    assert all(SPACE.is_valid(a) for a in archs)
    assert max(sum(a[:21]) for a in archs) <= 9
    vertices = (SPACE.graphs(archs)[0].ops >= 0).sum(axis=1)
    share = 100 * np.bincount(vertices, minlength=8)[2:] / len(archs)
    # 200,000 uniform samples of the released controller's script: 7, 37, 32, 18, 5, 0.7 per cent.
    assert share == pytest.approx([7.2, 36.7, 32.5, 17.6, 5.3, 0.7], abs=1.2)


def test_ctnas_one_cell_at_a_time_skips_nothing() -> None:
    script = SPACE.scripts["ctnas"]
    for n in range(5):
        state, kinds = script.start(1), ""
        while (decision := script.decision(state)) is not None:
            assert not decision.done.any()
            kinds += decision.kind[0]
            state = script.apply(state, np.array([n if decision.kind == "count" else 0]))
        assert kinds == "c" + "po" * (n + 1) + "p" + "p" * 2 * (8 - n - 1)


def test_ctnas_endpoints_that_do_not_exist() -> None:
    """One interior vertex, so vertices 0 to 2. Every pointer says 0, every second endpoint says 6."""
    script = SPACE.scripts["ctnas"]
    state = script.start(1, masked=False)
    while (decision := script.decision(state)) is not None:
        second = decision.slot >= 12 and decision.slot % 2
        state = script.apply(state, np.array([6 if second else 0]))
    (arch,), violations = script.finish(state)
    assert {edge for bit, edge in zip(arch, EDGES, strict=False) if bit} == {(0, 1), (0, 6)}
    assert violations.tolist() == [0]
    state = script.start(1)
    for _ in range(4):
        state = script.apply(state, np.array([0]))
    with pytest.raises(ValueError, match="illegal action at slot 12"):
        script.apply(state, np.array([6]))


def test_vertex_script_is_valid_and_keeps_every_vertex() -> None:
    script = SPACE.scripts["default"]
    archs, violations, _ = run(script, 5000, 1)
    assert not violations.any()
    assert all(SPACE.is_valid(a) and sum(a[:21]) <= 9 for a in archs)
    pruned, written = SPACE.graphs(archs)[0], SPACE.graphs(archs, pruned=False)[0]
    assert (pruned.adjacency.sum(axis=(1, 2)) == written.adjacency.sum(axis=(1, 2))).all()
    assert sorted(set((pruned.ops >= 0).sum(axis=1).tolist())) == [2, 3, 4, 5, 6, 7]


def replayed(arch: Architecture) -> Architecture:
    """``arch`` (pruned, unused vertices last) as the masked vertex script builds it."""
    script = SPACE.scripts["default"]
    (cell,) = SPACE.graph(arch)
    last, state = cell.nodes - 1, script.start(1)
    while (decision := script.decision(state)) is not None:
        if decision.kind == "op":
            action = 3 if decision.node == last else int(arch[20 + decision.node])
        else:
            action = int(cell.adjacency[decision.source, decision.node])
        assert decision.legal[0, action]
        state = script.apply(state, np.array([action]))
    return script.finish(state)[0][0]


def test_vertex_script_reaches_every_shape(index: CellIndex) -> None:
    """One cell of each of 400 shapes, drawn from all: the mask forbids none that has no dangling vertex."""
    chosen = np.random.default_rng(0).choice(index.cells[:, 121], size=400, replace=False)
    for cell in chosen.tolist():
        arch = index.architectures[cell]
        assert replayed(arch) == arch


def test_unmasked_vertex_script_may_build_faulty_cells() -> None:
    archs, violations, _ = run(SPACE.scripts["default"], 3000, 2, masked=False)
    valid = np.array([SPACE.is_valid(a) for a in archs])
    assert ((violations == 0) == valid).all()
    assert (violations > 0).any()
    script = SPACE.scripts["default"]
    state = script.start(1, masked=False)
    while script.decision(state) is not None:
        state = script.apply(state, np.array([0]))
    # Five vertices without any edge: five orphans, five lost, input and output apart.
    assert script.finish(state)[1].tolist() == [11]


def test_illegal_actions_are_refused() -> None:
    script = SPACE.scripts["default"]
    state = script.apply(script.start(2), np.array([0, 3]))
    with pytest.raises(ValueError, match="illegal"):
        script.apply(state, np.array([0, 0]))
    with pytest.raises(ValueError, match="illegal"):
        script.apply(script.start(2), np.array([0, 4]))
    with pytest.raises(ValueError, match="still open"):
        script.finish(state)


# -- the index --------------------------------------------------------------------------------------------------------


def test_index_has_every_cell_and_encoding(index: CellIndex) -> None:
    assert len(index) == CELLS == 423_624
    assert index.encodings.sum() == SPACE.size
    found = index.find(as_genes(index.architectures))
    assert (found == np.arange(CELLS)).all()
    pruned = costs.kept_vertices(costs.adjacency(as_genes(index.architectures)))
    # Cells of 2 to 7 vertices.
    assert np.bincount(pruned.sum(axis=1))[2:].tolist() == [1, 6, 84, 2441, 62010, 359082]


@given(arch=encodings)
def test_index_agrees_with_the_hash(index: CellIndex, arch: Architecture) -> None:
    cell = index.cell(arch)
    assert (cell >= 0) == is_valid(arch)
    assert index.find(as_genes([arch])).tolist() == [cell]
    if cell >= 0:
        assert module_hash(index.architectures[cell]) == module_hash(arch) == index.hash(cell)


def test_indexed_space_answers_alike(index: CellIndex) -> None:
    indexed = NASBench101Space(index=index)
    archs = SPACE.sample(np.random.default_rng(1), 300)
    assert indexed.keys(archs) == SPACE.keys(archs) == [SPACE.key(a) for a in archs]
    assert indexed.key(RECORD) == RECORD_HASH
    assert not indexed.is_valid((0,) * 26)
    assert SPACE.key(indexed.canonical(README)) == README_HASH
    assert indexed.canonical(README) == indexed.canonical(README_TWIN)
    for bad in [[(0,) * 26], [(2, *RECORD[1:])], [RECORD[:5]], [None]]:
        with pytest.raises(InvalidArchitecture):
            indexed.keys(bad)  # type: ignore[arg-type]
    drawn = indexed.sample(np.random.default_rng(0), 200, "classes")
    assert len(set(indexed.keys(drawn))) > 195


def test_encodings_per_cell_are_the_law_of_rejection(index: CellIndex) -> None:
    """The most frequent cell under the official law is drawn as often as its encodings say."""
    top = int(index.encodings.argmax())
    archs = SPACE.sample(np.random.default_rng(8), 20_000, "official")
    seen = (index.find(as_genes(archs)) == top).mean()
    p = index.encodings[top] / index.encodings.sum()
    assert seen == pytest.approx(p, abs=4.5 * (p * (1 - p) / 20_000) ** 0.5)


@pytest.mark.measure
@pytest.mark.timeout(900)
def test_hash_separates_every_cell(index: CellIndex) -> None:
    """423,624 isomorphism classes found by permutation have 423,624 different official hashes."""
    digests = b"".join(bytes.fromhex(module_hash(a)) for a in index.architectures)
    hashes = np.frombuffer(digests, dtype=np.uint8).reshape(-1, 16)
    assert len(np.unique(hashes, axis=0)) == CELLS
    hashed = replace(index, hashes=hashes)
    assert hashed.hash(hashed.cell(RECORD)) == RECORD_HASH
    space = NASBench101Space(index=hashed)
    assert space.keys([RECORD, README, README_TWIN]) == [RECORD_HASH, README_HASH, README_HASH]
    assert space.key(README) == README_HASH


@pytest.mark.timing
def test_look_up_costs_a_tenth_of_the_official_hash(index: CellIndex) -> None:
    """10,000 cells of a fresh draw, found one by one and together; the best of three, for a machine that is shared."""
    archs = SPACE.sample(np.random.default_rng(4), 10_000, "classes")
    official = [OfficialHash(a) for a in archs]

    def seconds(action: object) -> float:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            action()  # type: ignore[operator]
            times.append(time.perf_counter() - start)
        return min(times)

    hashing = seconds(lambda: [h() for h in official])
    assert seconds(lambda: [index.cell(a) for a in archs]) < hashing / 10
    single = seconds(lambda: [module_hash(a) for a in archs])
    assert seconds(lambda: index.find(as_genes(archs))) < single / 5


def test_a_single_graph_is_a_cell_graph() -> None:
    assert isinstance(SPACE.graph(RECORD)[0], CellGraph)
