"""`.env`: the passwords that the compose files want, generated once and never changed after that."""

from __future__ import annotations

import base64
import os
import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

_LINE = re.compile(r"""^\s*(?:export\s+)?(?P<name>\w+)=(?P<quote>["']?)(?P<value>.*?)(?P=quote)\s*$""")


def read(path: Path) -> dict[str, str]:
    """Name -> value of the lines of an `.env`; empty when there is none."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    found = (_LINE.match(line) for line in lines if not line.lstrip().startswith("#"))
    return {match["name"]: match["value"] for match in found if match}


def known(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """What compose sees: the environment, before `.env`."""
    return {**read(path), **environment}


def add_missing(path: Path, wanted: Sequence[str]) -> list[str]:
    """Appends a generated value for each wanted name that has none; returns the names.  The file is mode 0600."""
    have = read(path)
    missing = [name for name in wanted if not have.get(name)]
    if not missing:
        return []
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if text and not text.endswith("\n"):
        text += "\n"
    text += "".join(f"{name}={_generated(name)}\n" for name in missing)
    # Under another name until it is whole: passwords that are in use must not get lost.
    half = path.with_name(f"{path.name}.new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    half.replace(path)
    return missing


def _generated(name: str) -> str:
    if name.endswith("_FERNET_KEY"):
        return base64.urlsafe_b64encode(os.urandom(32)).decode()
    if name.endswith("_CLUSTER_ID"):
        # Kafka takes a UUID in base64 without padding, and none that begins with a dash.
        return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
    # Of letters and digits: it stands in URLs, CQL, properties and YAML.
    return secrets.token_hex(24)
