"""What a field holds, as far as its name or its tags say so: an e-mail address, a price, a birthday."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Final

from avro_data_contracts.contracts.avro.nodes import TAGS, Field
from avro_data_contracts.contracts.sample.chance import LOCALES, Chance

_Make = Callable[[Chance], str]
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ENGLISH: Final = LOCALES[0]


def words_of(name: str) -> list[str]:
    """`customerEmail` and `customer_email` -> customer, email."""
    return [one.lower() for one in _WORD.findall(name)]


def of(field: Field, known: Mapping[str, Any]) -> Any:
    """What `known` has for the end of the field's name, or for one of its tags; None for nothing."""
    tags = field.props.get(TAGS, ())
    for name in (field.name, *(tags if isinstance(tags, Iterable) and not isinstance(tags, str) else (tags,))):
        words = words_of(str(name))
        for start in range(len(words)):
            if (found := known.get("_".join(words[start:]))) is not None:
                return found
    return None


def _fake(name: str, locale: str = "", **arguments: Any) -> _Make:
    return lambda chance: chance.fake(lambda faker: getattr(faker, name)(**arguments), locale)


def _one_line(made: _Make) -> _Make:
    return lambda chance: ", ".join(made(chance).splitlines())


def _picture(chance: Chance) -> str:
    return f"https://example.com/pictures/{chance.random.getrandbits(40):010x}.jpg"


def _sku(chance: Chance) -> str:
    return f"{chance.choice('ABCDEFGH')}{chance.choice('KLMNPQRS')}-{chance.random.randrange(100_000):05d}"


def _id(chance: Chance) -> str:
    return str(uuid.UUID(int=chance.random.getrandbits(128), version=4))


def _by_name(**made: tuple[_Make, str]) -> dict[str, _Make]:
    return {name: make for make, names in made.values() for name in names.split()}


#: End of a field's name -> a text.
TEXTS: Final[Mapping[str, _Make]] = _by_name(
    identity=(_id, "id uuid guid identifier"),
    email=(_fake("ascii_email", _ENGLISH), "email mail email_address e_mail"),
    first_name=(_fake("first_name"), "first_name given_name firstname forename"),
    last_name=(_fake("last_name"), "last_name family_name lastname surname"),
    name=(_fake("name"), "full_name customer customer_name user_name_full person contact_name author"),
    username=(_fake("user_name", _ENGLISH), "username user_name login nickname handle"),
    phone=(_fake("phone_number"), "phone phone_number mobile telephone fax cell"),
    address=(_one_line(_fake("address")), "address billing_address shipping_address"),
    street=(_one_line(_fake("street_address")), "street street_address address_line"),
    city=(_fake("city"), "city town"),
    state=(_fake("state"), "region province"),
    post_code=(_fake("postcode"), "post_code postcode postal_code zip zip_code zipcode plz"),
    country=(_fake("country"), "country country_name"),
    country_code=(_fake("country_code", _ENGLISH), "country_code country_iso"),
    company=(_fake("company"), "company company_name employer organization organisation vendor supplier merchant"),
    job=(_fake("job"), "job job_title profession occupation"),
    currency=(_fake("currency_code", _ENGLISH), "currency currency_code"),
    iban=(_fake("iban", "de_DE"), "iban"),
    card=(_fake("credit_card_number", _ENGLISH), "card_number credit_card credit_card_number"),
    digits=(_fake("numerify", _ENGLISH, text="####"), "last_digits last_four last4"),
    scheme=(_fake("credit_card_provider", _ENGLISH), "scheme card_scheme"),
    url=(_fake("url", _ENGLISH), "url uri website homepage link"),
    picture=(_picture, "picture image avatar photo thumbnail image_url picture_url avatar_url"),
    ip=(_fake("ipv4_public", _ENGLISH), "ip ip_address ipv4 remote_addr"),
    host=(_fake("hostname", _ENGLISH), "host hostname domain"),
    agent=(_fake("user_agent", _ENGLISH), "user_agent"),
    locale=(_fake("locale", _ENGLISH), "locale"),
    language=(_fake("language_code", _ENGLISH), "language lang language_code"),
    timezone=(_fake("timezone", _ENGLISH), "timezone time_zone tz"),
    colour=(_fake("color_name", _ENGLISH), "color colour"),
    sku=(_sku, "sku article article_number product_code item_code"),
    title=(_fake("catch_phrase"), "title subject headline product product_name"),
    text=(_fake("sentence"), "description comment note notes remark message summary body text"),
    mime=(_fake("mime_type", _ENGLISH), "mime_type content_type"),
    file=(_fake("file_name", _ENGLISH), "file file_name filename"),
)

Range = tuple[float, float]


def _ranges(**told: tuple[float, float, str]) -> dict[str, Range]:
    return {name: (low, high) for low, high, names in told.values() for name in names.split()}


#: End of a field's name -> the numbers that one would expect.
NUMBERS: Final[Mapping[str, Range]] = _ranges(
    money=(1, 1_000, "price amount total cost fee tax subtotal discount balance revenue unit_price salary value"),
    few=(1, 20, "quantity qty count items pieces seats"),
    age=(0, 100, "age"),
    year=(1990, 2025, "year"),
    month=(1, 12, "month"),
    day=(1, 31, "day"),
    hour=(0, 23, "hour"),
    percent=(0, 100, "percent percentage humidity battery progress"),
    share=(0, 1, "rate ratio probability share confidence"),
    latitude=(-90, 90, "lat latitude"),
    longitude=(-180, 180, "lon lng longitude"),
    temperature=(-30, 45, "temperature temp celsius"),
    weight=(0, 100, "weight weight_kg kg"),
    rating=(1, 5, "rating stars score"),
    port=(1, 65_535, "port"),
    duration=(0, 86_400, "seconds duration duration_s elapsed"),
)

#: Days that one would expect.  They are fixed, so that a seed gives the same records next year.
USUAL_DAYS: Final = (date(2020, 1, 1), date(2025, 12, 31))
#: End of a field's name -> such days.
DAYS: Final[Mapping[str, tuple[date, date]]] = dict.fromkeys(
    ("dob", "birthday", "birth_date", "birthdate", "date_of_birth", "born", "born_on"),
    (date(1940, 1, 1), date(2006, 12, 31)),
) | dict.fromkeys(
    ("deliver_on", "due", "due_on", "due_date", "expires", "expires_at", "expires_on", "expiry", "valid_until"),
    (date(2026, 1, 1), date(2027, 12, 31)),
)
