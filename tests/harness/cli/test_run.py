"""``run``, ``report`` and ``check`` on the toy plugin: what is printed, what is kept, and the exit status."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from studies import runs_in

from harness.cli import main
from harness.cli.study_options import default_name, study_of
from harness.errors import StudyError
from harness.registry import Registry, default_registry
from harness.search.budget import Budget


@pytest.fixture(autouse=True)
def fresh_registry(toy: Registry) -> Iterator[None]:
    default_registry.cache_clear()
    yield
    default_registry.cache_clear()


def words(tmp_path: Path, *strategies: str, seeds: int = 2) -> list[str]:
    named = [w for s in strategies for w in ("--strategy", s)]
    return [
        "run", *named, "--task", "toy/edges", "--seeds", str(seeds), "--reference-seeds", str(seeds), "--budget", "6",
        "--executor", "serial", "--results", str(tmp_path), "--name", "first",
    ]  # fmt: skip


def test_a_study_said_by_options_runs_prints_its_report_and_runs_only_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(tmp_path, "toy-sampler")) == 0
    first = capsys.readouterr()
    assert "4 runs, 0 already there" in first.err
    assert "4/4 matched-random-search on toy/edges, seed 1: " in first.err
    assert "vs sampling" in first.out
    assert re.search(r"fails +search-seeds +2 search seeds, at least 8", first.out)
    assert first.out.rstrip().endswith(f"4 runs in {tmp_path / 'first'} (4 new)")
    assert main(words(tmp_path, "toy-sampler", seeds=3)) == 0
    second = capsys.readouterr()
    assert "6 runs, 4 already there" in second.err
    assert second.out.rstrip().endswith("(2 new)")
    assert len(runs_in(tmp_path / "first")) == 6


def test_report_of_what_run_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words(tmp_path, "toy-sampler", "toy-returner"), "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["report", str(tmp_path / "first"), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (setting,) = found["settings"]
    assert {e["strategy"] for e in setting["entries"]} == {"toy-sampler", "toy-returner"}
    assert setting["random_sampling"]["exact"] is True
    assert all(e["n"] == 2 and e["paid_queries_mean"] == 6 for e in setting["entries"])
    target = tmp_path / "curves.csv"
    assert main(["report", str(tmp_path / "first"), "--section", "curves", "--format", "csv", "-o", str(target)]) == 0
    assert target.read_text().startswith("label,mode,title,task,search_task,")


def test_a_plugins_metric_is_a_section_of_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words(tmp_path, "toy-sampler", "toy-foreigner"), "-q"]) == 1
    capsys.readouterr()
    section = ["report", str(tmp_path / "first"), "--section", "metrics"]
    assert main([*section, "--format", "json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    found = {m["label"]: m for m in metrics if m["metric"] == "toy-calls"}
    runs = runs_in(tmp_path / "first")
    by_hand = {r.seed: r.asked.total / r.paid.queries for r in runs if r.entry.label == "toy-sampler" and r.paid}
    sampler, foreigner = found["toy-sampler"], found["toy-foreigner"]
    assert sampler["values"] == [by_hand[0], by_hand[1]]
    assert sampler["mean"] == pytest.approx((by_hand[0] + by_hand[1]) / 2)
    assert (foreigner["n"], foreigner["mean"], foreigner["values"]) == (0, None, [None, None])
    assert "matched-random-search" in found
    for form in ("text", "csv", "markdown"):
        assert main([*section, "--format", form]) == 0
        assert f"{sampler['mean']:.2f}" in capsys.readouterr().out
    assert main([*section, "--entry", "toy-foreigner"]) == 0
    assert "toy-calls: no run of these has it" in capsys.readouterr().out
    assert main([*section, "--entry", "toy-foreigner", "--format", "csv"]) == 0
    lines = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert {line["label"] for line in lines} == {"toy-foreigner"}
    assert {line["values"] for line in lines if line["metric"] == "toy-calls"} == {""}


@pytest.mark.parametrize("broken", ["raise", "exit", "text", "inf", "is not there"])
def test_a_broken_metric_is_named_with_its_plugin_and_the_others_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    """Two entries, the strategy's and matched random search's, each of six paid queries a run."""
    assert main([*words(tmp_path, "toy-sampler"), "-q"]) == 0
    if broken != "is not there":
        monkeypatch.setenv("TOY_METRIC", broken)
        why = "metric 'toy-calls' on run "
    else:
        monkeypatch.delattr("toy_plugin.calls_per_query")
        why = "metric 'toy-calls' of toy-plugin 1.0"
    capsys.readouterr()
    section = ["report", str(tmp_path / "first"), "--section", "metrics"]
    assert main([*section, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["metrics"]
    by_name = {name: [m for m in found if m["metric"] == name] for name in ("toy-calls", "toy-paid")}
    assert [(m["mean"], m["values"], m["error"]) for m in by_name["toy-paid"]] == [(6.0, [6.0, 6.0], None)] * 2
    assert [(m["n"], m["mean"], m["values"]) for m in by_name["toy-calls"]] == [(0, None, [])] * 2
    assert all(m["error"].startswith("plugin 'toy' of toy-plugin 1.0: " + why) for m in by_name["toy-calls"])
    for form in ("text", "csv", "markdown"):
        assert main([*section, "--format", form]) == 0
        out = " ".join(capsys.readouterr().out.split())
        assert "plugin 'toy' of toy-plugin 1.0: " + why in out
        assert "6.0" in out


def test_a_study_file_is_kept_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    text = (
        '# a comment\nname = "mine"\nseeds = 1\nbudget = { queries = 5 }\n'
        '[[tasks]]\nname = "toy/edges"\n[[strategies]]\nname = "toy-sampler"\n'
    )
    file.write_text(text)
    assert main(["run", str(file), "--results", str(tmp_path / "r"), "--executor", "serial", "-q"]) == 0
    assert (tmp_path / "r" / "mine" / "study.toml").read_text() == text


def test_failed_runs_are_named_and_exit_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words(tmp_path, "toy-raiser", "toy-sampler"), "-q"]) == 1
    err = capsys.readouterr().err
    assert "toy-raiser on toy/edges, seed 0: failed: RuntimeError: a bug in the strategy" in err
    assert "Traceback" not in err
    assert main([*words(tmp_path, "toy-raiser", "toy-sampler"), "-q"]) == 1  # nothing new, and still not in order


def test_a_hung_run_is_ended_by_the_time_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words(tmp_path, "toy-hanger", seeds=1), "--run-timeout", "0.5", "-q"]) == 1
    assert "seed 0: timeout: took longer than 0.5 s" in capsys.readouterr().err


def members(group: int) -> list[str]:
    """The processes of a process group, zombies among them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = stat.read_text().rpartition(") ")
        except OSError:  # it ended meanwhile
            continue
        if int(fields.split()[2]) == group:
            found.append(name)
    return found


@pytest.mark.parametrize("executor", ["serial", "process"])
def test_ctrl_c_keeps_whole_records_and_says_how_to_resume(tmp_path: Path, executor: str) -> None:
    command = [sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"]
    run = [*words(tmp_path, "toy-slow", seeds=20), "--executor", executor, "--jobs", "2"]
    process = subprocess.Popen(
        [*command, *run], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    file = tmp_path / "first" / "searches.jsonl"
    deadline = time.monotonic() + 60
    while not (file.is_file() and file.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    deadline = time.monotonic() + 10  # multiprocessing's resource tracker ends a moment after
    while members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members(process.pid) == []
    assert "Traceback" not in err
    assert "the same command again resumes" in err
    kept = runs_in(tmp_path / "first")
    assert kept
    assert f"{len(kept)} of 40 runs are kept in {tmp_path / 'first'}" in err
    assert out == ""


def test_ctrl_c_before_the_first_run_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import harness.running.campaign

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(harness.running.campaign, "make_plan", interrupted)
    assert main(words(tmp_path, "toy-sampler")) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_serial_runs_have_one_numerical_thread_as_workers_have(tmp_path: Path) -> None:
    pytest.importorskip("threadpoolctl")
    code = (
        "import sys; from harness.cli import main; status = main(sys.argv[1:]);"
        "from threadpoolctl import threadpool_info; print(status, {p['num_threads'] for p in threadpool_info()})"
    )
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", code, *words(tmp_path, "toy-sampler", seeds=1), "-q"]
    shown = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert shown.stdout == "0 {1}\n"


def test_a_terminal_sees_a_bar_and_not_a_line_a_run(tmp_path: Path) -> None:
    import pty

    leader, follower = pty.openpty()
    command = [sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(
        [*command, *words(tmp_path, "toy-sampler")], stdout=subprocess.DEVNULL, stderr=follower, env=environment
    )
    os.close(follower)
    seen = b""
    while True:
        try:
            chunk = os.read(leader, 4096)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        seen += chunk
    os.close(leader)
    assert process.wait(timeout=60) == 0
    text = seen.decode()
    assert "4/4" in text
    assert "\x1b[" in text
    assert "4/4 matched-random-search on" not in text


def test_check_prints_how_many_checks_ran_and_exits_by_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "toy-sampler"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("strategy toy-sampler conforms (")
    assert re.search(r"passed +\d+\.\d s  the same seed gives the same trajectory", out)
    assert main(["check", "toy-raiser", "--kind", "strategy", "--format", "json"]) == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["failed"] == sum(r["status"] == "failed" for r in report["results"]) > 0
    assert report["ran"] + report["skipped"] + report["not_run"] == report["checks"] == len(report["results"])
    assert all(r["why"] for r in report["results"] if r["status"] != "passed")


def test_check_of_a_task_without_its_data_does_not_conform(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "toy/absent"]) == 1
    assert "protocol toy is not checked: 8 of its checks could not be run" in capsys.readouterr().out
    assert main(["check", "toy/edgse"]) == 2
    assert "did you mean 'toy/edges'" in capsys.readouterr().err


def test_check_runs_the_checks_named_and_says_what_they_ask_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "toy-sampler", "--only", "a budget", "--only", "another seed", "-v"]) == 0
    out = capsys.readouterr().out
    assert "(2 checks, 2 apply and ran: 2 passed" in out
    assert "On a space of 39 rows, 45 queries: the search returns, or goes on until the oracle ends it." in out
    assert main(["check", "toy/edges", "--only", "the truth"]) == 0
    assert main(["check", "toy-edges", "--kind", "space", "--only", "no such"]) == 2
    assert "unknown space check 'no such'" in capsys.readouterr().err


def test_what_a_strategy_prints_does_not_enter_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "toy-talker", "--only", "the same seed", "--format", "json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)[0]["ok"] is True
    assert "here I am" in shown.err


def test_a_rerun_names_what_failed_before_and_how_to_run_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(tmp_path, "toy-raiser", seeds=2)) == 1
    assert "--retry-failed" not in capsys.readouterr().err
    assert main(words(tmp_path, "toy-raiser", seeds=2)) == 1
    said = capsys.readouterr().err
    assert "4 runs, 4 already there\nnote: 2 of them failed; nas-harness run --retry-failed runs them again\n" in said


def test_a_search_that_only_repeats_itself_is_warned_of_and_why_runs_ended_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words(tmp_path, "toy-repeater", seeds=2), "-q"]) == 0
    capsys.readouterr()
    assert main(["report", str(tmp_path / "first"), "--wide"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert (
        "warning: toy-repeater: 2 of 2 runs ended because it only repeated itself: 300 calls for 1 paid queries" in out
    )
    (entry,) = (e for s in report_of(tmp_path, capsys)["settings"] for e in s["entries"])
    assert entry["ended_by"] == {"calls": 2}


def report_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["report", str(tmp_path / "first"), "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_options_make_the_study_that_a_file_would() -> None:
    study = study_of(
        strategy=["toy-sampler"], task=["toy/edges", "toy/nodes"], budget="queries=100,seconds=2e4", seeds=3, seed=7,
        mode="paper", param=["size=4", "name = text", "list=[1, 2]", "flag=true"], tuning_queries=12,
    )  # fmt: skip
    assert study.budget == Budget(queries=100, seconds=2e4)
    assert (study.seeds, study.seed, [t.name for t in study.tasks]) == (3, 7, ["toy/edges", "toy/nodes"])
    (strategy,) = study.strategies
    assert (strategy.mode, strategy.tuning_queries) == ("paper", 12)
    assert strategy.params == {"size": 4, "name": "text", "list": [1, 2], "flag": True}
    assert study.name == "toy-sampler-on-toy-edges-and-1-more"
    assert default_name(["a"], ["b/c@D+E"]) == "a-on-b-c-D-E"


def test_parameters_need_one_strategy() -> None:
    with pytest.raises(StudyError, match="exactly one --strategy"):
        study_of(strategy=["a", "b"], task=["c"], budget="5", param=["size=4"])


def test_a_terminal_that_cannot_write_every_sign_still_shows_the_report(tmp_path: Path) -> None:
    from written_records import entry, write_study

    folder = write_study(tmp_path, entry("alpha", [80.0, 82.0]))
    code = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
    found = subprocess.run(
        [sys.executable, "-c", code, "report", str(folder)], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")
    assert "81.00?1.41" in found.stdout
