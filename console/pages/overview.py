"""The list of contracts, and what the search finds in it.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from avro_data_contracts.console.pages.contract import ContractPage
from avro_data_contracts.console.pages.fields import FieldRow
from avro_data_contracts.console.pages.versions import VersionRow
from avro_data_contracts.contracts.catalog.addresses import slug
from avro_data_contracts.contracts.catalog.loading import Loaded

_NONE: Final[Mapping[str, str]] = MappingProxyType({})

#: Words of a search that look in one place: `owner:shop`, `field:email`.
QUALIFIERS: Final = ("name", "topic", "owner", "tag", "field")


@dataclass(frozen=True)
class FoundField:
    """A field that a search found.  `stored`, `readers`: see `FieldRow`."""

    path: str
    anchor: str
    doc: str
    stored: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True)
class ContractRow:
    """A contract in the list.

    Attributes:
        changed: its newest version, if git tells.
        found: the fields that a search found.
        hidden: whether a search did not find it.
        fault: why it cannot be read; else empty.
    """

    name: str
    slug: str
    topic: str
    owner: str = ""
    description: str = ""
    level: str = ""
    fields: int = 0
    tags: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    consumers: int = 0
    changed: VersionRow | None = None
    found: tuple[FoundField, ...] = ()
    hidden: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Overview:
    """All contracts.  `faults`: of files that belong to no contract.  `owners`, `tags`: that the contracts have."""

    rows: tuple[ContractRow, ...]
    faults: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """How many contracts are shown."""
        shown = sum(not one.hidden for one in self.rows)
        if shown != len(self.rows):
            return f"{shown:,} of {len(self.rows):,} contracts"
        return f"{shown:,} contract{'' if shown == 1 else 's'}"

    def narrowed(self, found: Mapping[str, tuple[FoundField, ...]]) -> Overview:
        """Return the list after a search.  `found`: see `search`."""
        rows = tuple(replace(one, hidden=one.name not in found, found=found.get(one.name, ())) for one in self.rows)
        return replace(self, rows=rows)


def of(pages: Mapping[str, ContractPage], loaded: Loaded, versions: Mapping[str, tuple[VersionRow, ...]]) -> Overview:
    """Make the list.

    Args:
        pages: of the contracts that can be read, by name.
        versions: by name, the newest first.
    """
    rows = [_row(page, versions.get(page.name, ())) for page in pages.values()]
    for name, topic in loaded.broken.items():
        fault = next((str(one.error) for one in loaded.faults if one.contract == name), "it cannot be read")
        rows.append(ContractRow(name, slug(name), topic, fault=fault))
    general = tuple(str(one.error) for one in loaded.faults if one.contract not in loaded.broken)
    ordered = tuple(sorted(rows, key=lambda one: one.name))
    owners = tuple(sorted({one.owner for one in rows if one.owner}))
    return Overview(ordered, general, owners, tuple(sorted({tag for one in rows for tag in one.tags})))


def _row(page: ContractPage, versions: tuple[VersionRow, ...]) -> ContractRow:
    return ContractRow(
        page.name,
        page.slug,
        page.topic,
        page.owner,
        page.description,
        page.level,
        len(page.value.rows) + page.value.more,
        page.tags,
        tuple(dict.fromkeys(one.store for one in page.tables)),
        len(page.consumers),
        versions[0] if versions else None,
    )


def index(pages: Iterable[ContractPage], broken: Mapping[str, str] = _NONE) -> list[dict[str, Any]]:
    """Return what the search in the browser reads: an entry for each contract.

    Args:
        broken: name -> topic of the contracts that cannot be read; no more is known of them.
    """
    found: list[dict[str, Any]] = [
        {
            "name": page.name,
            "slug": page.slug,
            "topic": page.topic,
            "owner": page.owner,
            "text": page.description,
            "tags": list(page.tags),
            "fields": [
                *(_entry(row, row.path) for row in page.value.rows),
                *(_entry(row, f"{row.path} (key)") for row in (page.key.rows if page.key else ())),
            ],
        }
        for page in pages
    ]
    nothing = {"owner": "", "text": "", "tags": [], "fields": []}
    return found + [{"name": name, "slug": slug(name), "topic": topic, **nothing} for name, topic in broken.items()]


def _entry(row: FieldRow, path: str) -> dict[str, Any]:
    return {
        "path": path,
        "anchor": row.anchor,
        "doc": row.doc,
        "tags": list(row.tags),
        "stored": list(row.stored),
        "readers": list(row.readers),
    }


@dataclass(frozen=True)
class Query:
    """A search: every word has to be found, in any case.  `words`: place, empty for any, and text."""

    text: str
    words: tuple[tuple[str, str], ...] = field(default=())

    @classmethod
    def of(cls, text: str) -> Query:
        """Read what somebody typed."""
        words = []
        for word in text.casefold().split():
            place, colon, rest = word.partition(":")
            words.append((place, rest) if colon and place in QUALIFIERS and rest else ("", word))
        return cls(text, tuple(words))


def search(entries: Iterable[Mapping[str, Any]], query: Query) -> dict[str, tuple[FoundField, ...]]:
    """Return the contracts that have every word, with the fields that have one, by name.

    A word without a place is searched in the name, topic, owner, description, tags and fields.
    """
    found = {}
    for entry in entries:
        fields: dict[str, FoundField] = {}
        if all(_has(entry, place, word, fields) for place, word in query.words):
            found[entry["name"]] = tuple(fields.values())
    return found


def _has(entry: Mapping[str, Any], place: str, word: str, fields: dict[str, FoundField]) -> bool:
    here = [str(entry[key]) for key in ("name", "topic", "owner") if place in ("", key)]
    here += [entry["text"]] if place == "" else []
    here += entry["tags"] if place in ("", "tag") else []
    hit = any(word in text.casefold() for text in here)
    for one in entry["fields"] if place in ("", "field", "tag") else ():
        parts = one["tags"] if place == "tag" else [one["path"]] if place == "field" else [one["path"], one["doc"]]
        if any(word in part.casefold() for part in parts):
            hit = True
            fields[one["path"]] = FoundField(
                one["path"], one["anchor"], one["doc"], tuple(one["stored"]), tuple(one["readers"])
            )
    return hit
