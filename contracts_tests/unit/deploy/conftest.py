"""The files of deploy/kubernetes, for each test in turn as they are written and as each overlay renders them; and a
folder for the passwords of Compose, away from the clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from avro_data_contracts.deploy import __main__ as deploy
from contracts_tests.fixtures import kubernetes
from contracts_tests.fixtures.kubernetes import Document, Pod


@pytest.fixture(autouse=True)
def secrets(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `make compose-up` writes the passwords."""
    folder = tmp_path_factory.mktemp("secrets") / ".secrets"
    monkeypatch.setattr(deploy, "SECRETS", folder)
    return folder


@pytest.fixture(params=kubernetes.VARIANTS)
def objects(request: pytest.FixtureRequest) -> list[Document]:
    return kubernetes.variant(request.param)


@pytest.fixture
def pods(objects: list[Document]) -> list[Pod]:
    found = kubernetes.pods(objects)
    assert {pod.step for pod in found} == set(kubernetes.STEPS)
    return found
