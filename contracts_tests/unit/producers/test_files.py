"""Files and pipes as people have them: each record with its line, and each fault with file and line."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet as pq

from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError, FindingsError, ServiceError
from avro_data_contracts.producers.checked import Checked
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.file import streams
from avro_data_contracts.producers.sources.file.lines import LONGEST
from avro_data_contracts.producers.sources.file.source import FileSource
from avro_data_contracts.producers.sources.source import Request
from avro_data_contracts.producers.strict import compile_record
from contracts_tests.fixtures.bodies import record_schema
from contracts_tests.fixtures.clone import CLONE

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SCHEMA = record_schema(
    [{"name": "id", "type": "long"}, {"name": "name", "type": ["null", "string"], "default": None}]
)[1]
STRICT = compile_record(SCHEMA)
GOOD = b'{"id": 1, "name": "\xc5\x81\xc3\xb3d\xc5\xba"}'
GIVES = {"id": 1, "name": "Łódź"}


def source(path: Path | str, **options: Any) -> FileSource:
    return FileSource(str(path), SCHEMA, **options)


def read(path: Path | str, **options: Any) -> list[tuple[str, Any]]:
    """Return the position of each record, and the record or the reason of its rejection.

    Of a file, records that are checked in one go have the same.
    """
    found = list(items(source(path, **options)))
    if str(path) != "-":
        checked = list(items(source(path, final=True, **options)))
        as_written = [(at, one if isinstance(one, str) else STRICT(one)) for at, one in found]
        assert [(at, one.written if isinstance(one, Checked) else one) for at, one in checked] == as_written
    return found


def items(one: FileSource) -> Iterator[tuple[str, Any]]:
    for item in one.items(Request("")):
        outcome = item.outcome
        yield one.position, outcome.reason if isinstance(outcome, Rejection) else outcome


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(content: bytes, name: str = "in.jsonl") -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


# -- what is read ------------------------------------------------------------------------------------------------

LINES = [GOOD, b"", b'{"id": 2}\r', b"  ", b'{"id": 3.0, "name": null}']
RECORDS = [(1, GIVES), (3, {"id": 2}), (5, {"id": 3, "name": None})]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"], ids=["none", "LF", "CRLF"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["no BOM", "BOM"])
@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("in.jsonl", bytes),
        ("in.ndjson.gz", gzip.compress),
        ("in.json.zst", zstd.compress),
        ("named-plain.jsonl", gzip.compress),
    ],
)
def test_json_lines_are_read_with_their_numbers(
    file: Callable[..., Path], name: str, compress: Callable[[bytes], bytes], bom: bytes, end: bytes
) -> None:
    path = file(compress(bom + b"\n".join(LINES) + end), name)
    assert read(path) == [(f"{path}, line {number}", record) for number, record in RECORDS]


def test_compressed_parts_one_after_the_other_are_one_file(file: Callable[..., Path]) -> None:
    for name, compress in (("in.jsonl.gz", gzip.compress), ("in.jsonl.zst", zstd.compress)):
        path = file(compress(b'{"id": 1}\n{"i') + compress(b'd": 2}\n'), name)
        assert [record for _, record in read(path)] == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_is_read_whatever_is_between_its_cells(file: Callable[..., Path], delimiter: str) -> None:
    rows = ["name,id", "Łódź,1", '"two\nlines",2', "", '"say ""a"", or b",3', ",4"]
    path = file("\r\n".join(rows).replace(",", delimiter).encode("utf-8-sig"), "in.csv")
    assert read(path) == [
        (f"{path}, line 2", GIVES),
        (f"{path}, line 3", {"id": 2, "name": "two\nlines"}),
        (f"{path}, line 6", {"id": 3, "name": f'say "a"{delimiter} or b'}),
        (f"{path}, line 7", {"id": 4, "name": None}),
    ]


@pytest.mark.parametrize("header", ["id,name", " id ,Name!", "\ufeffid,name", "ID?,NAME-"])
def test_columns_stand_for_fields(file: Callable[..., Path], header: str) -> None:
    found = read(file(f"{header}\n1,a\n".encode(), "in.csv"))
    assert [record for _, record in found] == [{"id": 1, "name": "a"}]


def test_parquet_is_read_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"id": [1, 2, 2**40], "name": ["Łódź", None, "x"]}), path)
    assert read(path) == [
        (f"{path}, row 1", GIVES),
        (f"{path}, row 2", {"id": 2, "name": None}),
        (f"{path}, row 3", {"id": 2**40, "name": "x"}),
    ]


def test_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name, content in [("b.jsonl", b'{"id": 2}'), ("a.csv", b"id\n1\n"), ("sub/c.jsonl.gz", b'{"id": 3}')]:
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".hidden.jsonl").write_bytes(b"{}")
    one = source(tmp_path)
    assert list(items(one)) == [
        (f"{tmp_path}/a.csv, line 2", {"id": 1}),
        (f"{tmp_path}/b.jsonl, line 1", {"id": 2}),
        (f"{tmp_path}/sub/c.jsonl.gz, line 1", {"id": 3}),
    ]
    assert (one.where, one.fraction) == (f"{tmp_path} (3 files)", 1.0)


# -- lines that do not fit -----------------------------------------------------------------------------------------

BAD_LINES: list[tuple[bytes, str, str]] = [
    (b'{"id": 1, "name": "\xff"}', "NOT_UTF8", "from its byte 20 on"),
    (b'\xef\xbb\xbf{"id": 1}', "NOT_JSON", "begins with a byte order mark"),
    (b'{"id": "1"}', "INVALID_RECORD", "field id does not fit the schema: it is text, not a whole number"),
    (b'{"id": NaN}', "NOT_A_NUMBER", "NaN"),
    (b'{"id": -Infinity}', "NOT_A_NUMBER", "Infinity"),
    (b'{"id": 1, "id": 2}', "DUPLICATE_KEY", "the same key twice"),
    (b'{"id": 1', "NOT_JSON", "column 9"),
    (b'{"id": 1}{"id": 2}', "NOT_JSON", "extra data at column 10"),
    (b'{"id": 1, "nmae": "x"}', "INVALID_RECORD", "field nmae"),
    (b'{"name": "x"}', "INVALID_RECORD", "field id does not fit the schema: it is missing"),
    (b"[1]", "NOT_AN_OBJECT", "is a list, not a JSON object"),
    (b"7", "NOT_AN_OBJECT", "is a number"),
    (b"\x00", "NOT_JSON", "column 1"),
    (b"[" * 100_000, "NOT_JSON", "nested too deeply"),
    (b"9" * 5_000, "NOT_A_NUMBER", "4300 digits"),
]


@pytest.mark.parametrize(("line", "reason", "words"), BAD_LINES, ids=lambda one: str(one)[:24])
def test_bad_line_is_rejected_and_the_others_are_read(
    file: Callable[..., Path], line: bytes, reason: str, words: str
) -> None:
    path = file(b"\n".join([GOOD, line, GOOD]))
    one = source(path)
    found = [(one.position, item) for item in one.items(Request(""))]
    assert [position for position, _ in found] == [f"{path}, line {number}" for number in (1, 2, 3)]
    assert (found[0][1].outcome, found[2][1].outcome) == (GIVES, GIVES)
    rejection = found[1][1].outcome
    assert isinstance(rejection, Rejection)
    assert rejection.reason == reason
    assert words in rejection.what
    assert found[1][1].given == line


def test_two_to_the_63_is_rejected_with_its_line_and_field(file: Callable[..., Path]) -> None:
    path = file(b'{"id": 9223372036854775807}\n{"id": 9223372036854775808}\n')
    one = source(path, final=True)
    found = [(one.position, item.outcome) for item in one.items(Request(""))]
    assert isinstance(found[0][1], Checked)
    place, refusal = found[1]
    assert isinstance(refusal, Rejection)
    assert (place, refusal.reason, refusal.field) == (f"{path}, line 2", "INVALID_RECORD", "id")
    assert "does not fit into 64 bits" in refusal.what


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"id": 1}\n{"id": 2, "na', "the input ends here, so it may be cut off"),
        (b'[{"id": 1},\n{"id": 2}]\n', "one object in each line is needed"),
        (b'{\n"id": 1\n}\n', "one object in each line is needed"),
    ],
)
def test_line_that_is_no_record_of_its_own_gets_a_hint(file: Callable[..., Path], content: bytes, words: str) -> None:
    outcomes = [item.outcome for item in source(file(content)).items(Request(""))]
    assert any(words in one.what for one in outcomes if isinstance(one, Rejection))


def test_line_of_100_mb_is_rejected_in_flat_memory(file: Callable[..., Path]) -> None:
    path = file(b'{"id": 1}\n{"name": "' + b"x" * 100_000_000 + b'"}\n{"id": 3}\n')
    tracemalloc.start()
    try:
        found = read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == [
        (f"{path}, line 1", {"id": 1}),
        (f"{path}, line 2", "LINE_TOO_LONG"),
        (f"{path}, line 3", {"id": 3}),
    ]
    assert peak < 4 * LONGEST


BAD_ROWS: list[tuple[bytes, str, str]] = [
    (b"1", "RAGGED_ROW", "the row has 1 cells, and the header 2"),
    (b"1,x,y", "RAGGED_ROW", "the row has 3 cells, and the header 2"),
    (b"x,x", "INVALID_RECORD", "field id does not fit the schema: it is text that is not a number"),
    (b",x", "INVALID_RECORD", "field id does not fit the schema: it is empty"),
    (b"NaN,x", "INVALID_RECORD", "field id"),
    (b"1,\xff", "NOT_UTF8", "not UTF-8"),
]


@pytest.mark.parametrize(("row", "reason", "words"), BAD_ROWS)
def test_bad_row_is_rejected_and_the_others_are_read(
    file: Callable[..., Path], row: bytes, reason: str, words: str
) -> None:
    path = file(b"id,name\n1,a\n" + row + b"\n2,b\n", "in.csv")
    one = source(path)
    found = [(one.position, item.outcome) for item in one.items(Request(""))]
    assert [position for position, _ in found] == [f"{path}, line {number}" for number in (2, 3, 4)]
    assert (found[0][1], found[2][1]) == ({"id": 1, "name": "a"}, {"id": 2, "name": "b"})
    rejection = found[1][1]
    assert isinstance(rejection, Rejection)
    assert rejection.reason == reason
    assert words in rejection.what


# -- files that cannot be read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name", "error", "words"),
    [
        (gzip.compress(b'{"id": 1}\n' * 9_999)[:-9], "in.jsonl.gz", ServiceError, "the compressed data is cut off"),
        (zstd.compress(b'{"id": 1}\n' * 9_999)[:-9], "in.jsonl.zst", ServiceError, "the compressed data is cut off"),
        (gzip.compress(b'{"id": 1}\n')[:-8] + b"\x00" * 8, "in.jsonl.gz", ServiceError, "damaged (CRC check failed"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 99, "in.jsonl.zst", ServiceError, "damaged"),
        ('{"id": 1}'.encode("utf-16"), "in.jsonl", ConfigurationError, "is UTF-16"),
        (b'id,name\n1,"a\n2,b\n', "in.csv", FindingsError, "in.csv, line 2: this is not CSV"),
        (b'id,name\n1,a\n2,"b"c\n', "in.csv", FindingsError, "in.csv, line 3: this is not CSV"),
        (b"id,id\n1,2\n", "in.csv", ConfigurationError, "two columns are called 'id'"),
        (b"id,n\xff\n1,2\n", "in.csv", ConfigurationError, "the header is not UTF-8"),
        (b"id,nmae\n1,2\n", "in.csv", ConfigurationError, "line 1: no row fits: the contract has no field nmae"),
        (b"id , na me\n1,2\n", "in.csv", ConfigurationError, "the contract has no field ' na me'; the header must"),
        (b"id,id?\n1,2\n", "in.csv", ConfigurationError, "the columns 'id' and 'id?' are both the field id"),
        (b"id,name\r1,a\r", "in.csv", FindingsError, "a carriage return without a line feed ends a line"),
        ("id,name\n1,a\n".encode("utf-16"), "in.csv", ConfigurationError, "is UTF-16"),
        (
            b"id,name\n1," + b"x" * (LONGEST + 1) + b"\n",
            "in.csv",
            FindingsError,
            "in.csv, line 2: the row has more than",
        ),
        (b"PAR1" + b"\x00" * 99, "in.parquet", ServiceError, "cannot read it as Parquet"),
        (b"PAR1" + b"\x00" * 99, "in.jsonl", ConfigurationError, "is Parquet"),
    ],
    # Each has its own name: gzip writes the time into what it compresses.
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_unreadable_file_is_an_error_that_names_it(
    file: Callable[..., Path], content: bytes, name: str, error: type[ContractsError], words: str
) -> None:
    path = file(content, name)
    with pytest.raises(error) as caught:
        read(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.fix


def test_records_before_a_cut_are_read(file: Callable[..., Path]) -> None:
    content = b"".join(b'{"id": %d, "name": "%s"}\n' % (n, os.urandom(9).hex().encode()) for n in range(100_000))
    path = file(gzip.compress(content)[:-100_000], "in.jsonl.gz")
    found = []

    def take() -> None:
        for _, record in items(source(path)):
            found.append(record["id"])

    with pytest.raises(ServiceError, match=r"after byte \d"):
        take()
    assert len(found) > 50_000
    assert found == list(range(len(found)))


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ("nowhere.jsonl", "there is no such file"),
        ("in.txt", "the name of the file does not show"),
        ("empty", "the folder has no files"),
        ("strange", "the name does not show the format of"),
    ],
)
def test_file_that_nothing_is_known_of_exits_with_2(tmp_path: Path, given_: str, words: str) -> None:
    (tmp_path / "in.txt").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "a.xml").touch()
    (tmp_path / "strange" / "b.csv").touch()
    with pytest.raises(ConfigurationError, match=words):
        source(tmp_path / given_)


def test_format_is_taken_where_the_name_does_not_tell(file: Callable[..., Path]) -> None:
    path = file(b"id\n1\n", "in.txt")
    assert read(path, format_="csv") == [(f"{path}, line 2", {"id": 1})]
    with pytest.raises(ConfigurationError, match="--format 'xml'"):
        source("in.txt", format_="xml")


# -- files that change meanwhile -----------------------------------------------------------------------------------


def test_file_that_grows_is_read_as_it_was_and_told(file: Callable[..., Path], capsys: Any) -> None:
    path = file(b'{"id": 1}\n{"id": 2}\n{"id"')
    one = source(path)
    found = items(one)
    assert next(found)[1] == {"id": 1}
    with path.open("ab") as more:
        more.write(b': 3}\n{"id": 4}\n')
    assert [record for _, record in found] == [{"id": 2}]
    assert "has grown by 15 bytes" in "".join(capsys.readouterr())
    later = source(path)
    later.resume(one.state(one.place))
    assert list(items(later)) == [(f"{path}, line 3", {"id": 3}), (f"{path}, line 4", {"id": 4})]


def test_csv_that_grows_in_the_middle_of_a_row_is_read_to_the_row_before(file: Callable[..., Path]) -> None:
    path = file(b'id,name\n1,a\n2,"b\n', "in.csv")
    one = source(path)
    found = items(one)
    assert next(found)[1] == {"id": 1, "name": "a"}
    with path.open("ab") as more:
        more.write(b'c"\n')
    assert list(found) == []
    later = source(path)
    later.resume(one.state(one.place))
    assert list(items(later)) == [(f"{path}, line 3", {"id": 2, "name": "b\nc"})]


def test_file_that_is_removed_is_read_to_its_end(file: Callable[..., Path], capsys: Any) -> None:
    path = file(b'{"id": 1}\n{"id": 2}\n')
    found = items(source(path))
    assert next(found)[1] == {"id": 1}
    path.unlink()
    assert [record for _, record in found] == [{"id": 2}]
    assert "was removed meanwhile" in "".join(capsys.readouterr())


def test_file_of_a_folder_that_vanishes_is_an_error(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes(b'{"id": 1}\n')
    found = items(source(tmp_path))
    assert next(found)[1] == {"id": 1}
    (tmp_path / "b.jsonl").unlink()
    with pytest.raises(ServiceError, match=r"b\.jsonl: cannot open it"):
        next(found)


@pytest.mark.parametrize(("change", "words"), [("truncate", "was cut off while"), ("rewrite", "was changed while")])
def test_file_that_is_cut_or_rewritten_meanwhile_is_an_error(
    file: Callable[..., Path], change: str, words: str
) -> None:
    path = file(b'{"id": 1}\n' * 300_000)
    found = items(source(path))
    next(found)
    if change == "truncate":
        os.truncate(path, 2_000_000)
    else:
        os.utime(path, (0, 0))
    with pytest.raises(ServiceError, match=words):
        list(found)


# -- pipes ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.RawIOBase]:
    """The writing end of standard input."""
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdin", os.fdopen(reading))
    with os.fdopen(writing, "wb", buffering=0) as end:
        yield end


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstd.compress])
def test_pipe_is_read_byte_by_byte(pipe: Any, compress: Callable[[bytes], bytes]) -> None:
    content = compress(b'\xef\xbb\xbf{"id": 1}\n{"id": 2}')

    def write() -> None:
        for at in range(len(content)):
            pipe.write(content[at : at + 1])
        pipe.close()

    thread = threading.Thread(target=write)
    thread.start()
    found = read("-")
    thread.join()
    assert found == [("standard input, line 1", {"id": 1}), ("standard input, line 2", {"id": 2})]


def test_record_of_a_pipe_does_not_wait_for_the_next_one(pipe: Any) -> None:
    found = items(source("-"))
    for number in (1, 2):
        pipe.write(b'{"id": %d}\n' % number)
        assert next(found)[1] == {"id": number}
    pipe.close()
    assert list(found) == []


def test_pipe_that_closes_early_rejects_the_half_line(pipe: Any) -> None:
    pipe.write(b'{"id": 1}\n{"id": ')
    pipe.close()
    assert read("-") == [("standard input, line 1", {"id": 1}), ("standard input, line 2", "NOT_JSON")]


def test_pipe_without_anything_has_no_records_and_says_so(pipe: Any, capsys: Any) -> None:
    pipe.close()
    assert read("-") == []
    assert "the file has no records" in "".join(capsys.readouterr())


def test_closed_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ConfigurationError, match="there is no standard input"):
        read("-")


def test_parquet_from_a_pipe_is_an_error(pipe: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read from a pipe"):
        read("-", format_="parquet")


# -- going on ------------------------------------------------------------------------------------------------------


def write_as(path: Path, ids: list[int]) -> None:
    """Write records in the format and the compression of the file's name; some CSV cells have a line feed."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"id": ids, "name": [f"n\n{one}" for one in ids]}), path)
        return
    if ".csv" in path.name:
        content = "id,name\n" + "".join(f'{one},"n\n{one}"\n' for one in ids)
    else:
        content = "".join(json.dumps({"id": one, "name": f"n\n{one}"}) + "\n" for one in ids)
    compress = {".gz": gzip.compress, ".zst": zstd.compress}.get(path.suffix, bytes)
    path.write_bytes(compress(content.encode()))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.csv.zst", "a.parquet"])
@given(sizes=st.lists(st.integers(0, 5), min_size=1, max_size=3), stop=st.integers(0, 15))
def test_run_that_goes_on_sends_what_the_first_did_not(
    tmp_path_factory: pytest.TempPathFactory, name: str, sizes: list[int], stop: int
) -> None:
    folder = tmp_path_factory.mktemp("in")
    ids = iter(range(100))
    for number, size in enumerate(sizes):
        write_as(folder / f"{number}{name}", [next(ids) for _ in range(size)])
    everything = read(folder)
    first, done = source(folder), []
    for found in items(first):
        if len(done) == stop:
            break
        done.append(found)
        state = json.loads(json.dumps(first.state(first.place)))
    later = source(folder)
    if done:
        later.resume(state)
    assert done + list(items(later)) == everything


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet"])
@pytest.mark.parametrize("ids", [[9, 2, 3, 4], [1]], ids=["other", "shorter"])
def test_run_does_not_go_on_with_another_file(tmp_path: Path, name: str, ids: list[int]) -> None:
    path = tmp_path / name
    write_as(path, [1, 2, 3])
    first = source(path)
    list(items(first))
    write_as(path, ids)
    later = source(path)
    later.resume(first.state(first.place))
    with pytest.raises(ContractsError, match=r"not the file|shorter than"):
        list(items(later))


def test_going_on_in_a_large_file_seeks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.jsonl"
    write_as(path, list(range(200_000)))
    first = source(path)
    found = items(first)
    for _ in range(199_999):
        next(found)
    later = source(path)
    later.resume(first.state(first.place))
    monkeypatch.setattr(streams.Stream, "_read", counted := Counted(streams.Stream._read))
    assert [record["id"] for _, record in items(later)] == [199_999]
    assert counted.bytes < 100


class Counted:
    """Counts the bytes that `Stream._read` returns."""

    def __init__(self, of: Callable[[Any], bytes]) -> None:
        self._of = of
        self.bytes = 0

    def __get__(self, one: Any, kind: Any) -> Callable[[], bytes]:
        def read() -> bytes:
            chunk = self._of(one)
            self.bytes += len(chunk)
            return chunk

        return read


# -- what a light installation lacks -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("in.parquet", "pyarrow", "parquet"),
        *([("in.jsonl.zst", "backports", "zstd")] if sys.version_info < (3, 14) else []),
    ],
)
def test_missing_extra_says_what_to_install(file: Callable[..., Path], name: str, module: str, extra: str) -> None:
    path = file(zstd.compress(b"{}"), name)
    code = f"""
import sys
sys.modules[{module!r}] = None
from importlib import util
find = util.find_spec
util.find_spec = lambda name, *more: None if name.startswith({module!r}) else find(name, *more)
from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.producers.sources.file.source import FileSource
from avro_data_contracts.producers.sources.source import Request
schema = parsing.parse('{{"type": "record", "name": "R", "fields": []}}', where="x")
list(FileSource({str(path)!r}, schema).items(Request("")))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=CLONE, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert f"pip install 'avro-data-contracts[{extra}]'" in done.stderr
