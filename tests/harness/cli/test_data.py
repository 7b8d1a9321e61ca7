"""``nas-harness data``: list, import, verify, info, rm, on the real table of NAS-Bench-201 where it is there."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from harness.cli import main


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_HARNESS_DATA", str(tmp_path / "data"))


def test_list_says_what_each_data_set_is_and_whether_it_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list", "--format", "json"]) == 0
    found = {d["name"]: d for d in json.loads(capsys.readouterr().out)}
    assert {"nasbench201", "nasbench-graph", "nasbench-macro", "analog-nasbench"} <= set(found)
    assert all(d["summary"] and d["licence"] for d in found.values())
    assert {n for n, d in found.items() if not d["source"].startswith("https://")} == {"images"}  # your own
    assert not found["nasbench201"]["present"]
    assert main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (row,) = (line for line in lines if line.startswith("nasbench201 "))
    assert row.split()[1:5] == ["no", "4.7", "GB", "MIT"]
    assert row.endswith(found["nasbench201"]["summary"])
    (row,) = (line for line in lines if line.startswith("nasbench-graph "))
    assert row.split()[1:4] == ["at", "first", "use"]
    assert f"source of nasbench201: {found['nasbench201']['source']}" in lines


def test_import_verify_info_and_rm(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Known answers: best test 94.37 / 73.51 / 47.31, best validation 91.61 / 73.49 / 46.73."""
    assert main(["data", "import", "nasbench201", str(shared_data / "nasbench201.csv")]) == 0
    shown = capsys.readouterr()
    assert "nasbench201/cifar10" in shown.out
    assert "known answers: 6 of 6 agree" in shown.out
    assert "%" in shown.err
    assert main(["data", "verify", "nasbench201"]) == 0
    verified = capsys.readouterr().out
    assert verified.count("agrees:") == 6
    for number in ("94.37", "73.51", "47.31", "91.61", "73.49", "46.73"):
        assert f"published {number}, found {number}" in verified
    assert main(["data", "info", "nasbench201", "--format", "json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert table["rows"] == 15_625
    assert table["source"] == "nasbench201.csv"
    assert set(table["facts"]["equal_share"]) >= {"cifar10_e200", "cifar100_e200", "imagenet16_120_e200"}
    assert [a["agrees"] for a in table["known_answers"]] == [True] * 6
    assert main(["data", "info", "nasbench201"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line in ("size: 4.7 GB", "present: yes", "  rows: 15,625", "  splits:", "    cifar10:"):
        assert line in lines
    assert "      validation: cifar10-valid x-valid" in lines
    assert "    agrees: best test accuracy on cifar10: published 94.37, found 94.37" in lines
    assert not any("{" in line for line in lines)
    assert main(["data", "rm", "nasbench201", "--yes"]) == 0
    assert not list((tmp_path / "data").glob("nasbench201*"))


def test_a_table_with_validation_and_test_swapped_does_not_look_fine(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CIFAR-10's best validation is 91.61 and best test 94.37; CIFAR-100's differ by less than files do, 0.1."""
    swapped = tmp_path / "swapped.csv"
    with (shared_data / "nasbench201.csv").open(newline="") as stream:
        header, *rows = csv.reader(stream)
    here = [i for i, name in enumerate(header) if name.endswith(("_valid_200ep", "_test_200ep"))]
    order = list(range(len(header)))
    for first, second in zip(here[::2], here[1::2], strict=True):
        assert header[first].split("_")[0] == header[second].split("_")[0]
        order[first], order[second] = second, first
    with swapped.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *([row[i] for i in order] for row in rows)])
    assert main(["data", "import", "nasbench201", str(swapped)]) == 1
    said = capsys.readouterr().err
    assert "warning: nasbench201: 4 of 6 known answers differ" in said
    assert "best valid accuracy on cifar10: published 91.61, found 94.37" in said
    assert "best test accuracy on cifar10: published 94.37, found 91.61" in said
    assert "nas-harness data rm nasbench201" in said
    assert main(["data", "list"]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("nasbench201 "))
    assert row.split()[1] == "differs"
    assert main(["data", "info", "nasbench201"]) == 0
    assert "  known answers: 2 of 6 agree" in capsys.readouterr().out
    assert main(["data", "verify", "nasbench201"]) == 1


def test_a_damaged_table_is_found(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["data", "import", "nasbench201", str(shared_data / "nasbench201.csv")])
    column = max((tmp_path / "data" / "nasbench201").glob("*.npy"), key=lambda p: p.stat().st_size)
    data = bytearray(column.read_bytes())
    data[-5] ^= 1
    column.write_bytes(data)
    capsys.readouterr()
    assert main(["data", "verify", "nasbench201"]) == 2
    assert column.name in capsys.readouterr().err
    column.write_bytes(data[:-1])
    assert main(["data", "list"]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("nasbench201 "))
    assert row.split()[1] == "damaged"


def test_a_wrong_file_is_refused_and_the_good_import_stays(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["data", "import", "nasbench201", str(shared_data / "nasbench201.csv")])
    before = {p.name: p.read_bytes() for p in (tmp_path / "data" / "nasbench201").iterdir()}
    assert main(["data", "import", "nasbench201", str(shared_data / "nasbench_macro.csv")]) == 2
    assert "nasbench_macro.csv" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in (tmp_path / "data" / "nasbench201").iterdir()} == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import", "nasbench102", "x"], "did you mean"),
        (["import", "nasbench201", "no-such-file"], "no-such-file: no such file; nasbench201 is imported from"),
        (["import", "nasbench-graph", "x"], "is made from an installed package"),
        (["fetch", "nasbench201"], "has no address to fetch it from; get it from https://"),
        (["verify", "nasbench201"], "nas-harness data import nasbench201 PATH"),
        (["rm", "nasbench201", "--yes"], "is not in"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_can(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").write_text("")
    assert main(["data", *words]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert "Traceback" not in shown.err


def test_the_folder_is_an_option(shared_data: Path, tmp_path: Path) -> None:
    words = ["data", "--data-dir", str(tmp_path / "elsewhere"), "import", "nasbench201"]
    assert main([*words, str(shared_data / "nasbench201.csv")]) == 0
    assert (tmp_path / "elsewhere" / "nasbench201" / "meta.json").is_file()
