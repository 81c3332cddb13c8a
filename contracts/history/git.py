"""Files of a git commit, read through the `git` program; nothing is checked out."""

from __future__ import annotations

import os
import posixpath
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from avro_data_contracts.contracts import git_program
from avro_data_contracts.contracts.errors import ConfigurationError

_GITLINK = "160000"
_LINK = "120000"


@dataclass(frozen=True)
class Commit:
    """A commit.  `day`: of the committer, ISO."""

    sha: str
    day: str = ""

    @property
    def short(self) -> str:
        return self.sha[:9]


class Blob(NamedTuple):
    """The content of a path.  `hash`: empty for nothing.  `link`: a symbolic link, whose content is its target."""

    hash: str
    link: bool = False


def from_top(folder: Path) -> Callable[[str], str]:
    """Convert paths of this process to those from the top of the repository that `folder` is in.

    A path outside it stays as it is, and so does every path where there is no repository.
    """
    try:
        top = Path(os.path.realpath(Repository(folder).top))
    except ConfigurationError:
        return lambda path: path

    def shown(path: str) -> str:
        # As written first: git has the path of a symbolic link, not of what it leads to.
        for one in (Path(os.path.realpath(Path.cwd()), path), Path(os.path.realpath(path))):
            whole = Path(os.path.normpath(one))
            if whole.is_relative_to(top):
                return whole.relative_to(top).as_posix()
        return path

    return shown


class Repository:
    """The repository that `folder` is in.

    Every method raises ConfigurationError with the command that fixes the problem.

    Args:
        folder: inside the work tree, not necessarily its top.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lists: dict[tuple[Commit, str], list[tuple[str, str, str]]] = {}
        inside = next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), Path())
        self._inside = inside
        done = self._run("rev-parse", "--show-toplevel")
        if done.returncode:
            words = _words(done)
            raise ConfigurationError(
                "not in a git repository" if "not a git repository" in words else f"git cannot work here: {words}",
                where=str(folder),
                fix="run inside a clone with its files, or compare with a folder or the registry: "
                "--against DIR|registry",
            )
        self.top = Path(os.fsdecode(done.stdout).rstrip("\n"))

    def relative(self, path: Path) -> str:
        """Return `path` as git writes it: from the top of the work tree, with slashes; empty for the top itself."""
        try:
            relative = path.resolve().relative_to(self.top.resolve()).as_posix()
        except ValueError:
            raise ConfigurationError(
                "is outside the git repository", where=str(path), fix=f"pass a path inside the repository {self.top}"
            ) from None
        return "" if relative == "." else relative

    def commit(self, ref: str) -> Commit:
        """Return the commit that a branch, a tag or a hash names."""
        if ref.startswith("-") or not ref:
            raise ConfigurationError(f"{ref!r} is not a git ref", fix="pass a branch, a tag or a commit")
        done = self._run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        if done.returncode:
            unborn = self._run("rev-parse", "--verify", "--quiet", "HEAD").returncode
            if unborn and (ref == "HEAD" or not self._checked("for-each-ref", "--count=1").stdout):
                # Without this, the advice would be to fetch a commit that nobody has made.
                raise ConfigurationError(
                    "the repository has no commit yet, so there is nothing to compare with",
                    where=str(self.top),
                    fix="commit first (git commit), or compare with a folder or the registry: --against DIR|registry",
                )
            raise ConfigurationError(f"git has no commit {ref!r}", where=str(self.top), fix=self._fetch(ref))
        return Commit(done.stdout.decode().strip())

    def dated(self, commit: Commit) -> Commit:
        """The commit with its day."""
        done = self._checked("show", "--no-patch", "--no-show-signature", "--format=%cs", commit.sha)
        return Commit(commit.sha, done.stdout.decode().strip())

    def names(self, ref: str) -> str:
        """The full name of a ref in this clone, e.g. `refs/heads/main`; empty if there is none."""
        if ref.startswith("-") or self._run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").returncode:
            return ""
        done = self._run("rev-parse", "--verify", "--quiet", "--symbolic-full-name", ref)
        return done.stdout.decode().strip() or self.commit(ref).sha

    def parent(self, commit: Commit) -> Commit | None:
        """The first ref that exists in this clone."""
        done = self._run("rev-parse", "--verify", "--quiet", f"{commit.sha}^1")
        return None if done.returncode else Commit(done.stdout.decode().strip())

    def default_base(self) -> str:
        """The branch that changes are for: `origin/main`, or else the default branch of origin.

        Raises:
            ConfigurationError: this clone has no such branch.
        """
        named = self._run("rev-parse", "--abbrev-ref", "origin/HEAD").stdout.decode().strip()
        for ref in ("origin/main", named, "origin/master"):
            if ref and not self._run("rev-parse", "--verify", "--quiet", f"refs/remotes/{ref}").returncode:
                return ref
        self.commit("HEAD")  # raises the error about a repository without a commit
        here = self._checked("for-each-ref", "--count=5", "--format=%(refname:short)", "refs/heads").stdout.decode()
        fix = f"name the base: --against REF|DIR|registry (branches here: {', '.join(here.split()) or 'none'})"
        if "origin" in self._run("remote").stdout.decode().split():
            fetch = "git fetch origin BRANCH:refs/remotes/origin/BRANCH"
            fix = f"run: {fetch}, with the branch that changes are for; or {fix}"
        raise ConfigurationError(
            "this clone has neither origin/main nor another default branch of origin to compare with",
            where=str(self.top),
            fix=fix,
        )

    def merge_base(self, ref: str) -> Commit:
        """Return the merge base of HEAD and `ref`."""
        other = self.commit(ref)
        head = self.commit("HEAD")
        done = self._run("merge-base", head.sha, other.sha)
        if done.returncode:
            fix = "pass --against with the commit to compare with"
            if self.is_shallow:
                fix = "this clone is shallow, run: git fetch --unshallow origin"
            raise ConfigurationError(f"HEAD and {ref} have no common commit here", where=str(self.top), fix=fix)
        return Commit(done.stdout.decode().strip())

    @cached_property
    def is_shallow(self) -> bool:
        """Whether the clone lacks older commits."""
        return self._run("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"

    def files(
        self,
        commit: Commit,
        below: str,
        wanted: Callable[[str], bool] = lambda path: True,
        outside: Callable[[ConfigurationError], None] | None = None,
    ) -> dict[str, str]:
        """Return path (from the top) -> blob hash of the files below a folder; empty if the folder does not exist.

        A symbolic link counts as the file or the folder that it leads to, as in a work tree.

        Args:
            wanted: which paths to return; a link that leads out of the repository is an error only if it is wanted.
            outside: takes such an error, whose file is the link; None: it is raised.
        """
        found: dict[str, str] = {}
        for path, mode, blob in self._listed(commit, below):
            if mode != _LINK and mode != _GITLINK and wanted(path):
                found[path] = blob
            elif mode == _LINK:
                try:
                    found |= self._of_link(commit, path, below, wanted)
                except ConfigurationError as error:
                    if outside is None or not error.file:
                        raise
                    outside(error)
        return found

    def submodules(self, commit: Commit, below: str) -> list[str]:
        """Return the submodules below a folder, from the top; their files are in other repositories."""
        return [path for path, mode, _ in self._listed(commit, below) if mode == _GITLINK]

    def _listed(self, commit: Commit, below: str) -> list[tuple[str, str, str]]:
        """Path from the top, mode and hash of everything below a folder, except folders."""
        if (commit, below) not in self._lists:
            where = ["--", f"{below}/"] if below else []
            done = self._checked("ls-tree", "-r", "-z", "--full-tree", commit.sha, *where)
            self._lists[commit, below] = list(_entries(done.stdout))
        return self._lists[commit, below]

    def _of_link(self, commit: Commit, path: str, below: str, wanted: Callable[[str], bool]) -> dict[str, str]:
        """Return the file that a link leads to, or the files of the folder, unless that is below `below` itself."""
        kind, hash_ = self._followed(commit, path, needed=wanted(path))
        if kind == "blob" and wanted(path):
            return {path: hash_}
        if kind != "tree":
            return {}
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), self._target(commit, path)))
        if not below or f"{target}/".startswith(f"{below}/") or f"{below}/".startswith(f"{target}/"):
            return {}
        found: dict[str, str] = {}
        for inner, mode, blob in _entries(self._checked("ls-tree", "-r", "-z", "--full-tree", hash_).stdout):
            full = f"{path}/{inner}"
            if wanted(full):
                found[full] = self._followed(commit, full)[1] if mode == _LINK else blob
        return found

    def _target(self, commit: Commit, path: str) -> str:
        return os.fsdecode(self._checked("cat-file", "blob", f"{commit.sha}:{path}").stdout)

    def _followed(self, commit: Commit, path: str, *, needed: bool = True) -> tuple[str, str]:
        """Return what a link leads to, `blob` or `tree`, and its hash; empty for nothing.

        Args:
            needed: a link that leads out of the repository is an error.
        """
        data = os.fsencode(f"{commit.sha}:{path}\n")
        out = self._checked("cat-file", "--batch-check", "--follow-symlinks", data=data).stdout
        words = out.split(b"\n", 1)[0].split(b" ")
        if words[0] == b"symlink" and needed:
            target = os.fsdecode(out.split(b"\n")[1])
            raise ConfigurationError(
                f"the file is a symbolic link to {target}, which is outside the repository",
                file=path,
                fix="commit the file itself, or a link to a file inside the repository",
            )
        kind = words[1].decode() if len(words) > 1 else ""
        return (kind, words[0].decode()) if kind in ("blob", "tree") else ("", "")

    def text(self, commit: Commit, path: str) -> bytes | None:
        """Return the content of a file, path from the top; None if there is none."""
        kind, hash_ = self._followed(commit, path, needed=False)
        return self.blobs([hash_])[hash_] if kind == "blob" else None

    def gone(self, old: Commit, new: Commit, names: Iterable[str]) -> list[str]:
        """Return the paths (from the top) of all files with such names that `old` has and `new` lacks."""
        done = self._checked(
            "diff-tree", "-r", "-z", "--no-renames", "--diff-filter=D", "--name-only", old.sha, new.sha,
            "--", *(f":(top,glob)**/{name}" for name in names),
        )  # fmt: skip
        return [os.fsdecode(path) for path in done.stdout.split(b"\0") if path]

    def blobs(self, hashes: Iterable[str]) -> dict[str, bytes]:
        """Return contents by hash, with one call of git."""
        wanted = list(dict.fromkeys(hashes))
        if not wanted:
            return {}
        done = self._checked("cat-file", "--batch", data="".join(f"{one}\n" for one in wanted).encode())
        found, at, out = {}, 0, done.stdout
        while at < len(out):
            end = out.index(b"\n", at)
            blob, _, rest = out[at:end].decode().partition(" ")
            if rest == "missing":
                raise ConfigurationError(
                    f"git lacks the object {blob}", where=str(self.top), fix="run: git fetch --refetch origin"
                )
            size = int(rest.split()[1])
            found[blob] = out[end + 1 : end + 1 + size]
            at = end + 2 + size
        return found

    def history(self, commit: Commit, paths: Sequence[str]) -> Iterator[tuple[Commit, Mapping[str, Blob]]]:
        """Yield every commit that changed one of these files, or a file below these folders (any file if none given).

        First parents only, oldest first; each with path (from the top) -> its content from then on.
        """
        where = ["--", *(f":(top,literal){path}" for path in paths)] if paths else []
        done = self._checked(
            "log", "--first-parent", "-m", "--reverse", "--raw", "--no-abbrev", "--no-renames", "--no-color",
            "--no-show-signature", "--format=%x01%H %cs", "-z", commit.sha, *where,
        )  # fmt: skip
        changed: dict[str, Blob] = {}
        current: Commit | None = None
        parts = iter(done.stdout.split(b"\0"))
        for part in parts:
            part = part.lstrip(b"\n")
            if part.startswith(b"\x01"):
                if current is not None:
                    yield current, changed
                sha, _, day = part[1:].decode().strip().partition(" ")
                current, changed = Commit(sha, day), {}
            elif part.startswith(b":"):
                _, mode, _, blob, status = part[1:].decode().split(" ")
                path = os.fsdecode(next(parts, b""))
                gone = status.startswith("D") or mode == _GITLINK
                changed[path] = Blob("") if gone else Blob(blob, mode == _LINK)
        if current is not None:
            yield current, changed

    def titles(self, commits: Iterable[Commit]) -> dict[str, str]:
        """Return the first line of each commit's message, by its hash."""
        wanted = "".join(f"{one.sha}\n" for one in commits)
        if not wanted:
            return {}
        options = ("--no-walk=unsorted", "--stdin", "--no-color", "--no-show-signature", "--encoding=UTF-8")
        done = self._checked("log", *options, "--format=%H %s", "-z", data=wanted.encode())
        found = (part.decode("utf-8", "replace").partition(" ") for part in done.stdout.split(b"\0"))
        return {sha.strip(): title for sha, _, title in found if sha}

    def _fetch(self, ref: str) -> str:
        """The command that may fetch a missing ref."""
        remotes = self._run("remote").stdout.decode().split()
        if not remotes:
            return "pass a branch, a tag or a commit of this clone, which has no remote"
        remote, slash, branch = ref.partition("/")
        if slash and remote in remotes:
            return f"run: git fetch {remote} {branch}:refs/remotes/{remote}/{branch}"
        return "run: git fetch --unshallow origin" if self.is_shallow else "run: git fetch --all --tags"

    def _checked(self, *arguments: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        done = self._run(*arguments, data=data)
        if done.returncode:
            fix = "run: git fetch --unshallow origin" if self.is_shallow else "run: git fsck"
            raise ConfigurationError(f"git {arguments[0]} failed: {_words(done)}", where=str(self.top), fix=fix)
        return done

    def _run(self, *arguments: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        try:
            return git_program.run(self._inside, *arguments, data=data)
        except FileNotFoundError:
            raise ConfigurationError(
                "the program `git` is not installed", fix="install git, or compare with a folder or the registry"
            ) from None


def _entries(listed: bytes) -> Iterator[tuple[str, str, str]]:
    """Path, mode and hash of the lines of `git ls-tree -z`."""
    for entry in listed.split(b"\0"):
        if entry:
            meta, _, name = entry.partition(b"\t")
            mode, _, hash_ = meta.decode().split()
            yield os.fsdecode(name), mode, hash_


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else f"exit {done.returncode}"
