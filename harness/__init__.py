"""nas-harness: a plugin-based benchmarking harness for neural architecture search.

Everything a plugin author needs is here, imported when it is first used (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

_WHERE = {
    "hookimpl": "harness.hookspecs", "Provides": "harness.hookspecs",
    "Architecture": "harness.spaces", "CellBatch": "harness.spaces", "CellGraph": "harness.spaces",
    "Choice": "harness.spaces", "ChoiceScript": "harness.spaces", "Decision": "harness.spaces",
    "Script": "harness.spaces", "SearchSpace": "harness.spaces", "on_path": "harness.spaces", "pad": "harness.spaces",
    "scalar_rng": "harness.spaces",
    "Evaluator": "harness.protocol", "Fidelity": "harness.protocol", "Final": "harness.protocol",
    "Reading": "harness.protocol", "Score": "harness.protocol", "Task": "harness.protocol",
    "TrainingProtocol": "harness.protocol", "Truth": "harness.protocol", "Validation": "harness.protocol",
    "Validator": "harness.protocol",
    "Mode": "harness.strategy", "Params": "harness.strategy", "Ranker": "harness.strategy",
    "Strategy": "harness.strategy", "STRICT": "harness.strategy",
    "Budget": "harness.oracle", "Observation": "harness.oracle", "Oracle": "harness.oracle",
    "Constraint": "harness.constraints",
    "Executor": "harness.execution",
    "Record": "harness.records",
    "BudgetExhausted": "harness.errors", "DataError": "harness.errors", "DataMissing": "harness.errors",
    "HarnessError": "harness.errors", "InvalidArchitecture": "harness.errors", "PluginError": "harness.errors",
    "StudyError": "harness.errors", "UnknownArchitecture": "harness.errors", "UnknownName": "harness.errors",
}

__all__ = sorted([*_WHERE, "__version__"])


def __getattr__(name: str) -> Any:
    import importlib

    if name == "__version__":
        from importlib.metadata import version

        return version("nas-harness")
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


if TYPE_CHECKING:
    from harness.constraints import (
        Constraint as Constraint,
    )
    from harness.errors import (
        BudgetExhausted as BudgetExhausted,
        DataError as DataError,
        DataMissing as DataMissing,
        HarnessError as HarnessError,
        InvalidArchitecture as InvalidArchitecture,
        PluginError as PluginError,
        StudyError as StudyError,
        UnknownArchitecture as UnknownArchitecture,
        UnknownName as UnknownName,
    )
    from harness.execution import (
        Executor as Executor,
    )
    from harness.hookspecs import (
        Provides as Provides,
        hookimpl as hookimpl,
    )
    from harness.oracle import (
        Budget as Budget,
        Observation as Observation,
        Oracle as Oracle,
    )
    from harness.protocol import (
        Evaluator as Evaluator,
        Fidelity as Fidelity,
        Final as Final,
        Reading as Reading,
        Score as Score,
        Task as Task,
        TrainingProtocol as TrainingProtocol,
        Truth as Truth,
        Validation as Validation,
        Validator as Validator,
    )
    from harness.records import (
        Record as Record,
    )
    from harness.spaces import (
        Architecture as Architecture,
        CellBatch as CellBatch,
        CellGraph as CellGraph,
        Choice as Choice,
        ChoiceScript as ChoiceScript,
        Decision as Decision,
        Script as Script,
        SearchSpace as SearchSpace,
        on_path as on_path,
        pad as pad,
        scalar_rng as scalar_rng,
    )
    from harness.strategy import (
        Mode as Mode,
        Params as Params,
        Ranker as Ranker,
        STRICT as STRICT,
        Strategy as Strategy,
    )
