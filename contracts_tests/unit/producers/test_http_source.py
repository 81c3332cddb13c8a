"""The source `http` against real APIs on loopback: paging, mapping, secrets, and answers that no sound API gives."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import ConfigurationError, ContractsError, Refused, ServiceError
from avro_data_contracts.contracts.values.scalars import Misfit
from avro_data_contracts.producers import dead_letter, strict
from avro_data_contracts.producers.rejection import Rejection
from avro_data_contracts.producers.sources.http.client import Client
from avro_data_contracts.producers.sources.http.source import HttpSource
from avro_data_contracts.producers.sources.source import Request
from contracts_tests.fixtures.http_api import Answer, Api, Asked, http_api, order, write_contract

Serve = Callable[[Callable[[Asked], Any]], Api]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    from contextlib import ExitStack

    for name in ("DATASOURCE_URL", "DATASOURCE_DEFAULT_URL", "DATASOURCE_RETRIES"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(http_api(answer))


def source(folder: Path, spec: dict[str, Any], **flags: Any) -> HttpSource:
    contracts = write_contract(folder, spec)
    configured = settings.load(contracts_dir=contracts, datasource_retries=flags.pop("retries", 0), **flags)
    return HttpSource(loading.load_one(contracts, "orders"), configured)


def ids(found: HttpSource, count: int | None = None) -> list[Any]:
    items = found.items(Request(""))
    outcomes = [item.outcome for item in (items if count is None else (next(items) for _ in range(count)))]
    return [one if isinstance(one, Rejection) else one["id"] for one in outcomes]


ORDERS = [order(number) for number in range(1, 8)]


def by_page(asked: Asked) -> list[Any]:
    page = int(asked.params.get("page", "1"))
    return ORDERS[(page - 1) * 3 : page * 3]


def by_offset(asked: Asked) -> list[Any]:
    at, size = int(asked.params["offset"]), int(asked.params["limit"])
    return ORDERS[at : at + size]


def by_cursor(asked: Asked) -> dict[str, Any]:
    at = int(asked.params.get("cursor", "0"))
    after = at + 3
    return {"data": {"list": ORDERS[at:after]}, "next": str(after) if after < len(ORDERS) else None}


def by_link(asked: Asked) -> Answer:
    at = int(asked.params.get("from", "0"))
    link = {"Link": f'</v1/orders?from={at + 3}>; rel="next", </v1/orders>; rel="first"'} if at + 3 < 7 else {}
    return Answer(ORDERS[at : at + 3], headers=link)


def by_next_url(asked: Asked) -> dict[str, Any]:
    at = int(asked.params.get("from", "0"))
    return {"items": ORDERS[at : at + 3], "next": f"?from={at + 3}" if at + 3 < 7 else ""}


@pytest.mark.parametrize(
    ("answer", "spec", "requests"),
    [
        (lambda asked: ORDERS, {}, 1),
        (by_page, {"pagination": {"type": "page"}}, 5),
        (by_offset, {"pagination": {"type": "offset", "size": 3}}, 5),
        (by_cursor, {"records": "data.list", "pagination": {"type": "cursor", "next": "next"}}, 3),
        (by_link, {"pagination": {"type": "link"}}, 3),
        (by_next_url, {"records": "items", "pagination": {"type": "link", "next": "next"}}, 3),
    ],
)
def test_every_pagination_reads_each_record_once(
    serve: Serve, tmp_path: Path, answer: Callable[[Asked], Any], spec: dict[str, Any], requests: int
) -> None:
    api = serve(answer)
    assert ids(source(tmp_path, {"url": api.url, **spec})) == [1, 2, 3, 4, 5, 6, 7]
    assert len(api.asked) == requests


def test_values_arrive_exactly_as_the_mapping_says(serve: Serve, tmp_path: Path) -> None:
    body = b"""[{"number": 9007199254740993, "amount": {"gross": 1234567890.10}, "changed": 1795946400000,
                 "note": "\xc3\x96l", "unused": {"a": 1}}, {"number": 2, "amount": {"gross": 1}, "changed": 0}]"""
    api = serve(lambda asked: Answer(body))
    fields = {"id": "number", "total": "amount.gross"}
    found = source(tmp_path, {"url": api.url, "fields": fields, "coerce": ["epoch"]})
    first, second = [item.outcome for item in found.items(Request(""))]
    moment = dt.datetime(2026, 11, 29, 10, 0, tzinfo=dt.UTC)
    assert first == {
        "id": 9007199254740993,
        "total": Decimal("1234567890.10"),
        "changed": 1795946400000,
        "note": "Öl",
    }
    assert moment.timestamp() * 1000 == 1795946400000
    assert second == {"id": 2, "total": Decimal(1), "changed": 0}  # the missing note gets its default


def noticed(serve: Serve, folder: Path, records: list[Any], fields: dict[str, str]) -> list[str]:
    api = serve(lambda asked: records)
    found = source(folder, {"url": api.url, "fields": fields})
    ids(found)
    return found.notices()


@pytest.mark.parametrize(
    ("expression", "silent"),
    [
        ("properties.magnitude", True),
        ("properties.magnitude || other", True),
        ("tags[0]", True),
        ("properties.sometimes", False),
        ("properties.always_null", False),
        ("properties.sometimes || other", False),
    ],
)
def test_expression_that_finds_nothing_in_any_record_is_told(
    serve: Serve, tmp_path: Path, expression: str, silent: bool
) -> None:
    records = [order(number, properties={"always_null": None}) for number in range(1, 4)]
    records[1]["properties"]["sometimes"] = "x"
    told = noticed(serve, tmp_path, records, {"note": expression})
    assert told == [f"source.fields.note: `{expression}` found nothing in any of 3 records"] * silent


def test_run_without_records_tells_no_expression(serve: Serve, tmp_path: Path) -> None:
    assert noticed(serve, tmp_path, [], {"note": "nowhere"}) == []


def test_required_field_that_no_record_has_is_told_with_its_expression(serve: Serve, tmp_path: Path) -> None:
    told = noticed(serve, tmp_path, [order(1)], {"total": "amount.gros"})
    assert told == ["source.fields.total: `amount.gros` found nothing in the only record"]


def test_null_stays_null_where_a_default_exists(serve: Serve, tmp_path: Path) -> None:
    api = serve(lambda asked: [order(1, note=None)])
    [item] = source(tmp_path, {"url": api.url}).items(Request(""))
    assert isinstance(item.outcome, dict)
    assert item.outcome["note"] is None


def test_record_that_does_not_fit_becomes_a_dead_letter_with_its_json(serve: Serve, tmp_path: Path) -> None:
    body = b'[{"id": 1, "total": 1.999, "changed": "2026-11-29T10:00:00Z", "big": 0.10000000000000000000001}, 5]'
    api = serve(lambda asked: Answer(body))
    first, second = source(tmp_path, {"url": api.url}).items(Request(""))
    assert isinstance(second.outcome, Rejection)
    assert second.outcome.reason == "INVALID_RECORD"
    letter = dead_letter.of(first.given, Rejection("X", "x"), topic="t", producer="p")
    assert letter.value == body[1:-4].replace(b", ", b",").replace(b": ", b":")


def test_api_that_changes_its_page_size_is_refused_with_the_page(serve: Serve, tmp_path: Path) -> None:
    sizes = {1: 3, 2: 2, 3: 3}

    def answer(asked: Asked) -> list[Any]:
        page = int(asked.params["page"])
        return [order(10 * page + number) for number in range(sizes.get(page, 0))]

    api = serve(answer)
    spec = {"url": api.url, "pagination": {"type": "page"}}
    found = source(tmp_path, spec)
    items = found.items(Request(""))
    assert [next(items).outcome["id"] for _ in range(8)] == [10, 11, 12, 20, 21, 30, 31, 32]  # type: ignore[index]
    with pytest.raises(ServiceError, match="page 1 has 3 records, page 2 has 2, and page 3 has 3") as caught:
        next(items)
    assert "uneven: true" in caught.value.fix
    assert len(ids(source(tmp_path, {**spec, "pagination": {"type": "page", "uneven": True}}))) == 8


def test_larger_page_is_refused_with_the_page(serve: Serve, tmp_path: Path) -> None:
    sizes = {1: 2, 2: 3}
    api = serve(
        lambda asked: [
            order(10 * int(asked.params["page"]) + n) for n in range(sizes.get(int(asked.params["page"]), 0))
        ]
    )
    with pytest.raises(ServiceError, match="page 2 has 3"):
        ids(source(tmp_path, {"url": api.url, "pagination": {"type": "page"}}))


def test_offset_survives_another_page_size_and_tells_it(serve: Serve, tmp_path: Path) -> None:
    def answer(asked: Asked) -> list[Any]:
        at = int(asked.params["offset"])
        return ORDERS[at : at + (1 if at == 2 else 2)]

    api = serve(answer)
    with structlog.testing.capture_logs() as logged:
        assert ids(source(tmp_path, {"url": api.url, "pagination": {"type": "offset"}})) == [1, 2, 3, 4, 5, 6, 7]
    told = [line["pages"] for line in logged if line["event"].startswith("the API changed its page size")]
    assert told == ["page 1 has 2 records, page 2 has 1, and page 3 has 2"]


@pytest.mark.parametrize(
    ("spec", "answer", "words"),
    [
        (
            {"pagination": {"type": "page"}},
            lambda asked: ORDERS[:3],
            "page 2 has the same records as page 1",
        ),
        (
            {"pagination": {"type": "page"}},
            lambda asked: ORDERS[:3] if asked.params["page"] in ("1", "3") else ORDERS[3:6],
            "page 3 has the same records as page 1",
        ),
        (
            {"records": "r", "pagination": {"type": "cursor", "next": "n"}},
            lambda asked: {"r": [order(len(asked.params.get("cursor", "")))], "n": "same"},
            "gives page 2 again after page 2: its cursor repeats",
        ),
        (
            {"pagination": {"type": "link"}},
            lambda asked: Answer(ORDERS[:1], headers={"Link": '</v1/orders>; rel="next"'}),
            "page 1 links back to page 1",
        ),
    ],
)
def test_api_that_repeats_a_page_is_refused_with_the_page(
    serve: Serve, tmp_path: Path, spec: dict[str, Any], answer: Callable[[Asked], Any], words: str
) -> None:
    with pytest.raises(ServiceError, match=words):
        ids(source(tmp_path, {"url": serve(answer).url, **spec}))


def test_api_that_never_ends_is_refused_with_the_page(serve: Serve, tmp_path: Path) -> None:
    api = serve(lambda asked: [order(int(asked.params["page"]))])
    with pytest.raises(ServiceError, match="page 4 is not the last"):
        ids(source(tmp_path, {"url": api.url, "max_pages": 4, "pagination": {"type": "page"}}))
    assert len(api.asked) == 4


def test_answer_that_never_ends_is_refused_with_the_page(serve: Serve, tmp_path: Path) -> None:
    api = serve(lambda asked: Answer(b"[" + b" " * 200_000 + b"]"))
    contracts = write_contract(tmp_path, {"url": api.url})
    spec = loading.load_one(contracts, "orders").spec.source
    from avro_data_contracts.producers.sources.environment import Environment
    from avro_data_contracts.producers.sources.http.pages import Ask

    client = Client(spec, Environment("f", {}), most_bytes=100_000)  # type: ignore[arg-type]
    with pytest.raises(ServiceError, match="the answer for page 7 is longer than 100000 bytes"):
        client.page(Ask(7), {})


def test_empty_page_is_asked_for_again(serve: Serve, tmp_path: Path) -> None:
    answers = iter([ORDERS[:2], [], ORDERS[2:4], [], []])
    api = serve(lambda asked: next(answers))
    assert ids(source(tmp_path, {"url": api.url, "pagination": {"type": "page"}})) == [1, 2, 3, 4]
    assert [asked.params["page"] for asked in api.asked] == ["1", "2", "2", "3", "3"]


def test_more_ends_the_pages_without_another_request(serve: Serve, tmp_path: Path) -> None:
    api = serve(lambda asked: {"r": by_page(asked), "page": int(asked.params["page"]), "of": 3})
    spec = {"url": api.url, "records": "r", "pagination": {"type": "page", "more": "page < of"}}
    assert ids(source(tmp_path, spec)) == [1, 2, 3, 4, 5, 6, 7]
    assert len(api.asked) == 3
    with pytest.raises(ServiceError, match="page 1 has nothing at `page < off`"):
        ids(source(tmp_path, {**spec, "pagination": {"type": "page", "more": "page < off"}}))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"data": []}, "no list of records at `items`: there is nothing"),
        ({"items": {"a": 1}}, "there is an object"),
        ({"error": "over quota"}, "answered with an error: over quota"),
        ([1], "there is nothing"),
    ],
)
def test_answer_without_records_is_refused(serve: Serve, tmp_path: Path, body: Any, words: str) -> None:
    with pytest.raises(ServiceError, match=words):
        ids(source(tmp_path, {"url": serve(lambda asked: body).url, "records": "items"}))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "is not JSON"),
        (b"\xff\xfe\xff", "is not JSON"),
        (b'[{"id": 1, "id": 2}]', "page 1 has an object with the same key twice"),
        (b'[{"id": NaN}]', "page 1 has NaN"),
        (json.dumps([order(1)]).encode("latin-1")[:-1] + b'\xe9"]', "is not JSON"),
    ],
)
def test_answer_that_is_not_json_is_refused(serve: Serve, tmp_path: Path, body: bytes, words: str) -> None:
    with pytest.raises(ServiceError, match=words):
        ids(source(tmp_path, {"url": serve(lambda asked: Answer(body)).url}))


def test_compressed_answer_that_is_cut_off_is_refused_with_the_page(serve: Serve, tmp_path: Path) -> None:
    whole = gzip.compress(json.dumps([order(number) for number in range(200)]).encode())

    def answer(asked: Asked) -> Answer:
        first = asked.params["page"] == "1"
        return Answer(whole if first else whole[: len(whole) // 2], headers={"Content-Encoding": "gzip"})

    found = source(tmp_path, {"url": serve(answer).url, "pagination": {"type": "page"}}).items(Request(""))
    assert len([next(found) for _ in range(200)]) == 200
    with pytest.raises(ServiceError, match="page 2"):
        next(found)


@pytest.mark.parametrize(
    ("value", "words"), [(2**63, "does not fit into 64 bits"), ("1", "is text"), (1.5, "fraction")]
)
def test_number_that_does_not_fit_is_refused_with_its_field(
    serve: Serve, tmp_path: Path, value: object, words: str
) -> None:
    api = serve(lambda asked: [order(1) | {"id": value}])
    one = source(tmp_path, {"url": api.url})
    [item] = one.items(Request(""))
    if isinstance(item.outcome, Rejection):
        why: Any = item.outcome
    else:
        with pytest.raises(Misfit) as caught:
            strict.compile_record(loading.load_one(tmp_path / "schemas", "orders").value.schema)(item.outcome)
        why = Rejection("INVALID_RECORD", caught.value.told("field"), field=caught.value.path)
    assert why.field == "id"
    assert words in why.what


def test_failure_that_passes_is_retried(serve: Serve, tmp_path: Path) -> None:
    answers = iter([Answer({"error": "busy"}, 503, {"Retry-After": "0"}), Answer([order(1)])])
    api = serve(lambda asked: next(answers))
    assert ids(source(tmp_path, {"url": api.url}, retries=1)) == [1]


def test_status_of_an_error_is_final(serve: Serve, tmp_path: Path) -> None:
    api = serve(lambda asked: Answer({"message": "no such list"}, 404))
    with pytest.raises(Refused, match="answered 404: no such list") as caught:
        ids(source(tmp_path, {"url": api.url}, retries=3))
    assert (caught.value.code, len(api.asked)) == (404, 1)


SECRET = "s3cr3t/+ü"
TOKEN = "t0ken-\\x"


def test_secrets_are_sent_and_never_shown(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", SECRET)
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    spec = {
        "params": {"api_key": "${SHOP_KEY}", "state": "all"},
        "headers": {"X-Api-Key": "key ${SHOP_TOKEN}"},
        "auth": {"bearer": "${SHOP_TOKEN}"},
    }
    answers = iter(
        [
            Answer(ORDERS[:1], headers={"Link": '</v1/orders?from=1>; rel="next"'}),
            Answer({"error": f"bad key {SECRET} and {TOKEN}"}, 401),
        ]
    )
    api = serve(lambda asked: next(answers))
    found = source(tmp_path, {"url": f"{api.url}/${{SHOP_KEY}}", **spec, "pagination": {"type": "link"}})
    with structlog.testing.capture_logs() as logged, pytest.raises(ConfigurationError) as caught:
        ids(found)
    first, second = api.asked
    assert (first.params["api_key"], second.params) == (SECRET, {"from": "1", "api_key": SECRET})
    assert first.headers["Authorization"] == f"Bearer {TOKEN}"
    assert second.headers["X-Api-Key"] == f"key {TOKEN}"
    shown = f"{caught.value} {found.where} {logged}"
    assert "SHOP_TOKEN" in str(caught.value)
    assert all(one not in shown for one in (SECRET, TOKEN, "s3cr3t"))


def test_basic_authentication_is_sent(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "pässword")
    api = serve(lambda asked: ORDERS)
    ids(source(tmp_path, {"url": api.url, "auth": {"basic": {"username": "me", "password": "${SHOP_PASSWORD}"}}}))
    assert api.asked[0].headers["Authorization"] == "Basic bWU6cMOkc3N3b3Jk"


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"Error 400: Bad Request\n\nBad starttime value\x1b[2J", "text/plain; charset=utf-8",
         r"answered 400: Error 400: Bad Request Bad starttime value\x1b[2J (page 1, sent "),
        (b'{"errors": [{"path": "starttime"}]}', "application/problem+json",
         'answered 400: {"errors":[{"path":"starttime"}]} (page 1, sent '),
        (b'{"message": "bad starttime"}', "application/json", "answered 400: bad starttime (page 1, sent "),
        (b"<html>Bad Request</html>", "text/html", "answered 400 (page 1, sent "),
        (b"", "text/plain", "answered 400 (page 1, sent "),
        (b"\xff\xfe", "application/octet-stream", "answered 400 (page 1, sent "),
        (b"x" * 5_000, "text/plain", f"answered 400: {'x' * 200}… (page 1, sent "),
        (b"[" * 5_000 + b"]" * 5_000, "application/json", "answered 400"),
    ],
)  # fmt: skip
def test_refused_request_shows_the_answer_and_what_was_sent(
    serve: Serve, tmp_path: Path, body: bytes, kind: str, words: str
) -> None:
    api = serve(lambda asked: Answer(body, 400, {"Content-Type": kind}))
    spec = {"url": f"{api.url}?state=all", "params": {"starttime": "2026-13-01", "note": "a\nb" + "c" * 80}}
    with pytest.raises(Refused) as caught:
        ids(source(tmp_path, spec))
    assert words in caught.value.what
    assert f"(page 1, sent state=all, starttime=2026-13-01, note=a b{'c' * 57}…)" in caught.value.what


def test_refused_request_shows_no_secret(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", SECRET)
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    monkeypatch.setenv("SHOP_PIN", "4711")
    spec = {
        "params": {"api_key": "${SHOP_KEY}", "q": "pin:${SHOP_PIN}", "state": "all"},
        "auth": {"basic": {"username": "me", "password": "${SHOP_TOKEN}"}},
    }
    sent: list[str] = []

    def answer(asked: Asked) -> Answer:
        sent.append(asked.headers["Authorization"].removeprefix("Basic "))
        body = {"got": [SECRET, {TOKEN: f"{TOKEN} {asked.headers['Authorization']}"}, 4711]}
        return Answer(body, 400) if "json" in asked.path else Answer(str(body["got"][0]).encode() + b" 4711 " +
                      sent[-1].encode(), 422, {"Content-Type": "text/plain"})  # fmt: skip

    api = serve(answer)
    for path in ("json", "text"):
        with pytest.raises(Refused) as caught:
            ids(source(tmp_path, {"url": f"{api.url}/{path}", **spec}))
        told = str(caught.value)
        assert "sent api_key=…, q=…, state=all" in told
        assert "${SHOP_KEY}" in told
        assert all(one not in told for one in (SECRET, "s3cr3t", TOKEN, "t0ken", "4711", sent[-1]))


def test_refused_request_names_a_cursor_without_its_value(serve: Serve, tmp_path: Path) -> None:
    answers = iter([Answer({"next": "secret-cursor", "rows": [order(1)]}), Answer({"message": "gone"}, 410)])
    api = serve(lambda asked: next(answers))
    paging = {"type": "cursor", "next": "next", "param": "page_token"}
    with pytest.raises(Refused, match=r"page 2, sent page_token=…\)"):
        ids(source(tmp_path, {"url": api.url, "records": "rows", "pagination": paging}))


@pytest.mark.parametrize(("value", "words"), [(None, "is not set"), ("", "is empty"), ("a\nb", "cannot be sent")])
def test_variable_that_is_missing_or_broken_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, words: str
) -> None:
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("SHOP_TOKEN", value)
    with pytest.raises(ConfigurationError, match=words) as caught:
        source(tmp_path, {"url": "http://127.0.0.1:1/", "headers": {"X-Api-Key": "${SHOP_TOKEN}"}})
    assert "SHOP_TOKEN" in str(caught.value)
    assert "a\nb" not in str(caught.value)


def test_variable_is_read_from_the_env_file(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("SHOP_TOKEN=from-file\n")
    api = serve(lambda asked: ORDERS)
    ids(source(tmp_path, {"url": api.url, "auth": {"bearer": "${SHOP_TOKEN}"}}))
    assert api.asked[0].headers["Authorization"] == "Bearer from-file"


@pytest.mark.parametrize("how", ["link", "redirect"])
def test_credentials_never_go_to_another_server(serve: Serve, tmp_path: Path, how: str) -> None:
    other = serve(lambda asked: [])

    def answer(asked: Asked) -> Answer:
        if how == "link":
            return Answer(ORDERS[:1], headers={"Link": f'<{other.url}>; rel="next"'})
        return Answer(None, 302, {"Location": other.url})

    with pytest.raises(ContractsError, match="another server"):
        ids(source(tmp_path, {"url": serve(answer).url, "pagination": {"type": "link"}}))
    assert other.asked == []


def test_redirect_on_the_same_server_is_followed(serve: Serve, tmp_path: Path) -> None:
    api = serve(
        lambda asked: ORDERS if asked.path.endswith("/") else Answer(None, 301, {"Location": "/v1/orders/?a=1"})
    )
    assert ids(source(tmp_path, {"url": api.url})) == [1, 2, 3, 4, 5, 6, 7]


def test_datasource_url_wins(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api = serve(lambda asked: ORDERS)
    monkeypatch.setenv("DATASOURCE_URL", api.url)
    assert len(ids(source(tmp_path, {"url": "https://shop.invalid/orders"}))) == 7
    monkeypatch.setenv("DATASOURCE_DEFAULT_URL", api.url)
    assert source(tmp_path, {"url": "https://shop.invalid/orders"}).where == "https://shop.invalid/orders"
    assert source(tmp_path, {"url": "https://randomuser.me/api/"}).where == api.url


def test_position_names_page_and_record(serve: Serve, tmp_path: Path) -> None:
    found = source(tmp_path, {"url": serve(by_page).url, "pagination": {"type": "page"}})
    assert found.position == ""
    ids(found, 5)
    assert found.position == "page 2, record 2"
