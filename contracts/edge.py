"""The edge of a process: the only place that turns an error into a message on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from avro_data_contracts.contracts import __version__, interrupts, pages
from avro_data_contracts.contracts.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_OK, ContractsError


def run(main: Callable[[], int | None]) -> NoReturn:
    """Call `main`, and exit with what it returns (None is 0).  An error becomes a message, never a traceback.

    With `CONTRACTS_DEBUG=1` an unexpected error shows its traceback.
    """
    try:
        with interrupts.told(_say):
            code = main() or 0
    except ContractsError as error:
        _say(f"error: {error}")
        for hint in pages.hints(str(error)):
            _say(f"  read: {hint}")
        code = error.exit_code
    except KeyboardInterrupt:
        _say("interrupted")
        code = EXIT_INTERRUPTED
    except Exception as error:
        if os.environ.get("CONTRACTS_DEBUG"):
            raise
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        at = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
        _say(f"error: {at}: {type(error).__name__}: {error}")
        _say("  fix: this is a bug; CONTRACTS_DEBUG=1 shows the traceback")
        code = EXIT_BUG
    sys.stdout.flush()
    sys.exit(code)


def version(command: str) -> Callable[[bool], None]:
    """The callback of a command's eager option `--version`: it prints the version and exits."""

    def tell(wanted: bool) -> None:
        if wanted:
            sys.stdout.write(f"{command} {__version__}\n")
            raise SystemExit(EXIT_OK)

    return tell


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
