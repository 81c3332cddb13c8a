"""Which Python `make` takes, and when it makes the environment again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.pythons import programs, python

PROJECT = tomllib.loads((CLONE / "pyproject.toml").read_text())["project"]
OLDEST, AFTER = map(int, re.findall(r"3\.(\d+)", PROJECT["requires-python"]))
NEWEST = AFTER - 1
TOOLS = ("awk", "bash", "cat", "cp", "dirname", "env", "find", "grep", "mkdir", "rm", "sed", "sort", "tail", "touch")


@dataclass
class Machine:
    """A machine with only those Pythons that a test puts there."""

    root: Path

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.root / 'tools'}:{self.root / 'shims'}:{self.bin}"
        known = {"PATH": path, "HOME": str(self.root / "home"), **environment}
        return subprocess.run(command, env=known, capture_output=True, text=True, check=False)

    def choose(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run(str(CLONE / "stack" / "interpreter.sh"), *arguments, **environment)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "a machine")
    programs(made.root / "tools", *TOOLS)
    return made


def chosen(machine: Machine, **environment: str) -> str:
    done = machine.choose(**environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")


def test_supported_range_is_that_of_the_classifiers() -> None:
    named = [int(one) for one in re.findall(r"Python :: 3\.(\d+)", str(PROJECT["classifiers"]))]
    assert named == list(range(OLDEST, AFTER))


@pytest.mark.parametrize("there", [(11,), (11, 12), (12, 11, 13), (14, 11)])
def test_newest_on_path_is_chosen(machine: Machine, there: tuple[int, ...]) -> None:
    made = {minor: python(machine.bin, f"3.{minor}.0") for minor in there}
    assert chosen(machine) == str(made[max(there)])


def test_newer_one_of_pyenv_is_chosen_and_its_newest_patch(machine: Machine) -> None:
    python(machine.bin, "3.11.2")
    versions = machine.root / "home" / ".pyenv" / "versions"
    made = {one: python(versions / one / "bin", one) for one in ("3.12.9", "3.12.10", "3.12.1", "3.10.13")}
    assert chosen(machine) == str(made["3.12.10"])
    assert "3.11.2" in machine.choose("--all", PYENV_ROOT=str(machine.root / "elsewhere")).stdout
    assert "3.12" not in machine.choose("--all", PYENV_ROOT=str(machine.root / "elsewhere")).stdout


def test_link_of_uv_is_found_although_its_folder_is_not_on_path(machine: Machine) -> None:
    made = python(machine.root / "home" / ".local" / "bin", "3.13.2")
    assert chosen(machine) == str(made)


@pytest.mark.parametrize("name", ["python3", "python"])
def test_python_without_a_version_in_its_name_is_found(machine: Machine, name: str) -> None:
    made = python(machine.bin, "3.12.3", name=name)
    assert chosen(machine) == str(made)


UNUSABLE: dict[str, tuple[str, dict[str, Any], str]] = {
    "too old": (f"3.{OLDEST - 1}.9", {"name": f"python3.{NEWEST}"}, f"is Python 3.{OLDEST - 1}.9"),
    "too new": (f"3.{AFTER}.0", {"name": f"python3.{NEWEST}"}, f"is Python 3.{AFTER}.0"),
    "Python 2": ("2.7.18", {"name": f"python3.{NEWEST}"}, "is Python 2.7.18"),
    "pre-release": (f"3.{NEWEST}.0", {"level": "candidate"}, "is a pre-release"),
    "free-threaded": (f"3.{NEWEST}.0", {"free_threaded": True}, "is a free-threaded build"),
    "PyPy": (f"3.{NEWEST}.0", {"implementation": "pypy"}, "is pypy"),
    **{
        f"without {one}": (f"3.{NEWEST}.0", {"lacking": [one]}, f"cannot create environments: its module {one} is")
        for one in ("ssl", "venv", "ensurepip")
    },
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_unusable_python_is_passed_over_and_refused_by_name(machine: Machine, kind: str) -> None:
    version, how, reason = UNUSABLE[kind]
    bad = python(machine.bin, version, **how)
    alone = machine.choose()
    assert (alone.returncode, alone.stdout) == (2, "")
    assert f"{bad} {reason}" in alone.stderr
    good = python(machine.bin, f"3.{OLDEST}.0")
    assert chosen(machine) == str(good)
    refused = machine.choose(PYTHON=str(bad))
    assert (refused.returncode, refused.stdout) == (2, "")
    first, second, *rest = refused.stderr.splitlines()
    assert first.startswith(f"error: PYTHON={bad} {reason}")
    assert second == f"  fix: name a Python 3.{OLDEST} to 3.{NEWEST}, or leave PYTHON out, and make chooses one"
    assert rest == []


def test_shim_that_does_not_start_does_not_hide_a_later_python(machine: Machine) -> None:
    shim = machine.root / "shims" / f"python3.{NEWEST}"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    good = python(machine.bin, f"3.{NEWEST}.0")
    assert chosen(machine) == str(good)
    assert "does not start" in machine.choose(PYTHON=str(shim)).stderr


def test_named_python_wins_over_a_newer_one(machine: Machine) -> None:
    old = python(machine.bin, f"3.{OLDEST}.0")
    python(machine.bin, f"3.{NEWEST}.0")
    assert chosen(machine, PYTHON=str(old)) == chosen(machine, PYTHON=old.name) == str(old)


def test_named_python_that_is_missing_is_refused(machine: Machine) -> None:
    python(machine.bin, f"3.{NEWEST}.0")
    refused = machine.choose(PYTHON="python3.99")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("error: PYTHON=python3.99 was not found\n  fix: ")


def test_machine_without_python_is_told_how_to_install_one(machine: Machine) -> None:
    done = machine.choose()
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first == f"error: no usable Python 3.{OLDEST} to 3.{NEWEST} was found on PATH or in pyenv"
    for way in ("apt-get install", "dnf install", "brew install", "uv python install", "make setup PYTHON="):
        assert way in second


def test_all_lists_each_version_once_and_the_oldest_first(machine: Machine) -> None:
    versions = machine.root / "home" / ".pyenv" / "versions"
    for one in ("3.13.0", "3.11.10", "3.11.9", "3.9.1"):
        python(versions / one / "bin", one)
    first = python(machine.bin, "3.13.0")
    python(machine.bin, "3.13.0", name="python3")
    listed = machine.choose("--all").stdout.splitlines()
    assert [line.partition(" ")[0] for line in listed] == ["3.11.9", "3.11.10", "3.13.0"]
    assert listed[-1] == f"3.13.0 {first}"


@dataclass
class Clone:
    machine: Machine
    root: Path

    def setup(self, **environment: str) -> str:
        done = self.machine.run(str(self.root / "stack" / "setup.sh"), **environment)
        assert done.returncode == 0, done.stderr
        return done.stderr

    @property
    def environment(self) -> str:
        done = subprocess.run(
            [self.root / ".venv" / "bin" / "python", "-c", "import sys; print(sys.base_prefix)"],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()


@pytest.fixture
def clone(machine: Machine, tmp_path: Path) -> Clone:
    root = tmp_path / "a clone"
    (root / "stack").mkdir(parents=True)
    (root / ".ci").mkdir()
    for path in ("stack/setup.sh", "stack/interpreter.sh", ".ci/pythons", "pyproject.toml", "requirements.lock"):
        shutil.copy2(CLONE / path, root / path)
        os.utime(root / path, (0, 0))
    return Clone(machine, root)


def test_working_environment_stays_although_a_newer_python_came(clone: Clone) -> None:
    old = python(clone.machine.root / "old", "3.12.1")
    said = clone.setup(PATH=f"{clone.machine.root / 'tools'}:{old.parent}")
    assert f"making .venv with Python 3.12.1 ({old})" in said
    python(clone.machine.bin, "3.13.0")
    os.utime(clone.root / "requirements.lock")
    os.utime(clone.root / ".venv" / ".ready", (1, 1))
    said = clone.setup()
    assert clone.environment == str(old.parent)
    assert "installing the packages" in said
    assert "making .venv" not in said


def test_named_python_replaces_the_environment_of_another(clone: Clone) -> None:
    first = python(clone.machine.root / "first", "3.12.1")
    second = python(clone.machine.root / "second", "3.12.1")
    clone.setup(PYTHON=str(first))
    assert clone.environment == str(first.parent)
    said = clone.setup(PYTHON=str(second))
    assert "was made with another Python" in said
    assert clone.environment == str(second.parent)
    (second.parent / "pip.log").unlink()
    assert clone.setup(PYTHON=str(second)) == ""
    assert not (second.parent / "pip.log").exists()


@pytest.mark.parametrize("damage", ["python is gone", "version is no longer supported"])
def test_unusable_environment_is_made_again(clone: Clone, damage: str) -> None:
    good = python(clone.machine.bin, "3.13.0")
    clone.setup()
    inside = clone.root / ".venv" / "bin" / "python"
    if damage == "python is gone":
        inside.unlink()
    else:
        python(inside.parent, "3.10.1", name="python")
    assert "was made with another Python, or is broken" in clone.setup()
    assert clone.environment == str(good.parent)


def pytests(python: Path) -> list[str]:
    """What each run of pytest was given, in this Python or in an environment that was made with it."""
    log = python.parent / "pytest.log"
    return log.read_text().splitlines() if log.exists() else []


def test_tests_run_on_one_python_of_each_other_minor_version(clone: Clone) -> None:
    places = {
        version: python(clone.machine.root / version, version) for version in ("3.11.2", "3.11.7", "3.12.1", "3.13.0")
    }
    path = ":".join(map(str, [clone.machine.root / "tools", *(one.parent for one in places.values())]))
    clone.setup(PYTHON=str(places["3.13.0"]))
    done = clone.machine.run(str(clone.root / ".ci" / "pythons"), ".venv", PATH=path)
    assert done.returncode == 0, done.stderr
    for line in (
        "Python 3.11.2: 3 passed",
        "Python 3.11.7: not run; another 3.11 is",
        "Python 3.12.1: 3 passed",
        "Python 3.13.0: not run; another 3.13 is",
        "Python 3.14: not run; there is none on this machine",
        "Python 3.11.2: make demo",
    ):
        assert line in done.stdout.splitlines()
    units, demo = pytests(places["3.11.2"])
    assert units.endswith("contracts_tests/unit contracts_tests/evolution")
    assert demo.endswith("contracts_tests/e2e/test_demo.py")
    assert pytests(places["3.12.1"]) == [units]
    assert pytests(places["3.11.7"]) == pytests(places["3.13.0"]) == []


def test_failure_on_one_python_fails_the_run_and_is_shown(clone: Clone) -> None:
    here = python(clone.machine.bin, "3.13.0")
    python(clone.machine.bin, "3.11.2", pytest="echo why it failed; echo 1 failed; exit 1")
    python(clone.machine.bin, "3.12.1")
    clone.setup(PYTHON=str(here))
    done = clone.machine.run(str(clone.root / ".ci" / "pythons"), ".venv")
    assert done.returncode == 1
    assert "why it failed" in done.stdout
    assert "Python 3.12.1: 3 passed" in done.stdout
    assert "make demo" not in done.stdout


def test_make_asks_setup_each_time_only_if_a_python_is_named(tmp_path: Path) -> None:
    ready = tmp_path / "venv" / ".ready"
    ready.parent.mkdir()
    ready.touch()

    def planned(**environment: str) -> str:
        known = {key: value for key, value in os.environ.items() if key != "PYTHON"}
        command = ["make", "--dry-run", "env", f"VENV={ready.parent}"]
        return subprocess.run(
            command, cwd=CLONE, env={**known, **environment}, capture_output=True, text=True, check=True
        ).stdout

    assert "stack/setup.sh" not in planned()
    assert "PYTHON='python3.12' stack/setup.sh" in planned(PYTHON="python3.12")
