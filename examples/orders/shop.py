"""An order, as it stands.

Written by `contracts export python orders --style dataclass`.
"""

from __future__ import annotations

import collections.abc as _abc
import dataclasses as _dataclasses
import datetime as _dt
import decimal as _decimal
import enum as _enum
import typing as _t


class Status(_enum.StrEnum):
    """May grow; a symbol that a reader does not know becomes UNKNOWN."""

    UNKNOWN = "UNKNOWN"
    PLACED = "PLACED"
    PAID = "PAID"
    SENT = "SENT"


@_dataclasses.dataclass(kw_only=True, slots=True)
class Item:
    """One line of the order."""

    #: Name of the article.
    article: str
    #: How many.
    quantity: int
    #: Price of one, EUR.
    price: _decimal.Decimal

    def to_record(self) -> dict[str, _t.Any]:
        """Return what a producer sends."""
        return {
            "article": self.article,
            "quantity": self.quantity,
            "price": self.price,
        }

    @classmethod
    def from_record(cls, record: _abc.Mapping[str, _t.Any]) -> _t.Self:
        """Return the object of a decoded record."""
        given = _fields(
            record,
            article=("article",),
            quantity=("quantity",),
            price=("price",),
        )
        return cls(**given)


@_dataclasses.dataclass(kw_only=True, slots=True)
class Order:
    """An order, as it stands."""

    #: Number of the order.
    id: str
    #: When.
    ordered_at: _dt.datetime
    #: Where the order stands.
    status: Status = Status.UNKNOWN
    #: What the customer pays, EUR.
    total: _decimal.Decimal
    #: What was ordered.
    items: list[Item]
    #: What the customer wrote.
    note: str | None = None

    def to_record(self) -> dict[str, _t.Any]:
        """Return what a producer sends."""
        return {
            "id": self.id,
            "ordered_at": self.ordered_at,
            "status": self.status.value,
            "total": self.total,
            "items": [item.to_record() for item in self.items],
            "note": self.note,
        }

    @classmethod
    def from_record(cls, record: _abc.Mapping[str, _t.Any]) -> _t.Self:
        """Return the object of a decoded record."""
        given = _fields(
            record,
            id=("id",),
            ordered_at=("ordered_at",),
            status=("status",),
            total=("total",),
            items=("items",),
            note=("note",),
        )
        if "status" in given:
            given["status"] = Status(_bare(given["status"]))
        if "items" in given:
            given["items"] = [Item.from_record(_bare(item)) for item in given["items"]]
        return cls(**given)


@_dataclasses.dataclass(kw_only=True, slots=True)
class OrderKey:
    """Key of orders: all events of one order go to one partition, in order."""

    #: Number of the order.
    id: str

    def to_record(self) -> dict[str, _t.Any]:
        """Return what a producer sends."""
        return {
            "id": self.id,
        }

    @classmethod
    def from_record(cls, record: _abc.Mapping[str, _t.Any]) -> _t.Self:
        """Return the object of a decoded record."""
        given = _fields(
            record,
            id=("id",),
        )
        return cls(**given)


def _fields(record: _abc.Mapping[str, _t.Any], /, **names: tuple[str, ...]) -> dict[str, _t.Any]:
    """The values by attribute, from a record that has them under one of several names."""
    if others := sorted(record.keys() - {name for known in names.values() for name in known}):
        raise ValueError(f"the class has no field {', '.join(others)}")  # its value would be lost
    return {
        attribute: next(record[name] for name in known if name in record)
        for attribute, known in names.items()
        if any(name in record for name in known)
    }


def _bare(value: _t.Any) -> _t.Any:
    """The value alone: a decoder may give the name of its type with it."""
    return value[1] if isinstance(value, tuple) else value
