"""Why something that a source gave is not a record of the contract."""

from __future__ import annotations

from avro_data_contracts.contracts.errors import EXIT_FINDINGS, ContractsError


class Rejection(ContractsError):
    """A source's item that cannot become a valid record.  Neither text nor reason contains any of its data.

    Args:
        reason: a code such as `MISSING_EMAIL` or `INVALID_DOB`: what is wrong, and with which field of the record.
        what: one sentence for a person.
        field: path of the field that it is about, in the contract's schema; empty if it is about none.
    """

    exit_code = EXIT_FINDINGS
    stage = "TRANSFORMATION"  # of Kafka Connect's enum Stage

    def __init__(self, reason: str, what: str, *, field: str = "") -> None:
        super().__init__(what)
        self.reason = reason
        self.field = field


class RejectedRecord(Rejection):
    """A record that does not fit the contract's schema, breaks one of its rules, or is too large for the topic.

    Attributes:
        reason: `INVALID_RECORD`, `RULE:<name>`, `TOO_LARGE`; of plain JSON also `NOT_JSON` and others
            (docs/reference/producer.md, Refused records).
        field: path of the field; empty if it is about the record, or about several fields.
        rule: name of the rule that it breaks; empty for none.
    """

    stage = "VALUE_CONVERTER"

    def __init__(self, reason: str, what: str, *, field: str = "", rule: str = "") -> None:
        super().__init__(reason, what, field=field)
        self.rule = rule
