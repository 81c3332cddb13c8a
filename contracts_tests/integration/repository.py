"""A repository of contracts of a test's own, with topics that nobody else uses, on the running servers."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import requests
import yaml

from contracts.registry.http import MEDIA_TYPE
from contracts_tests.command import Done, run_contracts
from contracts_tests.conftest import CLONE, RunningStack


@dataclass
class Repository:
    """One contract `one` in `folder`, with a key, a value and a shared type; nothing is registered yet."""

    folder: Path
    environment: dict[str, str]
    topic: str = field(default_factory=lambda: f"r{uuid.uuid4().hex[:10]}")

    @property
    def shared(self) -> str:
        return f"types_{self.topic}.Shared"

    @property
    def value(self) -> Path:
        return self.folder / "one" / "value.avsc"

    def write(self, **changes: Any) -> None:
        """The files; `changes` are those of contract.yaml, None takes a key away."""
        (self.folder / "one").mkdir(parents=True, exist_ok=True)
        spec = {
            "topic": self.topic,
            "owner": "test",
            "compatibility": "FULL",
            "key": "key.avsc",
            "kafka": {"partitions": 2, "config": {"retention.ms": "60000"}},
            **changes,
        }
        spec = {key: value for key, value in spec.items() if value is not None}
        (self.folder / "one" / "contract.yaml").write_text(yaml.safe_dump(spec))
        fields = [{"name": "id", "type": "string"}, {"name": "kind", "type": self.shared}]
        self.save(self.folder / "shared.avsc", {"type": "enum", "name": self.shared, "symbols": ["A", "B"]})
        self.save(self.folder / "one" / "key.avsc", {"type": "record", "name": "Key", "fields": fields[:1]})
        self.save(self.value, {"type": "record", "name": "One", "namespace": self.topic, "fields": fields})

    def save(self, path: Path, schema: Any) -> None:
        path.write_text(json.dumps(schema, indent=2))

    def add_field(self, **field: Any) -> None:
        """One more field at the end of the value."""
        schema = json.loads(self.value.read_text())
        schema["fields"].append(field)
        self.save(self.value, schema)

    def run(self, *arguments: str, **environment: str) -> Done:
        """`contracts ARGUMENTS` on this repository, in this process; never a traceback."""
        with (
            mock.patch.dict(os.environ, {**self.environment, **environment}, clear=True),
            contextlib.chdir(CLONE),
        ):
            done = run_contracts("--schemas", str(self.folder), *arguments)
        assert "Traceback" not in done.stderr + done.stdout
        return done

    def registered(self) -> Repository:
        done = self.run("register")
        assert done.returncode == 0, done.stderr
        return self

    def findings(self, *arguments: str) -> dict[str, str]:
        """Rules of the findings that `contracts ARGUMENTS --format json` prints -> what to do about it."""
        done = self.run(*arguments, "--format", "json")
        assert done.stdout, done.stderr
        document = json.loads(done.stdout)
        assert done.returncode == int(document["failed"])
        return {one["rule"]: one["mend"] for one in document["findings"]}

    def rest(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the registry's API behind the repository's back; its answer."""
        url = self.environment["SCHEMA_REGISTRY_URL"] + path
        headers = {"Content-Type": MEDIA_TYPE}
        text = None if body is None else json.dumps(body)
        answer = requests.request(method, url, data=text, headers=headers, timeout=15)
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture
def repository(stack: RunningStack, tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "schemas", stack.environment)
    made.write()
    return made
