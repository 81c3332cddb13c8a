"""The pages under docs/: all are in the index, every link leads somewhere, and lines are short."""

from __future__ import annotations

import re
import subprocess
from xml.etree import ElementTree

import pytest

from contracts_tests.fixtures import pages
from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.pages import Page

INDEX = "docs/README.md"
PAGES = pages.all_pages()
# The longest line of Markdown.  A table row and code cannot be broken, a single word (a URL, a link) neither;
# a page that a program writes is as long as what it is made of.
COLUMNS = 110


def test_every_page_is_in_the_index_once() -> None:
    index = pages.read(INDEX)
    listed = [str(pages.target_of(index, link)[0].relative_to(CLONE)) for _, link in index.links()]
    listed = [path for path in listed if path.startswith("docs/") and path.endswith(".md")]
    assert sorted(listed) == sorted({page.path for page in pages.under_docs()} - {INDEX})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_every_link_and_anchor_resolves(page: Page) -> None:
    broken = []
    for line, link in page.links():
        path, anchor = pages.target_of(page, link)
        if not path.exists():
            broken.append(f"{page.path}:{line}: there is no {link}")
        elif anchor and anchor not in pages.read(str(path.relative_to(CLONE))).anchors():
            broken.append(f"{page.path}:{line}: no heading makes the anchor of {link}")
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_no_line_is_longer_than_it_must_be(page: Page) -> None:
    long = [
        f"{page.path}:{number}: {len(line)} columns"
        for number, line in page.prose()
        if len(line) > COLUMNS
        and not line.startswith("|")
        and len(re.sub(r"^\s*([-*>]|\d+\.) ", "", line).split()) > 1
    ]
    assert not long or page.generated


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_every_code_block_names_its_language(page: Page) -> None:
    bare = [str(block) for block in page.blocks() if not block.language]
    indented = [
        f"{page.path}:{number}: code by indentation"
        for (_, before), (number, line) in zip(page.prose(), page.prose()[1:], strict=False)
        if line.startswith("    ") and not before.strip() and "\n- " not in page.text.partition(line)[0][-400:]
    ]
    assert not bare + indented


def test_every_page_that_a_file_names_exists() -> None:
    """Messages, comments and configuration send readers to pages; the changelog tells of older ones."""
    tracked = subprocess.run(["git", "ls-files"], cwd=CLONE, capture_output=True, text=True, check=True).stdout
    lost = []
    for path in tracked.splitlines():
        if path == "CHANGELOG.md" or path.startswith(("docs/", "benchmarks/results/")):
            continue
        if not path.endswith((".py", ".md", ".toml", ".yml", ".yaml", ".json", "Makefile", ".java")):
            continue
        text = (CLONE / path).read_text(encoding="utf-8")
        lost += [
            f"{path}: {name}" for name in re.findall(r"\bdocs/[\w./-]+\.md\b", text) if not (CLONE / name).exists()
        ]
    assert not lost


def test_pictures_of_the_pipeline_differ_in_colours_only_and_have_words() -> None:
    drawn = []
    for theme in ("light", "dark"):
        text = (CLONE / "docs" / "images" / f"pipeline-{theme}.svg").read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
        words = [(root.findtext(f"{{http://www.w3.org/2000/svg}}{tag}") or "") for tag in ("title", "desc")]
        assert all(words)
        assert not re.search(r"@import|url\((?!#)|<image|href=", text), "it loads nothing"
        drawn.append(re.sub(r"#[0-9a-f]{6}\b", "", text))
    assert drawn[0] == drawn[1]


def test_every_section_that_a_message_names_exists() -> None:
    """As `docs/reference/producer.md, Refused users`: the beginning of a heading."""
    lost = []
    for path in [*CLONE.glob("*/*.py"), *CLONE.glob("*/*/*.py"), *CLONE.glob("*/*/*/*.py")]:
        if path.relative_to(CLONE).parts[0] in ("contracts_tests", ".pythons", ".stack", ".venv"):
            continue
        for page, section in re.findall(r"(docs/[\w./-]+\.md), ([A-Z][\w ]+)", path.read_text(encoding="utf-8")):
            headings = re.findall(r"^#+ (.*)$", pages.read(page).text, flags=re.MULTILINE)
            if not any(heading.startswith(section) for heading in headings):
                lost.append(f"{path.relative_to(CLONE)}: {page}, {section}")
    assert not lost
