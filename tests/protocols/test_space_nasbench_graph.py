from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest

from harness.errors import HarnessError, InvalidArchitecture
from harness_nasbench.spaces.nasbench_graph import LINKS, OPERATIONS, SKIP, NASBenchGraphSpace, relabelled

SPACE = NASBenchGraphSpace()


def test_size_and_classes() -> None:
    assert SPACE.size == 9 * (9**4 - 1) == len(list(SPACE.enumerate()))
    assert len(set(SPACE.keys(list(SPACE.enumerate())))) == 26_206


def test_every_key_is_the_official_hash() -> None:
    package = pytest.importorskip("nas_bench_graph")
    for arch in SPACE.enumerate():
        official = package.Arch(list(LINKS[arch[0]]), [OPERATIONS[op] for op in arch[1:]]).valid_hash()
        assert SPACE.key(arch) == str(official)


def test_the_representative_of_a_class_is_what_its_hash_spells() -> None:
    for row in range(0, 26_206, 97):
        arch = SPACE.row_architectures[row]
        spelt = arch[0]
        for op in arch[1:]:
            spelt = spelt * 10 + op
        assert SPACE.key(arch) == str(spelt)
        assert SPACE.row_index[arch] == row


def test_all_skips_are_invalid_and_so_is_anything_else() -> None:
    valid = (3, 1, 0, 8, 7)
    assert SPACE.is_valid(valid)
    skips = (0, SKIP, SKIP, SKIP, SKIP)
    for wrong in (skips, (9, 0, 0, 0, 0), (0, 0, 0, 0, -1), (0, 0, 0, 0), (), "00000", None, [0] * 5, ({}, 0, 0, 0, 0)):
        assert not SPACE.is_valid(wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidArchitecture):
        SPACE.key(skips)
    with pytest.raises(InvalidArchitecture):
        SPACE.keys([valid, skips])


def test_describe_and_parse() -> None:
    assert SPACE.describe((3, 1, 0, 8, 7)) == "[0,0,1,2]|gcn,gat,skip,fc"
    assert SPACE.parse(" [0, 0, 1, 2] | gcn, gat, skip, fc") == (3, 1, 0, 8, 7)
    for arch in list(SPACE.enumerate())[::101]:
        assert SPACE.parse(SPACE.describe(arch)) == arch


@pytest.mark.parametrize(
    "text",
    ["", "[0,0,1,2]", "[0,0,2,2]|gcn,gat,skip,fc", "[0,0,1,2]|gcn,gat,skip,mlp", "[0,0,0,0]|skip,skip,skip,skip"],
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(InvalidArchitecture):
        SPACE.parse(text)


def test_graph_of_a_written_example() -> None:
    (cell,) = SPACE.graph(SPACE.parse("[0,0,1,2]|gcn,gat,skip,fc"))
    assert [SPACE.operations[op] for op in cell.ops] == ["input", "gcn", "gat", "skip", "fc", "output"]
    assert list(zip(*map(list, np.nonzero(cell.adjacency)), strict=True)) == [
        (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 5),
    ]  # fmt: skip


def test_graphs_equal_graph() -> None:
    archs = SPACE.sample(np.random.default_rng(0), 50)
    (batch,) = SPACE.graphs(archs)
    for i, arch in enumerate(archs):
        (cell,) = SPACE.graph(arch)
        assert np.array_equal(batch.ops[i], cell.ops)
        assert np.array_equal(batch.adjacency[i], cell.adjacency)
        assert not np.tril(cell.adjacency).any()
    (empty,) = SPACE.graphs([])
    assert empty.ops.shape == (0, 6)


def test_the_laws() -> None:
    rng = np.random.default_rng(1)
    sizes = SPACE.enumeration.class_sizes
    expected = {
        "rows": 1.0 / 26_206, "classes": 1.0 / 26_206, "encodings": sizes.max() / 59_040,
    }  # fmt: skip
    largest = int(sizes.argmax())
    n = 400_000
    for law, probability in expected.items():
        drawn = [SPACE.row_index[a] for a in SPACE.sample(rng, n, law)]
        count = drawn.count(largest)
        assert abs(count - n * probability) < 5 * (n * probability) ** 0.5 + 1, law
        weights = SPACE.law_weights(law)
        assert weights is None if law != "encodings" else weights[largest] == pytest.approx(probability)
    with pytest.raises(HarnessError, match="official"):
        SPACE.sample(rng, 1, "official")


def test_all_24_lists_of_links_are_one_of_the_nine() -> None:
    assert set(relabelled()) == set(product(range(1), range(2), range(3), range(4)))
    for links in LINKS:
        assert relabelled()[links] == (LINKS.index(links), (0, 1, 2, 3))


def test_mutations_stay_valid_and_change_one_choice() -> None:
    rng = random.Random(0)
    arch = (0, SKIP, SKIP, SKIP, 0)
    for _ in range(300):
        child = SPACE.mutate(arch, rng)
        assert SPACE.is_valid(child)
        assert sum(a != b for a, b in zip(arch, child, strict=True)) == 1
        arch = child


def build(n: int, *, masked: bool, seed: int = 0) -> tuple[list[tuple[int, ...]], np.ndarray]:
    script = SPACE.scripts["default"]
    rng = np.random.default_rng(seed)
    state = script.start(n, masked=masked)
    while (decision := script.decision(state)) is not None:
        assert decision.legal.any(axis=1).all()
        draws = np.where(decision.legal, rng.random(decision.legal.shape), -1.0)
        state = script.apply(state, draws.argmax(axis=1))
    return script.finish(state)


def test_masked_scripts_finish_valid_and_reach_every_graph() -> None:
    archs, violations = build(20_000, masked=True)
    assert not violations.any()
    assert all(SPACE.is_valid(a) for a in archs)
    assert {a[0] for a in archs} == set(range(9))


def test_every_architecture_is_reachable_by_the_masked_script() -> None:
    script = SPACE.scripts["default"]
    archs = list(SPACE.enumerate())
    links, ops = np.array([LINKS[a[0]] for a in archs]), np.array(archs)[:, 1:]
    actions = [ops[:, 0], links[:, 1], ops[:, 1], links[:, 2], ops[:, 2], links[:, 3], ops[:, 3]]
    state = script.start(len(archs))
    for action in actions:
        state = script.apply(state, action)
    (partial,) = script.partial(state)
    (whole,) = SPACE.graphs(archs)
    assert np.array_equal(partial.ops, whole.ops)
    assert np.array_equal(partial.adjacency, whole.adjacency)
    assert script.finish(state)[0] == archs


def test_unmasked_scripts_count_a_violation_where_the_result_is_invalid() -> None:
    archs, violations = build(50_000, masked=False)
    assert [SPACE.is_valid(a) for a in archs] == (violations == 0).tolist()
    assert violations.any()


def test_a_relabelled_result_is_isomorphic_to_what_was_built() -> None:
    package = pytest.importorskip("nas_bench_graph")
    script = SPACE.scripts["default"]
    for links in product(range(1), range(2), range(3), range(4)):
        ops = (1, 4, 8, 3)
        state = script.start(1, masked=False)
        for action in (ops[0], links[1], ops[1], links[2], ops[2], links[3], ops[3]):
            state = script.apply(state, np.array([action]))
        (arch,), _ = script.finish(state)
        assert SPACE.key(arch) == str(package.Arch(list(links), [OPERATIONS[op] for op in ops]).valid_hash())


def test_an_illegal_action_is_refused() -> None:
    script = SPACE.scripts["default"]
    state = script.apply(script.start(1), np.array([0]))
    with pytest.raises(ValueError, match="illegal"):
        script.apply(state, np.array([2]))
