"""Why a file that a contract names is not found, although something like it is there.  Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

from avro_data_contracts.contracts.catalog.folder import HIDDEN, IGNORED, LEFT_OUT, Folder, beside, join
from avro_data_contracts.contracts.errors import ConfigurationError

#: How to have a file read, by why it is not.
_IN_SIGHT = {
    IGNORED: "remove {} from .gitignore",
    LEFT_OUT: "remove {} from `ignore` in contracts.toml",
    HIDDEN: "run git sparse-checkout add with the folder of {}",
}


def missing(key: str, name: str, head: str, files: Folder, root: str, line: int) -> ConfigurationError:
    """The error for a file that a contract names and that is not among `files`.

    Args:
        key: `key` or `value`, where the contract names it.
        name: as the contract has it.
        head: the file of the contract, below `root`.
        line: of the name in it.
    """
    what, fix = _why(key, name, head, files, root)
    return ConfigurationError(f"{key}: {what}", file=join(root, head), line=line, fix=fix)


def _why(key: str, name: str, head: str, files: Folder, root: str) -> tuple[str, str]:
    folder = PurePosixPath(head).parent.as_posix()
    path = beside(folder, name)
    if path.startswith("../") or PurePosixPath(name).is_absolute():
        return (
            f"{name} is not in the folder of the contracts, {root}",
            f"move or copy the schema into that folder, and write `{key}:` with its path from contract.yaml",
        )
    if path in files.unread:
        if reason := files.unread[path]:
            fix = _IN_SIGHT[reason].format(join(root, path)) if reason in _IN_SIGHT else "replace it by a file"
            return f"the file {name} is there, but {reason}", fix
        right = PurePosixPath(name).with_suffix(".avsc").as_posix()
        return (
            f"the file {name} is there, but only files whose names end with .avsc are read",
            f"rename it to {right}, and write `{key}: {right}`",
        )
    ignored = next(
        (one for one, why in files.unread.items() if why in _IN_SIGHT and path.startswith(f"{one}/")), None
    )
    if ignored is not None:
        why = files.unread[ignored]
        return f"the file {name} is in {ignored}, but {why}", _IN_SIGHT[why].format(join(root, ignored))
    inside = f"{folder}/" if folder != "." else ""
    read = (*files.texts, *files.others)
    for found in _alike(name, [one for one in (*sorted(read), *files.unread) if one.startswith(inside)]):
        other = found[len(inside) :]
        if found in read:
            return f"the file {name} does not exist, but {other} does", f"write `{key}: {other}`"
        if not files.unread[found]:
            right = PurePosixPath(other).with_suffix(".avsc").as_posix()
            return (
                f"the file {name} does not exist, but {other} does, which is not read",
                f"rename {other} to {right}, and write `{key}: {right}`",
            )
    here = [one[len(inside) :] for one in read if one.startswith(inside) and one.endswith(".avsc")]
    if len(here) == 1:
        return f"the file {name} does not exist, but {here[0]} does", f"write `{key}: {here[0]}`, if you mean it"
    what = f"the file {name} does not exist"
    return what, f"add {join(root, path)}, or correct `{key}:` in {join(root, head)}"


def _alike(name: str, paths: list[str]) -> list[str]:
    """Paths with the same name in another case, folder or extension, the likest first."""
    last = PurePosixPath(name.replace("\\", "/")).name
    ways = (
        lambda one: one.name == last,
        lambda one: one.name.lower() == last.lower(),
        lambda one: one.stem.lower() in (last.lower(), PurePosixPath(last).stem.lower())
        and one.suffix.lower() in (".avsc", ".avro", ".json", ".avdl", ".avpr", ""),
    )
    return [path for way in ways for path in paths if way(PurePosixPath(path))]
