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
