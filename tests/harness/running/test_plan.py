"""A task that a plugin opens wrongly is refused with protocol, task and reason, before anything runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from distributions import install
from studies import study

from harness.errors import PluginError
from harness.registry import Registry
from harness.running.plan import make_plan
from harness.strategy import Mode

SOURCE = """
from harness import SearchSpace, Task, TrainingProtocol, hookimpl
from harness.testing import SyntheticEvaluator, ToyNodeSpace

class Bare(SearchSpace):
    name = "bare"
    def key(self, arch): return ""
    def graph(self, arch, *, pruned=True): return ()
    def describe(self, arch): return ""
    def parse(self, text): return ()

class Mine(TrainingProtocol):
    name = "mine"

    def tasks(self):
        return [Task("mine/a", "mine", finals=("single",))]

    def open(self, task):
        evaluator = SyntheticEvaluator(ToyNodeSpace(), name="mine/a")
        {bug}
        return evaluator

@hookimpl
def nas_harness_protocols(): return [Mine]
"""


@pytest.mark.parametrize(
    ("bug", "why"),
    [
        ("1 / 0", "does not open: ZeroDivisionError: division by zero (my_bench.py:20)"),
        ("SearchSpace()", "does not open: TypeError: Can't instantiate abstract class SearchSpace"),
        ("return", "opens as None, which is no Evaluator"),
        ("evaluator.score = '%'", "opens with score = '%', which is no Score"),
        ("evaluator.task = task.name", "opens with task = 'mine/a', which is no Task"),
        ("del evaluator.law", "opens with law = None, which is no str"),
        ("evaluator.space = Bare()", "opens on the space Bare, which sets no choices, operations"),
    ],
)
def test_a_task_that_opens_wrongly_is_named_with_its_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: str, why: str
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_bench", raising=False)
    install(tmp_path, "my-bench", SOURCE.replace("{bug}", bug))
    registry = Registry(only=frozenset({"baselines", "my-bench"}))
    with pytest.raises(PluginError) as refused:
        make_plan(study("random-search", tasks=("mine/a",)), registry)
    assert str(refused.value).startswith(f"protocol 'mine' of my-bench 1.0: task 'mine/a' {why}")


def test_the_reference_is_called_after_strict_wherever_strict_entries_stand(
    toy: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy.load("strategy", "toy-sampler"), "modes", {"strict": Mode(), "poster": Mode(note="alike")})
    for order in (("toy-sampler", "toy-sampler@poster"), ("toy-sampler@poster", "toy-sampler")):
        record = make_plan(study(*order), toy).record
        assert [e.mode for e in record.entries if e.role == "reference"] == ["strict"]
