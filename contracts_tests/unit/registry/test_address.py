"""The address of a registry and the secrets in it."""

from __future__ import annotations

import pytest

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.registry.address import Address


@pytest.mark.parametrize(
    ("url", "shown", "host"),
    [
        ("http://registry:8081", "http://registry:8081", "registry"),
        (" http://registry:8081/ ", "http://registry:8081", "registry"),
        ("https://Registry/apis/ccompat/v7//", "https://Registry/apis/ccompat/v7", "registry"),
        ("http://[::1]:8081", "http://[::1]:8081", "::1"),
    ],
)
def test_url_is_normalised(url: str, shown: str, host: str) -> None:
    assert Address.of(url, "X") == Address(shown, host)


def test_account_is_split_off_and_absent_from_the_repr() -> None:
    found = Address.of("https://me:s3cr3t%40%2F@registry:1/path", "X")
    assert found == Address("https://registry:1/path", "registry", "me", "s3cr3t@/")
    assert "s3cr3t" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "registry:8081",
        "me:s3cr3t@registry:8081",
        "ftp://me:s3cr3t@registry",
        "http://",
        "http://me:s3cr3t@",
        "http://me:s3cr3t@[::1",
        "http://me:s3cr3t@[v]:1",
        "http://me:s3cr3t@registry:s3cr3t",
        "http://registry:99999",
        "http://me:s3cr3t@one:1,http://two:2",
        "http://me:s3cr3t@one,two",
        "http://registry?token=s3cr3t",
        "http://registry#s3cr3t",
    ],
)
def test_invalid_url_is_refused_without_showing_its_secrets(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Address.of(url, "SCHEMA_REGISTRY_URL")
    assert str(caught.value).startswith("SCHEMA_REGISTRY_URL: ")
    assert "s3cr3t" not in str(caught.value)
