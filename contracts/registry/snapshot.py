"""What a registry holds at one moment, parsed, and compared with what the repository holds."""

from __future__ import annotations

from collections.abc import Sequence

from avro_data_contracts.contracts.avro import parsing
from avro_data_contracts.contracts.avro.nodes import NamedType, Schema
from avro_data_contracts.contracts.avro.writing import described_alike, normalised
from avro_data_contracts.contracts.catalog.contract import Subject
from avro_data_contracts.contracts.errors import InvalidSchema, ServiceError
from avro_data_contracts.contracts.registry import tags
from avro_data_contracts.contracts.registry.client import Registry
from avro_data_contracts.contracts.registry.parallel import Once
from avro_data_contracts.contracts.registry.registered import AVRO, Config, RegisteredReference, RegisteredSchema


class Snapshot:
    """Reads a registry and asks for nothing twice: discard it after one run.  Safe for several threads.

    Every method raises `ServiceError` and `Refused` as `Registry` does.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._newest: Once[str, RegisteredSchema | None] = Once()
        self._found: Once[str, RegisteredSchema | None] = Once()
        self._parsed: Once[tuple[str, int], Schema] = Once()
        self._configs: Once[str, Config] = Once()

    def newest(self, subject: str) -> RegisteredSchema | None:
        """The newest version of a subject, None for none."""
        return self._newest.get(subject, lambda: self.registry.version(subject))

    def config(self, subject: str) -> Config:
        """The settings of the subject itself."""
        return self._configs.get(subject, lambda: self.registry.config(subject))

    def global_config(self) -> Config:
        """The settings for every subject that has none of its own."""
        return self._configs.get("", self.registry.global_config)

    def group(self, subject: str) -> str:
        """The metadata property that decides which versions are compared (those with the same value); empty for all
        versions."""
        return self.config(subject).group or self.global_config().group

    def find(self, subject: Subject) -> RegisteredSchema | None:
        """The version that holds the repository's schema, the newest if that does; None when none does.

        A registry may take schemas that differ only in docs and aliases for the same one (Apicurio does).  Then that
        version is the answer, because the subject can hold no other.
        """
        return self._found.get(subject.name, lambda: self._find(subject))

    def _find(self, subject: Subject) -> RegisteredSchema | None:
        newest = self.newest(subject.name)
        references = self.references_of(subject) if newest else None
        if newest is None or references is None:
            return None
        if self._means(newest, subject.schema, references):
            return newest
        found = self.registry.lookup(subject.name, subject.registered_text, references)
        if found is None:
            return None
        wanted = normalised(subject.schema)
        if normalised(self.parse(found)) == wanted:
            return found
        for version in reversed(self.registry.versions(subject.name)):
            kept = self.registry.version(subject.name, version)
            if kept is not None and normalised(self.parse(kept)) == wanted:
                return kept
        alike = described_alike(self.parse(found)) == described_alike(subject.schema)
        return found if alike else None

    def _means(self, kept: RegisteredSchema, wanted: Schema, references: Sequence[RegisteredReference]) -> bool:
        """Whether a schema is the wanted one, perhaps with its attributes in another order.

        Confluent's registry treats the two as different texts, and another client may have registered the schema.
        """
        try:
            return set(kept.references) == set(references) and self.same(self.parse(kept), wanted)
        except InvalidSchema:
            return False  # for example JSON Schema

    def same(self, kept: Schema, wanted: Schema) -> bool:
        """Whether the registry's schema is the repository's; where tags are kept, tags that the registry added do not
        count."""
        if self.registry.keeps_tags:
            return tags.same_but_more(kept, wanted)
        return normalised(kept) == normalised(wanted)

    def references_of(self, subject: Subject) -> list[RegisteredReference] | None:
        """The versions that hold the shared types of `subject`; None when the registry lacks one of them."""
        references = []
        for one in subject.types:
            found = self.find(one)
            if found is None:
                return None
            # Where the type's subject is an alias, a registry knows the version only under its target's name.
            references.append(RegisteredReference(one.name, found.subject, found.version))
        return references

    def parse(self, schema: RegisteredSchema) -> Schema:
        """The schema with its references fetched and resolved.

        Raises:
            InvalidSchema: the text is not an Avro schema, even by the rules for stored schemas.
        """
        if not schema.subject:
            return self._parse(schema)
        return self._parsed.get((schema.subject, schema.version), lambda: self._parse(schema))

    def _parse(self, schema: RegisteredSchema) -> Schema:
        told = f"{schema.subject} version {schema.version}" if schema.subject else f"schema id {schema.schema_id}"
        if schema.kind != AVRO:
            raise InvalidSchema(
                f"it is a {schema.kind} schema, and contracts are Avro",
                where=f"{told} of {self.registry.shown}",
                fix="delete the subject, if nobody reads it; or use another topic",
            )
        named: dict[str, NamedType] = {}
        for reference in schema.references:
            named.update(self._referred(reference, told).named)
        return parsing.parse_stored(schema.text, where=told, named=named)

    def _referred(self, reference: RegisteredReference, told: str) -> Schema:
        def read() -> Schema:
            found = self.registry.version(reference.subject, reference.version)
            if found is None:
                raise ServiceError(
                    f"{told} refers to version {reference.version} of {reference.subject}, which does not exist",
                    where=self.registry.shown,
                    server="registry",
                    fix="restore that version, or register it again",
                )
            return self._parse(found)

        return self._parsed.get((reference.subject, reference.version), read)
