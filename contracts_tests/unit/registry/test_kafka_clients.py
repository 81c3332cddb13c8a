"""The configuration that Kafka clients get from the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry import kafka
from avro_data_contracts.contracts.settings import Settings

ACCOUNT = {"kafka_sasl_username": "me", "kafka_sasl_password": 'a "b" \\ c'}


def configured(**flags: str) -> Settings:
    return settings.load(kafka_bootstrap_servers="k:9092", **flags)


def test_clients_without_security_get_only_addresses() -> None:
    plain = configured(**ACCOUNT, kafka_security_protocol="PLAINTEXT")
    assert kafka.client(plain) == kafka.java(plain) == {"bootstrap.servers": "k:9092"}


def test_secure_clients_get_account_and_authority(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\n")
    secure = configured(**ACCOUNT, kafka_security_protocol="SASL_SSL", kafka_ssl_ca_file=str(file))
    assert kafka.client(secure) == {
        "bootstrap.servers": "k:9092",
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(file),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": ACCOUNT["kafka_sasl_password"],
    }
    told = kafka.java(secure)
    assert told["ssl.truststore.certificates"] == file.read_text()
    login = "org.apache.kafka.common.security.scram.ScramLoginModule"
    assert told["sasl.jaas.config"] == f'{login} required username="me" password="a \\"b\\" \\\\ c";'
    plain = configured(**ACCOUNT, kafka_security_protocol="SASL_PLAINTEXT", kafka_sasl_mechanism="PLAIN")
    assert "plain.PlainLoginModule" in kafka.java(plain)["sasl.jaas.config"]
    assert "ssl.truststore.type" not in kafka.java(plain)
    assert ACCOUNT["kafka_sasl_password"] not in repr(secure)


def test_missing_authority_file_is_named(tmp_path: Path) -> None:
    missing = configured(kafka_security_protocol="SSL", kafka_ssl_ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(ConfigurationError, match="cannot be read") as told:
        kafka.java(missing)
    assert "KAFKA_SSL_CA_FILE" in str(told.value)


def test_unknown_protocol_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="KAFKA_SECURITY_PROTOCOL"):
        configured(kafka_security_protocol="TLS")
