"""What this plugin provides. Imports nothing heavy."""

from __future__ import annotations

from harness.hookspecs import Provides, hookimpl


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [
        Provides(
            "csnas",
            "harness_csnas.search:CSNAS",
            "sequential model-based search with CSNAS's settings of TPE (Nguyen and Chang 2021)",
            ("optuna",),
            "pip install 'nas-harness[optuna]'",
        ),
        Provides(
            "tpe",
            "harness_csnas.search:TPE",
            "Optuna's TPE with its own defaults (Bergstra et al. 2011)",
            ("optuna",),
            "pip install 'nas-harness[optuna]'",
        ),
    ]
