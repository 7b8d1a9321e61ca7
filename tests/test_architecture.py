"""Who imports whom, and what stands where."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import harness

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted(
    p for room in ("plugins", "protocols") for p in (ROOT / room).iterdir() if p.name.startswith("harness_")
)
HEAVY = {"torch", "torch_geometric", "kornia", "PIL", "optuna", "sklearn", "onnx", "onnxruntime", "lightgbm"}


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
    from harness.registry import CORE, Registry

    registry = Registry()
    names = {i.name for i in registry.items.values() if i.kind in ("strategy", "protocol") and i.plugin != CORE}
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


LAYERS = (
    "errors", "statistics", "spaces", "data", "protocol", "search", "strategy", "records", "hookspecs", "registry",
    "running", "reading", "testing", "cli",
)  # fmt: skip
"""The rooms of the core: each imports only those before it, for types too."""


BY_TYPE = ("harness.registry", "harness.running.execution")
"""`Registry.load` says of which class an executor is; nothing else knows a room below its own."""


def modules() -> dict[str, set[str]]:
    """Every module of the core, and the modules of the core that it imports, those for types among them."""
    files = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p
        for p in sources(ROOT / "harness")
    }
    found: dict[str, set[str]] = {}
    for name, path in files.items():
        named: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                named.update(a.name for a in node.names)
            elif isinstance(node, ast.ImportFrom):
                named.add(node.module or "")
                named.update(f"{node.module}.{a.name}" for a in node.names)
                if node.module == "harness":  # which imports a name where it is asked for
                    named.update(harness._WHERE.get(a.name, "") for a in node.names)
        found[name] = {m for m in named if m in files and m != name and (name, m) != BY_TYPE}
    return found


def test_the_core_shows_its_rooms_at_a_glance() -> None:
    entries = {p.name for p in (ROOT / "harness").iterdir() if p.name != "__pycache__"}
    assert len(entries) <= 16
    assert {e.removesuffix(".py") for e in entries} == {*LAYERS, "__init__", "py.typed"}


def test_the_page_lists_every_module() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    files = [p for p in (ROOT / "harness").rglob("*.py") if p.name != "__init__.py"]
    assert [str(p) for p in files if f"`{p.name}`" not in page and f"`{p.stem}`" not in page] == []


def test_no_import_runs_upward() -> None:
    upward = [
        f"{importer} -> {imported}"
        for importer, imports_ in modules().items()
        for imported in imports_
        if importer != "harness"
        and imported != "harness"
        and LAYERS.index(imported.split(".")[1]) > LAYERS.index(importer.split(".")[1])
    ]
    assert upward == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    found = {name: imported - {"harness"} for name, imported in modules().items() if name != "harness"}
    TopologicalSorter(found).prepare()  # raises CycleError, which names them


def test_the_hook_contract_is_read_in_one_sitting() -> None:
    text = (ROOT / "harness" / "hookspecs.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    tree = ast.parse(text)
    hooks = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    assert len(hooks) == 9
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


def test_every_public_name_is_there_for_type_checkers_too() -> None:
    for public in harness.__all__:
        assert getattr(harness, public) is not None
    tree = ast.parse((ROOT / "harness" / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        f"{node.module}:{alias.asname}"
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == {f"{module}:{public}" for public, module in harness._WHERE.items()}
