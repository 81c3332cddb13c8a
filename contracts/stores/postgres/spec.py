"""`sinks.postgres` of a contract.yaml."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from avro_data_contracts.contracts.stores.spec import Identifier, SinkSpec


class PostgresSpec(SinkSpec):
    """A PostgreSQL table."""

    kind: ClassVar[str] = "postgres"
    position_types: ClassVar[tuple[str, str, str]] = ("timestamp with time zone", "integer", "bigint")

    schema_name: Identifier = Field("public", alias="schema")

    @property
    def qualified(self) -> str:
        return f"{self.schema_name}.{self.table}"

    @property
    def quoted(self) -> str:
        return f'"{self.schema_name}"."{self.table}"'
