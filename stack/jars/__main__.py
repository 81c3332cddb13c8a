"""Fetch one set of jars and copy it into a folder (`python -m avro_data_contracts.stack.jars SET FOLDER`).

For deploy/Dockerfile: unlike `python -m stack`, it needs neither the servers' packages nor the rest of this one.
"""

# ruff: noqa: T201 - the command line prints here.
from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from avro_data_contracts.stack.errors import EXIT_BUG, EXIT_CANCELLED, EXIT_OK, StackError, of_bug
from avro_data_contracts.stack.jars import cache
from avro_data_contracts.stack.jars.fetch import fetch
from avro_data_contracts.stack.jars.pins import jar_sets


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m avro_data_contracts.stack.jars", description=__doc__)
    parser.add_argument("set", choices=[one.name for one in jar_sets()])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args(argv)
    try:
        fetch(lambda line: print(line, file=sys.stderr, flush=True), only=arguments.set)
        arguments.folder.mkdir(parents=True, exist_ok=True)
        for path in cache.paths(arguments.set):
            shutil.copyfile(path, arguments.folder / path.name)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_CANCELLED
    except Exception as error:
        print(of_bug(error), file=sys.stderr)
        return EXIT_BUG
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
