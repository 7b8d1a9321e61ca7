"""Requests in children of a template: what one does reaches no other, and nothing outlives its coordinator."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import get_args

import psutil
import pytest
from leftovers import assert_gone, marked, new_mark
from misbehaving.requests import CORPUS
from misbehaving.strategies import STRATEGIES

from harness.registry import Registry
from harness.registry.items import Kind
from harness.running.children import CannotStart, Pool, Unwanted
from harness.running.keeper import LOG_LIMIT, Outcome

MEMORY = 400 << 20
SECONDS = 0.5
"""The time limit of what would never end."""


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    return new_mark(monkeypatch)


def corpus(*, jobs: int = 1, **options: object) -> Pool:
    return Pool("misbehaving.requests:prepare", jobs=jobs, imports=["misbehaving.probe"], memory=MEMORY, **options)  # type: ignore[arg-type]


def outcomes(pool: Pool, requests: Iterable[tuple[str, bytes, float]]) -> list[Outcome]:
    return [event for event in pool.carry_out(requests) if isinstance(event, Outcome)]


def one(pool: Pool, request: bytes, seconds: float = 60.0) -> Outcome:
    (outcome,) = outcomes(pool, [("one", request, seconds)])
    return outcome


def processes_of(pool: Pool) -> Iterator[psutil.Process]:
    assert pool._template is not None
    return iter(psutil.Process(pool._template.process.pid).children(recursive=True))


def test_a_folder_called_harness_where_it_is_started_is_not_what_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a clone of the project, beside which another version is installed."""
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text("raise ImportError('the wrong one')")
    monkeypatch.chdir(tmp_path)
    with corpus() as pool:
        assert one(pool, b"probe").kind == "done"


# -- the corpus --------------------------------------------------------------------------------------------------------


def test_no_request_of_the_corpus_reaches_the_next_one(mark: str, tmp_path: Path) -> None:
    with corpus(logs=tmp_path) as pool:
        pristine = one(pool, b"probe")
        assert pristine.kind == "done"
        wrong = {}
        for name, (_, kind, told) in CORPUS.items():
            outcome = one(pool, name.encode(), seconds=SECONDS if kind == "timeout" else 60.0)
            if outcome.kind != kind or told not in outcome.told or (outcome.returned == b"x") != (kind == "done"):
                wrong[name] = outcome
            after = one(pool, b"probe")
            if after != pristine:
                wrong[f"after {name}"] = after
            if len(list(processes_of(pool))) != 1:
                wrong[f"left by {name}"] = outcome
        assert wrong == {}
        left = os.listdir(pool._made.scratch)
        assert len(left) <= 1, "only the keeper that was killed cannot remove its run's folder"
    assert not Path(pool._made.scratch).exists()
    assert_gone(mark)


def test_two_workers_side_by_side_are_not_disturbed_either(mark: str) -> None:
    """The probes run while the corpus misbehaves on the other worker; what is lost can be told from what failed."""
    with corpus(jobs=2) as pool:
        pristine = one(pool, b"probe")
        requests = []
        for name, (_, kind, _) in CORPUS.items():
            requests += [(name, name.encode(), SECONDS if kind == "timeout" else 60.0), ("probe", b"probe", 60.0)]
        found = outcomes(pool, requests)
    assert len(found) == 2 * len(CORPUS)
    assert {o.key: o.kind for o in found if o.key != "probe"} == {n: kind for n, (_, kind, _) in CORPUS.items()}
    assert {o.returned for o in found if o.key == "probe"} == {pristine.returned}
    assert_gone(mark)


@pytest.mark.parametrize("preloaded", [[], pytest.param(["torch"], marks=pytest.mark.slow)])
def test_a_sound_search_is_the_same_after_every_strategy_that_misbehaves(preloaded: list[str], mark: str) -> None:
    imports = ["misbehaving.strategies", "harness.testing.spaces", "harness.testing.synthetic", *preloaded]
    with Pool("misbehaving.strategies:prepare", jobs=1, imports=imports, memory=MEMORY) as pool:
        sound = one(pool, b"misbehaving")
        assert sound.kind == "done"
        wrong = {}
        for strategy in STRATEGIES:
            outcome = one(pool, strategy.name.encode(), seconds=SECONDS if strategy.ends == "timeout" else 60.0)
            if strategy.ends not in (outcome.kind, "any"):
                wrong[strategy.name] = outcome
            if (after := one(pool, b"misbehaving")) != sound:
                wrong[f"after {strategy.name}"] = after
        assert wrong == {}
        assert os.listdir(pool._made.scratch) == []
        assert len(list(processes_of(pool))) == 1
    assert_gone(mark)


def test_what_a_request_prints_goes_to_a_bounded_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with corpus(logs=tmp_path / "logs") as pool:
        requests = [(name, name.encode(), 60.0) for name in ("prints_without_end", "patches_a_class")]
        assert {o.kind for o in outcomes(pool, requests)} == {"done"}
    assert capfd.readouterr() == ("", "")
    (log,) = (tmp_path / "logs").iterdir()
    assert log.name == "prints_without_end.log"
    text = log.read_text()
    assert LOG_LIMIT <= len(text) <= LOG_LIMIT + 100
    assert text.startswith("00000000x")
    assert text.endswith("x\n")
    assert "00019999x" in text
    assert f"... {20_000 * 201 - LOG_LIMIT} bytes are left out here ..." in text


# -- processes that end from outside -----------------------------------------------------------------------------------


def kill_soon(victim: str, pool: Pool) -> threading.Thread:
    """Kill -9 the template, a keeper or a child, once all are there."""

    def find() -> int | None:
        if pool._template is None:
            return None
        template = psutil.Process(pool._template.process.pid)
        keepers = template.children()
        children = [c for k in keepers for c in k.children()]
        if not children:
            return None
        return {"template": template, "keeper": children[0].parent(), "child": children[0]}[victim].pid  # type: ignore[union-attr]

    def kill() -> None:
        while (pid := find()) is None:
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def test_each_worker_is_told_a_device_which_the_next_one_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was lost, so that no two runs at a time are told the same one."""
    monkeypatch.setenv("NAS_HARNESS_DEVICE", "cuda:0,cuda:1")
    with Pool("told_devices:prepare", jobs=2, memory=MEMORY) as pool:

        def told(n: int) -> list[bytes]:
            return [o.returned for o in outcomes(pool, [(str(i), b"", 60) for i in range(n)]) if o.kind == "done"]

        assert set(told(8)) == {b"cuda:0", b"cuda:1"}
        first = next(w for w in pool._workers if w.place == 0)
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        told(2)  # one of which is lost
        assert set(told(8)) == {b"cuda:0", b"cuda:1"}
        assert sorted(w.place for w in pool._workers) == [0, 1]


@pytest.mark.parametrize("victim", ["template", "keeper", "child"])
def test_what_is_killed_from_outside_is_lost_and_the_pool_goes_on(victim: str, mark: str) -> None:
    with corpus() as pool:
        killer = kill_soon(victim, pool)
        (lost,) = outcomes(pool, [("sleeps", b"sleeps", 60)])
        killer.join()
        assert (lost.key, lost.kind) == ("sleeps", "lost")
        assert one(pool, b"patches_a_class").kind == "done"
        assert len(list(processes_of(pool))) == 1
    assert_gone(mark)


COORDINATOR = """
import sys
from harness.running.children import Pool
with Pool("misbehaving.requests:prepare", jobs=2, memory=400 << 20) as pool:
    names = ("leaves_daemons", "sleeps", "spins_and_ignores_everything")
    for event in pool.carry_out((name, name.encode(), 1000) for name in names):
        if not isinstance(event, str):
            print(event.key, event.kind, flush=True)
"""


def coordinator() -> subprocess.Popen[str]:
    path = os.pathsep.join(p for p in sys.path if p)
    process = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path}, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "leaves_daemons done\n"
    time.sleep(0.5)
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_its_coordinator(number: signal.Signals, mark: str) -> None:
    with coordinator() as process:
        assert len(marked(mark)) >= 6
        os.killpg(process.pid, number)  # Ctrl-C, too, is for a group
        _, said = process.communicate(timeout=30)
    assert ("KeyboardInterrupt" in said) == (number == signal.SIGINT)
    assert_gone(mark)


def test_no_process_outlives_a_coordinator_that_is_killed_with_its_template(
    mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # nobody is left to remove the scratch folder
    with coordinator() as process:
        (template,) = psutil.Process(process.pid).children()
        os.kill(process.pid, signal.SIGKILL)
        template.kill()
    assert_gone(mark)


# -- a pool ------------------------------------------------------------------------------------------------------------


def echo(request: bytes) -> bytes:
    return request


def large(request: bytes) -> bytes:
    return request * 8


PREPARED: list[bytes] = []


def prepare(function: bytes) -> Callable[[bytes], bytes]:
    """The function of that name."""
    PREPARED.append(f"prepared {os.getpid()}".encode())
    return globals()[function.decode()]


def prepared(_: bytes) -> bytes:
    return b" ".join([*PREPARED, str(os.getpid()).encode()])


def fail(_: bytes) -> None:
    raise ValueError("the table is torn")


def exit_at_once(_: bytes) -> None:
    print("last words", flush=True)
    os._exit(1)


def prepare_with_a_thread(function: bytes) -> Callable[[bytes], bytes]:
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    return prepare(function)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """This file by a name of its own, there for children, which have another `tests.harness` in mind."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "functions_of_children.py").symlink_to(__file__)
    monkeypatch.syspath_prepend(str(folder))


def pool(function: str, *, prepare: str = "prepare", **options: object) -> Pool:
    return Pool(f"functions_of_children:{prepare}", function.encode(), **{"jobs": 1, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("prepare", ["prepare", "prepare_with_a_thread"])
def test_every_request_has_a_process_of_its_own_which_prepares_where_a_fork_would_not_survive(
    prepare: str, mark: str
) -> None:
    with pool("prepared", jobs=2, prepare=prepare) as p:
        p.start()
        anew = len(p.threads) == 1
        assert anew == (prepare == "prepare_with_a_thread")
        found = outcomes(p, [(str(i), b"", 60) for i in range(6)])
    assert sorted(o.key for o in found) == list("012345")
    assert {(o.kind, o.told) for o in found} == {("done", "")}
    words = [o.returned.split() for o in found]
    assert all(w[0] == b"prepared" and len(w) == 3 for w in words)
    assert len({w[2] for w in words}) == 6
    if anew:
        assert all(w[1] == w[2] for w in words)
    else:
        assert len({w[1] for w in words}) == 1
    assert_gone(mark)


def test_every_strategy_and_protocol_that_we_ship_can_be_forked() -> None:
    pytest.importorskip("torch_geometric")
    registry = Registry()
    items = [registry.find(kind, name) for kind in get_args(Kind) for name in registry.names(kind)]
    imports = {module for i in items for module in (*i.provides.requires, i.provides.load.partition(":")[0])}
    assert {"torch", "optuna"} <= imports
    with pool("echo", imports=sorted(imports)) as p:
        p.start()
        assert p.threads == ()


def test_large_requests_and_replies_arrive_whole() -> None:
    request = os.urandom(3 << 20)
    with pool("large") as p:
        assert one(p, request).returned == request * 8


def test_requests_are_asked_for_one_by_one_and_each_begins_when_a_worker_is_free() -> None:
    asked: list[str] = []

    def requests() -> Iterator[tuple[str, bytes, float]]:
        for i in range(20):
            asked.append(str(i))
            yield str(i), b"", 60

    begun, ended = [], []
    with pool("echo", jobs=2) as p:
        for event in p.carry_out(requests()):
            (begun if isinstance(event, str) else ended).append(event)
            assert 0 <= len(begun) - len(ended) <= 2
            assert len(asked) <= len(ended) + 4  # those under way, what the caller is about to hear, and the next one
    assert begun == asked
    assert {o.key for o in ended} == set(asked)


def test_it_ends_where_nobody_wants_the_outcomes_any_more(mark: str) -> None:
    started = time.monotonic()
    with corpus(wanted=lambda: time.monotonic() < started + 0.5) as p, pytest.raises(Unwanted):
        outcomes(p, [("sleeps", b"sleeps", 1000)])
    assert_gone(mark)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"prepare": "fail"}, "(?s)cannot be made ready.*ValueError: the table is torn"),
        ({"imports": ["no_such_module"]}, "(?s)cannot be made ready.*No module named 'no_such_module'"),
        ({"prepare": "exit_at_once"}, "(?s)ended 3 times in a row; it said last:\nlast words"),
        ({"memory": 1 << 20}, r"may hold 1 MiB, but its process holds \d+ MiB before it starts"),
    ],
)
def test_what_cannot_start_says_why(options: dict[str, object], told: str, mark: str) -> None:
    with pool("echo", **options) as p, pytest.raises(CannotStart, match=told):
        one(p, b"x")
    assert_gone(mark)


# -- what it costs -----------------------------------------------------------------------------------------------------


def spin(request: bytes) -> bytes:
    started = time.process_time()
    while time.process_time() - started < float(request):
        pass
    return request


def seconds_for(p: Pool, n: int, request: bytes) -> float:
    """Of ``n`` requests on workers that are there already."""
    started = time.perf_counter()
    assert {o.kind for o in outcomes(p, [(str(i), request, 60) for i in range(n)])} == {"done"}
    return time.perf_counter() - started


@pytest.mark.timing
@pytest.mark.parametrize(("imports", "limit"), [(["numpy"], 0.005), (["torch"], 0.015)])
def test_a_process_for_each_request_costs_milliseconds(imports: list[str], limit: float) -> None:
    with pool("spin", imports=imports) as p:
        seconds_for(p, 4, b"0")
        assert min(seconds_for(p, 50, b"0") for _ in range(5)) / 50 <= limit


@pytest.mark.timing
def test_two_workers_do_nearly_twice_as_much_as_one() -> None:
    """200 runs of half a second. By turns, so that what else the machine does falls on both; the median of five."""
    with pool("spin", jobs=1) as one, pool("spin", jobs=2) as two:
        for p in (one, two):
            seconds_for(p, 4, b"0.1")
        ratios = [seconds_for(one, 40, b"0.5") / seconds_for(two, 40, b"0.5") for _ in range(5)]
    assert statistics.median(ratios) >= 1.85
