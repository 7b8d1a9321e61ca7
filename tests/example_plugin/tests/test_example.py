"""The plugin's own tests: conformance in one line each, then what is particular to it."""

from __future__ import annotations

import numpy as np
import pytest
from harness_example.annealing import SimulatedAnnealing
from harness_example.measure import EPOCHS, NEVER_RUN, Network, trainings
from harness_example.protocol import Denoising, DenoisingEvaluator
from harness_example.space import StackSpace

from harness import Budget, BudgetExhausted, Oracle, Strategy
from harness.testing import assert_conforms

# -- conformance ------------------------------------------------------------------------------------------------------


def test_strategy_conforms():
    assert_conforms(SimulatedAnnealing)


def test_space_conforms():
    assert_conforms(StackSpace)


def test_protocol_conforms():
    assert_conforms(Denoising)


# -- the strategy -----------------------------------------------------------------------------------------------------


def test_metropolis_rule():
    accepts = SimulatedAnnealing._accepts
    assert accepts(0.1, 1e-9, 0.999)  # better: always
    assert accepts(-1.0, 1.0, 0.36)  # worse: with probability exp(-1) = .368
    assert not accepts(-1.0, 1.0, 0.37)
    assert not accepts(-1.0, 1e-9, 0.0001)  # cold: never


@pytest.fixture
def evaluator() -> DenoisingEvaluator:
    protocol = Denoising()
    (task,) = protocol.tasks()
    found = protocol.open(task)
    assert isinstance(found, DenoisingEvaluator)
    return found


class Random(Strategy):
    """What annealing is to be better than."""

    name = "random"

    def search(self, oracle, rng):
        while True:
            oracle.query(oracle.space.sample(rng, 1)[0])


def optima(strategy, evaluator):
    """In how many of 200 searches of 15 queries the best of the 31 rows was found."""
    best = evaluator.truth("mean").valid.max()
    found = 0
    for seed in range(200):
        oracle = Oracle(evaluator.validator(), Budget(queries=15))
        with pytest.raises(BudgetExhausted):
            strategy.search(oracle, np.random.default_rng(seed))
        found += oracle.incumbent.score == best
    return found


def test_it_finds_the_optimum_more_often_than_random_search(evaluator):
    assert optima(SimulatedAnnealing(), evaluator) > optima(Random(), evaluator) + 10


# -- the protocol -----------------------------------------------------------------------------------------------------


def test_the_table_is_what_the_training_gives(evaluator):
    validator = evaluator.validator()
    arch = StackSpace().parse("filter5>skip>filter3>skip")
    measured = list(trainings(["filter5", "filter3"], 1))
    for (epochs, valid, _, _), fidelity in zip(measured, validator.fidelities, strict=True):
        assert fidelity.epochs == epochs
        assert validator.validate([arch], fidelity=fidelity, repeat=1).valid[0] == pytest.approx(valid, abs=1e-3)
    assert evaluator._test[validator.row(arch), 1] == pytest.approx(measured[-1][2], abs=1e-3)
    assert tuple(f.epochs for f in validator.fidelities) == EPOCHS


def test_one_repeat_is_missing(evaluator):
    validator = evaluator.validator()
    everything = evaluator.truth("mean").architectures
    gone = validator.validate(everything, fidelity=validator.fidelities[-1], repeat=1).missing
    assert {(evaluator.space.key(a), 1) for a, g in zip(everything, gone, strict=True) if g} == NEVER_RUN


def test_training_follows_the_gradient():
    """Backpropagation against finite differences."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 20)), rng.normal(size=(3, 20))

    def loss(network):
        return float(((network.forward(x)[-1] - y) ** 2).mean())

    network = Network(["filter3", "filter5"], np.random.default_rng(1))
    before = [w.copy() for w in network.weights]
    network.step(x, y)
    analytic = [(b - a) / 0.3 for a, b in zip(network.weights, before, strict=True)]
    for layer in range(2):
        for tap in range(len(before[layer])):
            ends = []
            for eps in (1e-6, -1e-6):
                probe = Network(["filter3", "filter5"], np.random.default_rng(1))
                probe.weights[layer][tap] += eps
                ends.append(loss(probe))
            assert analytic[layer][tap] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-6)


# -- the space --------------------------------------------------------------------------------------------------------


def test_31_keys():
    space = StackSpace()
    assert len({space.key(a) for a in space.enumerate()}) == 1 + 2 + 4 + 8 + 16
