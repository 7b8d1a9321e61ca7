"""nas-harness: a plugin-based benchmarking harness for neural architecture search.

Everything a plugin author needs is here, imported when it is first used (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

_NAMES = {
    "hookspecs": "hookimpl Provides",
    "spaces": "PAD Architecture CellBatch CellGraph Choice ChoiceScript Decision ImageShape Networks RestrictedSpace "
    "Script SearchSpace Supernet on_path pad scalar_rng",
    "protocol.training": "Batch Charge Descent Split Training",
    "protocol": "Evaluator Fidelity FinalScores Reading RunContext Score Task TrainingProtocol Truth Validation "
    "Validator",
    "protocol.table_evaluator": "TableEvaluator",
    "strategy": "Mode Params Ranker Strategy STRICT Scoring said",
    "strategy.ranking": "LabelParams RankingParams RankingStrategy",
    "search.proposal": "Evolution propose verify",
    "search.labelled": "Labelled collect labelled",
    "search.oracle": "best_first Oracle",
    "data.tables": "Answer DataSet SourceFile Table data_dir open_table sha256 table_exists write_table",
    "search.budget": "Budget",
    "search.ledger": "Ledger Observation",
    "search.constraints": "Constraint",
    "running.execution": "Executor",
    "errors": "BudgetExhausted DataError DataMissing HarnessError InvalidArchitecture PluginError StudyError "
    "UnknownArchitecture UnknownName",
    "records.runs": "Run",
    "reading.results": "Results read_results",
    "reading.notebook": "run_study open_task",
}
"""What each module of the harness gives."""
_WHERE = {name: f"harness.{module}" for module, names in _NAMES.items() for name in names.split()}

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
    from harness.data.tables import Answer as Answer
    from harness.data.tables import DataSet as DataSet
    from harness.data.tables import SourceFile as SourceFile
    from harness.data.tables import Table as Table
    from harness.data.tables import data_dir as data_dir
    from harness.data.tables import open_table as open_table
    from harness.data.tables import sha256 as sha256
    from harness.data.tables import table_exists as table_exists
    from harness.data.tables import write_table as write_table
    from harness.errors import BudgetExhausted as BudgetExhausted
    from harness.errors import DataError as DataError
    from harness.errors import DataMissing as DataMissing
    from harness.errors import HarnessError as HarnessError
    from harness.errors import InvalidArchitecture as InvalidArchitecture
    from harness.errors import PluginError as PluginError
    from harness.errors import StudyError as StudyError
    from harness.errors import UnknownArchitecture as UnknownArchitecture
    from harness.errors import UnknownName as UnknownName
    from harness.hookspecs import Provides as Provides
    from harness.hookspecs import hookimpl as hookimpl
    from harness.protocol import Evaluator as Evaluator
    from harness.protocol import Fidelity as Fidelity
    from harness.protocol import FinalScores as FinalScores
    from harness.protocol import Reading as Reading
    from harness.protocol import RunContext as RunContext
    from harness.protocol import Score as Score
    from harness.protocol import Task as Task
    from harness.protocol import TrainingProtocol as TrainingProtocol
    from harness.protocol import Truth as Truth
    from harness.protocol import Validation as Validation
    from harness.protocol import Validator as Validator
    from harness.protocol.table_evaluator import TableEvaluator as TableEvaluator
    from harness.protocol.training import Batch as Batch
    from harness.protocol.training import Charge as Charge
    from harness.protocol.training import Descent as Descent
    from harness.protocol.training import Split as Split
    from harness.protocol.training import Training as Training
    from harness.reading.notebook import open_task as open_task
    from harness.reading.notebook import run_study as run_study
    from harness.reading.results import Results as Results
    from harness.reading.results import read_results as read_results
    from harness.records.runs import Run as Run
    from harness.running.execution import Executor as Executor
    from harness.search.budget import Budget as Budget
    from harness.search.constraints import Constraint as Constraint
    from harness.search.labelled import Labelled as Labelled
    from harness.search.labelled import collect as collect
    from harness.search.labelled import labelled as labelled
    from harness.search.ledger import Ledger as Ledger
    from harness.search.ledger import Observation as Observation
    from harness.search.oracle import Oracle as Oracle
    from harness.search.oracle import best_first as best_first
    from harness.search.proposal import Evolution as Evolution
    from harness.search.proposal import propose as propose
    from harness.search.proposal import verify as verify
    from harness.spaces import PAD as PAD
    from harness.spaces import Architecture as Architecture
    from harness.spaces import CellBatch as CellBatch
    from harness.spaces import CellGraph as CellGraph
    from harness.spaces import Choice as Choice
    from harness.spaces import ChoiceScript as ChoiceScript
    from harness.spaces import Decision as Decision
    from harness.spaces import ImageShape as ImageShape
    from harness.spaces import Networks as Networks
    from harness.spaces import RestrictedSpace as RestrictedSpace
    from harness.spaces import Script as Script
    from harness.spaces import SearchSpace as SearchSpace
    from harness.spaces import Supernet as Supernet
    from harness.spaces import on_path as on_path
    from harness.spaces import pad as pad
    from harness.spaces import scalar_rng as scalar_rng
    from harness.strategy import STRICT as STRICT
    from harness.strategy import Mode as Mode
    from harness.strategy import Params as Params
    from harness.strategy import Ranker as Ranker
    from harness.strategy import Scoring as Scoring
    from harness.strategy import Strategy as Strategy
    from harness.strategy import said as said
    from harness.strategy.ranking import LabelParams as LabelParams
    from harness.strategy.ranking import RankingParams as RankingParams
    from harness.strategy.ranking import RankingStrategy as RankingStrategy
