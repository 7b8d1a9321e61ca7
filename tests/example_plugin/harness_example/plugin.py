"""What this plugin provides. The entry point names this module, so it imports nothing heavy."""

from harness import Provides, hookimpl


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [Provides("harness_example.annealing:SimulatedAnnealing")]


@hookimpl
def nas_harness_spaces() -> list[Provides]:
    return [Provides("harness_example.space:StackSpace")]


@hookimpl
def nas_harness_protocols() -> list[Provides]:
    return [Provides("harness_example.protocol:Denoising")]
