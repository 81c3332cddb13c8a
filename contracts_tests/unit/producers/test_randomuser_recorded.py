"""Mapping whole recordings: a generated one, and responses of the real API where available.

The responses are read from RANDOMUSER_DIR, by default ../shared/data/randomuser next to the repository.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.randomuser.mapping import to_record
from avro_data_contracts.stack.source.generator import UserGenerator
from avro_data_contracts.stack.source.replay import read
from contracts_tests.fixtures.clone import CLONE

RECORDED = Path(os.environ.get("RANDOMUSER_DIR", CLONE.parent / "shared" / "data" / "randomuser"))
RECORDINGS = ["generated", *(["recorded"] if RECORDED.is_dir() else [])]


@pytest.fixture(params=RECORDINGS)
def users(request: pytest.FixtureRequest, tmp_path: Path) -> list[dict]:
    if request.param == "recorded":
        return list(read(RECORDED).users)
    generator = UserGenerator()
    for page in (1, 2, 3):
        document = {"results": generator.page("recording", page, 400)}
        (tmp_path / f"{page}.json").write_text(json.dumps(document), encoding="utf-8")
    return list(read(tmp_path).users)


def mapped(users: list[dict]) -> tuple[list[tuple[dict, dict]], Counter[str]]:
    pairs, refused = [], Counter()
    for user in users:
        try:
            pairs.append((user, to_record(user)))
        except Rejection as refusal:
            refused[refusal.reason] += 1
    return pairs, refused


def test_two_users_never_share_an_id(users: list[dict]) -> None:
    pairs, _ = mapped(users)
    assert len(pairs) > 1000
    assert len({record["id"] for _, record in pairs}) == len(pairs)


def test_every_field_keeps_the_value_of_the_source(users: list[dict]) -> None:
    for user, record in mapped(users)[0]:
        assert record["first_name"] == user["name"]["first"]
        assert record["last_name"] == user["name"]["last"]
        assert record["email"] == user["email"]
        assert record["phone"] == user["phone"]
        assert record["username"] == user.get("login", {}).get("username")
        assert record["post_code"] == str(user["location"]["postcode"])
        assert record["picture"] == user["picture"]["large"]
        assert record["gender"].lower() == user.get("gender", "unknown")
        for part in ("city", "state", "country"):
            assert user["location"].get(part, "") in record["address"]
        assert (record["dob"] is None) == ("dob" not in user)
        assert (record["registered_date"] is None) == ("registered" not in user)
        assert record["id"] == user.get("login", {}).get("uuid", record["id"])


def test_only_users_without_an_email_are_refused(users: list[dict]) -> None:
    without = sum("email" not in user for user in users)
    assert mapped(users)[1] == ({"MISSING_EMAIL": without} if without else {})
