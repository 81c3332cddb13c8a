"""The lint rules, as data.  docs/reference/lint.md is generated from this table, and every example is tested."""

from __future__ import annotations

from typing import Final

from avro_data_contracts.contracts.catalog.findings import Severity
from avro_data_contracts.contracts.lint import consumers, envelopes, masks, names, tables, types, views
from avro_data_contracts.contracts.lint.scope import Example, Rule

_ERROR, _WARNING = Severity.error, Severity.warning


def _field(text: str, times: int = 1) -> Example:
    return Example("field", text, times)


def _schema(text: str) -> Example:
    return Example("schema", text)


def _contract(text: str) -> Example:
    return Example("contract", text)


def _row(text: str) -> Example:
    return Example("row", text)


_POSTGRES: Final = "-- sinks: {postgres: {table: order_ids, primary_key: [id]}}\n"


def _view(sql: str) -> Example:
    return Example("view", f"{_POSTGRES}{sql}")


def _masked_view(sql: str) -> Example:
    return Example("masked view", f"{_POSTGRES}{sql}")


def _groups(sql: str) -> Example:
    sinks = "-- sinks: {postgres: {table: order_hours, primary_key: [hour, id]}}"
    return Example("view", f"{sinks}\n-- time: kafka_timestamp\n-- lateness: 10 minutes\n{sql}")


def _joined(source: str) -> Example:
    reference = f"-- reference: {{shops: {{{source}, key: [id], columns: {{id: string, name: string}}}}}}"
    sql = "SELECT o.id, s.name FROM orders o JOIN shops s ON o.id = s.id"
    return _view(f"{reference}\n{sql}")


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "FIELD_NAME", _ERROR,
        "A field becomes a column in every store that the contract names; `lower_snake_case` needs no quotes.",
        "rename the field",
        _field('{"name": "orderTotal", "type": "long", "doc": "Cents."}'),
        _field('{"name": "order_total", "type": "long", "doc": "Cents."}'),
        names.field_names, style=True,
        in_use="keep the name, and switch the rule off for that field",
    ),
    Rule(
        "FIELD_CASE", _ERROR,
        "Spark and SQL cannot tell two names apart that differ only in case.",
        "rename one of the two",
        _schema('{"type": "record", "name": "Order", "namespace": "com.example", "doc": "An order.", "fields": ['
                '{"name": "id", "type": "string", "doc": "Its id."}, {"name": "ID", "type": "string", "doc": "?"}]}'),
        _schema('{"type": "record", "name": "Order", "namespace": "com.example", "doc": "An order.", "fields": ['
                '{"name": "id", "type": "string", "doc": "Its id."}, '
                '{"name": "old_id", "type": "string", "doc": "Its id in the shop before."}]}'),
        names.field_case, style=True,
        in_use="keep both names, and switch the rule off; or move to a new topic",
    ),
    Rule(
        "TYPE_NAME", _WARNING,
        "Type names are `PascalCase`, because a type becomes a class in generated code.",
        "rename the type",
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "colour_code", '
               '"doc": "May grow.", "symbols": ["RED"], "default": "RED"}, "default": "RED"}'),
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "ColourCode", '
               '"doc": "May grow.", "symbols": ["RED"], "default": "RED"}, "default": "RED"}'),
        names.type_names, style=True,
        in_use="keep the name, and switch the rule off",
    ),
    Rule(
        "SYMBOL_NAME", _WARNING,
        "Symbols are `UPPER_SNAKE_CASE`, because they are constants; every store keeps them as text.",
        "rename the symbols",
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "May grow.", "symbols": ["Red"], "default": "Red"}, "default": "Red"}'),
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "May grow.", "symbols": ["RED"], "default": "RED"}, "default": "RED"}'),
        names.symbol_names, style=True,
        in_use="keep the symbols, and switch the rule off",
    ),
    Rule(
        "NAMESPACE", _ERROR,
        "A type without a namespace collides with others of its name, and no alias can name it later. (Capitals in a "
        "namespace are only a warning.)",
        'add a "namespace" in lower case to the outermost type, e.g. "com.example.orders"',
        _schema('{"type": "record", "name": "Order", "doc": "An order.", "fields": ['
                '{"name": "id", "type": "string", "doc": "Its id."}]}'),
        _schema('{"type": "record", "name": "Order", "namespace": "com.example", "doc": "An order.", "fields": ['
                '{"name": "id", "type": "string", "doc": "Its id."}]}'),
        names.namespaces,
    ),
    Rule(
        "TYPE_DOC", _WARNING,
        "The doc of a record, enum or fixed says what it stands for.",
        'add "doc"',
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"symbols": ["RED"], "default": "RED"}, "default": "RED"}'),
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "As painted, not as ordered.", "symbols": ["RED"], "default": "RED"}, "default": "RED"}'),
        names.type_docs, style=True,
    ),
    Rule(
        "FIELD_DOC", _WARNING,
        "The doc of a field says what it holds: its unit, its source, what null means.",
        'add "doc"',
        _field('{"name": "total", "type": "long"}'),
        _field('{"name": "total", "type": "long", "doc": "Cents, taxes included."}'),
        names.field_docs, style=True,
    ),
    Rule(
        "PII_TAG", _ERROR,
        "Personal data has a tag, so that you can find, mask and delete it. The rule guesses from the field name.",
        'add "confluent:tags": ["PII"] to the field; if it is not personal, switch the rule off for that field',
        _field('{"name": "email", "type": "string", "doc": "Where the receipt goes."}'),
        _field('{"name": "email", "type": "string", "doc": "Where the receipt goes.", "confluent:tags": ["PII"]}'),
        names.personal_untagged, style=True,
    ),
    Rule(
        "PII_UNMASKED", _WARNING,
        "No store has personal data as it is. The rule is off until `contracts.toml` or a contract asks for it.",
        "add a rule for the tag or for the field to `masks` (docs/how-to/personal-data.md)",
        _field('{"name": "email", "type": "string", "doc": "Where the receipt goes.", "confluent:tags": ["PII"]}'),
        Example(
            "masked", '{"name": "email", "type": "string", "doc": "For receipts.", "confluent:tags": ["PII"]}'
        ),
        masks.unmasked, of_contract=True, asked=True,
    ),
    Rule(
        "TAGS_FORM", _ERROR,
        "Tags must be a list of names on a field or a record; everything else is ignored.",
        'write "confluent:tags": ["PII"] on the field',
        _field('{"name": "email", "type": "string", "doc": "Where the receipt goes.", "confluent:tags": "PII"}'),
        _field('{"name": "email", "type": "string", "doc": "Where the receipt goes.", "confluent:tags": ["PII"]}'),
        names.tags_form,
    ),
    Rule(
        "ALIAS_CLASH", _ERROR,
        "An alias with the field's own name, or the name of another field, makes every comparison fail.",
        "remove the alias; an alias must name a field that no longer exists",
        _field('{"name": "total", "type": "long", "doc": "Cents.", "aliases": ["total"]}'),
        _field('{"name": "total", "type": "long", "doc": "Cents.", "aliases": ["sum"]}'),
        names.aliases,
        in_use="approve the finding of `check`, because readers with the old schema fail anyway",
    ),
    Rule(
        "DUPLICATE_KEY", _ERROR,
        "If a JSON object has a key twice, the registry silently keeps the last one.",
        "remove one of the two",
        _field('{"name": "total", "type": "long", "doc": "Cents.", "doc": "Euros."}'),
        _field('{"name": "total", "type": "long", "doc": "Cents."}'),
        types.duplicate_keys,
    ),
    Rule(
        "DEFAULT_FIRST_BRANCH", _ERROR,
        "The default must have the first type of the union. The registry accepts any type of it, but Spark and older "
        "readers fail.",
        "put the type of the default first",
        _field('{"name": "note", "type": ["string", "null"], "default": null, "doc": "Free text."}'),
        _field('{"name": "note", "type": ["null", "string"], "default": null, "doc": "Free text."}'),
        types.default_of_first_branch,
    ),
    Rule(
        "NULLABLE_ORDER", _WARNING,
        "null comes first in a union, so that the field can have the default null.",
        'write ["null", …] and "default": null',
        _field('{"name": "note", "type": ["string", "null"], "doc": "Free text."}'),
        _field('{"name": "note", "type": ["null", "string"], "default": null, "doc": "Free text."}'),
        types.nullable_order, style=True,
    ),
    Rule(
        "NULLABLE_DEFAULT", _WARNING,
        "A union with null does not make a field optional; only a default does.",
        'add "default": null',
        _field('{"name": "note", "type": ["null", "string"], "doc": "Free text."}'),
        _field('{"name": "note", "type": ["null", "string"], "default": null, "doc": "Free text."}'),
        types.nullable_default,
    ),
    Rule(
        "ENUM_DEFAULT", _ERROR,
        "Enums grow. If an enum has no default, readers fail on the first symbol that they do not know.",
        'add "default" to the enum itself (the default of the field does not count), ideally a symbol UNKNOWN',
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "May grow.", "symbols": ["UNKNOWN", "RED"]}, "default": "UNKNOWN"}'),
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "May grow.", "symbols": ["UNKNOWN", "RED"], "default": "UNKNOWN"}, "default": "UNKNOWN"}'),
        types.enum_default,
        in_use="choose a symbol that the enum has already, and add UNKNOWN in a later version",
    ),
    Rule(
        "DEFAULT_SYMBOL", _ERROR,
        "The registry accepts any text as the default of an enum field, but a reader that needs the default fails.",
        "use a symbol of the enum",
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "May grow.", "symbols": ["RED"], "default": "RED"}, "default": "BLUE"}'),
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "May grow.", "symbols": ["RED"], "default": "RED"}, "default": "RED"}'),
        types.default_symbol,
    ),
    Rule(
        "DEFAULT_BYTES", _ERROR,
        "The default of a fixed must have one character per byte, each below U+0100; the registry checks neither.",
        r"write one character per byte: \u00ff is the byte 255",
        _field('{"name": "checksum", "doc": "CRC-32.", "type": {"type": "fixed", "name": "Crc", "doc": "A sum.", '
               r'"size": 4}, "default": "\u0000"}'),
        _field('{"name": "checksum", "doc": "CRC-32.", "type": {"type": "fixed", "name": "Crc", "doc": "A sum.", '
               r'"size": 4}, "default": "\u0000\u0000\u0000\u0000"}'),
        types.default_bytes,
    ),
    Rule(
        "DEFAULT_UUID", _ERROR,
        "If the default of a UUID is not a UUID, every record that lacks the field becomes a dead letter.",
        "write a complete UUID, or make the field nullable",
        _field('{"name": "batch", "type": {"type": "string", "logicalType": "uuid"}, "default": "", "doc": "Its."}'),
        _field('{"name": "batch", "type": {"type": "string", "logicalType": "uuid"}, '
               '"default": "00000000-0000-0000-0000-000000000000", "doc": "Batch."}'),
        types.default_uuid,
    ),
    Rule(
        "LOGICAL_TYPE", _ERROR,
        "Avro silently ignores a logical type that it does not know, or whose base or parameters are wrong.",
        "correct the logical type",
        _field('{"name": "day", "type": {"type": "long", "logicalType": "date"}, "doc": "Day of delivery."}'),
        _field('{"name": "day", "type": {"type": "int", "logicalType": "date"}, "doc": "Day of delivery."}'),
        types.logical_types,
        in_use="and `check` refuses that, remove the logical type",
    ),
    Rule(
        "SINK_TYPE", _ERROR,
        "In a contract with sinks, every field, and everything inside it, needs a type that every store can hold.",
        "use a type from docs/reference/types.md",
        _field('{"name": "total", "type": {"type": "bytes", "logicalType": "big-decimal"}, "doc": "Price."}'),
        _field('{"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}, '
               '"doc": "Price."}'),
        tables.sink_types, of_contract=True,
        in_use="remove the store from the sinks",
    ),
    Rule(
        "COLUMN_NAME", _ERROR,
        "The stream and PostgreSQL reserve some column names, and PostgreSQL truncates names after 63 bytes.",
        "rename the field",
        _field('{"name": "kafka_offset", "type": "long", "doc": "Where it was read."}'),
        _field('{"name": "source_offset", "type": "long", "doc": "Where it was read."}'),
        tables.column_names, of_contract=True,
        in_use="remove the store from the sinks",
    ),
    Rule(
        "COLUMN_COUNT", _ERROR,
        "A PostgreSQL table has at most 1,600 columns, including three of the stream, and a row with a value in "
        "every field has at most 8,160 bytes. (A long text, bytes or JSON value counts as 18, because PostgreSQL "
        "stores it elsewhere. Switch the rule off if records have values in only a few fields: the stream only "
        "refuses a table that can have no row at all.)",
        "split the value into several topics, or remove PostgreSQL from the sinks",
        _field('{"name": "reading_%d", "type": "double", "doc": "Celsius."}', times=1100),
        _field('{"name": "reading_%d", "type": "double", "doc": "Celsius."}', times=1000),
        tables.column_counts, of_contract=True,
        in_use="remove PostgreSQL from the sinks",
    ),
    Rule(
        "SINK_NAME", _ERROR,
        "A keyspace or schema must not be one that the store reserves. A Cassandra keyspace or table must not be a "
        "reserved word of CQL, because Spark's connector cannot find it. (PostgreSQL accepts any word.)",
        "choose another name",
        _contract("sinks: {cassandra: {keyspace: shop, table: order, primary_key: [id]}}"),
        _contract("sinks: {cassandra: {keyspace: shop, table: orders, primary_key: [id]}}"),
        tables.sink_names, of_contract=True,
    ),
    Rule(
        "RECURSIVE_TYPE", _ERROR,
        "A contract with sinks cannot have recursive types, because Spark has none.",
        "replace the inner record with its id",
        _field('{"name": "parent", "type": ["null", "Order"], "default": null, "doc": "The order it came from."}'),
        _field('{"name": "parent_id", "type": ["null", "string"], "default": null, "doc": "Its order\'s id."}'),
        tables.recursive_types, of_contract=True,
    ),
    Rule(
        "PRIMARY_KEY", _ERROR,
        "A primary key names each column once, and only columns whose values identify the same thing in every store "
        "(docs/reference/types.md). (That the fields exist and are never null is checked when the "
        "contract is read.)",
        "correct the primary key",
        _contract("sinks: {postgres: {table: orders, primary_key: [id, id]}}"),
        _contract("sinks: {postgres: {table: orders, primary_key: [id]}}"),
        tables.primary_keys, of_contract=True,
        in_use="name a new table too",
    ),
    Rule(
        "TABLE_SHAPE", _ERROR,
        "Partitions by time and indexes name columns that the table has, with a type that PostgreSQL takes for them.",
        "correct the column or the type",
        _contract("sinks: {postgres: {table: orders, primary_key: [id], indexes: [{columns: [idd]}]}}"),
        _contract("sinks: {postgres: {table: orders, primary_key: [id], indexes: [{columns: [id]}]}}"),
        tables.table_shapes, of_contract=True,
    ),
    Rule(
        "TTL_IN_ONE_STORE", _WARNING,
        "Only Cassandra has a time to live: with `ttl`, a row goes there, and stays in the other store.",
        "delete old rows in the other store yourself (drop old partitions, say), and switch the rule off",
        _contract("sinks: {cassandra: {keyspace: shop, table: orders, primary_key: [id], ttl: 90d}, "
                  "postgres: {table: orders, primary_key: [id]}}"),
        _contract("sinks: {cassandra: {keyspace: shop, table: orders, primary_key: [id], ttl: 90d}}"),
        tables.times_to_live, of_contract=True,
    ),
    Rule(
        "GROWING_PARTITION", _WARNING,
        "A partition of Cassandra should not grow without end: above 100 MB or so it gets slow. With `mode: append`, "
        "the partition key has a date, or rows have a `ttl`.",
        "set a ttl; or name a new table with a day in its partition_key; or switch the rule off if events are few",
        _contract("sinks: {cassandra: {keyspace: s, table: log, mode: append, partition_key: [id]}}"),
        _contract("sinks: {cassandra: {keyspace: s, table: log, mode: append, partition_key: [id], ttl: 9d}}"),
        tables.growing_partitions, of_contract=True,
    ),
    Rule(
        "PARTITION_KEY", _WARNING,
        "If the record key has only fields of the primary key, all events of one row are in one partition, in order.",
        "use only fields of the primary key in the record key",
        _contract("key: null"),
        _contract("key: key.avsc"),
        tables.partition_keys, of_contract=True,
        in_use="keep the key, and switch the rule off",
    ),
    Rule(
        "TOPIC_NAME", _ERROR,
        "A topic name has lower-case words. Kafka's metrics treat `.` and `_` as the same: use only one of them.",
        "rename the topic",
        _contract("topic: shop.order_events"),
        _contract("topic: shop.order-events"),
        names.topic_names, of_contract=True, style=True,
        in_use="keep the name, and switch the rule off",
    ),
    Rule(
        "SUBJECT_NAME", _ERROR,
        "Subjects are `<topic>-key` and `<topic>-value`; if a topic name ends like one, subjects can be confused.",
        "rename the topic",
        _contract("topic: orders-value"),
        _contract("topic: orders"),
        names.subject_names, of_contract=True,
        in_use="keep the name, and switch the rule off",
    ),
    Rule(
        "DEAD_LETTER_TOPIC", _ERROR,
        "Dead letters need their own topic.",
        "name another topic, or leave the key out for <topic>.dlq",
        _contract("dead_letter: {topic: orders}"),
        _contract("dead_letter: {topic: orders.dlq}"),
        names.dead_letter_names, of_contract=True,
    ),
    Rule(
        "CONSUMER_FIELD", _ERROR,
        "A consumer must name fields that exist; otherwise `check` cannot tell which changes affect it.",
        "correct the path",
        _contract("consumers: [{name: billing, fields: [totl]}]"),
        _contract("consumers: [{name: billing, fields: [id]}]"),
        consumers.consumer_fields, of_contract=True,
    ),
    Rule(
        "ENVELOPE_TYPE", _WARNING,
        "In a Debezium envelope, types that a logical type of Avro says too become columns of that type. All others "
        "stay the number, text, bytes or record that Debezium writes (docs/how-to/debezium.md).",
        "change the connector's settings or the column's type, if another type serves you better",
        _row('{"name": "paid_at", "type": {"type": "string", "connect.version": 1, '
             '"connect.name": "io.debezium.time.ZonedTimestamp"}}'),
        _row('{"name": "paid_at", "type": {"type": "long", "connect.version": 1, '
             '"connect.name": "io.debezium.time.MicroTimestamp"}}'),
        envelopes.types_left, of_contract=True,
        in_use="read it as what it is, and switch the rule off for that field",
    ),
    Rule(
        "VIEW_SQL", _ERROR,
        "A view is one SELECT from its contract, with a row for each event that its WHERE lets through, or for each "
        "group of them, and the same rows when the topic is read again (docs/reference/views.md).",
        "correct the SQL",
        _view("SELECT id, now() AS seen FROM orders"),
        _view("SELECT id, kafka_timestamp AS seen FROM orders"),
        views.of("VIEW_SQL"), of_contract=True,
    ),
    Rule(
        "VIEW_STAR", _ERROR,
        "A view names its columns: with `*`, each change of the schema would change its table.",
        "name the columns",
        _view("SELECT * FROM orders"),
        _view("SELECT id FROM orders"),
        views.of("VIEW_STAR"), of_contract=True,
    ),
    Rule(
        "VIEW_COLUMN", _ERROR,
        "Every column of a view is a field of the value, or part of one; every function is one of Spark's.",
        "correct the name",
        _view("SELECT id, uper(idd) AS name FROM orders"),
        _view("SELECT id, upper(id) AS name FROM orders"),
        views.of("VIEW_COLUMN"), of_contract=True,
    ),
    Rule(
        "VIEW_TYPE", _ERROR,
        "Every column of a view has a type that is certain, and that a store can hold.",
        "write CAST(… AS type)",
        _view("SELECT id, split(id, '-')[0] AS shop FROM orders"),
        _view("SELECT id, CAST(split(id, '-')[0] AS STRING) AS shop FROM orders"),
        views.of("VIEW_TYPE"), of_contract=True,
    ),
    Rule(
        "VIEW_KEY", _ERROR,
        "The primary key of a view's table names columns of the view that are never null.",
        "name columns of the view that are never null",
        _view("SELECT substring(id, 1, 8) AS id FROM orders"),
        _view("SELECT coalesce(substring(id, 1, 8), '') AS id FROM orders"),
        views.of("VIEW_KEY"), of_contract=True,
    ),
    Rule(
        "VIEW_WATERMARK", _ERROR,
        "An aggregation groups by a window over the time column, and its header says how late an event may come. "
        "Without that, Spark keeps the state of every group for ever. One over `CONTRACT.latest` has no window: its "
        "header says with `refresh` how often it is computed again.",
        "group by a window, and add `time` and `lateness` to the header; or read `.latest`, and add `refresh`",
        _view("SELECT id, count(*) AS n FROM orders GROUP BY id"),
        _groups(
            "SELECT window.start AS hour, id, count(*) AS n FROM orders\n"
            "GROUP BY window(kafka_timestamp, '1 hour'), id"
        ),
        views.of("VIEW_WATERMARK"), of_contract=True,
    ),
    Rule(
        "VIEW_KIND", _ERROR,
        "The stream runs projections, with a row for each event, and aggregations: over windows, or over the fields "
        "of `CONTRACT.latest` that the table of the contract holds exactly. All may join reference data by its whole "
        "key. It does not run views of views yet, and it has only some aggregate functions.",
        "write one of these; for the others, query the table of the contract",
        _groups(
            "SELECT window.start AS hour, id, first(id) AS one FROM orders\n"
            "GROUP BY window(kafka_timestamp, '1 hour'), id"
        ),
        _groups(
            "SELECT window.start AS hour, id, min(id) AS one FROM orders\n"
            "GROUP BY window(kafka_timestamp, '1 hour'), id"
        ),
        views.of("VIEW_KIND"), of_contract=True,
    ),
    Rule(
        "VIEW_MASK", _ERROR,
        "A view takes a masked field as it is, and inherits its mask. What it computes from one would be true.",
        "leave the column out; or add `releases: [COLUMN]` to the header, if it tells nobody's data",
        _masked_view("SELECT id, upper(email) AS email FROM orders"),
        _masked_view("SELECT id, email FROM orders"),
        views.of("VIEW_MASK"), of_contract=True,
    ),
    Rule(
        "VIEW_REFERENCE", _ERROR,
        "The reference data that a view joins is there and has one row for each key, and each cell of a CSV fits its "
        "type.",
        "correct the file, or `reference` in the header",
        _joined("csv: shops.csv"),
        _joined("table: public.shops"),
        views.of("VIEW_REFERENCE"), of_contract=True,
    ),
    Rule(
        "VIEW_TABLE", _ERROR,
        "The stores that a view names can have its table.",
        "correct the header, or the name of the column",
        _view("SELECT id, id AS kafka_offset FROM orders"),
        _view("SELECT id, id AS order_id FROM orders"),
        views.tables, of_contract=True,
    ),
)  # fmt: skip
