"""Read the compose files: services, ports, memory and required variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from avro_data_contracts.stack.errors import UsageError
from avro_data_contracts.stack.site import CLONE

BASE = "docker-compose.yml"
OVERLAYS = {"zookeeper": "docker-compose.zookeeper.yml", "secure": "docker-compose.secure.yml"}
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")
_MOUNTED = ".secrets/"
#: How our own variables of `.env` begin.  Others may stay empty.
_OURS = "DEPLOY_"
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class _Loader(yaml.SafeLoader):
    """Reads Compose's own tags, which say how an overlay is merged, as the ordinary YAML behind them."""


def _untagged(loader: _Loader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_yaml_null(node)


_Loader.add_multi_constructor("!", _untagged)


@dataclass(frozen=True)
class Port:
    """A port of this machine that reaches a service."""

    service: str
    number: int
    variable: str


def files(overlays: Sequence[str] = ()) -> list[Path]:
    """Paths of the compose files, in the order in which compose merges them."""
    return [CLONE / BASE, *(CLONE / OVERLAYS[name] for name in overlays)]


def read(path: Path) -> dict[str, Any]:
    """Parse one compose file; leaves its variables as they are.  The next call returns the same: do not change it."""
    return _parsed(path.read_text(encoding="utf-8"))


@cache
def _parsed(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    return found


def wanted_variables(paths: Sequence[Path]) -> list[str]:
    """Names of the variables without which nothing starts, in the order of the files: passwords, and those that
    compose requires."""
    found = (match for path in paths for match in _VARIABLE.finditer(path.read_text(encoding="utf-8")))
    required = [match["name"] for match in found if match["kind"] == "?"]
    return list(dict.fromkeys([*(name for name in secrets(paths) if name.startswith(_OURS)), *required]))


def variables(paths: Sequence[Path]) -> list[str]:
    """Names of all variables that the files use, in the order of the files."""
    found = (match["name"] for path in paths for match in _VARIABLE.finditer(path.read_text(encoding="utf-8")))
    return list(dict.fromkeys([*secrets(paths), *found]))


def secrets(paths: Sequence[Path]) -> list[str]:
    """Names of the variables whose values containers get as files."""
    listed = (keys for path in paths for keys in (read(path).get("secrets") or {}).values())
    return [name for keys in listed if (name := str(keys["file"]).removeprefix(_MOUNTED)) != keys["file"]]


def holders(paths: Sequence[Path], names: Iterable[str]) -> set[str]:
    """Services that get one of these secrets."""
    wanted = set(names)
    return {
        name
        for path in paths
        for name, keys in read(path)["services"].items()
        if wanted & set((keys or {}).get("secrets") or ())
    }


def interpolate(text: str, environment: Mapping[str, str]) -> str:
    """Replace `${NAME}`, `${NAME:-default}` and `${NAME:?why}` in `text` as compose does.

    Raises:
        UsageError: a required variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        found = environment.get(match["name"], "")
        if not found and match["kind"] == "?":
            raise UsageError(f"{match['name']} is not set", where=".env", fix=match["rest"] or "set it")
        return found or (match["rest"] if match["kind"] == "-" else "")

    return _VARIABLE.sub(value, text)


def services(paths: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Keys of each service.  An overlay's key replaces the base's, which is enough for ports and memory."""
    merged: dict[str, dict[str, Any]] = {}
    for path in paths:
        for name, keys in read(path)["services"].items():
            merged[name] = merged.get(name, {}) | (keys or {})
    return merged


def ports(paths: Sequence[Path], environment: Mapping[str, str], profiles: Sequence[str]) -> list[Port]:
    """Ports of this machine that the services of these profiles use.

    Raises:
        UsageError: a variable is not a port number.
    """
    found = []
    for name, keys in services(paths).items():
        for text in (keys.get("ports") or ()) if _starts(keys, profiles) else ():
            variable = _VARIABLE.search(text)
            number = interpolate(text, environment).split(":")[-2]
            if not number.isdecimal() or not 0 < int(number) < 65_536:
                raise UsageError(
                    f"{number!r} is not a port",
                    where=variable["name"] if variable else name,
                    fix="correct it in .env",
                )
            found.append(Port(name, int(number), variable["name"] if variable else ""))
    return found


def only_of(overlay: str) -> set[str]:
    """Services that only this overlay has."""
    return set(read(CLONE / OVERLAYS[overlay])["services"]) - set(read(CLONE / BASE)["services"])


def mounts(paths: Sequence[Path]) -> list[Path]:
    """Files and folders of the clone that containers mount, except `.certs/`, which only a root container reads."""
    sources = {
        mount.partition(":")[0]
        for path in paths
        for keys in read(path)["services"].values()
        for mount in (keys or {}).get("volumes") or ()
    }
    return [CLONE / source for source in sorted(sources) if source.startswith("./deploy/")]


def needed_bytes(paths: Sequence[Path], profiles: Sequence[str]) -> int:
    """Memory that the services of these profiles need when idle, bytes: the sum of their `mem_reservation`."""
    found = (keys for keys in services(paths).values() if _starts(keys, profiles))
    return sum(in_bytes(str(keys["mem_reservation"])) for keys in found)


def in_bytes(text: str) -> int:
    """Convert a size such as `512m` to bytes."""
    return int(text[:-1]) * _UNITS[text[-1].lower()]


def _starts(keys: Mapping[str, Any], profiles: Sequence[str]) -> bool:
    return not keys.get("profiles") or bool(set(keys["profiles"]) & set(profiles))
