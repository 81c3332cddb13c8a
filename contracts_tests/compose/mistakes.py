"""What users get wrong before a start, and how the commands answer: another account, a taken port, Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from avro_data_contracts.stack.errors import EXIT_CANCELLED, EXIT_SERVICE, ServerError
from contracts_tests.compose.run import STARTS_WITHIN_S, Scenario

_NOBODY = 65534
# As root it imports what it needs; then it is another account, which could not read root's Python.
_AS_NOBODY = f"""
import sys, traceback
from avro_data_contracts.deploy.__main__ import main
import os
os.setgroups([]); os.setgid({_NOBODY}); os.setuid({_NOBODY})
sys.exit(main(["status"]))
"""


def other_account(scenario: Scenario) -> None:
    """The daemon belongs to root, and somebody else asks it."""
    project = scenario.project
    with scenario.step("compose-status of another account") as step, tempfile.TemporaryDirectory() as folder:
        # That account cannot read root's cache, where Compose is.
        settings = shutil.copytree(project.engine.environment["DOCKER_CONFIG"], Path(folder) / "config")
        Path(folder).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY],
            cwd=project.folder,
            env={**project.environment, "DOCKER_CONFIG": str(settings)},
            capture_output=True,
            text=True,
            check=False,
        )
        step.found = _refused(done, EXIT_SERVICE, "your account may not use Docker's daemon", "group `docker`")


def taken_port(scenario: Scenario) -> None:
    """Another program listens on a port of the project."""
    project = scenario.project
    with scenario.step("compose-up on a taken port") as step, socket.socket() as holder:
        port = project.ports["PORT_POSTGRES"]
        holder.bind(("127.0.0.1", port))
        holder.listen()
        done = project.attempt("compose-up")
        step.found = _refused(done, EXIT_SERVICE, f"port {port} is taken by process", "set PORT_POSTGRES in .env")
        if project.status():
            raise ServerError("containers were made", where="compose-up", fix="check ports before")


def interrupted(scenario: Scenario) -> None:
    """Ctrl-C in the middle of a start; the step after this one starts again, and has to succeed."""
    project = scenario.project
    with scenario.step("Ctrl-C during compose-up") as step:
        servers = [name for name in project.services() if not name.startswith("airflow-")]
        with subprocess.Popen(
            project.command("compose-up", "--", *servers),
            cwd=project.folder,
            env=project.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # A shell without job control lets its background jobs ignore Ctrl-C, and all that they start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as up:
            deadline = time.monotonic() + STARTS_WITHIN_S
            while not any(row["State"] == "running" for row in project.status()):
                if up.poll() is not None or time.monotonic() > deadline:
                    output, _ = up.communicate()
                    raise ServerError("no container started", where="compose-up", detail=output[-1500:])
                time.sleep(0.2)
            # As a terminal does: to all programs of the group.
            os.killpg(up.pid, signal.SIGINT)
            output, _ = up.communicate(timeout=STARTS_WITHIN_S)
        # make ends by the signal itself.
        code = EXIT_CANCELLED if up.returncode == -signal.SIGINT else up.returncode
        _refused(subprocess.CompletedProcess([], code, output, ""), EXIT_CANCELLED, "interrupted", "run it again")
        rows = project.status()
        running = sum(row["State"] == "running" for row in rows)
        step.found = f"exit {EXIT_CANCELLED} with {running} of {len(rows)} containers running"


def _refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> str:
    """The first line of a refusal; make ends with 2 and names the code itself."""
    text = done.stdout + done.stderr
    missing = [word for word in words if word not in text]
    if missing or (done.returncode != code and f"Error {code}" not in text) or "Traceback" in text:
        raise ServerError(
            f"expected exit {code} and {missing or words}, got exit {done.returncode}",
            where="deploy",
            detail=text[-1500:],
            fix="see deploy/checks.py",
        )
    return next(line for line in text.splitlines() if words[0] in line)[:120]
