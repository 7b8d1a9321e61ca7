"""What this plugin provides; nothing is imported until it is used."""

from harness import Provides, hookimpl

_INSTALL = "pip install 'nas-harness[training]'"


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    classes = ("spos:SinglePathOneShot", "darts:DifferentiableSearch", "gdas:GumbelSearch", "enas:EfficientSearch")
    return [Provides(f"harness_oneshot.{c}", requires=("torch",), install=_INSTALL) for c in classes]
