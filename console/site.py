"""`contracts site`: the catalogue as files for any web server, made of the contracts' folder and of git alone."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from avro_data_contracts.console import rendering
from avro_data_contracts.console.catalogue import Catalogue, Past
from avro_data_contracts.console.frame import TITLE, Frame
from avro_data_contracts.console.pages.names import anchor
from avro_data_contracts.contracts.catalog.addresses import slug
from avro_data_contracts.contracts.errors import ConfigurationError

#: Lists what this command wrote into a folder: the next run may replace that, and nothing else.
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
    assets = [one for one in sorted(rendering.STATIC.iterdir()) if not one.name.startswith(("live", "drop"))]
    paths = sorted((*files.pages, *(f"static/{one.name}" for one in assets)))
    _claim(out, paths)
    for path, text in files.pages.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", errors="backslashreplace")
    (out / "static").mkdir(exist_ok=True)
    for one in assets:
        shutil.copyfile(one, out / "static" / one.name)
    # GitHub Pages would leave out files that begin with an underscore.
    (out / ".nojekyll").touch()
    _list(out, paths)
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
            "notes": past.notes,
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


def _claim(out: Path, paths: Sequence[str]) -> None:
    """Remove the files that an earlier run wrote, and nothing else.  `paths`: those of this run."""
    if out.exists() and not out.is_dir():
        raise ConfigurationError("this is a file, not a folder", where=str(out), fix="name a folder: --out DIR")
    earlier = _listed(out)
    foreign = (
        [] if earlier is None else [path for path in paths if path not in earlier and os.path.lexists(out / path)]
    )
    if (earlier is None and out.is_dir() and any(out.iterdir())) or foreign:
        told = f": {', '.join(foreign[:3])}" if foreign else ""
        raise ConfigurationError(
            f"the folder has files that contracts site did not write{told}",
            where=str(out),
            fix="name another folder, or empty this one",
        )
    out.mkdir(parents=True, exist_ok=True)
    # Whatever stops this run, the next one still knows all that is ours.
    _list(out, sorted({*(earlier or ()), *paths}))
    for path in earlier or ():
        target = out / path
        if target.is_file() or target.is_symlink():
            target.unlink()
    for below in {PurePosixPath(path).parent for path in earlier or ()} - {PurePosixPath()}:
        with contextlib.suppress(OSError):  # it has files of somebody else, or is gone
            (out / below).rmdir()


def _listed(out: Path) -> list[str] | None:
    """The paths that an earlier run wrote; None if none did."""
    try:
        lines = (out / MARK).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    return [line for line in lines if _is_own(out, line)]


def _is_own(out: Path, path: str) -> bool:
    """Whether a line of the list can be a page: below the folder, and not in `.git` or the like."""
    parts = PurePosixPath(path).parts
    inside = (out / path).parent.resolve().is_relative_to(out.resolve())
    return bool(parts) and inside and not parts[0].startswith(".")


def _list(out: Path, paths: Sequence[str]) -> None:
    (out / MARK).write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
