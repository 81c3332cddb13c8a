"""One file of the Java world, and the lock that pins each with its SHA-256."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stack.errors import UsageError

LOCK_FILE = Path(__file__).parent.with_name("jars.lock")
_HEADER = """\
# The exact files that the servers and Spark need: coordinates, sets, bytes, SHA-256.
# Written by `make lock` from pins.toml; do not edit.
"""


@dataclass(frozen=True, order=True)
class Coordinates:
    """Where an artifact is in a Maven repository: `group:name:version[:classifier][@ext]`."""

    group: str
    name: str
    version: str
    classifier: str = ""
    ext: str = "jar"

    @classmethod
    def parse(cls, text: str) -> Coordinates:
        """Reads the form that `str()` writes.

        Raises:
            UsageError: not of that form.
        """
        head, _, ext = text.partition("@")
        parts = head.split(":")
        if not 3 <= len(parts) <= 4 or not all(parts):
            raise UsageError(
                f"{text!r} is not group:name:version[:classifier][@ext]", where=str(LOCK_FILE), fix="run `make lock`"
            )
        return cls(parts[0], parts[1], parts[2], parts[3] if len(parts) == 4 else "", ext or "jar")

    def __str__(self) -> str:
        text = ":".join(part for part in (self.group, self.name, self.version, self.classifier) if part)
        return text if self.ext == "jar" else f"{text}@{self.ext}"

    @property
    def file_name(self) -> str:
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.name}-{self.version}{classifier}.{self.ext}"


@dataclass(frozen=True)
class Artifact:
    """A file as the lock pins it.

    Args:
        coordinates: where it is.
        sets: the sets of `pins.toml` that need it.
        size: bytes.
        sha256: lower-case hex.
    """

    coordinates: Coordinates
    sets: tuple[str, ...]
    size: int
    sha256: str

    @property
    def is_archive(self) -> bool:
        """Kept in the cache as the folder that was in it: a tar, or Zonky's jars, each of which holds one."""
        at = self.coordinates
        return at.ext == "tar.gz" or at.name.startswith("embedded-postgres-binaries-")

    def path(self, cache: Path) -> Path:
        """Where it lies in the cache; the checksum in the path makes a changed pin another file."""
        name = self.coordinates.file_name
        if self.is_archive:
            name = name.removesuffix(f".{self.coordinates.ext}")
        return cache / "jars" / self.sha256[:16] / name


def read_lock(path: Path = LOCK_FILE) -> tuple[Artifact, ...]:
    """Every artifact of the lock.

    Raises:
        UsageError: the file is missing or a line is not of its form.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError("the lock of the jars is missing", where=str(path), fix="run `make lock`") from None
    artifacts = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        fields = line.split()
        if len(fields) != 4 or not fields[2].isdigit() or len(fields[3]) != 64:
            raise UsageError(
                "expected: coordinates, sets, bytes, SHA-256", where=f"{path}:{number}", fix="run `make lock`"
            )
        artifacts.append(
            Artifact(Coordinates.parse(fields[0]), tuple(fields[1].split(",")), int(fields[2]), fields[3])
        )
    return tuple(artifacts)


def lock_text(artifacts: Iterable[Artifact]) -> str:
    """The lock file's content, sorted, so that a diff shows what moved."""
    rows = sorted(artifacts, key=lambda artifact: artifact.coordinates)
    return _HEADER + "".join(f"{row.coordinates} {','.join(row.sets)} {row.size} {row.sha256}\n" for row in rows)
