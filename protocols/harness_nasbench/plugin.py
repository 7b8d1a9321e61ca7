"""What this plugin provides; nothing is imported until it is used."""

from harness import Provides, hookimpl


@hookimpl
def nas_harness_protocols() -> list[Provides]:
    return [
        Provides("harness_nasbench.nasbench_graph:NASBenchGraph"),
        Provides("harness_nasbench.nasbench101:NASBench101"),
        Provides("harness_nasbench.nasbench201:NASBench201"),
        Provides("harness_nasbench.nasbench301:NASBench301"),
        Provides("harness_nasbench.macro:NASBenchMacro"),
        Provides("harness_nasbench.analog:AnalogNASBench"),
    ]


@hookimpl
def nas_harness_spaces() -> list[Provides]:
    return [
        Provides("harness_nasbench.spaces.nasbench_graph:NASBenchGraphSpace"),
        Provides("harness_nasbench.spaces.nasbench101:NASBench101Space"),
        Provides("harness_nasbench.spaces.nasbench201:NASBench201Space"),
        Provides("harness_nasbench.spaces.darts:DartsSpace"),
        Provides("harness_nasbench.spaces.darts_few:FewDartsSpace"),
        Provides("harness_nasbench.spaces.darts_dense:DenseDartsSpace"),
        Provides("harness_nasbench.spaces.darts_dense:DenseDarts4Space"),
        Provides("harness_nasbench.spaces.chain:ChainSpace"),
    ]
