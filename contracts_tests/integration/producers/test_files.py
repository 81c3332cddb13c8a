"""`python -m producers --from` on real servers: every record arrives, or is refused with file, line and field."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import signal
import stat
import subprocess
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from contracts_tests.fixtures.own_topic import Topic


@pytest.fixture
def topic(stack: Any, tmp_path: Path) -> Topic:
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    return Topic(tmp_path / "schemas", stack.environment | state).register()


def user(number: int, **other: Any) -> dict[str, Any]:
    """Return a user as plain JSON."""
    return {
        "id": str(uuid.UUID(int=number)),
        "first_name": "Łódź",
        "last_name": f"n{number}",
        "gender": "FEMALE",
        "address": "x",
        "post_code": None,
        "email": f"{number}@example.com",
        "dob": "1990-02-28",
        "registered_date": "2024-02-29T12:00:00.001+01:00",
        **other,
    }


def arrives(number: int) -> dict[str, Any]:
    """Return that user as a consumer decodes it."""
    return {
        **user(number),
        "username": None,
        "phone": None,
        "picture": None,
        "dob": dt.date(1990, 2, 28),
        "registered_date": dt.datetime(2024, 2, 29, 11, 0, 0, 1000, tzinfo=dt.UTC),
    }


def written(path: Path, users: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in users), encoding="utf-8")
    return path


def by_id(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(records, key=lambda record: record["id"])


def test_every_record_of_a_file_arrives_exactly(topic: Topic, tmp_path: Path) -> None:
    path = written(tmp_path / "users.jsonl", [user(number) for number in range(700)])
    done = topic.produce("--from", str(path), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["fetched"], report["produced"], report["ended"]) == (700, 700, "source")
    assert (report["ids_distinct"], report["seed"], report["source"]) == (None, None, str(path))
    assert by_id(topic.records()) == [arrives(number) for number in range(700)]


def test_csv_gives_the_same_records_as_json(topic: Topic, tmp_path: Path) -> None:
    names = list(user(0))
    rows = [";".join(names), *(";".join(str(user(n)[name] or "") for name in names) for n in range(20))]
    path = tmp_path / "users.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    assert topic.produce("--from", str(path)).returncode == 0
    assert by_id(topic.records()) == [arrives(number) for number in range(20)]


BAD: list[tuple[bytes, str, str, bytes]] = [
    (b'{"id": 1', "NOT_JSON", "", b"the line is not JSON"),
    (json.dumps(user(1, dob="1.2.1990")).encode(), "INVALID_RECORD", "dob", b"field dob does not fit the schema"),
    (json.dumps(user(1, id=2**63)).encode(), "INVALID_RECORD", "id", b"field id does not fit the schema"),
    (json.dumps(user(1, post_code=1010)).encode(), "INVALID_RECORD", "post_code", b"it is a number, not text"),
    (b"\xff", "NOT_UTF8", "", b"from its byte 1 on"),
]


def test_bad_lines_are_dead_lettered_with_line_and_field(topic: Topic, tmp_path: Path) -> None:
    path = tmp_path / "users.jsonl"
    good = json.dumps(user(7)).encode()
    path.write_bytes(b"\n".join([good, *(line for line, *_ in BAD), good]))
    done = topic.produce("--from", str(path), "--json")
    assert done.returncode == 1, done.stderr
    assert "5 of 7 records were refused (INVALID_RECORD 3, NOT_JSON 1, NOT_UTF8 1)" in done.stderr
    report = json.loads(done.stdout)
    assert report["refused"]["reasons"] == Counter(reason for _, reason, *_ in BAD)
    assert [(one["reason"], one["field"], one["first"], one["count"]) for one in report["refusals"]] == [
        (reason, field, f"{path}, line {number}", 1) for number, (_, reason, field, _) in enumerate(BAD, 2)
    ]
    assert "streaming --contract users_created dlq show`" in done.stderr
    letters = topic.messages(dead=True)
    assert [letter.value() for letter in letters] == [line for line, *_ in BAD]
    for number, (letter, (_, reason, field, words)) in enumerate(zip(letters, BAD, strict=True), 2):
        headers = dict(letter.headers())
        assert headers["contracts.reason"] == reason.encode()
        assert headers["contracts.source.position"] == f"{path}, line {number}".encode()
        assert headers.get("contracts.source.field", b"") == field.encode()
        assert words in headers["__connect.errors.exception.message"]
        assert headers["__connect.errors.connector.name"] == b"producers.file"
    assert "1.2.1990" not in done.stderr + done.stdout


def test_line_that_is_too_large_for_a_letter_is_left_out_of_it(topic: Topic, tmp_path: Path) -> None:
    large = user(1, address="x" * 2_000_000)
    path = written(tmp_path / "users.jsonl", [user(0), large, user(2)])
    done = topic.produce("--from", str(path))
    assert done.returncode == 1, done.stderr
    assert by_id(topic.records()) == [arrives(0), arrives(2)]
    [letter] = topic.messages(dead=True)
    headers = dict(letter.headers())
    assert letter.value() is None
    assert headers["contracts.reason"] == b"TOO_LARGE"
    assert headers["contracts.value.left.out"] == str(len(json.dumps(large, ensure_ascii=False).encode())).encode()
    assert headers["contracts.source.position"] == f"{path}, line 2".encode()


def test_reject_file_has_what_was_refused_and_can_be_sent_again(topic: Topic, tmp_path: Path) -> None:
    path = tmp_path / "users.jsonl"
    path.write_bytes(b"\n".join([json.dumps(user(7)).encode(), *(line for line, *_ in BAD)]))
    rejects = tmp_path / "rejects.jsonl"
    done = topic.produce("--from", str(path), "--reject", str(rejects), "--json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["refused"]["reasons"] == Counter(reason for _, reason, *_ in BAD)
    told = [json.loads(line) for line in rejects.read_bytes().splitlines()]
    assert [(one["position"], one["reason"], one["field"]) for one in told] == [
        (f"{path}, line {number}", reason, field) for number, (_, reason, field, _) in enumerate(BAD, 2)
    ]
    assert [one["record"] for one in told[:4]] == [line.decode() for line, *_ in BAD[:4]]
    assert told[4]["record"] == {"base64": "/w=="}
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    assert topic.messages(dead=True) == []
    again = topic.produce("--from", str(path), "--reject", str(rejects))
    assert again.returncode == 2
    assert "the file exists already" in again.stderr


def test_pipe_that_breaks_off_is_told_and_the_rest_arrives(topic: Topic) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        assert cat.stdin is not None
        cat.stdin.write("".join(json.dumps(user(number)) + "\n" for number in range(3)).encode() + b'{"id"')
        cat.stdin.close()
        done = topic.produce("--from", "-", stdin=cat.stdout)
    assert done.returncode == 1, done.stderr
    assert by_id(topic.records()) == [arrives(number) for number in range(3)]
    [letter] = topic.messages(dead=True)
    assert dict(letter.headers())["contracts.source.position"] == b"standard input, line 4"


def test_file_that_is_cut_off_exits_with_3_and_goes_on_when_it_is_whole(topic: Topic, tmp_path: Path) -> None:
    path = written(tmp_path / "users.jsonl", [user(number) for number in range(3_000)])
    whole = gzip.compress(path.read_bytes())
    path = tmp_path / "users.jsonl.gz"
    path.write_bytes(whole[:-2_000])
    cut = topic.produce("--from", str(path), "--json")
    assert cut.returncode == 3
    assert f"{path}, after byte" in cut.stderr
    assert "--resume" in cut.stderr
    path.write_bytes(whole)
    rest = topic.produce("--from", str(path), "--resume", "--json")
    assert rest.returncode == 0, rest.stderr
    counts = [json.loads(done.stdout)["produced"] for done in (cut, rest)]
    assert min(counts) > 0
    assert sum(counts) == 3_000
    assert by_id(topic.records()) == [arrives(number) for number in range(3_000)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_goes_on_without_sending_anything_twice(
    topic: Topic, tmp_path: Path, number: signal.Signals
) -> None:
    path = written(tmp_path / "users.jsonl", [user(number) for number in range(4_000)])
    with topic.start("--from", str(path), "--rate", "1000", "--json") as running:
        wait_for(lambda: topic.count() > 500)
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
    assert running.returncode == (130 if number == signal.SIGINT else 0), err
    done = topic.produce("--from", str(path), "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(out)["produced"] + json.loads(done.stdout)["produced"] == 4_000
    assert by_id(topic.records()) == [arrives(number) for number in range(4_000)]
    again = topic.produce("--from", str(path), "--resume", "--json")
    assert (again.returncode, json.loads(again.stdout)["fetched"]) == (0, 0)


def test_killed_run_goes_on_and_loses_nothing(topic: Topic, tmp_path: Path) -> None:
    path = written(tmp_path / "users.jsonl", [user(number) for number in range(4_000)])
    with topic.start("--from", str(path), "--rate", "1000") as running:
        wait_for(lambda: topic.count() > 1_700)
        running.kill()
        running.wait(timeout=60)
    done = topic.produce("--from", str(path), "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout)["fetched"] < 4_000
    records = {record["id"]: record for record in topic.records()}
    assert by_id(list(records.values())) == [arrives(number) for number in range(4_000)]


def test_run_without_resume_sends_the_same_keys_again(topic: Topic, tmp_path: Path) -> None:
    path = written(tmp_path / "users.jsonl", [user(number) for number in range(50)])
    for _ in range(2):
        assert topic.produce("--from", str(path)).returncode == 0
    messages = topic.messages()
    assert len(messages) == 100
    assert len({(message.key(), message.partition()) for message in messages}) == 50


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--resume"], "--resume is for files"),
        (["--reject", "x"], "--reject is for files"),
        (["--from", "-", "--seed", "s"], "--seed is for sources"),
        (["--from", "nowhere.jsonl"], "there is no such file"),
        (["--from", "-", "--coerce", "all"], "--coerce 'all' is not known"),
    ],
)
def test_options_that_do_not_go_together_exit_with_2(topic: Topic, options: list[str], words: str) -> None:
    done = topic.produce(*options)
    assert done.returncode == 2
    assert words in done.stderr


def wait_for(true: Any, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
