"""What this plugin provides; nothing is imported until it is used."""

from harness import Provides, hookimpl

_INSTALL = "pip install 'nas-harness[torch]'"


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [
        Provides("harness_renas.search:ReNAS", requires=("torch",), install=_INSTALL),
    ]


@hookimpl
def nas_harness_metrics() -> list[Provides]:
    return [
        Provides(
            "harness_renas.metrics:best_valid_of_top",
            name="best-valid-of-top",
            summary="best validation score of the architectures that a paper's mode chooses from (ReNAS, Table 5)",
        )
    ]
