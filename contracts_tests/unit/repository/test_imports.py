"""Imports go one way: no circle in any room, no test module that another module leans on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts_tests.fixtures.clone import CLONE

PACKAGE = "avro_data_contracts"
PACKAGES = ("contracts", "producers", "streaming", "stack", "deploy", "orchestration", "console")
TOPS = (PACKAGE, *PACKAGES, "dags", "benchmarks", "contracts_tests")


def module_name(path: Path) -> str:
    parts = path.relative_to(CLONE).with_suffix("").parts
    whole = (PACKAGE, *parts) if parts[0] in PACKAGES else parts
    return ".".join(whole[:-1] if whole[-1] == "__init__" else whole)


MODULES = {module_name(path): path for top in TOPS for path in (CLONE / top).rglob("*.py")}


def imported(node: ast.AST) -> Iterator[str]:
    """What the code below `node` imports, inside functions too; what only type checkers read does not count."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr) or (isinstance(child, ast.If) and is_for_type_checkers(child.test)):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, f"relative import in line {child.lineno}"
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        yield from imported(child)


def is_for_type_checkers(test: ast.expr) -> bool:
    names = (getattr(test, "id", ""), getattr(test, "attr", ""))
    return "TYPE_CHECKING" in names


def own_module(name: str) -> str:
    """The module of this repository that has the name `name`; empty for other people's."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


@pytest.fixture(scope="module")
def names() -> dict[str, set[str]]:
    """Module -> the names that it imports."""
    return {name: set(imported(ast.parse(path.read_text(encoding="utf-8")))) for name, path in MODULES.items()}


@pytest.fixture(scope="module")
def graph(names: dict[str, set[str]]) -> dict[str, set[str]]:
    """Module -> the modules of this repository that it imports."""
    return {name: {own_module(one) for one in imports} - {"", name} for name, imports in names.items()}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one module."""
    found: list[list[str]] = []
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: list[str] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        open_.append(name)
        for other in sorted(graph[name]):
            if other not in number:
                visit(other)
            if other in open_:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == number[name]:
            at = open_.index(name)
            if len(open_) - at > 1:
                found.append(sorted(open_[at:]))
            del open_[at:]

    for name in graph:
        if name not in number:
            visit(name)
    return found


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}) == [
        ["d", "e"],
        ["a", "b", "c"],
    ]


def test_imports_form_no_circle(graph: dict[str, set[str]]) -> None:
    assert len(graph) > 400
    assert f"{PACKAGE}.contracts.errors" in graph[f"{PACKAGE}.contracts.catalog.loading"]
    assert circles(graph) == []


def test_no_module_imports_a_test_module(graph: dict[str, set[str]]) -> None:
    pairs = [(name, other) for name, others in graph.items() for other in others]
    assert [pair for pair in pairs if pair[1].rpartition(".")[2].startswith("test_")] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_package_is_a_link_to_its_folder(package: str) -> None:
    assert (CLONE / PACKAGE / package).readlink() == Path("..", package)


def test_packages_are_imported_under_the_one_name(names: dict[str, set[str]]) -> None:
    bare = [(name, one) for name, ones in names.items() for one in ones if one.split(".")[0] in PACKAGES]
    assert bare == []
