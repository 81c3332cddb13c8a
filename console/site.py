"""`contracts site`: the catalogue as files for any web server, made of the contracts' folder and of git alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from avro_data_contracts.console import rendering
from avro_data_contracts.console.catalogue import Catalogue, Past
from avro_data_contracts.console.frame import TITLE, Frame
from avro_data_contracts.console.pages.names import anchor, slug
from avro_data_contracts.contracts.errors import ConfigurationError

#: Marks a folder as ours, so that the next run may replace what is in it.
MARK: Final = ".contracts-site"


@dataclass(frozen=True)
class Written:
    """What was written: the number of pages, and what they lack."""

    pages: int
    contracts: int
    notes: tuple[str, ...]


def write(folder: Path, out: Path, title: str = TITLE) -> Written:
    """Write the catalogue of the contracts in `folder` to `out`, in place of an earlier one.

    Raises:
        ConfigurationError: there are no contracts, or `out` has files that this command did not write.
    """
    files = files_of(folder, title)
    _claim(out)
    for path, text in files.pages.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", errors="backslashreplace")
    shutil.copytree(rendering.STATIC, out / "static", ignore=shutil.ignore_patterns("live*", "drop*"))
    # GitHub Pages would leave out files that begin with an underscore.
    (out / ".nojekyll").touch()
    return Written(len(files.pages), files.contracts, files.notes)


@dataclass(frozen=True)
class Files:
    """The texts of a site: path -> text.  `contracts`: how many it shows."""

    pages: Mapping[str, str]
    contracts: int
    notes: tuple[str, ...]


def files_of(folder: Path, title: str = TITLE) -> Files:
    """Return the files of a site, without those of `static/`."""
    catalogue = Catalogue.read(folder)
    past = Past.read(folder, catalogue.files)
    faults = [str(one.error) for one in catalogue.loaded.faults]
    overview = catalogue.overview(past.versions)
    shared = {"slug": slug, "anchor": anchor}
    top, below = (_frame(title, root) for root in ("", "../"))
    made: dict[str, str] = {
        "index.html": rendering.render("index.html", site=top, overview=overview, query="", fault="", **shared),
        "search.json": json.dumps(catalogue.index, ensure_ascii=False, separators=(",", ":")),
    }
    for page in catalogue.pages.values():
        values: dict[str, Any] = {
            "page": page,
            "versions": past.versions.get(page.name, ()),
            "status": None,
            **shared,
        }
        made[f"contracts/{page.slug}.html"] = rendering.render("contract.html", site=below, **values)
    for name in {*past.versions, *catalogue.pages}:
        made[f"versions/{slug(name)}.html"] = rendering.render(
            "versions.html",
            site=below,
            name=name,
            is_there=name in catalogue.pages,
            versions=past.versions.get(name, ()),
            notes=past.notes,
            choices=(),
            compared=None,
            **shared,
        )
    return Files(made, len(overview.rows), (*past.notes, *faults))


def _frame(title: str, root: str) -> Frame:
    return Frame(
        root,
        "index.html" if not root else "",
        policy=rendering.POLICY,
        told=f"Made by contracts site. {title}.",
        title=title,
    )


def _claim(out: Path) -> None:
    """Empty the folder, if an earlier run wrote it."""
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise ConfigurationError(
            "the folder has files that contracts site did not write",
            where=str(out),
            fix="name another folder, or empty this one",
        )
    if out.exists() and not out.is_dir():
        raise ConfigurationError("this is a file, not a folder", where=str(out), fix="name a folder: --out DIR")
    if out.is_dir():
        for one in out.iterdir():
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one)
            else:
                one.unlink()
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).touch()
