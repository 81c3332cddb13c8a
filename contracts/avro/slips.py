"""Common mistakes in Avro schemas, in words for a message."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from avro_data_contracts.contracts.avro.jsonpos import Pointer, dump, steps
from avro_data_contracts.contracts.avro.logical import BASES, DURATION_BYTES
from avro_data_contracts.contracts.avro.nodes import PRIMITIVES, AnyType, Union

#: The attributes of each complex type that it must have.
_NEEDED: Final = {
    "record": ("name", "fields"),
    "enum": ("name", "symbols"),
    "fixed": ("name", "size"),
    "array": ("items",),
    "map": ("values",),
}
#: The attributes of a field; in an object that mixes the two, all others belong to its type.
_OF_FIELD: Final = frozenset({"name", "type", "doc", "default", "order", "aliases"})

#: What people call a type -> the primitive or the logical type.
_WORDS: Final[Mapping[str, str]] = {
    **{word: name for name in (*PRIMITIVES, *BASES) for word in (name, name.replace("-", ""))},
    **dict.fromkeys(("integer", "int8", "int16", "int32", "short", "smallint", "tinyint", "uint8", "uint16"), "int"),
    **dict.fromkeys(("int64", "bigint", "uint32"), "long"),
    **dict.fromkeys(("bool",), "boolean"),
    **dict.fromkeys(("str", "text", "char", "varchar"), "string"),
    **dict.fromkeys(("byte", "binary", "blob", "bytea", "varbinary"), "bytes"),
    **dict.fromkeys(("float32", "real"), "float"),
    **dict.fromkeys(("float64", "number"), "double"),
    **dict.fromkeys(("none", "nil", "void", "undefined"), "null"),
    **dict.fromkeys(("localdate",), "date"),
    **dict.fromkeys(("time", "timems", "timemilli", "localtime", "timeofday"), "time-millis"),
    **dict.fromkeys(("timeus", "timemicro"), "time-micros"),
    **dict.fromkeys(
        ("timestamp", "datetime", "timestampms", "timestampmilli", "timestamptz", "instant"), "timestamp-millis"
    ),
    **dict.fromkeys(("timestampus", "timestampmicro"), "timestamp-micros"),
    **dict.fromkeys(("timestampns", "timestampnano"), "timestamp-nanos"),
    **dict.fromkeys(("localtimestamp", "localdatetime"), "local-timestamp-millis"),
    **dict.fromkeys(("bigdecimal", "numeric"), "decimal"),
    **dict.fromkeys(("guid",), "uuid"),
    **dict.fromkeys(("interval", "period"), "duration"),
}


#: Types as other languages write them: `array<string>`, `string[]`, `map<string, long>`, `string?`, `decimal(9, 2)`.
_GENERIC: Final = re.compile(
    r"(?:array|list|set)<(?P<items>.+)>|(?P<item>.+)\[\]|map<(?:string, *)?(?P<values>.+)>|(?P<optional>.+)\?",
    re.IGNORECASE,
)
_DECIMAL: Final = re.compile(r"decimal\((\d{1,3})(?:, *(\d{1,3}))?\)", re.IGNORECASE)


def no_type(value: dict[str, Any]) -> tuple[str, str]:
    """What is wrong with an object whose "type" is not a name, and how to fix it."""
    if "type" not in value:
        return 'the object has no "type"', 'add "type"'
    what = f'"type" is {show(value["type"])} where a name is expected'
    inner = value["type"]
    rest = {key: item for key, item in value.items() if key not in ("type", "default")}
    if isinstance(inner, dict):
        return what, f"write {_written({**rest, **inner})}"
    if isinstance(inner, list) and (branches := _with_attributes(inner, rest)) is not None:
        return what, f"write {_written(branches)}"
    return what, "replace this object by that type, and give each attribute to the type that it belongs to"


def fix_of_unknown(name: str, document: Any, at: Pointer) -> str:
    """How to fix a type that nothing defines, such as a logical type or a complex type as a bare word.

    Args:
        name: the full name that was looked up.
        document: the JSON of the whole schema.
        at: the place of the name.
    """
    names = steps(at)
    around: list[Any] = [document]
    for step in names:
        around.append(around[-1][step])
    value = around.pop()
    if isinstance(value, dict):
        meant = _meant(value["type"], value)
        return f"write {_written(meant)}" if meant is not None else _NOTHING
    union = around.pop() if around and isinstance(around[-1], list) else None
    key = names[len(around) - 1] if around else ""
    field = around[-1] if key == "type" else {}
    attributes = {key: item for key, item in field.items() if key not in _OF_FIELD}
    if "name" in field and value in _NEEDED:
        attributes = {"name": _type_name(str(field["name"])), **attributes}
    meant = _meant(value, attributes)
    if meant is None:
        return _NOTHING
    if not attributes or not isinstance(meant, dict):
        may_be_a_name = value[:1].isupper() and value.lower() not in PRIMITIVES
        return f"write {_written(meant)}" + (f", or define {name!r}" if may_be_a_name else "")
    if union is not None:
        meant = [meant if branch == value else branch for branch in union]
    return f'write "type": {_written(meant)}'


_NOTHING: Final = "define it here or in an .avsc of its own, or correct its name or namespace"


def _meant(word: str, attributes: Mapping[str, Any]) -> Any:
    """The type (as JSON) that a word stands for, with those of the attributes that it can have; None if unknown."""
    if word in _NEEDED:
        wanted = ("name", "namespace", "doc", "aliases", *_NEEDED[word]) if "name" in _NEEDED[word] else _NEEDED[word]
        missing = {key: _Ellipsis() for key in _NEEDED[word] if key not in attributes}
        given = {key: item for key, item in attributes.items() if key in wanted or key in ("logicalType", "default")}
        return {"type": word, **given, **missing}
    if written := _GENERIC.fullmatch(word):
        inner = next(one for one in written.groups() if one)
        meant = _meant(inner, {}) or inner
        if written["optional"]:
            return ["null", meant]
        return {"type": "map", "values": meant} if written["values"] else {"type": "array", "items": meant}
    if written := _DECIMAL.fullmatch(word):
        return _meant("decimal", {"precision": int(written[1]), "scale": int(written[2] or 0)})
    if "." in word:
        return None
    plain = re.sub("[^a-z0-9]", "", word.lower())
    near = get_close_matches(plain, _WORDS, 1, 0.8)
    name = _WORDS.get(word.lower().replace("_", "-")) or _WORDS.get(plain) or (_WORDS[near[0]] if near else None)
    if name is None:
        return None
    if name in PRIMITIVES:
        logical = {key: attributes[key] for key in ("logicalType", "precision", "scale") if key in attributes}
        return {"type": name, **logical} if logical else name
    base: dict[str, Any] = {"type": BASES[name], "logicalType": name}
    if name == "decimal":
        base |= {"precision": attributes.get("precision", 10), "scale": attributes.get("scale", 2)}
    if base["type"] == "fixed":
        base |= {"name": attributes.get("name", "Duration"), "size": DURATION_BYTES}
    return base


def _with_attributes(branches: list[Any], attributes: dict[str, Any]) -> list[Any] | None:
    """The branches of a union, where the one that can have the attributes has them; None if that is unclear."""
    if not attributes:
        return branches
    words = [one for one in branches if isinstance(one, str) and one in _NEEDED]
    others = words or [one for one in branches if one != "null"]
    if len(others) != 1:
        return None
    chosen = others[0]
    if isinstance(chosen, dict):
        meant: Any = {**attributes, **chosen}
    else:
        meant = _meant(chosen, attributes) if isinstance(chosen, str) else None
        meant = {"type": chosen, **attributes} if meant is None and isinstance(chosen, str) else meant
    return None if meant is None else [meant if one == chosen else one for one in branches]


def _type_name(field: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split("[^A-Za-z0-9]+", field)) or "Type"


class _Ellipsis:
    """Stands for a value that only the author knows."""


def _written(value: Any) -> str:
    """JSON for a message, with spaces; what is too long or unknown is `...`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}": {_written(item)}' for key, item in value.items()) + "}"
    if isinstance(value, _Ellipsis):
        return "..."
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, list) else ""
    if isinstance(value, list):
        text = "[" + ", ".join(map(_written, value)) + "]"
    return text if len(text) <= _LONGEST else "..."


_LONGEST: Final = 300


def show(value: Any) -> str:
    """A JSON value, shortened for a message."""
    text = dump(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def quoted(name: str) -> str:
    """A name in quotes, shortened for a message."""
    return repr(name if len(name) <= 120 else f"{name[:117]}...")


def kind(node: AnyType) -> str:
    """The types that `node` accepts, for a message."""
    if isinstance(node, Union):
        return " or ".join(branch.label for branch in node.branches) or "an empty union"
    return node.label
