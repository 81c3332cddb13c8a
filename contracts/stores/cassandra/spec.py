"""`sinks.cassandra` of a contract.yaml."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from avro_data_contracts.contracts.stores.spec import Identifier, SinkSpec


class CassandraSpec(SinkSpec):
    """A Cassandra table.  `primary_key`: field names, the first one is the partition key.

    `replication`: without a factor, Cassandra uses the cluster's `default_keyspace_rf`.
    """

    kind: ClassVar[str] = "cassandra"
    position_types: ClassVar[tuple[str, str, str]] = ("timestamp", "int", "bigint")

    keyspace: Identifier
    replication: dict[str, str | int] = Field({"class": "SimpleStrategy"})

    @property
    def qualified(self) -> str:
        return f"{self.keyspace}.{self.table}"

    @property
    def quoted(self) -> str:
        return f'"{self.keyspace}"."{self.table}"'
