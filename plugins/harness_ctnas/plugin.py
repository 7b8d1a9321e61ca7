"""What this plugin provides. Imports nothing heavy."""

from __future__ import annotations

from harness.hookspecs import Provides, hookimpl

_NEEDS = ("torch", "torch_geometric")
_INSTALL = "pip install 'nas-harness[torch]'"


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [
        Provides(
            "ctnas",
            "harness_ctnas.search:CTNAS",
            "contrastive search: a controller rewarded by a learned comparator (Chen et al. 2021)",
            _NEEDS,
            _INSTALL,
        ),
        Provides(
            "regression-nas",
            "harness_ctnas.search:RegressionNAS",
            "CTNAS's own rival: the same network and controller on predicted absolute scores (Chen et al. 2021)",
            _NEEDS,
            _INSTALL,
        ),
    ]
