"""The study file: what it means, and what its errors say."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness.errors import InvalidArchitecture, PluginError, StudyError, UnknownName
from harness.records.specs import Entry
from harness.registry import Registry
from harness.running.plan import make_plan
from harness.running.study import MATCHED, load_study, located_in, resolve_entries
from harness.strategy import Params
from harness.testing import ToyEdgeSpace

GOOD = """
name = "first"
seeds = 2
budget = { queries = 10 }

[[tasks]]
name = "toy/edges"

[[strategies]]
name = "toy-sampler"
params = { size = 4 }
tuning_queries = 0
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_study_expands_to_entries_times_tasks_times_seeds_and_a_reference(tmp_path: Path, toy: Registry) -> None:
    plan = make_plan(load_study(write(tmp_path, GOOD)), toy)
    sizes = [(plan.record.entries[c.entry].label, len(c.searches)) for c in plan.record.cells]
    assert sizes == [("toy-sampler", 2), (MATCHED, 200)]
    assert len(plan.searches) == 202
    first = plan.searches[plan.record.cells[0].searches[0]]
    assert (first.params, first.law, first.search_seed) == ({"size": 4}, "encodings", 0)
    assert plan.record.settings[0].setting.final == "single"
    fewer = make_plan(load_study(write(tmp_path, GOOD.replace("seeds = 2", "seeds = 2\nreference_seeds = 3"))), toy)
    assert [len(c.searches) for c in fewer.record.cells] == [2, 3]


def test_the_id_depends_on_what_decides_the_record_and_on_nothing_else(tmp_path: Path, toy: Registry) -> None:
    def ids(text: str) -> list[str]:
        return make_plan(load_study(write(tmp_path, text)), toy).record.cells[0].searches

    base = ids(GOOD)
    assert ids(GOOD.replace('"first"', '"second"')) == base
    assert ids(GOOD.replace("seeds = 2", "seeds = 3"))[:2] == base
    assert ids(GOOD.replace("tuning_queries = 0", "tuning_queries = 5")) == base
    assert ids(GOOD.replace("tuning_queries = 0", 'label = "another"')) == base
    assert ids(GOOD.replace("seeds = 2", "seeds = 2\ngate = { margin = 1 }")) == base
    for before, after in (
        ("queries = 10", "queries = 11"),
        ("size = 4", "size = 5"),
        ("toy/edges", "toy/nodes"),
        ("seeds = 2", "seeds = 2\nseed = 1"),
        ("tuning_queries = 0", 'mode = "paper"'),
    ):
        assert not set(ids(GOOD.replace(before, after))) & set(base), (before, after)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("seeds = 2", "seeds = "), "study.toml: not valid TOML: .*line 3"),
        (("seeds = 2", 'seeds = "two"'), r"study.toml:3: Expected `int`, got `str`; .* \(field seeds\)"),
        (("seeds = 2", "sedes = 2"), "study.toml:3: Object contains unknown field `sedes`; did you mean 'seeds'"),
        (("budget = { queries = 10 }\n", ""), r"missing required field `budget`; such as budget = \{ queries"),
        (("params = {", "size = 3\nparams = {"), r"study.toml:11: .*`size`; parameters .* params = \{ size = ... \}"),
        (("queries = 10", "querys = 10"), "study.toml:4: .*unknown field `querys`; did you mean 'queries'"),
        (
            ("params = {", "parms = {"),
            r"study.toml:11: .*`parms`; did you mean 'params'.*strategies\[0\]",
        ),
        (
            ("seeds = 2", "seeds = 2\ngate = { margn = 1 }"),
            r"study.toml:4: .*`margn`; did you mean 'margin'\? \(field gate\)",
        ),
        (
            ("seeds = 2", 'seeds = 2\ngate = { margin = 1, metric = "speed" }'),
            r"study.toml:4: Invalid enum value 'speed'; known: valid_regret, score, .* \(field gate.metric\)",
        ),
        (
            ("seeds = 2", 'seeds = 2\ngate = { margin = 1, metric = "regret" }'),
            r"study.toml:4: Invalid enum value 'regret'; did you mean 'valid_regret'\? \(field gate.metric\)",
        ),
        (
            ("seeds = 2", "seeds = 2\ngate = { margin = 1, alpha = 0.5 }"),
            r"study.toml:4: Expected `float` < 0.5; such as 0.05 \(field gate.alpha\)",
        ),
        (("budget = { queries = 10 }", "budget = 300"), r"study.toml:4: .*such as budget = \{ queries = 100 \}"),
        (
            ('[[tasks]]\nname = "toy/edges"', 'tasks = ["toy/edges"]'),
            r"study.toml:6: .*a task is a table \[\[tasks\]\]",
        ),
        (('name = "toy/edges"', 'nmae = "toy/edges"'), r"study.toml:[67]: .*(nmae|name)"),
        (
            ("tuning_queries = 0", "tuning_queries = 0\n[[strategies]]\nmode = 3"),
            r"study.toml:1[34]: .*field strategies\[1\]",
        ),
        (("queries = 10", "queries = 0"), "positive"),
        (("queries = 10", f"queries = {10**22}"), "below 1e18"),
        (("seeds = 2", f"seeds = {10**9}"), r"study.toml:3: Expected `int` <= 1000000; .*\(field seeds\)"),
        (("seeds = 2", f"seeds = 2\nseed = {10**22}"), r"study.toml:4: Expected `int` <= .*\(field seed\)"),
        (("seeds = 2", "seeds = 2\ndraws = 1"), r"study.toml:4: Expected `int` >= 2 \(field draws\)"),
        (
            ('"toy/edges"', '"toy/edges"\nfinal_seed = -1'),
            r"study.toml:8: Expected `int` >= 0 \(field tasks",
        ),
        (("{ queries = 10 }", "{}"), "at least one of queries, epochs, seconds"),
        (
            ("seeds = 2", "seeds = 0"),
            r"study.toml:3: Expected `int` >= 1; fewer than 8 are non-compliant \(field seeds\)",
        ),
        (
            ("tuning_queries = 0", "tuning_queries = -1"),
            r"study.toml:12: Expected `int` >= 0; 0 where nothing was tuned \(field strategies\[0\].tuning_queries\)",
        ),
        (('"first"', '"../first"'), "names a folder"),
        (('[[tasks]]\nname = "toy/edges"', ""), "tasks"),
        (('name = "toy/edges"', 'name = "toy/edges"\n[[tasks]]\nname = "toy/edges"'), "study.toml:8: .*is named twice"),
        (
            ('name = "toy/edges"', 'name = "toy/edges"\n[[tasks]]\nname = "toy/edges"\nlaw = "rows"'),
            "study.toml:8: .*with different final or law",
        ),
        (
            ('name = "toy/edges"', 'name = "toy/edges"\nconstraints = ["params about 3"]'),
            r"study.toml:8: constraint .*not of the form.*field tasks\[0\].constraints",
        ),
        (
            ('name = "toy/edges"', 'name = "toy/edges"\nconstraints = ["params <= 1e999"]'),
            r"study.toml:8: constraint 'params <= 1e999' is not of the form",
        ),
    ],
)
def test_a_malformed_study_names_the_line_or_field(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(StudyError, match=message):
        load_study(write(tmp_path, GOOD.replace(*change)))


def test_a_missing_study_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no such study file"):
        load_study(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (("toy-sampler", "toy-smapler"), UnknownName, "unknown strategy 'toy-smapler'; did you mean 'toy-sampler'"),
        (("toy/edges", "toy/edgse"), UnknownName, "unknown task 'toy/edgse'; did you mean 'toy/edges'"),
        (
            ("size = 4", "sise = 4"),
            StudyError,
            r"strategies\[0\] \(toy-sampler\): .*sise; did you mean 'size'\?; its",
        ),
        (("size = 4", "size = 0"), StudyError, r"Expected `?int`? >= 1.*params.size"),
        (("tuning_queries = 0", 'mode = "published"'), StudyError, "no mode 'published'; it has strict, paper, top"),
        (("tuning_queries = 0", 'ablations = ["none"]'), StudyError, "no ablation 'none'; it declares: single"),
        (('name = "toy/edges"', 'name = "toy/edges"\nfinal = "mean"'), StudyError, "no final 'mean'; it has single"),
        (('name = "toy/edges"', 'name = "toy/edges"\nlaw = "rows"'), StudyError, "no law 'rows'"),
        (('name = "toy/edges"', 'name = "toy/edges"\nfinal_seed = 1'), StudyError, "recorded, so no final training"),
        (("{ queries = 10 }", "{ seconds = 10 }"), StudyError, "toy/timeless: the budget limits seconds, but"),
        (
            ('name = "toy/edges"', 'name = "toy/edges"\nconstraints = ["weight < 3"]'),
            StudyError,
            "toy/edges: constraint weight < 3: the task does not record 'weight'; it has: .*params",
        ),
        (
            ('name = "toy/edges"', 'name = "toy/edges"\nsearch_task = "toy/nodes"'),
            StudyError,
            "is on the space toy-nodes",
        ),
        (('name = "toy/edges"', 'name = "toy/final"'), StudyError, "cannot both search and score it"),
        (
            ('name = "toy/edges"', 'name = "toy/final"\nsearch_task = "toy/final"'),
            StudyError,
            "cannot both search and score it",
        ),
        (
            ("tuning_queries = 0", '[[strategies]]\nname = "toy-sampler"\nparams = { size = 5 }'),
            StudyError,
            "give one of them a label",
        ),
    ],
)
def test_a_contradictory_study_is_refused_before_anything_runs(
    tmp_path: Path, toy: Registry, change: tuple[str, str], error: type[Exception], message: str
) -> None:
    assert change[0] in GOOD
    text = GOOD.replace("toy/edges", "toy/timeless") if "seconds" in change[1] else GOOD
    study = load_study(write(tmp_path, text.replace(*change)))
    with pytest.raises(error, match=message):
        make_plan(study, toy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("toy-sampler", "toy-smapler"), r":10: unknown strategy 'toy-smapler'; .*field strategies\[0\].name"),
        (("toy/edges", "toy/edgse"), r":7: unknown task 'toy/edgse'; did you mean 'toy/edges'.*field tasks\[0\].name"),
        (('"toy/edges"', '"toy/edges"\nfinal = "mean"'), r":8: .*no final 'mean'.*field tasks\[0\].final"),
        (('"toy/edges"', '"toy/edges"\nlaw = "rows"'), r":8: .*no law 'rows'.*field tasks\[0\].law"),
        (('"toy/edges"', '"toy/edges"\nsearch_task = "toy/nodse"'), r":8: unknown task.*field tasks\[0\].search_task"),
        (('"toy/edges"', '"toy/edges"\nconstraints = ["weight < 3"]'), r":8: .*'weight'.*field tasks\[0\].constraints"),
        (("size = 4", "sise = 4"), r":11: .*did you mean 'size'.*field strategies\[0\].params"),
        (("tuning_queries = 0", 'label = " "'), r":12: a label is empty; leave it out.*field strategies\[0\].label"),
        (("tuning_queries = 0", 'label = ""'), r":12: a label is empty; leave it out.*field strategies\[0\].label"),
        (
            ("tuning_queries = 0", 'label = "random sampling"'),
            r":12: 'random sampling' is a line of every table; choose another label .*field strategies\[0\].label",
        ),
        (("tuning_queries = 0", 'mode = "papr"'), r":12: .*no mode 'papr'.*field strategies\[0\].mode"),
        (("tuning_queries = 0", 'ablations = ["none"]'), r":12: .*no ablation 'none'.*field strategies\[0\].ablations"),
        (
            ("tuning_queries = 0", '[[strategies]]\nname = "toy-returnr"'),
            r":13: unknown strategy 'toy-returnr'; did you mean 'toy-returner'.*field strategies\[1\].name",
        ),
    ],
)
def test_what_only_plugins_know_is_wrong_is_said_with_file_line_and_field(
    tmp_path: Path, toy: Registry, change: tuple[str, str], message: str
) -> None:
    path = write(tmp_path, GOOD.replace(*change))
    with pytest.raises(StudyError, match=f"study.toml{message}"), located_in(path, path.read_text(encoding="utf-8")):
        make_plan(load_study(path), toy)


def test_ablations_become_entries_of_their_own(tmp_path: Path, toy: Registry) -> None:
    entries = resolve_entries(load_study(write(tmp_path, GOOD.replace("tuning_queries = 0", "ablations = true"))), toy)
    assert [(r.label, r.ablation, r.params) for r in entries] == [
        ("toy-sampler", None, {"size": 4}),
        ("toy-sampler [single]", "single", {"size": 1}),
    ]


def test_parameters_are_as_a_message_has_them(tmp_path: Path, toy: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply is held against what was asked for, which has been through a message."""

    class WithTuple(Params):
        size: int = 4
        start: tuple[str, ...] = ()

    monkeypatch.setattr(toy.load("strategy", "toy-sampler"), "Params", WithTuple)
    (entry,) = resolve_entries(load_study(write(tmp_path, GOOD)), toy)
    assert entry.params == {"size": 4, "start": []}
    assert entry == msgspec.msgpack.decode(msgspec.msgpack.encode(entry), type=Entry)


def test_a_parameter_that_no_study_file_can_hold_is_refused(tmp_path: Path, toy: Registry) -> None:
    """It would be left out of study.toml, and that file would then be run with the default."""
    study = load_study(write(tmp_path, GOOD))
    given = msgspec.structs.replace(study.strategies[0], params={"size": None})
    with pytest.raises(StudyError, match=r"\(toy-sampler\): size is None, which no study file can hold; leave it out"):
        resolve_entries(msgspec.structs.replace(study, strategies=[given]), toy)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), [0.5, float("-inf")]])
def test_a_parameter_that_no_record_can_hold_is_refused(
    tmp_path: Path, toy: Registry, monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    """A record would have null in its place, and be that of another configuration."""

    class WithRate(Params):
        rate: float | tuple[float, ...] | None = None

    monkeypatch.setattr(toy.load("strategy", "toy-sampler"), "Params", WithRate)
    study = load_study(write(tmp_path, GOOD))
    given = msgspec.structs.replace(study.strategies[0], params={"rate": value})
    with pytest.raises(StudyError, match=r"rate is .*(inf|nan).*, and a record holds finite numbers only"):
        resolve_entries(msgspec.structs.replace(study, strategies=[given]), toy)


def test_a_parameter_that_no_message_can_hold_is_refused(
    tmp_path: Path, toy: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WithCount(Params):
        count: int = 0

    monkeypatch.setattr(toy.load("strategy", "toy-sampler"), "Params", WithCount)
    study = load_study(write(tmp_path, GOOD))
    given = msgspec.structs.replace(study.strategies[0], params={"count": 10**30})
    with pytest.raises(StudyError, match=r"\(toy-sampler\): can't serialize ints .*; its parameters: count"):
        resolve_entries(msgspec.structs.replace(study, strategies=[given]), toy)


def test_a_plugin_whose_library_is_missing_names_the_command(toy: Registry) -> None:
    from harness import Provides

    class Module:
        pass

    from harness.hookspecs import hookimpl

    module = type("Module", (), {})()
    module.nas_harness_strategies = hookimpl(
        lambda: [Provides("json:dumps", name="absent", requires=("no_such_library",), install="pip install that")]
    )
    toy.register(module, "late", "late-dist", "1")
    with pytest.raises(PluginError, match="needs no_such_library: pip install that"):
        toy.load("strategy", "absent")


@pytest.mark.parametrize("search_task", ["toy/edges", "toy/final2"])
def test_a_task_without_validation_is_searched_through_another(tmp_path: Path, toy: Registry, search_task: str) -> None:
    text = GOOD.replace('name = "toy/edges"', f'name = "toy/final"\nsearch_task = "{search_task}"')
    plan = make_plan(load_study(write(tmp_path, text)), toy)
    (about,) = plan.record.settings
    assert (about.setting.task, about.setting.search_task) == ("toy/final", search_task)
    assert {s.search_task for s in plan.searches.values()} == {search_task}


def test_a_given_cell_becomes_constraints_under_which_it_is_itself_just_feasible(
    tmp_path: Path, toy: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One live branch with a 1 x 1 convolution: 4 * 4 + 8 * 8 parameters, each used on 64 pixels."""
    task = 'name = "toy/edges"\nas_small_as = "conv1~skip|none~conv3"\nconstraints = ["train_seconds <= 60"]'
    plan = make_plan(load_study(write(tmp_path, GOOD.replace('name = "toy/edges"', task))), toy)
    constraints = {tuple(map(str, s.constraints)) for s in plan.searches.values()}
    assert constraints == {("train_seconds <= 60", "flops <= 5120", "params <= 80")}
    with pytest.raises(InvalidArchitecture, match="conv9"):
        make_plan(load_study(write(tmp_path, GOOD.replace('name = "toy/edges"', task.replace("conv1", "conv9")))), toy)
    monkeypatch.setattr(ToyEdgeSpace, "costs", lambda self, archs: {"params": np.full(len(archs), np.nan)})
    with pytest.raises(StudyError, match="task 'toy/edges' knows no costs of it: take out as_small_as = 'conv1~"):
        make_plan(load_study(write(tmp_path, GOOD.replace('name = "toy/edges"', task))), toy)
