"""Maps a user of the randomuser.me API, versions 1.0 to 1.4, to a record of `users_created`.  Pure.

Text stays as the source wrote it: nothing is stripped, normalized or recoded.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.source import Record

User = dict[str, Any]

UNKNOWN_GENDER = "UNKNOWN"
_GENDERS = {"male": "MALE", "female": "FEMALE"}
_PICTURES = ("large", "medium", "thumbnail")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FINER = re.compile(r"[.,][0-9]{6}[0-9]*[1-9]")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Never change it: the ids of users without a login.uuid depend on it.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://randomuser.me/api/")


def to_record(user: User) -> Record:
    """Return the record of one user.

    Returns:
        `id` (UUID text, lower case), `first_name`, `last_name`, `gender` (FEMALE, MALE or UNKNOWN), `address` and
        `email` are str; `post_code`, `username`, `phone` and `picture` str or None; `dob` is a date or None;
        `registered_date` a datetime in UTC or None.

    Raises:
        Rejection: a required part is missing, or a part has a form that no version of the API has.
    """
    if not isinstance(user, dict):
        raise Rejection("INVALID_USER", "the user is not a JSON object")
    name = _object(user, "name", "first_name")
    location = _object(user, "location", "address")
    login = _object(user, "login", "id")
    email = _required(user.get("email"), "email")
    local, _, domain = email.rpartition("@")
    if not local or not domain:
        raise Rejection("INVALID_EMAIL", "email has no text on both sides of an @")
    username = _text(login.get("username"), "username")
    phone = _text(user.get("phone"), "phone")
    birth = _moment(user.get("dob"), "dob")
    return {
        "id": _identity(login.get("uuid"), username, email, phone),
        "first_name": _required(name.get("first"), "first_name"),
        "last_name": _required(name.get("last"), "last_name"),
        "gender": _gender(user.get("gender")),
        "address": _address(location),
        "post_code": _post_code(location.get("postcode")),
        "email": email,
        "username": username,
        "dob": birth.date() if birth else None,
        "registered_date": _moment(user.get("registered"), "registered_date"),
        "phone": phone,
        "picture": _picture(_object(user, "picture", "picture")),
    }


def _object(user: User, part: str, field: str) -> dict[str, Any]:
    value = user.get(part)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Rejection(f"INVALID_{field.upper()}", f"{part} is not a JSON object")
    return value


def _text(value: Any, field: str) -> str | None:
    """Return the text as it is, None for none."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Rejection(f"INVALID_{field.upper()}", f"{field} is a {type(value).__name__}, not text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Rejection(f"INVALID_{field.upper()}", f"{field} holds half of a surrogate pair") from None
    if "\x00" in value:  # PostgreSQL can store every other character
        raise Rejection(f"INVALID_{field.upper()}", f"{field} holds the character U+0000")
    return value


def _required(value: Any, field: str) -> str:
    text = _text(value, field)
    if text is None or not text.strip():
        raise Rejection(f"MISSING_{field.upper()}", f"{field} is {'missing' if text is None else 'empty'}")
    return text


def _identity(given: Any, username: str | None, email: str, phone: str | None) -> str:
    """Return `login.uuid`, or an id made from what stays the same when the user changes, for versions without it."""
    if given is not None:
        if not isinstance(given, str) or not _UUID.fullmatch(given):
            raise Rejection("INVALID_ID", "login.uuid is not a UUID")
        return given.lower()
    if username:
        identity = ["login", username, email]
    elif phone:
        identity = ["phone", phone, email]
    else:
        raise Rejection("MISSING_ID", "there is no login.uuid, and no login.username or phone to make an id from")
    return str(uuid.uuid5(_NAMESPACE, json.dumps(identity)))


def _gender(value: Any) -> str:
    text = _text(value, "gender")
    return _GENDERS.get(text.lower(), UNKNOWN_GENDER) if text else UNKNOWN_GENDER


def _address(location: dict[str, Any]) -> str:
    street = location.get("street")
    if isinstance(street, dict):
        number, name = street.get("number"), _text(street.get("name"), "address")
        if type(number) is int:
            number = str(number)
        street = " ".join(part for part in (_text(number, "address"), name) if part)
    parts = [_text(part, "address") for part in (street, *map(location.get, ("city", "state", "country")))]
    address = ", ".join(part for part in parts if part)
    if not address.strip(" ,"):
        raise Rejection("MISSING_ADDRESS", "location has no street, city, state or country")
    return address


def _post_code(value: Any) -> str | None:
    return str(value) if type(value) is int else _text(value, "post_code")


def _moment(value: Any, field: str) -> datetime | None:
    """Read Unix seconds (1.0); `1990-07-20 11:40:15` (1.1); `{"date": "1945-04-24T00:26:45.253Z"}` (1.2, 1.3)."""
    if isinstance(value, dict):
        value = value.get("date", "")
    if value is None:
        return None
    try:
        if type(value) is int:
            return _EPOCH + timedelta(seconds=value)
        if isinstance(value, str):
            if _FINER.search(value):  # fromisoformat would cut the rest off
                raise Rejection(f"INVALID_{field.upper()}", f"{field} is finer than a microsecond")
            moment = datetime.fromisoformat(value)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Rejection(f"INVALID_{field.upper()}", f"{field} is neither Unix seconds nor an ISO 8601 date and time")


def _picture(picture: dict[str, Any]) -> str | None:
    return next((url for size in _PICTURES if (url := _text(picture.get(size), "picture"))), None)
