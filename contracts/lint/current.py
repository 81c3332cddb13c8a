"""The findings of lint in the working tree: with the levels of contracts.toml, and without those of its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avro_data_contracts.contracts import project
from avro_data_contracts.contracts.catalog.findings import Finding, Severity
from avro_data_contracts.contracts.catalog.loading import Loaded
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.lint import recorded, run, switches
from avro_data_contracts.contracts.lint.rules import RULES


@dataclass(frozen=True)
class Linted:
    """What lint finds.

    Attributes:
        new: the findings that the baseline does not record, and what is wrong with the baseline.
        known: the number of those that it records.
    """

    new: tuple[Finding, ...]
    known: int = 0


def baseline_of(folder: Path, given: Path | None = None) -> Path | None:
    """The file of known findings: the given one, or that of contracts.toml; None for none."""
    return given or project.find(folder).baseline


def every(loaded: Loaded, texts: Texts, names: Sequence[str], folder: Path) -> tuple[Finding, ...]:
    """Return all findings in contracts, as `lint`, known ones too."""
    levels = switches.levels_of(project.find(folder), (rule.id for rule in RULES))
    return run.everything(loaded, texts, names, levels)


def lint(loaded: Loaded, texts: Texts, names: Sequence[str], folder: Path, baseline: Path | None = None) -> Linted:
    """Lint contracts.

    Args:
        names: of the contracts; empty: all.
        folder: that of the contracts, for contracts.toml.
        baseline: instead of the one that contracts.toml names.

    Raises:
        ConfigurationError: no contract has one of the names, or the baseline cannot be read.
    """
    findings = every(loaded, texts, names, folder)
    baseline = baseline_of(folder, baseline)
    if baseline is None:
        return Linted(findings)
    compared = recorded.compare(findings, baseline, run.examined(loaded, names))
    return Linted(compared.findings, compared.known)


def errors(loaded: Loaded, texts: Texts, names: Sequence[str], folder: Path) -> list[Finding]:
    """Return the errors that the baseline does not record.  Raises as `lint`."""
    return [one for one in lint(loaded, texts, names, folder).new if one.severity is Severity.error]
