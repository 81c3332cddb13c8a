"""Completion, as each shell asks for it: through environment variables, or by the functions that it loads.

What the functions ask for is asked in the tests' own process; they themselves, and the installation, start programs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from unittest import mock

import pytest

from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import run_contracts
from contracts_tests.fixtures.contract_files import CONTRACT, record


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with three contracts, and the command `contracts` in `bin/`."""
    for name in ("orders", "orders_returned", "bills"):
        folder = tmp_path / "schemas" / name
        folder.mkdir(parents=True)
        (folder / "contract.yaml").write_text(CONTRACT.replace("orders", name))
        (folder / "value.avsc").write_text(record(("id", "string")))
    (tmp_path / "schemas/orders/lines.contract.yaml").write_text(CONTRACT.replace("orders", "lines"))
    shutil.copytree(tmp_path / "schemas/bills", tmp_path / "other/avro/payments")
    program = tmp_path / "bin/contracts"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom avro_data_contracts.contracts.cli import main\nmain()\n")
    program.chmod(0o755)
    return tmp_path


def around(here: Path, **variables: str) -> dict[str, str]:
    """The environment of a user whose home is `here`."""
    found = {name: text for name, text in os.environ.items() if name != "CONTRACTS_DIR"}
    return found | {"PYTHONPATH": str(CLONE), "PATH": f"{here}/bin:{found['PATH']}", "HOME": str(here), **variables}


def run(here: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=here, env=around(here), capture_output=True, text=True, check=True)
    return done.stdout


def offered(here: Path, shell: str, line: str, **variables: str) -> list[str]:
    """What the shell would offer for the last word of a line."""
    match shell:
        case "bash":
            asked = {"COMP_WORDS": "\n".join(line.split(" ")), "COMP_CWORD": str(line.count(" "))}
        case "zsh":
            asked = {"_TYPER_COMPLETE_ARGS": line}
        case _:
            asked = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    told = around(here, **asked, **variables, _CONTRACTS_COMPLETE=f"complete_{shell}")
    with chdir(here), mock.patch.dict(os.environ, told, clear=True):
        done = run_contracts()
    assert (done.returncode, done.stderr) == (0, "")
    out = done.stdout
    if shell == "zsh":  # _arguments '*: :((word:"its help" ...))'
        listed = [word.strip("'\"()").partition(":")[0].strip('"') for word in out.replace("*: :", "").split()[1:]]
        return [word for word in listed if word]
    return [one.partition("\t")[0] for one in out.split("\n") if one]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("contracts lint or", ["orders", "orders/lines", "orders_returned"]),
        ("contracts check orders b", ["bills"]),
        ("contracts register --dry-run ", ["bills", "orders", "orders/lines", "orders_returned"]),
        ("contracts --schemas other/avro plan ", ["payments"]),
        ("contracts lint --schemas other/avro ", ["payments"]),
        ("contracts export odcs --contract bi", ["bills"]),
        ("contracts check --fail-on w", ["warning"]),
        ("contracts lint x", []),
    ],
)
def test_names_and_values_are_offered(shell: str, line: str, words: list[str], here: Path) -> None:
    assert offered(here, shell, line) == words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_settings_decide_where_the_names_are_looked_for(shell: str, here: Path) -> None:
    assert offered(here, shell, "contracts lint ", CONTRACTS_DIR="other/avro") == ["payments"]
    (here / "contracts.toml").write_text('[contracts]\nschemas = "other/avro"\n')
    assert offered(here, shell, "contracts lint ") == ["payments"]
    (here / "contracts.toml").write_text("[contracts")
    assert offered(here, shell, "contracts lint ") == []


def test_commands_are_offered(here: Path) -> None:
    assert {"lint", "check", "register"} <= set(offered(here, "bash", "contracts "))


def test_bash_completes_with_the_shown_script(here: Path) -> None:
    asked = "COMP_WORDS=(contracts lint or) COMP_CWORD=2; _contracts_completion contracts; echo ${COMPREPLY[@]}"
    script = f'eval "$(contracts --show-completion)"; {asked}'
    assert run(here, "bash", "--norc", "-c", script).split() == ["orders", "orders/lines", "orders_returned"]


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", ".bash_completions/contracts.sh"),
        ("zsh", ".zfunc/_contracts"),
        ("fish", ".config/fish/completions/contracts.fish"),
    ],
)
def test_completion_is_installed_where_the_shell_looks(shell: str, file: str, here: Path) -> None:
    # The command looks at its parent process, which here is a shell of that name.
    shutil.copy("/bin/bash", here / "bin" / shell)
    run(here, str(here / "bin" / shell), "-c", "contracts --install-completion; true")
    assert f"complete_{shell}" in (here / file).read_text()


def test_completion_loads_no_client(here: Path) -> None:
    code = (
        "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
        "sys.argv = ['contracts']; from avro_data_contracts.contracts.cli import main; main()"
    )
    asked = {"COMP_WORDS": "contracts\nlint\nor", "COMP_CWORD": "2", "_CONTRACTS_COMPLETE": "complete_bash"}
    told = around(here, **asked)
    done = subprocess.run([sys.executable, "-c", code], cwd=here, env=told, capture_output=True, text=True)
    assert done.stdout.split() == ["orders", "orders/lines", "orders_returned"]
    assert {"requests", "confluent_kafka", "fastavro"}.isdisjoint(done.stderr.split())
