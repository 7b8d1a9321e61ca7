"""The training protocol contract: how an architecture becomes a score.

A `TrainingProtocol` lists `Task`s and opens one as an `Evaluator`. An evaluator hands the search a `Validator`, which
holds validation scores and nothing else, and keeps the final scores to itself: no attribute path leads from a
validator to a final score.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from harness.errors import HarnessError, PluginError
from harness.protocol.training import Charge, Training
from harness.spaces import Architecture, RestrictedSpace, SearchSpace
from harness.spaces.base import SETS

if TYPE_CHECKING:
    from harness.data.tables import DataSet

Floats = npt.NDArray[np.float64]


class Score(msgspec.Struct, frozen=True):
    """What a number means, and which way is up. No other place in the harness decides that.

    ratio_scale: whether RI, a ratio, makes sense (accuracy: yes; a log loss: no).
    """

    name: str = "accuracy"
    unit: str = "%"
    higher_is_better: bool = True
    ratio_scale: bool = True

    @property
    def sign(self) -> float:
        """1 or -1. A score times it: higher is better. Such a value times it: the score again."""
        return 1.0 if self.higher_is_better else -1.0

    def best(self, scores: npt.ArrayLike) -> float:
        """The best of the scores that are not NaN. Raises ValueError where there is none."""
        values = self.sign * np.asarray(scores, dtype=np.float64)
        if np.isnan(values).all():
            raise ValueError("no score to choose the best of")
        return float(self.sign * np.nanmax(values))

    def regret(self, score: float, best: float) -> float:
        """How far ``score`` lies below ``best``, in the score's unit; 0 where it is above."""
        return max(self.sign * (best - score), 0.0)


@dataclass(frozen=True, slots=True)
class Fidelity:
    """A way to evaluate a task. ``resumable``: a higher fidelity of the same training costs only the difference."""

    name: str
    epochs: int | None = None
    resumable: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """Protocol + data set + variant. ``name`` is ``<protocol>/<data set>[@variant]``.

    finals: how a final score can come about, the default first: ``mean`` of the repeats that exist, ``repeat:777``
    only where every row has it, ``single`` where there is one value, ``trained`` where it is trained anew. Raises
    PluginError where ``finals`` is text, by a forgotten comma, or empty.
    """

    name: str
    protocol: str
    summary: str = ""
    finals: tuple[str, ...] = ("mean",)
    recorded: bool = True
    searchable: bool = True
    """False where no validation split exists, so that another task must be searched (`search_task`)."""
    data_set: str = ""
    """What the networks are trained on, such as ``cifar10``: the same word for the same data in every protocol."""
    validated_on: Literal["validation", "test"] = "validation"
    """``test`` where validation scores are measured on the test data too, as in NAS-Bench-Macro."""
    one_training: bool | None = None
    """Whether validation and final score come from one training of one network; None: the task does not say."""

    def __post_init__(self) -> None:
        if isinstance(self.finals, str) or not self.finals:
            example = (self.finals or "single",)
            raise PluginError(f"task {self.name!r}: finals is {self.finals!r}: write a tuple, such as {example}")


@dataclass(frozen=True, slots=True)
class Validation:
    """Validation scores of n architectures.

    valid: float64 [n] in the score's unit; NaN is a failed training (paid), and so is an infinite one. seconds: float64
    [n], what the trainings averaged here took in total, or None where the task records no time (never latency).
    trainings: int64 [n], how many trainings the value averages (None: one each); epochs are charged for each. missing:
    bool [n], repeats that were never run (answered NaN, unpaid). measured: what is known only after training, such as
    ``train_seconds``: float64 [n], at least the quantities of `Validator.known_after`.
    """

    valid: Floats
    seconds: Floats | None = None
    trainings: npt.NDArray[np.int64] | None = None
    missing: npt.NDArray[np.bool_] | None = None
    measured: Mapping[str, Floats] = field(default_factory=dict)


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One architecture's validation, as plain Python values: the oracle's fast path. NaN where there is no value.

    measured: what is known only after training, by quantity; None where it was not looked up. It is a Struct, since one
    is made per query: a Struct costs a tenth of a frozen dataclass.
    """

    valid: float
    seconds: float
    trainings: int = 1
    missing: bool = False
    measured: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a validator that trains may use of the run that it answers; a recorded task needs none of it.

    seed: the seed of everything random in its trainings; final scores do not depend on it. scratch: an existing folder
    for checkpoints and the like; None: keep nothing. device: its name in torch, such as ``cuda:0``.
    """

    seed: int = 0
    scratch: Path | None = None
    device: str = "cpu"


class Validator(ABC):
    """The part of an evaluator that a search may see: validation scores only.

    At the first validation it opens what it needs (processes, files), and in `close` it ends and closes all of them.
    """

    space: SearchSpace
    fidelities: tuple[Fidelity, ...]
    """From cheap to full; the last is the full one."""
    score: Score
    rows: int | None = None
    """How many rows the task has a score for; None where unbounded."""
    repeats: tuple[int, ...] = ()
    """Repeats that can be asked for one by one; empty where there is a single value."""
    records_seconds: bool = False

    @abstractmethod
    def identity(self, archs: Sequence[Architecture]) -> npt.NDArray[np.int64]:
        """The row of each, int64 [n]. Budget, memory and rank go by rows.

        Raises UnknownArchitecture where a partial table lacks one of them; the oracle answers NaN then.
        """

    @abstractmethod
    def validate(self, archs: Sequence[Architecture], *, fidelity: Fidelity, repeat: int | None = None) -> Validation:
        """Validation scores; ``repeat=None`` is the mean of the repeats that exist."""

    def row(self, arch: Architecture) -> int:
        """`identity` of one."""
        return int(self.identity([arch])[0])

    def read(self, arch: Architecture, row: int, fidelity: Fidelity, repeat: int | None) -> Reading:
        """`measure`, but `Reading.measured` may be None. The oracle calls it for each query, so a look-up is enough."""
        return self.measure(arch, fidelity, repeat)

    def measure(self, arch: Architecture, fidelity: Fidelity, repeat: int | None) -> Reading:
        """`validate` of one. The oracle calls it where a constraint is known only after the training."""
        found = self.validate([arch], fidelity=fidelity, repeat=repeat)
        return Reading(
            float(found.valid[0]),
            float("nan") if found.seconds is None else float(found.seconds[0]),
            1 if found.trainings is None else int(found.trainings[0]),
            False if found.missing is None else bool(found.missing[0]),
            {name: float(values[0]) for name, values in found.measured.items()},
        )

    def costs(self, archs: Sequence[Architecture]) -> Mapping[str, Floats]:
        """What is known before a query, for constraints: ``params``, ``flops`` (plain counts), float64 [n].

        NaN where it is not known of an architecture. Such a quantity satisfies no constraint.
        """
        return self.space.costs(archs)

    @property
    def known_after(self) -> tuple[str, ...]:
        """Names in `Validation.measured` that a constraint may use."""
        return ()

    def training(self, charge: Charge) -> Training | None:
        """What a strategy trains shared weights with, `Oracle.training`; None where nothing is trained (default).

        charge: pays for a pass beforehand, and raises BudgetExhausted once the search has ended.
        """
        return None

    def close(self) -> None:  # noqa: B027 (most have nothing to close)
        """End and close what the run opened. Called once, however the run has ended. Default: nothing."""


@dataclass(frozen=True, slots=True)
class FinalScores:
    """Final scores, float64 [n], in the score's unit, never infinite; NaN: the final training failed. seconds: on tasks
    that train."""

    scores: Floats
    seconds: Floats | None = None


@dataclass(frozen=True)
class Truth:
    """Everything a recorded task knows, for the runner and for analysis; never handed to a strategy.

    final, valid: float64 [rows], in the score's unit, NaN where absent; ``valid`` at the full fidelity. weights: for
    each law, float64 [rows] summing to 1 (None: uniform). architectures: one per row, as a sequence that may be lazy.
    """

    final: Floats
    valid: Floats | None
    architectures: Sequence[Architecture]
    weights: Mapping[str, Floats | None]

    def mean_std(self, law: str) -> tuple[float, float]:
        """Mean and (population) standard deviation of the final score under ``law``, over rows that have one."""
        known = ~np.isnan(self.final)
        weights = self.weights[law]
        w = np.ones(int(known.sum())) if weights is None else weights[known]
        w = w / w.sum()
        values = self.final[known]
        mean = float(w @ values)
        return mean, float(np.sqrt(w @ (values - mean) ** 2))


def weights_of_keys(space: SearchSpace, members: Collection[Sequence[Architecture]]) -> dict[str, Floats | None]:
    """`Truth.weights` of rows that are keys, under every law but ``official``; members: each row's architectures."""
    counts = np.array([len(archs) for archs in members], dtype=np.float64)
    by_count = ("encodings", "rows") if isinstance(space, RestrictedSpace) else ("encodings",)
    return {law: counts / counts.sum() if law in by_count else None for law in space.laws if law != "official"}


class Evaluator(ABC):
    """An opened task."""

    task: Task
    space: SearchSpace
    score: Score
    final_split: Literal["test", "valid"] = "test"
    """What final scores are measured on; ``valid`` where no test score exists."""
    law: str
    """The task's default law."""
    data_digest: str = ""
    """Digest of the data that the scores come from; of a task that trains, of all that decides a training but its seed
    and the machine."""
    sampling_draws: int | None = None
    """Draws of random sampling where there is no `truth`: 10,000 for surrogates; None: max(8, seeds) trainings."""
    columns: tuple[str, ...] = ("validation",)
    """What `validator` can be built over: ``validation`` always, ``test`` where paper mode is possible."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "context" not in signature(cls.validator).parameters:
            raise PluginError(
                f"{cls.__module__}.{cls.__qualname__}.validator takes no context: "
                'write it as validator(self, column="validation", context=RunContext())'
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.task.name}>"

    def check_column(self, column: str) -> None:
        """Raises HarnessError for a column that the task does not have."""
        if column not in self.columns:
            raise HarnessError(f"{self.task.name} cannot be searched on {column!r}; it has {', '.join(self.columns)}")

    def check_final(self, final: str) -> None:
        """Raises HarnessError for a final that the task does not have."""
        if final not in self.task.finals:
            raise HarnessError(f"{self.task.name} has no final {final!r}; it has {', '.join(self.task.finals)}")

    @abstractmethod
    def validator(self, column: str = "validation", context: RunContext = RunContext()) -> Validator:
        """What a search may see. ``test`` is for paper modes that search on test scores, as some papers did.

        Cheap: it is also called where nothing is searched. A validator that keeps anything open belongs to one run.
        """

    @abstractmethod
    def final_scores(self, archs: Sequence[Architecture], *, final: str, seed: int | None = None) -> FinalScores:
        """The scores that are reported; ``seed`` only for tasks that train. Read once, after the search."""

    def learning_curves(self, archs: Sequence[Architecture], *, final: str, seed: int | None = None) -> Floats | None:
        """Scores after every epoch of final trainings that were carried out and kept, float64 [epochs, n].

        NaN throughout where a training is not kept here; None where the task keeps none. Trains nothing.
        """
        return None

    def truth(self, final: str) -> Truth | None:
        """The scores of all rows where they are recorded, else None."""
        return None

    def provenance(self) -> dict[str, Any]:
        """What every record of this task must name: data file, digest, version, licence, split names, seeds."""
        return {}

    def measured(self) -> dict[str, Any]:
        """What has been measured of the task itself, for ``nas-harness describe``; no record has it."""
        return {}


_HOLDS: dict[str, type] = {"task": Task, "space": SearchSpace, "score": Score, "law": str}


def misfit(opened: object) -> str:
    """In a few words, why what a protocol opened is no evaluator: ``opens`` goes before them; else empty."""
    if not isinstance(opened, Evaluator):
        return f"as {opened!r}, which is no Evaluator"
    for name, kind in _HOLDS.items():
        held = getattr(opened, name, None)
        if not isinstance(held, kind):
            return f"with {name} = {held!r}, which is no {kind.__name__}"
    lacking = [name for name in SETS if not hasattr(opened.space, name)]
    return f"on the space {type(opened.space).__name__}, which sets no {', '.join(lacking)}" if lacking else ""


@dataclass(frozen=True, slots=True)
class Stock:
    """Trainings that a protocol keeps on this machine, of one kind. bytes: of their files. used: when the last was,
    seconds since 1970."""

    kind: str
    trainings: int
    bytes: int
    used: float


class TrainingProtocol(ABC):
    """How an architecture becomes a score: a recorded table, a published surrogate, or training here."""

    name: str

    @abstractmethod
    def tasks(self) -> Iterable[Task]:
        """Every task of this protocol, whether or not its data is present; of a family without end, those that are
        asked for most. Cheap."""

    def task(self, name: str) -> Task | None:
        """The task of that name, listed or not; None where there is none. Raises HarnessError where only a part of the
        name is wrong, naming it."""
        return next((t for t in self.tasks() if t.name == name), None)

    @abstractmethod
    def open(self, task: Task) -> Evaluator:
        """The opened task. Raises DataMissing, naming the command that gets the data."""

    def datasets(self) -> Sequence[DataSet]:
        """What its tables are made from, for ``nas-harness data``. Cheap."""
        return ()

    def closed(self) -> Sequence[str]:
        """Folders of the data folder that hold final scores or test data of its tasks that train: a search may not open
        them. For searches of recorded tasks the whole data folder is closed."""
        return ()

    def stock(self) -> Sequence[Stock]:
        """The trainings that it keeps, for ``nas-harness data trainings``."""
        return ()

    def prune(self, most_bytes: int) -> tuple[int, int]:
        """Remove what was longest unused until at most ``most_bytes`` are taken: files and bytes removed."""
        return 0, 0

    def missing(self, task: Task) -> str | None:
        """Why the task cannot be opened here (one sentence with the command that helps), or None. Cheap."""
        return None
