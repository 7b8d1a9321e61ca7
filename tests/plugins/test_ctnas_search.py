"""CTNAS and regression-nas whole, Algorithm 2, and their parameters."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from harness import Architecture
from harness.errors import StudyError
from harness.search.budget import Budget
from harness.search.constraints import Constraint
from harness.search.oracle import Oracle
from harness.spaces import SearchSpace
from harness.strategy import Strategy
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness.testing.synthetic import SyntheticEvaluator
from harness_ctnas.algorithm import Algorithm1
from harness_ctnas.comparator import Comparator
from harness_ctnas.curriculum import Baseline, best_of
from harness_ctnas.params import POSTER, PUBLISHED, RELEASED, CTNASParams, RegressionNASParams, SearchParams
from harness_ctnas.plugin import nas_harness_strategies
from harness_ctnas.policy import PolicySearch, Reward
from harness_ctnas.search import CTNAS, RegressionNAS
from harness_nasbench.spaces.nasbench101 import NASBench101Space
from harness_nasbench.spaces.nasbench201 import NASBench201Space

SPACE = NASBench201Space()
QUICK = {"epochs": 20, "samples": 200, "explored_first": 40, "explored": 20, "baseline_every": 50}


def trained(archs: list[Architecture], epochs: int = 40) -> Comparator:
    found = Comparator(SPACE, CTNASParams(lr=1e-3), torch.Generator().manual_seed(0))
    found.fit(found.encode(archs), torch.arange(len(archs), dtype=torch.float64), epochs)
    return found


def algorithm_2(found: Comparator, archs: list[Architecture]) -> Architecture:
    """The poster's lines, comparison by comparison."""
    best, beta = 0.0, archs[0]
    for i, a in enumerate(archs):
        s = float(np.mean([found.against(b)([a])[0] for j, b in enumerate(archs) if j != i]))
        if s >= best:
            best, beta = s, a
    return beta


@pytest.mark.parametrize("seed", range(8))
def test_the_baseline_is_that_of_algorithm_2(seed: int) -> None:
    archs = list(dict.fromkeys(SPACE.sample(np.random.default_rng(seed), 70)))
    found = trained(archs[:50], 40 if seed % 2 else 1)
    assert best_of(found, archs[-15:]) == algorithm_2(found, archs[-15:])


def test_the_baseline_leaves_the_comparison_with_itself_out() -> None:
    """Sums of probabilities .77, 1.74, 1.24 against the others; 1.67, 1.87, 2.15 with a_i against itself."""

    class Known:
        def halves(self, archs: list[int]) -> np.ndarray:
            return np.array([[-0.7, 2.9], [-0.1, -1.8], [0.8, 1.5]])[archs]

        def probability(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
            return np.asarray(1 / (1 + np.exp(-(u + v))))

    assert best_of(Known(), [0, 1, 2]) == 1  # type: ignore[arg-type,list-item,comparison-overlap]


def test_of_equals_the_later_becomes_the_baseline() -> None:
    """Twins: the comparator cannot tell them apart."""
    a = SPACE.parse("|none~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|skip_connect~2|")
    b = SPACE.parse("|none~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|skip_connect~2|")
    found = trained(SPACE.sample(np.random.default_rng(0), 10), 1)
    assert best_of(found, [a, b]) == b
    assert best_of(found, [b, a]) == a


def test_baselines_follow_their_rules() -> None:
    archs = list(dict.fromkeys(SPACE.sample(np.random.default_rng(0), 60)))[:50]
    found, rng = trained(archs), np.random.default_rng(0)
    ordered = sorted(archs, key=lambda a: found.rank([a])[0])
    worse, better = ordered[:5], ordered[-5:]
    curriculum = Baseline(found, "curriculum", better[-1])
    curriculum.update(worse, rng)
    assert curriculum.beta == better[-1]  # it stands in B, and nothing in S beats it
    released = Baseline(found, "released", better[-1])
    released.update(worse, rng)
    assert released.beta == worse[-1]
    assert released.best == better[-1]  # the history best is kept apart
    random = Baseline(found, "random", better[-1])
    random.update(worse, rng)
    assert random.beta in worse
    fixed = Baseline(found, "fixed", worse[0])
    fixed.update(better, rng)
    assert (fixed.beta, fixed.best) == (worse[0], better[-1])
    rising = Baseline(found, "curriculum", worse[0])
    rising.update([better[0]], rng)
    rising.update([worse[1], better[3]], rng)
    assert rising.beta == better[3]
    assert rising.earlier == [worse[0], better[0]]
    assert rising.changes == 2


def run(
    strategy: Strategy, space: SearchSpace = SPACE, queries: int = 40, seed: int = 0
) -> tuple[Oracle, list[object]]:
    oracle = Oracle(SyntheticEvaluator(space).validator(), Budget(queries=queries))
    return oracle, list(strategy.search(oracle, np.random.default_rng(seed)))


@pytest.mark.parametrize("verify", [0, 10])
def test_labels_and_verification_share_the_budget(verify: int) -> None:
    strategy = CTNAS(CTNASParams(verify=verify, **QUICK))  # type: ignore[arg-type]
    oracle, returned = run(strategy)
    assert oracle.paid[0] == 40
    assert strategy.notes["labels"] == 40 - verify
    labelled = {SPACE.key(o.arch) for o in oracle.history[: 40 - verify]}
    assert len(labelled) == 40 - verify
    if verify:
        assert not labelled & {SPACE.key(o.arch) for o in oracle.history[-verify:]}
        assert returned[0] == max(oracle.history, key=lambda o: o.score).arch
    else:
        assert strategy.ranker is not None
        assert len(set(returned)) == 10


@pytest.mark.parametrize(("cls", "params"), [(CTNAS, {}), (CTNAS, {"baseline": "released"}), (RegressionNAS, {})])
def test_a_verified_run_notes_what_it_would_have_reported_without(
    cls: type[Strategy], params: dict[str, object]
) -> None:
    quick = QUICK if cls is CTNAS else {"epochs": 20, "samples": 200}
    plain, verified = (cls(cls.Params(verify=v, **quick, **params)) for v in (0, 10))
    _, returned = run(plain, queries=30)
    run(verified, queries=40)
    assert SPACE.describe(returned[0]) == plain.notes["recommended"] == verified.notes["recommended"]  # type: ignore[arg-type]


def test_labels_may_be_fewer_than_the_budget() -> None:
    oracle, _ = run(CTNAS(CTNASParams(verify=0, labels=25, **QUICK)))  # type: ignore[arg-type]
    assert oracle.paid[0] == 25


def test_what_a_run_notes() -> None:
    strategy = CTNAS(CTNASParams(**QUICK))  # type: ignore[arg-type]
    run(strategy)
    notes = strategy.notes
    assert notes["pseudo_pairs"] == 20 + 10
    assert 0 <= notes["pseudo_ones"] <= 1
    assert 0 < notes["drawn"] <= 200 + 40 + 20 + 4 * 10 + 1
    assert sum(notes["vertices"].values()) == notes["drawn"]
    assert set(strategy.seconds) == {"label", "train", "explore", "controller", "verify"}


@pytest.mark.parametrize("name", sorted(CTNAS.ablations))
def test_every_ablation_runs(name: str) -> None:
    params = CTNASParams(**{**QUICK, **CTNAS.ablations[name]})
    oracle, returned = run(CTNAS(params), ToyEdgeSpace(), 20)
    assert oracle.paid[0] == 20
    assert returned


def test_without_pseudo_labels_none_are_made() -> None:
    strategy = CTNAS(CTNASParams(pseudo_labels="off", **QUICK))  # type: ignore[arg-type]
    run(strategy)
    assert (strategy.notes["pseudo_pairs"], strategy.notes["pseudo_ones"]) == (0, None)


def updates(monkeypatch: pytest.MonkeyPatch, **params: object) -> list[tuple[int, str]]:
    """Each exploration and each run of Algorithm 2, with how many samples were drawn for policy updates before it."""
    drawn, seen = 0, list[tuple[int, str]]()
    step, explore, raised = PolicySearch.update, Algorithm1.explore, Baseline.update

    def counted(self: PolicySearch, n: int, reward: Reward) -> None:
        nonlocal drawn
        drawn += n
        step(self, n, reward)

    def explored(self: Algorithm1, s: list[Architecture], k: int) -> None:
        seen.append((drawn, f"D of {len(s)}, {k} kept"))
        explore(self, s, k)

    def updated(self: Baseline, s: list[Architecture], rng: np.random.Generator) -> None:
        seen.append((drawn, f"Alg. 2 of {len(s)}"))
        raised(self, s, rng)

    monkeypatch.setattr(PolicySearch, "update", counted)
    monkeypatch.setattr(Algorithm1, "explore", explored)
    monkeypatch.setattr(Baseline, "update", updated)
    run(CTNAS(CTNASParams(epochs=2, verify=0, **params)), queries=20)  # type: ignore[arg-type]
    return seen


def test_the_released_cadence_starts_at_iteration_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """D before iterations 0, 100, 200, ... and Algorithm 2 after iterations 0, 500, ... (train_controller)."""
    seen = updates(monkeypatch, per_update=1, samples=501)
    assert [at for at, what in seen if what == "Alg. 2 of 10"] == [1, 501]
    assert [(at, what) for at, what in seen if what.startswith("D")] == [
        (0, "D of 512, 256 kept"), *((at, "D of 200, 100 kept") for at in range(100, 501, 100))
    ]  # fmt: skip


def test_one_s_of_n_serves_both_steps_of_the_poster(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {k: v for k, v in POSTER.items() if k not in ("epochs", "verify")}
    seen = updates(monkeypatch, samples=60, **values)
    assert seen == [(at, what) for at in (20, 40, 60) for what in ("D of 20, 5 kept", "Alg. 2 of 20")]


def test_the_poster_is_a_mode() -> None:
    mode = CTNAS.modes["poster"]
    params = CTNASParams(**mode.params)
    assert (params.network, params.layers, params.pairs, params.cadence) == ("equation", 2, "once", "poster")
    assert params.entropy == 0  # Eq. 2 has no entropy term
    assert params.kept < params.per_update  # K << N
    assert mode.scoring == CTNAS.modes["strict"].scoring


@pytest.mark.parametrize("network", ["gcn", "equation", "mlp"])
@pytest.mark.parametrize("cls", [CTNAS, RegressionNAS])
def test_every_network_searches(cls: type[Strategy], network: str) -> None:
    quick = QUICK if cls is CTNAS else {"epochs": 20, "samples": 200}
    oracle, returned = run(cls(cls.Params(network=network, **quick)))
    assert oracle.paid[0] == 40
    assert returned[0] == max(oracle.history, key=lambda o: o.score).arch


@pytest.mark.parametrize("values", [PUBLISHED, RELEASED, POSTER])
def test_published_values_are_parameters(values: dict[str, object]) -> None:
    params = CTNASParams(**{**values, "epochs": 3, "samples": 6})  # type: ignore[arg-type]
    oracle, returned = run(CTNAS(params), NASBench101Space(), 12)
    assert oracle.paid[0] == 12
    assert returned
    full = CTNASParams(**values)  # type: ignore[arg-type]
    assert full.pruned  # as the released code's cells are, before they are padded
    if values is POSTER:
        return
    assert (full.epochs, full.lr, full.samples, full.per_update, full.controller_lr) == (1000, 2e-4, 10_000, 1, 2e-4)
    assert (full.beta1, full.weight_decay, full.batch, full.entropy) == (0.5, 5e-4, 256, 5e-4)


@pytest.mark.parametrize("targets", ["minmax", "ranks"])
def test_regression_nas_searches(targets: str) -> None:
    params = RegressionNASParams(targets=targets, epochs=20, samples=200)  # type: ignore[arg-type]
    oracle, returned = run(RegressionNAS(params))
    assert oracle.paid[0] == 40
    assert returned[0] == max(oracle.history, key=lambda o: o.score).arch


@pytest.mark.parametrize("strategy", [CTNAS, RegressionNAS])
def test_what_breaks_a_constraint_is_never_returned(strategy: type[Strategy]) -> None:
    space = ToyNodeSpace()
    limit = float(np.quantile(space.costs(list(space.enumerate()))["params"], 0.4))
    constraint = Constraint.parse(f"params <= {limit:g}")
    oracle = Oracle(SyntheticEvaluator(space).validator(), Budget(queries=12), constraints=[constraint])
    returned = strategy(strategy.Params.smallest()).search(oracle, np.random.default_rng(0))
    assert returned
    assert (oracle.violation(list(returned)) == 0).all()


def test_an_unknown_script_is_refused_by_name() -> None:
    with pytest.raises(StudyError, match=r"nasbench201 has no script 'ctnas'; it has default"):
        run(CTNAS(CTNASParams(script="ctnas", **QUICK)))  # type: ignore[arg-type]


def test_a_single_label_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match=r">= 2 - at `\$\.labels`"):
        msgspec.convert({"labels": 1}, CTNASParams)


@pytest.mark.parametrize("cls", [CTNASParams, RegressionNASParams])
def test_every_parameter_is_described(cls: type[SearchParams]) -> None:
    for field in msgspec.structs.fields(cls):
        assert any(isinstance(m, msgspec.Meta) and m.description for m in field.type.__metadata__), field.name


def test_the_plugin_names_both() -> None:
    assert [p.load for p in nas_harness_strategies()] == [
        f"harness_ctnas.search:{c.__name__}" for c in (CTNAS, RegressionNAS)
    ]
