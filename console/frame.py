"""What is around every page: title, navigation, the account, and the addresses of its files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from avro_data_contracts.console.rendering import STATIC

TITLE: Final = "Data contracts"


@dataclass(frozen=True)
class Link:
    """A link of the navigation.  `href`: from the top of the site."""

    href: str
    text: str


@dataclass(frozen=True)
class Frame:
    """The frame of one page.

    Attributes:
        root: the way from the page to the top of the site: empty, or `../`.
        here: the page itself, as in `links`.
        live: whether a server delivers the page, and has figures and actions.
        user: who is signed in; empty for nobody.
        csrf: the token that a form sends back.
        policy: the content security policy, where no header has it.
        told: the line at the bottom.
    """

    root: str = ""
    here: str = ""
    live: bool = False
    user: str = ""
    csrf: str = field(default="", repr=False)
    policy: str = ""
    told: str = ""
    links: tuple[Link, ...] = (Link("index.html", "Contracts"),)
    title: str = TITLE

    def asset(self, name: str) -> str:
        """The address of a file of `static/`, which changes with its content."""
        return f"{self.root}static/{name}?v={_digest(name)}"


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
