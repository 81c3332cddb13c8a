"""Pages of docs/ that are made from the code are what the code would make now."""

from __future__ import annotations

from contracts_tests.fixtures import cli_page, pages


def test_commands_page_is_current() -> None:
    assert pages.read("docs/reference/cli.md").text == cli_page.page(), "run: make docs"


def test_commands_page_names_every_command() -> None:
    text = cli_page.page()
    for command in (
        "contracts lint",
        "python -m streaming dlq replay",
        "python -m stack up",
        "python -m deploy certs",
    ):
        assert f"### {command}\n" in text
