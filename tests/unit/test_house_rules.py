"""The house rules a linter cannot read."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from pkgutil import walk_packages
from typing import TypeVar

import llmring_core
import llmring_http
from llmring_core.errors import LLMRingError

Node = TypeVar("Node", bound=ast.AST)

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
MODULES = sorted(SRC.rglob("*.py"))
CORE = sorted(SRC.glob("llmring_core/**/*.py"))
PYTHON = sorted(chain(MODULES, *(ROOT.glob(f"{top}/**/*.py") for top in ("tests", "tools"))))
TREES = {module: ast.parse(module.read_text()) for module in PYTHON}

MAX_LINES = 300
DUMPS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "shared"}
VERBS = {"get", "post", "put", "patch", "delete", "head", "route"}
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.With, ast.AsyncWith, ast.IfExp)
CODE = re.compile(r"[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)?")

TEXTS = {".py", ".md", ".txt", ".toml", ".json", ".yml", ".yaml", ".mako", ".cfg", ".ini", ""}
FOLDERS = ("src", "tests", "alembic", "docs", "requirements", "tools", ".ci", "bench")
# Somebody's machine: a home folder or a workspace, at the start of a path.
PLACES = re.compile(r"(?<![\w.:/~-])/(?:home|root|Users|work|mnt)/[\w.]")
INDEX = re.compile(r"(?m)^\s*(-i|-f|--(extra-)?index-url|--find-links|--trusted-host)\b|@ *https?:")


def named(tree: ast.AST, kind: type[Node]) -> Iterator[Node]:
    return (node for node in ast.walk(tree) if isinstance(node, kind))


def imported(tree: ast.AST) -> set[str]:
    """Return the dotted names a module imports, whether as a module or from one."""
    modules = {alias.name for node in named(tree, ast.Import) for alias in node.names}
    members = {
        f"{node.module}.{alias.name}"
        for node in named(tree, ast.ImportFrom)
        for alias in node.names
    }
    return modules | members


def test_no_dumping_grounds() -> None:
    assert not [m for m in MODULES if DUMPS & set(m.relative_to(SRC).with_suffix("").parts)]


def test_modules_stay_readable() -> None:
    assert not [m for m in PYTHON if len(m.read_text().splitlines()) > MAX_LINES]


def test_handlers_only_translate() -> None:
    handlers = 0
    for module in SRC.glob("llmring_http/*/routes.py"):
        for node in named(TREES[module], ast.AsyncFunctionDef):
            decorators = (d.func for d in node.decorator_list if isinstance(d, ast.Call))
            if not VERBS & {d.id for d in decorators if isinstance(d, ast.Name)}:
                continue
            handlers += 1
            body = node.body[1:] if ast.get_docstring(node) else node.body
            branches = [n for statement in body for n in ast.walk(statement)]
            assert len(body) <= 2, node.name
            assert not [n for n in branches if isinstance(n, BRANCHES)], node.name
    assert handlers > 5


def test_every_error_says_what_it_is_under_a_code_of_its_own() -> None:
    for package in (llmring_core, llmring_http):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    errors = list(leaves(LLMRingError))
    codes = [error.code for error in errors]
    assert len(codes) > 10
    assert len(codes) == len(set(codes))
    assert not [code for code in codes if not CODE.fullmatch(code)]
    assert not [error for error in errors if "code" not in vars(error) or not error.__doc__]


def leaves(error: type[LLMRingError]) -> Iterator[type[LLMRingError]]:
    """Return the classes that are raised: those without a class below them."""
    below = [kind for kind in error.__subclasses__() if kind.__module__.startswith("llmring_")]
    if below:
        for kind in below:
            yield from leaves(kind)
    elif error.__module__ != "llmring_core.errors" or "code" in vars(error):
        yield error  # a family nobody raises yet is none


def test_what_the_core_passes_around_never_changes() -> None:
    for module in CORE:
        for node in named(TREES[module], ast.ClassDef):
            if "Struct" in {base.id for base in node.bases if isinstance(base, ast.Name)}:
                settings = {keyword.arg for keyword in node.keywords}
                assert {"frozen", "kw_only"} <= settings, f"{module.name}: {node.name}"


def test_the_core_knows_what_its_values_are() -> None:
    assert not [m for m in CORE if "typing.Any" in imported(TREES[m])]


def test_our_own_code_is_never_mocked() -> None:
    tests = [module for module in PYTHON if module.is_relative_to(ROOT / "tests")]
    mocking = [m for m in tests if any(".mock" in name for name in imported(TREES[m]))]
    assert not mocking


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    folders = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    files = [
        path
        for path in chain(ROOT.iterdir(), folders)
        if path.is_file() and path.suffix in TEXTS and not path.name.startswith(".env")
    ]
    assert len(files) > 100
    assert not [path for path in files if PLACES.search(path.read_text(errors="replace"))]


def test_no_requirement_names_where_it_comes_from() -> None:
    stated = [ROOT / "pyproject.toml", *ROOT.glob("requirements/*.txt")]
    assert not [path for path in stated if INDEX.search(path.read_text())]
