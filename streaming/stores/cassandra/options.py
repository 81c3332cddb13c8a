"""Settings of Spark's Cassandra connector: where the nodes are, and how to write."""

from __future__ import annotations

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming import truststore
from avro_data_contracts.streaming.stores.cassandra.connection import contact_points

_CIPHERS = (
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
)


def of(settings: Settings) -> dict[str, str]:
    """Return the settings of a Spark session, without the password."""
    hosts, port = contact_points(settings.cassandra_hosts)
    found = {
        # A join by the key of a Cassandra table reads only those rows, not the table.
        "spark.sql.extensions": "com.datastax.spark.connector.CassandraSparkExtensions",
        "spark.cassandra.connection.host": ",".join(hosts),
        "spark.cassandra.connection.port": str(port),
        "spark.cassandra.auth.username": settings.cassandra_username,
        "spark.cassandra.output.ignoreNulls": "false",
        # One request for about ten rows on the same replicas: a tenth of the requests.
        "spark.cassandra.output.batch.grouping.key": "replica_set",
        "spark.cassandra.output.batch.size.bytes": "4096",
        "spark.cassandra.output.concurrent.writes": "32",
        # The stream retries (`run.store_query`); the connector's own retries would hide an outage for two minutes.
        "spark.cassandra.query.retry.count": "2",
        "spark.cassandra.read.timeoutMS": "20000",
        # As it writes, so that a late event is compared with the last write on any replica.
        "spark.cassandra.input.consistency.level": "LOCAL_QUORUM",
        "spark.cassandra.connection.reconnectionDelayMS.min": "500",
        "spark.cassandra.connection.reconnectionDelayMS.max": "3000",
    }
    return found | (_over_tls(settings.cassandra_ca_file) if settings.cassandra_ca_file else {})


def _over_tls(ca_file: str) -> dict[str, str]:
    return {
        "spark.cassandra.connection.ssl.enabled": "true",
        "spark.cassandra.connection.ssl.trustStore.path": str(truststore.of(ca_file, "CASSANDRA_CA_FILE")),
        "spark.cassandra.connection.ssl.trustStore.password": truststore.PASSWORD,
        "spark.cassandra.connection.ssl.trustStore.type": "PKCS12",
        # The connector's default has no cipher of TLS 1.3, and none for elliptic-curve keys.
        "spark.cassandra.connection.ssl.enabledAlgorithms": ",".join(_CIPHERS),
    }
