"""The folder that one stack lives in: data, logs, pid files, ports and generated passwords."""

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

from stack.errors import ServerError, UsageError

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
    """Names what lies where below `root`; makes only what it is asked to make."""

    root: Path

    def create(self) -> None:
        """Makes the folders.  Others may pass through the first one only: PostgreSQL runs as another account when
        we are root."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)
        for name in ("logs", "run"):
            (self.root / name).mkdir(mode=0o700, exist_ok=True)

    def folder(self, server: str) -> Path:
        return self.root / server

    @property
    def certificates(self) -> Path:
        """Those of a secure stack: `ca.pem`, and `NAME.pem`, `NAME.key` and `NAME.crt` of each server."""
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
        """Keeps a second `up` or `down` waiting while this one works."""
        with (self.root / "run" / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another `stack up` or `down` is at work here; waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def secrets(self) -> Mapping[str, str]:
        """The generated passwords (mode 0600), made when asked for the first time.  Hexadecimal: safe in a URL, a
        shell and a YAML file as they are."""
        path = self.root / "secrets.json"
        known: dict[str, str] = self.read(path) or {}
        lacking = [name for name in _SECRET_NAMES if name not in known]
        if lacking:
            known.update({name: secrets.token_hex(24) for name in lacking})
            self.write(path, known)
        return known

    @staticmethod
    def read(path: Path) -> Any:
        """A JSON file's content; None when there is none.

        Raises:
            UsageError: the file is not what was written.
        """
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except PermissionError:
            raise UsageError(
                "belongs to another account", where=str(path), fix="run this as that account, or set STACK_DIR"
            ) from None
        except ValueError:
            raise UsageError("is damaged", where=str(path), fix="remove this file") from None

    @staticmethod
    def write(path: Path, content: Any) -> None:
        """Writes JSON in one step (mode 0600): a reader sees the old file or the new one, never half of it.

        Raises:
            ServerError: it could not be written.
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
                f"cannot be written ({error.strerror})", where=str(path), fix="check the disk and its permissions"
            ) from None
