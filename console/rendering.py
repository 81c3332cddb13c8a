"""Pages as HTML: templates that escape every value, so that no name, doc or record becomes markup."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from avro_data_contracts.contracts.terminal import clean

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"

#: What the pages may load: their own files, and nothing that is written in them.
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
    )
)


def render(template: str, **values: Any) -> str:
    """Return a page.

    Raises:
        jinja2.UndefinedError: the template uses a value that is not among `values`.
    """
    return _environment().get_template(template).render(values)


def prepare() -> None:
    """Compile all templates, so that the first page does not wait for it."""
    for name in _environment().list_templates():
        _environment().get_template(name)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates", encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_visible,
    )
    made.filters["number"] = _number
    made.filters["exact"] = Exact
    return made


class Exact(str):
    """A text that a form sends back, or a script reads: it is escaped as HTML, and nothing else is done to it."""


def _visible(value: Any) -> Any:
    """Show control characters, and those that reverse the direction of text, instead of obeying them."""
    return clean(value) if type(value) is str else value


def _number(value: int | float | str | None) -> str:
    """A number for people, or the words that stand for one."""
    if value is None:
        return "unknown"
    return value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
