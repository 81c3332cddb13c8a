"""The pictures of docs/explanation/performance.md show the newest kept results."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import plot

SVG = "{http://www.w3.org/2000/svg}"
LATENCY = {"rates": {"50": {"p50": 0.7, "p99": 1.25}, "500": {"p50": 0.6, "p99": 2.5}}}
MANY = {"1": {"records/s": 12_000}, "20": {"records/s": 9_400}}


def keep(folder: Path, name: str, at: str, **results: object) -> None:
    (folder / name).write_text(json.dumps({"at": at, **results}))


def test_pictures_show_the_newest_kept_results() -> None:
    assert set(plot.pictures()) == set(plot.IMAGES.glob("performance-*.svg"))
    for file, drawn in plot.pictures().items():
        assert file.read_text(encoding="utf-8") == drawn, "run: python -m benchmarks.plot"


def test_newest_result_that_has_the_benchmark_counts(tmp_path: Path) -> None:
    keep(tmp_path, "b.json", "2026-11-02T08:00:00+00:00", latency=1)
    keep(tmp_path, "a.json", "2026-11-02T09:00:00+00:00", latency=2, many=3)
    keep(tmp_path, "c.json", "2026-11-03T09:00:00+00:00", many=4)
    assert plot.newest("latency", tmp_path) == ("a.json", 2)
    assert plot.newest("many", tmp_path) == ("c.json", 4)
    assert plot.newest("scale", tmp_path) is None


@pytest.mark.parametrize(
    ("results", "lines"), [({"latency": LATENCY}, 2), ({"many": MANY}, 1), ({"latency": LATENCY, "many": MANY}, 3)]
)
def test_picture_has_each_value_at_its_height(tmp_path: Path, results: dict[str, object], lines: int) -> None:
    keep(tmp_path, "a.json", "2026-11-02T08:00:00+00:00", **results)
    for theme in plot.THEMES.values():
        some = plot.diagrams(tmp_path)
        root = ElementTree.fromstring(plot.picture(some, theme))
        drawn = [
            [float(point.split(",")[1]) for point in line.attrib["points"].split()]
            for line in root.iter(f"{SVG}polyline")
        ]
        wanted = [
            [round(250 - 180 * value / (4 if one.lines.get("p99") else 20), 1) for value in series]
            for one in some
            for series in one.lines.values()
        ]
        assert drawn == wanted
        assert len(drawn) == lines
        words = {text.text for text in root.iter(f"{SVG}text")}
        assert {f"{value:.3g}" for one in some for series in one.lines.values() for value in series} <= words
        assert {theme.title, theme.words} < {text.attrib["fill"] for text in root.iter(f"{SVG}text")}


@given(st.floats(min_value=0.001, max_value=1e9))
def test_scale_ends_above_the_largest_value_and_not_far_above(value: float) -> None:
    assert value <= plot.rounded_up(value) <= 2.5 * value + 1e-5
