"""The study file: read, validated, its strategies resolved to entries."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

from harness.data.reading import read_file
from harness.errors import GateError, HarnessError, StudyError, UnknownName, nearest
from harness.records.specs import Entry
from harness.registry import Registry
from harness.search.budget import Budget
from harness.search.constraints import Constraint
from harness.statistics.inference import ALPHA

MATCHED = "matched-random-search"
"""The reference that stands beside every entry. It is part of the core, not of a plugin."""
SAMPLING = "random sampling"
"""The line of the tables that no strategy makes."""
FEWEST_SEEDS = 8
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_MOST = 1_000_000
"""Seeds, draws and architectures of a study: more would fill the memory before anything runs."""
_FromZero = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_FromOne = Annotated[int, msgspec.Meta(ge=1, le=_MOST)]
_FromTwo = Annotated[int, msgspec.Meta(ge=2, le=_MOST)]
_ONE_OR_MORE = msgspec.Meta(min_length=1)


class TaskSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One task of a study. ``search_task``: another task on the same space, if the oracle answers from one.
    ``as_small_as``: an architecture whose own params and flops become constraints."""

    name: str
    final: str | None = None
    law: str | None = None
    search_task: str | None = None
    constraints: tuple[str, ...] = ()
    as_small_as: str | None = None
    final_seed: _FromZero | None = None
    """Training seed of this task's final scores, in place of the study's."""


class StrategySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One strategy of a study. ``label`` tells apart entries of one strategy with different parameters.
    ``ablations``: true for all that it declares, or their names; each becomes an entry of its own."""

    name: str
    label: str | None = None
    mode: str = "strict"
    params: dict[str, Any] = {}
    tuning_queries: _FromZero | None = None
    ablations: bool | tuple[str, ...] = False


GateMetric = Literal["valid_regret", "score", "ktau", "queries_to_median", "seconds_ratio"]


class GateSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a gate asks of a study. ``margin``: how much worse is still "not worse", in the metric's unit; for
    ``seconds_ratio`` a fraction, .1 for ten percent longer. ``alpha``: how often each kind of verdict may be wrong."""

    margin: float
    metric: GateMetric = "valid_regret"
    alpha: Annotated[float, msgspec.Meta(gt=0, lt=0.5)] = ALPHA


class Study(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A study: every strategy on every task under each budget, ``seeds`` times."""

    name: str
    budget: Budget | Annotated[tuple[Budget, ...], _ONE_OR_MORE]
    tasks: Annotated[tuple[TaskSpec, ...], _ONE_OR_MORE]
    strategies: Annotated[tuple[StrategySpec, ...], _ONE_OR_MORE]
    seed: _FromZero = 0
    seeds: _FromOne = FEWEST_SEEDS
    reference_seeds: _FromOne | None = None
    """Runs of matched random search; default 200 where the task is recorded, as many as ``seeds`` where it trains."""
    final_seed: _FromZero = 0
    draws: _FromTwo | None = None
    """Architectures of random sampling on a task that trains; default as many as ``seeds``, and at least 8."""
    score_incumbents: bool = False
    """On a task that trains: whether each incumbent gets a final training too, for curves of final scores."""
    ktau_sample: _FromTwo | None = None
    """Architectures that KTau is measured on; default 1,000 where the task is recorded, none where it trains."""
    gate: GateSpec | None = None
    """What `nas-harness gate` asks; changes no record."""

    @property
    def budgets(self) -> tuple[Budget, ...]:
        return self.budget if isinstance(self.budget, tuple) else (self.budget,)


_STRUCT_OF: dict[str, type[msgspec.Struct]] = {
    "tasks": TaskSpec,
    "strategies": StrategySpec,
    "budget": Budget,
    "gate": GateSpec,
}
_LOOKS_LIKE = {
    "budget": "such as budget = { queries = 100 }, in queries, epochs or seconds",
    "tasks": "a task is a table [[tasks]] with a name (nas-harness list tasks)",
    "strategies": "a strategy is a table [[strategies]] with a name (nas-harness list strategies)",
    "gate": "such as [gate] with margin = 0.5, in the unit of the scores",
    "gate.alpha": "such as 0.05",
    "seeds": f"fewer than {FEWEST_SEEDS} are non-compliant",
    "strategies.tuning_queries": "0 where nothing was tuned",
}
"""What a field must be, for messages about another value."""


def load_study(path: Path) -> Study:
    """Read and check the shape of a study file. Raises StudyError naming file and line or field."""
    try:
        text = read_file(path).decode("utf-8-sig")
    except FileNotFoundError:
        raise StudyError(f"{path}: no such study file") from None
    except (OSError, UnicodeDecodeError) as error:
        own = path / "study.toml"
        hint = f"; to go on with the study in it: nas-harness run {own}" if own.is_file() else ""
        raise StudyError(f"{path}: cannot be read: {error}{hint}") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path}: not valid TOML: {error}") from None
    try:
        study = msgspec.convert(data, Study)
    except msgspec.ValidationError as error:
        raise StudyError(f"{path}{_place(text, str(error))}") from None
    with located_in(path, text):
        check_shape(study)
    return study


def study_from(data: Mapping[str, Any] | Study) -> Study:
    """The study that a mapping describes as a study file does. Raises StudyError with the field that is wrong.

    A `Study` that was made in Python is checked in the same way: msgspec checks what it reads, not what is constructed.
    """
    try:
        study = msgspec.convert(msgspec.to_builtins(data) if isinstance(data, Study) else dict(data), Study)
    except (msgspec.ValidationError, TypeError) as error:  # TypeError: what no study file can hold, of numpy say
        raise StudyError(f"not a study{_place('', str(error))}") from None
    check_shape(study)
    return study


@contextmanager
def located_in(path: Path, text: str) -> Iterator[None]:
    """Errors about a field of the study get file and line: the study is ``text``, from the file ``path``."""
    try:
        yield
    except HarnessError as error:
        if error.field is None:
            raise
        line = _line_of(text, error.field)
        where = f"{path}:{line}" if line else str(path)
        located = StudyError(f"{where}: {error} (field {error.field})")
        located.status = error.status
        raise located from error


@contextmanager
def of_field(field: str) -> Iterator[None]:
    """An error that names no field is about the field given here."""
    try:
        yield
    except (StudyError, UnknownName, GateError) as error:
        error.field = error.field or field
        raise


def _place(text: str, message: str) -> str:
    """``:line: message (field)`` for msgspec's ``... - at `$.tasks[0].name` ``."""
    what, _, path = message.partition(" - at `$")
    path = path.rstrip("`").lstrip(".")
    unknown = re.search(r"unknown field `([^`]+)`", what)
    target = ".".join(x for x in (path, unknown[1] if unknown else "") if x)
    line = _line_of(text, target) if text else None
    where = f":{line}" if line else ""
    kind = re.sub(r"\[.*", "", path)
    if unknown:
        fields = msgspec.structs.fields(_STRUCT_OF.get(kind, Study))
        hint = nearest(unknown[1], [f.name for f in fields])
        if not hint and kind == "strategies":
            hint = f"parameters of the strategy itself go into params = {{ {unknown[1]} = ... }}"
    elif missing := re.search(r"missing required field `([^`]+)`", what):
        hint = _LOOKS_LIKE.get(missing[1], "")
    elif unlisted := re.search(r"Invalid enum value '(.*)'", what):
        metrics = get_args(GateMetric)  # the only field with a list of values
        hint = nearest(unlisted[1], metrics) or f"known: {', '.join(metrics)}"
    else:
        hint = _LOOKS_LIKE.get(re.sub(r"\[.*?\]", "", path), "") if what.startswith("Expected") else ""
    return f"{where}: {what}" + (f"; {hint}" if hint else "") + (f" (field {path})" if path else "")


def _line_of(text: str, path: str) -> int | None:
    """The line of a dotted field such as ``tasks[1].final``, found by its table header and key; None if not there."""
    lines = text.splitlines()
    start = 0
    match = re.match(r"([\w-]+)\[(\d+|\.\.\.)\]\.?(.*)", path)
    if match:
        headers = [i for i, x in enumerate(lines) if re.match(rf"\s*\[\[\s*{re.escape(match[1])}\s*\]\]", x)]
        position = int(match[2]) if match[2].isdigit() else 0
        if not headers:
            return _line_of(text, match[1])
        if position >= len(headers):
            return None
        start, path = headers[position], match[3]
    key = path.split(".")[0].split("[")[0]
    if not key:
        return start + 1
    for i in range(start, len(lines)):
        if re.match(rf"\s*(\[+\s*)?{re.escape(key)}\b\s*(=|\.|\])", lines[i]):
            return i + 1
        if match and i > start and lines[i].lstrip().startswith("[["):
            return start + 1
    return start + 1 if match else None


def check_shape(study: Study) -> None:
    """Find contradictions, as far as that needs no plugin. Raises StudyError with the field that is wrong."""
    with of_field("gate.margin"):
        if study.gate is not None and not 0 < study.gate.margin < math.inf:
            why = f"margin = {study.gate.margin:g}: above 0 and finite, or nothing can be shown not to be worse"
            raise GateError("margin", why)
    with of_field("name"):
        if not NAME.fullmatch(study.name):
            raise StudyError(f"name = {study.name!r}: use letters, digits, '.', '_' and '-' (it names a folder)")
    with of_field("budget"):
        if len(set(study.budgets)) < len(study.budgets):
            raise StudyError("two budgets are equal")
    for position, t in enumerate(study.tasks):
        for text in t.constraints:
            with of_field(f"tasks[{position}].constraints"):
                Constraint.parse(text)
        with of_field(f"tasks[{position}]"):
            for other in (o for o in study.tasks[:position] if o.name == t.name):
                if (other.final, other.law) != (t.final, t.law):
                    twice = f"task {t.name!r} is named twice with different final or law"
                    raise StudyError(f"{twice}; it has one of each in a study")
                if other == t:
                    raise StudyError(f"task {t.name!r} is named twice; a task has one final in a study")


def resolve_entries(study: Study, registry: Registry) -> list[Entry]:
    """Every entry of the study with its full, typed parameters. Raises UnknownName, PluginError, StudyError."""
    entries: list[Entry] = []
    for position, spec in enumerate(study.strategies):
        place = f"strategies[{position}]"
        where = f"{place} ({spec.name})"
        with of_field(f"{place}.name"):
            cls = registry.load("strategy", spec.name)
        with of_field(f"{place}.mode"):
            if spec.mode not in cls.modes:
                raise StudyError(f"{where}: no mode {spec.mode!r}; it has {', '.join(cls.modes)}")
        mode = cls.modes[spec.mode]
        given = {**mode.params, **spec.params}
        with of_field(f"{place}.params"):
            if none := [name for name, value in spec.params.items() if value is None]:
                raise StudyError(f"{where}: {none[0]} is None, which no study file can hold; leave it out")
            params = _params(cls, given, where)
        plain = Entry(
            label=spec.name if spec.label is None else spec.label,
            strategy=spec.name,
            mode=spec.mode,
            scoring=mode.scoring,
            params=params,
            tuning_queries=spec.tuning_queries,
        )
        of_spec = [plain]
        for name in tuple(cls.ablations) if spec.ablations is True else (spec.ablations or ()):
            with of_field(f"{place}.ablations"):
                if name not in cls.ablations:
                    known = ", ".join(cls.ablations) or "none"
                    raise StudyError(f"{where}: no ablation {name!r}; it declares: {known}")
                changed = _params(cls, {**given, **cls.ablations[name]}, where)
            label = f"{plain.label} [{name}]"
            of_spec.append(msgspec.structs.replace(plain, label=label, params=changed, ablation=name))
        with of_field(f"{place}.label"):
            for entry in of_spec:
                _check_label(entry, entries)
        entries += of_spec
    return entries


def _check_label(entry: Entry, earlier: list[Entry]) -> None:
    if not entry.label.strip():
        raise StudyError("a label is empty; leave it out, and the entry is called as its strategy")
    if entry.label.strip() == SAMPLING:
        raise StudyError(f"{SAMPLING!r} is a line of every table; choose another label")
    if entry.label.startswith(MATCHED):
        raise StudyError(f"{MATCHED!r} is the name of the reference; choose another label")
    if any((e.label, e.mode) == (entry.label, entry.mode) for e in earlier):
        raise StudyError(f"two entries are called {entry.title!r}; give one of them a label of its own")


def _params(cls: Any, given: dict[str, Any], where: str) -> dict[str, Any]:
    try:
        typed = msgspec.convert(given, cls.Params)
        # As a message has them, which OverflowError refuses where an integer has more than 64 bits.
        said = msgspec.msgpack.decode(msgspec.msgpack.encode(msgspec.to_builtins(typed, str_keys=True)))
    except (msgspec.ValidationError, ValueError, TypeError, OverflowError) as error:
        message = str(error).replace(" - at `$.", " (params.").replace("`", "")
        names = [f.name for f in msgspec.structs.fields(cls.Params)]
        unknown = re.search(r"unknown field (\S+)", message)
        hint = nearest(unknown[1], names) if unknown else ""
        told = f"{message}{')' if '(params.' in message else ''}" + (f"; {hint}" if hint else "")
        raise StudyError(f"{where}: {told}; its parameters: {', '.join(names) or 'none'}") from None
    # As a record has them: a tuple is a list there, as in a message, but infinity and NaN are null.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(typed))
    if odd := [name for name in plain if plain[name] != said[name]]:
        raise StudyError(f"{where}: {odd[0]} is {said[odd[0]]}, and a record holds finite numbers only")
    return plain
