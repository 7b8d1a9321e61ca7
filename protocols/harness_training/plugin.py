"""What this plugin provides; nothing is imported until it is used."""

from __future__ import annotations

from harness import Provides, hookimpl

_TORCH = ("torch",)
_INSTALL = "pip install 'nas-harness[training]'"


@hookimpl
def nas_harness_protocols() -> list[Provides]:
    return [Provides("harness_training.protocol:LiveTraining", requires=("torch", "sklearn"), install=_INSTALL)]


@hookimpl
def nas_harness_networks() -> list[Provides]:
    classes = (
        "nasbench201:NASBench201Networks",
        "darts:DartsNetworks",
        "darts:FewDartsNetworks",
        "darts:DenseDartsNetworks",
        "darts:DenseDarts4Networks",
        "nasbench101:NASBench101Networks",
        "chain:ChainNetworks",
        "toy:ToyNodeNetworks",
        "toy:ToyEdgeNetworks",
        "toy:WideToyEdgeNetworks",
    )
    return [Provides(f"harness_training.networks.{c}", requires=_TORCH, install=_INSTALL) for c in classes]
