"""The files of a folder: which are read, and what is told about those that are there and are not read."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.folder import read_folder
from avro_data_contracts.contracts.errors import ConfigurationError
from contracts_tests.fixtures.contract_files import CONTRACT, record
from contracts_tests.fixtures.git import git

VALUE = record(("id", "string"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository's folder `schemas` with one contract."""
    git(tmp_path, "init", "-q")
    contract(tmp_path / "schemas" / "orders")
    return tmp_path / "schemas"


def contract(folder: Path, spec: str = CONTRACT, **files: str) -> None:
    folder.mkdir(parents=True)
    (folder / "contract.yaml").write_text(spec, encoding="utf-8")
    for name, text in (files or {"value.avsc": VALUE}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def other(topic: str) -> str:
    return CONTRACT.replace("orders", topic)


def texts(folder: Path) -> set[str]:
    return set(read_folder(folder).texts)


def faults(folder: Path) -> list[str]:
    return [str(one.error) for one in loading.load_folder(folder)[0].faults]


# -- what git ignores ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["build/", "/schemas/build", "schemas/**/b*", "build\n!keep"])
@pytest.mark.parametrize("where", ["top", "folder", "exclude"])
def test_what_git_ignores_is_not_read(folder: Path, pattern: str, where: str) -> None:
    before = texts(folder)
    contract(folder / "build" / "orders")  # a second contract for the topic would be an error
    (folder / "build" / "money.avsc").write_text("{ broken")
    top = folder.parent
    files = {"top": top / ".gitignore", "folder": folder / ".gitignore", "exclude": top / ".git" / "info" / "exclude"}
    files[where].write_text(pattern.replace("/schemas/", "/") if where == "folder" else pattern)
    if where == "folder" and "**" in pattern:
        files[where].write_text("**/b*")
    assert texts(folder) == before
    assert faults(folder) == []
    assert [one.topic for one in loading.load(folder).contracts.values()] == ["orders"]


def test_tracked_file_is_read_even_if_git_ignores_its_like(folder: Path) -> None:
    (folder.parent / ".gitignore").write_text("*.avsc\n")
    git(folder, "add", "-f", "orders/value.avsc")
    (folder / "orders" / "other.avsc").write_text(record(("x", "int"), name="shop.Other"))
    assert texts(folder) == {"orders/contract.yaml", "orders/value.avsc"}


@pytest.mark.parametrize("below", ["", "inner/"])
def test_folder_that_git_ignores_itself_is_read(folder: Path, below: str) -> None:
    (folder.parent / ".gitignore").write_text("out/\n")
    contract(folder.parent / "out" / below / "orders")
    assert texts(folder.parent / "out" / below) == {"orders/contract.yaml", "orders/value.avsc"}


def test_folder_outside_of_git_is_read_whole(tmp_path: Path) -> None:
    contract(tmp_path / "schemas" / "orders")
    (tmp_path / "schemas" / ".gitignore").write_text("orders\n")
    assert texts(tmp_path / "schemas") == {"orders/contract.yaml", "orders/value.avsc"}


def test_folder_is_read_whole_without_git(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (folder / ".gitmodules").write_text("")
    (folder.parent / ".gitmodules").write_text('[submodule "a"]\n\tpath = schemas/a\n')
    assert texts(folder) == {"orders/contract.yaml", "orders/value.avsc"}


def test_ignored_schema_of_a_contract_is_told(folder: Path) -> None:
    (folder.parent / ".gitignore").write_text("value.avsc\n")
    (told,) = faults(folder)
    assert "value: the file value.avsc is there, but git ignores it" in told
    assert ".gitignore" in told


def test_ignored_folder_of_a_contracts_schema_is_told(folder: Path) -> None:
    (folder.parent / ".gitignore").write_text("avro/\n")
    contract(folder / "b", other("b").replace("value.avsc", "avro/v.avsc"), **{"avro/v.avsc": VALUE})
    (told,) = faults(folder)
    assert "the file avro/v.avsc is in b/avro, but git ignores it" in told


# -- submodules and links -----------------------------------------------------------------------------------------


def submodule(folder: Path, tmp_path: Path) -> None:
    contract(tmp_path / "vendor" / "bills", other("bills"))
    (tmp_path / "vendor" / ".gitignore").write_text("build/\n")
    git(tmp_path / "vendor", "init", "-q")
    git(tmp_path / "vendor", "add", "-A")
    git(tmp_path / "vendor", "commit", "-q", "-m", "1")
    git(folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "vendor"), "vendor")


@pytest.fixture
def with_submodule(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    submodule(folder, tmp_path_factory.mktemp("other"))
    return folder


def test_submodule_is_read_without_what_it_ignores(with_submodule: Path) -> None:
    contract(with_submodule / "vendor" / "build" / "x", other("x"))
    assert list(loading.load(with_submodule).contracts) == ["orders", "vendor/bills"]


def test_submodule_that_is_not_checked_out_is_told(with_submodule: Path) -> None:
    git(with_submodule, "submodule", "--quiet", "deinit", "-f", "vendor")
    (told,) = faults(with_submodule)
    assert "schemas/vendor: the submodule is not checked out" in told
    assert "git submodule update --init" in told
    (with_submodule.parent / "contracts.toml").write_text('[contracts]\nignore = ["schemas/vendor"]\n')
    assert faults(with_submodule) == []


def test_linked_folder_is_read(folder: Path) -> None:
    contract(folder.parent / "elsewhere" / "bills", other("bills"))
    (folder / "bills").symlink_to("../elsewhere/bills")
    assert list(loading.load(folder).contracts) == ["bills", "orders"]


@pytest.mark.parametrize("target", ["orders", ".", "..", "self"])
def test_link_to_what_is_read_anyway_is_read_once(folder: Path, target: str) -> None:
    (folder / "self").symlink_to(target)
    assert texts(folder) == {"orders/contract.yaml", "orders/value.avsc"}


def test_link_to_a_file_is_read(folder: Path) -> None:
    (folder / "orders" / "value.avsc").rename(folder.parent / "order.json")
    (folder / "orders" / "value.avsc").symlink_to("../../order.json")
    assert loading.load(folder).contracts


def test_config_map_as_kubernetes_mounts_it_is_read_once(tmp_path: Path) -> None:
    """Each file is a link into `..data`, which is a link to the folder of this version of the ConfigMap."""
    mounted = tmp_path / "mounted"
    version = mounted / "..2026_11_30_10_00_00.1234567890"
    version.mkdir(parents=True)
    (mounted / "..data").symlink_to(version.name)
    spec = CONTRACT.replace("value.avsc", "orders.avsc")
    for name, text in {"orders.contract.yaml": spec, "orders.avsc": VALUE}.items():
        (version / name).write_text(text, encoding="utf-8")
        (mounted / name).symlink_to(f"..data/{name}")
    assert texts(mounted) == {"orders.avsc", "orders.contract.yaml"}
    assert list(loading.load(mounted).contracts) == ["orders"]


@pytest.mark.parametrize("name", ["orders/value.avsc", "types/money.avsc", "bills/contract.yaml"])
def test_link_to_nothing_is_told(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("nothing.avsc")
    (told,) = faults(folder)
    assert f"schemas/{name}: the file is a link to nothing.avsc, which does not exist" in told


@pytest.mark.parametrize("name", ["orders/value.avsc", "types/money.avsc", "orders/contract.yaml"])
def test_file_that_is_not_utf_8_is_told_with_its_line(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes("{\n\n\xe9".encode("latin-1"))
    (told,) = faults(folder)
    assert f"schemas/{name}:3: the file is not UTF-8" in told
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        loading.load(folder)


@pytest.mark.parametrize("name", ["orders/value.avsc", "orders/contract.yaml", "orders"])
def test_file_that_may_not_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    read, scan = Path.read_bytes, os.scandir

    def refusing(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def call(path: str | Path) -> Any:
            if Path(path) == folder / name:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return original(path)

        return call

    monkeypatch.setattr(Path, "read_bytes", refusing(read))
    monkeypatch.setattr(os, "scandir", refusing(scan))
    (told,) = faults(folder)
    assert told.startswith(f"{folder}/{name}: the f")
    assert "cannot be read: Permission denied" in told


# -- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["contract.yml", "Contract.yaml", "CONTRACT.YML", "contracts.yaml"])
@pytest.mark.parametrize("alone", [True, False])
def test_contract_with_almost_the_right_name_is_told(folder: Path, name: str, alone: bool) -> None:
    contract(folder / "bills", other("bills"))
    (folder / "bills" / "contract.yaml").rename(folder / "bills" / name)
    if alone:
        (folder / "orders" / "contract.yaml").unlink()
    (told,) = faults(folder)
    assert told.startswith(f"{folder}/bills/{name}: ")
    assert "rename it to contract.yaml" in told


#: `value:` of a contract, what is in its folder -> message, fix.
NAMED = {
    ("value.avro", "value.avro"): ("value.avro is there, but only files", "rename it to value.avsc"),
    ("value.json", "value.json"): ("value.json is there, but only files", "rename it to value.avsc"),
    ("value.AVSC", "value.AVSC"): ("value.AVSC is there, but only files", "rename it to value.avsc"),
    ("value.avsc", "value.AVSC"): ("value.AVSC does, which is not read", "rename value.AVSC to value.avsc"),
    ("value.avsc", "value.avro"): ("value.avro does, which is not read", "rename value.avro to value.avsc"),
    ("value.avsc", "value"): ("value does, which is not read", "rename value to value.avsc"),
    ("value.avsc", "Value.avsc"): ("does not exist, but Value.avsc does", "write `value: Value.avsc`"),
    ("value", "value.avsc"): ("does not exist, but value.avsc does", "write `value: value.avsc`"),
    ("value.avro", "value.avsc"): ("does not exist, but value.avsc does", "write `value: value.avsc`"),
    ("value.avsc", "avro/value.avsc"): ("but avro/value.avsc does", "write `value: avro/value.avsc`"),
    ("avro/value.avsc", "value.avsc"): ("but value.avsc does", "write `value: value.avsc`"),
    ("schemas/b/value.avsc", "value.avsc"): ("but value.avsc does", "write `value: value.avsc`"),
    ("avro\\value.avsc", "avro/value.avsc"): ("but avro/value.avsc does", "write `value: avro/value.avsc`"),
    ("value.avsc", "bill.avsc"): ("but bill.avsc does", "write `value: bill.avsc`, if you mean it"),
    ("../../orders/value.avsc", "other.txt"): ("is not in the folder of the contracts", "move or copy"),
    ("/orders/value.avsc", "other.txt"): ("is not in the folder of the contracts", "move or copy"),
    ("value.avsc", "readme.txt"): ("the file value.avsc does not exist", "schemas/b/value.avsc, or correct `value:`"),
}


@pytest.mark.parametrize("named", NAMED)
def test_file_that_is_not_found_is_told_with_what_is_there(folder: Path, named: tuple[str, str]) -> None:
    written, there = named
    contract(folder / "b", f"topic: b\nowner: shop\ncompatibility: NONE\nvalue: {written}\n", **{there: VALUE})
    told = next(one for one in faults(folder) if "contract.yaml" in one)
    what, fix = NAMED[named]
    assert f"{folder}/b/contract.yaml:4: value: " in told
    assert what in told
    assert fix in told.partition("fix: ")[2]


def test_folder_with_the_name_of_a_schema_is_told(folder: Path) -> None:
    (folder / "orders" / "value.avsc").unlink()
    (folder / "orders" / "value.avsc").mkdir()
    (told,) = faults(folder)
    assert "the file value.avsc is there, but it is a folder" in told
