"""Zero-cost proxies of networks small enough to work out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from harness_proxies.measures import grad_norm, jacob_cov, naswot, snip, synflow


def linear(*rows: tuple[float, ...], bias: tuple[float, ...] | None = None) -> nn.Linear:
    """A dense layer with these weights, a row an output."""
    layer = nn.Linear(len(rows[0]), len(rows), bias=bias is not None)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(rows))
        if bias is not None:
            layer.bias.copy_(torch.tensor(bias))
    return layer


FIRST, SECOND = ((1.0, -2.0), (3.0, 4.0)), ((-5.0, 6.0),)


def test_synflow_of_two_layers_is_twice_the_sum_over_paths_of_absolute_products() -> None:
    """Paths: 5 (1 + 2) + 6 (3 + 4) = 57, which each layer conserves (Tanaka et al., theorem 1)."""
    assert synflow(nn.Sequential(linear(*FIRST), linear(*SECOND)), (2,)) == 2 * 57


def test_synflow_looks_through_relus_and_leaves_norms_out() -> None:
    norm = nn.BatchNorm1d(2)
    with torch.no_grad():
        norm.weight.fill_(-7.0)
    assert synflow(nn.Sequential(linear(*FIRST), norm, nn.ReLU(), linear(*SECOND)), (2,)) == 2 * 57


def test_synflow_of_biases_flows_but_is_not_counted() -> None:
    """R = 5 (3 + 1) + 6 (7 + 1) = 68: the second layer has all of it, the weights of the first 57."""
    first = linear(*FIRST, bias=(-1.0, 1.0))
    assert synflow(nn.Sequential(first, linear(*SECOND)), (2,)) == 57 + 68


def test_synflow_of_a_convolution() -> None:
    """Four windows of ones under absolute weights that add up to six."""
    layer = nn.Conv2d(1, 1, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[[1.0, -1.0], [2.0, -2.0]]]]))
    assert synflow(nn.Sequential(layer, nn.Flatten()), (1, 3, 3)) == 24


EVEN = ((1.0, 2.0), (1.0, 2.0))
"""Equal rows: both classes have probability .5, so that dL/dlogits is (-.5, .5) for class 0."""


def test_snip_of_a_dense_layer() -> None:
    """dL/dW is ((-1.5, .5), (1.5, -.5)) for the image (3, -1), so |w dL/dw| adds up to 1.5 + 1 + 1.5 + 1."""
    found = snip(nn.Sequential(linear(*EVEN)), torch.tensor([[3.0, -1.0]]), torch.tensor([0]))
    assert found == pytest.approx(5.0, rel=1e-6)


def test_grad_norm_adds_up_the_norms_of_layers() -> None:
    """Alone: sqrt(1.5² + .5² + 1.5² + .5²) = sqrt 5.

    Behind a layer that doubles, it sees (6, -2), and its gradient doubles; the doubling layer's own is 0, since both
    logits weigh its outputs alike.
    """
    image, label = torch.tensor([[3.0, -1.0]]), torch.tensor([0])
    assert grad_norm(nn.Sequential(linear(*EVEN)), image, label) == pytest.approx(math.sqrt(5), rel=1e-6)
    twice = nn.Sequential(linear((2.0, 0.0), (0.0, 2.0)), linear(*EVEN))
    assert grad_norm(twice, image, label) == pytest.approx(2 * math.sqrt(5), rel=1e-6)


def test_naswot_is_the_log_determinant_of_the_codes_agreements() -> None:
    """++-- and +--+ agree in two of four places: K = ((4, 2), (2, 4)), of determinant 12."""
    images = torch.tensor([[1.0, 2.0, -1.0, -3.0], [0.5, -1.0, -2.0, 4.0]])
    assert naswot(nn.ReLU(), images) == pytest.approx(math.log(12), rel=1e-12)
    assert naswot(nn.Sequential(nn.ReLU(), nn.ReLU()), images) == pytest.approx(math.log(48), rel=1e-12)


def test_naswot_of_equal_codes_and_of_no_relu_is_minus_infinity() -> None:
    images = torch.tensor([[1.0, -2.0], [3.0, -4.0]])
    assert naswot(nn.ReLU(), images) == -math.inf
    assert naswot(nn.Identity(), images) == -math.inf


class Squares(nn.Module):
    """Halved squares, so that an image is its own Jacobian."""

    def forward(self, x: Tensor) -> Tensor:
        return x**2 / 2


@pytest.mark.parametrize(
    ("second", "r"),
    [((1.0, 1.0, -1.0, -1.0), 0.0), ((3.0, -3.0, -1.0, 1.0), 1 / math.sqrt(5)), ((2.0, -2.0, 2.0, -2.0), 1.0)],
)
def test_jacob_cov_of_two_images(second: tuple[float, ...], r: float) -> None:
    """Two images whose Jacobians correlate by r have the eigenvalues 1 + r and 1 - r."""
    images = torch.tensor([(1.0, -1.0, 1.0, -1.0), second])
    want = -sum(math.log(v + 1e-5) + 1 / (v + 1e-5) for v in (1 + r, 1 - r))
    assert jacob_cov(Squares(), images) == pytest.approx(want, rel=1e-6)


class Constant(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 0.0 * x


def test_jacob_cov_of_what_no_image_moves_is_undefined() -> None:
    images = torch.tensor([[1.0, -1.0], [2.0, 1.0]])
    assert math.isnan(jacob_cov(Constant(), images))
