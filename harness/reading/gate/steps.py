"""A gate from a study file or its folder: what is missing is run, in steps where it is to go on until decided."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.errors import GateError, RecordError, StudyError
from harness.reading.gate.lines import Gate, GateLine, judge
from harness.reading.gate.pairs import Side, cells_of, check_cells, pair_up, planned_cells, read_side, study_seeds
from harness.reading.gate.reference import check_replaceable, write_reference
from harness.records.specs import Setting
from harness.registry import Registry
from harness.running.campaign import carry_out_study
from harness.running.execution import Stopped
from harness.running.listening import Listener
from harness.running.plan import make_plan
from harness.running.settings import Settings
from harness.running.study import GateSpec, Study, load_study, located_in
from harness.statistics.gate import looks


@dataclass(frozen=True)
class Running:
    """How what is missing of a study is run: into the folder ``results`` of all studies."""

    registry: Registry
    results: Path = Path("results")
    settings: Settings | None = None
    listener: Listener | None = None

    def check(self, file: Path, study: Study, reference: Side) -> None:
        """Raises what is wrong with the study, and GateError where the two sides do not have the same lines."""
        with located_in(file, file.read_text(encoding="utf-8")):
            plan = make_plan(study, self.registry)
        check_cells(planned_cells(plan.record), cells_of(reference[1]), reference[0].path)
        if study.seed not in (known := study_seeds(reference[1])):
            seeds = " and ".join(map(str, sorted(known)))
            raise GateError(
                "seeds",
                f"the study has seed = {study.seed}, {reference[0].path} has {seeds}, so that no run has its like "
                "there; restore it, or write the reference anew (--update)",
            )

    def to(self, file: Path, study: Study, seeds: int) -> Path:
        """Run what is missing of so many seeds; the folder. Raises KeyboardInterrupt, Stopped."""
        text = file.read_text(encoding="utf-8") if seeds == study.seeds else None
        with nullcontext() if text is None else located_in(file, text):
            study = msgspec.structs.replace(study, seeds=seeds)
            summary = carry_out_study(study, text=text, **vars(self))
        if summary.interrupted:
            raise KeyboardInterrupt
        if summary.stopped is not None:
            raise Stopped(summary.stopped)
        return summary.folder


def gate(given: Path, against: Path, running: Running, *, until_decided: int | None = None) -> Gate:
    """Compare a study with the reference records in ``against``. given: its file, of which what is missing is run, or
    its folder.

    until_decided: look at the study's seeds, then at twice as many, and so on to this number, while a line is
    undecided.
    Raises GateError for what cannot be compared, HarnessError for what is wrong with the study or a folder, before
    anything is run where that can be told; KeyboardInterrupt where it was interrupted, Stopped where the machine or the
    cluster could not carry out the rest.
    """
    if not against.is_dir():
        raise RecordError(f"{against} holds no reference records; write them with --update --reason '...'")
    study = None if given.is_dir() else load_study(given)
    own = given if study is None else running.results / study.name
    if against.resolve() == own.resolve():
        raise RecordError(f"{against} is the study's own folder, which never differs; name the one that --update wrote")
    reference = read_side(against, whole=True)
    if study is None:
        if until_decided is not None:
            raise StudyError(f"--until-decided runs more seeds, so it needs the study file in place of {given}")
        file = given / "study.toml"
        spec, side = _spec(load_study(file), file), read_side(given)
        steps: tuple[int, ...] = (side[1].seeds,)
        lines = judge(pair_up(side, reference), spec)
    else:
        spec = _spec(study, given)
        steps = _looks(study, reference, until_decided)
        running.check(given, study, reference)
        decided: dict[tuple[Setting, str, str], GateLine] = {}
        for seeds in steps:
            side = read_side(running.to(given, study, seeds))
            lines = judge(pair_up(side, reference), spec, seeds=seeds, looks=len(steps), decided=decided)
            decided = {line.key: line for line in lines if line.verdict != "undecided"}
            if len(decided) == len(lines):
                break
    return Gate(
        study=side[1].study,
        folder=str(side[0].path),
        against=str(reference[0].path),
        metric=spec.metric,
        margin=spec.margin,
        alpha=spec.alpha,
        looks=list(steps),
        lines=lines,
    )


def update(given: Path, against: Path, reason: str, running: Running, *, seeds: int | None = None) -> int:
    """Write new reference records, see `write_reference`; of a study file what is missing is run first.

    seeds: in place of the study's, so that a gate may look at more seeds than it starts with.
    """
    check_replaceable(against, reason)
    if given.is_dir():
        return write_reference(given, against, reason)
    study = load_study(given)
    _spec(study, given)
    return write_reference(running.to(given, study, study.seeds if seeds is None else seeds), against, reason)


def _spec(study: Study, file: Path) -> GateSpec:
    if study.gate is None:
        raise StudyError(f"{file}: no [gate] table; add one with a margin, in the unit of the scores, such as 0.5")
    return study.gate


def _looks(study: Study, reference: Side, most: int | None) -> tuple[int, ...]:
    """Raises StudyError, and GateError where the reference has fewer seeds than the last look."""
    if most is None:
        return (study.seeds,)
    if most < study.seeds:
        raise StudyError(f"--until-decided {most}: the study has {study.seeds} seeds already; name as many or more")
    fewest = min(len(e.runs) for s in reference[1].settings for e in s.entries)
    if fewest < most:
        raise GateError(
            "seeds",
            f"--until-decided {most}: {reference[0].path} has {fewest} seeds only; name fewer, or write the reference "
            f"anew with --update --until-decided {most}",
        )
    return looks(study.seeds, most)
