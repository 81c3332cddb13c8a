"""Earlier versions of a contract: from git, another folder, or the registry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from avro_data_contracts.contracts.avro.nodes import Schema
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.loading import Catalog
from avro_data_contracts.contracts.catalog.predecessors import predecessors
from avro_data_contracts.contracts.check import baselines
from avro_data_contracts.contracts.errors import ConfigurationError, InvalidSchema
from avro_data_contracts.contracts.quality import reading
from avro_data_contracts.contracts.quality.rules import Rule
from avro_data_contracts.contracts.settings import Settings

ALL, LATEST = "all", "latest"


@dataclass(frozen=True)
class Version:
    """A contract as it was.

    Attributes:
        label: a number in the registry, or a commit or folder in words.
        contract: with the schema of that version.
        left_out: names of rules that the schema is too old for.
    """

    label: str
    contract: Contract
    left_out: tuple[str, ...] = ()


def of(name: str | None, contract: Contract, current: Catalog, settings: Settings) -> list[Version]:
    """The versions that a name stands for.

    Args:
        name: a number, `latest` or `all` (in the registry); else a git ref, `REF:DIR` or a folder.  None: the merge
            base with the default branch, as for `contracts check`.

    Raises:
        ConfigurationError: there is no such version.
        ServiceError: the registry does not answer.
    """
    if name is not None and (name in (ALL, LATEST) or (name.isascii() and name.isdecimal())):
        found = list(_registered(name, contract, settings))
        if not found:
            raise ConfigurationError(
                f"the registry has no version {name} of {contract.value.name}"
                if name != ALL
                else f"the registry has no version of {contract.value.name} that is an Avro schema",
                where=settings.schema_registry_url,
                fix=f"use {LATEST} or {ALL}, or a git ref; make register-schemas registers the first version",
            )
        return found
    try:
        _, baseline = baselines.whole(name, settings.contracts_dir, current, lambda: settings)
    except ConfigurationError as error:
        raise error.but(**{fact: _of_versions(getattr(error, fact)) for fact in ("where", "fix")}) from None
    before = predecessors(baseline.contracts.values(), [contract]).get(contract.name)
    if before is None:
        raise ConfigurationError(
            f"{baseline.label} has no contract of the topic {contract.topic}",
            where="--version",
            fix="name a commit, tag or branch that has it, or a number for a version in the registry",
        )
    return [Version(baseline.label, before)]


def _of_versions(text: str) -> str:
    """Advice about `--against` as advice about `--version`, which takes a number or `latest` for the registry."""
    text = text.replace("|registry", "|NUMBER").replace("--against registry", f"--version {LATEST}")
    return text.replace("--against", "--version")


def _registered(name: str, contract: Contract, settings: Settings) -> Iterator[Version]:
    from avro_data_contracts.contracts.registry.client import Registry  # loads an HTTP client: only where needed
    from avro_data_contracts.contracts.registry.snapshot import Snapshot

    registry = Registry.from_settings(settings)
    snapshot = Snapshot(registry)
    numbers = registry.versions(contract.value.name)
    if name == LATEST:
        numbers = numbers[-1:]
    elif name != ALL:
        numbers = [one for one in numbers if one == int(name)]
    for number in numbers:
        found = registry.version(contract.value.name, number)
        if found is None:
            continue
        try:
            yield at(str(number), contract, snapshot.parse(found))
        except InvalidSchema:
            if name != ALL:
                raise


def at(label: str, contract: Contract, schema: Schema) -> Version:
    """The contract with another schema, and the rules that fit it."""
    rules: list[Rule] = []
    left_out: list[str] = []
    for spec in contract.spec.rules:
        try:
            rules += reading.read([spec], schema, lambda number, key: (contract.file, 0))
        except ConfigurationError:
            left_out.append(spec.name)
    value = replace(contract.value, schema=schema, text="", types=())
    return Version(label, replace(contract, value=value, rules=tuple(rules)), tuple(left_out))
