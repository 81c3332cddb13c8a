"""`contracts init` over a repository of schemas: it ends green, changes nothing that is there, and does so once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.folder import Folder
from avro_data_contracts.contracts.start import layout
from avro_data_contracts.contracts.start.layout import Writing
from contracts_tests.fixtures import examples
from contracts_tests.fixtures.command import run_contracts

Content = Any


def record(name: str, namespace: str = "shop", **fields: Any) -> dict[str, Any]:
    listed = [{"name": key, "type": kind} for key, kind in (fields or {"id": "string"}).items()]
    return {"type": "record", "name": name, "namespace": namespace, "fields": listed}


def protocol(*types: Any, namespace: str = "shop", **messages: Any) -> dict[str, Any]:
    return {"protocol": "Mail", "namespace": namespace, "types": list(types), "messages": messages}


def inner(name: str, **fields: Any) -> dict[str, Any]:
    return {key: value for key, value in record(name, **fields).items() if key != "namespace"}


ORDER = record("Order", price="shop.Price")
PRICE = record("Price", amount="double")
SENT = {"request": [{"name": "one", "type": "Order"}], "response": "null"}
LAYOUTS: dict[str, tuple[Mapping[str, Content], dict[str, str], set[str]]] = {
    "flat": ({"src/main/avro/Order.avsc": ORDER, "src/main/avro/Price.avsc": PRICE}, {"shop.Order": "Order"}, set()),
    "one file": ({"Order.avsc": record("Order")}, {"shop.Order": "Order"}, set()),
    "array of types": ({"avro/all.avsc": [PRICE, ORDER]}, {"shop.Order": "Order"}, set()),
    "type inside another": (
        {"a.avsc": record("A", price=PRICE), "b.avsc": record("B", price="shop.Price")},
        {"shop.A": "a", "shop.B": "b"},
        set(),
    ),
    "several services": (
        {"a/Order.avsc": record("Order", "a"), "b/Order.avsc": record("Order", "b")},
        {"a.Order": "a/Order", "b.Order": "b/Order"},
        set(),
    ),
    "a definition for each service": (
        {"a/Order.avsc": record("Order"), "b/Order.avsc": record("Order", total="int")},
        {"shop.Order": "a/Order", "shop.Order-b": "b/Order"},
        set(),
    ),
    "equal copy": (
        {"a/Order.avsc": record("Order"), "b/Order.avsc": record("Order")},
        {"shop.Order": "Order"},
        {"b"},
    ),
    "two types of one name": (
        {"a.avsc": ORDER, "b/Price.avsc": PRICE, "test/Price.avsc": record("Price", cents="int")},
        {"shop.Order": "a"},
        {"test"},
    ),
    "services that mean different types of one name": (
        {
            "a/Order.avsc": ORDER,
            "a/Price.avsc": PRICE,
            "b/Bill.avsc": record("Bill", price="shop.Price"),
            "b/Price.avsc": record("Price", cents="int"),
        },
        {"shop.Order": "Order"},
        {"b"},
    ),
    "protocol": (
        {"mail.avpr": protocol(inner("Price"), inner("Order", price="Price"))},
        {"shop.Order": "Order"},
        set(),
    ),
    "protocols that repeat a type": (
        {"a.avpr": protocol(inner("P"), inner("A", p="P")), "b.avpr": protocol(inner("P"), inner("B", p="P"))},
        {"shop.A": "A", "shop.B": "B"},
        set(),
    ),
    "messages": ({"m.avpr": protocol(inner("Order"), send=SENT), "E.avsc": record("E")}, {"shop.E": "E"}, set()),
    "build folder": (
        {"target/classes/Order.avsc": record("Order"), "avro/Order.avsc": record("Order")},
        {"shop.Order": "Order"},
        {"target"},
    ),
    "no JSON": ({"Order.avsc": record("Order"), "bad.avsc": "{{ template }}"}, {"shop.Order": "Order"}, {"bad.avsc"}),
    "no schema": ({"Order.avsc": record("Order"), "x.avsc": {"a": 1}}, {"shop.Order": "Order"}, {"x.avsc"}),
    "not UTF-8": ({"Order.avsc": record("Order"), "x.avsc": b"\xff\xfe"}, {"shop.Order": "Order"}, {"x.avsc"}),
    "user of a broken schema": (
        {"Order.avsc": ORDER, "Price.avsc": record("Price", amount="no.such"), "B.avsc": record("B")},
        {"shop.B": "B"},
        {"Order.avsc", "Price.avsc"},
    ),
    "name twice in a schema": (
        {"a.avsc": record("A", x=inner("S"), y=inner("S", a="int")), "b.avsc": record("B")},
        {"shop.B": "b"},
        {"a.avsc"},
    ),
    "circle": (
        {"a.avsc": record("A", b="shop.B"), "b.avsc": record("B", a="shop.A"), "c.avsc": record("C")},
        {"shop.C": "c"},
        {"a.avsc", "b.avsc"},
    ),
    "name that no topic can have": ({"u.avsc": record("Order", "shop", it="string")}, {"shop.Order": "u"}, set()),
    "findings": ({"Order.avsc": {"type": "record", "name": "order", "fields": []}}, {"order": "Order"}, set()),
}


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CONTRACTS_DIR", raising=False)
    monkeypatch.delenv("AVRO_TOOLS_JAR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(top: Path, files: Mapping[str, Content]) -> None:
    for path, content in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, (str, bytes)) else json.dumps(content, indent=2)
        (top / path).write_bytes(text if isinstance(text, bytes) else text.encode())


def git(*arguments: str) -> None:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def commit(message: str) -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", message)


def there(top: Path) -> dict[str, bytes]:
    return {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in sorted(top.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }


def started(*arguments: str) -> dict[str, Any]:
    done = run_contracts("init", *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_schemas_outside_git_are_green_after_init(top: Path) -> None:
    put(top, LAYOUTS["flat"][0])
    started()
    done = run_contracts("lint")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", LAYOUTS)
def test_repository_is_green_after_init(name: str, top: Path) -> None:
    files, contracts, ignored = LAYOUTS[name]
    put(top, files)
    git("init", "--quiet")
    commit("Schemas")
    before = there(top)
    found = started()
    assert {one["topic"] for one in found["contracts"]} == set(contracts)
    assert {one.split("/")[0] for one in found["ignored"]} == ignored
    after = there(top)
    assert {path: after[path] for path in before} == before
    assert set(after) - set(before) == set(found["files"])
    for command in (("lint",), ("check", "--against", "HEAD"), ("lint", "--format", "json")):
        done = run_contracts(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert {one for one in json.loads(done.stdout)["contracts"]} == set(contracts.values())
    assert started()["files"] == []
    assert there(top) == after


def test_dry_run_writes_nothing(top: Path) -> None:
    put(top, LAYOUTS["flat"][0])
    before = there(top)
    found = started("--dry-run")
    assert (found["written"], there(top)) == (False, before)
    assert set(started()["files"]) == set(found["files"])


def test_new_schema_gets_a_contract_by_a_second_run_and_new_findings_fail(top: Path) -> None:
    put(top, LAYOUTS["flat"][0])
    started()
    put(top, {"src/main/avro/Enum.avsc": record("Bill", s={"type": "enum", "name": "S", "symbols": ["A"]})})
    assert [one["topic"] for one in started()["contracts"]] == ["shop.Bill"]
    done = run_contracts("lint", "--format", "json")
    assert done.returncode == 1
    assert {one["contract"] for one in json.loads(done.stdout)["findings"]} == {"Enum"}


def test_repository_that_has_contracts_gets_them_for_new_schemas_only(top: Path) -> None:
    put(top, {"schemas/orders/value.avsc": record("Order"), "tests/data/Broken.avsc": "{"})
    (top / "schemas/orders/contract.yaml").write_text("topic: orders\nowner: shop\ncompatibility: FULL\n")
    assert started()["files"] == []
    put(top, {"schemas/Bill.avsc": record("Bill")})
    assert started()["files"] == ["schemas/Bill.contract.yaml"]
    done = run_contracts("lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_copy_that_comes_later_is_not_refused(top: Path) -> None:
    put(top, LAYOUTS["flat"][0])
    put(top, {"src/main/avro/x/B.avsc": record("B", price="shop.Price")})
    started()
    put(top, {"src/main/avro/x/Price.avsc": PRICE})
    assert run_contracts("lint").returncode == 0
    put(top, {"src/main/avro/x/Price.avsc": record("Price", cents="int")})
    assert run_contracts("lint").returncode == 2


def test_new_schema_outside_of_the_folder_is_told(top: Path) -> None:
    put(top, {"a/Price.avsc": PRICE})
    started()
    put(top, {"b/Order.avsc": ORDER, "target/a/Price.avsc": PRICE})
    assert started()["notes"] == ["outside of a, the `schemas` of contracts.toml: b/Order.avsc"]


def test_record_with_a_contract_can_be_used_later(top: Path) -> None:
    put(top, {"Price.avsc": PRICE})
    git("init", "--quiet")
    started()
    commit("Contracts")
    put(top, {"Order.avsc": ORDER})
    assert [one["topic"] for one in started()["contracts"]] == ["shop.Order"]
    done = run_contracts("check", "--against", "HEAD")
    assert done.returncode == 0, done.stdout + done.stderr


def test_break_of_a_schema_is_found_after_init(top: Path) -> None:
    put(top, LAYOUTS["flat"][0])
    git("init", "--quiet")
    started()
    commit("Contracts")
    put(top, {"src/main/avro/Price.avsc": record("Price", amount="double", currency="string")})
    done = run_contracts("check", "--against", "HEAD")
    assert (done.returncode, "currency" in done.stdout) == (1, True)


def test_default_level_is_that_of_the_compared_commit(top: Path) -> None:
    put(top, LAYOUTS["flat"][0])
    git("init", "--quiet")
    started("--compatibility", "FULL")
    commit("Contracts")
    text = (top / "contracts.toml").read_text(encoding="utf-8")
    (top / "contracts.toml").write_text(text.replace("FULL", "NONE"), encoding="utf-8")
    done = run_contracts("check", "--against", "HEAD", "--format", "json")
    assert "LEVEL" in " ".join(one["rule"] for one in json.loads(done.stdout)["findings"]).upper()


@pytest.fixture
def avro_tools(top: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program called like avro-tools, for which an .avdl is the .avpr already."""
    home = tmp_path_factory.mktemp("java")
    (home / "bin").mkdir()
    java = home / "bin" / "java"
    java.write_text('#!/bin/sh\n[ "$1 $2 $3" = "-jar $AVRO_TOOLS_JAR idl" ] && cat "$4"\n', encoding="utf-8")
    java.chmod(0o755)
    jar = home / "avro-tools.jar"
    jar.touch()
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("AVRO_TOOLS_JAR", str(jar))


@pytest.mark.usefixtures("avro_tools")
def test_idl_gets_a_protocol_beside_it_and_a_new_one_when_that_is_deleted(top: Path) -> None:
    put(top, {"idl/mail.avdl": protocol(inner("Order"))})
    found = started()
    assert {"idl/mail.avpr", "idl/Order.contract.yaml", "idl/Order.value.avsc"} <= set(found["files"])
    assert run_contracts("lint").returncode == 0
    (top / "idl/mail.avpr").unlink()
    assert run_contracts("lint").returncode == 2
    assert started()["files"] == ["idl/mail.avpr"]
    assert run_contracts("lint").returncode == 0


@pytest.mark.usefixtures("avro_tools")
def test_idl_that_cannot_be_compiled_is_told(top: Path) -> None:
    put(top, {"a.avdl": "", "b.avsc": record("B")})
    assert started()["notes"] == ["a.avdl is not read: avro-tools says: no protocol in it"]


def test_wrong_path_of_avro_tools_exits_with_2(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVRO_TOOLS_JAR", "no/such.jar")
    put(top, {"a.avdl": "", "b.avsc": record("B")})
    done = run_contracts("init")
    assert (done.returncode, "AVRO_TOOLS_JAR" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("files", "words"),
    [({}, "no Avro record"), ({"a.avdl": "protocol A {}"}, "AVRO_TOOLS_JAR"), ({"a.avsc": "{"}, "a.avsc")],
)
def test_folder_without_a_usable_schema_exits_with_2(files: Mapping[str, Content], words: str, top: Path) -> None:
    put(top, files)
    done = run_contracts("init")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert set(there(top)) == set(files)


NAMES = st.sampled_from([f"T{number}" for number in range(6)])


@st.composite
def repositories(draw: st.DrawFn) -> dict[str, str]:
    """Any graph of types in any files; many of them are wrong."""

    def kind() -> Any:
        if draw(st.booleans()) and draw(st.booleans()):
            return record(draw(NAMES), x=inner(draw(NAMES)), y=inner(draw(NAMES), z="int"))
        used = draw(st.lists(NAMES, max_size=2, unique=True))
        return record(draw(NAMES), **{f"f{name}": f"shop.{name}" for name in used}, id="string")

    files: dict[str, str] = {}
    for number in range(draw(st.integers(1, 6))):
        content: Any = draw(st.sampled_from(["one", "array", "protocol", "junk"]))
        folder = draw(st.sampled_from(["", "a/", "test/", "src/build/"]))
        if content == "one":
            files[f"{folder}{number}.avsc"] = json.dumps(kind())
        elif content == "junk":
            files[f"{folder}{number}.avsc"] = draw(st.sampled_from(["", "{", "[1]", '"x.Y"', "{}", "[]", '"int"']))
        else:
            types = [kind() for _ in range(draw(st.integers(0, 3)))]
            text = json.dumps(types if content == "array" else protocol(*types))
            files[f"{folder}{number}.{'avsc' if content == 'array' else 'avpr'}"] = text
    return files | {"zz/Sure.avsc": json.dumps(record("Sure"))}


@settings(max_examples=examples.of(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(repositories())
def test_what_is_left_of_any_repository_can_be_read(files: dict[str, str]) -> None:
    writing = Writing({"owner": "shop", "compatibility": "BACKWARD"})
    found = layout.of(Folder(dict(sorted(files.items()))), "", writing)
    again = {path: text for path, text in files.items() if path not in found.ignored} | writing.files(found.made)
    loaded = loading.read(Folder(dict(sorted(again.items()))), "")
    assert loaded.faults == ()
    assert {one.topic for one in found.made} == {one.topic for one in loaded.catalog.contracts.values()}
    assert "shop.Sure" in {one.topic for one in found.made}
    assert not set(writing.files(found.made)) & set(files)
    second = layout.of(Folder(dict(sorted(again.items()))), "", writing)
    assert second.made == ()
