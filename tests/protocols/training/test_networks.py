"""What networks do: shapes, reductions, the auxiliary head, drop path, and cells that carry nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from harness import HarnessError, ImageShape
from harness.registry import Registry
from harness_training.networks.cell import ReLUConvBN
from harness_training.networks.darts import DartsNetwork, DropPath, FactorizedReduce
from harness_training.networks.nasbench101 import vertex_channels

DIGITS = ImageShape(1, 8, 10)
SMALL: dict[str, dict[str, Any]] = {
    "nasbench201": {"channels": 4, "cells": 1, "stages": 3},
    "darts": {"channels": 4, "layers": 5},
    "darts-few": {"channels": 4, "layers": 2},
    "darts-dense-4": {"channels": 4, "layers": 3},
    "darts-dense-5": {"channels": 4, "layers": 3},
    "nasbench101": {"channels": 6, "stacks": 2, "cells": 1},
    "nasbench-macro": {"channels": 4, "head": 16},
}


def opened(registry: Registry, name: str, **settings: Any) -> Any:
    cls = registry.load("network", name)
    return cls(registry.load("space", name)(), cls.Settings(**SMALL[name] | settings))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("images", [DIGITS, ImageShape(3, 16, 7)])
def test_maps_images_to_logits_and_every_parameter_learns(registry: Registry, name: str, images: ImageShape) -> None:
    networks = opened(registry, name)
    x = torch.rand(5, images.channels, images.side, images.side)
    for arch in networks.space.sample(np.random.default_rng(0), 4):
        network = networks.build(networks.space.canonical(arch), images)
        out = network(x)
        assert out.shape == (5, images.classes)
        out.square().sum().backward()
        assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_images_that_do_not_halve_evenly_are_refused(registry: Registry, name: str) -> None:
    networks = opened(registry, name)
    (arch,) = networks.space.sample(np.random.default_rng(0), 1)
    with pytest.raises(HarnessError, match=f"network of {name} halves its map . times, which images 7 pixels wide"):
        networks.build(arch, ImageShape(1, 7, 10))


def test_one_stage_of_nasbench201_has_no_residual_block(registry: Registry) -> None:
    networks = opened(registry, "nasbench201", stages=1, cells=2)
    network = networks.build((3,) * 6, DIGITS)
    assert sum(isinstance(m, ReLUConvBN) for m in network.modules()) == 12
    assert networks.build((3,) * 6, ImageShape(1, 7, 10))(torch.rand(2, 1, 7, 7)).shape == (2, 10)


def test_a_disconnected_cell_sees_no_image(registry: Registry) -> None:
    """All logits are the classifier's answer to a constant: chance, whatever is trained."""
    networks = opened(registry, "nasbench201")
    for arch in ((0,) * 6, (3, 3, 3, 0, 0, 0)):
        network = networks.build(arch, DIGITS).eval()
        out = network(torch.rand(6, 1, 8, 8))
        assert torch.equal(out, out[:1].expand(6, -1))


def test_a_convolution_that_nothing_reaches_sees_zeros(registry: Registry) -> None:
    """As in the benchmark's code, where ``none`` multiplies by 0 and the convolution behind it is run."""
    network = opened(registry, "nasbench201", stages=1).build((0, 0, 3, 0, 0, 3), DIGITS)
    out = network(torch.rand(4, 1, 8, 8))
    assert torch.equal(out, out[:1].expand(4, -1))


def test_darts_reduces_at_a_third_and_two_thirds(registry: Registry) -> None:
    networks = opened(registry, "darts", layers=8)
    network = networks.build((0,) * 22, ImageShape(3, 32, 10))
    sides: list[int] = []
    for cell in network.cells:
        cell.register_forward_hook(lambda m, i, o: sides.append(o.shape[-1]))
    network(torch.rand(2, 3, 32, 32))
    assert sides == [32, 32, 16, 16, 16, 8, 8, 8]


@pytest.mark.parametrize("side", [4, 8, 16, 32])
def test_the_auxiliary_head_answers_in_training_only(registry: Registry, side: int) -> None:
    """At 32 pixels its first convolution sees 2 x 2 pixels, as in DARTS; maps of one pixel are repeated."""
    networks = opened(registry, "darts", layers=3)
    images = ImageShape(1, side, 10)
    network = networks.build((0,) * 22, images, auxiliary=True)
    x = torch.rand(3, 1, side, side)
    logits, tapped = network(x)
    assert logits.shape == tapped.shape == (3, 10)
    assert network.eval()(x).shape == (3, 10)
    plain = networks.build((0,) * 22, images)
    wide = network.auxiliary.features[0].in_channels
    head = 128 * wide + 2 * 128 + 4 * 128 * 768 + 2 * 768 + 768 * 10 + 10
    assert count(network) - count(plain) == head


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_drop_path_never_acts_on_an_identity(registry: Registry) -> None:
    """A genotype of skips alone: in normal cells nothing is dropped, in reduction cells the factorized ones are."""
    networks = opened(registry, "darts", layers=5)
    skip = networks.space.choices[0].options.index("skip_connect")
    arch = tuple(skip if "_op_" in c.name else 0 for c in networks.space.choices)
    network = networks.build(arch, DIGITS)
    assert isinstance(network, DartsNetwork)
    assert network.drop_path == 0
    network.drop_path = 0.5
    dropped = [m for m in network.modules() if isinstance(m, nn.Sequential) and isinstance(m[-1], DropPath)]
    assert dropped
    assert all(isinstance(m[0], FactorizedReduce) and m[-1].rate == 0.5 for m in dropped)


def test_drop_path_keeps_the_mean_and_drops_whole_images() -> None:
    path = DropPath()
    path.rate = 0.25
    torch.manual_seed(0)
    out = path(torch.ones(4000, 2, 3, 3))
    per_image = out.flatten(1)
    assert bool((per_image == per_image[:, :1]).all())
    assert sorted(set(per_image[:, 0].tolist())) == pytest.approx([0, 4 / 3])
    # 4 standard errors of 4,000 draws
    assert float(per_image[:, 0].mean()) == pytest.approx(1, abs=4 * (0.25 / 0.75) ** 0.5 / 4000**0.5)
    assert torch.equal(path.eval()(out), out)


@pytest.mark.parametrize("c_out", [7, 128])
def test_vertex_channels_are_those_that_the_space_counts_with(registry: Registry, c_out: int) -> None:
    from harness_nasbench.spaces import nasbench101_costs

    space = registry.load("space", "nasbench101")()
    for arch in space.sample(np.random.default_rng(0), 50):
        adjacency = space.graph(arch)[0].adjacency
        last = len(adjacency) - 1
        whole = np.zeros((1, 7, 7), dtype=np.bool_)
        place = [*range(last), 6]
        whole[0][np.ix_(place, place)] = adjacency
        counted = nasbench101_costs.vertex_channels(whole, c_out)[0, place]
        assert vertex_channels(adjacency, c_out)[1:] == counted[1:].tolist()


def test_nasbench101_cuts_wider_predecessors_and_adds_the_input_to_the_output(registry: Registry) -> None:
    networks = opened(registry, "nasbench101", stacks=1)
    matrix = [[0] * 5 for _ in range(5)]
    for u, v in ((0, 1), (0, 4), (1, 2), (1, 3), (2, 4), (3, 4)):
        matrix[u][v] = 1
    ops = ["input", "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3", "output"]
    arch = networks.space.from_matrix(matrix, ops)
    network = opened(registry, "nasbench101", stacks=1, channels=7).build(arch, DIGITS)
    assert network(torch.rand(3, 1, 8, 8)).shape == (3, 10)
    cell = network[1]
    assert cell.channels == [0, 4, 4, 3, 7]
    assert set(cell.projections) == {"1", "4"}


def test_a_chain_whose_stages_do_not_have_its_layers_is_refused(registry: Registry) -> None:
    networks = opened(registry, "nasbench-macro", stages=(2, 2))
    with pytest.raises(HarnessError, match=r"has 8 layers, the stages \[2, 2\] of its network 4"):
        networks.build((0,) * 8, DIGITS)
