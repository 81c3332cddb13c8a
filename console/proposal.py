"""A schema that somebody only thinks of: the verdict of `check` and `lint`, without a commit or a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final

from avro_data_contracts.console.catalogue import Catalogue
from avro_data_contracts.console.pages.versions import FindingRow, VersionRow, finding, row_of
from avro_data_contracts.contracts import project
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.findings import unreadable
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.check import commits, states
from avro_data_contracts.contracts.check.states import FolderState, GitState
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.lint import run as linter
from avro_data_contracts.contracts.lint import switches
from avro_data_contracts.contracts.lint.rules import RULES

#: Characters of a schema.
MOST_CHARACTERS: Final = 1_000_000
#: The last commit.
HEAD: Final = "HEAD"


@dataclass(frozen=True)
class Judged:
    """The verdict on a schema.

    Attributes:
        against: what it was compared with.
        faults: why it cannot be read; there is no verdict then.
        rows: what the change does to each contract that it concerns, by name, that of the schema first.
        lint: findings of `lint` about the contract with this schema.
    """

    against: str
    faults: tuple[FindingRow, ...] = ()
    rows: Mapping[str, VersionRow] = field(default_factory=lambda: MappingProxyType({}))
    lint: tuple[FindingRow, ...] = ()


def judge(catalogue: Catalogue, folder: Path, name: str, text: str, against: str | None = None) -> Judged:
    """Return what `contracts check` and `lint` say once the value's schema of a contract is `text`.

    Args:
        against: `HEAD`; None: what `check` compares with, the merge base with the default branch.  Without a default
            branch it is HEAD, and outside of git the files as they are.

    Raises:
        ConfigurationError: there is no such contract, or the text is too long.
    """
    contract = catalogue.loaded.catalog.get(name)
    if len(text) > MOST_CHARACTERS:
        raise ConfigurationError(
            f"the schema has {len(text):,} characters, more than {MOST_CHARACTERS:,}",
            where=name,
            fix="write it to its file, and run contracts check",
        )
    path = PurePosixPath(contract.value.file).relative_to(folder).as_posix()
    files = catalogue.files
    now = replace(files, texts={**files.texts, path: one_line_end(text)})
    state = _compared_with(folder, tuple(files.texts), against)
    part = states.concerned(now, state)
    if not part.now.texts:
        return Judged(state.label)
    current = loading.read(part.now, str(folder))
    mine = current.faults_of((name,))
    if mine:
        return Judged(state.label, tuple(finding(unreadable(one.error, one.contract)) for one in mine))
    today = datetime.now(UTC).date()
    versions = commits.versions(part, state, today, str(folder), stored=False)
    rows = {
        one.contract: row_of(one) for one in sorted(versions, key=lambda one: (one.contract != name, one.contract))
    }
    levels = switches.levels_of(project.find(folder), (rule.id for rule in RULES))
    linted = linter.everything(current, Texts.of(part.now.texts, str(folder)), (name,), levels)
    return Judged(state.label, (), MappingProxyType(rows), tuple(map(finding, linted)))


def _compared_with(folder: Path, present: tuple[str, ...], against: str | None) -> GitState | FolderState:
    """The state to compare with; HEAD if git has no default branch, and the folder itself if there is no git."""
    for ref in (None, HEAD) if against is None else (against,):
        try:
            return GitState.of(folder, ref, present)
        except ConfigurationError:
            continue
    return FolderState(folder)


def one_line_end(text: str) -> str:
    """Browsers send the two characters CR and LF for each end of a line; files have LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
