"""The SQL of an aggregation: of a batch, of the state and the batch together, and of the columns of the view.  Pure.

It is made of the texts of the view (`contracts.views.grouping`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from avro_data_contracts.contracts.views import grouping
from avro_data_contracts.contracts.views.grouping import END, EVENTS, NEWEST, START, TIME, Grouping

#: The column of events with their Kafka timestamp; a field of the value may have every other name.
KAFKA_TIME: Final = "__kafka_time"
#: Of groups of a batch: whether its events have no time, and so no window.
TIMELESS: Final = "__timeless"
#: Of groups of a batch: whether its events came when their window was closed.
LATE: Final = "__late"
#: Of merged groups: whether the batch has an event of it.
TOUCHED: Final = "__touched"

_FIRST: Final = "__first"
_NUMBER: Final = "__number"

__all__ = ["END", "EVENTS", "KAFKA_TIME", "LATE", "NEWEST", "START", "TIME", "TIMELESS", "TOUCHED", "GroupingSql"]


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

    def of_events(self, closed_us: int | None) -> str:
        """The groups of events.

        Spark's `window` drops an event without a time.  Here it is given one, and a mark.

        Args:
            closed_us: windows that end up to this time are closed, µs since the epoch; None: none is.
        """
        window, keys = self._of.window, self._of.keys
        time, whole = window.time_sql, self._whole
        late = "false"
        if closed_us is not None:
            # Not the end of a session: it may have an earlier event, whose session is closed.
            moment = f"{time}) AS TIMESTAMP)) <" if window.is_session else f"{whole}.end) AS TIMESTAMP)) <="
            late = f"coalesce(unix_micros(CAST(({moment} {closed_us}L, false)"
        columns = [
            f"{whole}.start AS {START}",
            f"{whole}.end AS {END}",
            f"({time}) IS NULL AS {TIMELESS}",
            f"{late} AS {LATE}",
            *(f"({key.computed}) AS `{name}`" for key, name in zip(keys, self._keys, strict=True)),
            *(f"{one.of_events} AS `{one.name}`" for one in self._of.kept),
            f"count(*) AS {EVENTS}",
            f"max(`{KAFKA_TIME}`) AS {NEWEST}",
            f"max({time}) AS {TIME}",
        ]
        groups = [whole, f"({time}) IS NULL", *(f"({key.computed})" for key in keys)]
        if window.is_session and closed_us is not None:
            groups.append(late)
        return f"SELECT {_listed(columns)}\n{self._of.source}\nGROUP BY {_listed(groups)}"

    @property
    def _whole(self) -> str:
        """The window of an event; of one without a time, that of a time that it is given."""
        window = self._of.window
        time = f"coalesce({window.time_sql}, {window.spark.upper()} '1970-01-01 00:00:00')"
        return f"{grouping.SESSION if window.is_session else grouping.WINDOW}({time}{window.arguments})"

    def of_keys(self, place: str) -> str:
        """What each event is grouped by, in a row for each of its windows, and a column of the events."""
        columns = [
            f"`{place}`",
            f"{self._whole}.start AS {START}",
            f"{self._whole}.end AS {END}",
            *(f"({key.computed}) AS `{name}`" for key, name in zip(self._of.keys, self._keys, strict=True)),
        ]
        return "\n".join((f"SELECT {_listed(columns)}", self._of.source))

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
        keys = [f"`{name}`" for name in self._keys]
        if not self._of.window.is_session:
            return _query(columns, table, [START, END, *keys])
        columns[:2] = [f"min({START}) AS {START}", f"max({END}) AS {END}"]
        return _query(columns, f"({self._sessions(table, keys)})", [*keys, _NUMBER])

    def _sessions(self, table: str, keys: list[str]) -> str:
        """The sessions of the state and of a batch, with the same number for those that overlap or touch."""
        of_keys = f"PARTITION BY {_listed(keys)} " if keys else ""
        rows = f"{of_keys}ORDER BY {START}, {END} ROWS BETWEEN UNBOUNDED PRECEDING AND"
        goes_on = f"{START} <= max({END}) OVER ({rows} 1 PRECEDING)"
        marked = f"SELECT *, CASE WHEN {goes_on} THEN 0 ELSE 1 END AS {_FIRST} FROM {table}"  # noqa: S608 - our names
        return f"SELECT *, sum({_FIRST}) OVER ({rows} CURRENT ROW) AS {_NUMBER} FROM ({marked})"  # noqa: S608

    def values(self, table: str) -> str:
        """The columns of the view, and those that say what the row is made of."""
        return _query([*self._of.values, *(f"`{name}`" for name in (END, EVENTS, NEWEST))], table)


def _query(columns: list[str], source: str, groups: Sequence[str] = ()) -> str:
    lines = [f"SELECT {_listed(columns)}", f"FROM {source}", *([f"GROUP BY {_listed(groups)}"] if groups else [])]
    return "\n".join(lines)


def _listed(parts: Sequence[str]) -> str:
    return ",\n  ".join(parts)
