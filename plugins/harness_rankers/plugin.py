"""What this plugin provides; nothing is imported until it is used."""

from harness import Provides, hookimpl

_INSTALL = "pip install 'nas-harness[torch]'"


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [
        Provides("harness_rankers.gin:GINRanker", requires=("torch",), install=_INSTALL),
        Provides("harness_rankers.forest:E2EPP", requires=("sklearn",), install=_INSTALL),
        Provides("harness_rankers.peephole:Peephole", requires=("torch",), install=_INSTALL),
        Provides("harness_rankers.ridge:Ridge"),
    ]
