"""GA-NAS's Algorithm 2: sets, payment, modes and ablations, and that it finds what there is to find."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
import torch
from landscapes import Landscape, run

from harness import Constraint, Mode, StudyError
from harness.errors import BudgetExhausted
from harness.protocol import Validation
from harness.search.budget import Budget
from harness.search.oracle import Oracle
from harness.testing.spaces import ToyEdgeSpace, ToyNodeSpace
from harness_ganas.params import GANASParams
from harness_ganas.schedule import PUBLISHED
from harness_ganas.search import GANAS, _Run
from harness_nasbench.spaces.chain import ChainSpace
from harness_nasbench.spaces.nasbench201 import CONV1, CONV3, SKIP, NASBench201Space

SMALL = {"initial": 20, "batch": 10, "truth": 10, "hidden": 16, "disc_hidden": 16, "episodes": 32}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def ga_nas(**changes) -> GANAS:
    return GANAS(GANASParams(**{**SMALL, **changes}))


def smooth(arch):
    """Its best on NAS-Bench-201 is one cell of 15,625; each edge that is right is worth a point."""
    best = (CONV3, CONV1, SKIP, CONV3, SKIP, CONV1)
    return float(sum(a == b for a, b in zip(arch, best, strict=True)))


def test_the_papers_schedules_generate_as_many_cells_as_its_text_says() -> None:
    for name, total, k in (("setup1", 3300, 25), ("setup2", 6600, 50)):
        s = PUBLISHED[name]
        assert s.initial + sum(s.size(t) for t in range(1, s.iterations + 1)) == total
        assert (s.truth, s.iterations) == (k, 10)
    for name, total in (("setup1-pool", 550), ("setup2-pool", 1100)):
        s = PUBLISHED[name]
        assert s.initial + sum(s.size(t) for t in range(1, s.iterations + 1)) == total
    assert GANASParams(schedule="setup2", initial=3).sets == PUBLISHED["setup2"]
    assert GANASParams(initial=3, batch=4, growth=5).sets.size(3) == 14


def test_it_finds_one_cell_in_15625_far_sooner_than_chance() -> None:
    oracle = run(ga_nas(), Landscape(NASBench201Space(), smooth), queries=300)
    assert oracle.incumbent is not None
    assert oracle.incumbent.score == 6.0, "random search finds it in 300 queries with probability 0.02"


def test_the_generator_learns_chains_too() -> None:
    def score(arch):
        return float(sum((i + 1) * (o == 2) for i, o in enumerate(arch)))

    oracle = run(ga_nas(), Landscape(ChainSpace(), score), queries=150)
    assert oracle.incumbent is not None
    assert oracle.incumbent.arch == (2,) * 8


def test_the_notes_count_both_kinds_of_queries_and_where_the_rest_went() -> None:
    strategy = ga_nas()
    oracle = run(strategy, Landscape(NASBench201Space(), smooth), queries=150)
    notes = strategy.notes
    assert notes["queries_total"] == oracle.paid[0] == 150
    scores = [o.score for o in oracle.history]
    assert notes["queries_to_best"] == scores.index(max(scores)) + 1
    assert len({a for a, _ in oracle.calls}) == 150 + notes["twins"]
    assert 0 <= notes["generated"] - 150 - notes["twins"] - notes["repeats"] < SMALL["batch"]
    assert notes["iterations"] >= 13
    assert set(strategy.seconds) == {"queries", "discriminator", "generator"}


def test_no_cell_is_asked_for_twice() -> None:
    oracle = run(ga_nas(), Landscape(NASBench201Space(), smooth), queries=150)
    archs = [a for a, _ in oracle.calls]
    assert len(archs) == len(set(archs))
    assert oracle.asked["total"] == 150 + oracle.asked["cached"]


def test_the_search_ends_after_its_iterations() -> None:
    strategy = ga_nas(iterations=2)
    oracle = Oracle(Landscape(NASBench201Space(), smooth), Budget(queries=1000))
    returned = strategy.search(oracle, np.random.default_rng(0))
    assert 20 < oracle.paid[0] <= 40
    assert strategy.notes["iterations"] == 2
    scores = {o.arch: o.score for o in oracle.history}
    assert [scores[a] for a in returned] == sorted(scores.values(), reverse=True)


def test_a_start_is_the_first_truth_set_and_is_paid() -> None:
    space = NASBench201Space()
    start = [(CONV3, CONV1, 0, 0, SKIP, CONV1), (CONV3, 0, SKIP, CONV3, SKIP, 0)]
    oracle = run(ga_nas(start=tuple(map(space.describe, start))), Landscape(space, smooth), queries=200)
    assert [o.arch for o in oracle.history[:2]] == start
    assert oracle.incumbent is not None
    assert oracle.incumbent.score > 4.0
    near = [sum(a != b for a, b in zip(o.arch, start[0], strict=True)) for o in oracle.history[2:]]
    assert np.mean(near) < 4.8 * 0.9, "uniform cells differ in 4.8 of 6 edges"


def test_a_start_that_is_no_architecture_is_a_mistake_of_the_study() -> None:
    with pytest.raises(StudyError, match=r"start: .*conv9"):
        run(ga_nas(start=("conv9",)), Landscape(NASBench201Space(), smooth), queries=10)


def test_an_unknown_script_names_the_known() -> None:
    with pytest.raises(StudyError, match="default"):
        run(ga_nas(script="ctnas"), Landscape(ToyEdgeSpace(), lambda a: 0.0), queries=10)


def test_under_a_constraint_the_best_feasible_cell_is_found() -> None:
    space = NASBench201Space()

    def score(arch):
        return float(sum(o == CONV3 for o in arch))  # the more the better, the constraint aside

    bound = float(space.costs([(CONV3, CONV3, 0, 0, 0, 0)])["params"][0])
    strategy = ga_nas()
    oracle = Oracle(Landscape(space, score), Budget(queries=100), constraints=[Constraint("params", "<=", bound)])
    with pytest.raises(BudgetExhausted):
        strategy.search(oracle, np.random.default_rng(0))
    assert oracle.incumbent is not None
    assert oracle.incumbent.score == 2.0
    assert strategy.notes["refused"] > 0
    assert oracle.asked["infeasible"] == 0, "what cannot be paid is not asked for"


def test_it_goes_on_where_every_training_of_the_first_set_fails() -> None:
    def score(arch):
        return float("nan") if arch[0] != 1 else float(arch[1] == 1)

    oracle = run(ga_nas(initial=2), Landscape(NASBench201Space(), score), queries=100)
    assert oracle.incumbent is not None
    assert oracle.incumbent.score == 1.0


@pytest.mark.parametrize("known", [False, True], ids=["partial", "failing"])
def test_where_no_cell_has_a_score_the_search_ends_without_a_result(known: bool) -> None:
    """256 cells of 55 rows: none is in the table, or every training fails."""
    strategy = ga_nas(initial=20)
    oracle = Oracle(Landscape(ToyEdgeSpace(), lambda a: math.nan if known else None), Budget(queries=60))
    if known:
        with pytest.raises(BudgetExhausted, match="space"):
            strategy.search(oracle, np.random.default_rng(0))
        assert oracle.paid[0] == 55
    else:
        assert strategy.search(oracle, np.random.default_rng(0)) == []
        assert oracle.paid[0] == 0
    assert strategy.notes["iterations"] == 0
    assert strategy.notes["queries_to_best"] is None


def test_nothing_is_trained_after_the_last_paid_query() -> None:
    strategy = ga_nas()
    with pytest.raises(BudgetExhausted, match="queries"):
        strategy.search(Oracle(Landscape(NASBench201Space(), smooth), Budget(queries=20)), np.random.default_rng(0))
    assert strategy.notes["iterations"] == 0
    assert set(strategy.seconds) == {"queries"}
    assert strategy.ranker is None


# -- the entropy multiplier, and rewards without a discriminator -----------------------------------------------------


def started(space, score, *, constraints=(), **changes) -> _Run:
    oracle = Oracle(Landscape(space, score), Budget(queries=1000), constraints=constraints)
    return _Run(ga_nas(**changes), oracle, np.random.default_rng(0))


def test_a_generator_that_repeats_itself_is_spread_out_by_more_entropy() -> None:
    """A quarter more each time, at most 20 times the parameter, and back where half of a batch is unseen."""
    search = started(NASBench201Space(), smooth, entropy=0.1)
    known, new = (0, 0, 0, 0, 0, 0), [(1, 1, 1, 1, 1, i) for i in range(4)]
    search.pool.add([known])
    multipliers = []
    for x_t in ([known] * 4, [known, known, known, new[0]], [new[0]] * 4, [known, known, *new[:2]], new, new):
        search._explore(x_t)
        multipliers.append(search.ppo.entropy)
    assert multipliers == pytest.approx([0.125, 0.15625, 0.1953125, 0.15625, 0.125, 0.1])
    search._explore(new)
    assert search.ppo.entropy == pytest.approx(0.1), "never below the parameter"
    for _ in range(30):
        search._explore([known])
    assert search.ppo.entropy == pytest.approx(2.0)


def test_with_novelty_zero_the_multiplier_stays() -> None:
    search = started(NASBench201Space(), smooth, entropy=0.1, novelty=0.0)
    search.pool.add([(0, 0, 0, 0, 0, 0)])
    search._explore([(0, 0, 0, 0, 0, 0)] * 4)
    assert search.ppo.entropy == 0.1


def test_without_an_entropy_term_novelty_works_on() -> None:
    """Each ablation takes one component off: `no-entropy` the constant multiplier, `no-novelty` what is added to it."""
    known, new = (0, 0, 0, 0, 0, 0), [(1, 1, 1, 1, 1, i) for i in range(4)]
    after = {}
    for name in ("no-entropy", "no-novelty", "no-exploration"):
        search = started(NASBench201Space(), smooth, **GANAS.ablations[name])
        search.pool.add([known])
        search._explore([known] * 4)
        search._explore([known] * 4)
        after[name] = search.ppo.entropy
        for _ in range(3):
            search._explore(new)
        assert search.ppo.entropy == search.p.entropy, "at its least, novelty adds nothing"
    assert after == pytest.approx({"no-entropy": 0.15625, "no-novelty": 0.1, "no-exploration": 0.0})


def test_without_a_discriminator_the_reward_is_the_place_among_feasible_scores() -> None:
    """Of 1, 2, 3 and 4 convolutions the last takes too long: it is paid, and no reward leads there."""

    class Slow(Landscape):
        known_after = ("latency",)

        def validate(self, archs, *, fidelity, repeat=None):
            plain = super().validate(archs, fidelity=fidelity, repeat=repeat)
            return Validation(plain.valid, plain.seconds, measured={"latency": plain.valid})

    space = NASBench201Space()
    oracle = Oracle(
        Slow(space, lambda a: float(sum(o == CONV3 for o in a))),
        Budget(queries=10),
        constraints=[Constraint("latency", "<=", 3.0)],
    )
    search = _Run(ga_nas(discriminator="none"), oracle, np.random.default_rng(0))
    cells = [(CONV3,) * n + (CONV1,) * (6 - n) for n in (1, 2, 3, 4)]
    np.testing.assert_allclose(search._quantile(cells), [1 / 3, 2 / 3, 1.0, 0.0])
    assert oracle.paid[0] == 4


# -- parameters, modes, ablations ------------------------------------------------------------------------------------


def test_paper_mode_searches_on_test_accuracy_and_says_so() -> None:
    assert GANAS.modes["strict"] == Mode()
    assert GANAS.modes["paper"].oracle == "test"
    assert "test" in GANAS.modes["paper"].note


def test_paper_mode_is_the_papers_settings_and_nothing_added() -> None:
    """K = 25, |X_0| = 50, |X_t| = |X_t-1| + 50, T = 10; actions are not masked; `novelty` is not the paper's."""
    params = msgspec.convert(dict(GANAS.modes["paper"].params), GANASParams)
    assert params.sets == PUBLISHED["setup1"] == (50, 100, 50, 25, 10)
    assert (params.mask_invalid, params.novelty) == (False, 0.0)
    same = ("discriminator", "truth", "share", "entropy", "hidden", "lr")
    assert [getattr(params, n) for n in same] == [getattr(GANASParams(), n) for n in same]


@pytest.mark.parametrize("name", sorted(GANAS.ablations))
def test_ablations_are_parameters_and_run(name: str) -> None:
    params = msgspec.convert({**msgspec.to_builtins(GANASParams.smallest()), **GANAS.ablations[name]}, GANASParams)
    assert params != GANASParams.smallest()
    strategy = GANAS(params)
    strategy.search(Oracle(Landscape(NASBench201Space(), smooth), Budget(queries=500)), np.random.default_rng(0))
    assert strategy.notes["iterations"] == params.iterations
    assert (strategy.ranker is None) == (name == "no-discriminator")


def test_without_a_discriminator_ppo_pays_for_what_it_generates() -> None:
    paid = {}
    for kind in ("pairwise", "none"):
        oracle = Oracle(Landscape(NASBench201Space(), smooth), Budget(queries=5000))
        ga_nas(iterations=2, discriminator=kind).search(oracle, np.random.default_rng(0))
        paid[kind] = oracle.paid[0]
    assert paid["pairwise"] <= 40
    assert paid["none"] > 100


def test_validity_can_be_learnt_from_rewards() -> None:
    landscape = Landscape(ToyNodeSpace(), lambda a: float(sum(a)))
    strategy = ga_nas(mask_invalid=False, iterations=8)
    oracle = Oracle(landscape, Budget(queries=500))
    returned = strategy.search(oracle, np.random.default_rng(0))
    assert oracle.asked["invalid"] == 0
    assert all(ToyNodeSpace().is_valid(a) for a in returned)


@pytest.mark.parametrize("wrong", [{"hidden": 15}, {"disc_hidden": 15}, {"minibatches": 65}])
def test_contradictory_parameters_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="even|exceeds"):
        GANASParams(**wrong)


def test_a_truth_set_of_one_is_refused() -> None:
    """Pairs are made within it."""
    with pytest.raises(msgspec.ValidationError, match=r"truth"):
        msgspec.convert({"truth": 1}, GANASParams)
    assert msgspec.convert({"truth": 2}, GANASParams).truth == 2


def test_torchs_global_generator_is_left_as_found() -> None:
    before = torch.random.get_rng_state()
    run(ga_nas(), Landscape(NASBench201Space(), smooth), queries=40)
    assert torch.equal(before, torch.random.get_rng_state())
