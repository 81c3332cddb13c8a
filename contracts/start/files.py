"""`contracts init` over existing schemas: reads a repository, and says which files to write beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from avro_data_contracts.contracts import project
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.catalog.findings import Finding
from avro_data_contracts.contracts.catalog.folder import (
    Folder,
    contracts_below,
    is_contract_file,
    is_schema_file,
    join,
    read_folder,
)
from avro_data_contracts.contracts.catalog.places import Texts
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.lint import recorded, switches
from avro_data_contracts.contracts.lint import run as linter
from avro_data_contracts.contracts.lint.rules import RULES
from avro_data_contracts.contracts.listing import few
from avro_data_contracts.contracts.project import Project
from avro_data_contracts.contracts.start import idl, layout
from avro_data_contracts.contracts.start.layout import Made, Writing

#: The name of the file of known findings.
BASELINE = "contracts-baseline.json"


@dataclass(frozen=True)
class Started:
    """What `init` writes, and why.

    Args:
        top: the folder that it examined; paths are below it.
        files: path -> text.
        made: the new contracts.
        shared: types that other schemas use.
        ignored: path -> why nobody can use it.
        findings: those of lint that the baseline records.
        notes: what a person should know or do.
    """

    top: Path
    files: Mapping[str, str] = field(default_factory=dict)
    made: Sequence[Made] = ()
    shared: Sequence[str] = ()
    ignored: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    notes: Sequence[str] = ()


def over(folder: Path, keys: Mapping[str, str]) -> Started:
    """Decide what to write over the schemas below `folder`; write nothing.

    Args:
        keys: owner and compatibility, for a new contracts.toml, or for contracts that have no default there.

    Raises:
        ConfigurationError: the folder does not exist, or has no schema that can be used.
    """
    if not folder.is_dir():
        raise ConfigurationError("the folder does not exist", where=str(folder), fix="name a folder with .avsc files")
    said = project.find(folder)
    # A repository that was made with contracts has other schemas elsewhere, such as data of tests.
    native = folder / project.SCHEMAS
    is_native = not said.file and bool(contracts_below(native))
    top = native if is_native else said.schemas or folder
    there = read_folder(top)
    compiled, notes = idl.compiled(top, there)
    there = replace(there, texts=dict(sorted({**there.texts, **compiled}.items())))
    if said.file and (outside := _outside(folder, top)):
        notes.append(f"outside of {top.as_posix()}, the `schemas` of {said.file}: {few(outside)}")
    if said.file or is_native:
        return _again(top, there, compiled, said, keys, notes)
    try:
        found = layout.of(replace(there, defaults=keys), folder.as_posix(), Writing())
    except ConfigurationError as error:
        raise error.but(fix="; ".join((error.fix, *notes))) from None
    below = _common(found.files)
    findings = _findings(found.files, folder, below, Project())
    files = {**compiled, **Writing().files(found.made)}
    if findings:
        files[BASELINE] = recorded.text(findings)
    files[project.FILE] = _toml(below, keys, [one for one in found.ignored if _is_below(one, below)], bool(findings))
    return Started(folder, files, found.made, found.shared, found.ignored, findings, notes)


def write(started: Started) -> None:
    """Write the files.

    Raises:
        ConfigurationError: a file is there already, or cannot be written.
    """
    for path, text in started.files.items():
        try:
            (started.top / path).parent.mkdir(parents=True, exist_ok=True)
            with (started.top / path).open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise ConfigurationError(
                f"cannot write: {error.strerror}",
                where=(started.top / path).as_posix(),
                fix="make the folder writable, or move the file that is there; no file is ever overwritten",
            ) from None


def _again(
    top: Path,
    there: Folder,
    compiled: Mapping[str, str],
    said: Project,
    keys: Mapping[str, str],
    notes: Sequence[str],
) -> Started:
    """Contracts for what is new since contracts.toml was written, which stays as it is."""
    writing = Writing({key: value for key, value in keys.items() if key not in said.defaults})
    found = layout.of(there, top.as_posix(), writing)
    file = said.file or project.FILE
    told = [f"add {path} to `ignore` in {file}: {why}" for path, why in found.ignored.items()]
    if said.file and not said.schemas:
        told.append(f"add `schemas` to {said.file}, so that `contracts lint` finds {top.as_posix()}")
    files = {**compiled, **writing.files(found.made)}
    return Started(top, files, found.made, found.shared, found.ignored, notes=(*notes, *told))


def _outside(folder: Path, top: Path) -> list[str]:
    """The schemas below `folder` that are not below `top`."""
    around = layout.without_copies(read_folder(folder).texts)
    root = os.path.abspath(top)
    paths = [path for path in around if is_schema_file(path)]
    return [one for one in paths if not Path(os.path.abspath(folder / one)).is_relative_to(root)]


def _common(files: Folder) -> str:
    """The smallest folder around all schemas and contracts; empty for the top."""
    folders = [PurePosixPath(path).parent.as_posix() for path in files.texts if is_contract_file(path)]
    return os.path.commonpath(["" if one == "." else one for one in folders])


def _is_below(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _findings(files: Folder, top: Path, below: str, said: Project) -> tuple[Finding, ...]:
    start = len(below) + 1 if below else 0
    inside = {path[start:]: text for path, text in files.texts.items()}
    root = join(top.as_posix(), below)
    loaded = loading.read(replace(files, texts=inside, unread={}), root)
    return linter.everything(loaded, Texts.of(inside, root), (), switches.levels_of(said, [one.id for one in RULES]))


def _toml(below: str, keys: Mapping[str, str], ignored: Sequence[str], baseline: bool) -> str:
    lines = [
        "# Written by `contracts init`.  All keys: contracts docs reference/contract",
        "[contracts]",
        f"schemas = {json.dumps(below or '.', ensure_ascii=False)}",
        *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()),
    ]
    if baseline:
        lines.append(f"baseline = {json.dumps(BASELINE)}")
    if ignored:
        lines += ["ignore = [", *(f"  {json.dumps(one, ensure_ascii=False)}," for one in ignored), "]"]
    return "\n".join(lines) + "\n"
