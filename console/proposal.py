"""A schema that somebody only thinks of: the verdict of `check` and `lint`, without a commit or a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
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


@dataclass(frozen=True)
class Judged:
    """The verdict on a schema.

    Attributes:
        against: what it was compared with.
        faults: why it cannot be read; there is no verdict then.
        row: what the change does; None if it changes nothing.
        lint: findings of `lint` about the contract with this schema.
    """

    against: str
    faults: tuple[FindingRow, ...] = ()
    row: VersionRow | None = None
    lint: tuple[FindingRow, ...] = ()


def judge(catalogue: Catalogue, folder: Path, name: str, text: str) -> Judged:
    """Return what `contracts check` and `lint` say once the value's schema of a contract is `text`.

    It is compared with the last commit; outside of git, with the file as it is.

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
    now = replace(files, texts={**files.texts, path: text.replace("\r\n", "\n")})
    state = _committed(folder, tuple(files.texts))
    part = states.concerned(now, state)
    if not part.now.texts:
        return Judged(state.label)
    current = loading.read(part.now, str(folder))
    mine = current.faults_of((name,))
    if mine:
        return Judged(state.label, tuple(finding(unreadable(one.error, one.contract)) for one in mine))
    today = datetime.now(UTC).date()
    found = {one.contract: one for one in commits.versions(part, state, today, str(folder), stored=False)}
    levels = switches.levels_of(project.find(folder), (rule.id for rule in RULES))
    linted = linter.everything(current, Texts.of(part.now.texts, str(folder)), (name,), levels)
    row = row_of(found[name]) if name in found else None
    return Judged(state.label, (), row, tuple(map(finding, linted)))


def _committed(folder: Path, present: tuple[str, ...]) -> GitState | FolderState:
    try:
        return GitState.of(folder, "HEAD", present)
    except ConfigurationError:
        return FolderState(folder)
