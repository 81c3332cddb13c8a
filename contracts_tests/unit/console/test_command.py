"""`python -m console` as a process: what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from avro_data_contracts.console.accounts import Accounts
from avro_data_contracts.contracts.errors import ConfigurationError
from contracts_tests.fixtures.catalogued import shop
from contracts_tests.fixtures.clone import CLONE


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "console", *arguments]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_console_says_where_it_is_and_ends_when_told(tmp_path: Path, number: int) -> None:
    schemas, _ = shop(tmp_path)
    folder = tmp_path / "secret"
    started = subprocess.Popen(
        command("--schemas", str(schemas), "--port", "0", "--dir", str(folder)),
        cwd=CLONE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert started.stdout is not None
        told = started.stdout.readline()
        found = re.fullmatch(r"console: (http://127\.0\.0\.1:\d+)\n", told)
        assert found, told
        assert started.stdout.readline() == (
            f"  sign in as viewer or operator: {folder / 'accounts.json'} has the passwords\n"
        )
        assert requests.get(f"{found[1]}/login", timeout=10).status_code == 200
    finally:
        started.send_signal(number)
        _, err = started.communicate(timeout=30)
    assert "Traceback" not in err
    assert started.returncode in (0, 130, -number)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--host", "0.0.0.0"], "is not an address that only this machine reaches"),
        (["--host", "192.0.2.1"], "is not an address that only this machine reaches"),
        (["--host", "example"], "is not an address that only this machine reaches"),
        (["--schemas", "nowhere"], "the folder does not exist"),
    ],
)
def test_console_refuses_what_cannot_be(tmp_path: Path, arguments: list[str], told: str) -> None:
    done = subprocess.run(
        command("--dir", str(tmp_path / "secret"), "--port", "0", *arguments),
        cwd=CLONE, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert told in done.stderr
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr


def test_port_that_is_taken_and_passwords_that_others_read_are_told(tmp_path: Path) -> None:
    schemas, _ = shop(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        folder = ["--schemas", str(schemas), "--dir", str(tmp_path / "secret")]
        done = subprocess.run(
            command(*folder, "--port", port), cwd=CLONE, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 2
        assert f"port {port} of 127.0.0.1 cannot be used" in done.stderr
    (tmp_path / "secret" / "accounts.json").chmod(0o644)
    done = subprocess.run(
        command(*folder, "--port", "0"), cwd=CLONE, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "other accounts of this machine may read the console's passwords" in done.stderr
    (tmp_path / "secret" / "accounts.json").chmod(0o600)
    (tmp_path / "secret" / "accounts.json").write_text("{")
    done = subprocess.run(
        command(*folder, "--port", "0"), cwd=CLONE, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "this file is damaged" in done.stderr


def test_console_in_a_container_answers_to_the_published_port_with_passwords_of_the_environment(
    tmp_path: Path,
) -> None:
    schemas, _ = shop(tmp_path)
    passwords = {"viewer": "viewer-password", "operator": "operator-password"}
    given = {f"CONSOLE_{name.upper()}_PASSWORD": password for name, password in passwords.items()}
    started = subprocess.Popen(
        command("--schemas", str(schemas), "--port", "0", "--published", "9999", "--dir", str(tmp_path / "none")),
        cwd=CLONE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **given},
    )  # fmt: skip
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == "console: http://127.0.0.1:9999\n"
        assert started.stdout.readline().endswith(f": {' and '.join(given)} are the passwords\n")
        [port] = listening(started.pid)
        address = f"http://127.0.0.1:{port}"
        form = {"name": "operator", "password": passwords["operator"]}
        for host, code in (
            ("127.0.0.1:9999", 303),
            ("localhost:9999", 303),
            ("127.0.0.1:1", 421),
            ("console:9999", 421),
        ):
            headers = {"Host": host, "Origin": f"http://{host}"}
            done = requests.post(f"{address}/login", form, headers=headers, timeout=10, allow_redirects=False)
            assert done.status_code == code, host
            if code == 303:
                assert list(done.cookies) == ["console-9999"] or "console-9999=" in done.headers["Set-Cookie"]
        assert requests.get(f"{address}/login", timeout=10).status_code == 200, "the health check"
        assert not (tmp_path / "none").exists()
    finally:
        started.terminate()
        _, err = started.communicate(timeout=30)
    assert "Traceback" not in err
    assert not any(password in err for password in passwords.values())


@pytest.mark.parametrize(
    ("viewer", "operator", "told"),
    [
        ("viewer-password", "", "CONSOLE_OPERATOR_PASSWORD is not set"),
        ("", "operator-password", "CONSOLE_VIEWER_PASSWORD is not set"),
        ("short", "operator-password", "CONSOLE_VIEWER_PASSWORD has fewer than 12 characters"),
    ],
)
def test_passwords_of_the_environment_have_to_be_whole(viewer: str, operator: str, told: str) -> None:
    given = {"CONSOLE_VIEWER_PASSWORD": viewer, "CONSOLE_OPERATOR_PASSWORD": operator}
    with pytest.raises(ConfigurationError, match=told) as error:
        Accounts.of_environment(given)
    assert not any(password and password in str(error.value) for password in (viewer, operator))
    assert Accounts.of_environment({"CONSOLE_VIEWER_PASSWORD": ""}) is None


def listening(pid: int) -> list[int]:
    """The ports on which a process listens on all addresses."""
    inodes = {
        one.readlink().name.removeprefix("socket:[").removesuffix("]")
        for one in Path(f"/proc/{pid}/fd").iterdir()
        if "socket:[" in str(one.readlink())
    }
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(row[1][9:], 16) for row in rows if row[3] == "0A" and row[1][:8] == "00000000" and row[9] in inodes]
