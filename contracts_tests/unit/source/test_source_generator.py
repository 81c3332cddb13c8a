"""Generated users: repeatable for a seed, different for another seed, and in many scripts."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import unicodedata
import uuid

import pytest

from avro_data_contracts.stack.source.generator import UserGenerator
from avro_data_contracts.stack.source.nationalities import BY_CODE, EXTRA, REAL, TIMEZONES
from avro_data_contracts.stack.source.query import FIELDS
from contracts_tests.fixtures.clone import CLONE


@pytest.fixture(scope="module")
def generator() -> UserGenerator:
    return UserGenerator()


def test_same_seed_gives_the_same_bytes(generator: UserGenerator) -> None:
    generator.page("something else", 9, 20)
    assert json.dumps(generator.page("a", 2, 300)) == json.dumps(UserGenerator().page("a", 2, 300))


def test_same_seed_gives_the_same_users_in_another_process(generator: UserGenerator) -> None:
    program = "import json; from avro_data_contracts.stack.source.generator import UserGenerator as G; print(json.dumps(G().page('a', 1, 200)))"
    environment = os.environ | {"PYTHONHASHSEED": "12345", "LC_ALL": "C"}
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=CLONE, env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout) == generator.page("a", 1, 200)


def test_pages_of_a_seed_share_no_user(generator: UserGenerator) -> None:
    ids = [user["login"]["uuid"] for page in range(1, 11) for user in generator.page("a", page, 200)]
    assert len(set(ids)) == 2000


def test_short_page_is_the_start_of_a_longer_one(generator: UserGenerator) -> None:
    assert generator.page("a", 1, 5) == generator.page("a", 1, 50)[:5]


def test_seed_page_and_nationality_change_the_users(generator: UserGenerator) -> None:
    pages = [
        generator.page("a", 1, 5),
        generator.page("b", 1, 5),
        generator.page("a", 2, 5),
        generator.page("a", 1, 5, nats=("US",)),
        generator.page("a1", 1, 5),
        generator.page("a", 11, 5),
    ]
    assert len({json.dumps(page) for page in pages}) == len(pages)


@pytest.mark.parametrize("code", BY_CODE)
def test_users_of_every_nationality_have_the_shape_of_the_real_api(generator: UserGenerator, code: str) -> None:
    for user in generator.page("shape", 1, 20, nats=(code,)):
        assert tuple(user) == FIELDS
        assert user["nat"] == code
        assert list(user["name"]) == ["title", "first", "last"]
        location = user["location"]
        assert list(location) == ["street", "city", "state", "country", "postcode", "coordinates", "timezone"]
        assert type(location["street"]["number"]) is int
        texts = [*user["name"].values(), location["street"]["name"], location["city"], location["state"]]
        assert all(isinstance(text, str) and text.strip() for text in [*texts, user["phone"], user["cell"]])
        assert type(location["postcode"]) is (int if BY_CODE[code].post_code else str)
        assert re.fullmatch(r"-?\d{1,3}\.\d{4}", location["coordinates"]["latitude"])
        assert (location["timezone"]["offset"], location["timezone"]["description"]) in TIMEZONES
        login = user["login"]
        salted = (login["password"] + login["salt"]).encode()
        for algorithm in ("md5", "sha1", "sha256"):
            assert login[algorithm] == hashlib.new(algorithm, salted).hexdigest()
        assert uuid.UUID(login["uuid"]).version == 4
        for part in ("dob", "registered"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", user[part]["date"])
            assert type(user[part]["age"]) is int
        assert user["email"].isascii()
        assert (user["id"]["value"] is None) == (user["id"]["name"] == "")


def test_gender_can_be_requested(generator: UserGenerator) -> None:
    assert {user["gender"] for user in generator.page("a", 1, 100, gender="female")} == {"female"}
    assert {user["gender"] for user in generator.page("a", 1, 100)} == {"female", "male"}


def test_post_codes_include_numbers_texts_and_leading_zeros(generator: UserGenerator) -> None:
    codes = [user["location"]["postcode"] for user in generator.page("codes", 1, 1000)]
    assert any(type(code) is int for code in codes)
    assert any(type(code) is str and code[0] == "0" and code.isdecimal() for code in codes)
    assert any(type(code) is str and not code.isdecimal() for code in codes)


def test_names_come_in_many_scripts(generator: UserGenerator) -> None:
    letters = {c for user in generator.page("scripts", 1, 1000) for c in user["name"]["first"] if c.isalpha()}
    scripts = {unicodedata.name(letter).split()[0] for letter in letters}
    wanted = "ARABIC ARMENIAN BENGALI CJK CYRILLIC DEVANAGARI GEORGIAN GREEK HANGUL HEBREW LATIN THAI"
    assert scripts >= set(wanted.split())


def test_nationalities_of_the_real_api_come_first() -> None:
    real = "AU BR CA CH DE DK ES FI FR GB IE IN IR MX NL NO NZ RS TR UA US"
    assert [nationality.code for nationality in REAL] == real.split()
    assert not set(real.split()) & {nationality.code for nationality in EXTRA}
