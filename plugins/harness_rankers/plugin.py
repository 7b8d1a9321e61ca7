"""What this plugin provides; nothing is imported until it is used."""

from harness import Provides, hookimpl

_INSTALL = "pip install 'nas-harness[torch]'"


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [
        Provides(
            "gin-ranker",
            "harness_rankers.gin:GINRanker",
            "message-passing networks trained on pairs, the best predicted verified",
            requires=("torch",),
            install=_INSTALL,
        ),
        Provides(
            "e2epp",
            "harness_rankers.forest:E2EPP",
            "a random forest that predicts scores (Sun et al. 2020), the best predicted verified",
            requires=("sklearn",),
            install=_INSTALL,
        ),
        Provides(
            "peephole",
            "harness_rankers.peephole:Peephole",
            "an LSTM over layers that predicts scores (Deng et al. 2017), the best predicted verified",
            requires=("torch",),
            install=_INSTALL,
        ),
        Provides(
            "ridge",
            "harness_rankers.ridge:Ridge",
            "ridge regression on one-hot choices, the best predicted verified: the floor for predictors",
        ),
    ]
