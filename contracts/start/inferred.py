"""`contracts init --from`: a schema and its contract, from a sample or a table."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from avro_data_contracts.contracts import project
from avro_data_contracts.contracts.catalog.folder import CONTRACT_ENDING
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.start import dialect, odcs, samples
from avro_data_contracts.contracts.start.files import Started
from avro_data_contracts.contracts.start.layout import Made, Writing

_HOW = "name a FILE.jsonl, FILE.csv or FILE.yaml (of ODCS), postgresql://…?table=TABLE, or the URL of a registry"
_ODCS = "odcs:"
_INTEGER, _FRACTION = re.compile(r"-?(0|[1-9]\d{0,37})"), re.compile(r"-?(0|[1-9]\d{0,17})\.\d{1,18}")


def of(source: str, folder: Path, keys: Mapping[str, str]) -> Started:
    """Decide which files to write.

    Args:
        source: a file, a URL, or `odcs:FILE`, whatever the name of that file is.

    Raises:
        ConfigurationError: the source cannot be read, or has no records.
        ServiceError: the database does not answer.
    """
    hints: list[str] = []
    if source.startswith(_ODCS) or odcs.is_document(source):
        return odcs.of(Path(source.removeprefix(_ODCS)), folder, keys)
    if source.startswith(("postgresql://", "postgres://")):
        from avro_data_contracts.contracts.start import postgres  # loads a driver: only where it is needed

        name, schema, hints = postgres.read(source)
    else:
        path = Path(source)
        read = _READERS.get(path.suffix.lower())
        if read is None:
            raise ConfigurationError(f"{source!r} is not a source that init knows", where="--from", fix=_HOW)
        name = samples.field_name(path.stem, ())
        try:
            schema = samples.record(samples.type_name(path.stem), _records(path, read), samples.NAMESPACE)
        except RecursionError:
            what, fix = "a record is nested too deeply for a schema", "leave such records out of the sample"
            raise ConfigurationError(what, where=str(path), fix=fix) from None
    said = project.find(folder)
    top = said.schemas or folder
    writing = Writing({key: value for key, value in keys.items() if key not in said.defaults})
    head = f"{name}{CONTRACT_ENDING}"
    texts = {
        f"{name}.avsc": json.dumps(schema, indent=2, ensure_ascii=False) + "\n",
        head: writing.text(name, name, "the name of the sample or the table", *hints),
    }
    there = [one for one in texts if (top / one).exists()]
    if there:
        fix = "move the file that is there, or name another folder; no file is ever overwritten"
        raise ConfigurationError("the file exists already", where=(top / there[0]).as_posix(), fix=fix)
    notes = [f"decide the namespace {samples.NAMESPACE}, and each doc that begins with TODO, before you register"]
    if not said.file:
        texts[project.FILE] = '[contracts]\nschemas = "."\n'
    return Started(
        top, texts, [Made(head, f"{samples.NAMESPACE}.{schema['name']}", name, f"{name}.avsc")], notes=notes
    )


def _records(path: Path, read: Callable[[Path], list[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    try:
        records = read(path)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read: {error.strerror}", where=str(path), fix="name a file that you can read"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError("the file is not UTF-8", where=str(path), fix="save it as UTF-8") from None
    if not records:
        raise ConfigurationError("the sample has no records", where=str(path), fix="name a file with some records")
    return records


def _lines(path: Path) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):
        if not line.strip():
            continue
        try:
            one = json.loads(line, parse_float=_fraction, parse_constant=_refuse, object_pairs_hook=_object)
        except RecursionError:
            raise _broken(path, number, "not JSON that can be read: it is nested too deeply") from None
        except ValueError as error:
            raise _broken(path, number, f"not JSON: {error}", _one_a_line(path, number, line)) from None
        if not isinstance(one, dict):
            raise _broken(path, number, "the line is not a JSON object", _one_a_line(path, number, line))
        found.append(one)
    return found


def _one_a_line(path: Path, number: int, line: str) -> str:
    """How to get an object in each line out of a file that is one JSON array, or an object over many lines."""
    text = line.strip()
    if text not in ("[", "{") and not (number == 1 and text.startswith("[")):
        return ""
    items = "'.[]'" if text.startswith("[") else "."
    made = shlex.quote(f"{path.stem}.jsonl" if path.suffix != ".jsonl" else f"{path.stem}-lines.jsonl")
    return (
        f"one object in each line is needed: jq -c {items} {shlex.quote(str(path))} > {made}, and give that to --from"
    )


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} appears twice")
    return found


def _fraction(text: str) -> Decimal:
    return Decimal(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _rows(path: Path) -> list[Mapping[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter=dialect.delimiter(first), strict=True)
        try:
            head = next(reader, [])
            rows = [(reader.line_num, row) for row in reader if row]
        except csv.Error as error:
            raise _broken(path, reader.line_num, f"not CSV: {dialect.words(error)}") from None
    if len(set(head)) < len(head):
        raise _broken(path, 1, "two columns have the same name")
    for number, row in rows:
        if len(row) != len(head):
            raise _broken(path, number, f"the row has {len(row)} cells, and the header {len(head)}")
    columns = [_column([row[at] for _, row in rows]) for at in range(len(head))]
    return [dict(zip(head, cells, strict=True)) for cells in zip(*columns, strict=True)] if columns else []


def _column(cells: Sequence[str]) -> list[Any]:
    """The values of a column: CSV has no types, so all of its cells decide together; an empty one is null."""
    there = [one for one in cells if one]
    read: Callable[[str], Any] = str
    if all(map(_INTEGER.fullmatch, there)):
        read = int
    elif all(_INTEGER.fullmatch(one) or _FRACTION.fullmatch(one) for one in there):
        read = Decimal
    elif all(one in ("true", "false") for one in there):
        read = "true".__eq__
    return [read(one) if one else None for one in cells]


def _broken(path: Path, line: int, what: str, fix: str = "") -> ConfigurationError:
    fix = fix or "correct the line, or leave it out of the sample"
    return ConfigurationError(what, file=str(path), line=line, fix=fix)


_READERS = {".jsonl": _lines, ".ndjson": _lines, ".json": _lines, ".csv": _rows}
