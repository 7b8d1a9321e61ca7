"""What this plugin provides. The entry point names this module, so it imports nothing heavy."""

from harness import Provides, hookimpl


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    return [
        Provides(
            "example-annealing",
            "harness_example.annealing:SimulatedAnnealing",
            "accept worse mutations ever more rarely (Kirkpatrick et al. 1983)",
        )
    ]


@hookimpl
def nas_harness_spaces() -> list[Provides]:
    return [Provides("example-stack", "harness_example.space:StackSpace", "four layers, three operations each")]


@hookimpl
def nas_harness_protocols() -> list[Provides]:
    return [
        Provides(
            "example-denoising",
            "harness_example.protocol:Denoising",
            "recorded trainings of small networks that take the noise out of signals",
        )
    ]
