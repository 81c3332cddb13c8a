"""The rules of `contracts check`, as data: those of the compatibility levels, and those about what no level sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from avro_data_contracts.contracts.catalog.findings import APPROVAL_EXPIRED, APPROVAL_UNUSED, Severity
from avro_data_contracts.contracts.compat import resolution


@dataclass(frozen=True)
class CheckRule:
    """One rule.  `of_level`: the registry refuses the change too, at the levels that ask for it."""

    id: str
    severity: Severity
    purpose: str
    of_level: bool = False


_ERROR, _WARNING = Severity.error, Severity.warning

#: The rules of the levels: id -> severity and purpose; docs/reference/check.md has the same tables.
_OF_LEVELS: Final = {
    resolution.READER_FIELD_MISSING_DEFAULT_VALUE: (
        _ERROR,
        "the reader has a field without a default that the writer does not have",
    ),
    resolution.TYPE_MISMATCH: (_ERROR, "the reader's type cannot read the writer's type"),
    resolution.NAME_MISMATCH: (_ERROR, "a record, enum or fixed has a different name"),
    resolution.MISSING_UNION_BRANCH: (_ERROR, "no type of the reader's union can read what was written"),
    resolution.MISSING_ENUM_SYMBOLS: (_ERROR, "the writer's enum has symbols that the reader's enum lacks"),
    resolution.FIXED_SIZE_MISMATCH: (_ERROR, "a fixed type has a different size"),
    resolution.READER_FIELD_MATCHES_SEVERAL: (_ERROR, "the name and the aliases of a field match several fields"),
}
#: What no level sees.
_BEYOND_LEVELS: Final = {
    "DECIMAL_CHANGED": (_ERROR, "a decimal has another scale (the same bytes are another number) or fewer digits"),
    "DECIMAL_WIDENED": (_WARNING, "a decimal has more digits and the same scale: widen readers and columns first"),
    "LOGICAL_TYPE_CHANGED": (
        _ERROR,
        "a logical type was changed, added or removed: the same bytes mean something else",
    ),
    "LOGICAL_TYPE_READ": (
        _WARNING,
        "a logical type that Avro ignored (on the field, misspelt) is now where Avro reads it",
    ),
    "LOOKS_RENAMED": (_ERROR, "a field is gone and a similar one is new: an alias would keep the data"),
    "ENUM_WITHOUT_DEFAULT": (
        _WARNING,
        "an enum has new symbols, and old readers have no default for them: upgrade them first",
    ),
    "SYMBOL_BECOMES_DEFAULT": (_WARNING, "an enum lost symbols: records that hold them are read as the default"),
    "KEY_CHANGED": (_ERROR, "the bytes of the record key change, so keys move to other partitions"),
    "PARTITIONS_CHANGED": (_ERROR, "the number of partitions changes, so keys move to other partitions"),
    "SCHEMA_ID_MOVED": (_ERROR, "`producer.schema_id` changes: consumers look in the wrong place, and keys move"),
    "SUBJECT_CHANGED": (
        _ERROR,
        "the subject gets another name: it has no versions, and clients look for the old one",
    ),
    "REPLICATION_CHANGED": (_WARNING, "the replication factor changes, and `register` cannot change it"),
    "RETENTION_SHORTENED": (_WARNING, "Kafka deletes records earlier than before"),
    "CLEANUP_CHANGED": (_WARNING, "`cleanup.policy` changes which records Kafka keeps"),
    "DEAD_LETTERS_MOVED": (_WARNING, "the dead-letter topic changes, and its old records stay in the old one"),
    "LEVEL_LOWERED": (_ERROR, "the compatibility level promises less than before"),
    "CONTRACT_REMOVED": (_ERROR, "a topic no longer has a contract"),
    "COLUMN_CANNOT_CHANGE": (_ERROR, "no ALTER can give the column the type that the contract asks for"),
    "TABLE_CANNOT_CHANGE": (
        _ERROR,
        "no ALTER can make the table match the contract (its key, order, partitions, mode)",
    ),
    "TABLE_ABANDONED": (_WARNING, "the contract no longer names a table, so nothing writes to it"),
    "VIEW_BROKEN": (_ERROR, "a view no longer fits the schema, or its SQL is wrong: the stream does not start"),
    "VIEW_CHANGED": (_WARNING, "a view computes something else, and rows that exist stay as they are"),
    "REFERENCE_CHANGED": (
        _WARNING,
        "reference data that a view joins is other data, and rows that exist keep the old values",
    ),
    "VIEW_REBUILD": (
        _ERROR,
        "the state of an aggregation does not go on: the stream does not start without a rebuild",
    ),
    "MASK_REMOVED": (_ERROR, "a store gets the true values of a field that was masked there"),
    "CONSUMER_LOSES_FIELD": (_ERROR, "a declared consumer reads a field that is removed or renamed"),
    "RULE_TIGHTENED": (_WARNING, "a quality rule is new or stricter: it may reject records that passed before"),
    "CONSUMER_REMOVED": (_WARNING, "a change breaks a consumer, and removes it or what it reads from `consumers`"),
    "DEFAULT_CHANGED": (_WARNING, "readers fill in a different default"),
    "NAMESPACE_CHANGED": (_WARNING, "generated classes move to another package, and aliases change their meaning"),
    "TAG_REMOVED": (_WARNING, "a tag such as PII is gone: tools that rely on it no longer find the field"),
    "DOC_REMOVED": (_WARNING, "a doc is gone"),
    "NOTHING_COMPARED": (_WARNING, "the baseline has no contracts"),
    "BASE_UNREADABLE": (_WARNING, "a file of the baseline cannot be read"),
    APPROVAL_EXPIRED: (_ERROR, "an approval's last day has passed"),
    APPROVAL_UNUSED: (_WARNING, "an approval covers no finding"),
}

CHECK_RULES: Final[dict[str, CheckRule]] = {
    id_: CheckRule(id_, severity, purpose, of_level)
    for of_level, rules in ((True, _OF_LEVELS), (False, _BEYOND_LEVELS))
    for id_, (severity, purpose) in rules.items()
}

#: What an approval may name.
APPROVABLE: Final = frozenset(CHECK_RULES) - {
    "NOTHING_COMPARED", "BASE_UNREADABLE", APPROVAL_EXPIRED, APPROVAL_UNUSED,
}  # fmt: skip
