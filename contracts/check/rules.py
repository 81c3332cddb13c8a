"""The rules of `contracts check`, as data: those of the levels, and what the levels are blind to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.catalog.findings import APPROVAL_EXPIRED, APPROVAL_UNUSED, Severity
from contracts.compat import resolution


@dataclass(frozen=True)
class CheckRule:
    """One rule.  `of_level`: the registry refuses it too, at the levels that ask for it."""

    id: str
    severity: Severity
    purpose: str
    of_level: bool = False


_ERROR, _WARNING = Severity.error, Severity.warning

CHECK_RULES: Final[dict[str, CheckRule]] = {
    rule.id: rule
    for rule in (
        CheckRule(resolution.READER_FIELD_MISSING_DEFAULT_VALUE, _ERROR,
                  "a field that was not written has no default", True),
        CheckRule(resolution.TYPE_MISMATCH, _ERROR, "the reader's type cannot take the writer's", True),
        CheckRule(resolution.NAME_MISMATCH, _ERROR, "a record, enum or fixed has another name", True),
        CheckRule(
            resolution.MISSING_UNION_BRANCH, _ERROR, "no type of the reader's union takes what was written", True
        ),
        CheckRule(resolution.MISSING_ENUM_SYMBOLS, _ERROR, "the writer has symbols that the reader has not", True),
        CheckRule(resolution.FIXED_SIZE_MISMATCH, _ERROR, "two fixed of different sizes", True),
        CheckRule(resolution.READER_FIELD_MATCHES_SEVERAL, _ERROR, "an alias names several fields", True),
        CheckRule("DECIMAL_CHANGED", _ERROR, "the scale: the same bytes are another number; or fewer digits"),
        CheckRule("DECIMAL_WIDENED", _WARNING, "more digits, same scale: readers and columns are widened first"),
        CheckRule("LOGICAL_TYPE_CHANGED", _ERROR, "millis to micros, added, removed: bytes mean something else"),
        CheckRule("LOOKS_RENAMED", _ERROR, "a field is gone and one like it is new: an alias would keep the data"),
        CheckRule("ENUM_WITHOUT_DEFAULT", _ERROR, "symbols were added, and old readers have no default for them"),
        CheckRule("SYMBOL_BECOMES_DEFAULT", _WARNING, "symbols were removed: what holds them is read as the default"),
        CheckRule("KEY_CHANGED", _ERROR, "the bytes of the record key change: keys move to other partitions"),
        CheckRule("PARTITIONS_CHANGED", _ERROR, "keys move to other partitions"),
        CheckRule("SCHEMA_ID_MOVED", _ERROR, "`producer.schema_id`: consumers look elsewhere for it, and keys move"),
        CheckRule("REPLICATION_CHANGED", _WARNING, "the replication factor, which no step of `register` changes"),
        CheckRule("RETENTION_SHORTENED", _WARNING, "records go earlier than before"),
        CheckRule("CLEANUP_CHANGED", _WARNING, "`cleanup.policy`: other records are kept than before"),
        CheckRule("DEAD_LETTERS_MOVED", _WARNING, "another dead-letter topic: what is in the old one stays there"),
        CheckRule("LEVEL_LOWERED", _ERROR, "the compatibility level promises less than before"),
        CheckRule("CONTRACT_REMOVED", _ERROR, "a topic no longer has a contract"),
        CheckRule("COLUMN_CANNOT_CHANGE", _ERROR, "no ALTER makes the column what the contract says"),
        CheckRule("TABLE_CANNOT_CHANGE", _ERROR, "no ALTER makes the table what the contract says (its key, a type)"),
        CheckRule("TABLE_ABANDONED", _WARNING, "another table is named: the old one is no longer written"),
        CheckRule("CONSUMER_LOSES_FIELD", _ERROR, "a declared consumer reads a field that is gone"),
        CheckRule("RULE_TIGHTENED", _WARNING, "a quality rule is new or asks for more: what was sent may be refused"),
        CheckRule("CONSUMER_REMOVED", _WARNING, "a consumer or its field is taken out by the change that breaks it"),
        CheckRule("DEFAULT_CHANGED", _WARNING, "readers fill in another value than before"),
        CheckRule("NAMESPACE_CHANGED", _WARNING, "generated classes change their package, and aliases their meaning"),
        CheckRule("TAG_REMOVED", _WARNING, "a tag such as PII is gone: what relied on it no longer finds the field"),
        CheckRule("DOC_REMOVED", _WARNING, "a doc is gone"),
        CheckRule("NOTHING_COMPARED", _WARNING, "there is no contract at all in what they were compared with"),
        CheckRule(APPROVAL_EXPIRED, _ERROR, "an approval's last day has passed"),
        CheckRule(APPROVAL_UNUSED, _WARNING, "an approval covers nothing"),
    )
}  # fmt: skip

#: What an approval may name.
APPROVABLE: Final = frozenset(CHECK_RULES) - {"NOTHING_COMPARED", APPROVAL_EXPIRED, APPROVAL_UNUSED}
