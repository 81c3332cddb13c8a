"""JSON lines: an object in each line.  Blank lines count, and are left out."""

from __future__ import annotations

from collections.abc import Iterator

from avro_data_contracts.contracts.values.kinds import kind
from avro_data_contracts.producers.plain.conversion import checked, plain
from avro_data_contracts.producers.plain.json_text import decode
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.file.inputs import Input
from avro_data_contracts.producers.sources.file.lines import LONGEST, Line, lines
from avro_data_contracts.producers.sources.file.reading import Place, Wanted
from avro_data_contracts.producers.sources.file.streams import BOM, Streamed
from avro_data_contracts.producers.sources.source import Convert, Item, Outcome


class JsonLines(Streamed):
    """See `reading.Reader`."""

    unit = "line"

    def __init__(self, given: Input, wanted: Wanted) -> None:
        super().__init__(given)
        self._convert: Convert = (checked if wanted.final else plain)(wanted.schema, wanted.asked)
        self.place = Place()
        self.number = 0

    def items(self, after: Place) -> Iterator[Item]:
        self.place = after
        for line in lines(self._stream, after):
            number, content, _, end, _ = line
            if content and not content.isspace():
                self.place, self.number = Place(number, end), number
                try:
                    outcome = self._record(line)
                except Rejection as rejection:
                    outcome = rejection
                yield Item(content, outcome)

    def _record(self, line: Line) -> Outcome:
        _, content, size, _, _ = line
        if size > LONGEST:
            raise Rejection("LINE_TOO_LONG", f"the line has {size:,} bytes, more than {LONGEST:,}")
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise Rejection("NOT_UTF8", f"the line is not UTF-8, from its byte {error.start + 1} on") from None
        try:
            value = decode(text)
        except Rejection as rejection:
            raise rejection.but(what=f"the line {rejection.what}{_hint(line, rejection)}") from None
        if type(value) is not dict:
            raise Rejection("NOT_AN_OBJECT", f"the line is {kind(value)}, not a JSON object{_whole_array(line)}")
        return self._convert(value)


def _hint(line: Line, rejection: Rejection) -> str:
    if rejection.reason != "NOT_JSON":
        return ""
    _, content, _, _, ended = line
    if content.startswith(BOM):
        return "; only a file may begin with one: two files were put together"
    return _whole_array(line) or ("" if ended else "; the input ends here, so it may be cut off")


def _whole_array(line: Line) -> str:
    """A file that is one JSON array, or an object over many lines."""
    number, content, *_ = line
    pretty = content.strip() in (b"[", b"{") or (number == 1 and content.lstrip()[:1] == b"[")
    return "; one object in each line is needed: jq -c '.[]?' FILE, or jq -c . FILE" if pretty else ""
