"""Proxies of the network at its initialisation. The networks are those that any plugin has for the space."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
import numpy as np

from harness import Architecture, ImageShape, Networks, SearchSpace, StudyError, UnknownName, said
from harness.records.identity import code_version
from harness_proxies.search import Floats, ProxyParams, ProxyStrategy

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness import Oracle


class NetworkParams(ProxyParams):
    side: Annotated[int, said("width of the square images that the networks are built for, pixels", ge=1)] = 32
    channels: Annotated[int, said("channels of these images", ge=1)] = 3
    classes: Annotated[int, said("classes that the networks are built for", ge=2)] = 10
    network: Annotated[
        dict[str, Any], said("size of the networks, as under [network.<space>] of a protocol file; default: published")
    ] = {}

    @classmethod
    def smallest(cls) -> Any:
        return cls(pool=4, side=8)


class InitialParams(NetworkParams):
    images: Annotated[
        Literal["noise", "digits"],
        said(
            "what stands for data: noise (standard normal, labels at random), or scikit-learn's digits. Never the "
            "task's own images, which no strategy sees; digits are no choice for a task that tests on them"
        ),
    ] = "noise"
    batch: Annotated[int, said("images in the batch", ge=2)] = 64

    @classmethod
    def smallest(cls) -> Any:
        return cls(pool=4, side=8, batch=4)


def networks_of(space: SearchSpace, settings: dict[str, Any]) -> tuple[Networks, dict[str, str]]:
    """The networks of the space, and the version of the code that builds them, which no record of a strategy has.

    Raises StudyError where no plugin has networks of the space, or these have no such settings.
    """
    from harness.registry import default_registry

    try:
        item = default_registry().find("network", space.name)
    except UnknownName:
        raise StudyError(
            f"no plugin has networks of the space {space.name}, which proxies of networks need; it may have "
            "parameters and FLOPs: proxy-params, proxy-flops"
        ) from None
    cls = item.load()
    try:
        networks = cls(space, msgspec.convert(settings, cls.Settings))
    except msgspec.ValidationError as error:
        raise StudyError(f"network of {space.name}: {error}") from error
    return networks, code_version(item.provides.load.partition(":")[0], item.distribution)


P_co = TypeVar("P_co", bound=NetworkParams, covariant=True)


class InitialStrategy(ProxyStrategy[P_co]):
    """Networks of one run start from one seed, each as it would be trained, so that they differ by architecture."""

    @abstractmethod
    def measure(self, images: ImageShape, rng: np.random.Generator) -> Callable[[nn.Module], float]:
        """The proxy of a network in training mode."""

    def proxy(self, oracle: Oracle, rng: np.random.Generator) -> Callable[[Sequence[Architecture]], Floats]:
        p = self.params
        seed = int(rng.integers(2**62))
        images = ImageShape(p.channels, p.side, p.classes)
        networks, self.notes["networks"] = networks_of(oracle.space, p.network)
        return of_networks(networks, images, seed, self.measure(images, rng))


def of_networks(
    networks: Networks, images: ImageShape, seed: int, measure: Callable[[nn.Module], float]
) -> Callable[[Sequence[Architecture]], Floats]:
    """The proxy of an architecture: ``measure`` of its network, initialised from ``seed``."""
    import torch

    def proxy(archs: Sequence[Architecture]) -> Floats:
        found = np.empty(len(archs))
        with torch.random.fork_rng(devices=[]):
            for place, arch in enumerate(archs):
                torch.manual_seed(seed)
                found[place] = measure(networks.build(networks.space.canonical(arch), images))
        return found

    return proxy


class Synflow(InitialStrategy[NetworkParams]):
    """Most synaptic flow at initialisation first, the best of these by validation (no data)."""

    name: ClassVar[str] = "proxy-synflow"
    paper: ClassVar[str] = (
        "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS (ICLR 2021); Tanaka et al. (NeurIPS 2020)"
    )

    def measure(self, images: ImageShape, rng: np.random.Generator) -> Callable[[nn.Module], float]:
        from harness_proxies.measures import synflow

        return lambda network: synflow(network, (images.channels, images.side, images.side))


class _OfABatch(InitialStrategy[InitialParams]):
    def measure(self, images: ImageShape, rng: np.random.Generator) -> Callable[[nn.Module], float]:
        from harness_proxies.batch import draw

        p = self.params
        batch, labels = draw(p.images, images, p.batch, rng)
        return lambda network: self.of_batch(network, batch, labels)

    @abstractmethod
    def of_batch(self, network: nn.Module, images: Tensor, labels: Tensor) -> float: ...


class JacobCov(_OfABatch):
    """Least correlated Jacobians of a batch first, the best of these by validation."""

    name: ClassVar[str] = "proxy-jacob-cov"
    paper: ClassVar[str] = "Mellor et al., Neural Architecture Search without Training (arXiv:2006.04647v1, 2020)"

    def of_batch(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        from harness_proxies.measures import jacob_cov

        return jacob_cov(network, images)


class GradNorm(_OfABatch):
    """Largest gradients of a batch's loss first, the best of these by validation."""

    name: ClassVar[str] = "proxy-grad-norm"
    paper: ClassVar[str] = "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS (ICLR 2021)"

    def of_batch(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        from harness_proxies.measures import grad_norm

        return grad_norm(network, images, labels)


class Snip(_OfABatch):
    """Most sensitive weights at initialisation first (SNIP), the best of these by validation."""

    name: ClassVar[str] = "proxy-snip"
    paper: ClassVar[str] = (
        "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS (ICLR 2021); Lee et al. (ICLR 2019)"
    )

    def of_batch(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        from harness_proxies.measures import snip

        return snip(network, images, labels)


class Naswot(_OfABatch):
    """Most different ReLU patterns in a batch first (NASWOT), the best of these by validation."""

    name: ClassVar[str] = "proxy-naswot"
    paper: ClassVar[str] = "Mellor et al., Neural Architecture Search without Training (ICML 2021)"

    def of_batch(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        from harness_proxies.measures import naswot

        return naswot(network, images)
