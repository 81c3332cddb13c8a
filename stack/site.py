"""The folder of one stack: data, logs, pid files, ports and generated passwords."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avro_data_contracts.stack.errors import ServerError, UsageError

CLONE = Path(__file__).resolve().parent.parent
_SECRET_NAMES = (
    "airflow-admin",
    "airflow-connections",
    "airflow-sessions",
    "airflow-tasks",
    "cassandra-admin",
    "cassandra-pipeline",
    "cassandra-producer",
    "kafka-admin",
    "kafka-broker",
    "kafka-producer",
    "kafka-replay",
    "kafka-stream",
    "postgres-admin",
    "postgres-airflow",
    "postgres-pipeline",
    "postgres-producer",
    "postgres-registry",
    "registry-admin",
    "registry-producer",
    "registry-replay",
    "registry-stream",
)


def default_root() -> Path:
    """`STACK_DIR`, or `.stack` in the clone."""
    configured = os.environ.get("STACK_DIR")
    return Path(configured).resolve() if configured else CLONE / ".stack"


@dataclass(frozen=True)
class Site:
    """The paths below `root`.  Creates nothing unless a method says so."""

    root: Path

    def create(self) -> None:
        """Create the folders.  Other accounts may only pass through `root`, for PostgreSQL, which refuses to run as
        root and runs as `nobody`."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)
        for name in ("logs", "run"):
            (self.root / name).mkdir(mode=0o700, exist_ok=True)

    def folder(self, server: str) -> Path:
        return self.root / server

    @property
    def certificates(self) -> Path:
        """Folder of a secure stack's certificates: `ca.pem`, and `NAME.pem`, `.key` and `.crt` for each server."""
        return self.root / "certificates"

    @property
    def authority(self) -> Path:
        return self.certificates / "ca.pem"

    def log(self, server: str) -> Path:
        return self.root / "logs" / f"{server}.log"

    def pid_file(self, server: str) -> Path:
        return self.root / "run" / f"{server}.json"

    @contextmanager
    def locked(self, say: Callable[[str], None]) -> Iterator[None]:
        """Hold the stack's lock; a second `up` or `down` waits for it."""
        with (self.root / "run" / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another `stack up` or `stack down` in this folder")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def secrets(self) -> Mapping[str, str]:
        """The generated passwords (mode 0600), created on first use.  They are hexadecimal, so they need no quoting
        in a URL, a shell or a YAML file."""
        path = self.root / "secrets.json"
        known: dict[str, str] = self.read(path) or {}
        lacking = [name for name in _SECRET_NAMES if name not in known]
        if lacking:
            known.update({name: secrets.token_hex(24) for name in lacking})
            self.write(path, known)
        return known

    @staticmethod
    def read(path: Path) -> Any:
        """The content of a JSON file; None if the file does not exist.

        Raises:
            UsageError: the file is damaged or belongs to another account.
        """
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except PermissionError:
            raise UsageError(
                "this file belongs to another account",
                where=str(path),
                fix="run this as that account, or set STACK_DIR",
            ) from None
        except ValueError:
            raise UsageError("this file is damaged", where=str(path), fix="remove it") from None

    @staticmethod
    def write(path: Path, content: Any) -> None:
        """Write JSON atomically (mode 0600): a reader sees the old file or the new one, never half of it.

        Raises:
            ServerError: the file could not be written.
        """
        temporary = path.with_name(path.name + ".new")
        try:
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            raise ServerError(
                f"this file cannot be written ({error.strerror})",
                where=str(path),
                fix="check the disk and the folder's permissions",
            ) from None
