"""The bytes of a file or a pipe, uncompressed, with what happens to the file meanwhile."""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final, cast

from avro_data_contracts import extras
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.producers.sources.file.failure import Unreadable
from avro_data_contracts.producers.sources.file.heads import BYTES as HEAD
from avro_data_contracts.producers.sources.file.heads import Head
from avro_data_contracts.producers.sources.file.inputs import STDIN, Input
from avro_data_contracts.producers.sources.file.reading import Place

CHUNK: Final = 1 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
BOM: Final = b"\xef\xbb\xbf"
_PARQUET: Final = b"PAR1"


class Stream:
    """The bytes of one input.

    Attributes:
        size: bytes of the file on disk when it was opened; 0 for a pipe.
        at: uncompressed bytes read so far.
        grown: bytes that were appended to the file meanwhile, and are not read; known at the end.
        notes: what else happened to the file, for a warning; known at the end.
        head: its first bytes, as far as they are read.
    """

    def __init__(self, given: Input) -> None:
        self.name = given.name
        self.path = given.path
        self.at = 0
        self.grown = 0
        self.notes: list[str] = []
        self.head = Head()
        self._raw = self._open()
        status = os.fstat(self._raw.fileno())
        self._is_file = given.path != STDIN and os.path.isfile(given.path)
        self._before = status
        self.size = status.st_size if self._is_file else 0
        self._plain = _Limited(self._raw, self.size) if self._is_file else _Counted(self._raw)
        start = self._plain.begin()
        self._source = io.BufferedReader(self._plain, CHUNK)
        self.compressed = start.startswith((_GZIP, _ZSTD))
        self._bytes = _uncompressed(self._source, start)
        if start.startswith(_UTF16):
            raise ConfigurationError(
                "the file is UTF-16", where=self.name, fix="convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW_FILE"
            )
        if start == _PARQUET:
            raise ConfigurationError("the file is Parquet", where=self.name, fix="give --format parquet")

    def _open(self) -> io.FileIO:
        if self.path == STDIN:
            if sys.stdin is None or sys.stdin.closed:
                raise ConfigurationError("there is no standard input", where="--from -", fix="pipe something into it")
            return io.FileIO(sys.stdin.fileno(), closefd=False)
        try:
            return io.FileIO(self.path)
        except OSError as error:
            raise Unreadable(f"cannot open it: {error.strerror}", where=self.name, fix="put the file back") from None

    def close(self) -> None:
        self._raw.close()

    @property
    def fraction(self) -> float | None:
        """How much of the file is read, 0 to 1; None for a pipe."""
        return min(self._plain.count / self.size, 1.0) if self.size else None

    @property
    def may_be_cut(self) -> bool:
        """The last line may be half a line, because somebody was writing it."""
        return self.grown > 0

    def chunks(self, after: Place) -> Iterator[bytes]:
        """Yield the bytes from a place on, without a byte order mark.

        Raises:
            ConfigurationError: the place is in another file.
            Unreadable: the file is cut off, or was changed.
        """
        self._skip(after.end)
        if after.head:
            self.head.check(after.head, self.name)
        while chunk := self._read():
            while self.at == 0 and len(chunk) < len(BOM) and (more := self._read()):
                chunk += more
            if self.at == 0 and chunk.startswith(BOM):
                self.at = len(BOM)
                chunk = chunk[len(BOM) :]
            self.at += len(chunk)
            if chunk:
                yield chunk
        self._look_again()

    def _read(self) -> bytes:
        with self._told():
            # Of compressed data that is cut off, `read` would lose what it had by then.
            chunk = self._bytes.read(CHUNK) if self._is_file and not self.compressed else _some(self._bytes)
        self.head.add(chunk)
        return chunk

    def _skip(self, count: int) -> None:
        while self.at < count:
            with self._told():
                chunk = self._bytes.read(min(CHUNK, count - self.at))
            if not chunk:
                raise Unreadable("it is shorter than what an earlier run read of it", where=self.name)
            self.at += len(chunk)
            self.head.add(chunk)
            if self._is_file and not self.compressed and self.at >= HEAD:
                self.at = min(count, self.size)
                self._source.seek(self.at)
                if self.at < count:
                    raise Unreadable("it is shorter than what an earlier run read of it", where=self.name)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what a library raises into a message about the file."""
        where = f"{self.name}, after byte {self.at:,}"
        try:
            yield
        except EOFError:
            raise Unreadable("the compressed data is cut off", where=where) from None
        except (gzip.BadGzipFile, zlib.error, _zstd_error()) as error:
            raise Unreadable(f"the compressed data is damaged ({error})", where=where) from None
        except OSError as error:
            raise Unreadable(f"cannot read on: {error.strerror or error}", where=where) from None

    def _look_again(self) -> None:
        """See what became of the file while it was read."""
        if not self._is_file:
            return
        now = os.fstat(self._raw.fileno())
        where = f"{self.name}, after byte {self.at:,}"
        if now.st_size < self.size or self._plain.count < self.size:
            raise Unreadable("the file was cut off while it was read", where=where)
        self.grown = now.st_size - self.size
        if not self.grown and now.st_mtime_ns != self._before.st_mtime_ns:
            raise Unreadable("the file was changed while it was read", where=where, fix="wait until it is written")
        if self.grown:
            self.notes.append(f"it has grown by {self.grown:,} bytes, which were not read: --resume reads them")
        try:
            there = os.stat(self.path)
        except OSError:
            self.notes.append("it was removed meanwhile; all that was in it was read")
            return
        if (there.st_dev, there.st_ino) != (now.st_dev, now.st_ino):
            self.notes.append("another file has its name now; the earlier one was read to its end")


class Streamed:
    """The part of a `reading.Reader` that its stream decides."""

    def __init__(self, given: Input) -> None:
        self._stream = Stream(given)

    @property
    def fraction(self) -> float | None:
        return self._stream.fraction

    @property
    def notes(self) -> list[str]:
        return self._stream.notes

    def head(self, end: int) -> str:
        return self._stream.head.text(end)

    def close(self) -> None:
        self._stream.close()


class _Counted(io.RawIOBase):
    """Counts what is read."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self._begun = b""
        self.count = 0

    def begin(self) -> bytes:
        """Return the first four bytes, which are read again later: a pipe may have them one by one."""
        while len(self._begun) < 4 and (more := self._raw.read(4 - len(self._begun))):
            self._begun += more
        return self._begun

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._begun:
            read: int | None = min(len(buffer), len(self._begun))
            buffer[:read] = self._begun[:read]
            self._begun = self._begun[read:]
        else:
            read = self._raw.readinto(buffer)
        self.count += read or 0
        return read


class _Limited(_Counted):
    """Ends where the file ended when it was opened: who appends to it meanwhile may be in the middle of a line."""

    def __init__(self, raw: io.FileIO, size: int) -> None:
        super().__init__(raw)
        self._size = size

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.count, self._begun = self._raw.seek(offset, whence), b""
        return self.count

    def tell(self) -> int:
        return self.count

    def readinto(self, buffer: Any) -> int | None:
        return super().readinto(memoryview(buffer)[: self._size - self.count])


def _some(bytes_: IO[bytes]) -> bytes:
    """What there is by now: the records of a pipe do not wait for a whole chunk."""
    return cast(io.BufferedReader, bytes_).read1(CHUNK)


def _uncompressed(source: Any, start: bytes) -> IO[bytes]:
    if start.startswith(_GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=source))
    return cast(IO[bytes], _zstd().ZstdFile(source) if start.startswith(_ZSTD) else source)


def _zstd() -> Any:
    """Python has it from 3.14 on; before, the extra `zstd` has the same module."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        extras.require("zstd")
        from backports import zstd
    return zstd


def _zstd_error() -> type[Exception]:
    """The exception of the module, if it was loaded."""
    loaded = sys.modules.get("compression.zstd") or sys.modules.get("backports.zstd")
    return loaded.ZstdError if loaded else EOFError
