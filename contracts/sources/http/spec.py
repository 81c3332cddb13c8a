"""`source` of a contract whose records come from an HTTP API that answers with JSON."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Annotated, ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from avro_data_contracts.contracts.sources import secrets
from avro_data_contracts.contracts.sources.expressions import ExpressionText
from avro_data_contracts.contracts.sources.http.pagination import PaginationSpec, model_of
from avro_data_contracts.contracts.sources.increment import IncrementSpec, Order
from avro_data_contracts.contracts.sources.mapping import unknown_fields
from avro_data_contracts.contracts.sources.spec import Count, Fault, SourceSpec

_WRITTEN_OUT = "holds a secret that is written out: put it into an environment variable, and write ${NAME} here"


#: The names in `producers.plain.asked`.
COERCIONS: Final = ("numbers", "booleans", "epoch", "extra-fields", "first-type")
#: The units in `producers.plain.epochs`.
EPOCHS: Final = tuple(f"epoch={unit}" for unit in ("s", "ms", "us", "ns"))


def _is_known(value: str) -> str:
    names = (*COERCIONS, *EPOCHS)
    if value not in names and not value.startswith("zone="):
        raise ValueError(f"{value!r} is not known; valid names here: {', '.join(names)}, zone=Europe/Vienna")
    return value


Coercion = Annotated[str, AfterValidator(_is_known)]


def _as_sent(value: object) -> object:
    """A number or boolean of YAML, as it is sent."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value


#: A text that may refer to environment variables.
_Sent = Annotated[str, BeforeValidator(_as_sent)]


def _reference(value: object) -> object:
    """Refuse a secret that is not a reference, without repeating it."""
    if not isinstance(value, str) or not secrets.variables(value) or secrets.without_references(value).strip():
        raise ValueError("is not the name of an environment variable: write ${NAME}; a secret is never written out")
    return value


_Secret = Annotated[str, BeforeValidator(_reference)]


class BasicSpec(BaseModel):
    """A name and a password."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: _Sent
    password: _Secret

    @field_validator("username")
    @classmethod
    def _names_variables(cls, value: str) -> str:
        secrets.variables(value)
        return value


class AuthSpec(BaseModel):
    """How the API knows its caller: a bearer token, or a name and a password."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bearer: _Secret | None = None
    basic: BasicSpec | None = None

    @model_validator(mode="after")
    def _is_one(self) -> AuthSpec:
        if (self.bearer is None) == (self.basic is None):
            raise ValueError("write either `bearer` or `basic`; a key in a header of its own belongs into `headers`")
        return self


def _each(given: dict[str, str], check: Callable[[str, str], None]) -> dict[str, str]:
    """Check every name and value; what `check` raises gets the place of the name."""
    for name, value in given.items():
        try:
            check(name, value)
        except ValueError as error:
            # Without the value, which may be a secret.
            problem = InitErrorDetails(
                type=PydanticCustomError("value_error", "{why}", {"why": str(error)}), loc=(name,), input=name
            )
            raise ValidationError.from_exception_data("source", [problem]) from None
    return given


def _check_secret(name: str, value: str) -> None:
    secrets.variables(value)
    if secrets.written_out(name, value):
        raise ValueError(_WRITTEN_OUT)


def _check_header(name: str, value: str) -> None:
    if not name or not all(33 <= ord(one) < 127 and one not in '(),/:;<=>?@[\\]{}"' for one in name):
        raise ValueError("is not the name of a header")
    if not value.isprintable():
        raise ValueError("has characters that a header cannot have")


class HttpSpec(SourceSpec):
    """An HTTP API.

    Attributes:
        url: its address; it may contain `${NAME}`.
        params, headers: of every request; as `url`.
        auth: how the API knows its caller.
        records: an expression on an answer that gives the list of its records.
        fields: field of the contract -> an expression on a record; other fields are the record's own of that name.
        coerce: what is read more generously, as `--coerce` of the producer.
        pagination: None: the first answer has all records.
        incremental: None: each run reads everything.
        max_pages: a run that wants to read more pages fails.
    """

    told_by: ClassVar[str] = "url"

    api: str = "http"
    count: Count = None
    url: str
    params: dict[str, _Sent] = Field(default_factory=dict)
    headers: dict[str, _Sent] = Field(default_factory=dict)
    auth: AuthSpec | None = None
    records: ExpressionText = "@"
    fields: dict[str, ExpressionText] = Field(default_factory=dict)
    coerce: list[Coercion] = Field(default_factory=list)
    pagination: SerializeAsAny[PaginationSpec] | None = None
    incremental: IncrementSpec | None = None
    max_pages: int = Field(10_000, ge=1, le=1_000_000)

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        """The message does not repeat it, because it may hold a secret."""
        secrets.variables(url)
        try:
            parts = urlsplit(secrets.filled(url, lambda name: "x"))
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable = False
        if not usable or not url.lower().startswith(("http://", "https://")):
            raise ValueError("is not an http or https address; write one such as https://api.example.com/v1/orders")
        if parts.fragment:
            raise ValueError("has a # in it, which no server gets to see: leave it out")
        if "@" in urlsplit(url).netloc:
            raise ValueError("names an account: write `auth: {basic: {username: …, password: ${NAME}}}` instead")
        if any(secrets.written_out(*pair) for pair in parse_qsl(urlsplit(url).query, keep_blank_values=True)):
            raise ValueError(_WRITTEN_OUT)
        return url

    @field_validator("params", "headers")
    @classmethod
    def _hold_no_secret(cls, given: dict[str, str]) -> dict[str, str]:
        return _each(given, _check_secret)

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, given: dict[str, str]) -> dict[str, str]:
        return _each(given, _check_header)

    @field_validator("pagination", mode="before")
    @classmethod
    def _as_its_type_has_it(cls, value: object) -> object:
        return model_of(value).model_validate(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _gets_on(self) -> HttpSpec:
        if self.count is not None and self.incremental is not None and self.incremental.order is Order.any:
            raise ValueError(
                "count: with `incremental`, each run would read the same first records again; write "
                "`incremental: {order: ascending}` if the API sorts them by their cursor, or leave count out"
            )
        taken = [*self.params, *(name for name, _ in parse_qsl(urlsplit(self.url).query, keep_blank_values=True))]
        for key, name in self._own_params():
            if name in taken:
                raise ValueError(f"{key}: the parameter {name} is in `params`, the url or another key too; keep one")
            taken.append(name)
        if self.auth is not None and any(name.lower() == "authorization" for name in self.headers):
            raise ValueError("auth: the header Authorization is there too; keep one of the two")
        return self

    def _own_params(self) -> Iterator[tuple[str, str]]:
        """The parameters that change from request to request, with the keys that name them."""
        if self.pagination is not None:
            for key in ("param", "size_param"):
                if name := getattr(self.pagination, key, None):
                    yield f"pagination.{key}", name
        if self.incremental is not None:
            yield "incremental.param", self.incremental.param

    def faults(self, fields: Collection[str]) -> Iterator[Fault]:
        yield from unknown_fields(self.fields, fields)


SPEC: Final = HttpSpec
