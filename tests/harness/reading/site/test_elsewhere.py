"""What stands beside the boards: ingested results and published numbers are shown, and never ranked."""

from __future__ import annotations

from pathlib import Path

import pytest
from site_pages import pages_of
from written_records import entry, reference, write_study

from harness.errors import RecordError
from harness.reading.site.elsewhere import elsewhere_of
from harness.reading.site.write import write_site
from harness.records.ingesting import ingest
from harness.registry import Registry

ROOT = Path(__file__).resolve().parents[4]
HOSTILE = "<script>alert(1)</script>\u202e"
PUBLISHED = """
[[number]]
task = "toy/a"
entry = "theirs"
quantity = "test accuracy, mean, %"
value = 99.9
std = 0.10
n = 3
under = "1,000,000 queries"
paper = "Someone, A paper (2020)"
table = "Table 1"

[[number]]
task = "another/task"
entry = "<script>alert(2)</script>"
quantity = "KTau"
value = 0.4311
paper = "Someone, A paper (2020)"
table = "Table 2"
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    runs = [*entry("alpha", [80.0 + s for s in range(8)]), *reference([70.0 + s for s in range(8)])]
    write_study(folder / "study", runs)
    (folder / "published.toml").write_text(PUBLISHED, encoding="utf-8")
    rows = "".join(
        f"toy/a,{HOSTILE},{role},{seed},{mean + seed}\n"
        for role, mean in (("search", 90), ("sampling", 50))
        for seed in range(1, 9)
    )
    file = tmp_path / "a.csv"
    file.write_text("task,strategy,role,seed,test_accuracy\n" + rows + f"toy/a,{HOSTILE},search,9,\n", encoding="utf-8")
    ingest(file, folder / "given")
    return folder


def test_they_stand_on_the_page_of_their_task_and_in_no_ranking(tmp_path: Path, results: Path) -> None:
    write_site([results], tmp_path / "site", Registry)
    pages = pages_of(tmp_path / "site")
    (setting,) = (page for name, page in pages.items() if name.startswith("settings/"))
    published = setting.rows["published-1"]
    assert published[1][:4] == ["theirs", "test accuracy, mean, %", "99.90 ± 0.10", "3"]
    (given,) = setting.rows["ingested-1"][1:]
    # Mean 94.5 of 8 runs, of 8 architectures 54.5.
    assert given[1].startswith("94.50")
    assert given[2].startswith("+73.39")
    assert given[4] == "8 (1 missing)"
    assert len(setting.rows["board-1"]) == 1 + 2
    assert "theirs" not in pages["index.html"].text
    assert HOSTILE[:8] not in pages["index.html"].text
    assert "not stated" in " ".join(pages["elsewhere.html"].rows["published-2"][1])
    assert "0.4311" in pages["elsewhere.html"].rows["published-2"][1]
    for page in pages.values():
        assert [tag for tag, _ in page.tags].count("script") == 1
        assert "\u202e" not in page.path.read_text(encoding="utf-8")


def test_a_site_of_ingested_results_alone(tmp_path: Path, results: Path) -> None:
    write_site([results / "given"], tmp_path / "site", Registry)
    pages = pages_of(tmp_path / "site")
    assert set(pages) == {"index.html", "elsewhere.html", "method.html"}
    assert "search seed 9: no score" in pages["elsewhere.html"].text


def test_a_file_that_is_wrong_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "published.toml").write_text("[[number]]\ntask = 3\n", encoding="utf-8")
    with pytest.raises(RecordError, match=r"published\.toml: .*task"):
        elsewhere_of([tmp_path])


def test_the_committed_numbers_are_whole() -> None:
    """Some known ones: tables 2 and 5 of ReNAS, table 1 of Yang et al."""
    numbers = elsewhere_of([ROOT / "results" / "reference"]).published
    assert len({(p.task, p.entry, p.quantity, p.under, p.table) for p in numbers}) == len(numbers)
    found = {(p.entry, p.table, p.task, p.quantity): (p.value, p.std, p.n) for p in numbers}
    accuracy = "test accuracy, mean, %"
    assert found["ReNAS-4", "Table 2", "nasbench101/cifar10", accuracy] == (93.90, 0.21, 20)
    assert found["ReNAS", "Table 5", "nasbench201/cifar100", accuracy] == (72.12, 0.79, 20)
    assert found["GA-NAS", "Table 4", "nasbench201/imagenet16-120", accuracy] == (46.80, 0.29, 20)
    assert found["CNAS", "Table 1", "CIFAR-10, each method's own space and protocol", "RI, %"] == (0.74, None, 8)
