"""Mapping users to records, in the shape of every API version and in broken shapes."""

from __future__ import annotations

import copy
import io
import json
import random
import uuid
from datetime import UTC, date, datetime, timedelta

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.randomuser.mapping import to_record
from contracts_tests.fixtures.clone import CLONE

VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")
SCHEMA = CLONE / "schemas" / "users_created" / "value.avsc"
NAMES = [("أحمد", "الزهراني"), ("Zoë", "d'Aubigné "), ("晃", "中村"), ("mère\u200cm", "O’Neil"), ("Ирина", "Ёлкина")]


def user_of(version: str, number: int = 0) -> dict:
    """Return a user in the shape of that API version, always the same for the same number."""
    rng = random.Random(f"{version}/{number}")
    first, last = rng.choice(NAMES)
    birth = datetime(1940, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(2 * 10**9))
    registered = datetime(2003, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(5 * 10**8))
    street = f"{rng.randrange(1, 9999)} rue  de la paix "
    location = {"street": street, "city": "Orsières", "state": "گیلان", "postcode": rng.randrange(10_000, 99_999)}
    login = {"username": f"bird{number}", "password": "p", "salt": "s", "md5": "0", "sha1": "0", "sha256": "0"}
    user = {
        "gender": rng.choice(("male", "female")),
        "name": {"title": "mx", "first": first, "last": last},
        "location": location,
        "email": f"user{number}@example.com",
        "login": login,
        "phone": f"0{number}-12",
        "cell": "1",
        "id": {"name": "", "value": None},
        "picture": {"large": f"https://example.com/{number}.jpg", "medium": "m", "thumbnail": "t"},
        "nat": "CH",
    }
    if version == "1.0":
        return user | {"dob": int(birth.timestamp()), "registered": int(registered.timestamp())}
    if version == "1.1":
        return user | {"dob": f"{birth:%Y-%m-%d %H:%M:%S}", "registered": f"{registered:%Y-%m-%d %H:%M:%S}"}
    login["uuid"] = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    location |= {"coordinates": {"latitude": "1.0", "longitude": "2.0"}, "timezone": {"offset": "0:00"}}
    fraction = "" if version == "1.2" else ".253"
    user["dob"] = {"date": f"{birth:%Y-%m-%dT%H:%M:%S}{fraction}Z", "age": 50}
    user["registered"] = {"date": f"{registered:%Y-%m-%dT%H:%M:%S}{fraction}Z", "age": 5}
    if version in ("1.3", "1.4"):
        location |= {"street": {"number": rng.randrange(1, 9999), "name": "Rue  des Écoles "}, "country": "Schweiz"}
    return user


def change(user: dict, path: str, value: object = ...) -> dict:
    """Return a copy of the user with the part at `a.b.c` set, or removed if there is no value."""
    user = copy.deepcopy(user)
    *parents, last = path.split(".")
    part = user
    for name in parents:
        part = part[name]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return user


def written_and_read(record: dict) -> dict:
    schema = fastavro.parse_schema(json.loads(SCHEMA.read_text(encoding="utf-8")))
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, record, strict=True)
    body.seek(0)
    read = fastavro.schemaless_reader(body, schema, None)
    return read | {"id": str(read["id"])}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_api_version_maps_to_a_valid_record(version: str) -> None:
    for number in range(50):
        user = user_of(version, number)
        record = to_record(user)
        assert record["first_name"] == user["name"]["first"]
        assert record["last_name"] == user["name"]["last"]
        assert record["gender"] == user["gender"].upper()
        assert record["email"] == user["email"]
        assert record["username"] == user["login"]["username"]
        assert record["phone"] == user["phone"]
        assert record["post_code"] == str(user["location"]["postcode"])
        assert record["picture"] == user["picture"]["large"]
        assert type(record["dob"]) is date
        assert record["registered_date"].utcoffset() == timedelta(0)
        assert str(uuid.UUID(record["id"])) == record["id"]
        assert written_and_read(record) == record


def test_dates_of_every_api_version_are_parsed() -> None:
    user = user_of("1.0")
    assert to_record(change(user, "dob", 449536660))["dob"] == date(1984, 3, 30)
    assert to_record(change(user, "dob", -1))["dob"] == date(1969, 12, 31)
    for written in ("1945-04-24 00:26:45", {"date": "1945-04-24T00:26:45Z"}, {"date": "1945-04-24T02:26:45+02:00"}):
        record = to_record(change(change(user, "dob", written), "registered", written))
        assert record["dob"] == date(1945, 4, 24)
        assert record["registered_date"] == datetime(1945, 4, 24, 0, 26, 45, tzinfo=UTC)
    late = to_record(change(user, "registered", {"date": "2014-08-26T21:39:22.469Z", "age": 6}))
    assert late["registered_date"] == datetime(2014, 8, 26, 21, 39, 22, 469_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ({"street": "12 main st", "city": "york", "state": "avon"}, "12 main st, york, avon"),
        ({"street": " 12 main st "}, " 12 main st "),
        ({"street": {"number": 7, "name": "A B"}, "city": "C", "country": "D"}, "7 A B, C, D"),
        ({"street": {"number": "7a", "name": "A"}}, "7a A"),
        ({"street": {"name": "A"}, "city": ""}, "A"),
        ({"city": "C", "state": None}, "C"),
    ],
)
def test_address_is_joined_into_one_line(location: dict, address: str) -> None:
    assert to_record(change(user_of("1.4"), "location", location))["address"] == address


@pytest.mark.parametrize(
    ("written", "post_code"),
    [(1234, "1234"), ("0123", "0123"), ("K1A 0B1", "K1A 0B1"), ("২১৬৬", "২১৬৬"), (None, None), ("", "")],
)
def test_post_code_is_kept_as_text(written: object, post_code: str | None) -> None:
    assert to_record(change(user_of("1.4"), "location.postcode", written))["post_code"] == post_code


@pytest.mark.parametrize(
    ("written", "gender"),
    [
        ("male", "MALE"),
        ("Female", "FEMALE"),
        ("FEMALE", "FEMALE"),
        ("other", "UNKNOWN"),
        (None, "UNKNOWN"),
        ("", "UNKNOWN"),
    ],
)
def test_gender_maps_to_an_enum_symbol(written: object, gender: str) -> None:
    assert to_record(change(user_of("1.4"), "gender", written))["gender"] == gender


@pytest.mark.parametrize(
    "part", ["gender", "dob", "registered", "picture", "nat", "id", "cell", "phone", "login.username"]
)
def test_user_without_an_optional_part_is_a_valid_record(part: str) -> None:
    record = to_record(change(user_of("1.4"), part))
    assert written_and_read(record) == record


def test_user_without_a_login_still_gets_an_id() -> None:
    user = {key: user_of("1.0")[key] for key in ("gender", "name", "location", "email", "phone", "picture")}
    record = to_record(user)
    assert record["username"] is record["dob"] is record["registered_date"] is None
    assert to_record(copy.deepcopy(user))["id"] == record["id"]
    assert to_record(change(user, "location.city", "elsewhere"))["id"] == record["id"]
    assert to_record(change(user, "phone", "2"))["id"] != record["id"]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_generated_id_depends_only_on_username_and_email(version: str) -> None:
    user = user_of(version)
    made = to_record(user)["id"]
    for part, value in (
        ("location.city", "x"),
        ("phone", "2"),
        ("dob", 0),
        ("login.password", "q"),
        ("name.last", "y"),
    ):
        assert to_record(change(user, part, value))["id"] == made
    assert to_record(change(user, "login.username", "other"))["id"] != made
    assert to_record(change(user, "email", "o@example.com"))["id"] != made
    assert len({to_record(user_of(version, number))["id"] for number in range(500)}) == 500


def test_generated_ids_never_change_between_releases() -> None:
    """The id is the primary key of both tables: a different id would store every existing user twice."""
    login = {"username": "silverfrog705"}
    location = {"city": "x"}
    user = {"name": {"first": "a", "last": "b"}, "location": location, "email": "a@example.com", "phone": "1"}
    assert to_record(user)["id"] == "4e6738ca-f894-5ab6-95c6-12aa0d3f00f2"
    assert to_record(user | {"login": login})["id"] == "6efbd282-f274-5182-99af-2b2c8e9b1f67"


def test_given_id_is_used_in_its_canonical_form() -> None:
    given_id = "5B6D25DE-70C8-438F-9E44-62EA92497CC1"
    assert to_record(change(user_of("1.4"), "login.uuid", given_id))["id"] == given_id.lower()


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("name", ..., "MISSING_FIRST_NAME"),
        ("name", "Ann", "INVALID_FIRST_NAME"),
        ("name.first", ..., "MISSING_FIRST_NAME"),
        ("name.last", None, "MISSING_LAST_NAME"),
        ("name.last", " \t", "MISSING_LAST_NAME"),
        ("name.last", 5, "INVALID_LAST_NAME"),
        ("name.last", "half \ud83d", "INVALID_LAST_NAME"),
        ("name.first", "nul \x00", "INVALID_FIRST_NAME"),
        ("email", ..., "MISSING_EMAIL"),
        ("email", "", "MISSING_EMAIL"),
        ("email", "nobody", "INVALID_EMAIL"),
        ("email", "@example.com", "INVALID_EMAIL"),
        ("location", ..., "MISSING_ADDRESS"),
        ("location", {}, "MISSING_ADDRESS"),
        ("location", [], "INVALID_ADDRESS"),
        ("location.street", 5, "INVALID_ADDRESS"),
        ("location.street", {"number": True, "name": "A"}, "INVALID_ADDRESS"),
        ("location.postcode", 1.5, "INVALID_POST_CODE"),
        ("location.postcode", True, "INVALID_POST_CODE"),
        ("gender", 1, "INVALID_GENDER"),
        ("dob", "yesterday", "INVALID_DOB"),
        ("dob", {}, "INVALID_DOB"),
        ("dob", {"date": "1945-13-24T00:26:45Z"}, "INVALID_DOB"),
        ("dob", True, "INVALID_DOB"),
        ("dob", 10**30, "INVALID_DOB"),
        ("registered", [], "INVALID_REGISTERED_DATE"),
        ("registered", "2020-01-01T00:00:00.1234567Z", "INVALID_REGISTERED_DATE"),
        ("registered", "0001-01-01T00:00:00+23:00", "INVALID_REGISTERED_DATE"),
        ("phone", 5, "INVALID_PHONE"),
        ("picture", "url", "INVALID_PICTURE"),
        ("picture.large", 5, "INVALID_PICTURE"),
        ("login", "x", "INVALID_ID"),
        ("login.uuid", "", "INVALID_ID"),
        ("login.uuid", 5, "INVALID_ID"),
        ("login.uuid", "{5b6d25de-70c8-438f-9e44-62ea92497cc1}", "INVALID_ID"),
        ("login.username", 5, "INVALID_USERNAME"),
    ],
)
def test_invalid_user_is_refused_with_its_reason(path: str, value: object, reason: str) -> None:
    user = change(user_of("1.4"), path, value)
    with pytest.raises(Rejection) as caught:
        to_record(user)
    assert caught.value.reason == reason


@pytest.mark.parametrize("user", [None, 5, "user", [], [{}]])
def test_user_that_is_not_an_object_is_refused(user: object) -> None:
    with pytest.raises(Rejection) as caught:
        to_record(user)
    assert caught.value.reason == "INVALID_USER"


def test_user_without_login_and_phone_is_refused() -> None:
    with pytest.raises(Rejection) as caught:
        to_record(change(change(user_of("1.0"), "login"), "phone"))
    assert caught.value.reason == "MISSING_ID"


def test_refusal_contains_no_personal_data() -> None:
    for path in ("email", "login.uuid", "dob", "location.street", "name.first"):
        with pytest.raises(Rejection) as caught:
            to_record(change(user_of("1.4"), path, ["Secret"]))
        assert "Secret" not in str(caught.value)
        assert user_of("1.4")["name"]["first"] not in str(caught.value)


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)


@given(
    first=text.filter(str.strip), last=text.filter(str.strip), city=text.filter(lambda t: t.strip(" ,")), code=text
)
def test_text_is_preserved_exactly(first: str, last: str, city: str, code: str) -> None:
    user = change(user_of("1.4"), "name", {"first": first, "last": last})
    user["location"] = {"city": city, "postcode": code}
    record = written_and_read(to_record(json.loads(json.dumps(user))))
    assert (record["first_name"], record["last_name"], record["address"], record["post_code"]) == (
        first,
        last,
        city,
        code,
    )


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
PATHS = [
    *("name", "name.first", "location", "location.city", "location.street", "location.postcode", "email", "gender"),
    *("login", "login.uuid", "login.username", "dob", "registered", "phone", "picture", "picture.large"),
]


@given(version=st.sampled_from(VERSIONS), path=st.sampled_from(PATHS), value=anything)
def test_any_input_is_refused_or_becomes_a_valid_record(version: str, path: str, value: object) -> None:
    user = change(user_of(version) | {"picture": {}}, path, value)
    try:
        record = to_record(user)
    except Rejection:
        return
    assert written_and_read(record) == record
