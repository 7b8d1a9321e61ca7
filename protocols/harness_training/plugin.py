"""What this plugin provides; nothing is imported until it is used."""

from __future__ import annotations

from harness import Provides, hookimpl

_TORCH = ("torch",)
_INSTALL = "pip install 'nas-harness[training]'"


@hookimpl
def nas_harness_networks() -> list[Provides]:
    return [
        Provides(
            "nasbench201", "harness_training.networks.nasbench201:NASBench201Networks",
            "NAS-Bench-201: a stem, stages of cells, residual blocks between them", requires=_TORCH, install=_INSTALL,
        ),
        Provides(
            "darts", "harness_training.networks.darts:DartsNetworks",
            "DARTS: cells of two inputs, reductions at a third and two thirds, auxiliary head, drop path",
            requires=_TORCH, install=_INSTALL,
        ),
        Provides(
            "nasbench101", "harness_training.networks.nasbench101:NASBench101Networks",
            "NAS-Bench-101: a stem, stacks of cells, max-pooling between them", requires=_TORCH, install=_INSTALL,
        ),
        Provides(
            "nasbench-macro", "harness_training.networks.chain:ChainNetworks",
            "NAS-Bench-Macro: stages of inverted residual blocks", requires=_TORCH, install=_INSTALL,
        ),
    ]  # fmt: skip
