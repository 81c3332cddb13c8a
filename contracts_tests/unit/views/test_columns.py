"""The columns of a view: their types, and the parts of the event that flow into each."""

from __future__ import annotations

import pytest

from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables import layout
from avro_data_contracts.contracts.tables.views import wanted
from contracts_tests.fixtures.viewed import FIELDS, contract, derived


def test_field_taken_as_it_is_has_the_column_of_the_contract() -> None:
    sql = f"SELECT id, {', '.join(FIELDS)} FROM orders"
    found, whole = derived(sql), contract(sql)
    assert found.problems == ()
    for sink in found.view.sinks:
        table = wanted(found, sink)
        assert isinstance(table, Table)
        assert table.columns == layout.of(whole, sink).columns


#: Expression -> Spark's type, whether it may be null, and the parts of the event.
EXPRESSIONS = {
    "upper(note)": ("string", True, "note"),
    "upper(id)": ("string", False, "id"),
    "coalesce(note, id)": ("string", False, "note id"),
    "coalesce(note, 'none')": ("string", False, "note"),
    "concat(id, '-', buyer.name)": ("string", False, "id buyer.name"),
    "id || note": ("string", True, "id note"),
    "buyer.address.city": ("string", True, "buyer.address.city"),
    "orders.buyer.name": ("string", False, "buyer.name"),
    "BUYER.Name": ("string", False, "buyer.name"),
    "tags[0]": ("string", True, "tags"),
    "sizes['xl']": ("int", True, "sizes"),
    "number + 1": ("int", False, "number"),
    "number + amount": ("bigint", False, "number amount"),
    "number / 2": ("double", True, "number"),
    "number * score": ("double", False, "number score"),
    "amount div 2": ("bigint", True, "amount"),
    "-amount": ("bigint", False, "amount"),
    "number > 1 AND flag": ("boolean", True, "number flag"),
    "note IS NULL": ("boolean", False, "note"),
    "year(day)": ("int", False, "day"),
    "date_trunc('HOUR', at)": ("timestamp", True, "at"),
    "to_date(at)": ("date", True, "at"),
    "CAST(price * 2 AS DECIMAL(12, 2))": ("decimal(12,2)", True, "price"),
    "CAST(number AS STRING)": ("string", False, "number"),
    "CAST(number AS BIGINT)": ("bigint", False, "number"),
    "try_cast(id AS INT)": ("int", True, "id"),
    "CASE WHEN flag THEN 1 ELSE 0 END": ("int", False, "flag"),
    "CASE WHEN flag THEN 'a' END": ("string", True, "flag"),
    "if(flag, id, NULL)": ("string", True, "flag id"),
    "transform(tags, x -> upper(x))": ("", True, "tags"),
    "kafka_timestamp": ("timestamp", False, "kafka_timestamp"),
    "kafka_offset": ("bigint", False, "kafka_offset"),
}  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression_has_its_type_and_sources(expression: str) -> None:
    found = derived(f"SELECT id, {expression} AS x FROM orders")
    spark, nullable, paths = EXPRESSIONS[expression]
    x = found.analysis.by_name["x"]
    assert (x.spark, x.nullable, set(x.paths)) == (spark, nullable, set(paths.split()))
    assert bool(found.problems) == (spark == "")


def test_where_tells_the_parts_that_decide() -> None:
    found = derived("SELECT id FROM orders o WHERE o.flag AND buyer.address.city = 'Ulm'").analysis
    assert found.filtered == ("flag", "buyer.address.city")


def test_logical_type_of_a_field_stays_that_of_the_column() -> None:
    found = derived("SELECT id, token, exact, opens, date_trunc('DAY', at) AS d, kafka_timestamp AS k FROM orders")
    assert found.contract is not None
    record, schema = found.contract.value.record, found.contract.value.schema
    kinds = {field.name: type_name(nullability(schema, field.type)[0]) for field in record.fields}
    assert kinds == {
        "id": "string",
        "token": "uuid",
        "exact": "timestamp-micros",
        "opens": "time-millis",
        "d": "timestamp-micros",
        "k": "timestamp-millis",
    }
