"""What the harness itself provides, through the hooks that plugins use. The registry registers it first, always."""

from harness.hookspecs import Provides, hookimpl


@hookimpl
def nas_harness_executors() -> list[Provides]:
    return [
        Provides("harness.running.execution:LocalProcesses"),
        Provides("harness.running.execution:Serial"),
        Provides(
            "harness.running.dask:DaskCluster", requires=("distributed",), install="pip install 'nas-harness[dask]'"
        ),
    ]


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [Provides("harness.running.reference:MatchedRandomSearch")]
