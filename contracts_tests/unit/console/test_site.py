"""The static catalogue: what it shows, where its links lead, and that no text of a contract becomes markup."""

from __future__ import annotations

import json
import posixpath
import shutil
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

import pytest

from avro_data_contracts.console import rendering, site
from avro_data_contracts.contracts.catalog.addresses import slug
from avro_data_contracts.contracts.errors import ConfigurationError
from contracts_tests.fixtures.catalogued import commit, contract, record, repository, write
from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.git import git
from contracts_tests.fixtures.html import Page

#: Markup, template syntax, and the letters of several scripts; also those that reverse the direction of text.
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "'><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; &amp; &#60;",
    "javascript:alert(1)",
    "Ünïcödé 漢字 かな 한글 עברית العربية हिन्दी ไทย 😀 Ελληνικά",
    "\u202eevil\u202c\u0007\u001b[31m",
    "`${alert(1)}`",
    "]]><!--",
)
TEXT = " ".join(HOSTILE)


def broken_links(pages: dict[str, Page]) -> list[str]:
    """Links of a site that lead to no file, or to no place in it."""
    found = []
    for path, page in pages.items():
        for tag, attributes in page.elements:
            for name in ("href", "src", "action"):
                target = attributes.get(name)
                if target is None or (tag, name) == ("form", "action"):
                    continue
                assert not urlsplit(target).scheme, target
                assert not urlsplit(target).netloc, target
                address, anchor = urldefrag(target)
                whole = posixpath.normpath(
                    posixpath.join(posixpath.dirname(path), address.partition("?")[0] or posixpath.basename(path))
                )
                if whole.startswith("static/"):
                    if not (rendering.STATIC / whole.removeprefix("static/")).is_file():
                        found.append(f"{path}: {target}")
                elif whole not in pages or (anchor and anchor not in pages[whole].ids):
                    found.append(f"{path}: {target}")
    return found


def parsed(files: site.Files) -> dict[str, Page]:
    return {path: Page.of(text) for path, text in files.pages.items() if path.endswith(".html")}


def test_own_contracts_become_pages_whose_links_lead_somewhere() -> None:
    files = site.files_of(Path("schemas"))
    pages = parsed(files)
    assert files.contracts == 2
    assert {path: page.faults for path, page in pages.items() if page.faults} == {}
    assert broken_links(pages) == []
    for path, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), path
        assert len(page.of_tag("h1")) == 1, path
    text = pages["contracts/users_created.html"].text
    assert "File schemas/users_created/contract.yaml" in text
    assert "E-mail address; not unique." in text
    assert 'CREATE TABLE IF NOT EXISTS "public"."created_users"' in text
    assert "an e-mail address has text on both sides of one @" in text
    assert "BACKWARD_TRANSITIVE" in text


def test_no_text_of_a_contract_becomes_markup(tmp_path: Path) -> None:
    schemas = repository(tmp_path)
    fields = [
        {"name": "id", "type": "string", "doc": TEXT, "confluent:tags": list(HOSTILE)},
        {"name": "note", "type": ["string", "null"], "default": TEXT, "doc": TEXT},
    ]
    plain = [
        {"name": "id", "type": "string", "doc": "d", "confluent:tags": ["t"]},
        {"name": "note", "type": ["string", "null"], "default": "d", "doc": "d"},
    ]
    consumers = [{"name": TEXT, "owner": TEXT, "fields": ["id"]}]
    rules = [{"name": "told", "field": "note", "one_of": list(HOSTILE), "description": TEXT}]
    approvals = [{"rule": "DOC_REMOVED", "path": "id", "reason": TEXT, "until": "2999-01-01"}]
    name = HOSTILE[7] + " " + HOSTILE[2] + HOSTILE[3].replace("/", "")
    spec = contract(owner=TEXT, description=TEXT, consumers=consumers, rules=rules, approvals=approvals)
    write(schemas, name, spec, record(*fields, doc=TEXT))
    commit(schemas, TEXT.replace("\n", " "))
    write(
        schemas,
        name,
        contract(owner="calm", description="d", consumers=[{"name": "n", "owner": "o"}], rules=rules),
        record(*plain, doc="d"),
    )
    commit(schemas, "calm")
    write(schemas, name, spec, record(*fields, doc=TEXT))

    files = site.files_of(schemas)
    pages = parsed(files)
    assert set(pages) == {"index.html", f"contracts/{slug(name)}.html", f"versions/{slug(name)}.html"}
    for path, page in pages.items():
        assert page.faults == [], path
        scripts = page.of_tag("script")
        assert all(str(one["src"]).partition("?")[0].endswith((".js",)) for one in scripts), path
        assert "img" not in [tag for tag, _ in page.elements]
        assert "svg" not in [tag for tag, _ in page.elements]
        attributes = {name for _, each in page.elements for name in each}
        assert not {one for one in attributes if one.startswith("on") or one == "style"}, path
        assert "49" not in page.text.split(), path
        assert "\u202e" not in files.pages[path], path
        assert "\x1b" not in files.pages[path], path
    assert broken_links(pages) == []
    shown = pages[f"contracts/{slug(name)}.html"].text
    assert "<script>alert(1)</script>" in shown
    assert "{{ 7 * 7 }}{% raw %}" in shown
    assert HOSTILE[7] in shown
    found = json.loads(files.pages["search.json"])
    assert found[0]["fields"][0]["doc"] == TEXT


def test_policy_allows_no_inline_script_and_no_other_host() -> None:
    for path, page in parsed(site.files_of(Path("schemas"))).items():
        [policy] = [
            one["content"] for one in page.of_tag("meta") if one.get("http-equiv") == "Content-Security-Policy"
        ]
        assert "unsafe" not in str(policy), path
        assert {word for part in str(policy).split("; ") for word in part.split()[1:]} == {"'none'", "'self'"}, path
        assert not any("style" in attributes for _, attributes in page.elements), path


def test_versions_have_verdict_alter_and_who_deploys_first(tmp_path: Path) -> None:
    schemas = repository(tmp_path)
    sinks = {"postgres": {"table": "orders", "primary_key": ["id"]}}
    consumers = [{"name": "mailer", "owner": "mail-team", "fields": ["email"]}]
    id_, email = {"name": "id", "type": "string"}, {"name": "email", "type": "string"}
    write(schemas, "orders", contract(sinks=sinks, consumers=consumers), record(id_, email))
    first = commit(schemas, "the contract")
    country = {"name": "country", "type": ["null", "string"], "default": None}
    write(schemas, "orders", contract(sinks=sinks, consumers=consumers), record(id_, email, country))
    second = commit(schemas, "a country")
    write(
        schemas, "orders", contract(sinks=sinks, consumers=consumers, owner="new-team"), record(id_, email, country)
    )
    third = commit(schemas, "another owner")
    write(schemas, "orders", contract(sinks=sinks, consumers=consumers, owner="new-team"), record(id_, country))

    page = parsed(site.files_of(schemas))["versions/orders.html"]
    assert [one for one in page.ids if one != "main"] == ["working-tree", third[:9], second[:9], first[:9]]
    text = page.text
    assert text.index("not committed yet") < text.index("another owner") < text.index("a country")
    assert 'ALTER TABLE "public"."orders" ADD COLUMN IF NOT EXISTS "country" text;' in text
    assert "owner shop new-team" in text
    assert "CONSUMER_LOSES_FIELD" in text
    uncommitted = text[: text.index("another owner")]
    assert "refused" in uncommitted
    assert "mailer (mail-team): breaks" in uncommitted
    assert "Deploy: any order" in text[text.index("a country") :]


def test_contract_that_cannot_be_read_is_listed_with_its_fault(tmp_path: Path) -> None:
    schemas = repository(tmp_path)
    write(schemas, "orders", contract(), record({"name": "id", "type": "string"}))
    write(schemas, "wrong", contract(topic="wrong"), '{"type": "record", "name": "Wrong"}')
    commit(schemas, "both")
    pages = parsed(site.files_of(schemas))
    assert "contracts/wrong.html" not in pages
    assert "2 contracts" in pages["index.html"].text
    assert "wrong/value.avsc" in pages["index.html"].text
    assert broken_links(pages) == []


def test_moved_contract_keeps_its_versions(tmp_path: Path) -> None:
    schemas = repository(tmp_path)
    write(schemas, "old", contract(), record({"name": "id", "type": "string"}))
    commit(schemas, "begun")
    git(schemas, "mv", "old", "new")
    commit(schemas, "moved")
    pages = parsed(site.files_of(schemas))
    assert "versions/old.html" not in pages
    text = pages["versions/new.html"].text
    assert "It was called old before." in text
    assert text.index("moved") < text.index("begun")


def test_removed_contract_keeps_the_page_of_its_versions(tmp_path: Path) -> None:
    schemas = repository(tmp_path)
    write(schemas, "orders", contract(), record({"name": "id", "type": "string"}))
    write(schemas, "kept", contract(topic="kept"), record({"name": "id", "type": "string"}))
    commit(schemas, "both")
    git(schemas, "rm", "-rq", "orders")
    commit(schemas, "removed it")
    page = parsed(site.files_of(schemas))["versions/orders.html"]
    assert "This contract is not there any more." in page.text
    assert "CONTRACT_REMOVED" in page.text


def test_folder_outside_of_git_has_pages_and_says_why_versions_are_missing(tmp_path: Path) -> None:
    write(tmp_path / "schemas", "orders", contract(), record({"name": "id", "type": "string"}))
    pages = parsed(site.files_of(tmp_path / "schemas"))
    assert "There are no versions:" in pages["versions/orders.html"].text
    assert "not in a git repository" in pages["versions/orders.html"].text


def test_second_run_replaces_the_first_and_spares_what_it_did_not_write(tmp_path: Path) -> None:
    schemas = repository(tmp_path)
    write(schemas, "orders", contract(), record({"name": "id", "type": "string"}))
    commit(schemas, "begun")
    write(schemas, "gone", contract(topic="gone"), record({"name": "id", "type": "string"}))
    out = tmp_path / "out"
    done = run_contracts("--schemas", str(schemas), "site", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert (out / "contracts" / "gone.html").exists()
    shutil.rmtree(schemas / "gone")
    git(out, "init", "-q")
    mine = ["CNAME", ".gitignore", "contracts/mine.html", "own/page.html", "static/own.css"]
    for name in mine:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("mine")
    with (out / site.MARK).open("a") as mark:
        mark.write("../outside.txt\n.git/HEAD\n/etc/nothing\n")
    (tmp_path / "outside.txt").write_text("mine")
    again = run_contracts("--schemas", str(schemas), "site", "--out", str(out))
    assert again.returncode == 0, again.stderr
    assert not (out / "contracts" / "gone.html").exists()
    assert all((out / name).read_text() == "mine" for name in (*mine, "../outside.txt"))
    assert (out / ".git" / "HEAD").exists()
    assert (out / ".nojekyll").exists()
    (schemas / "mine").mkdir()
    write(schemas, "mine", contract(topic="mine"), record({"name": "id", "type": "string"}))
    third = run_contracts("--schemas", str(schemas), "site", "--out", str(out))
    assert third.returncode == 2
    assert "did not write: contracts/mine.html" in third.stderr
    assert (out / "contracts" / "mine.html").read_text() == "mine"
    assert (out / "static" / "style.css").read_bytes() == (rendering.STATIC / "style.css").read_bytes()
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    refused = run_contracts("--schemas", str(schemas), "site", "--out", str(other))
    assert refused.returncode == 2
    assert "fix: name another folder" in refused.stderr
    assert (other / "mine.txt").read_text() == "mine"


def test_same_contracts_make_the_same_site(tmp_path: Path) -> None:
    schemas = repository(tmp_path)
    write(schemas, "orders", contract(), record({"name": "id", "type": "string"}))
    commit(schemas, "begun")
    assert site.files_of(schemas) == site.files_of(schemas)


def test_folder_without_contracts_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    with pytest.raises(ConfigurationError, match="no folder has a contract"):
        site.files_of(tmp_path / "schemas")
