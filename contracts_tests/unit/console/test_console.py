"""The console over HTTP: who may see and do what, and what its pages say about the contracts on disk."""

from __future__ import annotations

import html
import json
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from avro_data_contracts.console import proposal, rendering
from avro_data_contracts.console.catalogue import Catalogue
from avro_data_contracts.console.kept import signature
from avro_data_contracts.console.pages.versions import of_verdict, row_of
from avro_data_contracts.console.web.catalogue_pages import CataloguePages
from avro_data_contracts.console.web.guard import LOGIN_BODY_S, MOST_BYTES, MOST_LOGIN_BYTES
from avro_data_contracts.contracts import settings
from avro_data_contracts.contracts.check.commits import History
from avro_data_contracts.contracts.check.examine import examine
from contracts_tests.fixtures.catalogued import (
    CONSUMERS,
    COUNTRY,
    EMAIL,
    ID,
    SINKS,
    commit,
    contract,
    record,
    repository,
    shop,
    write,
)
from contracts_tests.fixtures.console import RunningConsole, Visitor, running
from contracts_tests.fixtures.git import ENVIRONMENT, git
from contracts_tests.fixtures.html import Page


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    return shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def console(made: tuple[Path, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    with running(made[0], tmp_path_factory.mktemp("console") / "secret") as found:
        yield found


@pytest.fixture(scope="module")
def viewer(console: RunningConsole) -> Visitor:
    return console.signed_in()


PAGES = ["/index.html", "/contracts/orders.html", "/versions/orders.html", "/try.html", "/try.html?contract=orders"]


@pytest.mark.parametrize("path", [*PAGES, "/", "/search.json", "/logout", "/nothing.html"])
def test_nothing_is_shown_to_who_is_not_signed_in(console: RunningConsole, path: str) -> None:
    done = console.visitor().get(path, allow_redirects=False)
    if path.endswith(".json"):
        assert (done.status_code, done.json()) == (401, {"error": "signed out"})
    else:
        assert done.status_code == 303
        assert done.headers["location"].startswith("/login")
        assert done.text == ""


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_whole_and_show_who_is_signed_in(viewer: Visitor, path: str) -> None:
    done = viewer.get(path)
    assert done.status_code == 200
    page = Page.of(done.text)
    assert page.faults == []
    assert len(page.ids) == len(set(page.ids))
    assert len(page.of_tag("h1")) == 1
    assert "viewer" in page.texts
    assert not any("style" in attributes for _, attributes in page.elements)


@pytest.mark.parametrize("path", [*PAGES, "/login", "/static/style.css", "/nothing.html"])
def test_every_answer_has_the_headers_that_protect_it(viewer: Visitor, path: str) -> None:
    headers = viewer.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers
    is_file = path.startswith("/static/")
    assert headers["cache-control"] == ("public, max-age=31536000, immutable" if is_file else "no-store")


def test_files_of_a_page_are_there_and_need_no_session(console: RunningConsole, viewer: Visitor) -> None:
    page = Page.of(viewer.get("/contracts/orders.html").text)
    links = [str(one["href"]) for one in page.of_tag("link")] + [str(one["src"]) for one in page.of_tag("script")]
    assert links
    for link in links:
        assert link.startswith("../static/")
        done = console.visitor().get(link.removeprefix(".."), allow_redirects=False)
        assert done.status_code == 200, link
    for bad in ("/static/../accounts.py", "/static/..%2f..%2faccounts.py", "/static/nothing.css"):
        assert console.visitor().get(bad, allow_redirects=False).status_code in (303, 404), bad


def test_cookie_is_of_this_session_only_and_scripts_cannot_read_it(console: RunningConsole) -> None:
    visitor = console.visitor()
    done = visitor.post("/login", csrf="", name="viewer", password=console.accounts.passwords["viewer"])
    told = done.headers["set-cookie"]
    assert told.startswith(f"{console.cookie}=")
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=600"} <= set(told.split("; "))


@pytest.mark.parametrize(
    ("name", "password"), [("viewer", "wrong"), ("nobody", ""), ("", ""), ("viewer", ""), ("viewer", "\ud83d\x00")]
)
def test_wrong_password_is_refused_without_saying_which_part_is(
    tmp_path: Path, made: tuple[Path, list[str]], name: str, password: str
) -> None:
    with running(made[0], tmp_path / "secret") as console:
        body = f"name={name}&password=" + "".join(
            f"%{byte:02x}" for byte in password.encode("utf-8", "surrogatepass")
        )
        headers = {"Origin": console.url, "Content-Type": "application/x-www-form-urlencoded"}
        done = requests.post(f"{console.url}/login", body, headers=headers, timeout=10)
        assert done.status_code == 403
        assert "The account or the password is wrong." in done.text
        assert "set-cookie" not in done.headers


def test_many_wrong_passwords_stop_the_right_one_too(tmp_path: Path, made: tuple[Path, list[str]]) -> None:
    with running(made[0], tmp_path / "secret") as console:
        visitor = console.visitor()
        for _ in range(10):
            assert visitor.post("/login", csrf="", name="viewer", password="x").status_code == 403
        right = console.accounts.passwords["viewer"]
        done = visitor.post("/login", csrf="", name="viewer", password=right)
        assert done.status_code == 429
        assert re.search(r"wait \d+ s", done.text)


def test_login_ends_at_its_time_and_a_sign_out_ends_it_at_once(tmp_path: Path, made: tuple[Path, list[str]]) -> None:
    with running(made[0], tmp_path / "secret", lasts_s=1.0) as console:
        first, second = console.signed_in(), console.signed_in("operator")
        assert "operator" in second.get("/index.html").text
        assert first.get("/index.html", allow_redirects=False).status_code == 200
        kept = dict(first.http.cookies)
        assert first.post("/logout").status_code == 303
        assert second.get("/index.html", allow_redirects=False).status_code == 200, "the other one is still there"
        again = requests.get(f"{console.url}/index.html", cookies=kept, timeout=10, allow_redirects=False)
        assert again.status_code == 303, "a kept cookie of a session that was ended"
        time.sleep(1.1)
        assert second.get("/index.html", allow_redirects=False).headers["location"] == "/login"


def test_cookie_that_somebody_made_opens_nothing(console: RunningConsole, viewer: Visitor) -> None:
    [real] = viewer.http.cookies
    assert real.value is not None
    changed = "B" if real.value[30] == "A" else "A"
    for value in (
        f"{real.value[:30]}{changed}{real.value[31:]}",
        real.value.partition(".")[0],
        "",
        ".",
        "a.b",
        real.value * 2,
    ):
        done = requests.get(
            f"{console.url}/index.html", cookies={console.cookie: value}, timeout=10, allow_redirects=False
        )
        assert done.status_code == 303, value


@pytest.mark.parametrize("path", ["/try.html", "/logout"])
def test_form_needs_the_token_of_its_session(console: RunningConsole, viewer: Visitor, path: str) -> None:
    other = console.signed_in("operator")
    for token in ("", "wrong", other.csrf):
        done = viewer.post(path, csrf=token, contract="orders", avsc="1")
        assert done.status_code == 403, token
    assert viewer.get("/index.html", allow_redirects=False).status_code == 200, "nobody was signed out"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "HTTPS"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "OWN"},
        {},
    ],
)
def test_form_of_another_page_is_refused(viewer: Visitor, headers: dict[str, str]) -> None:
    told = {
        name: {"OWN": viewer.url, "HTTPS": viewer.url.replace("http", "https")}.get(value, value)
        for name, value in headers.items()
    }
    assert viewer.post("/try.html", headers=told, contract="orders", avsc="1").status_code == 403
    assert viewer.post("/login", headers=told, name="viewer", password="x").status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", ""])
def test_name_of_somebody_else_that_leads_here_is_refused(console: RunningConsole, host: str) -> None:
    done = requests.get(f"{console.url}/login", headers={"Host": host}, timeout=10, allow_redirects=False)
    assert done.status_code in (400, 421)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY"])
def test_other_methods_are_refused(viewer: Visitor, method: str) -> None:
    done = viewer.http.request(method, f"{viewer.url}/index.html", timeout=10, allow_redirects=False)
    assert done.status_code in (400, 405)


@pytest.mark.parametrize(
    "after", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "", "\r\nX: y"]
)
def test_login_leads_to_no_other_host(console: RunningConsole, after: str) -> None:
    password = console.accounts.passwords["viewer"]
    done = console.visitor().post("/login", csrf="", name="viewer", password=password, next=after)
    assert done.headers["location"] == "/index.html"


def test_login_leads_back_to_the_page_that_was_asked_for(console: RunningConsole) -> None:
    visitor = console.visitor()
    page = Page.of(visitor.get("/versions/orders.html?from=abc").text)
    [after] = [one["value"] for one in page.of_tag("input") if one.get("name") == "next"]
    password = console.accounts.passwords["viewer"]
    done = visitor.post("/login", csrf="", name="viewer", password=password, next=str(after))
    assert done.headers["location"] == "/versions/orders.html?from=abc"


def test_form_that_is_too_long_is_refused(viewer: Visitor) -> None:
    assert viewer.post("/try.html", contract="orders", avsc="x" * (MOST_BYTES + 1)).status_code == 413

    def parts() -> Iterator[bytes]:
        for _ in range(MOST_BYTES // 65536 + 2):
            yield b"x" * 65536

    told = {"Origin": viewer.url}
    try:
        done = viewer.http.post(f"{viewer.url}/try.html", parts(), headers=told, timeout=30)
        assert done.status_code == 413
    except requests.ConnectionError:
        pass  # the server hung up before all of it was sent


def half(console: RunningConsole, path: str, told: int, sent: bytes = b"") -> socket.socket:
    """A connection that has sent a form's head, and a part of its body."""
    host = console.url.removeprefix("http://")
    made = socket.create_connection((host.rpartition(":")[0], int(host.rpartition(":")[2])), timeout=20)
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {console.url}\r\nContent-Length: {told}\r\n\r\n"
    made.sendall(head.encode() + sent)
    return made


@pytest.mark.parametrize(
    ("path", "told", "answer"),
    [
        ("/try.html", MOST_BYTES, b"303"),
        ("/records/orders.html", 10, b"303"),
        ("/logout", MOST_BYTES + 1, b"303"),
        ("/login", MOST_LOGIN_BYTES + 1, b"413"),
        ("/login", 100, b"408"),
    ],
)
def test_body_of_nobody_is_not_waited_for(console: RunningConsole, path: str, told: int, answer: bytes) -> None:
    with half(console, path, told) as connection:
        assert connection.recv(64).split()[1] == answer
        while connection.recv(4096):
            pass  # the server ends the connection


def test_many_halves_of_logins_keep_nobody_out(console: RunningConsole, viewer: Visitor) -> None:
    halves = [half(console, "/login", 100, b"name=viewer&password=x") for _ in range(300)]
    try:
        deadline = time.monotonic() + LOGIN_BODY_S / 2
        while (code := viewer.get("/index.html").status_code) != 200:
            assert time.monotonic() < deadline, code
    finally:
        for one in halves:
            one.close()


def test_login_that_breaks_off_is_no_attempt(tmp_path: Path, made: tuple[Path, list[str]]) -> None:
    with running(made[0], tmp_path / "secret") as console:
        for _ in range(12):
            half(console, "/login", 100, b"name=viewer&password=x").close()
        time.sleep(0.5)
        assert console.sessions.wait_s == 0
        assert console.signed_in().get("/index.html").status_code == 200


def test_search_without_a_script_hides_what_does_not_match(viewer: Visitor) -> None:
    found = viewer.get("/index.html", params={"q": "field:email tag:pii"}).text
    page = Page.of(found)
    assert "1 contract" in page.text
    assert "email" in page.text
    assert "read by mailer" in page.text
    none = Page.of(viewer.get("/index.html", params={"q": "field:nothing <script>"}).text)
    assert "0 of 1 contracts" in none.text
    assert all("hidden" in one for one in none.of_tag("li") if one.get("class") == "contract")


def test_index_of_the_search_has_owner_and_readers(viewer: Visitor) -> None:
    [entry] = viewer.get("/search.json").json()
    assert entry["owner"] == "shop"
    assert {one["path"]: one["readers"] for one in entry["fields"]} == {"id": [], "email": ["mailer"], "country": []}


@pytest.mark.parametrize("number", [0, 1])
def test_any_two_versions_are_compared(viewer: Visitor, made: tuple[Path, list[str]], number: int) -> None:
    first, second = made[1]
    pairs = [(first, second), (second, first)]
    wait_for(viewer, "/versions/orders.html", "the contract")
    old, new = pairs[number]
    text = Page.of(viewer.get("/versions/orders.html", params={"from": old, "to": new}).text).text
    assert f"From {old[:9]} to {new[:9]}" in text
    section = text[text.index("From ") : text.index("Each version")]
    if number == 0:
        assert 'ADD COLUMN IF NOT EXISTS "country" text' in section
    else:
        assert "country stays in the table, but nothing writes to it" in section


def test_versions_of_a_moved_contract_are_compared_by_their_names_then(tmp_path: Path) -> None:
    schemas, spec = repository(tmp_path), contract(sinks=SINKS)
    price = {"name": "price", "type": "long"}
    write(schemas, "old", spec, record(ID, EMAIL))
    write(schemas, "other", contract(topic="other"), record(ID).replace("Order", "Other"))
    first = commit(schemas, "one")
    write(schemas, "old", spec, record(ID, EMAIL, price))
    second = commit(schemas, "a price")
    git(schemas, "mv", "old", "new")
    third = commit(schemas, "moved")
    write(schemas, "other", contract(topic="other", owner="new"), record(ID).replace("Order", "Other"))
    fourth = commit(schemas, "not of this contract")
    with running(schemas, tmp_path / "secret") as console:
        viewer = console.signed_in()
        wait_for(viewer, "/versions/new.html", "a price")
        for old, new in ((first, second), (first, third), (first, "")):
            done = viewer.get("/versions/new.html", params={"from": old, "to": new})
            text = Page.of(done.text).text
            section = text[text.index(f"From {old[:9]}") : text.index("Each version")]
            assert "READER_FIELD_MISSING_DEFAULT_VALUE" in section, (old, new)
        done = viewer.get("/versions/new.html", params={"from": fourth, "to": fourth})
        assert done.status_code == 400
        assert "is a version of new" in done.text


def test_approvals_of_a_comparison_are_those_of_its_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schemas = repository(tmp_path)
    approval = {"rule": "READER_FIELD_MISSING_DEFAULT_VALUE", "path": "price", "reason": "ok", "until": "2020-02-01"}
    commits = []
    for day, fields, spec in (
        ("2020-01-01", (ID,), contract()),
        ("2020-01-10", (ID, {"name": "price", "type": "long"}), contract(approvals=[approval])),
    ):
        for name in ("GIT_COMMITTER_DATE", "GIT_AUTHOR_DATE"):
            monkeypatch.setitem(ENVIRONMENT, name, f"{day}T12:00:00Z")
        write(schemas, "orders", spec, record(*fields))
        commits.append(commit(schemas, day))
    history = History(schemas)
    [compared] = history.between(*commits)
    [step] = [step for step in history.steps() if step.commit and step.commit.sha == commits[1]]
    assert row_of(compared) == row_of(step.versions[0])
    assert row_of(compared).outcome == "fine"
    assert row_of(history.between(commits[0], None)[0]).outcome == "refused", "today it is over"


@pytest.mark.parametrize("value", ["HEAD", "-x", "--output=/tmp/x", "main", "0" * 39, "g" * 40])
def test_version_that_is_no_hash_reaches_no_git(viewer: Visitor, value: str) -> None:
    done = viewer.get("/versions/orders.html", params={"from": value})
    assert done.status_code == 400
    assert "a version is the whole hash of a commit" in done.text


def test_hash_that_git_does_not_know_is_told(viewer: Visitor) -> None:
    done = viewer.get("/versions/orders.html", params={"from": "0" * 40})
    assert done.status_code == 400
    assert "git has no commit" in done.text


def tried(viewer: Visitor, text: str) -> Page:
    done = viewer.post("/try.html", contract="orders", avsc=text)
    assert done.status_code == 200, done.text
    return Page.of(done.text)


def test_schema_that_somebody_thinks_of_gets_its_verdict(viewer: Visitor, made: tuple[Path, list[str]]) -> None:
    before = (made[0] / "orders" / "value.avsc").read_text()
    price = {"name": "price", "type": "long"}
    refused = tried(viewer, record(ID, EMAIL, COUNTRY, price)).text
    assert "Not safe: contracts check refuses it (1 error)." in refused
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in refused
    assert "Deploy: producers first" in refused
    good = tried(viewer, record(ID, EMAIL, COUNTRY, {**price, "type": ["null", "long"], "default": None})).text
    assert "Safe: contracts check finds nothing against it." in good
    assert 'ADD COLUMN IF NOT EXISTS "price" bigint' in good
    assert "Lint" in good, "the new field has no doc"
    assert "mailer (mail-team): breaks" in tried(viewer, record(ID, COUNTRY)).text
    assert "Nothing changes." in tried(viewer, before).text
    assert (made[0] / "orders" / "value.avsc").read_text() == before


def says(schemas: Path, name: str, text: str, against: str | None = None) -> dict[str, tuple[str, set[str]]]:
    """The verdict of the page: contract -> outcome and rules."""
    judged = proposal.judge(Catalogue.read(schemas), schemas, name, text, against)
    return {each: (row.outcome, {one.rule for one in row.findings}) for each, row in judged.rows.items()}


def checked(schemas: Path, path: str, text: str, against: str | None = None) -> dict[str, tuple[str, set[str]]]:
    """The same of `contracts check`, once the text is in the file."""
    before = (schemas / path).read_text()
    (schemas / path).write_text(text)
    try:
        _, found = examine(schemas, against, (), datetime.now(UTC).date(), settings.load)
    finally:
        (schemas / path).write_text(before)
    rows = {one.contract: of_verdict(one) for one in found.verdicts if one.status != "unchanged"}
    return {each: (row.outcome, {one.rule for one in row.findings}) for each, row in rows.items()}


@pytest.mark.parametrize("against", [None, "HEAD"])
def test_verdict_is_that_of_check_on_every_contract_and_baseline(tmp_path: Path, against: str | None) -> None:
    schemas, _ = shop(tmp_path)
    write(schemas, "bills", contract(topic="bills", value="../orders/value.avsc", compatibility="FULL"), "")
    (schemas / "bills" / "value.avsc").unlink()
    commit(schemas, "two contracts of one schema")
    git(tmp_path, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(schemas, "checkout", "-qb", "feature")
    price = {"name": "price", "type": "long"}
    (schemas / "orders" / "value.avsc").write_text(record(ID, EMAIL, COUNTRY, price))
    commit(schemas, "a price on the branch")
    for fields in ((ID, EMAIL, COUNTRY, price), (ID, COUNTRY), (ID, EMAIL, COUNTRY)):
        text = record(*fields)
        assert says(schemas, "orders", text, against) == checked(schemas, "orders/value.avsc", text, against)
    on_branch = says(schemas, "orders", record(ID, EMAIL, COUNTRY, price), against)
    assert list(on_branch) == ([] if against else ["orders", "bills"])
    assert all(outcome == "refused" for outcome, _ in on_branch.values())
    if not against:
        with running(schemas, tmp_path / "secret") as console:
            text = tried(console.signed_in(), record(ID, EMAIL, COUNTRY, price)).text
            assert "bills" in text[text.index("Verdict") :]
            assert "the merge base with origin/main" in text


@pytest.mark.parametrize("doc", ["plain", "a \u200fmark\u202e of direction", 'a tab\\t, & <b> "quotes"', "\x85"])
def test_schema_can_be_checked_again_and_again(viewer: Visitor, doc: str) -> None:
    schema = json.loads(record(ID, EMAIL, {**COUNTRY, "doc": doc}))
    text = json.dumps(schema, indent=2, ensure_ascii=False)
    for _ in range(3):
        done = viewer.post("/try.html", contract="orders", avsc=text.replace("\n", "\r\n"))
        assert "It cannot be read." not in done.text
        found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", done.text, re.DOTALL)
        assert found is not None
        assert html.unescape(found[1]) == text
        text = html.unescape(found[1])


@given(st.text(max_size=30))
@example("\u200f\u202e \x85 \\x0d ' \" & <")
def test_value_of_a_form_comes_back_as_it_was_typed(text: str) -> None:
    text = text.replace("\r", "").replace("\0", "").encode("utf-8", "replace").decode()
    shown = rendering._environment().from_string('<input value="{{ one | exact }}">{{ one }}').render(one=text)
    [field] = Page.of(shown).of_tag("input")
    assert field["value"] == text


def test_every_form_and_attribute_has_its_exact_value() -> None:
    for path in (rendering.HERE / "templates").glob("*.html"):
        for found in re.findall(r'(?:value|data-[a-z]+)="[^"]*"', path.read_text()):
            for value in re.findall(r"\{\{ (.*?) \}\}", found):
                assert value.startswith("site.") or value == "name" or "| exact" in value or "slug" in value, (
                    path,
                    found,
                )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        '{"type": "record"}',
        "\x00",
        "<script>alert(1)</script>",
        "\ufeff{}",
        '"' + "x" * 10_000,
        "[" * 5_000,
    ],
)
def test_text_that_is_no_schema_is_told_and_harms_nothing(viewer: Visitor, text: str) -> None:
    page = tried(viewer, text)
    assert "It cannot be read." in page.text
    assert page.faults == []
    assert not [one for one in page.of_tag("script") if "src" not in one]


def test_contract_that_is_not_there_is_told(viewer: Visitor) -> None:
    for path in ("/contracts/nothing.html", "/versions/nothing.html", "/nothing", "/try.html?contract=nothing"):
        assert viewer.get(path).status_code == 404, path
    assert viewer.post("/try.html", contract="nothing", avsc="1").status_code == 404


def wait_for(viewer: Visitor, path: str, text: str) -> str:
    deadline = time.monotonic() + 20
    while text not in (found := viewer.get(path).text):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def test_pages_follow_the_files_and_the_commits(tmp_path: Path) -> None:
    schemas, _ = shop(tmp_path)
    spec = contract(sinks=SINKS, consumers=CONSUMERS)
    with running(schemas, tmp_path / "secret") as console:
        viewer = console.signed_in()
        wait_for(viewer, "/versions/orders.html", "a country")
        write(schemas, "orders", spec, record(ID, EMAIL))
        wait_for(viewer, "/versions/orders.html", "not committed yet")
        commit(schemas, "country is gone")
        found = Page.of(wait_for(viewer, "/versions/orders.html", "country is gone")).text
        assert "not committed yet" not in found
        write(schemas, "second", contract(topic="second", owner="other"), record(ID))
        wait_for(viewer, "/index.html", "2 contracts")
        (schemas / "second" / "value.avsc").write_text("{")
        wait_for(viewer, "/index.html", "second/value.avsc")
        for path in ("orders/contract.yaml", "second/contract.yaml"):
            (schemas / path).rename(schemas / f"{path}.old")
        assert "these are those of before" in wait_for(viewer, "/index.html", "cannot be read as they are now")
        for path in ("orders/contract.yaml", "second/contract.yaml"):
            (schemas / f"{path}.old").rename(schemas / path)
        wait_for(viewer, "/index.html", "second/value.avsc")


@pytest.mark.parametrize(
    "place", ["orders/value.avsc", "orders/contract.yaml", "linked/value.avsc", "linked/below/a.avsc"]
)
def test_change_is_seen_whatever_links_are_beside_it(tmp_path: Path, place: str) -> None:
    schemas, _ = shop(tmp_path)
    write(tmp_path / "elsewhere", "below", contract(topic="linked"), record(ID))
    (tmp_path / "elsewhere" / "value.avsc").write_text(record(ID))
    (tmp_path / "elsewhere" / "below" / "a.avsc").write_text(record(ID))
    (schemas / "linked").symlink_to(tmp_path / "elsewhere")
    (schemas / "linked" / "round").symlink_to(schemas)
    (schemas / "orders" / ".#value.avsc").symlink_to("somebody@host.123:4")
    before = signature(schemas)
    assert signature(schemas) == before
    path = schemas / place
    path.write_text(path.read_text() + "\n")
    changed = signature(schemas)
    assert changed != before
    (schemas / "orders" / ".#value.avsc").unlink()
    assert signature(schemas) != changed


def test_first_page_finds_everything_made(tmp_path: Path) -> None:
    schemas, _ = shop(tmp_path)
    with running(schemas, tmp_path / "secret") as console:
        catalogue = console.kept.snapshot.catalogue
        assert catalogue is not None
        assert {"pages", "by_slug", "index"} <= set(vars(catalogue)), "cached before anybody asks"
        cache = rendering._environment().cache
        assert cache is not None
        assert len(cache) == len(list((rendering.HERE / "templates").glob("*.html")))


def test_page_that_fails_says_so_and_logs_no_values(
    tmp_path: Path, made: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with running(made[0], tmp_path / "secret") as console:
        viewer = console.signed_in()
        monkeypatch.setattr(CataloguePages, "catalogue", property(lambda self: {}["secret value"]))
        capfd.readouterr()
        done = viewer.get("/index.html")
        assert done.status_code == 500
        assert "This is a bug of the console" in done.text
        assert "secret value" not in done.text
        assert done.headers["content-security-policy"]
        logged = "".join(capfd.readouterr())
        assert "a page failed" in logged
        assert "KeyError" in logged
        assert "secret value" not in logged
        assert "Traceback" not in logged


def test_passwords_are_in_a_file_of_its_owner_and_last(tmp_path: Path, made: tuple[Path, list[str]]) -> None:
    with running(made[0], tmp_path / "secret") as console:
        first = dict(console.accounts.passwords)
    path = tmp_path / "secret" / "accounts.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(path.read_text()) == first
    assert all(len(one) >= 24 for one in first.values())
    with running(made[0], tmp_path / "secret") as console:
        assert console.accounts.passwords == first
