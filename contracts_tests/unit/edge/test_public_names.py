"""Documented imports work."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from contracts_tests.fixtures.clone import CLONE

PROGRAMS = [
    "from avro_data_contracts.contracts import catalog, settings\n"
    "catalog.load_one(settings.load().contracts_dir, 'users_created')",
    "from avro_data_contracts.contracts import catalog, settings\n"
    "catalog.load(settings.load().contracts_dir).get('users_created')",
    "from avro_data_contracts.contracts.registry import Registry; Registry.from_settings",
    "from avro_data_contracts.producers.publish import Publisher, RejectedRecord; Publisher.open",
    "from avro_data_contracts.producers import Publisher, RejectedRecord; Publisher.open",
    "from avro_data_contracts.producers import AsyncPublisher, Delivered, NotDelivered; AsyncPublisher.of",
    "from avro_data_contracts.contracts.compat.levels import check; check",
    "from avro_data_contracts.streaming import queries; queries.stream, queries.whole",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_documented_import_works_in_a_new_process(program: str) -> None:
    command = [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", program]
    done = subprocess.run(command, cwd=CLONE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["catalog", "registry"])
def test_unknown_name_raises_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        importlib.import_module(f"avro_data_contracts.contracts.{package}").nothing  # noqa: B018
