"""The source `python`: a function of the user's own, whose failures are told without a traceback or a value."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import ConfigurationError, ServiceError
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.known import opener
from avro_data_contracts.producers.sources.source import Request
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.http_api import write_contract

MODULE = """
import collections

def good():
    yield {"id": 1, "extra": 2}
    yield collections.UserDict(id=2)
    yield ["no mapping"]

def listed():
    return [{"id": 3}]

def broken():
    yield {"id": 1}
    raise ValueError("secret value")

def unreachable():
    raise ConnectionError("secret value")

def nothing():
    return None

number = 5
"""


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch, function: str, module: str = "shop_records") -> Any:
    (folder / "shop_records.py").write_text(MODULE)
    (folder / "shop_broken.py").write_text("import shop_missing\n")
    (folder / "shop_fails.py").write_text("1 / 0\n")
    for name in ("shop_records", "shop_broken", "shop_fails"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(folder))
    contracts = write_contract(folder, {"python": f"{module}:{function}"})
    contract = loading.load_one(contracts, "orders")
    return opener("python")(contract, settings.load(contracts_dir=contracts))


def test_mappings_become_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = opened(tmp_path, monkeypatch, "good")
    first, second, third = source.items(Request(""))
    assert [first.outcome, second.outcome] == [{"id": 1, "extra": 2}, {"id": 2}]
    assert isinstance(third.outcome, Rejection)
    assert third.outcome.what == "the function yielded a list, not a mapping"
    assert (source.where, source.position) == ("shop_records:good", "record 3")
    assert [item.outcome for item in opened(tmp_path, monkeypatch, "listed").items(Request(""))] == [{"id": 3}]


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        ("broken", ConfigurationError, "shop_records:broken failed: ValueError at "),
        ("unreachable", ServiceError, "shop_records:unreachable failed: ConnectionError at "),
        ("nothing", ConfigurationError, "shop_records:nothing failed: TypeError at "),
    ],
)
def test_failure_of_the_function_is_told_without_a_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, kind: type[Exception], words: str
) -> None:
    source = opened(tmp_path, monkeypatch, function)
    with pytest.raises(kind) as caught:
        list(source.items(Request("")))
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("module", "function", "words"),
    [
        ("shop_nowhere", "read", "there is no module shop_nowhere"),
        ("shop_broken", "read", "there is no module shop_missing"),
        ("shop_fails", "read", "failed: ZeroDivisionError"),
        ("shop_records", "read", "shop_records has no function read"),
        ("shop_records", "number", "shop_records has no function number"),
    ],
)
def test_function_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, function: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        opened(tmp_path, monkeypatch, function, module)


def test_command_finds_a_module_in_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "shop_records.py").write_text(MODULE)
    contracts = write_contract(tmp_path, {"python": "shop_records:broken_name"})
    import os

    done = subprocess.run(
        [sys.executable, "-m", "avro_data_contracts.producers", "--contract", "orders"],
        cwd=tmp_path,
        env={**os.environ, "CONTRACTS_DIR": str(contracts), "PYTHONPATH": os.pathsep.join([str(CLONE), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "shop_records has no function broken_name" in done.stderr
    assert "Traceback" not in done.stderr
