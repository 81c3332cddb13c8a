"""The public names and their parameters: a removal or a rename is noticed here before users notice it.

Add what is new.  Take nothing away without a line in CHANGELOG.md.
"""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from contracts_tests.fixtures import api_page, pages
from contracts_tests.fixtures.clone import CLONE

EXPORTED = {
    "avro_data_contracts.contracts": ["__version__", "catalog", "errors", "registry", "settings"],
    "avro_data_contracts.contracts.catalog": ["Catalog", "Contract", "from_files", "load", "load_one"],
    "avro_data_contracts.contracts.registry": ["Registry"],
    "avro_data_contracts.contracts.sample": ["records"],
    "avro_data_contracts.producers": [
        "AsyncPublisher",
        "Delivered",
        "NotDelivered",
        "Publisher",
        "RejectedRecord",
    ],
}

PARAMETERS = {
    "avro_data_contracts.contracts.catalog.load": "folder",
    "avro_data_contracts.contracts.catalog.load_one": "folder name",
    "avro_data_contracts.contracts.catalog.from_files": "files root",
    "avro_data_contracts.contracts.catalog.Catalog.get": "name",
    "avro_data_contracts.contracts.catalog.Catalog.only": "names",
    "avro_data_contracts.contracts.sample.records": "contract seed",
    "avro_data_contracts.contracts.settings.load": "flags",
    "avro_data_contracts.contracts.compat.levels.check": "new history level where named",
    "avro_data_contracts.contracts.registry.Registry": (
        "url user password timeout_s ca_file retry_for_s parallel keep_tags"
    ),
    "avro_data_contracts.contracts.registry.Registry.from_settings": "settings",
    "avro_data_contracts.contracts.registry.Registry.subjects": "",
    "avro_data_contracts.contracts.registry.Registry.versions": "subject deleted",
    "avro_data_contracts.contracts.registry.Registry.version": "subject version deleted",
    "avro_data_contracts.contracts.registry.Registry.by_id": "schema_id",
    "avro_data_contracts.contracts.registry.Registry.register": "subject text references",
    "avro_data_contracts.contracts.registry.Registry.level": "subject",
    "avro_data_contracts.producers.AsyncPublisher": "contract settings name",
    "avro_data_contracts.producers.AsyncPublisher.of": "contract settings name",
    "avro_data_contracts.producers.AsyncPublisher.open": "",
    "avro_data_contracts.producers.AsyncPublisher.send": "record headers",
    "avro_data_contracts.producers.AsyncPublisher.from_json": "text",
    "avro_data_contracts.producers.AsyncPublisher.refuse": "given refusal position",
    "avro_data_contracts.producers.AsyncPublisher.close": "",
    "avro_data_contracts.producers.Publisher": "contract settings name transactional_id transaction_timeout_s",
    "avro_data_contracts.producers.Publisher.of": "contract settings name transactional_id transaction_timeout_s",
    "avro_data_contracts.producers.Publisher.open": "",
    "avro_data_contracts.producers.Publisher.send": "record headers on_delivery",
    "avro_data_contracts.producers.Publisher.send_and_wait": "record headers",
    "avro_data_contracts.producers.Publisher.from_json": "text",
    "avro_data_contracts.producers.Publisher.transaction": "",
    "avro_data_contracts.producers.Publisher.refuse": "given refusal position",
    "avro_data_contracts.producers.Publisher.flush": "",
    "avro_data_contracts.producers.Publisher.close": "",
    "avro_data_contracts.streaming.queries.stream": "spark settings contract",
    "avro_data_contracts.streaming.queries.whole": "spark settings contract",
    "avro_data_contracts.streaming.spark.session.running": "settings",
}


@pytest.mark.parametrize("package", EXPORTED)
def test_package_exports_recorded_names(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(module.__all__) == EXPORTED[package]
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_parameters_have_recorded_names() -> None:
    assert {name: " ".join(found) for name, found in api_page.parameters().items()} == PARAMETERS


def test_page_is_current() -> None:
    assert pages.read("docs/reference/api.md").text == api_page.page(), "run: make docs"


@pytest.mark.parametrize("package", EXPORTED)
def test_import_of_package_is_light(package: str) -> None:
    heavy = ("pydantic", "yaml", "requests", "confluent_kafka", "fastavro", "typer")
    program = f"import {package}, sys; print(*[name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=CLONE, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
