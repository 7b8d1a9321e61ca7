"""What this plugin provides; nothing is imported until it is used."""

from harness import Provides, hookimpl


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [
        Provides(
            "random-search",
            "harness_baselines.random_search:RandomSearch",
            "architectures drawn at random, the best validated one kept",
        ),
        Provides(
            "regularized-evolution",
            "harness_baselines.regularized_evolution:RegularizedEvolution",
            "mutate a tournament winner, the oldest individual dies (Real et al. 2019)",
        ),
        Provides(
            "local-search",
            "harness_baselines.local_search:LocalSearch",
            "move to the first better neighbour, restart at a local optimum (White et al. 2021)",
        ),
        Provides(
            "reinforce",
            "harness_baselines.reinforce:Reinforce",
            "policy gradient on independent logits per choice (Ying et al. 2019; Dong and Yang 2020)",
        ),
        Provides(
            "successive-halving",
            "harness_baselines.successive_halving:SuccessiveHalving",
            "the best 1/eta of a bracket go on to the next fidelity (Jamieson and Talwalkar 2016)",
        ),
        Provides(
            "hyperband",
            "harness_baselines.successive_halving:Hyperband",
            "successive halving over brackets that start at different fidelities (Li et al. 2018)",
        ),
    ]
