"""PostgreSQL from Zonky's binaries."""

from __future__ import annotations

import os
import platform
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from avro_data_contracts.stack import ports, process
from avro_data_contracts.stack.errors import ServerError, UsageError
from avro_data_contracts.stack.jars import cache
from avro_data_contracts.stack.jars.pins import server_versions
from avro_data_contracts.stack.security import roles
from avro_data_contracts.stack.servers.server import Steps, base_environment
from avro_data_contracts.stack.shape import Shape
from avro_data_contracts.stack.site import Site

# The driver takes a quarter of the time of a command that only reads files, such as `env`: whoever connects loads it.
if TYPE_CHECKING:
    import psycopg

_ADMIN = "stack_admin"
# Each role and the database that it owns.
_OWNERS = {"pipeline": "contracts", "registry": "registry", "airflow": "airflow"}
# Keep rows out of the log: an error's details quote the refused row, and its statement can contain values.  Even the
# message can ("invalid input syntax for type uuid: …"), so errors of the role that writes rows are not logged at all.
# The client still receives them.
_QUIET = "pipeline"
NO_ROWS_IN_THE_LOG = {
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}


@dataclass(frozen=True)
class Postgres:
    """The only PostgreSQL server."""

    site: Site
    ports: Mapping[str, int]
    shape: Shape

    name = "postgres"
    version = server_versions()["postgres"]
    depends_on = ()
    port_names = ("postgres",)
    stop_signal = signal.SIGINT  # "fast shutdown": PostgreSQL ends the sessions, then itself

    @property
    def address(self) -> str:
        return f"{ports.HOST}:{self.ports['postgres']}"

    @property
    def executable(self) -> Path:
        machine = platform.machine()
        found = cache.places(f"postgres-{machine}")
        if not found:
            raise UsageError(
                f"there are no PostgreSQL binaries for {machine}",
                where=self.name,
                fix="run `make compose-up` instead",
            )
        return found[0] / "bin" / "postgres"

    @property
    def _initdb(self) -> Path:
        return self.executable.with_name("initdb")

    @property
    def _folder(self) -> Path:
        return self.site.folder(self.name)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def prepare(self, steps: Steps) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            account = _unprivileged()
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        self._forget_dead_postmaster()
        if not self._data.exists():
            self._initialise(steps)
        if self.shape.secure:
            for name in ("postgres.crt", "postgres.key"):
                self._give(name, (self.site.certificates / name).read_text(encoding="ascii"))
            self._give("pg_hba.conf", f"hostssl all all {ports.HOST}/32 scram-sha-256\n")

    def _give(self, name: str, text: str) -> Path:
        """Write a file into the server's folder that only the server's account can read."""
        path = self._folder / name
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        if os.geteuid() == 0:
            account = _unprivileged()
            os.chown(path, account.pw_uid, account.pw_gid)
        return path

    def _initialise(self, steps: Steps) -> None:
        self._provisioned.unlink(missing_ok=True)
        # Under another name until it is complete, so that an interrupted initdb starts again.
        half = self._folder / "data.new"
        shutil.rmtree(half, ignore_errors=True)
        password = self._give("password.new", self.site.secrets()["postgres-admin"] + "\n")
        try:
            steps.run(
                self.name,
                [
                    *self._drop_root,
                    str(self._initdb),
                    *("-D", str(half), "-U", _ADMIN, f"--pwfile={password}", "--auth=scram-sha-256"),
                    *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                    "--no-instructions",
                ],
                environment=self.environment(),
                cwd=self._folder,
            )
        finally:
            password.unlink(missing_ok=True)
        half.rename(self._data)

    def _forget_dead_postmaster(self) -> None:
        """Remove the pid file of a dead postmaster.  If another process has its pid by now, PostgreSQL would refuse
        to start."""
        pid_file = self._data / "postmaster.pid"
        if not pid_file.exists():
            return
        for orphan in process.remnants(self._folder, self.executable):
            if not orphan.ends_within(10):
                raise ServerError(
                    f"a process of an earlier server (pid {orphan.pid}) still uses the data",
                    where=f"{self.name} {self.address}",
                    fix=f"end it (kill {orphan.pid}), then run the same command again",
                )
        pid_file.unlink()

    @cached_property
    def _drop_root(self) -> list[str]:
        """The command prefix that drops root, under which PostgreSQL refuses to run; empty for other accounts.

        If the clone is where no other account can go, below /root for example, the server keeps one capability: the
        weakest that lets it reach its files.
        """
        if os.geteuid() != 0:
            return []
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise UsageError(
                "PostgreSQL does not run as root, and the program `setpriv`, which starts it as another account, is "
                "missing",
                where=self.name,
                fix="install util-linux, or run this command as an ordinary user",
            )
        account = _unprivileged()
        plain = [setpriv, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        answer = ""
        for capability in ("", "dac_read_search", "dac_override"):
            keep = [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"] if capability else []
            if capability:
                # PostgreSQL checks its own files with access(2), which ignores capabilities without this.
                keep.append("--securebits=+no_setuid_fixup")
            # `initdb --show` checks everything that it needs, and changes nothing.
            trial = 'cd "$1" && [ -w . ] && exec "$2" --show -D none'
            probe = [*plain, *keep, "sh", "-c", trial, "sh", str(self._folder), str(self._initdb)]
            result = subprocess.run(
                probe, env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            if result.returncode == 0:
                return [*plain, *keep]
            answer = result.stderr.strip()
        raise ServerError(
            f"PostgreSQL cannot run as {account.pw_name}",
            where=f"{self.name} {self.address}",
            detail=answer,
            fix="run this command as an ordinary user, or set STACK_DIR to a folder that every account can enter",
        )

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": ports.HOST,
            "port": str(self.ports["postgres"]),
            # No socket file: its path could exceed the length limit of socket names.
            "unix_socket_directories": "",
            "password_encryption": "scram-sha-256",
            "max_connections": "100",
            "shared_buffers": "128MB",
            "log_line_prefix": "%m [%p] ",
            **NO_ROWS_IN_THE_LOG,
        }
        if self.shape.secure:
            settings |= {
                "ssl": "on",
                "ssl_cert_file": str(self._folder / "postgres.crt"),
                "ssl_key_file": str(self._folder / "postgres.key"),
                "hba_file": str(self._folder / "pg_hba.conf"),
            }
        return [
            *(*self._drop_root, str(self.executable), "-D", str(self._data)),
            *(word for key, value in settings.items() for word in ("-c", f"{key}={value}")),
        ]

    def environment(self) -> Mapping[str, str]:
        return base_environment() | {"LC_ALL": "C"}

    def _connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        import psycopg

        secured: dict[str, Any] = dict(tls(self.site, self.shape))
        return psycopg.connect(
            **secured,
            host=ports.HOST,
            port=self.ports["postgres"],
            dbname=database,
            user=_ADMIN,
            password=self.site.secrets()["postgres-admin"],
            connect_timeout=3,
            autocommit=True,
        )

    def ready(self) -> bool:
        if not ports.is_open(self.ports["postgres"]):
            return False
        import psycopg

        try:
            with self._connect() as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.Error:
            return False

    @property
    def _provisioned(self) -> Path:
        return self._folder / "provisioned"

    def provision(self) -> None:
        from psycopg import sql

        names = f"{' '.join(sorted(_OWNERS))}, {_QUIET} is quiet"
        if self._provisioned.exists() and self._provisioned.read_text(encoding="ascii") == names:
            return
        with self._connect() as connection:
            for role, database in _OWNERS.items():
                known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
                verb = sql.SQL("ALTER" if known else "CREATE")
                password = sql.Literal(self.site.secrets()[f"postgres-{role}"])
                connection.execute(
                    sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, sql.Identifier(role), password)
                )
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
                    connection.execute(
                        sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(role))
                    )
                # Each role may connect only to its own database.
                connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
            connection.execute(sql.SQL("ALTER ROLE {} SET log_min_messages = 'fatal'").format(sql.Identifier(_QUIET)))
            if self.shape.secure:
                known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'producer'").fetchone()
                verb, secret = sql.SQL("ALTER" if known else "CREATE"), self.site.secrets()["postgres-producer"]
                connection.execute(sql.SQL("{} ROLE producer LOGIN PASSWORD {}").format(verb, sql.Literal(secret)))
        self._provisioned.write_text(names, encoding="ascii")

    def exports(self, role: str) -> Mapping[str, str]:
        user = roles.store_account(role) if self.shape.secure else "pipeline"
        password = self.site.secrets()[f"postgres-{user}"]
        dsn = f"postgresql://{user}:{password}@{self.address}/contracts"
        return {"POSTGRES_DSN": dsn + query(self.site, self.shape)}


def tls(site: Site, shape: Shape) -> dict[str, str]:
    """Connection parameters that verify the server's certificate; empty without TLS."""
    return {"sslmode": "verify-full", "sslrootcert": str(site.authority)} if shape.secure else {}


def query(site: Site, shape: Shape) -> str:
    """The same as the query of a URL.  Spaces are `%20`, because libpq does not decode `+`."""
    parameters = tls(site, shape)
    return f"?{urlencode(parameters, quote_via=quote)}" if parameters else ""


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise UsageError(
            "PostgreSQL does not run as root, and this machine has no account `nobody` to run it as",
            fix="run this command as an ordinary user",
        ) from None
