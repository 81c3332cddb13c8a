"""Draw docs/images/performance-light.svg and -dark.svg from the newest kept results.

Latency against the rate, and throughput against the number of contracts in one process.  A diagram whose result was
never kept is left out.  `make bench` with `--keep` draws them, and so does `python -m benchmarks.plot`.  A test
compares them with the results.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

RESULTS: Final = Path(__file__).parent / "results"
IMAGES: Final = RESULTS.parent.parent / "docs" / "images"
_WIDTH, _HEIGHT = 430, 320
_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 60, 70, 330, 180
_PARTS: Final = 4


@dataclass(frozen=True)
class Theme:
    """Colours: of titles, of other words, of the grid, and of each series."""

    title: str
    words: str
    grid: str
    series: tuple[str, ...]


THEMES: Final = {
    "light": Theme("#1f2328", "#57606a", "#d0d7de", ("#0969da", "#bc4c00")),
    "dark": Theme("#f0f6fc", "#9198a1", "#3d444d", ("#58a6ff", "#f0883e")),
}


@dataclass(frozen=True)
class Diagram:
    """Lines over a few named places, from zero up.

    Attributes:
        places: their names, along the bottom.
        lines: name of a series -> its value at each place.
    """

    title: str
    source: str
    along: str
    places: Sequence[str]
    lines: Mapping[str, Sequence[float]]


def newest(name: str, results: Path = RESULTS) -> tuple[str, Mapping[str, Any]] | None:
    """Return file and result of a benchmark from the newest kept results that have it; None if none has."""
    kept = [(json.loads(file.read_text(encoding="utf-8")), file.name) for file in results.glob("*.json")]
    for found, file in sorted(kept, key=lambda one: str(one[0]["at"]), reverse=True):
        if name in found:
            return file, found[name]
    return None


def diagrams(results: Path = RESULTS) -> list[Diagram]:
    """Return those whose results are kept."""
    found = []
    if latency := newest("latency", results):
        file, rates = latency[0], latency[1]["rates"]
        lines = {name: [one[name] for one in rates.values()] for name in ("p50", "p99")}
        found.append(Diagram("Seconds from event to rows in both stores", file, "events per second", [*rates], lines))
    if many := newest("many", results):
        file, numbers = many
        lines = {"both stores": [one["records/s"] / 1000 for one in numbers.values()]}
        title = "Thousand records per second, over all contracts"
        found.append(Diagram(title, file, "contracts in one process", [*numbers], lines))
    return found


def picture(some: Sequence[Diagram], theme: Theme) -> str:
    """Return the SVG: the diagrams side by side."""
    width = _WIDTH * len(some)
    about = "; ".join(f"{one.title} against {one.along}" for one in some)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}"'
            f' height="{_HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12">',
            f"  <title>{escape(about)}</title>",
            *(line for number, one in enumerate(some) for line in _drawn(one, number * _WIDTH, theme)),
            "</svg>",
            "",
        ]
    )


def _drawn(one: Diagram, x: int, theme: Theme) -> Iterator[str]:
    highest = rounded_up(max(value for series in one.lines.values() for value in series))
    left, bottom = x + _LEFT, _TOP + _PLOT_HEIGHT

    def across(place: int) -> float:
        return round(left + (place + 0.5) * _PLOT_WIDTH / len(one.places), 1)

    def up(value: float) -> float:
        return round(bottom - value / highest * _PLOT_HEIGHT, 1)

    def text(x: float, y: float, words: str, anchor: str = "middle", fill: str = theme.words, more: str = "") -> str:
        return f'  <text x="{x}" y="{y}" text-anchor="{anchor}" fill="{fill}"{more}>{escape(words)}</text>'

    yield text(x + 16, 24, one.title, "start", theme.title, ' font-size="14" font-weight="600"')
    yield text(x + 16, 42, one.source, "start")
    for part in range(_PARTS + 1):
        value = highest * part / _PARTS
        yield f'  <path d="M{left} {up(value)}H{left + _PLOT_WIDTH}" stroke="{theme.grid}"/>'
        yield text(left - 8, up(value) + 4, f"{value:g}", "end")
    for place, name in enumerate(one.places):
        yield text(across(place), bottom + 20, name)
    yield text(left + _PLOT_WIDTH / 2, bottom + 42, one.along)
    for colour, (name, series) in zip(theme.series, one.lines.items(), strict=False):
        at = [(across(place), up(value)) for place, value in enumerate(series)]
        points = " ".join(f"{across},{up}" for across, up in at)
        yield f'  <polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for (across_, up_), value in zip(at, series, strict=True):
            yield f'  <circle cx="{across_}" cy="{up_}" r="3" fill="{colour}"/>'
            yield text(across_, up_ - 8, f"{value:.3g}", fill=colour)
        yield text(at[-1][0] + 12, at[-1][1] + 4, name, "start", colour)


def rounded_up(value: float) -> float:
    """Return 1, 2, 4 or 8 times a power of ten that is not below the value: a quarter of it is a short number."""
    unit = 1e-6
    while unit * 10 <= value:
        unit *= 10
    return next(round(unit * one, 6) for one in (1, 2, 4, 8, 10) if round(unit * one, 6) >= value)


def pictures() -> dict[Path, str]:
    """Return each picture by its file."""
    some = diagrams()
    return {IMAGES / f"performance-{name}.svg": picture(some, theme) for name, theme in THEMES.items()}


def draw() -> None:
    """Write the pictures."""
    for path, drawn in pictures().items():
        path.write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    draw()
