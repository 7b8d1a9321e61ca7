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
            "nasbench201", "harness_nasbench.nasbench201:NASBench201",
            "recorded: 15,625 cells on CIFAR-10, CIFAR-100 and ImageNet16-120 after 12 and 200 epochs",
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
            "nasbench201", "harness_nasbench.spaces.nasbench201:NASBench201Space",
            "NAS-Bench-201: five operations on the six edges of a cell",
        ),
    ]  # fmt: skip
