"""An evaluator with made-up scores for any search space: what plugin authors test strategies on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from math import nan, prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.errors import HarnessError, UnknownArchitecture
from harness.protocol import (
    Evaluator,
    Fidelity,
    FinalScores,
    Reading,
    RunContext,
    Score,
    Task,
    Truth,
    Validation,
    Validator,
    weights_of_keys,
)
from harness.spaces import Architecture, SearchSpace
from harness.spaces.base import grouped

_EPOCHS = (4, 12, 36)
_NAMES = ("low", "mid", "full")
_LEVEL = (28.0, 36.0, 40.0)
"""What the worst architecture scores at each fidelity, before noise."""
_NOISE = (30.0, 15.0, 8.0)
"""Width of a repeat's uniform noise at each fidelity, against a spread of 50 between best and worst."""
_FINAL_NOISE = 8.0
_SPREAD = 50.0

Identify = Callable[[Sequence[Architecture]], list[str]]


def _unit(secret: bytes, text: str) -> float:
    """A number in [0, 1) that looks random, is the same in every process, and cannot be had without ``secret``."""
    return int.from_bytes(blake2b(text.encode(), key=secret, digest_size=7).digest(), "little") / 2.0**56


def _secret(seed: int, purpose: str) -> bytes:
    return blake2b(f"{purpose}:{seed}".encode(), digest_size=32).digest()


def _architecture_names(archs: Sequence[Architecture]) -> list[str]:
    return [",".join(map(str, a)) for a in archs]


@dataclass(frozen=True)
class _Scores:
    """What validation scores are made from, by a row's name. It holds the secret of validation, not that of the final
    scores. The shares and ``noise`` are those of `SyntheticEvaluator`.
    """

    secret: bytes
    score: Score
    fidelities: tuple[Fidelity, ...]
    records_seconds: bool
    nan_share: float
    missing_share: float
    unknown_share: float
    noise: float

    def _unit(self, purpose: str, name: str) -> float:
        return _unit(self.secret, f"{purpose}|{name}")

    def _of_share(self, share: float, purpose: str, name: str) -> bool:
        return share > 0 and self._unit(purpose, name) < share

    def lacks(self, name: str) -> bool:
        """Whether the table has no score for the row."""
        return self._of_share(self.unknown_share, "unknown", name)

    def failed(self, name: str) -> bool:
        return self._of_share(self.nan_share, "failed", name)

    def quality(self, name: str) -> float:
        """What all scores of a row have in common, in [0, 1)."""
        return self._unit("quality", name)

    def oriented(self, accuracy: float) -> float:
        """A percentage as the score counts it: an error where lower is better."""
        return accuracy if self.score.higher_is_better else 100.0 - accuracy

    def reading(self, name: str, level: int, repeat: int | None) -> Reading:
        exist = [0] if self._of_share(self.missing_share, "missing", name) else [0, 1]
        if repeat is not None:
            exist = [r for r in exist if r == repeat]
        if not exist:
            return Reading(nan, nan, 1, True)
        pace = 1.0 + self._unit("pace", name)
        seconds = pace * _EPOCHS[level] * len(exist) if self.records_seconds else nan
        if self.failed(name):
            return Reading(nan, seconds, len(exist))
        values = [
            _LEVEL[level]
            + _SPREAD * self.quality(name)
            + self.noise * _NOISE[level] * (self._unit("noise", f"{name}|{level}|{r}") - 0.5)
            for r in exist
        ]
        return Reading(self.oriented(sum(values) / len(values)), seconds, len(exist))


class SyntheticValidator(Validator):
    """Validation scores of a `SyntheticEvaluator`."""

    def __init__(self, space: SearchSpace, scores: _Scores, identify: Identify, rows: Mapping[str, int] | None) -> None:
        """identify: the rows' names. rows: the number of each, where all are known."""
        self.space, self.fidelities, self.score = space, scores.fidelities, scores.score
        self.rows = None if rows is None else len(rows)
        self.repeats: tuple[int, ...] = (0, 1)
        self.records_seconds = scores.records_seconds
        self._scores, self._identify, self._row_of = scores, identify, rows

    @property
    def known_after(self) -> tuple[str, ...]:
        return ("train_seconds",)

    def identity(self, archs: Sequence[Architecture]) -> npt.NDArray[np.int64]:
        names = self._names(archs)
        if self._row_of is not None:
            return np.array([self._row_of[n] for n in names], dtype=np.int64)
        digests = (blake2b(n.encode(), digest_size=8).digest() for n in names)
        return np.array([int.from_bytes(d, "little") >> 1 for d in digests], dtype=np.int64)

    def _names(self, archs: Sequence[Architecture]) -> list[str]:
        """The rows' names. Raises UnknownArchitecture where the table lacks one."""
        names = self._identify(archs)
        for arch, name in zip(archs, names, strict=True):
            if self._scores.lacks(name):
                raise UnknownArchitecture(f"the table has no score for {self.space.describe(arch)}")
        return names

    def _reading(self, name: str, level: int, repeat: int | None) -> Reading:
        return self._scores.reading(name, level, repeat)

    def read(self, arch: Architecture, row: int, fidelity: Fidelity, repeat: int | None) -> Reading:
        return self._reading(self._identify([arch])[0], self.fidelities.index(fidelity), repeat)

    def validate(self, archs: Sequence[Architecture], *, fidelity: Fidelity, repeat: int | None = None) -> Validation:
        level = self.fidelities.index(fidelity)
        found = [self._reading(name, level, repeat) for name in self._names(archs)]
        seconds = np.array([r.seconds for r in found], dtype=np.float64)
        return Validation(
            np.array([r.valid for r in found], dtype=np.float64),
            seconds if self.records_seconds else None,
            np.array([r.trainings for r in found], dtype=np.int64),
            np.array([r.missing for r in found], dtype=np.bool_),
            {"train_seconds": seconds},
        )


class _TestColumn(SyntheticValidator):
    """Answers with the final scores, at the full fidelity: for paper modes, which search on them."""

    def __init__(self, evaluator: SyntheticEvaluator, plain: SyntheticValidator) -> None:
        super().__init__(plain.space, plain._scores, plain._identify, plain._row_of)
        self.fidelities, self.repeats = plain.fidelities[-1:], ()
        self._evaluator = evaluator

    def _reading(self, name: str, level: int, repeat: int | None) -> Reading:
        plain = super()._reading(name, len(_EPOCHS) - 1, None)
        return Reading(self._evaluator.final_of(name), plain.seconds, plain.trainings)


class SyntheticEvaluator(Evaluator):
    """Seeded hash scores over ``space``: three fidelities, seconds, two repeats, final scores apart from validation.

    The same space, seed and options give the same scores in every process. A row's three fidelities, its repeats and
    its final score share one hidden quality, so that they correlate and differ. Where the space has at most
    ``enumerate_up_to`` encodings, every row that has a score is known: `truth` and `optimum` exist. The architecture's
    structure says nothing about its score: on this evaluator no honest strategy is better than random search.

    lower_is_better: the score is an error. nan_share: rows whose training fails, at every fidelity. missing_share: rows
    whose second repeat was never run. unknown_share: rows that the table lacks, so that it is partial. resumable:
    a higher fidelity goes on from a lower one. rows: what a score belongs to, the isomorphism class (``key``) or each
    encoding (``architecture``, as in NAS-Bench-201). noise: how far fidelities, repeats and final score lie apart; near
    0 they agree on the order.

    The final scores come from a secret that the evaluator alone holds; a validator has no reference to it. Both secrets
    are one-way digests of ``seed``, so nothing reachable gives the seed away; it is no protection against code
    that makes an evaluator of its own with a guessed seed.
    """

    law: str
    columns = ("validation", "test")

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        name: str | None = None,
        lower_is_better: bool = False,
        nan_share: float = 0.0,
        missing_share: float = 0.0,
        unknown_share: float = 0.0,
        resumable: bool = False,
        records_seconds: bool = True,
        rows: Literal["key", "architecture"] = "key",
        noise: float = 1.0,
        enumerate_up_to: int = 20_000,
    ) -> None:
        self.space = space
        self.law = space.default_law
        self.score = Score("error", "%", higher_is_better=False) if lower_is_better else Score()
        self.task = Task(name or f"synthetic/{space.name}", "synthetic", "made-up scores", ("single",))
        shares = nan_share, missing_share, unknown_share
        options = (seed, lower_is_better, *shares, resumable, records_seconds, rows, noise)
        self.data_digest = blake2b(repr((space.name, *options)).encode(), digest_size=32).hexdigest()
        self._final_secret = _secret(seed, "final")
        self._enumerable = prod(space.radices) <= enumerate_up_to
        self.sampling_draws = None if self._enumerable else 10_000
        self._identify: Identify = _architecture_names if rows == "architecture" else space.keys
        fidelities = tuple(Fidelity(name, epochs, resumable) for name, epochs in zip(_NAMES, _EPOCHS, strict=True))
        self._scores = _Scores(_secret(seed, "validation"), self.score, fidelities, records_seconds, *shares, noise)
        numbers = {name: i for i, name in enumerate(self._classes)} if self._enumerable else None
        self._validator = SyntheticValidator(space, self._scores, self._identify, numbers)

    @cached_property
    def _classes(self) -> dict[str, list[Architecture]]:
        """The architectures of each row, by the row's name; rows in the order of `SearchSpace.enumerate`."""
        archs = list(self.space.enumerate())
        return {name: of for name, of in grouped(archs, self._identify(archs)).items() if not self._scores.lacks(name)}

    def validator(self, column: str = "validation", context: RunContext = RunContext()) -> Validator:
        self.check_column(column)
        return self._validator if column == "validation" else _TestColumn(self, self._validator)

    def final_of(self, name: str) -> float:
        """The final score of a row, by its name; NaN where its training fails."""
        if self._scores.failed(name):
            return nan
        noise = self._scores.noise * _FINAL_NOISE * (_unit(self._final_secret, name) - 0.5)
        return self._scores.oriented(_LEVEL[-1] + _SPREAD * self._scores.quality(name) + noise)

    def final_scores(
        self, archs: Sequence[Architecture], *, final: str = "single", seed: int | None = None
    ) -> FinalScores:
        self.check_final(final)
        self._validator.identity(archs)  # refuses what the table lacks
        return FinalScores(np.array([self.final_of(n) for n in self._identify(archs)], dtype=np.float64))

    def truth(self, final: str = "single") -> Truth | None:
        self.check_final(final)
        return self._truth if self._enumerable else None

    @cached_property
    def _truth(self) -> Truth:
        names, members = list(self._classes), list(self._classes.values())
        archs = [m[0] for m in members]
        weights = weights_of_keys(self.space, members)
        if self._identify is _architecture_names:
            weights.pop("classes", None)
        valid = self._validator.validate(archs, fidelity=self._validator.fidelities[-1]).valid
        return Truth(np.array([self.final_of(n) for n in names], dtype=np.float64), valid, archs, weights)

    @property
    def optimum(self) -> tuple[Architecture, float]:
        """The architecture with the best final score, and that score. Raises HarnessError where not all are known."""
        truth = self.truth()
        if truth is None or np.isnan(truth.final).all():
            raise HarnessError(f"the optimum of {self.task.name} is not known")
        at = int(np.nanargmax(self.score.sign * truth.final))
        return truth.architectures[at], float(truth.final[at])

    def provenance(self) -> dict[str, Any]:
        return {"source": "synthetic", "digest": self.data_digest, "space": self.space.name}
