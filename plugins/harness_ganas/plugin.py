"""What this plugin provides; nothing is imported until it is used."""

from harness import Provides, hookimpl


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [
        Provides(
            "ga-nas",
            "harness_ganas.search:GANAS",
            "a generator learns by PPO to pass for the best cells so far before a pairwise discriminator (GA-NAS)",
            requires=("torch", "torch_geometric"),
            install="pip install 'nas-harness[torch]'",
        ),
    ]
