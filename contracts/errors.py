"""The one exception tree of the project.

    ContractsError               exit 2
    ├── ConfigurationError       2   flags, environment, contract.yaml
    │   └── InvalidSchema        2   an .avsc that is not a valid Avro schema
    │       ├── Redefined        2   two definitions of one name differ
    │       └── UnknownType      2   nothing defines a name
    ├── ServiceError             3   a server did not answer, or failed
    │   └── Refused              3   a server answered, and refused (`what` has its own words)
    ├── FindingsError            1   the work was done, and it found problems
    └── Interrupted            130   Ctrl-C between steps that change something

Every error says what happened, where, and how to fix it.  Only the edge of a process (`contracts.edge`) turns one
into an exit code.
"""

from __future__ import annotations

from typing import Any, Self

EXIT_OK = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_SERVICE = 3
EXIT_BUG = 70
EXIT_INTERRUPTED = 130


class ContractsError(Exception):
    """Base of all errors that a user reads.

    Args:
        what: what happened: one sentence, no full stop.
        where: a file and line, an address, or a subject; empty if there is none.
        fix: what the reader can do about it; a command if there is one.
    """

    exit_code = EXIT_USAGE

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def but(self, **facts: str) -> Self:
        """A copy of the error with other facts (`what`, `where`, `fix`)."""
        other = type(self).__new__(type(self), *self.args)
        other.__dict__.update(self.__dict__ | facts)
        return other

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


def place(file: str, line: int, column: int) -> str:
    """`file:line:column`, as far as it is known."""
    return ":".join([file, *(str(number) for number in (line, column) if number)])


class ConfigurationError(ContractsError):
    """A flag, an environment variable or a file of a contract is wrong.  Exit code 2.

    Args:
        file: the file that is wrong, as messages show it; empty if it is not a file.
        line, column: 1-based place in it, 0 if unknown.
        path: place inside the schema (`user.address.street`), or the keys of contract.yaml; empty if unknown.
    """

    exit_code = EXIT_USAGE

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        fix: str = "",
        file: str = "",
        line: int = 0,
        column: int = 0,
        path: str = "",
    ) -> None:
        super().__init__(what, where=where or (file and place(file, line, column)), fix=fix)
        self.file = file
        self.line = line
        self.column = column
        self.path = path

    def at(self, line: int) -> Self:
        """A copy of the error with the line of its file."""
        other = self.but(where=f"{self.file}:{line}")
        other.line = line
        return other


class InvalidSchema(ConfigurationError):
    """An Avro schema that Confluent Schema Registry would refuse as invalid (42201).  Exit code 2."""


class Redefined(InvalidSchema):
    """A schema defines a type that is already defined, and differently.  `name`: the full name of the type."""

    def __init__(self, name: str, **facts: Any) -> None:
        super().__init__(f"{name} is defined twice, differently", **facts)
        self.name = name


class UnknownType(InvalidSchema):
    """A schema uses a type that nothing defines.  `name`: the full name of the type."""

    def __init__(self, name: str, what: str, **facts: Any) -> None:
        super().__init__(what, **facts)
        self.name = name


class ServiceError(ContractsError):
    """A server could not be reached, or failed.  `where` holds its name and address.  Exit code 3.

    Args:
        server: "kafka", "registry", "cassandra", "postgres", "spark" or "source"; empty if it may be one of several,
            or has no address.
    """

    exit_code = EXIT_SERVICE

    def __init__(self, what: str, *, where: str = "", fix: str = "", server: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.server = server


class Refused(ServiceError):
    """A server answered, and refused.  Trying again without a change does not help.

    Args:
        code: the server's own error code (e.g. 40403, 409), 0 if it gave none.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "", server: str = "", code: int = 0) -> None:
        super().__init__(what, where=where, fix=fix, server=server)
        self.code = code


class FindingsError(ContractsError):
    """The work was done, and it found problems.  Exit code 1."""

    exit_code = EXIT_FINDINGS


class Interrupted(ContractsError):
    """Someone pressed Ctrl-C between the steps of a plan; `what` says how far it got.  Exit code 130."""

    exit_code = EXIT_INTERRUPTED
