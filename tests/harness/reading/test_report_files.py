"""A report as one HTML file, and its figures as files for a paper."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from site_pages import Page
from written_records import entry, reference, write_study

from harness.errors import HarnessError, UnknownName
from harness.reading.report.section import Choice
from harness.reading.report.sections import write_report
from harness.records.ingesting import ingest
from harness.records.lines import RankQuality

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    points = [(1, None, None, 60.0, 55.0), (50, None, None, 70.0, 76.0)]
    tau = RankQuality(0.5, 0.4, 0.3, 0.2, 100)
    runs = []
    for task in ("toy/a", "toy/b"):
        runs += entry("alpha", [80.0 + s for s in range(8)], task=task, valid=70.0, ktau=tau, incumbents=points)
        runs += entry(HOSTILE, [60.0 + s for s in range(8)], task=task, valid=71.0, incumbents=points)
        runs += reference([70.0 + s for s in range(8)], task=task, incumbents=points)
    return write_study(tmp_path / "study", runs)


def report(folder: Path, **choice: object) -> str:
    console = Console(file=io.StringIO(), width=150)
    write_report(folder, Choice(**choice), console)  # type: ignore[arg-type]
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_html_is_one_file_with_tables_and_figures(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(report(folder, form="html"), encoding="utf-8")
    page = Page(path)
    assert "+67.00" in page.text  # alpha: mean 83.5, random sampling 50
    assert [tag for tag, _ in page.tags].count("figure") == 2 * 6
    assert not [a for tag, a in page.tags if tag in ("script", "img") or "src" in a]
    saved = {a["download"]: a["href"] for tag, a in page.tags if tag == "a"}
    assert len(saved) == 2 * 6 * 2
    assert all(link.startswith("data:") for link in saved.values())
    (curves,) = (link for name, link in saved.items() if re.match("toy-a.*curves.csv", name))
    assert base64.b64decode(curves.partition("base64,")[2]).decode().startswith("label,mode,title,task")
    one = tmp_path / "one.html"
    one.write_text(report(folder, form="html", tasks=("toy/b",), entries=("alpha",)), encoding="utf-8")
    assert [tag for tag, _ in Page(one).tags].count("figure") == 6
    assert "alert" not in one.read_text(encoding="utf-8")


def test_html_of_results_from_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("task,strategy,role,seed,test_accuracy\nt,s,search,1,90\nt,s,search,2,92\n", encoding="utf-8")
    ingest(file, tmp_path / "a")
    path = tmp_path / "report.html"
    path.write_text(report(tmp_path / "a", form="html"), encoding="utf-8")
    assert "origin: ingested" in Page(path).text
    with pytest.raises(HarnessError, match="no --plot"):
        report(tmp_path / "a", plot=tmp_path / "a.png")


@pytest.mark.parametrize(("ending", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
@pytest.mark.parametrize("section", ["table", "curves", "ktau"])
def test_a_plot_is_as_wide_as_a_column(tmp_path: Path, folder: Path, section: str, ending: str, begins: bytes) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"a.{ending}"
    assert report(folder, sections=(section,), plot=path).strip() == str(path)
    data = path.read_bytes()
    assert data.startswith(begins)
    if ending == "svg":
        assert b'width="244.8pt"' in data  # 3.4 inches
    report(folder, sections=(section,), plot=path)
    assert path.read_bytes() == data


def test_what_cannot_be_drawn_is_said(tmp_path: Path, folder: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(UnknownName, match=r"\.gif"):
        report(folder, plot=tmp_path / "a.gif")
    with pytest.raises(HarnessError, match="draws one section: table, curves, ktau"):
        report(folder, sections=("ranks",), plot=tmp_path / "a.png")
    with pytest.raises(HarnessError, match="no run of these learned an order"):
        report(folder, sections=("ktau",), entries=(HOSTILE,), plot=tmp_path / "a.png")
    with pytest.raises(HarnessError, match="cannot be written"):
        report(folder, plot=tmp_path / "nowhere" / "a.png")
