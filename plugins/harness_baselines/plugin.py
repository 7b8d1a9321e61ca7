"""What this plugin provides; nothing is imported until it is used."""

from harness import Provides, hookimpl


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [
        Provides("harness_baselines.random_search:RandomSearch"),
        Provides("harness_baselines.regularized_evolution:RegularizedEvolution"),
        Provides("harness_baselines.local_search:LocalSearch"),
        Provides("harness_baselines.reinforce:Reinforce"),
        Provides("harness_baselines.successive_halving:SuccessiveHalving"),
        Provides("harness_baselines.successive_halving:Hyperband"),
    ]
