"""`make demo` as a user runs it: from the source API to rows in both stores, with matching counts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import psycopg
from pyspark.sql import SparkSession

from contracts_tests.fixtures.clone import CLONE
from contracts_tests.fixtures.command import Done, run_program
from contracts_tests.fixtures.stack import RunningStack


def test_demo_reconciles_and_a_deleted_row_fails_reconcile(
    private: RunningStack, lent_spark: SparkSession, tmp_path: Path
) -> None:
    """`make demo` is a process, and so is each of its steps; `reconcile` then runs in the Spark that tests share."""
    environment = {
        **private.environment,
        "STACK_DIR": str(private.root),
        "CHECKPOINT_DIR": str(tmp_path / "a folder" / "checkpoints"),
        "SPARK_LOG_FILE": str(tmp_path / "a folder" / "spark.log"),
    }

    command = ["make", "demo", f"VENV={sys.prefix}", "ARGS=--count 300"]
    demo = subprocess.run(command, cwd=CLONE, env=environment, capture_output=True, text=True, check=False)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "reconciled" in demo.stdout
    shown = demo.stdout.partition("Reconciliation")[2]
    for table in ("user_profiles", "users_by_hour", "users_for_analysts"):
        assert f"PostgreSQL public.{table}" in shown
    assert "Cassandra spark_streams.users_by_hour" in shown
    report = private.root / "demo.json"
    told = json.loads(report.read_text())
    assert (told["fetched"], told["produced"] + told["refused"]["total"]) == (300, 300)

    def reconcile(*flags: str) -> Done:
        return run_program("streaming", "reconcile", "--run", str(report), *flags, environment=environment)

    with_views = reconcile()
    assert with_views.returncode == 0, with_views.stdout + with_views.stderr
    for table in ("user_profiles in PostgreSQL", "users_by_hour in Cassandra", "users_by_hour in PostgreSQL"):
        assert re.search(rf"rows of {table} +│ +[0-9]+ │ = as its SQL makes them ", with_views.stdout)
    with psycopg.connect(private.exports["POSTGRES_DSN"]) as connection:
        table = "created_users"
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (told["produced"],)
        assert connection.execute("SELECT sum(events) FROM users_by_hour").fetchone() == (told["produced"],)
        for view in ("user_profiles", "users_for_analysts"):
            assert connection.execute(f"SELECT count(*) FROM {view}").fetchone() == (told["produced"],)
        connection.execute(f"DELETE FROM {table} WHERE id = (SELECT id FROM {table} LIMIT 1)")
    assert reconcile("--no-views").returncode == 1
