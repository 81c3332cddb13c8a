"""Responses of a busy registry, of one with a size limit and of a verbose one, from a gateway before the real one."""

from __future__ import annotations

import json

import pytest

from avro_data_contracts.contracts.errors import Refused, ServiceError
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.http import Busy
from contracts_tests.fixtures.gateway import Answer, Gateway, Request
from contracts_tests.fixtures.repository import Repository

BUSY = [
    pytest.param(429, 42901, id="too many requests"),
    pytest.param(500, 50003, id="not forwarded to the leader"),
    pytest.param(500, 50004, id="follower without a leader"),
]


def answer(status: int, code: int, message: str = "words") -> Answer:
    return Answer(status, json.dumps({"error_code": code, "message": message}).encode())


@pytest.mark.parametrize(("status", "code"), BUSY)
def test_register_retries_until_a_busy_registry_accepts(
    repository: Repository, gateway: Gateway, status: int, code: int
) -> None:
    """The first attempt of each request is refused; `register` still succeeds, whatever the method."""
    refused: set[tuple[str, str]] = set()

    def first_time(asked: Request) -> Answer | None:
        if (one := (asked.method, asked.path)) in refused:
            return None
        refused.add(one)
        return answer(status, code)

    gateway.before = first_time
    done = repository.run("register", SCHEMA_REGISTRY_URL=gateway.url)
    assert done.returncode == 0, done.stderr
    assert {method for method, _ in refused} == {"GET", "POST", "PUT"}
    assert repository.findings("drift") == {}


@pytest.mark.parametrize(("status", "code"), BUSY)
def test_retries_of_a_busy_registry_are_limited(gateway: Gateway, status: int, code: int) -> None:
    gateway.before = lambda _: answer(status, code)
    with pytest.raises(Busy, match=str(code)):
        Registry(gateway.url, retry_for_s=2).subjects()
    assert 2 <= len(gateway.seen) < 40


def test_lasting_failure_is_not_retried(gateway: Gateway) -> None:
    for status, code in ((500, 50001), (503, 50301), (401, 401), (404, 404), (422, 42205)):
        gateway.seen.clear()
        gateway.before = lambda _, status=status, code=code: answer(status, code)
        with pytest.raises(ServiceError):
            Registry(gateway.url).subjects()
        assert len(gateway.seen) == 1


def test_retry_limit_of_zero_disables_retries(gateway: Gateway) -> None:
    gateway.before = lambda _: answer(429, 42901)
    with pytest.raises(Busy):
        Registry(gateway.url, retry_for_s=0).subjects()
    assert len(gateway.seen) == 1


def test_schema_too_large_for_the_registry_has_its_own_message(repository: Repository, gateway: Gateway) -> None:
    gateway.before = lambda asked: (
        answer(422, 42209, "Schema is too large") if asked.method == "POST" and "versions" in asked.path else None
    )
    done = repository.run("register", SCHEMA_REGISTRY_URL=gateway.url)
    assert done.returncode == 3
    assert "42209: Schema is too large" in done.stderr
    assert "larger than this registry allows" in done.stderr


#: The message of Confluent's registry 8.3.1.
INCOMPATIBLE = (
    'Schema being registered is incompatible with an earlier schema for subject "x-value", details: '
    "[{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'total' at path '/fields/1' in the new "
    "schema has no default value and is missing in the old schema', additionalInfo:'total'}, {oldSchemaVersion: 1}, "
    '{oldSchema: \'{"type":"record","name":"Order","fields":[{"name":"secret","type":"string"}]}\'}, '
    "{validateFields: 'false', compatibility: 'FULL'}]; error code: 409"
)


@pytest.mark.parametrize("code", [409, 40901])
def test_incompatibility_message_omits_existing_schemas(gateway: Gateway, code: int) -> None:
    gateway.before = lambda _: answer(409, code, INCOMPATIBLE)
    with pytest.raises(Refused) as caught:
        Registry(gateway.url).register("x-value", '"string"')
    told = str(caught.value)
    assert caught.value.code == code
    for words in (
        str(code),
        "READER_FIELD_MISSING_DEFAULT_VALUE",
        "'total'",
        "oldSchemaVersion: 1",
        "'FULL'",
        "fix",
    ):
        assert words in told
    assert "secret" not in told
    assert "make the change compatible" in told


def test_endless_registry_message_is_truncated(gateway: Gateway) -> None:
    gateway.before = lambda _: answer(409, 409, "x" * 100_000)
    with pytest.raises(Refused) as caught:
        Registry(gateway.url).register("x-value", '"string"')
    assert len(str(caught.value)) < 2000
    assert "(100000 characters)" in str(caught.value)
