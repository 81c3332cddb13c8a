"""A shorter `make chaos`: each of the five processes is killed once while producers write.

The stream is one process with two contracts; `make chaos`, each night, kills one with views 25 times.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from avro_data_contracts.streaming.stores.cassandra import connection as cassandra
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.chaos.run import TARGETS, run
from contracts_tests.chaos.verdict import judge
from contracts_tests.fixtures.stack import RunningStack

# Cassandra and the registry, then Kafka, the driver and PostgreSQL.
SEED = 9


@pytest.mark.timeout(1500)
def test_nothing_is_lost_when_every_process_is_killed_once(private: RunningStack, tmp_path: Path) -> None:
    said: list[str] = []

    # Each recovery takes half a minute, so several overlap.
    outcome = run(
        private, tmp_path, seed=SEED, kills=len(TARGETS), say=said.append, overlap=0.7, contracts=2, with_views=False
    )

    assert outcome.problems == [], "\n".join(said)
    assert all(outcome.kills[name] == 1 for name in TARGETS)
    assert len({fate.pipeline.folder.name for fate in outcome.fates}) == 2
    for fate in outcome.fates:
        found = fate.verdict
        assert found.cassandra == found.postgres == found.keys > 0
        assert found.dead == found.bad > 0
        assert found.produced >= len(fate.acknowledged) > 0

    # The verdict detects differences and losses.
    fate = outcome.fates[0]
    pipeline = fate.pipeline
    first, second = sorted(pipeline.postgres_rows())[:2]
    with postgres.connect(pipeline.settings) as connection:
        table = pipeline.contract.spec.sinks.postgres.qualified
        connection.execute(f"UPDATE {table} SET phone = 'other' WHERE id = %s", [first])
    with cassandra.connect(pipeline.settings) as session:
        table = pipeline.contract.spec.sinks.cassandra.qualified
        session.execute(f"DELETE FROM {table} WHERE id = %s", [uuid.UUID(second)])
    assert judge(pipeline, {**fate.acknowledged, (0, 1_000_000): b"lost"}).problems == [
        "1 acknowledged, but not in the topic: (0, 1000000)",
        f"1 not in Cassandra: {second}",
        f"1 in PostgreSQL, and not as its last event has it (phone): {first}",
    ]
