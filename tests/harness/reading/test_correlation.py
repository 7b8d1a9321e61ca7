"""Agreement of fidelities and repeats: a table of five rows worked by hand, and a real one whose tau is known."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from written_records import run, sampling, study, write_study

from harness import Evaluator, Fidelity, FinalScores, RunContext, Score, Task, Truth, Validation, Validator
from harness.errors import DataMissing, UnknownArchitecture
from harness.reading.agreement import Spread, best
from harness.reading.report.section import Choice, Source
from harness.reading.report.sections import write_report
from harness.reading.report.sections.correlation import TaskCorrelation, correlations_of
from harness.reading.report.sections.spread import spreads_of
from harness.registry import Registry

FINAL = [1.0, 2.0, 3.0, 4.0, np.nan]
EARLY = [1.0, 3.0, 2.0, 4.0, 9.0]  # one of six pairs discordant: tau (5 - 1) / 6
FULL = [4.0, 3.0, 2.0, 1.0, 9.0]  # every pair discordant
REPEATS = {("early", 0): EARLY, ("early", 7): FULL, ("full", 0): FULL, ("full", 7): [4.0, 3.0, np.nan, 1.0, 9.0]}
FIDELITIES = (Fidelity("early", 1, True), Fidelity("full", 2, True))


class FiveRows(Evaluator):
    """Five rows, the last without a final score; twice the score where lower is better."""

    law = "rows"

    def __init__(self, *, lower: bool = False, recorded: bool = True, fidelities: tuple[Fidelity, ...] = FIDELITIES):
        self.sign = -1.0 if lower else 1.0
        self.score = Score(higher_is_better=not lower)
        self.task = Task("toy/a", "toy", recorded=recorded)
        self.data_digest = "d1"
        self.levels = fidelities

    def validator(self, column: str = "validation", context: RunContext = RunContext()) -> Validator:
        return Columns(self)

    def final_scores(self, archs: Any, *, final: str, seed: int | None = None) -> FinalScores:
        return FinalScores(self.sign * np.array(FINAL)[[a[0] for a in archs]])

    def truth(self, final: str) -> Truth:
        return Truth(self.sign * np.array(FINAL), None, [(i,) for i in range(5)], {"rows": None})


class Columns(Validator):
    def __init__(self, evaluator: FiveRows) -> None:
        self.score, self.fidelities, self.sign = evaluator.score, evaluator.levels, evaluator.sign
        self.repeats = (0, 7)

    def identity(self, archs: Any) -> Any:
        return np.array([a[0] for a in archs])

    def validate(self, archs: Any, *, fidelity: Fidelity, repeat: int | None = None) -> Validation:
        values = {"early": EARLY, "full": FULL}[fidelity.name] if repeat is None else REPEATS[fidelity.name, repeat]
        return Validation(self.sign * np.array(values)[[a[0] for a in archs]])


def correlation(evaluator: Evaluator, **options: Any) -> TaskCorrelation:
    (found,) = correlations_of(Source(study([run("alpha", 0, **options)])), lambda _: evaluator)
    return found


@pytest.mark.parametrize("lower", [False, True])
def test_fidelities_against_the_final_score_and_repeats_against_each_other(lower: bool) -> None:
    found = correlation(FiveRows(lower=lower))
    assert (found.sample, found.missing, found.note) == (4, None, None)  # the fifth row has no final score
    told = [(a.kind, a.fidelity, a.epochs, a.repeats, a.n, a.ktau) for a in found.agreements]
    assert told == [
        ("fidelity", "early", 1, None, 4, pytest.approx(4 / 6)),
        ("fidelity", "full", 2, None, 4, pytest.approx(-1.0)),
        ("repeats", "early", 1, (0, 7), 4, pytest.approx(-4 / 6)),
        ("repeats", "full", 2, (0, 7), 3, pytest.approx(1.0)),  # of one row the second repeat was never run
    ]


@pytest.mark.parametrize("lower", [False, True])
def test_beside_each_tau_stand_the_changes_and_the_rank_shifts(lower: bool) -> None:
    """Early 1 3 2 4 against final 1 2 3 4: two scores change by one, two rows by one rank. Full: 4 3 2 1."""
    early, full, repeated, _ = correlation(FiveRows(lower=lower)).agreements
    half = pytest.approx(0.5773502691896258)  # the deviation of 0 1 1 0, ddof 1
    assert early.changes == early.shifts == Spread(n=4, mean=0.5, std=half, low=0.0, high=1.0)
    assert full.changes is not None
    assert (full.changes.mean, full.changes.high) == (2.0, 3.0)
    assert repeated.shifts is not None
    assert (repeated.shifts.mean, repeated.shifts.high) == (1.5, 3.0), "1 3 2 4 against 4 3 2 1"


def test_a_change_between_scores_of_two_units_is_none() -> None:
    loss = FiveRows()
    loss.score = Score("contrastive loss", "")
    runs = Source(study([run("alpha", 0, search_task="toy/b")]))
    (found,) = correlations_of(runs, lambda name: FiveRows() if name == "toy/a" else loss)
    fidelities = [a for a in found.agreements if a.kind == "fidelity"]
    repeats = [a for a in found.agreements if a.kind == "repeats"]
    assert [a.changes for a in fidelities] == [None, None]
    assert all(a.shifts is not None for a in fidelities)
    assert all(a.changes is not None for a in repeats), "both are of the search task"


def test_what_the_search_tasks_table_lacks_is_not_of_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    def identity(self: Columns, archs: Any) -> Any:
        if (1,) in archs:
            raise UnknownArchitecture("row 1 is not in this table")
        return np.array([a[0] for a in archs])

    monkeypatch.setattr(Columns, "identity", identity)
    assert correlation(FiveRows()).sample == 3


def test_each_epoch_of_one_training_makes_a_curve_that_is_smoothed() -> None:
    early, full = correlation(FiveRows()).agreements[:2]
    assert early.ktau_smoothed == pytest.approx(4 / 6)
    # The mean of both epochs is 2.5, 3, 2, 2.5: two pairs concordant, three discordant, one tied.
    assert full.ktau_smoothed == pytest.approx((2 - 3) / np.sqrt(5 * 6))
    apart = (Fidelity("early", 1), Fidelity("full", 2))
    assert [a.ktau_smoothed for a in correlation(FiveRows(fidelities=apart)).agreements] == [None] * 4


def test_the_best_are_a_tenth_of_the_samples_final_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = correlation(FiveRows(lower=True)).agreements[0]
    assert (alone.best_n, alone.ktau_best) == (1, None)
    monkeypatch.setattr("harness.reading.report.sections.correlation.best", lambda finals: best(finals, 0.7))
    early = correlation(FiveRows(lower=True)).agreements[0]
    assert (early.best_n, early.ktau_best) == (3, pytest.approx(1 / 3))  # rows 2, 3, 4: 3 2 4 against 2 3 4


@pytest.mark.parametrize("lower", [False, True])
def test_the_spread_of_random_architectures_stands_beside_the_tables_own(lower: bool) -> None:
    sign = -1.0 if lower else 1.0
    runs = Source(study([run("alpha", 0)]))
    (found,) = spreads_of(runs, lambda _: FiveRows(lower=lower))
    assert found.drawn is not None
    assert (found.drawn.n, found.drawn.mean) == (4, sign * 2.5), "of five rows one has no final score"
    assert sorted([sign * found.drawn.low, sign * found.drawn.high]) == [1.0, 4.0]
    assert found.drawn.std == pytest.approx(np.sqrt(5 / 3))
    assert (found.mean, found.std) == (sign * 2.5, pytest.approx(np.sqrt(5 / 4)))


def test_a_constraint_that_restricts_no_sample_is_in_no_title() -> None:
    (spread,) = spreads_of(Source(study([run("alpha", 0, constraints=["params <= 200"])])), lambda _: FiveRows())
    assert (spread.title, spread.mean) == ("toy/a", 2.5), "of all rows"
    assert correlation(FiveRows(), constraints=["params <= 200"]).title == "toy/a"


def test_the_spread_of_a_task_that_trains_is_that_of_random_sampling() -> None:
    of_draws = sampling("toy/a", draws=[1.0, 2.0, 6.0])
    (trained,) = spreads_of(Source(study([run("alpha", 0)], [of_draws])), lambda _: FiveRows(recorded=False))
    assert trained.drawn is not None
    assert (trained.drawn.n, trained.drawn.mean, trained.drawn.low, trained.drawn.high) == (3, 3.0, 1.0, 6.0)
    assert (trained.mean, trained.std) == (None, None), "nobody knows all rows"
    absent = Source(study([run("alpha", 0)], [sampling("toy/a", draws=[])]))
    (none,) = spreads_of(absent, lambda _: FiveRows(recorded=False))
    assert (none.drawn, none.missing) == (None, "random sampling has no score yet")


def test_what_is_not_there_or_not_the_records_own_is_said() -> None:
    other = FiveRows()
    other.data_digest = "d2"
    assert "not those of the records" in str(correlation(other).note)
    trained = correlation(FiveRows(recorded=False))
    assert (trained.missing, trained.agreements) == ("its trainings keep no score of every epoch", [])

    def absent(_: str) -> Evaluator:
        raise DataMissing("toy/a: no table; get it with: toy-download")

    (found,) = correlations_of(Source(study([run("alpha", 0)])), absent)
    assert found.missing == "toy/a: no table; get it with: toy-download"


def test_every_format_holds_the_same(toy: Registry, tmp_path: Path) -> None:
    runs = [
        run("alpha", 0, task="toy/edges", final="single", law="encodings"),
        run("alpha", 1, task="toy/absent", final="single"),
    ]
    folder = write_study(tmp_path, runs)

    def section(form: str) -> str:
        text = io.StringIO()
        console = Console(file=text, width=100)
        write_report(folder, Choice(sections=("correlation",), form=form), console, lambda: toy)
        return text.getvalue()

    edges, absent = json.loads(section("json"))["correlation"]
    assert [a["epochs"] for a in edges["agreements"] if a["kind"] == "fidelity"] == [4, 12, 36]
    taus = [a["ktau"] for a in edges["agreements"]]
    assert edges["agreements"][0]["changes"]["high"] > edges["agreements"][2]["changes"]["high"] > 0
    assert 0 < taus[0] < taus[1] < taus[2] < 1  # its noise falls from 30 to 8 against a spread of 50
    assert "toy-download" in absent["missing"]
    *lines, last = csv.DictReader(io.StringIO(section("csv")))
    assert [float(line["ktau"]) for line in lines] == taus
    assert (last["task"], last["ktau"]) == ("toy/absent", "")
    for form in ("text", "markdown"):
        told = " ".join(section(form).split())
        assert f"{taus[0]:.3f}" in told
        assert "no correlation: toy/absent: its table is not here" in told


def test_on_cora_the_sample_agrees_with_the_tables_own_tau() -> None:
    """Over all 26,206 rows of cora, tau-b between validation and test is .56."""
    pytest.importorskip("nas_bench_graph")
    registry = Registry()
    name = "nasbench-graph/cora"
    task = registry.task(name)
    if (why := registry.protocol(task.protocol).missing(task)) is not None:
        pytest.skip(why)
    evaluator = registry.protocol(task.protocol).open(task)
    found = correlations_of(Source(study([run("alpha", 0, task=name, final="single")])), lambda _: evaluator)[0]
    (agreement,) = found.agreements
    assert (found.sample, agreement.n) == (1000, 1000)
    assert agreement.ktau == pytest.approx(0.556, abs=0.06)  # four standard errors of 1,000 rows
