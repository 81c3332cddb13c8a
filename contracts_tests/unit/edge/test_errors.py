"""Every service error has a field that names its server, so metrics need not parse messages."""

from __future__ import annotations

import ast
from pathlib import Path

from avro_data_contracts.contracts import errors
from avro_data_contracts.contracts.errors import Refused, ServiceError
from contracts_tests.fixtures.clone import CLONE

PACKAGES = ("contracts", "producers", "streaming", "orchestration", "deploy", "dags")


def of_a_service() -> set[str]:
    """Return the names of `ServiceError` and of all its subclasses in the packages."""
    names, found = {"ServiceError"}, -1
    bases = [
        (node.name, {base.id for base in node.bases if isinstance(base, ast.Name)})
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    while found != len(names):
        found = len(names)
        names |= {name for name, of in bases if of & names}
    return names


def trees() -> dict[Path, ast.Module]:
    paths = (path for package in PACKAGES for path in sorted((CLONE / package).rglob("*.py")))
    return {path: ast.parse(path.read_text("utf-8")) for path in paths}


def test_every_raised_service_error_names_its_server() -> None:
    kinds, silent, seen = of_a_service(), [], 0
    # Their own __init__ sets the server.
    within = {"Temporary", "Busy", "NotJson", "Unreadable"}
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds - within:
                seen += 1
                if "server" not in {keyword.arg for keyword in node.keywords}:
                    silent.append(f"{path.relative_to(CLONE)}:{node.lineno}")
    assert seen > 30
    assert {"Refused", "NotDelivered"} <= kinds
    assert silent == [], "give each server= (contracts/errors.py has the names)"


def test_server_is_a_field_and_not_derived_from_where() -> None:
    assert ServiceError("out", where="Kafka 127.0.0.1:9").server == ""
    assert ServiceError("out", server="kafka").server == "kafka"
    told = Refused("no", where="x", fix="y", server="registry", code=42201)
    assert (told.server, told.code, str(told)) == ("registry", 42201, "x: no\n  fix: y")
    assert issubclass(Refused, errors.ContractsError)
