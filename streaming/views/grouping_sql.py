"""The SQL of an aggregation: of a batch, of the state and the batch together, and of the columns of the view.  Pure.

It is made of the texts of the view (`contracts.views.grouping`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from avro_data_contracts.contracts.views import grouping
from avro_data_contracts.contracts.views.grouping import END, EVENTS, NEWEST, START, TIME, Grouping

#: The column of events with their Kafka timestamp; a field of the value may have every other name.
KAFKA_TIME: Final = "__kafka_time"
#: Of groups of a batch: whether its events have no time, and so no window.
TIMELESS: Final = "__timeless"
#: Of merged groups: whether the batch has an event of it.
TOUCHED: Final = "__touched"

__all__ = ["END", "EVENTS", "KAFKA_TIME", "NEWEST", "START", "TIME", "TIMELESS", "TOUCHED", "GroupingSql"]


class GroupingSql:
    """See the module."""

    def __init__(self, of: Grouping) -> None:
        self._of = of
        self._keys = [grouping.key_name(number) for number, _ in enumerate(of.keys)]

    @property
    def said(self) -> dict[str, str]:
        """What each column of the state is -> its name."""
        keys = {f"key {key.said}": name for key, name in zip(self._of.keys, self._keys, strict=True)}
        own = {name.strip("_"): name for name in (START, END, EVENTS, NEWEST, TIME)}
        return {**own, **keys, **{one.said: one.name for one in self._of.kept}}

    @property
    def of_events(self) -> str:
        """The groups of events.

        Spark's `window` drops an event without a time.  Here it is given one, and a mark.
        """
        window, keys = self._of.window, self._of.keys
        time = window.time_sql
        whole = f"window(coalesce({time}, {window.spark.upper()} '1970-01-01 00:00:00'){window.arguments})"
        columns = [
            f"{whole}.start AS {START}",
            f"{whole}.end AS {END}",
            f"({time}) IS NULL AS {TIMELESS}",
            *(f"({key.sql}) AS `{name}`" for key, name in zip(keys, self._keys, strict=True)),
            *(f"{one.of_events} AS `{one.name}`" for one in self._of.kept),
            f"count(*) AS {EVENTS}",
            f"max(`{KAFKA_TIME}`) AS {NEWEST}",
            f"max({time}) AS {TIME}",
        ]
        groups = [whole, f"({time}) IS NULL", *(f"({key.sql})" for key in keys)]
        return f"SELECT {_listed(columns)}\n{self._of.source}\nGROUP BY {_listed(groups)}"

    def merged(self, table: str, types: Mapping[str, str]) -> str:
        """The groups of the state and of a batch together, each once.

        Args:
            types: of the columns; merging does not change them, so a number that no longer fits is an error.
        """
        columns = [
            *(f"`{name}`" for name in (START, END, *self._keys)),
            *(
                f"{'TRY_CAST' if one.tries else 'CAST'}({one.merge} AS {types[one.name]}) AS `{one.name}`"
                for one in self._of.kept
            ),
            f"sum({EVENTS}) AS {EVENTS}",
            f"max({NEWEST}) AS {NEWEST}",
            f"max({TIME}) AS {TIME}",
            f"bool_or({TOUCHED}) AS {TOUCHED}",
        ]
        groups = [f"`{name}`" for name in (START, END, *self._keys)]
        return "\n".join((f"SELECT {_listed(columns)}", f"FROM {table}", f"GROUP BY {_listed(groups)}"))

    def values(self, table: str) -> str:
        """The columns of the view, and those that say what the row is made of."""
        columns = [*self._of.values, *(f"`{name}`" for name in (END, EVENTS, NEWEST))]
        return "\n".join((f"SELECT {_listed(columns)}", f"FROM {table}"))


def _listed(parts: list[str]) -> str:
    return ",\n  ".join(parts)
