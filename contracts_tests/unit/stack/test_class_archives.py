"""Archives of Java classes: an incomplete one is neither kept nor used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from avro_data_contracts.stack.jars import classes
from avro_data_contracts.stack.site import Site

WHOLE, INCOMPLETE = b"\xf0\x0b\xab\xa2" + bytes(60), bytes(64)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A stack whose cache has the archive of the runtime's own classes."""
    monkeypatch.setattr(classes, "_folder", lambda: tmp_path)
    classes._base().write_bytes(WHOLE)
    made = Site(tmp_path / "stack")
    made.folder("kafka").mkdir(parents=True)
    return made


@pytest.mark.parametrize(("content", "kept"), [(WHOLE, True), (INCOMPLETE, False), (b"", False)])
def test_only_a_whole_archive_is_kept(site: Site, content: bytes, kept: bool) -> None:
    (site.folder("kafka") / "classes.jsa").write_bytes(content)
    classes.keep(site, "kafka")
    assert classes._of("kafka").exists() is kept
    assert not (site.folder("kafka") / "classes.jsa").exists()


def test_archive_that_was_not_written_is_not_kept(site: Site) -> None:
    classes.keep(site, "kafka")
    assert not classes._of("kafka").exists()


@pytest.mark.parametrize("content", [INCOMPLETE, b"", None])
def test_incomplete_archive_in_the_cache_is_written_again(site: Site, content: bytes | None) -> None:
    if content is not None:
        classes._of("kafka").write_bytes(content)
    assert f"-XX:ArchiveClassesAtExit={site.folder('kafka') / 'classes.jsa'}" in classes.options(site, "kafka")
    assert classes.using("kafka") == classes.base()


def test_whole_archive_in_the_cache_is_used(site: Site) -> None:
    classes._of("kafka").write_bytes(WHOLE)
    assert classes.options(site, "kafka") == [f"-XX:SharedArchiveFile={classes._base()}:{classes._of('kafka')}"]


def test_old_archives_of_spark_that_do_not_fit_are_removed(tmp_path: Path) -> None:
    """Also those that a Spark has written and nobody has taken since: each has 170 MB."""
    kept = tmp_path / "spark-new.jsa"
    names = ("spark-new.jsa.7", "spark-old.jsa", "spark-old.jsa.5", "spark-other.jsa", "spark-other.jsa.9")
    for name in names:
        (tmp_path / name).write_bytes(WHOLE)
        if "old" in name:
            os.utime(tmp_path / name, (0, 0))
    (tmp_path / "spark-new.jsa.8").write_bytes(INCOMPLETE)  # its Java is still writing
    classes._adopt(kept)
    there = {"spark-new.jsa", "spark-new.jsa.8", "spark-other.jsa", "spark-other.jsa.9"}
    assert {one.name for one in tmp_path.iterdir()} == there
    assert kept.read_bytes() == WHOLE
