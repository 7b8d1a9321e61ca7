"""The benchmarks' official files: what they are, where they are, and their SHA-256 where the publisher states one."""

from __future__ import annotations

from dataclasses import dataclass

from harness.data.tables import SourceFile


@dataclass(frozen=True, slots=True)
class Official:
    """A benchmark as its authors publish it. size: about how many bytes the file has that most people use."""

    summary: str
    licence: str
    source: str
    size: int | None = None
    files: tuple[SourceFile, ...] = ()


_NASBENCH101 = "https://storage.googleapis.com/nasbench/"

NASBENCH101 = Official(
    "NAS-Bench-101: 423,624 cells on CIFAR-10, three trainings each",
    "Apache-2.0",
    "https://github.com/google-research/nasbench",
    499_000_000,
    (
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
NASBENCH201 = Official(
    "NAS-Bench-201, NATS-Bench's topology space: 15,625 cells on three image data sets",
    "MIT",
    "https://github.com/D-X-Y/NATS-Bench",
    4_700_000_000,
)
"""Published through Google Drive only, so there is nothing to download by address."""
NASBENCH301 = Official(
    "NAS-Bench-301: surrogates of the DARTS space on CIFAR-10",
    "Apache-2.0",
    "https://github.com/automl/nasbench301",
    1_850_000_000,
    (SourceFile("nasbench301_models_v1.0.zip", "https://ndownloader.figshare.com/files/24992018"),),
)
"""The size is that of the official ensembles, version 1.0. YAHPO Gym's surrogate has 2.6 MB and the same licence:
https://github.com/slds-lmu/yahpo_data, folder nb301."""
NASBENCH_MACRO = Official(
    "NAS-Bench-Macro: 6,561 chains of eight layers on CIFAR-10, three trainings each",
    "Apache-2.0",
    "https://github.com/xiusu/NAS-Bench-Macro",
    None,
    (
        SourceFile(
            "nas-bench-macro_cifar10.json",
            "https://raw.githubusercontent.com/xiusu/NAS-Bench-Macro/master/data/nas-bench-macro_cifar10.json",
        ),
    ),
)
NASBENCH_GRAPH = Official(
    "NAS-Bench-Graph: 26,206 graph neural networks on eight data sets",
    "Apache-2.0",
    "https://pypi.org/project/nas-bench-graph/",
    16_300_000,
)
ANALOG_NASBENCH = Official(
    "analog-nasbench: NAS-Bench-201's cells on CIFAR-10 under five training protocols",
    "none stated",
    "https://pypi.org/project/analog-nasbench/",
    5_600_000,
)
