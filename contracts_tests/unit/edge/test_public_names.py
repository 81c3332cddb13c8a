"""Documented imports work, and names from the previous release work with a warning."""

from __future__ import annotations

import subprocess
import sys

import pytest

from contracts_tests.fixtures.clone import CLONE

PROGRAMS = [
    "from avro_data_contracts.contracts import catalog, settings; catalog.load_one(settings.load().contracts_dir, 'users_created')",
    "from avro_data_contracts.contracts import catalog, settings; catalog.load(settings.load().contracts_dir).get('users_created')",
    "from avro_data_contracts.contracts.registry import Registry; Registry.from_settings",
    "from avro_data_contracts.producers.publish import Publisher, RejectedRecord; Publisher.open",
    "from avro_data_contracts.producers import Publisher, RejectedRecord; Publisher.open",
    "from avro_data_contracts.contracts.compat.levels import check; check",
    "from avro_data_contracts.streaming import queries; queries.stream, queries.whole",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_documented_import_works_in_a_new_process(program: str) -> None:
    command = [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", program]
    done = subprocess.run(command, cwd=CLONE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_name_from_the_previous_release_warns() -> None:
    program = "from avro_data_contracts.contracts.compatibility import check; print(check.__module__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "contracts.compat.levels\n"
    assert "contracts.compatibility is now contracts.compat.levels" in done.stderr


@pytest.mark.parametrize("package", ["contracts.catalog", "contracts.registry"])
def test_unknown_name_raises_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        __import__(package, fromlist=["nothing"]).nothing  # noqa: B018
