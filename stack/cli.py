"""Start, stop and show the embedded servers (`python -m stack`)."""

# ruff: noqa: T201 - the command line prints here, and nowhere else in this package.
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

from avro_data_contracts.stack import process, stack
from avro_data_contracts.stack.errors import (
    EXIT_BUG,
    EXIT_CANCELLED,
    EXIT_OK,
    EXIT_SERVICE,
    ServerError,
    StackError,
    UsageError,
    of_bug,
)
from avro_data_contracts.stack.jars import cache, classes
from avro_data_contracts.stack.jars.fetch import fetch
from avro_data_contracts.stack.jars.pins import jar_sets
from avro_data_contracts.stack.security.roles import ROLES
from avro_data_contracts.stack.shape import MOST_BROKERS, MOST_CASSANDRA_NODES
from avro_data_contracts.stack.site import CLONE, Site, default_root

# The variables of `env` that hold addresses of servers and accounts there.
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
    if extras:
        for line in started.logins():
            _say(line)
    return EXIT_OK


def _down(arguments: argparse.Namespace) -> int:
    if not stack.down(arguments.dir, _say, extras=arguments.extras or []):
        _say("no server was running")
    return EXIT_OK


def _status(arguments: argparse.Namespace) -> int:
    found = stack.Stack.at(arguments.dir)
    rows = found.status()
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
        for line in found.logins():
            print(line)
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
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *arguments.words], environment)  # noqa: S606 - the user's own command


def _logs(arguments: argparse.Namespace) -> int:
    log = Site(arguments.dir).log(arguments.name)
    if not log.exists():
        raise ServerError("this server has no log yet", where=arguments.name, fix="run `make up`")
    command = ["tail", "-n", str(arguments.lines), *(["-F"] if arguments.follow else []), str(log)]
    os.execvp(command[0], command)  # noqa: S606 - no part of the command comes from outside


def _fetch(arguments: argparse.Namespace) -> int:
    if not arguments.only:
        classes.make_base()
    if not fetch(_say, only=arguments.only, verify=arguments.verify):
        _say(f"all jars are already in {cache.cache_dir()}")
    return EXIT_OK


def _lock(_: argparse.Namespace) -> int:
    from avro_data_contracts.stack.jars.lock import write_lock

    write_lock(_say)
    return EXIT_OK


def _jars(arguments: argparse.Namespace) -> int:
    found = cache.paths(arguments.set)
    if not found:
        raise UsageError(f"unknown set of jars: {arguments.set}", fix="stack/pins.toml lists the sets")
    print(",".join(map(str, found)))
    return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, function: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(function=function)
        sub.add_argument(
            "--dir", type=_folder, default=default_root(), help="folder of the stack (default: %(default)s)"
        )
        return sub

    up = command("up", _up, "Start the servers. Servers that already run stay up.")
    up.add_argument("--ports", choices=["fixed", "auto"], default="", help="use the documented ports, or free ones")
    up.add_argument(
        "--replay", type=Path, metavar="DIR", help="let the source API serve the recorded responses in DIR"
    )
    up.add_argument("--only", nargs="+", metavar="NAME", help="start only these servers and what they depend on")
    up.add_argument("--with", dest="extras", nargs="+", choices=stack.EXTRAS, help="start this as well")
    up.add_argument(
        "--brokers",
        type=int,
        choices=(1, MOST_BROKERS),
        help="number of Kafka nodes; with 3, every record is on all three, and one may fail (default: 1)",
    )
    up.add_argument(
        "--cassandra-nodes",
        type=int,
        choices=range(1, MOST_CASSANDRA_NODES + 1),
        help="number of Cassandra nodes; with 2, every row is on both, the second at 127.0.0.2 (default: 1)",
    )
    up.add_argument("--secure", action="store_true", help="use TLS and a separate account for each role")
    up.add_argument("--zookeeper", action="store_true", help="run Kafka 3.9 with ZooKeeper instead of KRaft")
    down = command("down", _down, "Stop the servers. Their data stays.")
    down.add_argument(
        "--only", dest="extras", nargs="+", choices=stack.EXTRAS, help="stop this and leave the others running"
    )
    status = command("status", _status, "Show the state of each server.")
    status.add_argument("--json", action="store_true", help="print JSON")
    env = command("env", _env, "Print the `export` lines with which other tools find the servers.")
    env.add_argument(
        "--lacking", action="store_true", help="leave out the addresses that the environment or .env already sets"
    )
    env.add_argument(
        "--role",
        choices=ROLES,
        default="stream",
        help="whose accounts, on a secure stack (default: %(default)s)",
    )
    airflow = command("airflow", _airflow, "Run an `airflow` command with the settings of this stack.")
    airflow.add_argument("words", nargs=argparse.REMAINDER, help="for example: dags unpause user_automation")
    logs = command("logs", _logs, "Show the log of a server.")
    logs.add_argument("name", choices=stack.ALL_NAMES)
    logs.add_argument("-f", "--follow", action="store_true", help="keep printing new lines")
    logs.add_argument("-n", "--lines", type=int, default=50, help="how many lines to show (default: %(default)s)")
    fetching = command("fetch", _fetch, "Download the missing jars into the cache.")
    fetching.add_argument("--only", choices=[one.name for one in jar_sets()], default="", help="fetch only this set")
    fetching.add_argument("--verify", action="store_true", help="also verify the jars that are already in the cache")
    command("lock", _lock, "Write jars.lock from pins.toml.")
    command("jars", _jars, "Print the files of one set, separated by commas.").add_argument(
        "set", help="a set from stack/pins.toml"
    )
    return parser


def _folder(text: str) -> Path:
    return Path(text).resolve()


# The commands that neither start servers nor look for their processes.
_ANYWHERE = ("fetch", "jars", "lock")
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    # All of them act like Ctrl-C, so that a half-done start is cleaned up.
    for number in _ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:  # `nohup` ignores SIGHUP on purpose
            signal.signal(number, _stop)
    try:
        if sys.platform != "linux" and arguments.command not in _ANYWHERE:
            raise UsageError(
                f"the embedded stack runs on Linux only, not on {sys.platform}",
                fix="run the servers in Docker: make compose-up (docs/reference/machines.md)",
            )
        return int(arguments.function(arguments))
    except StackError as error:
        _say(f"error: {error}")
        return error.exit_code
    except BrokenPipeError:  # `… | head`
        return EXIT_OK
    except OSError as error:
        _say(
            f"error: {error.filename or 'system'}: {error.strerror}\n  fix: check the disk and the file's permissions"
        )
        return EXIT_SERVICE
    except KeyboardInterrupt:
        _say("stopped")
        return EXIT_CANCELLED
    except Exception as error:
        _say(of_bug(error))
        return EXIT_BUG
    finally:
        # The command is about to exit: another Ctrl-C now could only cut its last lines short.
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
