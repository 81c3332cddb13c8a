"""Run the pipeline in Docker: check what is missing, then call `docker compose` with the right files."""

# ruff: noqa: T201 - the command line prints here.
from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from avro_data_contracts.deploy import certs, checks, compose, passwords, secret_files, variables, volumes
from avro_data_contracts.stack.errors import (
    EXIT_OK,
    EXIT_SERVICE,
    Cancelled,
    ServerError,
    UsageError,
    exit_code,
)
from avro_data_contracts.stack.site import CLONE

ENV_FILE = CLONE / ".env"
SECRETS = CLONE / ".secrets"
# States in which a container uses no port and no file.
_GONE = ("created", "exited", "dead")


def _env(_: argparse.Namespace) -> int:
    wanted = compose.wanted_variables(compose.files(tuple(compose.OVERLAYS)))
    written = passwords.read(ENV_FILE)
    _names(wanted, written)
    volumes.demand_none([name for name in wanted if not written.get(name)], passwords.known(ENV_FILE, os.environ))
    added = passwords.add_missing(ENV_FILE, wanted)
    passwords.demand(wanted, passwords.read(ENV_FILE))
    print(f"{ENV_FILE.name}: " + (f"added {', '.join(added)}" if added else "all passwords are already set"))
    return EXIT_OK


def _certs(arguments: argparse.Namespace) -> int:
    environment = passwords.known(ENV_FILE, os.environ)
    passwords.demand(compose.wanted_variables(compose.files(["secure"])), environment)
    listed = _compose(["secure"], "ps", "--all", "--format", "json")
    if listed is None and certs.made():
        raise UsageError(
            "Docker does not say whether containers use the existing certificates; they would not know new ones",
            where=str(certs.FOLDER),
            fix="see what `docker compose ps` says, or remove this folder and run this command again",
        )
    rows = _rows(listed)
    secure = any(row["Service"] in compose.only_of("secure") for row in rows)
    running = [row["Service"] for row in rows if row["State"] not in _GONE]
    if secure and running:
        raise UsageError(
            f"running containers use the existing certificates and would not know new ones: {', '.join(running)}",
            where=str(certs.FOLDER),
            fix=certs.ANEW,
        )
    folder = certs.make(environment, days=arguments.days)
    print(f"{folder}: created an authority and certificates for {', '.join(certs.NAMES)}")
    return EXIT_OK


def _up(arguments: argparse.Namespace) -> int:
    overlays = _overlays(arguments)
    checks.client()
    if "secure" in overlays:
        certs.demand()
    rows = _rows(_compose(overlays, "ps", "--all", "--format", "json"))
    others = {
        name: sorted(compose.only_of(name) & {row["Service"] for row in rows})
        for name in compose.OVERLAYS
        if name not in overlays
    }
    for name, services in others.items():
        if services:
            raise UsageError(
                f"Docker still has containers of --{name}: {', '.join(services)}",
                where="docker compose",
                fix="run `make compose-down`, then run this command again; the volumes stay",
            )
    # A container that starts over and over holds its ports, too.
    running = {row["Service"] for row in rows if row["State"] not in _GONE}
    environment = passwords.known(ENV_FILE, os.environ)
    _names(compose.wanted_variables(compose.files(overlays)), environment)
    checks.before_up(compose.files(overlays), environment, arguments.profile, running)
    _hand_out(overlays, environment, {row["Service"] for row in rows})
    profiles = [word for profile in arguments.profile for word in ("--profile", profile)]
    scale = [word for one in arguments.scale for word in ("--scale", one)]
    return _run(overlays, *profiles, "up", "--detach", "--build", *scale, *arguments.rest)


def _hand_out(overlays: Sequence[str], environment: Mapping[str, str], there: set[str]) -> None:
    """Write the secrets.  Compose does not see that a file has changed, so containers with an old value go."""
    files = compose.files(overlays)
    wanted = compose.secrets(files)
    old = sorted(compose.holders(files, secret_files.changed(wanted, environment, SECRETS)) & there)
    if old:
        _run(overlays, "--profile", "*", "rm", "--stop", "--force", *old)
    secret_files.write(wanted, environment, SECRETS)


def _down(arguments: argparse.Namespace) -> int:
    checks.client()
    _overlays(arguments)
    # Name all files, whichever were started: compose leaves a service running that no file names.
    _run(tuple(compose.OVERLAYS), "--profile", "*", "down", *arguments.rest)
    if not {"--volumes", "-v"}.isdisjoint(arguments.rest):
        # Compose removes only volumes that a service mounts, and an overlay can mount another in place of the base's.
        for overlays in ((), *((name,) for name in compose.OVERLAYS)):
            _run(overlays, "--profile", "*", "down", *arguments.rest)
    return EXIT_OK


def _status(arguments: argparse.Namespace) -> int:
    checks.client()
    checks.daemon()
    rows = _rows(_compose(_overlays(arguments), "--profile", "*", "ps", "--all", "--format", "json"))
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        print(f"{'service':<24} {'state':<10} {'health':<10} ports")
        for row in rows:
            state = f"exit {row['ExitCode']}" if row["State"] == "exited" else row["State"]
            reached = {one["PublishedPort"] for one in row.get("Publishers") or ()} - {0}
            ports = ", ".join(f"127.0.0.1:{port}" for port in sorted(reached))
            print(f"{row['Service']:<24} {state:<10} {row.get('Health') or '-':<10} {ports}")
    if not rows:
        raise ServerError("no container exists", where="docker compose", fix="run `make compose-up`")
    return EXIT_OK if all(map(in_order, rows)) else EXIT_SERVICE


def in_order(row: Mapping[str, Any]) -> bool:
    """Whether a container runs and is healthy, or has done its work and exited with 0."""
    if row["State"] == "exited":
        return bool(row["ExitCode"] == 0)
    return row["State"] == "running" and row.get("Health") in (None, "", "healthy")


def _names(required: Sequence[str], environment: Mapping[str, str]) -> None:
    """Refuse names in `.env` that may be meant for a variable without a value, and say which others nothing uses."""
    known = compose.variables(compose.files(tuple(compose.OVERLAYS)))
    unused = variables.unused(passwords.read(ENV_FILE), known, required, environment)
    if unused:
        print(
            f"note: {ENV_FILE.name}: this version does not use {', '.join(unused)}; another one may have written it",
            file=sys.stderr,
        )


def _overlays(arguments: argparse.Namespace) -> list[str]:
    chosen = [name for name in compose.OVERLAYS if getattr(arguments, name)]
    if len(chosen) > 1:
        raise UsageError(
            f"--{' and --'.join(chosen)} exclude each other",
            fix="use only one of them",
        )
    return chosen


def _command(overlays: Sequence[str], *arguments: str) -> list[str]:
    named = [word for path in compose.files(overlays) for word in ("--file", path.name)]
    return ["docker", "compose", *named, *arguments]


def _environment(overlays: Sequence[str]) -> dict[str, str]:
    """The environment of this process, with a placeholder for each unset password.

    Only `up` needs the passwords, and checks them first; compose refuses to run any command without them.
    """
    known = passwords.known(ENV_FILE, os.environ)
    lacking = (name for name in compose.wanted_variables(compose.files(overlays)) if not known.get(name))
    return {**os.environ, **dict.fromkeys(lacking, "unset")}


def _compose(overlays: Sequence[str], *arguments: str) -> str | None:
    """Output of a `docker compose` command; empty without Docker, None if the command failed."""
    if shutil.which("docker") is None:
        return ""
    done = subprocess.run(
        _command(overlays, *arguments),
        cwd=CLONE,
        env=_environment(overlays),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None


def _rows(text: str | None) -> list[dict[str, Any]]:
    """Parse the output of `ps --format json`, one object per line since Compose 2.21."""
    return [json.loads(line) for line in (text or "").splitlines() if line.strip().startswith("{")]


def _run(overlays: Sequence[str], *arguments: str) -> int:
    with subprocess.Popen(_command(overlays, *arguments), cwd=CLONE, env=_environment(overlays)) as process:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # Compose got the signal too, and ends what it has begun.
            process.wait()
            raise Cancelled(
                "interrupted; what has started stays",
                where="docker compose",
                fix="run it again, which starts only the rest; or run `make compose-down`",
            ) from None
    if code != 0:
        raise ServerError(
            f"`docker compose` failed (exit {code}); its messages are above",
            where="docker compose",
            fix="`make compose-status` shows what runs; `docker compose logs SERVICE` shows why a service does not",
        )
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("env", help="add the missing passwords to .env").set_defaults(function=_env)
    certificates = commands.add_parser("certs", help="create the certificates of the secure overlay in .certs/")
    certificates.add_argument(
        "--days", type=int, default=397, help="how long the certificates are valid (default: %(default)s)"
    )
    certificates.set_defaults(function=_certs)
    for name, function, text in (
        ("up", _up, "check, build and start; arguments after -- go to docker compose up"),
        (
            "down",
            _down,
            "stop and remove all containers; volumes stay; arguments after -- go to docker compose down",
        ),
        ("status", _status, "show state and health of each service; exit 3 unless all are healthy or done"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--zookeeper", action="store_true", help="also use docker-compose.zookeeper.yml")
        command.add_argument("--secure", action="store_true", help="also use docker-compose.secure.yml")
        if name == "up":
            command.add_argument(
                "--profile",
                action="append",
                default=[],
                choices=["producer", "stream", "console"],
                help="also start this step",
            )
            command.add_argument(
                "--scale",
                action="append",
                default=[],
                metavar="SERVICE=NUMBER",
                help="run this number of containers of a service",
            )
        if name == "status":
            command.add_argument("--json", action="store_true", help="print JSON")
        else:
            command.add_argument("rest", nargs="*", metavar="-- ARGUMENT", help="argument for docker compose")
        command.set_defaults(function=function)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    return exit_code(lambda: int(arguments.function(arguments)))


if __name__ == "__main__":
    sys.exit(main())
