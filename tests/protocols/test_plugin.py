from __future__ import annotations

import subprocess
import sys
from pkgutil import resolve_name

import pytest

from harness import Provides, SearchSpace, TrainingProtocol
from harness.data.tables import DataSet
from harness.registry.source import read
from harness_nasbench import plugin


@pytest.mark.parametrize("item", plugin.nas_harness_spaces(), ids=lambda p: p.load)
def test_every_space_is_made_without_arguments_and_bears_its_name(item: Provides) -> None:
    space = resolve_name(item.load)()
    assert isinstance(space, SearchSpace)
    assert space.name == read(item.load).name


@pytest.mark.parametrize("item", plugin.nas_harness_protocols(), ids=lambda p: p.load)
def test_every_protocol_lists_tasks_and_data_of_its_own(item: Provides) -> None:
    protocol = resolve_name(item.load)()
    assert isinstance(protocol, TrainingProtocol)
    assert protocol.name == read(item.load).name
    names = [task.name for task in protocol.tasks()]
    assert names
    assert all(
        task.protocol == protocol.name and task.name.startswith(f"{protocol.name}/") for task in protocol.tasks()
    )
    data: tuple[DataSet, ...] = protocol.datasets()  # type: ignore[attr-defined]
    assert [name for d in data for name in d.tasks] == names
    for d in data:
        assert d.licence
        assert d.source.startswith("https://")
        assert (d.make is not None and d.accepts) or d.install.startswith("pip install nas-harness[")


def test_the_plugin_module_imports_nothing_heavy() -> None:
    code = "import sys, harness_nasbench.plugin; print(sorted({'numpy', 'msgspec', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
