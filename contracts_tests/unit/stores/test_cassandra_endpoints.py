"""The names that the certificates of Cassandra's nodes must have."""

from __future__ import annotations

from unittest import mock

import certifi
import pytest

from avro_data_contracts.contracts.errors import ServiceError
from avro_data_contracts.streaming.stores.cassandra import connection, endpoints


def discovered(address: str, names: dict[str, str]) -> endpoints.Named:
    """Return the end point of a node that the driver found in a table of Cassandra."""
    factory = endpoints.ByName(names, 9042)
    factory.configure(mock.Mock(address_translator=mock.Mock(translate=lambda found: found)))
    return factory.create({"rpc_address": address})


def test_name_is_expected_in_the_certificate_not_the_address():
    names = endpoints.resolved(["localhost"], 9042)
    assert "127.0.0.1" in names
    assert discovered("127.0.0.1", names).ssl_options == {"server_hostname": "localhost"}
    assert discovered("127.0.0.1", names).address == "127.0.0.1"


def test_address_is_expected_when_the_node_has_no_configured_name():
    assert discovered("10.0.0.9", {"10.0.0.1": "cassandra"}).ssl_options == {"server_hostname": "10.0.0.9"}
    names = endpoints.resolved(["127.0.0.1"], 9042)
    assert discovered("127.0.0.1", names).ssl_options == {"server_hostname": "127.0.0.1"}


def test_host_without_an_address_is_left_out():
    assert "127.0.0.1" in endpoints.resolved(["no-such-host.invalid", "localhost"], 9042)
    assert endpoints.resolved(["no-such-host.invalid"], 9042) == {}


def test_contact_points_have_names_only_with_tls():
    """The driver speaks TLS as soon as one end point has options for it."""
    for authority, expected in (("", {None}), (certifi.where(), {"localhost"})):
        cluster = connection._cluster(connection.Way("localhost:9043", "u", "p", authority))
        try:
            assert {
                (point.ssl_options or {}).get("server_hostname") for point in cluster.endpoints_resolved
            } == expected
            assert {point.port for point in cluster.endpoints_resolved} == {9043}
            assert (cluster.ssl_context is not None) == bool(authority)
        finally:
            cluster.shutdown()


def test_name_that_nobody_knows_is_an_outage_and_not_a_bug():
    with pytest.raises(ServiceError, match=r"no-such-host\.invalid:9042: UnresolvableContactPoints"):
        connection._cluster(connection.Way("no-such-host.invalid:9042", "u", "p"))
    node = connection.Node(connection.Way("no-such-host.invalid:9042", "u", "p"))
    with pytest.raises(ServiceError):
        node.generation()
