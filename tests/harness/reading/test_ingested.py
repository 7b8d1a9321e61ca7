"""Results from elsewhere: rows in, records and numbers out; RI against published group means, tests against scipy."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from rich.console import Console

from harness.cli import main
from harness.errors import HarnessError, RecordError, UnknownName
from harness.reading.ingested import read_ingested
from harness.reading.report.section import Choice
from harness.reading.report.sections import write_report
from harness.reading.study import read_study
from harness.reading.verify import verify
from harness.records.ingesting import ingest
from harness.records.merging import merge_folders
from harness.registry import Registry

HEADER = "task,strategy,role,seed,test_accuracy\n"


def write(path: Path, text: str, header: str = HEADER) -> Path:
    path.write_text(header + text, encoding="utf-8")
    return path


def eight(task: str = "c10", strategy: str = "ours", searched: float = 97.23, drawn: float = 96.92) -> str:
    """8 runs and 8 random architectures with these means, and a standard deviation of .2 percent."""
    unit = np.array([-3, -2, -1, 0, 0, 1, 2, 3]) * 0.1
    rows = [
        (role, k, mean + u)
        for role, mean in (("search", searched), ("sampling", drawn))
        for k, u in enumerate(unit.tolist())
    ]
    return "".join(f"{task},{strategy},{role},{k},{score!r}\n" for role, k, score in rows)


@pytest.mark.parametrize(
    ("drawn", "searched", "ri"),
    # Group means of the released results and RI of Table 1, CIFAR10: Yang et al. (ICLR 2020).
    [(96.92, 97.23, 0.32), (96.62, 97.12, 0.52), (96.64, 96.18, -0.48), (93.82, 94.51, 0.74), (96.98, 97.39, 0.43)],
)
def test_ri_is_that_of_the_paper(tmp_path: Path, drawn: float, searched: float, ri: float) -> None:
    ingest(write(tmp_path / "a.csv", eight(searched=searched, drawn=drawn)), tmp_path / "a")
    (line,) = read_ingested(tmp_path / "a").summaries
    assert line.ri_paper == pytest.approx(ri, abs=0.011)  # the means are printed to two digits
    assert (line.origin, line.n, line.sampling_n, line.missing) == ("ingested", 8, 8, [])
    assert line.final_std == pytest.approx(0.2)


def test_interval_and_test_agree_with_scipy(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    runs, drawn = rng.normal(94, 0.5, 9), rng.normal(93.5, 1.5, 12)
    text = "".join(f"t,s,search,{k},{v!r}\n" for k, v in enumerate(runs.tolist()))
    text += "".join(f"t,s,sampling,{k},{v!r}\n" for k, v in enumerate(drawn.tolist()))
    ingest(write(tmp_path / "a.csv", text), tmp_path / "a")
    (line,) = read_ingested(tmp_path / "a").summaries
    assert line.ri_low is not None
    assert line.ri_high is not None
    vx, vy = runs.var(ddof=1) / 9, drawn.var(ddof=1) / 12
    estimated = runs.mean() / drawn.mean()
    vs = vx, estimated**2 * vy
    df = sum(vs) ** 2 / (vs[0] ** 2 / 8 + vs[1] ** 2 / 11)
    for end in (line.ri_low, line.ri_high):
        # Fieller: a ratio is an end where the difference that it makes 0 has |t| at the quantile.
        ratio = 1 + end / 100
        t = (runs.mean() - ratio * drawn.mean()) / np.sqrt(vx + ratio**2 * vy)
        assert abs(t) == pytest.approx(scipy.stats.t.ppf(0.975, df), abs=1e-9)
    p = max(
        scipy.stats.mannwhitneyu(runs, drawn, method="exact").pvalue,
        scipy.stats.brunnermunzel(runs, drawn).pvalue,
    )
    assert line.vs_sampling.p == pytest.approx(p, abs=1e-9)
    assert line.vs_sampling.p_study == line.vs_sampling.p  # a family of one


def test_nothing_is_tested_where_a_run_is_missing(tmp_path: Path) -> None:
    """Twenty runs without a score, beside eight good ones: a strategy would be better by failing where it is poor."""
    ingest(write(tmp_path / "a.csv", eight(searched=95.0, drawn=90.0)), tmp_path / "a")
    (line,) = read_ingested(tmp_path / "a").summaries
    assert line.vs_sampling.verdict == "better"
    failed = "".join(f"c10,ours,search,{k},\n" for k in range(8, 28))
    ingest(write(tmp_path / "b.csv", eight(searched=95.0, drawn=90.0) + failed), tmp_path / "b")
    (line,) = read_ingested(tmp_path / "b").summaries
    assert (line.n, len(line.missing) >= 20, line.vs_sampling.verdict) == (8, True, "not shown to be better")


def test_a_run_that_is_missing_is_named_and_not_filled_in(tmp_path: Path) -> None:
    text = "t,s,search,0,90\nt,s,search,1,\nt,s,search,3,92\nt,s,sampling,1,80\nt,s,sampling,2,82\n"
    ingest(write(tmp_path / "a.csv", text), tmp_path / "a")
    study = read_ingested(tmp_path / "a")
    (line,) = study.summaries
    assert (line.n, line.final_mean) == (2, 91.0)
    assert line.missing == ["search seed 1: no score", "search seed 2: no row"]
    rules = {f.rule: f.ok for f in study.findings}
    assert (rules["complete"], rules["search-seeds"], rules["seeds-in-order"]) == (False, False, False)
    assert rules["matched-random-search"] is rules["strict-mode"] is rules["tuning-stated"] is None


@pytest.mark.parametrize("last", [30, 2**63 - 1])
def test_of_many_seeds_that_a_file_skips_the_first_are_named_and_the_others_counted(tmp_path: Path, last: int) -> None:
    """Whatever the seeds are: nothing is as large as they are."""
    ingest(write(tmp_path / "a.csv", f"t,s,search,1,90\nt,s,search,3,91\nt,s,search,{last},92\n"), tmp_path / "a")
    (line,) = read_ingested(tmp_path / "a").summaries
    named = [2, *range(4, 23)]
    assert line.missing == [
        *(f"search seed {seed}: no row" for seed in named), f"{last - 3 - 20} more seeds of search: no row"
    ]  # fmt: skip


def test_seeds_that_are_names_skip_nothing(tmp_path: Path) -> None:
    ingest(write(tmp_path / "a.csv", "t,s,search,777,90\nt,s,search,888,91\n"), tmp_path / "a")
    (line,) = read_ingested(tmp_path / "a").summaries
    assert line.missing == []
    assert line.ri_paper is None


def test_the_last_epoch_counts_and_final_trainings_are_averaged(tmp_path: Path) -> None:
    header = "task,strategy,role,seed,train_seed,epoch,test_accuracy,source\n"
    text = "t,s,search,0,1,599,97,T1\nt,s,search,0,1,600,96,T1\nt,s,search,0,2,600,94,T1\nt,s,search,1,1,600,93,T1\n"
    ingest(write(tmp_path / "a.csv", text, header), tmp_path / "a")
    (line,) = read_ingested(tmp_path / "a").summaries
    assert (line.n, line.final_mean, line.final_best, line.sources) == (2, 94.0, 95.0, ["T1"])


@pytest.mark.parametrize(
    ("text", "header", "said"),
    [
        ("t,s,search,0,nan\n", HEADER, "a.csv:2: test_accuracy is 'nan', not a percentage from 0 to 100"),
        ("t,s,search,0,inf\n", HEADER, "a.csv:2: test_accuracy is 'inf'"),
        ("t,s,search,0,97\nt,s,search,1,970\n", HEADER, "a.csv:3: test_accuracy is '970'"),
        ("t,s,search,0,.97\nt,s,search,1,.96\n", HEADER, "in percent, and no value here is above 1"),
        ("t,s,found,0,97\n", HEADER, "a.csv:2: role is 'found', not search or sampling"),
        ("t,s,search,x,97\n", HEADER, "a.csv:2: seed is 'x', not a whole number"),
        ("t,s,search,,97\n", HEADER, "a.csv:2: seed is empty"),
        ("t,s,search,0\n", HEADER, "a.csv:2: not as many values"),
        ("t,s,search,0,97,1\n", HEADER, "a.csv:2: not as many values"),
        ("t,s,search,0,97\nt,s,search,0,96\n", HEADER, "a.csv:3: search of s on t, seed 0 is in line 2 too"),
        ("t,s,search,0,97\n", "task,strategy,role,seed,accuracy\n", "a.csv:1: no column test_accuracy"),
        ("t,s,search,0,97,1\n", HEADER.strip() + ",colour\n", "a.csv:1: column 'colour' is unknown"),
        ("", HEADER, "no row with a test_accuracy"),
        ("", "", "a.csv:1: no column task, strategy"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_nothing_is_added(
    tmp_path: Path, text: str, header: str, said: str
) -> None:
    with pytest.raises(RecordError) as told:
        ingest(write(tmp_path / "a.csv", text, header), tmp_path / "a")
    assert said in str(told.value)
    assert not (tmp_path / "a").exists()


def test_a_row_is_added_once_and_another_value_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "t,s,search,0,97\nt,s,search,0,97\n")
    assert len(ingest(file, tmp_path / "a").ingested) == 1
    assert len(ingest(file, tmp_path / "a").ingested) == 1
    with pytest.raises(RecordError, match="with other values"):
        ingest(write(tmp_path / "b.csv", "t,s,search,0,96\n"), tmp_path / "a")


def test_it_is_a_folder_of_its_own_kind(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    ingest(write(tmp_path / "a.csv", eight()), folder)
    ingest(write(tmp_path / "b.csv", eight("c100")), tmp_path / "b")
    with pytest.raises(RecordError, match="results from elsewhere, of which nothing can be run again"):
        read_study(folder)
    merged = merge_folders([folder, tmp_path / "b"], tmp_path / "c")
    assert len(merged.ingested) == 32
    assert list(verify(tmp_path / "c", registry=Registry())) == []
    lines = (folder / "ingested.jsonl").read_text(encoding="utf-8").replace("97.23", "98.23")
    (folder / "ingested.jsonl").write_text(lines.replace('"seed":3', '"seed":300', 1), encoding="utf-8")
    (said,) = verify(folder, registry=Registry())
    assert "its id is not the digest of its specification" in said


def test_report_in_every_form(tmp_path: Path) -> None:
    ingest(write(tmp_path / "a.csv", eight() + eight("c100", "theirs")), tmp_path / "a")

    def report(**choice: object) -> str:
        console = Console(file=io.StringIO(), width=150)
        write_report(tmp_path / "a", Choice(**choice), console)  # type: ignore[arg-type]
        return str(console.file.getvalue())  # type: ignore[attr-defined]

    text = report()
    assert "c10, results from elsewhere (origin: ingested)" in text
    assert "+0.32" in text
    assert "67 % with 8 runs and 8 architectures" in " ".join(text.split())
    data = json.loads(report(form="json"))
    assert [s["strategy"] for s in data["ingested"]] == ["ours", "theirs"]
    assert report(form="csv", sections=("table",)).startswith("origin,task,strategy,n")
    with pytest.raises(HarnessError, match="have no section curves"):
        report(sections=("curves",))
    with pytest.raises(UnknownName, match="unknown task 'c1'; did you mean 'c10"):
        report(tasks=("c1",))
    with pytest.raises(UnknownName, match="unknown entry 'our'; did you mean 'ours'"):
        report(entries=("our",))
    assert "theirs" not in report(tasks=("c10",), entries=("ours",))


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "a.csv", eight())
    results = ["--results", str(tmp_path / "results")]
    assert main(["results", "ingest", str(file), "--study", "paper", *results]) == 0
    assert "16 results from elsewhere" in capsys.readouterr().out
    folder = tmp_path / "results" / "paper"
    first = json.loads((folder / "ingested.jsonl").read_text(encoding="utf-8").splitlines()[0])["id"]
    assert main(["results", "show", str(folder), first]) == 0
    assert "origin: ingested" in capsys.readouterr().out
    assert main(["results", "ingest", str(file), "--study", "../x", *results]) == 2
    assert "it names a folder" in capsys.readouterr().err


def test_hostile_names_reach_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "\x1b[31mred\x07\u202egnp" + "x" * 10_000
    file = write(tmp_path / "a.csv", eight(strategy=name, task="../<script>"))
    results = ["--results", str(tmp_path)]
    assert main(["results", "ingest", str(file), "--study", "a", *results]) == 0
    assert main(["report", str(tmp_path / "a")]) == 0
    first = json.loads((tmp_path / "a" / "ingested.jsonl").read_text(encoding="utf-8").splitlines()[0])["id"]
    assert main(["results", "show", str(tmp_path / "a"), first]) == 0
    again = write(tmp_path / "a.csv", eight(strategy=name, task="../<script>", searched=90.0))
    assert main(["results", "ingest", str(again), "--study", "a", *results]) == 2
    said = capsys.readouterr()
    assert "\\u001b" in said.out
    assert "\\u001b" in said.err
    assert not {"\x1b", "\x07", "\u202e"} & set(said.out + said.err.replace("\x1b[31m\x1b[1merror:\x1b[0m", ""))
