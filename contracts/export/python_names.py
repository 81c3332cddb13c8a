"""Names in generated Python: of classes, attributes and members of enums.  Each is free, and no word of Python."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from avro_data_contracts.contracts.avro.nodes import Enum, Field, NamedType, Record

#: What annotations and methods of a class use: an attribute of that name would hide it.
_USED: Final = frozenset(
    {"bool", "bytes", "dict", "float", "int", "isinstance", "list", "object", "property", "str", "tuple", "type"}
    | {"classmethod", "cls", "self", "to_record", "from_record"}
)
#: Public names of pydantic's BaseModel, beside those that begin with `model_`.
OF_PYDANTIC: Final = frozenset(
    {"construct", "copy", "dict", "from_orm", "json", "parse_file", "parse_obj", "parse_raw", "schema"}
    | {"schema_json", "update_forward_refs", "validate"}
)
#: What a member of an enum of texts inherits.
_OF_ENUMS: Final = frozenset(one for one in dir(str) if not one.startswith("_")) | {"name", "value", "mro"}
_NO_LETTER: Final = re.compile(r"\W")


def classes(types: Iterable[NamedType]) -> dict[str, str]:
    """A class name for each type, by full name: its own name, or with its namespace in front if two have the same."""
    named = [one for one in types if isinstance(one, Record | Enum)]
    short: dict[str, list[str]] = {}
    for one in named:
        short.setdefault(free(one.name, (), "Type"), []).append(one.fullname)
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name, fullnames in short.items():
        for fullname in sorted(fullnames):
            space = "".join(part[:1].upper() + part[1:] for part in fullname.split(".")[:-1])
            wanted = name if len(fullnames) == 1 else f"{space}{name}"
            found[fullname] = free(wanted, taken | (short.keys() - {name}), "Type")
            taken.add(found[fullname])
    return found


def attributes(record: Record, hidden: Collection[str], *, is_pydantic: bool) -> Mapping[str, str]:
    """An attribute for each field.

    Args:
        hidden: further names that no attribute may hide.
    """
    found: dict[str, str] = {}
    for field in record.fields:
        name = field.name
        if is_pydantic and (name in OF_PYDANTIC or name.startswith("model_")):
            name = f"{name}_" if name in OF_PYDANTIC else f"the_{name}"
        # No attribute has the name that another field has in JSON: pydantic takes both.
        others = {one for other in record.fields if other is not field for one in known(record, other)}
        found[field.name] = free(name, {*hidden, *found.values(), *others}, "field")
    return found


def known(record: Record, field: Field) -> tuple[str, ...]:
    """The names under which a record may have the field: its own, and aliases that are no other field's name."""
    return tuple(dict.fromkeys((field.name, *(one for one in field.aliases if one not in record.by_name))))


def members(enum: Enum) -> dict[str, str]:
    """A member for each symbol."""
    found: dict[str, str] = {}
    for symbol in enum.symbols:
        found[symbol] = free(symbol, {*_OF_ENUMS, *found.values()}, "symbol")
    return found


def is_key(name: str, hidden: Collection[str]) -> bool:
    """Whether a class of a TypedDict can have the field under its own name."""
    return name.isidentifier() and free(name, hidden, "field") == name


def free(name: str, taken: Collection[str], instead: str) -> str:
    """A name that is an identifier, no word of Python, and not taken."""
    # Python mangles `__name`, and takes identifiers for the same that differ only in their form.
    found = _NO_LETTER.sub("_", unicodedata.normalize("NFKC", name)).lstrip("_")
    if not found or not found.isidentifier():
        found = f"{instead}_{found}".rstrip("_")
    while keyword.iskeyword(found) or found in _USED or found in taken:
        found += "_"
    return found
