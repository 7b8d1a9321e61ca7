"""What this plugin provides; nothing is imported until it is used."""

from harness import Provides, hookimpl

_INSTALL = "pip install 'nas-harness[optuna]'"


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [
        Provides("harness_csnas.search:CSNAS", requires=("optuna",), install=_INSTALL),
        Provides("harness_csnas.search:TPE", requires=("optuna",), install=_INSTALL),
    ]
