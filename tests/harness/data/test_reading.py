"""What is no file is refused and not waited for, and what unfolds is bounded by what it holds: every import command."""

from __future__ import annotations

import bz2
import gzip
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.cli import main
from harness.data.reading import GROWTH, ROOM, NotAFile, memory_in_proportion, open_file
from harness.errors import DataError

ALLOWED = 128 << 20
MAIN = f"""
import sys
from harness.cli import main
from harness.data import reading

reading.ROOM = {ALLOWED}
status = main(sys.argv[1:])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
sys.exit(status)
"""
"""A command, with less room than it has, since it takes a while to fill; then the most kibibytes of memory it took."""
STARTED = 400 << 20
"""What an import takes before it reads: interpreter, numpy, onnx."""


ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.timeout(60)  # what opens a pipe waits for a writer


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command says that refuses."""
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    return line


@pytest.mark.parametrize(
    ("of", "name"),
    [
        ("nasbench101", "a.tfrecord"),
        ("nasbench201", "a.pth"),
        ("nasbench201", "a.pickle.pbz2"),
        ("nasbench201", "a.csv"),
        ("nasbench301", "a.onnx"),
        ("nasbench301", "a.zip"),
        ("nasbench-macro", "a.json"),
        ("nasbench-macro", "a.csv"),
        ("cifar10", "a.tar.gz"),
    ],
)
def test_an_import_refuses_a_pipe(of: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / name)
    words = ["--data-dir", str(tmp_path / "data"), "import", of, str(tmp_path / name)]
    assert f"{name}: a folder, a pipe or a device, not a file; {of} is imported from" in told(["data", *words], capsys)


@pytest.mark.parametrize(
    ("of", "name"),
    [
        ("nasbench201", "meta.pickle.pbz2"),
        ("nasbench301", "xgb/0/model_config.json"),
        ("fashion-mnist", "train-images-idx3-ubyte.gz"),
    ],
)
def test_an_import_refuses_a_pipe_in_a_folder(
    of: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "given" / name
    pipe.parent.mkdir(parents=True)
    (pipe.parent / "surrogate_model.model").touch()
    os.mkfifo(pipe)
    words = ["--data-dir", str(tmp_path / "data"), "import", of, str(tmp_path / "given")]
    line = told(["data", *words], capsys)
    assert "a folder, a pipe or a device, not a file" in line or "holds no train-images" in line


@pytest.mark.parametrize(
    "words",
    [
        ["run", "PIPE"],
        ["gate", "PIPE", "--against", str(ROOT / "tests" / "own_gate" / "reference")],
        ["results", "ingest", "PIPE", "--study", "x"],
        ["report", "FOLDER"],
        ["results", "verify", "FOLDER"],
        ["results", "merge", "FOLDER", "FOLDER", "--output", "joined"],
        ["replay", "FOLDER"],
    ],
)
def test_other_commands_refuse_a_pipe(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FOLDER").mkdir()
    os.mkfifo("PIPE")
    os.mkfifo("FOLDER/searches.jsonl")
    assert "a folder, a pipe or a device, not a file" in told(words, capsys)


@pytest.mark.parametrize("path", ["/dev/zero", "/"])
def test_devices_and_folders_are_no_files(path: str) -> None:
    with pytest.raises(NotAFile, match="^a folder, a pipe or a device, not a file$"):
        open_file(Path(path))


def test_memory_may_grow_by_what_a_file_holds_and_no_further(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(1 << 20))
    with memory_in_proportion(file):
        np.empty(ROOM // 2, dtype=np.uint8)
    told = r"file: refused: it unfolds into more than 1\.03 GiB of memory, 32 times its size and 1 GiB"
    with pytest.raises(DataError, match=told), memory_in_proportion(file):
        np.empty(ROOM + 2 * GROWTH * file.stat().st_size, dtype=np.uint8)
    np.empty(2 * ROOM, dtype=np.uint8)  # the limit ends with the import


# -- what declares more than it holds ----------------------------------------------------------------------------------

ZEROS = bytes(8 << 20)


def sets(path: Path) -> None:
    """A pickle of empty sets, each one byte of it and 200 of memory: 3 GiB of a kilobyte."""
    each = bz2.compress(b"\x8f" * (8 << 20))
    path.write_bytes(bz2.compress(b"\x80\x04](") + 2 * each + bz2.compress(b"e."))


def text(path: Path) -> None:
    """A pickle of one text of 3 GiB: some kilobytes."""
    head = b"\x80\x04B" + struct.pack("<I", 3 << 30)
    path.write_bytes(bz2.compress(head) + 3 * 128 * bz2.compress(ZEROS) + bz2.compress(b"."))


def zipped(path: Path) -> None:
    """An ensemble whose model is 248 MiB of zeros: a megabyte."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("xgb_v1.0/0/model_config.json", '{"model": "xgb"}')
        with archive.open("xgb_v1.0/0/surrogate_model.model", "w") as model:
            for _ in range(31):
                model.write(ZEROS)


def header(path: Path) -> None:
    """A tar archive whose first header says, and unpacks to, 3 GiB of names: some megabytes."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 3 << 30
    path.write_bytes(gzip.compress(info.tobuf(tarfile.USTAR_FORMAT)) + 3 * 128 * gzip.compress(ZEROS))


def constant(path: Path) -> None:
    """YAHPO's inputs and outputs, and a node that makes 4 GiB of zeros of a shape."""
    onnx = pytest.importorskip("onnx")
    from harness_nasbench.formats.yahpo import _ROWS

    array, info = onnx.numpy_helper.from_array, onnx.helper.make_tensor_value_info
    kinds, node = onnx.TensorProto, onnx.helper.make_node
    tables = [array(np.zeros((rows, 1), dtype=np.float32), f"embds.{i}") for i, rows in enumerate(_ROWS)]
    graph = onnx.helper.make_graph(
        [node("ConstantOfShape", ["shape"], ["zeros"]), node("Gather", ["zeros", "x_cat"], ["y"])],
        "g",
        [info("x_cat", kinds.INT32, [1, 34]), info("x_cont", kinds.FLOAT, [1, 1])],
        [info("y", kinds.FLOAT, [1, 34, 1 << 15])],
        [array(np.array([1 << 15, 1 << 15]), "shape"), *tables],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("of", "name", "write"),
    [
        ("nasbench201", "a.pickle.pbz2", sets),
        ("nasbench201", "a.pickle.pbz2", text),
        ("nasbench301", "a.zip", zipped),
        ("nasbench301", "a.onnx", constant),
        ("cifar10", "a.tar.gz", header),
    ],
    ids=["sets", "text", "zip", "onnx", "tar"],
)
def test_what_unfolds_is_refused_by_name_within_bounds(
    of: str, name: str, write: Callable[[Path], None], tmp_path: Path
) -> None:
    file = tmp_path / name
    write(file)
    words = ["data", "--data-dir", str(tmp_path / "data"), "import", of, str(file)]
    done = subprocess.run([sys.executable, "-c", MAIN, *words], capture_output=True, text=True)
    lines = done.stderr.splitlines()
    assert (done.returncode, [line for line in lines if "error:" in line]) == (2, lines[-1:]), lines
    assert str(file) in lines[-1]
    assert int(done.stdout) << 10 <= GROWTH * file.stat().st_size + ALLOWED + STARTED
    assert not (tmp_path / "data").exists()
