"""The files of deploy/kubernetes, for each test in turn as they are written and as each overlay renders them."""

from __future__ import annotations

import pytest

from contracts_tests.fixtures import kubernetes
from contracts_tests.fixtures.kubernetes import Document, Pod


@pytest.fixture(params=kubernetes.VARIANTS)
def objects(request: pytest.FixtureRequest) -> list[Document]:
    return kubernetes.variant(request.param)


@pytest.fixture
def pods(objects: list[Document]) -> list[Pod]:
    found = kubernetes.pods(objects)
    assert {pod.step for pod in found} == set(kubernetes.STEPS)
    return found
