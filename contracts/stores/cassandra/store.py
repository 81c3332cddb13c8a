"""Tables in Cassandra: the CQL that creates and changes them, and what is impossible."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from avro_data_contracts.contracts.avro.nodes import AnyType, Schema
from avro_data_contracts.contracts.stores.cassandra import columns, names
from avro_data_contracts.contracts.stores.cassandra.spec import CassandraSpec, span
from avro_data_contracts.contracts.stores.store import FIX_TYPE, Changed, Store
from avro_data_contracts.contracts.stores.table import Column, ColumnType, Refusal, Table

if TYPE_CHECKING:
    from avro_data_contracts.contracts.settings import Settings


class Cassandra(Store):
    """Apache Cassandra."""

    spec = CassandraSpec
    title = "Cassandra"
    most_key_bytes = 65_535

    def column_type(self, schema: Schema, node: AnyType) -> ColumnType:
        return columns.of(schema, node)

    def dataset(self, sink: CassandraSpec, settings: Settings) -> tuple[str, str]:
        server = settings.cassandra_hosts.split(",")[0].strip()
        # A bare IPv6 address has no port behind its last colon.
        server = server if re.fullmatch(r"(\[[^]]*\]|[^:]*):\d+", server) else f"{server}:9042"
        return f"cassandra://{server}", f"{sink.keyspace}.{sink.table}"

    def create(self, table: Table) -> list[str]:
        sink = table.sink
        assert isinstance(sink, CassandraSpec)
        replication = ", ".join(f"'{key}': {_literal(value)}" for key, value in sink.replication.items())
        listed = ",\n  ".join(f'"{column.name}" {column.type}' for column in table.all_columns)
        partition = _list(sink.partition)
        names = [name for name, _ in sink.ordering]
        key = ", ".join(
            [f"({partition})" if len(sink.partition) > 1 else partition, *([_list(names)] if names else [])]
        )
        options = []
        if any(down for _, down in sink.ordering):
            order = ", ".join(f'"{name}" {"DESC" if down else "ASC"}' for name, down in sink.ordering)
            options.append(f"CLUSTERING ORDER BY ({order})")
        if sink.ttl:
            options.append(f"default_time_to_live = {sink.ttl}")
        ending = f" WITH {' AND '.join(options)}" if options else ""
        return [
            f'CREATE KEYSPACE IF NOT EXISTS "{sink.keyspace}" WITH replication = {{{replication}}}',
            f"CREATE TABLE IF NOT EXISTS {sink.quoted} (\n  {listed},\n  PRIMARY KEY ({key})\n){ending}",
        ]

    def add(self, table: Table, column: Column) -> list[str]:
        return [f'ALTER TABLE {table.sink.quoted} ADD IF NOT EXISTS "{column.name}" {column.type}']

    def retype(self, table: Table, old: Column, new: Column, since: str) -> list[str] | Refusal:
        why = f"{new.name} was {old.type}{since}, and is now {new.type}; Cassandra cannot change the type of a column"
        return Refusal(new.name, why, FIX_TYPE)

    def settings_changed(self, old: Table, new: Table) -> Iterator[Changed]:
        was, now = old.sink, new.sink
        assert isinstance(was, CassandraSpec)
        assert isinstance(now, CassandraSpec)
        if now.ttl is None:
            if was.ttl:
                words = f"rows still go {span(was.ttl)} after they were written: write `ttl: 0` to keep them for ever"
                yield Changed(notes=(words,))
        elif was.ttl != now.ttl:  # None is unknown: somebody may have set the table's own
            after = span(now.ttl) if now.ttl else "for ever"
            words = f"rows written from now on stay {after}, existing ones as long as before"
            if was.ttl is not None:
                words = f"rows stayed {span(was.ttl) if was.ttl else 'for ever'}; {words.replace('rows', 'those', 1)}"
            yield Changed((f"ALTER TABLE {now.quoted} WITH default_time_to_live = {now.ttl}",), (words,))

    def key_room(self, sink: CassandraSpec) -> int:
        # In a partition key of several columns, each has three bytes more; a number or time has at most 16.
        several = len(sink.partition) if len(sink.partition) > 1 else 0
        return self.most_key_bytes - 22 * several

    def partition_of(self, sink: CassandraSpec) -> tuple[str, ...]:
        return sink.partition

    def never_empty(self, sink: CassandraSpec) -> tuple[str, ...]:
        return sink.partition if len(sink.partition) == 1 else ()

    def target_refusals(self, sink: CassandraSpec) -> Iterator[Refusal]:
        if sink.keyspace in names.KEYSPACES:
            why = f"the keyspace {sink.keyspace} is Cassandra's own"
            yield Refusal("", why, "name another keyspace", ("keyspace",))
        for key, name in (("keyspace", sink.keyspace), ("table", sink.table)):
            if name in names.WORDS:
                why = f"the {key} {name} is a reserved word of CQL, which Spark's Cassandra connector cannot find"
                yield Refusal("", why, f"choose another name, e.g. {name}_events", (key,))


def _list(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _literal(value: str | int) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


STORE = Cassandra()
