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

from avro_data_contracts.stack.errors import EXIT_OK, exit_code
from avro_data_contracts.stack.jars import cache
from avro_data_contracts.stack.jars.fetch import fetch
from avro_data_contracts.stack.jars.pins import jar_sets


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m avro_data_contracts.stack.jars", description=__doc__)
    parser.add_argument("set", choices=[one.name for one in jar_sets()])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args(argv)
    return exit_code(lambda: _copy(arguments.set, arguments.folder))


def _copy(jars: str, folder: Path) -> int:
    fetch(lambda line: print(line, file=sys.stderr, flush=True), only=jars)
    folder.mkdir(parents=True, exist_ok=True)
    for path in cache.paths(jars):
        shutil.copyfile(path, folder / path.name)
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
