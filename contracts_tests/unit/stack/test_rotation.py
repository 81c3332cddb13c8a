"""Server logs: whole lines in order, none lost, in a limited number of files of limited size."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from avro_data_contracts.stack import rotation


def files(log: Path) -> list[Path]:
    """Return the log files, oldest first."""
    numbered = sorted(log.parent.glob(f"{log.name}.*"), key=lambda path: -int(path.suffix[1:]))
    return [*numbered, log]


@pytest.mark.parametrize("seed", range(20))
def test_every_line_is_kept_once_and_files_stay_within_the_limit(tmp_path: Path, seed: int) -> None:
    chance, path, limit = random.Random(seed), tmp_path / "server.log", 1_000
    path.write_bytes(b"of an earlier start\n")
    log = rotation.Log(str(path), limit, kept=1_000)
    lines = [f"{number} {'x' * chance.randrange(60)}\n".encode() for number in range(500)]
    said = b"".join(lines)
    while said:
        size = chance.randrange(1, 400)
        log.write(said[:size])
        said = said[size:]
    found = files(path)
    assert b"".join(one.read_bytes() for one in found) == b"of an earlier start\n" + b"".join(lines)
    assert len(found) > 10
    for one in found[:-1]:
        assert one.read_bytes().endswith(b"\n")
        assert one.stat().st_size <= limit + 400


def test_only_the_configured_number_of_old_files_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    log = rotation.Log(str(path), 100, kept=3)
    for number in range(200):
        log.write(b"%d\n" % number)
    assert [one.name for one in files(path)] == ["server.log.3", "server.log.2", "server.log.1", "server.log"]
    assert path.read_bytes().endswith(b"199\n")


def test_line_longer_than_a_file_is_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    log = rotation.Log(str(path), 100, kept=9)
    for chunk in (b"a" * 90, b"b" * 90, b"c" * 90, b"\n", b"next\n"):
        log.write(chunk)
    assert path.with_name("server.log.1").read_bytes() == b"a" * 90 + b"b" * 90 + b"c" * 90 + b"\n"
    assert path.read_bytes() == b"next\n"


def test_rotation_ends_with_the_last_writer(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    writer = subprocess.Popen(rotation.command(str(path)), stdin=subprocess.PIPE)
    with writer.stdin as pipe:
        subprocess.run(["sh", "-c", "echo out; echo err >&2; (sleep 0.5; echo late) &"], stdout=pipe, stderr=pipe)
    assert writer.wait(10) == 0
    assert path.read_text() == "out\nerr\nlate\n"
    assert path.stat().st_mode & 0o777 == 0o600
