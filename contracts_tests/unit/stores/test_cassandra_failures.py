"""After which errors Spark's connector gets another session to Cassandra."""

from __future__ import annotations

import pytest

from avro_data_contracts.contracts.errors import Refused, ServiceError
from avro_data_contracts.streaming.failures import ComputationFailed, UnseenSchemaId
from avro_data_contracts.streaming.stores.cassandra.failures import may_have_broken_session


@pytest.mark.parametrize(
    ("error", "expected"),
    [(ServiceError, True), (Refused, True), (ComputationFailed, False), (UnseenSchemaId, False)],
)
def test_batch_that_fails_by_itself_keeps_the_session(error: type[ServiceError], expected: bool) -> None:
    assert may_have_broken_session(error("words", where="here", server="cassandra")) is expected
