"""Files of a git commit, read through the `git` program; nothing is checked out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import ConfigurationError

_GITLINK = "160000"
_OF_HOOKS = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})


@dataclass(frozen=True)
class Commit:
    """A commit.  `day`: of the committer, ISO."""

    sha: str
    day: str = ""

    @property
    def short(self) -> str:
        return self.sha[:9]


class Repository:
    """The repository that `folder` is in.

    Every method raises ConfigurationError with the command that mends it.

    Args:
        folder: inside the work tree; need not be its top.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        inside = next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), Path())
        self._inside = inside
        done = self._run("rev-parse", "--show-toplevel")
        if done.returncode:
            raise ConfigurationError(
                f"not in a git repository: {_words(done)}",
                where=str(folder),
                mend="run inside the clone, or compare with a folder or the registry: --against DIR|registry",
            )
        self.top = Path(os.fsdecode(done.stdout).rstrip("\n"))

    def relative(self, path: Path) -> str:
        """`path` as git has it: from the top of the work tree, with slashes; empty for the top itself."""
        try:
            relative = path.resolve().relative_to(self.top.resolve()).as_posix()
        except ValueError:
            raise ConfigurationError(
                "is outside of the git repository", where=str(path), mend=f"the repository is {self.top}"
            ) from None
        return "" if relative == "." else relative

    def commit(self, ref: str) -> Commit:
        """The commit that a branch, a tag or a hash stands for."""
        if ref.startswith("-") or not ref:
            raise ConfigurationError(f"{ref!r} is not a git ref", mend="pass a branch, a tag or a commit")
        done = self._run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        if done.returncode:
            raise ConfigurationError(f"git has no commit {ref!r}", where=str(self.top), mend=self._fetch(ref))
        return Commit(done.stdout.decode().strip())

    def merge_base(self, ref: str) -> Commit:
        """Where HEAD and `ref` parted."""
        other = self.commit(ref)
        head = self.commit("HEAD")
        done = self._run("merge-base", head.sha, other.sha)
        if done.returncode:
            mend = "pass --against with the commit to compare with"
            if self.is_shallow:
                mend = "this clone is shallow, run: git fetch --unshallow origin"
            raise ConfigurationError(f"HEAD and {ref} have no common commit here", where=str(self.top), mend=mend)
        return Commit(done.stdout.decode().strip())

    @property
    def is_shallow(self) -> bool:
        """The clone lacks older commits."""
        return self._run("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"

    def files(self, commit: Commit, below: str) -> dict[str, str]:
        """Path (from the top) -> blob hash of every file below a folder; empty when there is no such folder."""
        where = ["--", f"{below}/"] if below else []
        done = self._checked("ls-tree", "-r", "-z", "--full-tree", commit.sha, *where)
        found = {}
        for entry in done.stdout.split(b"\0"):
            if entry:
                meta, _, path = entry.partition(b"\t")
                _, kind, blob = meta.decode().split()
                if kind == "blob":
                    found[os.fsdecode(path)] = blob
        return found

    def blobs(self, hashes: Iterable[str]) -> dict[str, bytes]:
        """Contents by hash, in one call of git."""
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
                    f"git lacks the object {blob}", where=str(self.top), mend="run: git fetch --refetch origin"
                )
            size = int(rest.split()[1])
            found[blob] = out[end + 1 : end + 1 + size]
            at = end + 2 + size
        return found

    def history(self, commit: Commit, below: str) -> Iterator[tuple[Commit, Mapping[str, str]]]:
        """Every commit that changed a file below a folder, first parents only, oldest first: path (from the top) ->
        blob hash of what it changed, empty for what it removed."""
        where = ["--", f":(top,literal){below}"] if below else []
        done = self._checked(
            "log", "--first-parent", "-m", "--reverse", "--raw", "--no-abbrev", "--no-renames", "--no-color",
            "--no-show-signature", "--format=%x01%H %cs", "-z", commit.sha, *where,
        )  # fmt: skip
        changed: dict[str, str] = {}
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
                changed[path] = "" if status.startswith("D") or mode == _GITLINK else blob
        if current is not None:
            yield current, changed

    def _fetch(self, ref: str) -> str:
        """What may bring a ref here."""
        remotes = self._run("remote").stdout.decode().split()
        if not remotes:
            return "this clone has no remote: pass a branch, a tag or a commit that is here"
        remote, slash, branch = ref.partition("/")
        if slash and remote in remotes:
            return f"run: git fetch {remote} {branch}:refs/remotes/{remote}/{branch}"
        return "run: git fetch --unshallow origin" if self.is_shallow else "run: git fetch --all --tags"

    def _checked(self, *arguments: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        done = self._run(*arguments, data=data)
        if done.returncode:
            mend = "run: git fetch --unshallow origin" if self.is_shallow else "run: git fsck"
            raise ConfigurationError(f"git {arguments[0]} failed: {_words(done)}", where=str(self.top), mend=mend)
        return done

    def _run(self, *arguments: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        # A hook has its own idea of where the repository is; the folder decides.
        inherited = {name: value for name, value in os.environ.items() if name not in _OF_HOOKS}
        environment = {**inherited, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
        try:
            return subprocess.run(
                ["git", "-C", str(self._inside), *arguments],
                input=data,
                stdin=subprocess.DEVNULL if data is None else None,
                capture_output=True,
                env=environment,
                check=False,
            )
        except FileNotFoundError:
            raise ConfigurationError(
                "there is no program `git`", mend="install git, or compare with a folder or the registry"
            ) from None


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else f"exit {done.returncode}"
