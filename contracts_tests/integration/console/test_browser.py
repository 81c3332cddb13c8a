"""The catalogue and the console in a real browser: wide and narrow, light and dark, by keyboard, without scripts."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from avro_data_contracts.console import site
from avro_data_contracts.console.pages.overview import Query, search
from avro_data_contracts.contracts.catalog.addresses import slug
from contracts_tests.fixtures.browser import Watched, chromium
from contracts_tests.fixtures.catalogued import COUNTRY, EMAIL, ID, SINKS, commit, contract, record, repository, write
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.console import RunningConsole, running
from contracts_tests.fixtures.quiet_server import QuietServer

HOSTILE = (
    "<script>window.__ran = 1</script>",
    "</script><img src=x onerror='window.__ran = 1'>",
    '" autofocus onfocus="window.__ran = 1',
    "<svg/onload=window.__ran=1>",
    "javascript:window.__ran=1",
    "{{ 7 * 7 }}",
    "漢字 かな 한글 עברית العربية हिन्दी ไทย 😀",
    "\u202eevil\u202c",
    "w" * 300,
)
TEXT = " ".join(HOSTILE)
ODD = "odd 漢字 עברית \"onmouseover=alert(1)' <script>"


def made(folder: Path) -> Path:
    """Contracts with several versions, and one with markup in every text."""
    schemas = repository(folder)
    consumers = [{"name": "mailer", "owner": "mail-team", "fields": ["email"]}]
    spec = contract(sinks=SINKS, consumers=consumers, description="What people buy.")
    write(schemas, "orders", spec, record(ID, EMAIL))
    write(schemas, "users", contract(topic="users", owner="people"), record(ID, {"name": "name", "type": "string"}))
    commit(schemas, "the contracts")
    write(schemas, "orders", spec, record(ID, EMAIL, COUNTRY))
    commit(schemas, "a country")
    fields = [
        {"name": "id", "type": "string", "doc": TEXT, "confluent:tags": list(HOSTILE)},
        {"name": "note", "type": ["string", "null"], "default": TEXT, "doc": TEXT},
    ]
    rules = [{"name": "told", "field": "note", "one_of": list(HOSTILE), "description": TEXT}]
    odd = contract(topic="odd", owner=TEXT, description=TEXT, consumers=[{"name": TEXT, "owner": TEXT}], rules=rules)
    write(schemas, ODD, odd, record(*fields, doc=TEXT))
    commit(schemas, TEXT)
    write(schemas, "users", contract(topic="users", owner="people"), record(ID))
    return schemas


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def written(schemas: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "out"
    site.write(schemas, out)
    return out


@pytest.fixture(scope="module")
def catalogue(written: Path) -> Iterator[str]:
    """The address of the static catalogue."""
    server = QuietServer(("127.0.0.1", 0), partial(Quiet, directory=str(written)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def console(schemas: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    with running(schemas, tmp_path_factory.mktemp("console") / "secret") as found:
        yield found


def sign_in(page: Page, console: RunningConsole, name: str = "viewer") -> None:
    page.goto(f"{console.url}/index.html")
    page.get_by_label("Account").fill(name)
    page.get_by_label("Password").fill(console.accounts.passwords[name])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Contracts")


CATALOGUE = ["index.html", "contracts/orders.html", "versions/orders.html", "versions/users.html"]
CATALOGUE += [f"contracts/{slug(ODD)}.html", f"versions/{slug(ODD)}.html", "index.html?q=email"]
CONSOLE = [*CATALOGUE, "live.html", "records.html", "try.html?contract=orders", "nothing.html"]
SIZES = {"phone": (360, 740), "wide": (1440, 900)}


def visit(watched: Watched, address: str) -> None:
    watched.page.goto(address)
    watched.page.wait_for_load_state("networkidle" if "/live" not in address else "load")


def examined(watched: Watched, top: str, paths: list[str]) -> list[str]:
    """Everything that is wrong with these pages."""
    found = []
    for path in paths:
        visit(watched, f"{top}/{path}")
        for details in watched.page.locator("details:not([open]) > summary").all():
            details.click()
        problems = (*watched.violations(), *watched.too_wide(), *watched.violations_in_the_dark())
        found += [f"{path}: {one}" for one in problems]
        assert watched.page.evaluate("window.__ran") is None, path
    return found + watched.faults


def test_examination_finds_what_is_wrong(browser: Browser) -> None:
    """Otherwise the two tests below could pass without looking."""
    with browser.new_context(viewport={"width": 360, "height": 740}) as context:
        watched = Watched.of(context)
        wide = "<p style='width: 500px; color: #aaa; background: #fff'>words</p>"
        dark = (
            "<style>@media (prefers-color-scheme: dark) { b { color: #333; background: #000; } }</style><b>bold</b>"
        )
        text = f"<main>{dark}{wide}<input><script>alert(1)</script></main>"
        watched.page.set_content(f"<html lang=en><title>t</title>{text}")
        watched.page.wait_for_timeout(200)
        rules = {one.partition(":")[0] for one in watched.violations()}
        assert rules >= {"color-contrast", "label"}
        in_the_dark = watched.violations_in_the_dark()
        assert [one for one in in_the_dark if one.startswith("dark: color-contrast: b:")] != []
        assert watched.too_wide()
        assert watched.faults == ["dialog 1"]


@pytest.mark.parametrize("size", SIZES)
def test_catalogue_is_accessible_and_fits_and_runs_nothing_of_the_data(
    browser: Browser, catalogue: str, size: str
) -> None:
    width, height = SIZES[size]
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        assert examined(Watched.of(context), catalogue, CATALOGUE) == []


@pytest.mark.parametrize("size", SIZES)
def test_console_is_accessible_and_fits_and_runs_nothing_of_the_data(
    browser: Browser, console: RunningConsole, size: str
) -> None:
    width, height = SIZES[size]
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        watched = Watched.of(context)
        assert examined(watched, console.url, ["login"]) == []
        sign_in(watched.page, console)
        assert examined(watched, console.url, CONSOLE) == []


def test_page_from_a_file_shows_all_but_the_search_of_fields(browser: Browser, written: Path) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((written / "index.html").as_uri())
        page.get_by_role("searchbox").fill("what people buy")
        expect(page.locator("#contracts > li:visible h2")).to_have_text(["orders"])
        expect(page.locator("#told")).to_contain_text("only where a web server delivers these pages")
        page.get_by_role("link", name="orders", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("orders")
        background = page.evaluate("getComputedStyle(document.querySelector('.facts')).display")
        assert background == "flex", "the style is there"


QUERIES = [
    "",
    "email",
    "EMAIL",
    "owner:shop",
    "owner:mail",
    "tag:pii",
    "field:country",
    "people",
    "people id",
    "name:odd",
]
QUERIES += ["漢字", "<script>", "field:", "nowhere", "topic:users name", "tag:pii owner:shop field:email", " a  b "]


@pytest.fixture(scope="module")
def searching(browser: Browser, catalogue: str) -> Iterator[Page]:
    """A page with the search, which one query after the other is typed into."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{catalogue}/index.html")
        yield page


@pytest.mark.parametrize("query", QUERIES)
def test_search_in_the_browser_finds_what_the_server_finds(
    searching: Page, console: RunningConsole, query: str
) -> None:
    page, entries = searching, console.kept.snapshot.catalogue
    assert entries is not None
    wanted = search(entries.index, Query.of(query)) if query.split() else {one["name"]: () for one in entries.index}
    page.evaluate("document.getElementById('told').textContent = ''")
    page.get_by_role("searchbox").fill(query or "x")
    if not query:
        page.get_by_role("searchbox").fill("")
    shown = f"{len(wanted)}" + (f" of {len(entries.index)} contracts" if query.split() else " contracts")
    expect(page.locator("#told")).to_have_text(shown)
    names = page.locator("#contracts > li:visible").evaluate_all("all => all.map((one) => one.dataset.name)")
    assert sorted(names) == sorted(wanted)
    for name, fields in wanted.items():
        item = page.locator(f'#contracts > li[data-name="{re.sub(chr(34), chr(92) + chr(34), name)}"]')
        paths = item.locator(".found a").all_inner_texts()
        assert sorted(paths) == sorted(one.path for one in fields), name


def test_keyboard_alone_leads_from_the_search_to_a_field(browser: Browser, catalogue: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{catalogue}/index.html")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0, "it is seen"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "q"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.type("field:email")
        expect(page.locator("#contracts > li:visible")).to_have_count(1)
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "email":
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**/contracts/orders.html#field-email")
        expect(page.locator("#field-email")).to_be_in_viewport()


def test_every_control_is_reached_by_keyboard_and_is_seen(browser: Browser, console: RunningConsole) -> None:
    with browser.new_context(viewport={"width": 1200, "height": 900}) as context:
        page = context.new_page()
        sign_in(page, console)
        for path in ("index.html", "contracts/orders.html", "versions/orders.html", "try.html"):
            page.goto(f"{console.url}/{path}")
            wanted = page.evaluate(
                """() => [...document.querySelectorAll(
                    "a[href], button, input:not([type=hidden]), select, textarea, summary"
                  )].filter((one) => one.checkVisibility()).length"""
            )
            reached = set()
            for _ in range(wanted + 30):
                page.keyboard.press("Tab")
                told = page.evaluate(
                    """() => {
                      const one = document.activeElement;
                      if (one === document.body) return null;
                      const all = [...document.querySelectorAll("*")];
                      return [all.indexOf(one), getComputedStyle(one).outlineStyle, one.tagName];
                    }"""
                )
                if told is None:
                    break
                assert told[1] != "none", (path, told)
                reached.add(told[0])
            assert len(reached) >= wanted, path


def test_address_of_a_version_opens_it(browser: Browser, catalogue: str, schemas: Path) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{catalogue}/versions/orders.html")
        last = page.locator("ol.versions > li").last
        expect(last.locator("details")).not_to_have_attribute("open", "")
        page.goto(f"{catalogue}/versions/orders.html#{last.get_attribute('id')}")
        expect(last.get_by_text("The contract is new in this commit.")).to_be_visible()


def test_without_scripts_everything_but_live_figures_works(browser: Browser, console: RunningConsole) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, console)
        page.get_by_role("searchbox").fill("field:email")
        page.get_by_role("button", name="Search").click()
        expect(page.locator("#contracts > li:visible h2")).to_have_text(["orders"])
        page.locator("#contracts .found a:visible").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("orders")
        page.goto(f"{console.url}/try.html?contract=orders")
        page.get_by_label("The schema of orders").fill(record(ID))
        page.get_by_role("button", name="Check it").click()
        expect(page.get_by_text("Not safe: contracts check refuses it")).to_be_visible()
        expect(page.get_by_text("mailer (mail-team): breaks")).to_be_visible()
        page.goto(f"{console.url}/versions/orders.html")
        page.get_by_role("button", name="Compare").click()
        expect(page.get_by_role("heading", name=re.compile("^From"))).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_who_owns_a_field_and_who_reads_it(browser: Browser, console: RunningConsole) -> None:
    """The first of the five questions in docs/how-to/console.md; the next two are below, the others need servers."""
    with browser.new_context() as context:
        page = context.new_page()
        sign_in(page, console)
        page.get_by_role("searchbox").fill("field:email")
        shown = page.locator("#contracts > li:visible")
        expect(shown).to_have_count(1)
        expect(shown.locator("dl.facts").first).to_contain_text("Owner")
        expect(shown.locator("dl.facts").first).to_contain_text("shop")
        expect(shown.locator(".found")).to_contain_text("read by mailer")
        shown.locator(".found").get_by_role("link", name="email").click()
        expect(page.locator("#field-email")).to_be_in_viewport()
        expect(page.locator("#field-email")).to_contain_text("read by mailer")
        expect(page.locator("main")).to_contain_text("mailer (mail-team) reads email")


def test_what_changed_between_the_last_two_versions_and_was_it_safe(
    browser: Browser, console: RunningConsole
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        sign_in(page, console)
        page.get_by_role("link", name="orders", exact=True).click()
        page.locator("dl.facts div", has_text="Versions").get_by_role("link").click()
        newest = page.locator("ol.versions > li").first
        expect(newest.locator("summary")).to_contain_text("a country")
        expect(newest.locator("summary .badge.good")).to_have_text("fine")
        expect(newest.get_by_role("row").filter(has_text="country")).to_contain_text("added")
        expect(newest).to_contain_text("Deploy: ")
        expect(newest).to_contain_text("ADD COLUMN")


def test_what_adding_a_field_would_do(browser: Browser, console: RunningConsole) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        sign_in(page, console)
        page.get_by_role("link", name="orders", exact=True).click()
        page.get_by_role("link", name="what a change would do").click()
        field = page.get_by_label("The schema of orders")
        schema = json.loads(field.input_value())
        for added, told in (
            ({"name": "city", "type": "string"}, "Not safe: contracts check refuses it (1 error)."),
            ({"name": "city", "type": ["null", "string"], "default": None}, "Safe: "),
        ):
            field.fill(json.dumps({**schema, "fields": [*schema["fields"], added]}))
            page.get_by_role("button", name="Check it").click()
            verdict = page.locator("section", has=page.locator("#verdict"))
            expect(verdict.get_by_role("status").first).to_contain_text(told)
            expect(verdict).to_contain_text("city")
            expect(verdict).to_contain_text("ADD COLUMN")
            expect(verdict).to_contain_text("mailer")
        expect(verdict).to_contain_text("Deploy: ")


def test_two_people_at_once_and_one_who_signs_out(browser: Browser, console: RunningConsole) -> None:
    with browser.new_context() as one, browser.new_context() as other:
        first, second = one.new_page(), other.new_page()
        sign_in(first, console, "viewer")
        sign_in(second, console, "operator")
        expect(first.locator(".account")).to_contain_text("viewer")
        expect(second.locator(".account")).to_contain_text("operator")
        first.get_by_role("button", name="Sign out").click()
        expect(first.get_by_role("heading", level=1)).to_have_text("Sign in")
        first.go_back()
        first.reload()
        expect(first.get_by_role("heading", level=1)).to_have_text("Sign in")
        second.reload()
        expect(second.locator(".account")).to_contain_text("operator")


def test_login_that_ends_is_told_while_somebody_watches(browser: Browser, schemas: Path, tmp_path: Path) -> None:
    with running(schemas, tmp_path / "secret", lasts_s=4) as console, browser.new_context() as context:
        page = context.new_page()
        sign_in(page, console)
        page.goto(f"{console.url}/live.html")
        expect(page.locator("#freshness")).to_contain_text("Your session has ended", timeout=20_000)
        page.get_by_role("link", name="Contracts", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_wrong_password_is_told_to_who_cannot_see_it(browser: Browser, schemas: Path, tmp_path: Path) -> None:
    with running(schemas, tmp_path / "secret") as console, browser.new_context() as context:
        page = context.new_page()
        page.goto(console.url)
        page.get_by_label("Account").fill("viewer")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("The account or the password is wrong.")


def test_file_that_is_dropped_into_the_field_gets_its_verdict(browser: Browser, console: RunningConsole) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        sign_in(page, console)
        page.goto(f"{console.url}/try.html?contract=orders")
        page.evaluate(
            """(text) => {
              const data = new DataTransfer();
              data.items.add(new File([text], "value.avsc"));
              document.getElementById("avsc").dispatchEvent(
                new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
            }""",
            record(ID, EMAIL),
        )
        expect(page.get_by_label("The schema of orders")).to_have_value(record(ID, EMAIL))
        page.get_by_role("button", name="Check it").click()
        expect(page.locator("#verdict")).to_be_focused()
        expect(page.get_by_text("country stays in the table, but nothing writes to it")).to_be_visible()


def test_nothing_moves_while_a_page_loads(browser: Browser, console: RunningConsole) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        sign_in(page, console)
        page.add_init_script(
            """window.moved = 0;
            new PerformanceObserver((list) => { for (const one of list.getEntries()) window.moved += one.value; })
              .observe({ type: "layout-shift", buffered: true });"""
        )
        for path in ("index.html", "contracts/orders.html", "versions/orders.html", "live.html"):
            page.goto(f"{console.url}/{path}")
            page.wait_for_timeout(1500)
            assert page.evaluate("window.moved") < 0.02, path


@pytest.mark.parametrize("name", ["contract", "versions"])
def test_pictures_of_the_pages(browser: Browser, tmp_path: Path, name: str) -> None:
    """With KEEP_PICTURES=1, they go to docs/images/."""
    folder = CLONE / "docs" / "images" if os.environ.get("KEEP_PICTURES") else tmp_path
    picture = folder / f"console-{name}.png"
    written = tmp_path / "site"
    site.write(CLONE / "schemas", written)
    with browser.new_context(viewport={"width": 1120, "height": 720}) as context:
        page = context.new_page()
        page.goto((written / ("contracts" if name == "contract" else name) / "users_created.html").as_uri())
        page.screenshot(path=picture)
    assert picture.stat().st_size > 10_000
