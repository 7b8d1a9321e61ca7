"""Networks have the parameters and FLOPs that their spaces' own formulas give, on 200 random architectures each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from harness import ImageShape
from harness.registry import Registry
from harness_training.networks.measure import measure, measure_network

CIFAR = ImageShape(3, 32, 10)
DRAWN = 200


def opened(name: str, space: Any = None, **settings: Any) -> Any:
    registry = Registry()
    cls = registry.load("network", name)
    return cls(registry.load("space", name)() if space is None else space, cls.Settings(**settings))


def drawn(space: Any, law: str | None = None) -> list[Any]:
    found: list[Any] = space.sample(np.random.default_rng(5), DRAWN, law)
    return found


@pytest.mark.parametrize("name", ["nasbench201", "darts", "nasbench101", "nasbench-macro"])
def test_multiply_accumulates_are_half_of_what_torch_counts_as_flops(name: str) -> None:
    networks = opened(name)
    with torch.device("meta"):
        network = networks.build(drawn(networks.space)[0], CIFAR).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.empty(1, 3, 32, 32))
    assert 2 * measure_network(network, CIFAR).macs == counter.get_total_flops()


@pytest.mark.parametrize(
    ("dataset", "images", "n"),
    [("cifar10", CIFAR, DRAWN), ("cifar100", ImageShape(3, 32, 100), 5), ("imagenet16-120", ImageShape(3, 16, 120), 5)],
)
def test_nasbench201(dataset: str, images: ImageShape, n: int) -> None:
    """The benchmark counts the classifier's biases as multiply-accumulates, and nothing else but products."""
    from harness_nasbench.spaces.nasbench201 import NASBench201Space

    networks = opened("nasbench201", NASBench201Space(dataset))
    archs = drawn(networks.space)[:n]
    found = [measure(networks, a, images) for a in archs]
    costs = networks.space.costs(archs)
    assert [f.params for f in found] == costs["params"].tolist()
    assert [f.macs + images.classes for f in found] == costs["flops"].tolist()


def test_darts() -> None:
    """The space's FLOPs are multiply-accumulates without biases."""
    networks = opened("darts")
    archs = drawn(networks.space)
    found = [measure(networks, a, CIFAR) for a in archs]
    costs = networks.space.costs(archs)
    assert [f.params for f in found] == costs["params"].tolist()
    assert [f.macs for f in found] == costs["flops"].tolist()


@pytest.mark.parametrize("name", ["darts-dense-4", "darts-dense-5"])
def test_csnas_dense_cells(name: str) -> None:
    """Sums that nothing reaches cost nothing, and are zero channels of the concatenation. Half of the cells are as
    sparse as a search may draw them: nine edges in ten ``none``."""
    networks = opened(name)
    rng = np.random.default_rng(5)
    archs = networks.space.sample(rng, 3)
    archs += [tuple(np.where(rng.random(len(a)) < 0.9, 0, a).tolist()) for a in networks.space.sample(rng, 12)]
    found = [measure(networks, a, CIFAR) for a in archs]
    costs = networks.space.costs(archs)
    assert [f.params for f in found] == costs["params"].tolist()
    assert [f.macs for f in found] == costs["flops"].tolist()


def test_darts_at_the_evaluation_size_of_its_paper() -> None:
    """20 cells and 36 channels: DARTS's second-order genotype has 3.35 M parameters without its auxiliary head, which
    its paper gives as 3.3 M."""
    networks = opened("darts", channels=36, layers=20)
    normal = [
        ("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2),
    ]  # fmt: skip
    reduce = [
        ("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1),
        ("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1),
    ]  # fmt: skip
    concat = range(2, 6)
    genotype = {"normal": normal, "normal_concat": concat, "reduce": reduce, "reduce_concat": concat}
    found = measure(networks, networks.space.from_genotype(genotype), CIFAR)
    assert round(found.params / 1e6, 2) == 3.35


def test_nasbench_macro() -> None:
    networks = opened("nasbench-macro")
    archs = drawn(networks.space)
    found = [measure(networks, a, CIFAR) for a in archs]
    costs = networks.space.costs(archs)
    assert [f.params for f in found] == costs["params"].tolist()
    assert [f.macs for f in found] == costs["flops"].tolist()


class NotProducts(TorchDispatchMode):
    """FLOPs beside products, as the space counts them: one a bias, an addition, and a value averaged; nine or four a
    value that 3x3 or 2x2 pooling gives."""

    flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        aten = torch.ops.aten
        if func is aten.max_pool2d_with_indices.default:
            self.flops += args[1][0] * args[1][1] * out[0].numel()
        elif func is aten.mean.dim:
            self.flops += args[0].numel()
        elif func in (aten.add.Tensor, aten.addmm.default):
            self.flops += out.numel()
        return out


def nasbench101_flops(network: torch.nn.Module) -> int:
    with NotProducts() as others:
        found = measure_network(network, CIFAR)
    return 2 * found.macs + others.flops


def test_nasbench101() -> None:
    networks = opened("nasbench101")
    archs = drawn(networks.space, "official")
    with torch.device("meta"):
        built = [networks.build(a, CIFAR).eval() for a in archs]
    costs = networks.space.costs(archs)
    params = [sum(p.numel() for p in n.parameters()) for n in built]
    assert params == costs["params"].tolist()
    assert [nasbench101_flops(n) for n in built] == costs["flops"].tolist()


def test_every_operation_of_a_canonical_nasbench201_cell_reaches_the_output() -> None:
    """So no weight is drawn for nothing. In 230 of the 6,466 classes node 2 has no input and yet an operation behind
    it; the official string keeps these apart, and they do differ, by the constant that a batch norm learns on zeros."""
    space = opened("nasbench201").space
    archs = [space.enumeration.architectures[i] for i in space.enumeration.representatives.tolist()]
    edges = [tuple(int(node) for node in c.name.split("->")) for c in space.choices]
    fed_by_nothing = 0
    for arch in archs:
        present = [edge for edge, op in zip(edges, arch, strict=True) if op]
        sources = {source for source, _ in present}
        assert all(target == 3 or target in sources for _, target in present), arch
        targets = {0, *(target for _, target in present)}
        orphans = {source for source, _ in present if source not in targets}
        assert orphans <= {2}
        fed_by_nothing += bool(orphans)
    assert (len(archs), fed_by_nothing) == (6466, 230)
