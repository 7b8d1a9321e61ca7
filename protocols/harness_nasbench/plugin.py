"""What this plugin provides; nothing is imported until it is used."""

from __future__ import annotations

from harness import Provides, hookimpl


@hookimpl
def nas_harness_protocols() -> list[Provides]:
    return [
        Provides(
            "nasbench-graph", "harness_nasbench.nasbench_graph:NASBenchGraph",
            "recorded: 26,206 graph neural networks on eight data sets, as installed with nas-bench-graph",
        ),
        Provides(
            "nasbench101", "harness_nasbench.nasbench101:NASBench101",
            "recorded: 423,624 cells on CIFAR-10, three trainings each after 108 and, if there, 4, 12, 36 epochs",
        ),
        Provides(
            "nasbench201", "harness_nasbench.nasbench201:NASBench201",
            "recorded: 15,625 cells on CIFAR-10, CIFAR-100 and ImageNet16-120 after 12 and 200 epochs",
        ),
        Provides(
            "nasbench301", "harness_nasbench.nasbench301:NASBench301",
            "surrogate: the DARTS space on CIFAR-10, 10^18 architectures; validation scores only",
        ),
        Provides(
            "nasbench-macro", "harness_nasbench.macro:NASBenchMacro",
            "recorded: 6,561 chains of eight layers on CIFAR-10; one run validates, two are final",
        ),
        Provides(
            "analog-nasbench", "harness_nasbench.analog:AnalogNASBench",
            "recorded: NAS-Bench-201's cells under five training protocols; finals only",
        ),
    ]  # fmt: skip


@hookimpl
def nas_harness_spaces() -> list[Provides]:
    return [
        Provides(
            "nasbench-graph", "harness_nasbench.spaces.nasbench_graph:NASBenchGraphSpace",
            "NAS-Bench-Graph: nine graphs of four nodes, nine operations",
        ),
        Provides(
            "nasbench101", "harness_nasbench.spaces.nasbench101:NASBench101Space",
            "NAS-Bench-101: cells of at most seven vertices and nine edges",
        ),
        Provides(
            "nasbench201", "harness_nasbench.spaces.nasbench201:NASBench201Space",
            "NAS-Bench-201: five operations on the six edges of a cell",
        ),
        Provides(
            "darts", "harness_nasbench.spaces.darts:DartsSpace",
            "DARTS, as NAS-Bench-301 has it: two cells of four nodes, two inputs each, seven operations",
        ),
        Provides(
            "darts-dense-5", "harness_nasbench.spaces.darts_dense:DenseDartsSpace",
            "CSNAS: two cells of five nodes, one of eight operations on each of 20 possible edges, all summed",
        ),
        Provides(
            "nasbench-macro", "harness_nasbench.spaces.chain:ChainSpace",
            "NAS-Bench-Macro: a chain of eight layers, three blocks each",
        ),
    ]  # fmt: skip
