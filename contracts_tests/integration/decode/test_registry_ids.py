"""The stream's registry lookups: schemas by id and by GUID, and the subjects that hold them."""

from __future__ import annotations

import uuid

import pytest

from avro_data_contracts.contracts.errors import Refused, ServiceError
from avro_data_contracts.contracts.registry.client import NoGuidEndpoint, Registry
from avro_data_contracts.contracts.registry.http import NotJson
from avro_data_contracts.contracts.registry.snapshot import Snapshot
from contracts_tests.fixtures.confluent import Confluent
from contracts_tests.fixtures.gateway import Answer, Gateway
from contracts_tests.fixtures.repository import Repository

SOME_GUID = str(uuid.UUID(int=7))


def registered(one: Repository, confluent: Confluent) -> tuple[Registry, int]:
    """Return the registry with Confluent's behaviour, and the schema id of the repository's value."""
    one.registered()
    registry = Registry(confluent.url)
    found = registry.version(f"{one.topic}-value")
    assert found is not None
    return registry, found.schema_id


def ids_in(registry: Registry, subject: str) -> dict[int, int]:
    """Return schema id -> version."""
    return {one.schema_id: one.version for one in registry.all_of(subject)}


def test_unknown_id_is_none_and_wrong_url_is_refused(
    repository: Repository, confluent: Confluent, gateway: Gateway
) -> None:
    registry, known = registered(repository, confluent)
    found = registry.by_id(known)
    assert found is not None
    assert repository.topic in found.text
    assert registry.by_id(2**31 - 1) is None
    with pytest.raises(Refused, match="with 404") as caught:
        registry.by_id(2**31)
    assert caught.value.code == 404

    with pytest.raises(ServiceError) as other:
        Registry(f"{gateway.url}/no/such/place").by_id(known)
    assert isinstance(other.value, (Refused, NotJson))

    gateway.before = lambda _: Answer(404, b'{"error_code": 40401, "message": "Subject not found."}')
    with pytest.raises(Refused, match="40401"):
        Registry(gateway.url).by_id(known)


@pytest.mark.parametrize("context", ["", ".staging"])
def test_guid_and_id_give_the_same_schema(repository: Repository, confluent: Confluent, context: str) -> None:
    url = confluent.context(context) if context else confluent.url
    one = Repository(repository.folder, {**repository.environment, "SCHEMA_REGISTRY_URL": url}, repository.topic)
    one.registered()
    registry = Registry(url)
    name = f"{one.topic}-value"
    [(schema_id, _)] = ids_in(registry, name).items()
    guid = confluent.guid_of(schema_id, context or ".")

    by_guid, by_id = registry.by_guid(guid), registry.by_id(schema_id)

    assert by_guid is not None
    assert by_id is not None
    assert (by_guid.text, by_guid.references) == (by_id.text, by_id.references)
    snapshot = Snapshot(registry)
    assert snapshot.parse(by_guid).fullname == snapshot.parse(by_id).fullname == f"{one.topic}.One"
    assert registry.ids_of_guid(guid) == [schema_id]
    assert Registry(confluent.context(".other")).ids_of_guid(guid) == []
    assert (registry.by_guid(SOME_GUID), registry.ids_of_guid(SOME_GUID)) == (None, [])


def test_missing_guid_endpoint_is_distinguished_from_a_wrong_url(repository: Repository, gateway: Gateway) -> None:
    embedded = Registry(gateway.url)
    for ask in (embedded.by_guid, embedded.ids_of_guid):
        with pytest.raises(NoGuidEndpoint, match="no schemas by GUID"):
            ask(SOME_GUID)
    for url in (f"{gateway.url}/no/such/place", f"{gateway.url}/subjects"):
        with pytest.raises(ServiceError) as caught:
            Registry(url).by_guid(SOME_GUID)
        assert not isinstance(caught.value, NoGuidEndpoint)
    gateway.before = lambda _: Answer(503, b'{"error_code": 50001, "message": "store down"}')
    with pytest.raises(ServiceError, match="store down"):
        embedded.by_guid(SOME_GUID)


def test_ids_of_a_subject_include_deleted_versions(repository: Repository, gateway: Gateway) -> None:
    repository.registered()
    repository.add_field(name="new", type="int", default=0)
    repository.registered()
    name = f"{repository.topic}-value"
    registry = Registry(gateway.url)
    ids = {repository.rest("GET", f"/subjects/{name}/versions/{number}")["id"]: number for number in (1, 2)}
    repository.rest("DELETE", f"/subjects/{name}/versions/1")

    assert ids_in(registry, name) == ids
    asked = len(gateway.seen)
    assert ids_in(registry, name) == ids
    assert (asked, len(gateway.seen)) == (3, 4), "each version is requested once"

    repository.add_field(name="newer", type="int", default=0)
    repository.registered()
    assert len(ids_in(registry, name)) == 3
    assert len(gateway.seen) == 6
    assert ids_in(registry, "no-such-value") == {}


def test_subject_holds_ids_of_its_versions_even_after_deletion(repository: Repository, confluent: Confluent) -> None:
    registry, known = registered(repository, confluent)
    name = f"{repository.topic}-value"
    assert registry.subjects_of(known) == [name]
    assert registry.holds(name, known)
    assert not registry.holds("other-value", known)
    assert not registry.holds(name, 2**31 - 1)
    repository.rest("DELETE", f"/subjects/{name}")
    assert registry.holds(name, known), "the ids of deleted versions stay readable"


@pytest.mark.parametrize(
    "body",
    [
        b'{"schema": "\\"string\\"", "id": ' + b"9" * 5_000 + b"}",
        b'{"schema": "\\"string\\"", "version": Infinity}',
        b"[" * 20_000,
        b"\xff",
    ],
    ids=["thousands of digits", "infinity", "endless lists", "not UTF-8"],
)
def test_malformed_registry_response_is_an_outage(gateway: Gateway, body: bytes) -> None:
    gateway.before = lambda _: Answer(200, body)
    registry = Registry(gateway.url)
    asks = [lambda: registry.version("a-value"), lambda: registry.versions("a-value")]
    if b"Infinity" not in body:  # by_id does not look at the version
        asks.append(lambda: registry.by_id(1))
    for ask in asks:
        with pytest.raises(ServiceError) as caught:
            ask()
        assert not isinstance(caught.value, Refused)
