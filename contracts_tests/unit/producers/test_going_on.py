"""What a run writes down, so that another can go on: never more than Kafka has acknowledged."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.producers.progress import RunProgress
from avro_data_contracts.producers.reject_file import RejectFile
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.resuming import Progress, folder
from avro_data_contracts.producers.run import Order, Report
from avro_data_contracts.producers.settled import Settled, Stretch


@given(st.lists(st.sampled_from(["send", "mark", "acknowledge"]), max_size=60), st.randoms())
def test_settled_place_is_before_every_pending_message(steps: list[str], random: object) -> None:
    settled = Settled()
    pending: list[tuple[int, Stretch]] = []
    sent = 0
    for step in steps:
        if step == "send":
            sent += 1
            settled.now.pending += 1
            pending.append((sent, settled.now))
        elif step == "mark":
            settled.mark(sent)
        elif pending:
            _, stretch = pending.pop(random.randrange(len(pending)))  # type: ignore[attr-defined]
            stretch.pending -= 1
        first = min((number for number, _ in pending), default=sent + 1)
        assert (settled.place or 0) < first
    while pending:
        pending.pop()[1].pending -= 1
    settled.mark(sent)
    assert settled.place == sent


FACTS = {"from": "/in.jsonl", "topic": "t", "kafka": "k"}


def test_progress_is_read_as_it_was_saved(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "deep" / "state", FACTS)
    assert progress.read() is None
    progress.save({"/in.jsonl": [7, 99, "99:ab"]})
    assert Progress(tmp_path / "deep" / "state", FACTS).read() == {"/in.jsonl": [7, 99, "99:ab"]}
    assert Progress(tmp_path / "deep" / "state", FACTS | {"topic": "other"}).read() is None
    progress.forget()
    assert progress.read() is None
    progress.forget()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 2}', '{"version": 1, "of": {}, "at": 1}'])
def test_progress_that_is_broken_is_an_error_with_its_file(tmp_path: Path, content: str) -> None:
    progress = Progress(tmp_path, FACTS)
    progress.file.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        progress.read()
    assert str(progress.file) in str(caught.value)
    assert "remove the file" in caught.value.fix


def test_progress_that_cannot_be_saved_is_one_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    progress = Progress(tmp_path / "file", FACTS)
    progress.save(1)
    progress.save(2)
    assert "".join(capsys.readouterr()).count("--resume will not work") == 1


def test_state_folder_follows_the_environment() -> None:
    assert folder({"XDG_STATE_HOME": "/s"}) == Path("/s/avro-data-contracts/producers")
    assert folder({"HOME": "/h"}) == Path("/h/.local/state/avro-data-contracts/producers")


def test_reject_file_has_each_record_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    rejects = RejectFile(str(path), append=False)
    rejects.flush()
    assert not path.exists()
    given_ = [b'{"id": "\xc5\x81"}', b"\xff", {"id": "Ł", "x": None}]
    for number, one in enumerate(given_):
        rejects.refuse(one, Rejection("NO", "it does not", field="id"), position=f"in, line {number}")
    rejects.flush()
    told = {"field": "id", "reason": "NO", "message": "it does not"}
    assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == [
        {"position": "in, line 0", **told, "record": '{"id": "Ł"}'},
        {"position": "in, line 1", **told, "record": {"base64": "/w=="}},
        {"position": "in, line 2", **told, "record": {"id": "Ł", "x": None}},
    ]
    assert rejects.refused == {"NO": 3}
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with pytest.raises(ConfigurationError, match="exists already"):
        RejectFile(str(path), append=False)
    more = RejectFile(str(path), append=True)
    more.refuse({}, Rejection("NO", "x"))
    more.flush()
    assert len(path.read_text().splitlines()) == 4


@pytest.mark.parametrize("path", [".", "nowhere/rejects.jsonl"])
def test_reject_file_that_cannot_be_written_is_an_error(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="--reject"):
        RejectFile(path, append=True)


class Half:
    fraction = 0.25


def test_progress_shows_rate_share_and_remaining_time(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(fetched=500, seconds=10.0)
    with RunProgress(Order(""), Console(file=io.StringIO()), source=Half()) as progress:
        progress._next = 0
        progress.show(report)
    line = "".join(capsys.readouterr())
    assert "per_second=50" in line
    assert "done=25.0%" in line
    assert "left=0:00:30" in line
    screen = io.StringIO()
    with RunProgress(Order(""), Console(file=screen, force_terminal=True, width=120), source=Half()) as progress:
        progress.finish(report)
    assert "500 (25.0%)" in screen.getvalue()
    assert "50/s" in screen.getvalue()
    assert "0:00:30 left" in screen.getvalue()
