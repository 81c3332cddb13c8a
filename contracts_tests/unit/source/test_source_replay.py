"""Recordings in every valid form, and invalid ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from avro_data_contracts.stack.errors import UsageError
from avro_data_contracts.stack.source.replay import read


def response(*users: dict, version: str = "1.4") -> bytes:
    return json.dumps({"results": users, "info": {"version": version}}).encode()


def test_users_follow_the_order_of_the_file_names(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(response({"n": 3}))
    (tmp_path / "a.json").write_bytes(response({"n": 1}, {"n": 2}))
    (tmp_path / "README.md").write_text("no recording")
    recording = read(tmp_path)
    assert recording.users == ({"n": 1}, {"n": 2}, {"n": 3})
    assert (recording.version, recording.files) == ("1.4", 2)


def test_every_form_of_a_response_is_read(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(b'[{"n": 1}]')
    (tmp_path / "2.json").write_bytes(b'\xef\xbb\xbf{"results":\r\n[{"n": "\xd8\xa7\xe2\x80\x8c"}]}')
    (tmp_path / "3.json").write_bytes(b'{"results": []}')
    recording = read(tmp_path)
    assert recording.users == ({"n": 1}, {"n": "ا\u200c"})
    assert recording.version == "mixed"


def test_pages_split_the_recording(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(response(*({"n": n} for n in range(5))))
    recording = read(tmp_path)
    assert [[user["n"] for user in recording.page(number, 2)] for number in (1, 2, 3, 4)] == [[0, 1], [2, 3], [4], []]


def test_different_versions_are_reported_as_mixed(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(response({}, version="1.0"))
    (tmp_path / "2.json").write_bytes(response({}, version="1.1"))
    assert read(tmp_path).version == "mixed"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", ":1"),
        (b'{"results": [\n{"n": 1},\n', ":3"),
        (b"<html>", ":1"),
        (b"5", ""),
        (b"{}", ""),
        (b'{"results": 5}', ""),
        (b'{"results": [5]}', ""),
        (b'["\xff"]', ""),
        (b"[" * 100_000, ""),
    ],
)
def test_invalid_file_is_named(tmp_path: Path, content: bytes, place: str) -> None:
    (tmp_path / "1.json").write_bytes(response({}))
    bad = tmp_path / "2.json"
    bad.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read(tmp_path)
    assert caught.value.where == f"{bad}{place}"
    assert caught.value.fix


def test_missing_or_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this folder does not exist"):
        read(tmp_path / "none")
    with pytest.raises(UsageError, match="no user"):
        read(tmp_path)
