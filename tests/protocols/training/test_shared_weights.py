"""`Oracle.training` of live tasks: what a pass costs, what a supernet computes, and what cannot be reached."""

from __future__ import annotations

import gc
import types
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from shared_trainings import PLAIN, dense_networks, trainer_on, validator, write_small
from small_trainings import random_data
from torch import nn
from torch.nn.functional import cross_entropy

from harness import Budget, BudgetExhausted, HarnessError, ImageShape, Oracle, StudyError, Training
from harness.registry import Registry
from harness.testing import SyntheticEvaluator, ToyEdgeSpace
from harness_nasbench.spaces.darts import DartsSpace
from harness_training.data.catalogue import open_images
from harness_training.data.splits import split
from harness_training.live import LiveEvaluator, LiveValidator
from harness_training.networks.darts import DartsNetworks, DartsSettings

CONV3 = (3,) * 6


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def metered(n: int = 300, held: int = 60, epochs: float = 20.0) -> tuple[Oracle, Training]:
    oracle = Oracle(validator(n, held, batch=64), Budget(epochs=epochs))
    assert oracle.training is not None
    return oracle, oracle.training


def flat() -> nn.Module:
    """A network without weights, and so without cost."""
    return nn.Flatten()


def test_300_images_in_20_epochs_are_6000_images() -> None:
    oracle, training = metered()
    assert training.sizes == {"training": 300, "validation": 60}
    passes = images = 0

    def train() -> None:
        nonlocal passes, images
        while True:
            for batch in training.batches("training", rng()):
                training.forward(flat(), batch)
                passes, images = passes + 1, images + len(batch)

    with pytest.raises(BudgetExhausted, match="epochs"):
        train()
    assert (passes, images, oracle.paid.epochs, oracle.ended_by) == (100, 6000, 20.0, "epochs")


def test_what_a_pass_costs() -> None:
    oracle, training = metered()
    supernet = training.supernet(rng())
    batch = next(training.batches("training", rng()))
    held = next(training.batches("validation", rng()))
    half = [torch.full((5,), 0.2)] * 6
    one = [torch.tensor([0.0, 0.0, 0.0, 1.0, 0.0])] * 6

    def cost(*given: Any) -> Fraction:
        before = oracle.ledger._worked_epochs
        training.forward(*given)
        return oracle.ledger._worked_epochs - before

    assert cost(flat(), batch) == Fraction(64, 300)
    assert cost(flat(), batch) == Fraction(64, 300), "a batch that is used again is paid for again"
    assert cost(flat(), held) == Fraction(60, 300), "with gradients, whatever the split"
    with torch.no_grad():
        assert cost(flat(), held) == Fraction(60, 300) / 3
    assert cost(supernet, batch, CONV3) == Fraction(64, 300)
    assert cost(supernet, batch, half) == 4 * Fraction(64, 300), "all five options but none, which carries nothing"
    assert cost(supernet, batch, one) == Fraction(64, 300)
    with torch.inference_mode():
        assert cost(supernet, held, half) == 4 * Fraction(60, 300) / 3
    assert oracle.paid.epochs == float(oracle.ledger._worked_epochs)


def test_the_pass_that_crosses_the_limit_is_the_last() -> None:
    oracle, training = metered(epochs=0.5)
    batches = training.batches("training", rng())
    batch = next(batches)
    for _ in range(3):
        assert training.forward(flat(), batch).shape == (64, 64)
    assert oracle.paid.epochs == 192 / 300
    for ended in (lambda: training.forward(flat(), batch), lambda: next(batches), lambda: oracle.query(CONV3)):
        with pytest.raises(BudgetExhausted):
            ended()
    assert oracle.paid == (0, 192 / 300, 0.0)


def test_queries_and_passes_spend_one_budget() -> None:
    task = validator(40, 20)
    oracle = Oracle(task, Budget(epochs=4))
    training = oracle.training
    assert training is not None
    for batch in training.batches("training", rng()):
        training.forward(flat(), batch)
    assert (oracle.paid.epochs, training.epochs) == (1.0, 3)
    oracle.query(CONV3)
    assert (oracle.paid.epochs, oracle.ended_by) == (4.0, "epochs")
    assert oracle.history[0].score == task.measure(CONV3, oracle.fidelities[-1], None).valid


def test_a_pass_is_of_a_batch_of_images_and_of_one_path_at_least() -> None:
    oracle, training = metered()
    batch = next(training.batches("training", rng()))
    with pytest.raises(TypeError, match="want a batch of Training.batches, not Tensor"):
        training.forward(flat(), torch.zeros(64, 1, 8, 8))  # type: ignore[arg-type]
    modest: Any = flat()
    modest.paths = lambda path: 0
    with pytest.raises(ValueError, match="at least one path, not 0"):
        training.forward(modest, batch)
    with pytest.raises(ValueError, match="a path has 2 entries, the space 6 choices"):
        training.forward(training.supernet(rng()), batch, (1, 1))
    assert oracle.paid.epochs == 0.0


def test_a_network_that_turns_gradients_on_has_none_for_a_third_of_the_price() -> None:
    class Sly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(64, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.enable_grad():
                return self.dense(x.flatten(1))

    _, training = metered()
    with torch.no_grad():
        assert not training.forward(Sly(), next(training.batches("training", rng()))).requires_grad


def test_every_image_comes_once_a_pass_but_for_a_last_one_alone() -> None:
    training = Oracle(validator(41, 20), Budget(epochs=1)).training
    assert training is not None
    whole: Any = list(training.batches("validation", rng(), size=100))
    assert [len(b) for b in whole] == [20]
    assert sorted(whole[0].rows.tolist()) == list(range(20))
    batches: Any = list(training.batches("training", rng()))
    assert [len(b) for b in batches] == [8] * 5
    assert len({i for b in batches for i in b.rows.tolist()}) == 40
    assert torch.equal(batches[0].rows, next(training.batches("training", rng())).rows)  # type: ignore[attr-defined]
    assert not torch.equal(batches[0].rows, next(training.batches("training", rng(1))).rows)  # type: ignore[attr-defined]


def assert_the_same(supernet: nn.Module, path: tuple[int, ...], alone: nn.Module) -> None:
    """In training and in evaluation mode, to the bit."""
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for mode in (True, False):
        alone.train(mode)
        supernet.train(mode)
        torch.testing.assert_close(supernet(images, path), alone(images), rtol=0, atol=0)


@pytest.mark.parametrize("arch", [CONV3, (0,) * 6, (1, 2, 0, 4, 3, 2)], ids=str)
def test_a_path_computes_what_the_stand_alone_network_does(arch: tuple[int, ...]) -> None:
    trainer = trainer_on(random_data())
    alone = trainer.networks.build(arch, trainer.data.shape)
    supernet = trainer.networks.supernet(trainer.data.shape)
    assert isinstance(supernet, nn.Module)
    shared = {name.removeprefix("network."): value for name, value in supernet.state_dict().items()}
    wanted = alone.state_dict()
    for name in wanted:
        cell, at, rest = name.partition(".operations.")
        if at:
            node, _, weight = rest.partition(".")
            name_there = f"{cell}.operations.{node}.options.{arch[int(node) - 1]}.{weight}"
        else:
            name_there = name
        wanted[name].copy_(shared[name_there])
    assert_the_same(supernet, arch, alone)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_path_of_dense_cells_computes_what_the_stand_alone_network_does(share: float) -> None:
    """``share`` of the edges carry nothing, but the first of each node, so that an input reaches every node."""
    networks, draw = dense_networks(), rng(2)
    space, images = networks.space, ImageShape(1, 8, 3)
    firsts = [place for place, choice in enumerate(space.choices) if choice.name.endswith("_0")]
    arch = draw.integers(1, 8, len(space.choices))
    arch[(draw.random(len(arch)) < share) & ~np.isin(np.arange(len(arch)), firsts)] = 0
    path = tuple(arch.tolist())
    alone, supernet = networks.build(path, images), networks.supernet(images)
    shared = {name.removeprefix("network."): value for name, value in supernet.state_dict().items()}
    written = [[space.operations[op] for op in cell.ops] for cell in space.graph(path, pruned=False)]
    wanted = alone.state_dict()
    for name in wanted:
        cell, at, rest = name.partition(".graph.operations.")
        there = name
        if at:
            names = written[cell.split(".")[1] != "0"]  # of three cells all but the first reduce
            stay = [v for v, op in enumerate(names) if op != "none"]
            node, _, weight = rest.partition(".")
            option = space.choices[0].options.index(names[stay[int(node)]])
            there = f"{cell}{at}{stay[int(node)]}.options.{option}.{weight}"
        wanted[name].copy_(shared[there])
    assert_the_same(supernet, path, alone)


def test_every_option_of_dense_cells_has_weights_and_an_alpha() -> None:
    """A node has two to six inputs, of which DARTS keeps two; a pass over all options is one over seven paths."""
    supernet = dense_networks().supernet(ImageShape(1, 8, 3))
    alphas = [torch.full((8,), 1 / 8, requires_grad=True) for _ in range(40)]
    supernet(torch.randn(4, 1, 8, 8), alphas).square().sum().backward()
    assert all(p.grad is not None for p in supernet.parameters())
    assert all(a.grad is not None and int((a.grad != 0).sum()) == 7 for a in alphas)
    assert supernet.paths(alphas) == 7
    assert supernet.paths((0,) * 40) == 1
    assert sorted(len(group) for group, _ in supernet.kept) == sorted([2, 3, 4, 5, 6] * 2)
    assert sorted(choice for group, _ in supernet.kept for choice in group) == list(range(40))
    assert {most for _, most in supernet.kept} == {2}


def test_a_mixture_is_the_weighted_sum_of_its_options() -> None:
    """Of one choice, where all others carry nothing and the cell is one sum: the features are linear in the weights."""
    trainer = trainer_on(random_data())
    supernet = trainer.networks.supernet(trainer.data.shape)
    assert supernet is not None
    (mixed, *_) = [m for m in supernet.modules() if type(m).__name__ == "MixedOperation"]
    x = torch.randn(3, 2, 8, 8)
    mixed.eval()
    outputs = []
    for option in range(5):
        mixed.route = option
        outputs.append(mixed(x))
    weights = torch.tensor([0.1, 0.2, 0.3, 0.0, 0.4], requires_grad=True)
    mixed.route = weights
    found = mixed(x)
    torch.testing.assert_close(found, sum(w * o for w, o in zip(weights, outputs, strict=True)))
    found.sum().backward()
    assert weights.grad is not None
    expected = torch.stack([o.sum() for o in outputs]).detach()
    expected[3] = 0.0  # of weight 0, and so not evaluated
    torch.testing.assert_close(weights.grad, expected, rtol=1e-4, atol=1e-4)


def test_weights_learn_by_the_recipe_and_only_on_the_path() -> None:
    training = Oracle(validator(64, 20, batch=64), Budget(epochs=100)).training
    assert training is not None
    supernet = training.supernet(rng())
    descent = training.descent(supernet)
    batch = next(training.batches("training", rng()))
    before = {name: p.clone() for name, p in supernet.named_parameters()}  # type: ignore[attr-defined]
    losses = []
    for step in range(20):
        loss = cross_entropy(training.forward(supernet, batch, CONV3), batch.labels)
        losses.append(float(loss.detach()))
        descent.step(loss, step / 20)
    assert losses[-1] < losses[0] - 0.05
    moved = {n for n, p in supernet.named_parameters() if not torch.equal(p, before[n])}  # type: ignore[attr-defined]
    assert {n for n in before if ".options." not in n or ".options.3." in n} == moved
    still = {n: p.clone() for n, p in supernet.named_parameters()}  # type: ignore[attr-defined]
    descent.step(cross_entropy(training.forward(supernet, batch, CONV3), batch.labels), 1.0)
    assert all(torch.equal(p, still[n]) for n, p in supernet.named_parameters()), "the cosine ends at 0"  # type: ignore[attr-defined]


def test_weights_that_diverge_end_the_search() -> None:
    training = validator().training(lambda **_: None)
    assert training is not None
    with pytest.raises(HarnessError, match="shared weights diverged"):
        training.descent(training.supernet(rng())).step(torch.tensor(float("nan"), requires_grad=True), 0.0)


def test_the_gradient_is_deterministic_and_torch_is_left_as_found() -> None:
    training = validator().training(lambda **_: None)
    assert training is not None
    weight = nn.Parameter(torch.ones(3))
    seen: list[tuple[bool, bool]] = []

    def watch(_: torch.Tensor) -> None:
        seen.append((torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory))

    weight.register_hook(watch)
    before = torch.random.get_rng_state()
    training.backward((weight * weight).sum(), [weight])
    assert weight.grad is not None
    assert weight.grad.tolist() == [2.0] * 3
    network = flat()
    network.register_parameter("weight", weight)
    training.descent(network).step((weight * weight).sum(), 0.0)
    assert seen == [(True, False)] * 2
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
    assert torch.equal(torch.random.get_rng_state(), before)


def _state(network: Any) -> list[Any]:
    modes = [(m.training, getattr(m, "momentum", None)) for m in network.modules()]
    return [modes, {name: value.tolist() for name, value in network.state_dict().items()}]


def test_a_network_that_was_judged_trains_on_as_if_it_was_not() -> None:
    training = validator().training(lambda **_: None)
    assert training is not None
    supernet: Any = training.supernet(rng())
    batch = next(training.batches("training", rng()))
    next(supernet.children()).eval()
    training.forward(supernet, batch, CONV3)
    before = _state(supernet)
    first = training.accuracy(supernet, CONV3, rng(1))
    assert _state(supernet) == before
    assert training.accuracy(supernet, CONV3, rng(1)) == first


def test_a_network_is_left_as_found_where_the_budget_ends_while_it_is_judged() -> None:
    _, training = metered(epochs=0.3)
    supernet = training.supernet(rng())
    before = _state(supernet)
    with pytest.raises(BudgetExhausted):
        training.accuracy(supernet, CONV3, rng(1))
    assert _state(supernet) == before


def test_an_accuracy_is_no_number_where_a_logit_is_none() -> None:
    training = validator().training(lambda **_: None)
    assert training is not None
    supernet: Any = training.supernet(rng())
    assert 0 <= training.accuracy(supernet, CONV3, rng()) <= 100
    with torch.no_grad():
        for name, parameter in supernet.named_parameters():
            if ".options.3." in name:
                parameter.fill_(float("inf"))
    assert np.isnan(training.accuracy(supernet, CONV3, rng()))
    assert 0 <= training.accuracy(supernet, (2,) * 6, rng()) <= 100, "another path"


def test_initial_weights_hang_on_the_generator_alone_and_torch_is_left_as_found() -> None:
    training = validator().training(lambda **_: None)
    assert training is not None
    before = torch.random.get_rng_state()
    first, again, other = (training.build(CONV3, rng(s)) for s in (1, 1, 2))
    batch = next(training.batches("training", rng()))
    one, two, three = (training.forward(n, batch) for n in (first, again, other))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one, two)
    assert not torch.equal(one, three)


def test_it_is_refused_where_nothing_is_trained_or_no_epochs_are_limited() -> None:
    assert Oracle(SyntheticEvaluator(ToyEdgeSpace()).validator(), Budget(queries=3)).training is None
    oracle = Oracle(validator(epochs=7), Budget(queries=3))
    with pytest.raises(StudyError, match="set epochs in it; a query of full fidelity costs 7"):
        _ = oracle.training
    networks = DartsNetworks(DartsSpace(), DartsSettings(channels=2, layers=2))
    darts = LiveValidator(trainer_on(random_data(), networks), 0).training(lambda **_: None)
    assert darts is not None
    with pytest.raises(StudyError, match="the networks of darts have no supernet"):
        darts.supernet(rng())


def _reachable(root: Any) -> Iterator[Any]:
    """All objects that the garbage collector finds from ``root`` on, without modules, classes and their code."""
    seen, queue = {id(root)}, [root]
    while queue:
        obj = queue.pop()
        yield obj
        for child in [*gc.get_referents(obj), *getattr(obj, "__dict__", {}).values()]:
            apart = isinstance(child, (types.ModuleType, type, types.CodeType, types.FrameType))
            globals_ = isinstance(child, dict) and "__builtins__" in child
            if id(child) not in seen and not apart and not globals_:
                seen.add(id(child))
                queue.append(child)


def test_no_test_image_and_no_test_label_can_be_reached(registry: Registry, data_folder: Path) -> None:
    write_small(data_folder)
    evaluator = registry.protocol("train").open(registry.task(PLAIN))
    assert isinstance(evaluator, LiveEvaluator)
    oracle = Oracle(evaluator.validator(), Budget(epochs=5))
    training = oracle.training
    assert training is not None
    held = next(training.batches("validation", rng()))
    training.forward(training.supernet(rng()), held, CONV3)
    table = open_images("digits")
    parts = split(table["labels"], table["part"], train=60, validation=100)
    images = {name: {i.tobytes() for i in table["images"][rows]} for name, rows in parts._asdict().items()}
    found: set[bytes] = set()
    labels = 0
    for obj in _reachable(training):
        if isinstance(obj, torch.Tensor):
            assert obj.untyped_storage().nbytes() == obj.numel() * obj.element_size(), "a part of more"
            found |= {i.tobytes() for i in obj.numpy()} if obj.dtype == torch.uint8 else set()
            labels = max(labels, obj.numel() if obj.dtype == torch.int64 else 0)
        assert not (isinstance(obj, np.ndarray) and obj.dtype in (np.uint8, np.int16)), "a column of the table"
    assert found == images["train"] | images["validation"]
    assert not found & (images["test"] - images["train"] - images["validation"])
    assert labels == 100, "of the validation split; that of the test images is longer"
