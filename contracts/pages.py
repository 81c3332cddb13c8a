"""The pages of docs/, which are beside the packages in a clone and inside of them in the wheel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from avro_data_contracts.contracts.errors import ConfigurationError

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs"
_NAMED: Final = re.compile(r"\bdocs/([\w/-]+)\.md\b")


def names() -> list[str]:
    """The names of all pages, such as `reference/lint`; none where the pages were left out, as in images."""
    return sorted(file.relative_to(FOLDER).with_suffix("").as_posix() for file in FOLDER.rglob("*.md"))


def title(name: str) -> str:
    """The heading of a page."""
    with (FOLDER / f"{name}.md").open(encoding="utf-8") as file:
        return next((line.lstrip("# ").strip() for line in file if line.startswith("# ")), name)


def text(given: str) -> str:
    """Return a page.

    Args:
        given: its name, or as messages have it (`docs/reference/lint.md`); its last part will do.

    Raises:
        ConfigurationError: there is no such page, or several have that last part.
    """
    wanted = given.partition("#")[0].removeprefix("docs/").removesuffix(".md").strip("/")
    known = names()
    found = [wanted] if wanted in known else [one for one in known if one.rpartition("/")[2] == wanted]
    if len(found) == 1:
        return (FOLDER / f"{found[0]}.md").read_text(encoding="utf-8")
    near = found or get_close_matches(wanted, [*known, *(one.rpartition("/")[2] for one in known)])
    raise ConfigurationError(
        f"{'several pages are' if found else 'no page is'} called {given!r}",
        where="contracts docs",
        fix=f"write {' or '.join(near)}" if near else "`contracts docs` lists the pages",
    )


def hints(message: str) -> Iterator[str]:
    """How to read the pages that a message names, for those who have no clone."""
    if not (FOLDER.parent / "pyproject.toml").exists():
        for name in dict.fromkeys(_NAMED.findall(message)):
            if (FOLDER / f"{name}.md").exists():
                yield f"contracts docs {name}"
