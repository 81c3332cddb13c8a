"""Several contracts in one process: each has its own outages and its own end, and they come, change and go."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from avro_data_contracts.contracts.errors import Refused
from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.streaming.stores.postgres import connection as postgres
from contracts_tests.fixtures.pipeline import Pipeline, contract_in, made
from contracts_tests.fixtures.processes import ended, run, running, wait_for
from contracts_tests.fixtures.stack import RunningStack
from contracts_tests.fixtures.users import user


def beside(pipeline: Pipeline) -> Pipeline:
    """Another contract in the same folder of contracts, not registered."""
    return Pipeline(pipeline.settings, pipeline.spark, contract_in(pipeline.settings.contracts_dir))


def send(pipeline: Pipeline, *numbers: int) -> None:
    schema_id = pipeline.register()
    pipeline.send(*({"value": pipeline.encode(schema_id, user(number))} for number in numbers))


def stored(pipeline: Pipeline) -> tuple[set[str], set[str]]:
    """The usernames in both stores; none while there are no tables."""
    try:
        rows = pipeline.cassandra_rows(), pipeline.postgres_rows()
    except Refused:
        return set(), set()
    cassandra, postgres = ({row["username"] for row in one.values()} for one in rows)
    return cassandra, postgres


def said(log: Path, event: str, contract: str) -> list[int]:
    """The lines of the log that say this of a contract."""
    lines = enumerate(log.read_text().splitlines())
    words = f'event="{event}" ' if " " in event else f"event={event} "
    return [number for number, line in lines if words in line and f"contract={contract} " in line]


def names(*numbers: int) -> tuple[set[str], set[str]]:
    wanted = {user(number)["username"] for number in numbers}
    return wanted, wanted


def test_contracts_are_streamed_at_once_and_the_error_of_one_is_the_exit_code(
    stack: RunningStack, pipeline: Pipeline
) -> None:
    other = beside(pipeline)
    send(pipeline, 1, 2)
    send(other, 3)
    missing = beside(pipeline)  # nobody has registered it
    done = run(stack, pipeline, "--contract", other.folder.name, "--contract", missing.folder.name, "--available-now")
    assert done.returncode == 2, done.stderr
    assert f"missing: topic {missing.folder.name}" in done.stderr
    assert stored(pipeline) == names(1, 2)
    assert stored(other) == names(3)
    shutil.rmtree(missing.folder)
    send(other, 4)
    done = run(stack, pipeline, "--contract", other.folder.name, "--available-now")
    assert done.returncode == 0, done.stderr
    assert stored(other) == names(3, 4)


def test_command_about_one_contract_refuses_several(stack: RunningStack, pipeline: Pipeline) -> None:
    done = run(stack, pipeline, "--contract", "another", "reconcile")
    assert (done.returncode, "name one" in done.stderr) == (2, True)


def test_contracts_come_fail_change_and_go_while_the_others_stream(
    stack: RunningStack, settings_of_stack: Settings, tmp_path: Path
) -> None:
    steady, log = made(settings_of_stack, None, tmp_path), tmp_path / "stream.log"
    send(steady, 1)
    with running(stack, steady, log, every=True) as process:
        wait_for(lambda: stored(steady) == names(1), log)

        comes = beside(steady)
        name = comes.folder.name
        wait_for(lambda: f"contract={name}" in log.read_text() and "missing: topic" in log.read_text(), log)
        send(comes, 2)  # registers it
        wait_for(lambda: stored(comes) == names(2), log)

        # Its table is gone, and the other one goes on.
        table = comes.contract.spec.sinks.postgres.table
        with postgres.connect(comes.settings) as connection:
            connection.execute(f"ALTER TABLE {table} RENAME TO {table}_aside")
        send(comes, 3)
        wait_for(lambda: bool(said(log, "given up", name)), log)
        given_up = said(log, "given up", name)[0]
        wait_for(lambda: said(log, "stream failed", name)[-1] > given_up, log)
        send(steady, 4)
        wait_for(lambda: stored(steady) == names(1, 4), log)
        with postgres.connect(comes.settings) as connection:
            connection.execute(f"ALTER TABLE {table}_aside RENAME TO {table}")
        wait_for(lambda: stored(comes) == names(2, 3), log)

        comes.evolve(
            lambda schema: schema["fields"].append({"name": "nick", "type": ["null", "string"], "default": None})
        )
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "the contract is changed" in log.read_text(), log)
        wait_for(lambda: all("nick" in row for row in comes.postgres_rows().values()), log)

        shutil.rmtree(comes.folder)
        wait_for(lambda: "the contract is gone" in log.read_text(), log)
        send(steady, 5)
        wait_for(lambda: stored(steady) == names(1, 4, 5), log)
        assert not said(log, "ended", steady.folder.name), "the steady stream was started again"
        process.terminate()
        assert ended(process, log, 120) == 0, log.read_text()
    assert "Traceback" not in log.read_text()
