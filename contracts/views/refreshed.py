"""An aggregation over `CONTRACT.latest`: what it groups by, and how often it is computed again.  Pure.

A row that a newer event replaces would have to be taken out of its group, and a stream takes nothing out.  So the
whole aggregate is computed from the contract's own table, again and again, and the table of the view is made equal
to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from avro_data_contracts.contracts.avro.shapes import nullability, type_name
from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.views import clauses
from avro_data_contracts.contracts.views.columns import Columns
from avro_data_contracts.contracts.views.grouping import Key, Reader
from avro_data_contracts.contracts.views.problem import Problem, Rule
from avro_data_contracts.contracts.views.references import Data
from avro_data_contracts.contracts.views.statement import Kind, Statement


@dataclass(frozen=True)
class Refreshed:
    """What an aggregation over the newest events groups by.

    Attributes:
        keys: in the order of GROUP BY.
        groups: column of the view -> the number of the key that it is.
    """

    keys: tuple[Key, ...]
    groups: dict[str, int | None]


class RowReader(Reader):
    """Reads what a statement groups rows by."""

    refusing = "a view cannot have the aggregate {}"

    def read_rows(self) -> tuple[Refreshed | None, list[Problem]]:
        """Return what it groups by, or what is wrong."""
        select = self._statement.select
        parts = self._parts()
        if parts is None:
            return None, self._problems
        self._group(parts)
        if self._window is not None:
            group = select.args["group"]
            fix = "group by date_trunc('HOUR', time), say"
            self._problem(group, "an aggregation of .latest has no window, because nothing of it is ever closed", fix)
        if self._problems:
            return None, self._problems
        groups: dict[str, int | None] = {}
        for tokens, node in zip(parts.items, select.expressions, strict=True):
            inner, name = clauses.named(node)
            said = self._said(clauses.unnamed(node, tokens), parts.sql)
            number = next((at for at, key in enumerate(self._keys) if key.said == said), None)
            if number is not None:
                groups[name] = number
            else:
                self._check_columns(inner)
        return (None if self._problems else Refreshed(tuple(self._keys), groups)), self._problems


def uuid_problems(found: Statement, columns: Columns, data: Mapping[str, Data]) -> Iterator[Problem]:
    """Yield the uuids of a CSV that Spark tells apart, and the store does not: those with capital letters.

    Those of a table are in lower case.
    """
    group = found.select.args.get("group")
    for node in (*(group.expressions if group is not None else ()), *found.select.expressions):
        for part in columns.inside(node):
            one = data.get(part.reference)
            if one is None or one.rows is None or type_name(nullability(one.schema, part.node)[0]) != "uuid":
                continue
            texts = (str(row[part.path]) for row in one.rows.rows)
            if (text := next((text for text in texts if text != text.lower()), None)) is not None:
                what = f"{part.said} has the uuid {text}: in capital letters it is another group, and the same key"
                fix = f"write the uuids of {one.file} in lower case"
                yield Problem(Rule.reference, what, fix, *found.place(node))


def header_problems(view: View, found: Statement, *, is_latest: bool) -> Iterator[Problem]:
    """Yield what is wrong with what the header says about time."""
    is_refreshed = is_latest and found.kind is Kind.aggregation
    at = found.place(found.select.args.get("from_") or found.select)
    if is_refreshed and view.spec.refresh is None:
        what = "the aggregation over .latest has no `refresh` in its header, so nobody knows how old its rows may be"
        yield Problem(Rule.watermark, what, "add `-- refresh: 10 minutes`, say", *at)
    elif view.spec.refresh is not None and not is_refreshed:
        what = "the header has `refresh`, and the stream writes the rows of this view as events come"
        yield Problem(Rule.watermark, what, "remove it: only an aggregation over .latest is refreshed", *at)
    elif view.spec.refresh == 0:
        yield Problem(Rule.watermark, "`refresh` is 0 seconds", "write `-- refresh: 10 minutes`, say", *at)
    for key in ("time", "lateness") if is_refreshed else ():
        if getattr(view.spec, key) is not None:
            what = f"the header has `{key}`, and an aggregation over .latest has no window"
            yield Problem(Rule.watermark, what, f"remove `{key}`", *at)
