"""A file that records findings: those do not fail, and only new ones do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avro_data_contracts.contracts.catalog.findings import Finding, Severity
from avro_data_contracts.contracts.errors import ConfigurationError

_KEYS = ("rule", "contract", "subject", "path")
Identity = tuple[str, str, str, str]
#: The rule about recorded findings that are gone.
BASELINE_UNUSED = "BASELINE_UNUSED"


@dataclass(frozen=True)
class Compared:
    """Findings beside those of a file.  `known`: how many of them it records."""

    findings: tuple[Finding, ...]
    known: int


def compare(findings: Sequence[Finding], file: Path, about: Iterable[str]) -> Compared:
    """Leave out what the file records; what it records and is gone becomes a finding.

    Args:
        about: names of the contracts and shared types that were examined; empty: everything.

    Raises:
        ConfigurationError: the file does not exist, or is not valid.
    """
    left = _read(file)
    names = set(about)
    new: list[Finding] = []
    for one in findings:
        if left[one.identity]:
            left[one.identity] -= 1
        else:
            new.append(one)
    gone = [one for one in sorted(left.elements()) if not names or (one[1] or one[2]) in names]
    return Compared((*new, *(_gone(one, file) for one in gone)), len(findings) - len(new))


def write(findings: Sequence[Finding], file: Path) -> None:
    """Record the findings.  Raises ConfigurationError if the file cannot be written."""
    try:
        file.write_text(text(findings), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write: {error.strerror}", where=str(file), fix="name a file in a folder that you can write to"
        ) from None


def text(findings: Iterable[Finding]) -> str:
    """The text of a file that records the findings."""
    listed = [dict(zip(_KEYS, one, strict=True)) for one in sorted(one.identity for one in findings)]
    lines = ",\n".join(f"  {json.dumps(one)}" for one in listed)
    return f'{{"version": 1, "findings": [\n{lines}\n]}}\n'


def _read(file: Path) -> Counter[Identity]:
    again = f"write it: contracts lint --baseline {file} --write-baseline"
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the baseline: {error.strerror}", where=str(file), fix=again) from None
    except ValueError:
        raise ConfigurationError("the baseline is not JSON", where=str(file), fix=again) from None
    listed = document.get("findings") if isinstance(document, dict) and document.get("version") == 1 else None
    if not isinstance(listed, list) or not all(map(_is_entry, listed)):
        raise ConfigurationError("this is not a baseline of lint", where=str(file), fix=again)
    return Counter((one["rule"], one["contract"], one["subject"], one["path"]) for one in listed)


def _is_entry(one: Any) -> bool:
    return isinstance(one, dict) and all(isinstance(one.get(key), str) for key in _KEYS)


def _gone(one: Identity, file: Path) -> Finding:
    rule, contract, subject, path = one
    at = f" at {path}" if path else ""
    return Finding(
        BASELINE_UNUSED,
        Severity.warning,
        f"the baseline records {rule}{at}, which no longer occurs",
        f"record again: contracts lint --baseline {file} --write-baseline",
        str(file),
        path=path,
        contract=contract,
        subject=subject,
    )
