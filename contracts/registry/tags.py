"""The tags that a registry keeps in a schema's text, for data catalogs: on records and fields.

Tagging at the registry makes a new version there.  The next schema that is registered from a repository has no such
tags, unless the registry is asked to carry them over (`propagateSchemaTags`).
"""

from __future__ import annotations

from collections.abc import Mapping

from avro_data_contracts.contracts.avro.nodes import TAGS, Record, Schema
from avro_data_contracts.contracts.avro.writing import normalised

Tags = Mapping[str, frozenset[str]]


def of(schema: Schema) -> Tags:
    """Return tags by place: a record's full name, or `fullname.field`; places without tags are left out."""
    found: dict[str, frozenset[str]] = {}
    for name, node in schema.named.items():
        places = [(name, node.props)]
        if isinstance(node, Record):
            places += [(f"{name}.{field.name}", field.props) for field in node.fields]
        for place, props in places:
            listed = props.get(TAGS)
            if isinstance(listed, list) and (tags := frozenset(one for one in listed if isinstance(one, str))):
                found[place] = tags
    return found


def lost(kept: Schema, wanted: Schema) -> Tags:
    """Return the tags of `kept` that `wanted` lacks, at places that it has."""
    own, places = of(wanted), _places(wanted)
    found = {place: tags - own.get(place, frozenset()) for place, tags in of(kept).items() if place in places}
    return {place: tags for place, tags in found.items() if tags}


def same_but_more(kept: Schema, wanted: Schema) -> bool:
    """Whether `kept` is the same as `wanted`, perhaps with more tags."""
    return normalised(kept, tags=False) == normalised(wanted, tags=False) and not lost(wanted, kept)


def told(tags: Tags) -> str:
    """Describe tags in words: `shop.Order.email: PII, SECRET; shop.Order.name: PII`."""
    return "; ".join(f"{place}: {', '.join(sorted(names))}" for place, names in sorted(tags.items()))


def _places(schema: Schema) -> set[str]:
    fields = (
        f"{name}.{field.name}"
        for name, node in schema.named.items()
        if isinstance(node, Record)
        for field in node.fields
    )
    return {*schema.named, *fields}
