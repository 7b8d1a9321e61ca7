"""Zero-cost proxies as pure functions of a network at its initialisation, in training mode, and of one batch.

Definitions are those of Abdelfattah, Mehrotra, Dudziak and Lane, "Zero-Cost Proxies for Lightweight NAS" (ICLR 2021;
code: SamsungLabs/zero-cost-nas), and for `naswot` of NASLib (automl/NASLib), which NAS-Bench-Suite-Zero measured. A
saliency of weights is summed over all convolutions and dense layers, biases and norms left out. Each function may
change the network, which is of no use afterwards.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm

EPSILON = 1e-5
"""What `jacob_cov` adds to eigenvalues."""


def synflow(network: nn.Module, shape: tuple[int, ...]) -> float:
    """Sum of |w dR/dw|, R the summed outputs for one image of ones, parameters absolute, norms left out; in float64.

    Tanaka, Kunin, Yamins and Ganguli, "Pruning neural networks without any data by iteratively conserving synaptic
    flow" (NeurIPS 2020). shape: of an image.
    """
    _leave_out_norms(network)
    network.double()
    with torch.no_grad():
        for value in network.state_dict().values():
            value.abs_()
    output = network(torch.ones(1, *shape, dtype=torch.float64))
    return float(sum((w * g).abs().sum() for w, g in _gradients(network, output.sum())))


def snip(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Sum of |w dL/dw|, L the cross-entropy: what masking a weight would change, to first order.

    Lee, Ajanthan and Torr, "SNIP: Single-shot network pruning based on connection sensitivity" (ICLR 2019).
    """
    loss = cross_entropy(network(images), labels)
    return float(sum((w * g).abs().sum(dtype=torch.float64) for w, g in _gradients(network, loss)))


def grad_norm(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Sum over layers of the Euclidean norm of dL/dw, L the cross-entropy."""
    loss = cross_entropy(network(images), labels)
    return float(sum(g.norm().double() for _, g in _gradients(network, loss)))


def jacob_cov(network: nn.Module, images: Tensor) -> float:
    """-sum of log(v + k) + 1/(v + k) over the eigenvalues v of the correlations between the images' Jacobians.

    Mellor, Turner, Storkey and Crowley, "Neural Architecture Search without Training" (arXiv 2006.04647, version 1).
    The Jacobian of an image is the gradient of the sum of its outputs; k = 1e-5. NaN where an image moves no output.
    Eigenvalues that rounding made negative count as 0.
    """
    images = images.detach().requires_grad_(True)
    output = network(images)
    if not output.requires_grad:
        return math.nan
    (jacobian,) = torch.autograd.grad(output.sum(), images, allow_unused=True)
    if jacobian is None:
        return math.nan
    rows = jacobian.flatten(1).double().numpy()
    if not np.isfinite(rows).all() or (np.ptp(rows, axis=1) == 0.0).any():
        return math.nan
    v = np.linalg.eigvalsh(np.corrcoef(rows)).clip(min=0.0) + EPSILON
    return float(-(np.log(v) + 1.0 / v).sum())


def naswot(network: nn.Module, images: Tensor) -> float:
    """The logarithm of the determinant of K: K_ij counts the ReLUs that images i and j both open, or both close.

    Mellor, Turner, Storkey and Crowley, "Neural Architecture Search without Training" (ICML 2021). Every ReLU that the
    network applies counts. -inf where two images open the same ones.
    """
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64)

    def count(_: nn.Module, given: tuple[Any, ...], __: Any) -> None:
        code = (given[0] > 0).flatten(1).float()  # whole numbers below 2**24 are exact
        kernel.add_(code @ code.T + (1.0 - code) @ (1.0 - code.T))

    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(images)
    sign, logarithm = np.linalg.slogdet(kernel.numpy())
    return float(logarithm) if sign > 0 else -math.inf


def _gradients(network: nn.Module, value: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The weights of convolutions and dense layers that ``value`` depends on, and its gradients by them."""
    weights = [m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    found = torch.autograd.grad(value, weights, allow_unused=True)
    return [(w.detach(), g) for w, g in zip(weights, found, strict=True) if g is not None]


def _leave_out_norms(network: nn.Module) -> None:
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm):
                setattr(module, name, nn.Identity())
