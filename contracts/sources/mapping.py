"""`source.fields`: which expression on a record of the source gives which field of the contract.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from avro_data_contracts.contracts.sources.spec import Fault


def unknown_fields(mapping: Mapping[str, str], fields: Collection[str]) -> Iterator[Fault]:
    """The fields of a mapping that the contract's value does not have."""
    for name in mapping:
        if name not in fields:
            near = get_close_matches(name, fields)
            here = f"fields here: {', '.join(fields)}"
            fix = f"write {' or '.join(near)}; {here}" if near else here
            yield Fault(("fields", name), f"the value has no field {name!r}", fix)
