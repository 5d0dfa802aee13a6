"""The house itself: arrows between modules point one way, and names at the top are few."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import actlab

SOURCE = Path(actlab.__file__).parent
ROOT = Path(__file__).parent.parent
# A module may import from its own floor or one before it.
FLOORS = [
    {"errors", "files", "imports", "wording"},
    {"functions", "initialisers", "torch", "keras"},
    {"objectives"},
    {"tasks", "layers", "network", "custom", "custom_torch"},
    {"study", "recipes"},
    {"recording"},
    {"plan"},
    {"engine", "watching"},
    {"statistics", "replay", "diagnosis"},
    {"views"},
    {"laboratory", "cli", "__main__", "__init__"},
]
HEAVY = {"jax", "jaxlib", "optax", "torch", "keras", "tensorflow", "ray", "dask"}
MODULES = sorted(SOURCE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def floor(module: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room(module) in rooms)


def imported(path: Path) -> set[str]:
    """Modules imported anywhere in a file, within functions and for type checking too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the arrows"
            base = node.module or ""
            names |= {
                f"{base}.{a.name}" if (SOURCE.parent / base.replace(".", "/") / f"{a.name}.py").exists() else base
                for a in node.names
            }
    return names


def ours(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] == "actlab" and room(name) != "__init__"}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_arrows_point_one_way(path):
    own = module_name(path)
    for name in ours(imported(path)):
        assert floor(name) <= floor(own), f"{own} imports {name}, which lies to its right"


SCRIPTS = sorted(path for folder in ("docs", "benchmarks") for path in (ROOT / folder).glob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_scripts_import_of_the_house_is_there(path):
    """They are run by hand, long after what they name may have moved."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "actlab":
            if node.module == "actlab.keras" and importlib.util.find_spec("keras") is None:
                continue
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                known = hasattr(module, alias.name) or importlib.util.find_spec(f"{node.module}.{alias.name}")
                assert known, f"{node.module} has no {alias.name}"


def test_no_circles():
    graph = {
        module_name(path): ours(imported(path)) - {module_name(path)} for path in MODULES if path.name != "__init__.py"
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"circle: {' → '.join((*trail, name))}"
        if name in graph and name not in done:
            for next_name in graph[name]:
                visit(next_name, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if room(module_name(p)) in {"recording", "plan", "statistics", "replay", "views"}],
    ids=module_name,
)
def test_nothing_right_of_the_recording_imports_a_framework(path):
    assert not {name.split(".")[0] for name in imported(path)} & HEAVY


def test_few_names_at_the_top_and_all_of_them_there():
    assert len(actlab.__all__) <= 20
    assert sorted(actlab.__all__) == actlab.__all__
    for name in actlab.__all__:
        assert getattr(actlab, name).__doc__, f"actlab.{name} has no docstring"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_modules_and_functions_stay_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno - node.lineno < 60, f"{path}: {node.name} is too long"


@pytest.mark.parametrize("command", [["-c", "import actlab"], ["-m", "actlab", "--help"]])
def test_import_and_help_are_light(command):
    script = (
        "import runpy, sys\n"
        f"sys.argv = {command[1:]!r}\n"
        + (
            "import actlab\n"
            if command[0] == "-c"
            else "try: runpy.run_module('actlab', run_name='__main__')\nexcept SystemExit: pass\n"
        )
        + "heavy = {'jax', 'matplotlib', 'plotly', 'scipy', 'sklearn', 'torch', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
