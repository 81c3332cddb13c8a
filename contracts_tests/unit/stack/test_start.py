"""What a command that only reads the files of a stack loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from contracts_tests.fixtures.clone import CLONE


def test_command_that_connects_to_no_store_loads_no_driver(tmp_path: Path) -> None:
    """`make` runs `env` before each command that needs servers."""
    drivers = ("cassandra", "psycopg")
    program = f"""
import sys
from avro_data_contracts.stack.cli import main
sys.argv[1:] = ["env", "--dir", {str(tmp_path / "nowhere")!r}]
code = main()
print(code, *[name for name in {drivers} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=CLONE, capture_output=True, text=True, check=True)
    assert done.stdout == "3\n", done.stderr
