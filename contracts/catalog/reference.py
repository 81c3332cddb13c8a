"""The reference data of a view, as its header names it: a CSV beside the SQL, or a table of PostgreSQL."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.catalog.contract import Spec
from avro_data_contracts.contracts.catalog.lengths import Seconds
from avro_data_contracts.contracts.stores.spec import NAME
from avro_data_contracts.contracts.stores.types import MOST_DIGITS

if TYPE_CHECKING:
    from avro_data_contracts.contracts.catalog.contract import Contract

#: How old the data of a table may be when a batch begins, in seconds.
REFRESH: Final = 60
#: Name in a header -> Avro's type.
_TYPES: Final[dict[str, Any]] = {
    **{name: name for name in ("boolean", "int", "long", "float", "double", "string", "bytes")},
    "date": {"type": "int", "logicalType": "date"},
    "time-millis": {"type": "int", "logicalType": "time-millis"},
    "time-micros": {"type": "long", "logicalType": "time-micros"},
    **{
        f"{local}timestamp-{unit}": {"type": "long", "logicalType": f"{local}timestamp-{unit}"}
        for unit in ("millis", "micros")
        for local in ("", "local-")
    },
    "uuid": {"type": "string", "logicalType": "uuid"},
}
_COLUMN: Final = r"[A-Za-z_][A-Za-z0-9_]*"


def _avro_type(said: str) -> Any:
    digits = re.fullmatch(r"decimal\( ?(\d{1,3}) ?, ?(\d{1,3}) ?\)", said)
    if digits:
        precision, scale = int(digits[1]), int(digits[2])
        if not (0 < precision <= MOST_DIGITS and scale <= precision):
            raise ValueError(f"{said}: at most {MOST_DIGITS} digits, and not more behind the point than in all")
        return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
    if said not in _TYPES:
        raise ValueError(f"{said!r} is not a type of a column: {', '.join(_TYPES)} or 'decimal(10,2)', in quotes")
    return _TYPES[said]


def _column_type(value: object) -> object:
    """Return Avro's type of `long`, or of `[null, long]`."""
    if isinstance(value, str):
        return _avro_type(value)
    if isinstance(value, list) and len(value) == 2:
        first, second = ("null" if one is None else one for one in value)
        if first == "null" and isinstance(second, str):
            return ["null", _avro_type(second)]
    raise ValueError("write a type such as long, or [null, long] for a column that may be null")


def _named(value: dict[str, Any]) -> dict[str, Any]:
    seen: set[str] = set()
    for name in value:
        if not re.fullmatch(_COLUMN, name):
            raise ValueError(f"{name!r} cannot be the name of a column: use letters, digits and _, a letter first")
        if name.lower() in seen:
            raise ValueError(f"two columns are called {name}, as SQL reads names")
        seen.add(name.lower())
    return value


#: Column -> its type, as Avro's JSON has it.
Columns = Annotated[dict[str, Annotated[Any, BeforeValidator(_column_type)]], AfterValidator(_named)]

Kind = Literal["csv", "table", "contract"]
_KEYS: Final[dict[Kind, tuple[str, ...]]] = {
    "csv": ("csv", "key", "columns"),
    "table": ("table", "key", "columns"),
    "contract": ("contract", "store"),
}
_MAY_HAVE: Final[dict[Kind, tuple[str, ...]]] = {"csv": (), "table": ("refresh",), "contract": ("refresh",)}


class ReferenceSpec(Spec):
    """A part of `reference` in the header of a view, as written: exactly one of `csv`, `table` and `contract`.

    `key`: the columns that a JOIN compares; no two rows have the same.  `refresh`: how old a table's rows may be when
    a batch begins, in seconds.
    """

    csv: str | None = None
    table: Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$")] | None = None
    contract: str | None = None
    store: Literal["postgres"] | None = None
    key: tuple[str, ...] = ()
    columns: Columns = Field({})
    refresh: Seconds | None = None

    @property
    def kind(self) -> Kind:
        return "csv" if self.csv is not None else "table" if self.table is not None else "contract"

    @model_validator(mode="after")
    def _is_one(self) -> ReferenceSpec:
        named: list[Kind] = [kind for kind in _KEYS if getattr(self, kind) is not None]
        if len(named) != 1:
            raise ValueError("name one of csv, table and contract")
        wanted, said = _KEYS[named[0]], self.model_fields_set
        if missing := [key for key in wanted if key not in said]:
            raise ValueError(f"{', '.join(missing)} is missing, which a reference to a {named[0]} needs")
        if surplus := sorted(said - {*wanted, *_MAY_HAVE[named[0]]}):
            raise ValueError(f"a reference to a {named[0]} does not have {', '.join(surplus)}")
        if named[0] == "contract":
            return self
        if not self.key:
            raise ValueError("the key is empty: name the columns that a JOIN compares")
        for name in self.key:
            if name not in self.columns:
                raise ValueError(f"the key has {name!r}, which is not among its columns")
            if isinstance(self.columns[name], list):
                raise ValueError(f"{name} is in the key, so it cannot be null")
        if len(set(self.key)) < len(self.key):
            raise ValueError("the key names a column twice")
        return self


#: The name of a reference, as the SQL has it.
ReferenceName = Annotated[str, StringConstraints(pattern=NAME)]


@dataclass(frozen=True)
class Reference:
    """Reference data of a view.

    Attributes:
        name: as the SQL has it.
        file: the CSV, as messages show it; empty if it is no CSV, or one outside of the folder of the contracts.
        text: of the CSV; None if there is none.
        contract: the other contract whose table it is; None if it is none, or if nobody can read that contract.
    """

    name: str
    spec: ReferenceSpec
    file: str = ""
    text: str | None = None
    contract: Contract | None = None


def schema_of(name: str, columns: dict[str, Any]) -> Schema:
    """Return the Avro schema of a reference's rows."""
    fields = [{"name": column, "type": kind} for column, kind in columns.items()]
    return parsing.parse(json.dumps({"type": "record", "name": name, "fields": fields}), where=f"reference {name}")
