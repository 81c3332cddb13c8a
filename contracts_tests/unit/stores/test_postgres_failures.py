"""Which conditions of PostgreSQL are about a row, which refuse a batch, and which pass."""

from __future__ import annotations

import psycopg
import pytest

from avro_data_contracts.contracts.errors import Refused, ServiceError
from avro_data_contracts.streaming.failures import RowRefused
from avro_data_contracts.streaming.stores.postgres import failures

#: The condition, and the error; what is refused is looked for row by row, and what is not is tried again.
STATES: list[tuple[str, type[ServiceError]]] = [
    ("22003", RowRefused),  # numeric_value_out_of_range
    ("23505", RowRefused),  # unique_violation
    ("54000", RowRefused),  # program_limit_exceeded
    ("P0001", RowRefused),  # raise_exception
    ("45000", RowRefused),  # only a trigger can have raised it
    ("XX000", Refused),  # internal_error
    ("42501", Refused),  # insufficient_privilege
    ("42P01", Refused),  # undefined_table
    ("08006", ServiceError),  # connection_failure
    ("40P01", ServiceError),  # deadlock_detected
    ("53300", ServiceError),  # too_many_connections
    ("55P03", ServiceError),  # lock_not_available
    ("57P01", ServiceError),  # admin_shutdown
    ("", ServiceError),  # the connection broke off
]


@pytest.mark.parametrize(("state", "wanted"), STATES)
def test_condition_becomes_its_error_without_the_value(state: str, wanted: type[ServiceError]) -> None:
    error = psycopg.DatabaseError("invalid value: 'secret'")
    error.sqlstate = state or None
    found = failures.of_driver("localhost:5432/shop", error)
    assert type(found) is wanted
    assert found.server == "postgres"
    if wanted is RowRefused and not state.startswith("54"):
        assert "secret" not in str(found)
        assert f"({state})" in found.what
