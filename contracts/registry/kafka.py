"""The configuration that Kafka clients need to connect and log in, made only here."""

from __future__ import annotations

from pathlib import Path

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.settings import Settings


def client(settings: Settings) -> dict[str, str]:
    """Return the configuration for librdkafka, on which confluent-kafka is built."""
    found = {"bootstrap.servers": settings.kafka_bootstrap_servers}
    protocol = settings.kafka_security_protocol
    if protocol == "PLAINTEXT":
        return found
    found["security.protocol"] = protocol
    if protocol.endswith("SSL") and settings.kafka_ssl_ca_file:
        found["ssl.ca.location"] = settings.kafka_ssl_ca_file
    if protocol.startswith("SASL"):
        found["sasl.mechanism"] = settings.kafka_sasl_mechanism
        found["sasl.username"] = settings.kafka_sasl_username
        found["sasl.password"] = settings.kafka_sasl_password
    return found


def java(settings: Settings) -> dict[str, str]:
    """Return the configuration for Kafka's Java clients.

    It contains the text of the authority's certificate, so that executors need no file.

    Raises:
        ConfigurationError: KAFKA_SSL_CA_FILE cannot be read.
    """
    found = {"bootstrap.servers": settings.kafka_bootstrap_servers}
    protocol = settings.kafka_security_protocol
    if protocol == "PLAINTEXT":
        return found
    found["security.protocol"] = protocol
    if protocol.endswith("SSL") and settings.kafka_ssl_ca_file:
        found["ssl.truststore.type"] = "PEM"
        found["ssl.truststore.certificates"] = _text(settings.kafka_ssl_ca_file)
    if protocol.startswith("SASL"):
        module = "plain.PlainLoginModule" if settings.kafka_sasl_mechanism == "PLAIN" else "scram.ScramLoginModule"
        account = f"username={_quoted(settings.kafka_sasl_username)} password={_quoted(settings.kafka_sasl_password)}"
        found["sasl.mechanism"] = settings.kafka_sasl_mechanism
        found["sasl.jaas.config"] = f"org.apache.kafka.common.security.{module} required {account};"
    return found


def _quoted(word: str) -> str:
    """Quote a value for JAAS."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"cannot be read ({getattr(error, 'strerror', None) or 'it is not PEM'})",
            where=file,
            fix="set KAFKA_SSL_CA_FILE to the authority's certificate, a PEM file",
        ) from None
