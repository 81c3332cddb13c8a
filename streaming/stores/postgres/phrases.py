"""Parts of statements about columns, for every statement of the sink.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql


def listed(names: Iterable[str], side: str = "") -> sql.Composed:
    """Return columns, each of a side of the statement if one is named."""
    return sql.SQL(", ").join(sql.Identifier(side, one) if side else sql.Identifier(one) for one in names)


def same(one: str, other: str, key: Iterable[str]) -> sql.Composed:
    """Return the condition that two sides have the same key."""
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(one, name), sql.Identifier(other, name)) for name in key
    )


def assigned(names: Iterable[str]) -> sql.Composed:
    """Return what an update sets columns to: the values of the row that was refused for its key."""
    return sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in names)
