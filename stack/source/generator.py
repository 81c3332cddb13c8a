"""Users from a seed: the same seed, page and nationalities give the same users, byte for byte, on any machine."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import unicodedata
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import faker
from faker.factory import Factory

from avro_data_contracts.stack.source.nationalities import BY_CODE, TIMEZONES, Nationality

User = dict[str, Any]

# Ages are as of this moment, not of today: a seed must give the same bytes next year.
NOW = datetime(2025, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOW_MS = int(NOW.timestamp() * 1000)
_OLDEST_MS = -800_000_000_000  # 1944, as in the real API
_ADULT_MS = _NOW_MS - 21 * 365 * 86_400_000
_FIRST_REGISTERED_MS = 1_016_688_461_000  # 2002

_PROVIDERS = ["faker.providers.person", "faker.providers.address", "faker.providers.phone_number"]
_PORTRAITS = "https://randomuser.me/api/portraits"
_SALT = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890"
# fmt: off
_COLOURS = (
    "angry", "beautiful", "big", "black", "blue", "brown", "crazy", "golden", "green", "happy", "heavy", "lazy",
    "orange", "organic", "purple", "red", "sad", "silver", "smallest", "ticklish", "tiny", "white", "yellow",
)
_ANIMALS = (
    "bear", "bird", "butterfly", "cat", "dog", "duck", "elephant", "fish", "frog", "goose", "gorilla", "kangaroo",
    "koala", "ladybug", "leopard", "lion", "meercat", "mouse", "ostrich", "panda", "peacock", "rabbit", "snake",
    "swan", "tiger", "wolf", "zebra",
)
_PASSWORDS = (
    "amber", "bigfoot", "chocolat", "drums", "eagle1", "finger", "galaxy", "hunter2", "indigo", "jokers", "kestrel",
    "lovebug", "marvin", "nevada", "oranges", "passat", "qwert", "rocket", "sierra1", "thunder", "unicorn",
    "voyager1", "wombat", "xanadu", "yankees", "zephyr",
)
# fmt: on


class UserGenerator:
    """Generates users with Faker, with one instance per locale, created on first use.

    Safe to call from several threads; it generates one page at a time.
    """

    def __init__(self) -> None:
        self._locales: dict[str, faker.Generator] = {}
        self._lock = threading.Lock()

    def page(self, seed: str, page: int, results: int, *, nats: tuple[str, ...] = (), gender: str = "") -> list[User]:
        """Generate the first `results` users of a page.

        A shorter page is the beginning of a longer one, as in the real API.

        Args:
            nats: nationality codes to draw from; empty for all.
            gender: `male` or `female`; empty for both.
        """
        nationalities = [BY_CODE[code] for code in nats] or list(BY_CODE.values())
        identity = json.dumps([seed, page, nats])
        seeded = int.from_bytes(hashlib.sha256(identity.encode()).digest(), "big")
        rng = random.Random(seeded)  # noqa: S311 (made-up people, not secrets)
        with self._lock:
            for locale in self._locales.values():
                locale.random = rng
            return [self._user(rng, rng.choice(nationalities), gender) for _ in range(results)]

    def _user(self, rng: random.Random, nationality: Nationality, gender: str) -> User:
        locale: Any = self._locale(nationality.locale, rng)  # Any, because its methods come from its providers
        gender = gender or rng.choice(("male", "female"))
        male = gender == "male"
        first = locale.first_name_male() if male else locale.first_name_female()
        last = locale.last_name_male() if male else locale.last_name_female()
        username = f"{rng.choice(_COLOURS)}{rng.choice(_ANIMALS)}{rng.randint(100, 999)}"
        return {
            "gender": gender,
            "name": {"title": _title(rng, nationality, male), "first": first, "last": last},
            "location": _location(rng, nationality, locale),
            "email": _email(first, last, username),
            "login": _login(rng, username),
            "dob": _moment(rng.randint(_OLDEST_MS, _ADULT_MS)),
            "registered": _moment(rng.randint(_FIRST_REGISTERED_MS, _NOW_MS)),
            "phone": locale.phone_number(),
            "cell": locale.phone_number(),
            "id": _identity(rng, nationality),
            "picture": _picture(rng, male),
            "nat": nationality.code,
        }

    def _locale(self, name: str, rng: random.Random) -> faker.Generator:
        if name not in self._locales:
            # Without weighting a draw is one index; with weighting, it walks over thousands of weights.
            self._locales[name] = Factory.create(name, providers=_PROVIDERS, use_weighting=False)
            self._locales[name].random = rng
        return self._locales[name]


def _title(rng: random.Random, nationality: Nationality, male: bool) -> str:
    if nationality.titles and rng.random() < 0.5:
        return nationality.titles[0] if male else rng.choice(nationality.titles[1:])
    return "Mr" if male else rng.choice(("Miss", "Mrs", "Ms"))


def _location(rng: random.Random, nationality: Nationality, locale: Any) -> dict[str, Any]:
    state = rng.choice(nationality.states) if nationality.states else _state(locale)
    offset, description = rng.choice(TIMEZONES)
    return {
        "street": {"number": rng.randint(1, 9_999), "name": locale.street_name()},
        "city": rng.choice(nationality.cities) if nationality.cities else locale.city(),
        "state": state,
        "country": nationality.country,
        "postcode": rng.randint(*nationality.post_code) if nationality.post_code else locale.postcode(),
        "coordinates": {
            "latitude": f"{rng.uniform(-90, 90):.4f}",
            "longitude": f"{rng.uniform(-180, 180):.4f}",
        },
        "timezone": {"offset": offset, "description": description},
    }


def _state(locale: Any) -> str:
    # Only Faker's Ukrainian provider calls it a region.
    return str(locale.administrative_unit() if hasattr(locale, "administrative_unit") else locale.region())


def _email(first: str, last: str, username: str) -> str:
    """An ASCII address, as in the real API, from the name; from the user name if the name has no ASCII letters."""
    parts = [
        "".join(c for c in unicodedata.normalize("NFKD", name).lower() if c.isascii() and c.isalnum())
        for name in (first, last)
    ]
    return f"{'.'.join(parts) if all(parts) else username}@example.com"


def _login(rng: random.Random, username: str) -> dict[str, str]:
    password = rng.choice(_PASSWORDS)
    salt = "".join(rng.choices(_SALT, k=8))
    salted = (password + salt).encode()
    return {
        "uuid": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "username": username,
        "password": password,
        "salt": salt,
        "md5": hashlib.md5(salted, usedforsecurity=False).hexdigest(),
        "sha1": hashlib.sha1(salted, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(salted).hexdigest(),
    }


def _moment(milliseconds: int) -> dict[str, Any]:
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    age = NOW.year - moment.year - ((NOW.month, NOW.day) < (moment.month, moment.day))
    return {"date": f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z", "age": age}


def _identity(rng: random.Random, nationality: Nationality) -> dict[str, str | None]:
    digits = {"#": "0123456789", "?": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    value = "".join(rng.choice(digits[c]) if c in digits else c for c in nationality.id_pattern)
    return {"name": nationality.id_name, "value": value or None}


def _picture(rng: random.Random, male: bool) -> dict[str, str]:
    portrait = f"{'men' if male else 'women'}/{rng.randint(0, 99 if male else 96)}.jpg"
    return {
        "large": f"{_PORTRAITS}/{portrait}",
        "medium": f"{_PORTRAITS}/med/{portrait}",
        "thumbnail": f"{_PORTRAITS}/thumb/{portrait}",
    }
