"""What this plugin provides; nothing is imported until it is used."""

from harness import Provides, hookimpl


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [
        Provides(
            "renas",
            "harness_renas.search:ReNAS",
            "evolution over a predictor that learns to rank labelled architectures (Xu et al. 2021)",
            requires=("torch",),
            install="pip install 'nas-harness[torch]'",
        ),
    ]


@hookimpl
def nas_harness_metrics() -> list[Provides]:
    return [
        Provides(
            "best-valid-of-top",
            "harness_renas.metrics:best_valid_of_top",
            "best validation score of the architectures that a paper's mode chooses from (ReNAS, Table 5)",
        )
    ]
