"""What this plugin provides; nothing is imported until it is used."""

from harness import Provides, hookimpl

_NEEDS = ("torch", "torch_geometric")
_INSTALL = "pip install 'nas-harness[torch]'"


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [
        Provides("harness_ganas.search:GANAS", requires=_NEEDS, install=_INSTALL),
    ]
