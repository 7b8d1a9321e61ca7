"""Who imports whom, and what stands where."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted(
    p for room in ("plugins", "protocols") for p in (ROOT / room).iterdir() if p.name.startswith("harness_")
)
HEAVY = {"torch", "torch_geometric", "optuna", "sklearn", "onnx", "onnxruntime", "lightgbm"}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports when it runs, wherever in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    tree.body = [n for n in tree.body if n not in for_types]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def sources(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.py"))
    assert found, folder
    return found


def test_the_core_imports_no_plugin_and_no_learning_library() -> None:
    for path in sources(ROOT / "harness"):
        for module in imports(path):
            top = module.partition(".")[0]
            assert not top.startswith("harness_"), f"{path} imports {module}"
            assert top not in HEAVY, f"{path} imports {module}"


def test_the_core_names_no_strategy_protocol_or_data_set() -> None:
    from harness.registry import Registry

    registry = Registry()
    names = {name for kind, name in registry.items if kind in ("strategy", "protocol")}
    assert {"random-search", "nasbench201", "nasbench-graph"} <= names
    for path in sources(ROOT / "harness"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                assert node.value not in names, f"{path}:{node.lineno} names {node.value!r}"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.name)
def test_plugins_import_only_the_harness_and_never_each_other(package: Path) -> None:
    others = {p.name for p in PACKAGES} - {package.name}
    for path in sources(package):
        for module in imports(path):
            assert module.partition(".")[0] not in others, f"{path} imports {module}"


@pytest.mark.parametrize(
    ("rooms", "forbidden"),
    [
        (
            ("spaces", "protocol.py", "strategy.py", "constraints.py"),
            ("oracle", "runner", "records", "analysis", "report", "cli"),
        ),
        (("oracle.py",), ("runner", "plan", "records", "analysis", "report", "cli", "registry")),
        (("metrics.py", "statistics.py"), ("records", "oracle", "protocol", "analysis", "report", "cli", "runner")),
        (
            ("runner.py", "execution.py", "execution_dask.py", "isolated.py", "plan.py"),
            ("campaign", "analysis", "report", "cli"),
        ),
        (("analysis", "compliance.py"), ("report", "cli", "runner", "campaign", "execution")),
        (("report",), ("cli", "runner", "execution")),
    ],
    ids=lambda x: "+".join(x),
)
def test_imports_run_one_way(rooms: tuple[str, ...], forbidden: tuple[str, ...]) -> None:
    for room in rooms:
        path = ROOT / "harness" / room
        for file in [path] if path.is_file() else sources(path):
            for module in imports(file):
                parts = module.split(".")
                assert parts[0] != "harness" or len(parts) < 2 or parts[1] not in forbidden, f"{file} imports {module}"


def test_the_hook_contract_is_read_in_one_sitting() -> None:
    text = (ROOT / "harness" / "hookspecs.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    tree = ast.parse(text)
    hooks = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    assert len(hooks) == 8
    assert all(ast.get_docstring(h) for h in hooks)


def test_every_hook_command_and_extra_is_documented() -> None:
    import tomllib

    from harness.cli import COMMANDS
    from harness.hookspecs import HOOK_OF

    pages = " ".join(p.read_text(encoding="utf-8") for p in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    hooks = [*HOOK_OF.values(), "nas_harness_run_started", "nas_harness_run_finished", "nas_harness_study_finished"]
    wanted = [*hooks, *(f"nas-harness {c}" for c in COMMANDS)]
    wanted += [f"| `{e}` |" for e in project["project"]["optional-dependencies"]]
    assert [w for w in wanted if w not in pages] == []
