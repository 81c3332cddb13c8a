"""The lint rules, as data.  docs/reference/lint.md is made from this table, and every example is tested."""

from __future__ import annotations

from typing import Final

from contracts.catalog.findings import Severity
from contracts.lint import names, types
from contracts.lint.scope import Example, Rule

_ERROR, _WARNING = Severity.error, Severity.warning


def _field(text: str, times: int = 1) -> Example:
    return Example("field", text, times)


def _schema(text: str) -> Example:
    return Example("schema", text)


def _contract(text: str) -> Example:
    return Example("contract", text)


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "FIELD_NAME", _ERROR,
        "A field name is a column name in two stores: `lower_snake_case` needs no quotes in either.",
        "rename the field before it is registered; afterwards keep it, and switch the rule off",
        _field('{"name": "orderTotal", "type": "long", "doc": "Cents."}'),
        _field('{"name": "order_total", "type": "long", "doc": "Cents."}'),
        names.field_names,
    ),
    Rule(
        "FIELD_CASE", _ERROR,
        "Spark and SQL do not tell names apart that differ in case only.",
        "rename one of the two",
        _schema('{"type": "record", "name": "Order", "namespace": "com.example", "doc": "An order.", "fields": ['
                '{"name": "id", "type": "string", "doc": "Its id."}, {"name": "ID", "type": "string", "doc": "?"}]}'),
        _schema('{"type": "record", "name": "Order", "namespace": "com.example", "doc": "An order.", "fields": ['
                '{"name": "id", "type": "string", "doc": "Its id."}, '
                '{"name": "old_id", "type": "string", "doc": "Its id in the shop before."}]}'),
        names.field_case,
    ),
    Rule(
        "TYPE_NAME", _WARNING,
        "A type becomes a class in generated code: `PascalCase`.",
        "rename the type; once it is registered, with its old name as an alias",
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "colour_code", '
               '"doc": "May grow.", "symbols": ["RED"], "default": "RED"}, "default": "RED"}'),
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "ColourCode", '
               '"doc": "May grow.", "symbols": ["RED"], "default": "RED"}, "default": "RED"}'),
        names.type_names,
    ),
    Rule(
        "SYMBOL_NAME", _WARNING,
        "Symbols are constants, and stored as text in both stores: `UPPER_SNAKE_CASE`.",
        "rename the symbol before it is registered; afterwards keep it",
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "May grow.", "symbols": ["Red"], "default": "Red"}, "default": "Red"}'),
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "May grow.", "symbols": ["RED"], "default": "RED"}, "default": "RED"}'),
        names.symbol_names,
    ),
    Rule(
        "NAMESPACE", _ERROR,
        "A type without a namespace can be reached by no alias later, and collides with others of its name.",
        'add "namespace" to the outermost type, lower case, e.g. "com.example.orders"',
        _schema('{"type": "record", "name": "Order", "doc": "An order.", "fields": ['
                '{"name": "id", "type": "string", "doc": "Its id."}]}'),
        _schema('{"type": "record", "name": "Order", "namespace": "com.example", "doc": "An order.", "fields": ['
                '{"name": "id", "type": "string", "doc": "Its id."}]}'),
        names.namespaces,
    ),
    Rule(
        "TYPE_DOC", _WARNING,
        "A record, enum or fixed says what it stands for.",
        'add "doc"',
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"symbols": ["RED"], "default": "RED"}, "default": "RED"}'),
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "As painted, not as ordered.", "symbols": ["RED"], "default": "RED"}, "default": "RED"}'),
        names.type_docs,
    ),
    Rule(
        "FIELD_DOC", _WARNING,
        "A field says what it holds: its unit, its source, what null means.",
        'add "doc"',
        _field('{"name": "total", "type": "long"}'),
        _field('{"name": "total", "type": "long", "doc": "Cents, taxes included."}'),
        names.field_docs,
    ),
    Rule(
        "PII_TAG", _ERROR,
        "Personal data is tagged, so that it can be found, masked and deleted. Names are taken as a hint.",
        'add "confluent:tags": ["PII"] to the field',
        _field('{"name": "email", "type": "string", "doc": "Where the receipt goes."}'),
        _field('{"name": "email", "type": "string", "doc": "Where the receipt goes.", "confluent:tags": ["PII"]}'),
        names.personal_untagged,
    ),
    Rule(
        "TAGS_FORM", _ERROR,
        "Tags in another form, or in another place than a field or a record, are ignored.",
        'write "confluent:tags": ["PII"] on the field',
        _field('{"name": "email", "type": "string", "doc": "Where the receipt goes.", "confluent:tags": "PII"}'),
        _field('{"name": "email", "type": "string", "doc": "Where the receipt goes.", "confluent:tags": ["PII"]}'),
        names.tags_form,
    ),
    Rule(
        "ALIAS_CLASH", _ERROR,
        "An alias that is the field's own name, or that of another field, makes every comparison fail.",
        "remove the alias; it has to name a field that is gone",
        _field('{"name": "total", "type": "long", "doc": "Cents.", "aliases": ["total"]}'),
        _field('{"name": "total", "type": "long", "doc": "Cents.", "aliases": ["sum"]}'),
        names.aliases,
    ),
    Rule(
        "DUPLICATE_KEY", _ERROR,
        "Of two equal keys in a JSON object the registry keeps the last one, without a word.",
        "remove one of the two",
        _field('{"name": "total", "type": "long", "doc": "Cents.", "doc": "Euros."}'),
        _field('{"name": "total", "type": "long", "doc": "Cents."}'),
        types.duplicate_keys,
    ),
    Rule(
        "DEFAULT_FIRST_BRANCH", _ERROR,
        "The default of a union is of its first type. The registry takes any; Spark and older readers fail on it.",
        "put the type of the default first",
        _field('{"name": "note", "type": ["string", "null"], "default": null, "doc": "Free text."}'),
        _field('{"name": "note", "type": ["null", "string"], "default": null, "doc": "Free text."}'),
        types.default_of_first_branch,
    ),
    Rule(
        "NULLABLE_ORDER", _WARNING,
        "null comes first, so that the field can have the default null.",
        'write ["null", …] and "default": null',
        _field('{"name": "note", "type": ["string", "null"], "doc": "Free text."}'),
        _field('{"name": "note", "type": ["null", "string"], "default": null, "doc": "Free text."}'),
        types.nullable_order,
    ),
    Rule(
        "NULLABLE_DEFAULT", _WARNING,
        "A union with null does not make a field optional; its default does.",
        'add "default": null',
        _field('{"name": "note", "type": ["null", "string"], "doc": "Free text."}'),
        _field('{"name": "note", "type": ["null", "string"], "default": null, "doc": "Free text."}'),
        types.nullable_default,
    ),
    Rule(
        "ENUM_DEFAULT", _ERROR,
        "An enum grows. Without a default of its own, readers fail on the first symbol that they do not know.",
        'add "default" to the enum itself (that of the field does not count), best a symbol UNKNOWN',
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "May grow.", "symbols": ["UNKNOWN", "RED"]}, "default": "UNKNOWN"}'),
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "May grow.", "symbols": ["UNKNOWN", "RED"], "default": "UNKNOWN"}, "default": "UNKNOWN"}'),
        types.enum_default,
    ),
    Rule(
        "DEFAULT_SYMBOL", _ERROR,
        "The registry takes any text as the default of an enum's field. A reader that needs it fails.",
        "take a symbol of the enum",
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "May grow.", "symbols": ["RED"], "default": "RED"}, "default": "BLUE"}'),
        _field('{"name": "colour", "doc": "Its colour.", "type": {"type": "enum", "name": "Colour", '
               '"doc": "May grow.", "symbols": ["RED"], "default": "RED"}, "default": "RED"}'),
        types.default_symbol,
    ),
    Rule(
        "DEFAULT_BYTES", _ERROR,
        "The default of a fixed has one character a byte, each below U+0100; the registry looks at neither.",
        r"write one character a byte: \u00ff is the byte 255",
        _field('{"name": "checksum", "doc": "CRC-32.", "type": {"type": "fixed", "name": "Crc", "doc": "A sum.", '
               r'"size": 4}, "default": "\u0000"}'),
        _field('{"name": "checksum", "doc": "CRC-32.", "type": {"type": "fixed", "name": "Crc", "doc": "A sum.", '
               r'"size": 4}, "default": "\u0000\u0000\u0000\u0000"}'),
        types.default_bytes,
    ),
    Rule(
        "DEFAULT_UUID", _ERROR,
        "A default that is no UUID ends in the dead-letter topic, with every record that lacks the field.",
        "write a whole UUID, or make the field nullable",
        _field('{"name": "batch", "type": {"type": "string", "logicalType": "uuid"}, "default": "", "doc": "Its."}'),
        _field('{"name": "batch", "type": {"type": "string", "logicalType": "uuid"}, '
               '"default": "00000000-0000-0000-0000-000000000000", "doc": "Batch."}'),
        types.default_uuid,
    ),
    Rule(
        "LOGICAL_TYPE", _ERROR,
        "Avro ignores a logical type that it does not know, or whose base or parameters are wrong, without a word.",
        "correct the logical type",
        _field('{"name": "day", "type": {"type": "long", "logicalType": "date"}, "doc": "Day of delivery."}'),
        _field('{"name": "day", "type": {"type": "int", "logicalType": "date"}, "doc": "Day of delivery."}'),
        types.logical_types,
    ),
    Rule(
        "SINK_TYPE", _ERROR,
        "Every field of a contract with sinks, and everything in it, has a type that both stores can hold.",
        "use a type of docs/reference/types.md",
        _field('{"name": "total", "type": {"type": "bytes", "logicalType": "big-decimal"}, "doc": "Price."}'),
        _field('{"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}, '
               '"doc": "Price."}'),
        types.sink_types,
    ),
    Rule(
        "COLUMN_NAME", _ERROR,
        "Some column names are taken by the stream itself and by PostgreSQL, which cuts names after 63 bytes.",
        "rename the field",
        _field('{"name": "kafka_offset", "type": "long", "doc": "Where it was read."}'),
        _field('{"name": "source_offset", "type": "long", "doc": "Where it was read."}'),
        types.column_names,
    ),
    Rule(
        "COLUMN_COUNT", _ERROR,
        "A table of PostgreSQL has at most 1,600 columns, the three of the stream among them, and a row of it at "
        "most 8,160 bytes, a value in every field. (A text, bytes or JSON that is long counts 18: it lies elsewhere. "
        "Switch the rule off where few fields of a record have a value; the stream refuses only what can have no row "
        "at all.)",
        "split the value into several topics, or leave PostgreSQL out of its sinks",
        _field('{"name": "reading_%d", "type": "double", "doc": "Celsius."}', times=1100),
        _field('{"name": "reading_%d", "type": "double", "doc": "Celsius."}', times=1000),
        types.column_counts,
    ),
    Rule(
        "SINK_NAME", _ERROR,
        "A keyspace or schema is not one of the store's own, and neither keyspace nor table of Cassandra a reserved "
        "word of CQL: Spark's connector cannot look it up. (PostgreSQL takes any word: names are in quotes.)",
        "name it otherwise",
        _contract("sinks: {cassandra: {keyspace: shop, table: order, primary_key: [id]}}"),
        _contract("sinks: {cassandra: {keyspace: shop, table: orders, primary_key: [id]}}"),
        types.sink_names,
    ),
    Rule(
        "RECURSIVE_TYPE", _ERROR,
        "Spark has no recursive types: a contract with sinks cannot have one.",
        "put the id of the other one there instead",
        _field('{"name": "parent", "type": ["null", "Order"], "default": null, "doc": "The order it came from."}'),
        _field('{"name": "parent_id", "type": ["null", "string"], "default": null, "doc": "Its order\'s id."}'),
        types.recursive_types,
    ),
    Rule(
        "PRIMARY_KEY", _ERROR,
        "A primary key names each column once, and none whose values do not name one thing in both stores "
        "(docs/reference/types.md). (Every read of a contract checks that its fields exist and are never null.)",
        "correct the primary key",
        _contract("sinks: {postgres: {table: orders, primary_key: [id, id]}}"),
        _contract("sinks: {postgres: {table: orders, primary_key: [id]}}"),
        types.primary_keys,
    ),
    Rule(
        "PARTITION_KEY", _WARNING,
        "All events of one row come from one partition, in order, when the record key has no other fields than the "
        "primary key.",
        "make the record key of fields of the primary key only",
        _contract("key: null"),
        _contract("key: key.avsc"),
        types.partition_keys,
    ),
    Rule(
        "TOPIC_NAME", _ERROR,
        "A topic is lower case words. Kafka's metrics take `.` and `_` for the same, so a name has one of them only.",
        "rename the topic before it is used",
        _contract("topic: shop.order_events"),
        _contract("topic: shop.order-events"),
        names.topic_names,
    ),
    Rule(
        "SUBJECT_NAME", _ERROR,
        "Subjects are `<topic>-key` and `<topic>-value`: a topic that ends like one makes two of them look alike.",
        "rename the topic",
        _contract("topic: orders-value"),
        _contract("topic: orders"),
        names.subject_names,
    ),
    Rule(
        "DEAD_LETTER_TOPIC", _ERROR,
        "Dead letters go to a topic of their own.",
        "name another topic, or leave it out for <topic>.dlq",
        _contract("dead_letter: {topic: orders}"),
        _contract("dead_letter: {topic: orders.dlq}"),
        names.dead_letter_names,
    ),
    Rule(
        "CONSUMER_FIELD", _ERROR,
        "A consumer names fields that exist; otherwise no change could be found to touch it.",
        "correct the path",
        _contract("consumers: [{name: billing, fields: [totl]}]"),
        _contract("consumers: [{name: billing, fields: [id]}]"),
        types.consumer_fields,
    ),
)  # fmt: skip
