"""Pipelines of contracts that a test makes up."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import SparkSession

from contracts.settings import Settings
from contracts_tests.integration.conftest import Pipeline
from contracts_tests.integration.type_cases import record


def pipeline_of(
    settings: Settings, spark: SparkSession, folder: Path, fields: Mapping[str, Any], key: tuple[str, ...]
) -> Pipeline:
    """A pipeline whose value has these fields; `key` is the primary key."""
    name = f"types_{uuid.uuid4().hex[:8]}"
    schemas = folder / "schemas" / name
    schemas.mkdir(parents=True)
    sinks = {
        "cassandra": {"keyspace": "spark_streams", "table": name, "primary_key": list(key)},
        "postgres": {"table": name, "primary_key": list(key)},
    }
    contract = {"topic": name, "owner": "test", "compatibility": "BACKWARD", "sinks": sinks}
    (schemas / "contract.yaml").write_text(yaml.safe_dump(contract))
    (schemas / "value.avsc").write_text(json.dumps(record("Everyone", *fields.items())))
    update = {"contracts_dir": schemas.parent, "checkpoint_dir": folder / "checkpoints"}
    return Pipeline(settings.model_copy(update=update), spark, schemas)
