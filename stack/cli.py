"""The command behind `python -m stack`: starts, stops and shows the embedded servers."""

# ruff: noqa: T201 - the edge of the process: this is where the stack prints.
from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from dotenv import dotenv_values

from stack import process, stack
from stack.errors import EXIT_BUG, EXIT_CANCELLED, EXIT_OK, EXIT_SERVICE, ServerError, StackError, UsageError, of_bug
from stack.jars import cache, classes
from stack.jars.fetch import fetch
from stack.jars.pins import jar_sets
from stack.security.roles import ROLES
from stack.shape import MOST_BROKERS, MOST_CASSANDRA_NODES
from stack.site import CLONE, Site, default_root

# Of what `env` exports: where servers are, and who one is there.
_ADDRESSES = ("KAFKA_", "SCHEMA_REGISTRY_", "CASSANDRA_", "POSTGRES_", "DATASOURCE_", "SPARK_MASTER")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _up(arguments: argparse.Namespace) -> int:
    only = [name for word in arguments.only or [] for name in word.split(",")]
    extras = arguments.extras or []
    started = stack.up(
        arguments.dir,
        _say,
        port_mode=arguments.ports,
        replay=arguments.replay,
        only=only,
        extras=extras,
        brokers=arguments.brokers,
        cassandra_nodes=arguments.cassandra_nodes,
        secure=arguments.secure,
        zookeeper=arguments.zookeeper,
    )
    if "airflow" in extras:
        _say(started.airflow.login)
    return EXIT_OK


def _down(arguments: argparse.Namespace) -> int:
    if not stack.down(arguments.dir, _say, extras=arguments.extras or []):
        _say("nothing was up")
    return EXIT_OK


def _status(arguments: argparse.Namespace) -> int:
    rows = stack.Stack.at(arguments.dir).status()
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(f"{'name':<21} {'version':<8} {'state':<12} {'pid':>8} {'MiB':>6}  {'address':<45}  log")
        for row in rows:
            state = "ready" if row.ready else "not ready" if row.pid else "down"
            resident = process.resident_bytes(row.pid) >> 20 if row.pid else 0
            print(
                f"{row.name:<21} {row.version:<8} {state:<12} {row.pid or '-':>8} {resident or '-':>6}"
                f"  {row.address:<45}  {row.log}"
            )
    return EXIT_OK if all(row.ready for row in rows) else EXIT_SERVICE


def _env(arguments: argparse.Namespace) -> int:
    own = {**dotenv_values(CLONE / ".env"), **os.environ} if arguments.lacking else {}
    for name, value in stack.Stack.at(arguments.dir).exports(role=arguments.role, learn=True).items():
        if name in own and name.startswith(_ADDRESSES):
            continue
        quoted = value.replace("'", "'\\''")
        print(f"export {name}='{quoted}'")
    return EXIT_OK


def _airflow(arguments: argparse.Namespace) -> int:
    environment = stack.Stack.at(arguments.dir).airflow.environment()
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *arguments.words], environment)  # noqa: S606 - as above


def _logs(arguments: argparse.Namespace) -> int:
    log = Site(arguments.dir).log(arguments.name)
    if not log.exists():
        raise ServerError("has no log yet", where=arguments.name, fix="run `make up`")
    command = ["tail", "-n", str(arguments.lines), *(["-F"] if arguments.follow else []), str(log)]
    os.execvp(command[0], command)  # noqa: S606 - nothing of it comes from outside


def _fetch(arguments: argparse.Namespace) -> int:
    if not arguments.only:
        classes.make_base()
    if not fetch(_say, only=arguments.only, verify=arguments.verify):
        _say(f"all jars are in {cache.cache_dir()}")
    return EXIT_OK


def _lock(_: argparse.Namespace) -> int:
    from stack.jars.lock import write_lock

    write_lock(_say)
    return EXIT_OK


def _jars(arguments: argparse.Namespace) -> int:
    found = cache.paths(arguments.set)
    if not found:
        raise UsageError(f"no such set of jars: {arguments.set}", fix="the sets are in stack/pins.toml")
    print(",".join(map(str, found)))
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, function: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(function=function)
        sub.add_argument(
            "--dir", type=_folder, default=default_root(), help="where the stack lives (default: %(default)s)"
        )
        return sub

    up = command("up", _up, "Start the servers; those that run already stay.")
    up.add_argument("--ports", choices=["fixed", "auto"], default="", help="the documented ports, or free ones")
    up.add_argument("--replay", type=Path, metavar="DIR", help="the source API answers with these recorded responses")
    up.add_argument("--only", nargs="+", metavar="NAME", help="these, and what they depend on")
    up.add_argument("--with", dest="extras", nargs="+", choices=stack.EXTRAS, help="also start this")
    up.add_argument(
        "--brokers",
        type=int,
        choices=(1, MOST_BROKERS),
        help="nodes of Kafka; with 3, each record is on three of them, and one may be lost (default: 1)",
    )
    up.add_argument(
        "--cassandra-nodes",
        type=int,
        choices=range(1, MOST_CASSANDRA_NODES + 1),
        help="with 2, each row is on both of them; the second one is at 127.0.0.2 (default: 1)",
    )
    up.add_argument("--secure", action="store_true", help="TLS, and an account for each role")
    up.add_argument("--zookeeper", action="store_true", help="Kafka 3.9 with ZooKeeper, as it was before KRaft")
    down = command("down", _down, "Stop the servers; their data stays.")
    down.add_argument(
        "--only", dest="extras", nargs="+", choices=stack.EXTRAS, help="this, and leave the others running"
    )
    command("status", _status, "Show each server.").add_argument("--json", action="store_true")
    env = command("env", _env, "Print the export lines that other tools need.")
    env.add_argument("--lacking", action="store_true", help="no address that the environment or .env has")
    env.add_argument(
        "--role", choices=ROLES, default="stream", help="whose accounts, on a secure stack (default: %(default)s)"
    )
    airflow = command("airflow", _airflow, "Run a command of Airflow's own, with its settings.")
    airflow.add_argument("words", nargs=argparse.REMAINDER, help="e.g. dags unpause user_automation")
    logs = command("logs", _logs, "Show the log of a server.")
    logs.add_argument("name", choices=stack.ALL_NAMES)
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    logs.add_argument("-n", "--lines", type=int, default=50)
    fetching = command("fetch", _fetch, "Fetch the jars that are missing.")
    fetching.add_argument("--only", choices=[one.name for one in jar_sets()], default="", help="one set of jars")
    fetching.add_argument("--verify", action="store_true", help="check those that are there, too")
    command("lock", _lock, "Write jars.lock from pins.toml.")
    command("jars", _jars, "Print the files of one set, comma separated.").add_argument("set")
    return parser


def _folder(text: str) -> Path:
    return Path(text).resolve()


_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    # All as Ctrl-C: what was begun is cleaned up.
    for number in _ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, _stop)
    try:
        if sys.platform != "linux":
            raise UsageError("the embedded stack runs on Linux only", fix="use docker-compose.yml on other systems")
        return int(arguments.function(arguments))
    except StackError as error:
        _say(f"error: {error}")
        return error.exit_code
    except BrokenPipeError:  # `… | head`
        return EXIT_OK
    except OSError as error:
        _say(
            f"error: {error.filename or 'system'}: {error.strerror}\n  fix: check the disk and the permissions there"
        )
        return EXIT_SERVICE
    except KeyboardInterrupt:
        _say("stopped")
        return EXIT_CANCELLED
    except Exception as error:
        _say(of_bug(error))
        return EXIT_BUG
    finally:
        # Impatience adds nothing now.
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
