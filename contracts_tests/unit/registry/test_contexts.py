"""The context in a registry's URL, and subject names without it."""

from __future__ import annotations

import pytest

from avro_data_contracts.contracts.registry.contexts import Context, is_qualified

HOST = "http://registry:8081"


@pytest.mark.parametrize(
    ("url", "name", "root"),
    [
        (HOST, ".", HOST),
        (f"{HOST}/apis/ccompat/v7", ".", f"{HOST}/apis/ccompat/v7"),
        (f"{HOST}/contexts/.staging", ".staging", HOST),
        (f"{HOST}/contexts/staging", ".staging", HOST),
        (f"{HOST}/contexts/:.staging:", ".staging", HOST),
        (f"{HOST}/contexts/%3A.staging%3A", ".staging", HOST),
        (f"{HOST}/sr/contexts/.staging", ".staging", f"{HOST}/sr"),
        (f"{HOST}/contexts/.", ".", HOST),
        (f"{HOST}/contexts", ".", f"{HOST}/contexts"),
    ],
)
def test_context_is_read_from_the_url(url: str, name: str, root: str) -> None:
    assert Context.of(url) == Context(name, root)


@pytest.mark.parametrize(
    ("context", "subject", "own"),
    [
        (".", "orders-value", "orders-value"),
        (".", ":.:orders-value", "orders-value"),
        (".", ":.staging:orders-value", ":.staging:orders-value"),
        (".staging", ":.staging:orders-value", "orders-value"),
        (".staging", "orders-value", "orders-value"),
        (".staging", ":.:orders-value", ":.:orders-value"),
        (".staging", ":.staging2:orders-value", ":.staging2:orders-value"),
        (".staging", ":.staging:a:b", "a:b"),
        (".", "a:.b:c", "a:.b:c"),
        (".", ":x:orders-value", ":x:orders-value"),
        (".", "", ""),
    ],
)
def test_own_context_is_removed_from_subject_names(context: str, subject: str, own: str) -> None:
    assert Context(context, HOST).own(subject) == own
    assert is_qualified(own) is (own == subject and subject.startswith(":."))
