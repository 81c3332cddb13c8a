"""`contracts init --from`: a schema and its contract, from a sample or a table."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from avro_data_contracts.contracts import project
from avro_data_contracts.contracts.catalog.folder import CONTRACT_ENDING
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.start import dialect, odcs, samples
from avro_data_contracts.contracts.start.files import Started
from avro_data_contracts.contracts.start.layout import Made, Writing
from avro_data_contracts.contracts.start.numbers import MOST_DIGITS, digits_of, fits_double

_HOW = "name a FILE.jsonl, FILE.csv or FILE.yaml (of ODCS), postgresql://…?table=TABLE, or the URL of a registry"
_ODCS = "odcs:"
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,37})", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,99})(?:\.\d{1,99})?(?:[eE][+-]?\d{1,3})?", re.ASCII)


def of(source: str, folder: Path, keys: Mapping[str, str]) -> Started:
    """Decide which files to write.

    Args:
        source: a file, a URL, or `odcs:FILE`, whatever the name of that file is.

    Raises:
        ConfigurationError: the source cannot be read, or has no records.
        ServiceError: the database does not answer.
    """
    hints: list[str] = []
    doubts: list[str] = []
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
            found = _sample(path, read)
            schema = samples.record(samples.type_name(path.stem), found.records, samples.NAMESPACE, found.doubts)
            doubts = [f"{key}: {doubt}" for key, doubt in found.doubts.items()]
            if found.has_words:
                doubts.append("`contracts docs tutorial/own-data` has a command that empties such cells")
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
    notes = [
        *doubts,
        f"decide the namespace {samples.NAMESPACE}, and each doc that begins with TODO, before you register",
    ]
    if not said.file:
        texts[project.FILE] = '[contracts]\nschemas = "."\n'
    return Started(
        top, texts, [Made(head, f"{samples.NAMESPACE}.{schema['name']}", name, f"{name}.avsc")], notes=notes
    )


@dataclass(frozen=True)
class _Sample:
    """Records, and key -> what is doubtful about its values.  `has_words`: words may say that there is no value."""

    records: list[Mapping[str, Any]]
    doubts: Mapping[str, str] = field(default_factory=dict)
    has_words: bool = False


def _sample(path: Path, read: Callable[[Path], _Sample]) -> _Sample:
    try:
        found = read(path)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read: {error.strerror}", where=str(path), fix="name a file that you can read"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError("the file is not UTF-8", where=str(path), fix="save it as UTF-8") from None
    if not found.records:
        raise ConfigurationError("the sample has no records", where=str(path), fix="name a file with some records")
    return found


def _lines(path: Path) -> _Sample:
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
    return _Sample(found)


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


def _rows(path: Path) -> _Sample:
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
    values = zip(*(one.values for one in columns), strict=True)
    doubts = {name: one.doubt for name, one in zip(head, columns, strict=True) if one.doubt}
    records: list[Mapping[str, Any]] = [dict(zip(head, cells, strict=True)) for cells in values] if columns else []
    return _Sample(records, doubts, any(one.has_words for one in columns))


@dataclass(frozen=True)
class _Column:
    """The values of a column, and what is doubtful about them.  `has_words`: see `_Sample`."""

    values: list[Any]
    doubt: str = ""
    has_words: bool = False


def _column(cells: Sequence[str]) -> _Column:
    """CSV has no types, so all cells of a column decide together; an empty one is null."""
    there = [one for one in cells if one]
    read, doubt = _reading(there)
    words = _words_for_nothing(there) if read is str and not doubt else ""
    return _Column([read(one) if one else None for one in cells], doubt or words, bool(words))


def _reading(there: Sequence[str]) -> tuple[Callable[[str], Any], str]:
    """What reads these cells, and what is doubtful about it."""
    if all(map(_INTEGER.fullmatch, there)):
        return int, ""
    if all(map(_NUMBER.fullmatch, there)):
        values = [Decimal(one) for one in there]
        if all(map(fits_double, values)) or digits_of(values).precision <= MOST_DIGITS:
            return Decimal, ""
        return str, f"{samples.NEITHER}: as text, each keeps its own"
    return ("true".__eq__ if all(one in ("true", "false") for one in there) else str), ""


def _words_for_nothing(there: Sequence[str]) -> str:
    """What to say of a column that would have another type without words for a missing value; empty for nothing."""
    words = samples.nothing_in(there)
    rest = [one for one in there if one not in words]
    if not words or not rest:
        return ""
    read, _ = _reading(rest)
    values = [read(one) for one in rest]
    kind = samples.record("Rest", [{"it": one} for one in values])["fields"][0]["type"]
    if kind == "string":
        return ""
    count = sum(one in words for one in there)
    return (
        f"{samples.listed(words)} in {count} of {len(there)} cells is no {_told(kind)}, as the others are: if it "
        f"says that there is no value, empty these cells, and make this a nullable {_told(kind)}"
    )


def _told(kind: Any) -> str:
    return str(kind.get("logicalType") or kind["type"]) if isinstance(kind, dict) else str(kind)


def _broken(path: Path, line: int, what: str, fix: str = "") -> ConfigurationError:
    fix = fix or "correct the line, or leave it out of the sample"
    return ConfigurationError(what, file=str(path), line=line, fix=fix)


_READERS = {".jsonl": _lines, ".ndjson": _lines, ".json": _lines, ".csv": _rows}
