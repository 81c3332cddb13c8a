"""`source:` of contract.yaml is checked offline; each fault is told at its line, and no secret is repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from avro_data_contracts.contracts.catalog import loading
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.sources.http.spec import COERCIONS, EPOCHS
from avro_data_contracts.contracts.sources.known import SOURCES
from avro_data_contracts.producers.plain.asked import NAMES
from avro_data_contracts.producers.plain.epochs import UNITS
from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.contract_files import CONTRACT, record

URL = "https://shop.example/v1/orders"
VALUE = record(("id", "string"), ("total", "long"))


def load(source: Any, *, text: str = "") -> Any:
    text = text or CONTRACT + yaml.safe_dump({"source": source}, sort_keys=False)
    files = {"orders/contract.yaml": text, "orders/value.avsc": VALUE}
    return loading.from_files(files, "schemas").contracts["orders"].spec.source


@pytest.mark.parametrize(
    "source",
    [
        {"url": URL},
        {"api": "http", "url": URL},
        {"url": f"{URL}?state=all&api_key=${{KEY}}"},
        {"url": "http://127.0.0.1:8000/${TENANT}/orders"},
        {"url": URL, "headers": {"Authorization": "Bearer ${TOKEN}"}},
        {"url": URL, "headers": {"X-Api-Key": "${KEY}", "Accept-Language": "de"}},
        {"url": URL, "auth": {"bearer": "${TOKEN}"}},
        {"url": URL, "auth": {"basic": {"username": "me", "password": "${PASSWORD}"}}},
        {"url": URL, "records": "data.items[?kind == 'order']", "fields": {"id": "to_string(number)"}},
        {"url": URL, "coerce": ["epoch", "epoch=s", "zone=Europe/Vienna"]},
        {"url": URL, "pagination": {"type": "cursor", "next": "meta.next", "more": "meta.more"}},
        {"url": URL, "incremental": {"cursor": "changed", "order": "ascending"}, "count": 5},
        {"python": "shop.orders:read"},
        {"api": "randomuser"},
    ],
)
def test_valid_source_is_read(source: dict[str, Any]) -> None:
    assert load(source) is not None


def test_defaults_read_everything_in_one_request() -> None:
    found = load({"url": URL, "params": {"all": True, "size": 3}})
    assert (found.count, found.records, found.pagination, found.incremental) == (None, "@", None, None)
    assert found.params == {"all": "true", "size": "3"}
    assert load({"api": "randomuser"}).count == 1000


SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ({"url": URL, "records": "data.["}, 11, "source.records: 'data.[' is not JMESPath"),
        ({"url": URL, "records": ""}, 11, "source.records: is empty"),
        ({"url": URL, "records": "items(@)"}, 11, "items() is not a function of JMESPath"),
        ({"url": URL, "records": "length()"}, 11, "length() takes 1 arguments, not 0"),
        ({"url": URL, "fields": {"id": "a", "total": "b[["}}, 13, "source.fields.total: 'b[[' is not JMESPath"),
        ({"url": URL, "fields": {"id": "a", "totl": "b"}}, 13, "source.fields.totl: the value has no field 'totl'"),
        ({"url": "shop.example/orders"}, 10, "source.url: is not an http or https address"),
        ({"url": "file:///etc/passwd"}, 10, "source.url: is not an http or https address"),
        ({"url": "http://[::1"}, 10, "source.url: is not an http or https address"),
        ({"url": "${URL}"}, 10, "source.url: is not an http or https address"),
        ({"url": f"{URL}#top"}, 10, "source.url: has a # in it"),
        ({"url": f"https://me:{SECRET}@shop.example/"}, 10, "source.url: names an account"),
        ({"url": f"{URL}?api_key={SECRET}"}, 10, "source.url: holds a secret that is written out"),
        (
            {"url": URL, "params": {"a": "1", "access_token": SECRET}},
            13,
            "source.params.access_token: holds a secret",
        ),
        ({"url": URL, "headers": {"Authorization": f"Bearer {SECRET}"}}, 12, "source.headers.Authorization: holds"),
        ({"url": URL, "headers": {"X-Shop": f"ghp_{SECRET}"}}, 12, "source.headers.X-Shop: holds a secret"),
        ({"url": URL, "headers": {"X-Shop-Token": SECRET}}, 12, "source.headers.X-Shop-Token: holds a secret"),
        ({"url": URL, "headers": {"X-Shop": "${a b}"}}, 12, "names no environment variable"),
        ({"url": URL, "headers": {"X Shop": "1"}}, 12, "source.headers.X Shop: is not the name of a header"),
        (
            {"url": URL, "auth": {"bearer": SECRET}},
            12,
            "source.auth.bearer: is not the name of an environment variable",
        ),
        ({"url": URL, "auth": {"bearer": f"{SECRET}${{A}}"}}, 12, "source.auth.bearer: is not the name"),
        (
            {"url": URL, "auth": {"basic": {"username": "me", "password": SECRET}}},
            14,
            "source.auth.basic.password: is",
        ),
        ({"url": URL, "auth": {}}, 11, "source.auth: write either `bearer` or `basic`"),
        (
            {"url": URL, "pagination": {"type": "pages"}},
            12,
            "'pages' is not a way to page; valid names here: page, off",
        ),
        ({"url": URL, "pagination": {"param": "page"}}, 11, "source.pagination.type: is missing"),
        ({"url": URL, "pagination": {"type": "page", "sise": 1}}, 13, "unknown key 'source.pagination.sise'"),
        ({"url": URL, "pagination": {"type": "cursor"}}, 11, "source.pagination.next: is missing"),
        ({"url": URL, "pagination": {"type": "link", "next": "a."}}, 13, "source.pagination.next: 'a.' is not"),
        ({"url": URL, "params": {"page": 1}, "pagination": {"type": "page"}}, 9, "the parameter page is in `params`"),
        ({"url": URL, "incremental": {"cursor": "c"}, "count": 5}, 9, "each run would read the same first records"),
        (
            {"url": URL, "incremental": {"cursor": "c", "order": "up"}},
            13,
            "source.incremental.order: input should be",
        ),
        ({"url": URL, "coerce": ["numbers", "all"]}, 13, "source.coerce.1: 'all' is not known; valid names here"),
        ({"url": URL, "count": 0}, 11, "source.count: input should be greater"),
        ({"url": URL, "count": "many"}, 11, "source.count: 'many' is neither a number nor `all`"),
        ({"url": URL, "max_pages": 0}, 11, "source.max_pages: input should be greater"),
        ({"python": "shop.orders"}, 10, "source.python: 'shop.orders' is not a function: write module:function"),
        ({"python": "shop/orders.py:read"}, 10, "source.python: 'shop/orders.py:read' is not a function"),
        ({"count": 5}, 9, "write `url: …` or `python: …` or `api: randomuser`"),
    ],
)
def test_invalid_source_is_refused_at_its_line(source: dict[str, Any], line: int, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(source)
    assert words in caught.value.what
    assert caught.value.where == f"schemas/orders/contract.yaml:{line}"
    assert SECRET not in str(caught.value)


def test_unknown_key_lists_the_keys_of_its_pagination() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({"url": URL, "pagination": {"type": "offset", "sise": 1}})
    assert caught.value.fix == "valid names here: type, more, param, start, size_param, size"


def test_lint_reports_an_unreadable_source_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "schemas" / "orders"
    folder.mkdir(parents=True)
    (folder / "value.avsc").write_text(VALUE)
    (folder / "contract.yaml").write_text(CONTRACT + "source:\n  url: https://shop.example/\n  fields: {totl: a}\n")
    monkeypatch.chdir(tmp_path)
    done = run_contracts("lint")
    assert done.returncode == 2, done.stdout
    assert "UNREADABLE" in done.stdout
    assert "schemas/orders/contract.yaml:11" in done.stdout
    assert "the value has no field 'totl'" in done.stdout


def test_coercions_are_those_of_the_producer() -> None:
    assert {*COERCIONS, "zone"} == set(NAMES)
    assert tuple(f"epoch={unit}" for unit in UNITS) == EPOCHS


def test_every_way_to_name_a_source_finds_its_model() -> None:
    told = [model.told_by for model in SOURCES.values() if model.told_by]
    assert sorted(told) == ["python", "url"]
    assert [name for name, model in SOURCES.items() if not model.told_by] == ["randomuser"]
