"""The lines of a stream: a longer one than any message can hold is left out, so the memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from avro_data_contracts.producers.sources.file.reading import Place
from avro_data_contracts.producers.sources.file.streams import Stream

#: Longer than any message that Kafka is set up for.
LONGEST: Final = 16 << 20


#: Number from 1; content without the line feed, or its first bytes if it is too long; size in bytes, without the line
#: feed; bytes of the stream up to and with it; whether it has a line feed, so that it is not cut off.
Line = tuple[int, bytes, int, int, bool]


def lines(stream: Stream, after: Place) -> Iterator[Line]:
    """Yield the lines after a place, which is the end of a line.

    If the file grew while it was read, its last line is left out unless it has its line feed.

    Raises:
        ContractsError: as `Stream.chunks`.
    """
    rest: list[bytes] = []
    size, end, number = 0, -1, after.number
    for chunk in stream.chunks(after):
        if end < 0:
            end = stream.at - len(chunk)  # not 0 after a byte order mark
        *whole, left = chunk.split(b"\n")
        if whole and rest:
            size += len(whole[0])
            if size <= LONGEST:
                rest.append(whole[0])
            number, end = number + 1, end + size + 1
            yield number, b"".join(rest), size, end, True
            del whole[0]
            rest, size = [], 0
        for one in whole:
            number, end = number + 1, end + len(one) + 1
            yield number, one, len(one), end, True
        if left:
            size += len(left)
            if size <= LONGEST or not rest:
                rest.append(left)
    if size and not stream.may_be_cut:
        yield number + 1, b"".join(rest), size, end + size, False
