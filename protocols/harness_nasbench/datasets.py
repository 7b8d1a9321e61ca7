"""The benchmarks as their authors publish them, with SHA-256 where one is stated, and size of the file most used.

A protocol adds its tasks, and how its tables are made.
"""

from __future__ import annotations

from harness.data.tables import DataSet, SourceFile

_NASBENCH101 = "https://storage.googleapis.com/nasbench/"

NASBENCH101 = DataSet(
    "nasbench101",
    summary="NAS-Bench-101: 423,624 cells on CIFAR-10, three trainings each",
    licence="Apache-2.0",
    source="https://github.com/google-research/nasbench",
    tasks=(),
    folders=("nasbench101/scores", "nasbench101/index"),
    size=499_000_000,
    accepts="nasbench_only108.tfrecord or nasbench_full.tfrecord",
    files=(
        SourceFile(
            "nasbench_only108.tfrecord",
            _NASBENCH101 + "nasbench_only108.tfrecord",
            sha256="4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
        ),
        SourceFile(
            "nasbench_full.tfrecord",
            _NASBENCH101 + "nasbench_full.tfrecord",
            sha256="3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
        ),
    ),
)
NASBENCH201 = DataSet(
    "nasbench201",
    summary="NAS-Bench-201, NATS-Bench's topology space: 15,625 cells on three image data sets",
    licence="MIT",
    source="https://github.com/D-X-Y/NATS-Bench",
    tasks=(),
    folders=("nasbench201",),
    size=4_700_000_000,
    accepts="NAS-Bench-201's .pth, NATS-tss's .pickle.pbz2 or -simple folder, or a .csv of means",
)
"""Published through Google Drive only, so there is nothing to download by address."""
NASBENCH301 = DataSet(
    "nasbench301",
    summary="NAS-Bench-301: surrogates of the DARTS space on CIFAR-10",
    licence="Apache-2.0",
    source="https://github.com/automl/nasbench301",
    tasks=(),
    folders=("nasbench301/yahpo", "nasbench301/xgb", "nasbench301/lgb"),
    size=1_850_000_000,
    accepts="YAHPO Gym's nb301 surrogate (its .onnx, or the folder that holds it), or the official ensembles (a folder "
    "with xgb_v1.0 and lgb_runtime_v1.0, or the zip file)",
    files=(SourceFile("nasbench301_models_v1.0.zip", "https://ndownloader.figshare.com/files/24992018"),),
)
"""The size is that of the official ensembles, version 1.0. YAHPO Gym's surrogate has 2.6 MB and the same licence:
https://github.com/slds-lmu/yahpo_data, folder nb301."""
NASBENCH_MACRO = DataSet(
    "nasbench-macro",
    summary="NAS-Bench-Macro: 6,561 chains of eight layers on CIFAR-10, three trainings each",
    licence="Apache-2.0",
    source="https://github.com/xiusu/NAS-Bench-Macro",
    tasks=(),
    folders=("nasbench-macro",),
    accepts="the official .json, or a .csv with the columns arch, test_run0..2, params, flops",
    files=(
        SourceFile(
            "nas-bench-macro_cifar10.json",
            "https://raw.githubusercontent.com/xiusu/NAS-Bench-Macro/master/data/nas-bench-macro_cifar10.json",
        ),
    ),
)
NASBENCH_GRAPH = DataSet(
    "nasbench-graph",
    summary="NAS-Bench-Graph: 26,206 graph neural networks on eight data sets",
    licence="Apache-2.0",
    source="https://pypi.org/project/nas-bench-graph/",
    tasks=(),
    folders=(),
    size=16_300_000,
    install="pip install nas-harness[graph]",
    package="nas_bench_graph",
)
ANALOG_NASBENCH = DataSet(
    "analog-nasbench",
    summary="analog-nasbench: NAS-Bench-201's cells on CIFAR-10 under five training protocols",
    licence="none stated",
    source="https://pypi.org/project/analog-nasbench/",
    tasks=(),
    folders=("analog-nasbench",),
    size=5_600_000,
    install="pip install nas-harness[analog]",
    package="analognasbench",
)
