"""The line and column of a key of contract.yaml, and of a node of a schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import yaml

from avro_data_contracts.contracts.avro.nodes import Node
from avro_data_contracts.contracts.catalog import yaml_text
from avro_data_contracts.contracts.catalog.contract import Subject, types_of


@dataclass(frozen=True)
class Texts:
    """The texts of a catalog's files, by the path that messages show.

    Args:
        by_path: path -> text.
    """

    by_path: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Mapping[str, str], root: str) -> Texts:
        """Take the files that `loading.from_files` reads."""
        return cls({PurePosixPath(root, path).as_posix(): text for path, text in files.items()})

    def position(self, path: str, *keys: str | int) -> tuple[int, int]:
        """1-based line and column of the key (or list item) at `keys`, or of the nearest one around a missing one;
        (0, 0) for a file without text."""
        if path not in self.by_path:
            return 0, 0
        node = yaml_text.compose(self.by_path[path])
        if node is None:
            return 1, 1
        mark = node.start_mark
        for key in keys:
            if isinstance(node, yaml.MappingNode):
                found = next(((one, value) for one, value in node.value if one.value == str(key)), None)
                if found is None:
                    break
                mark, node = found[0].start_mark, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
                node = node.value[key]
                mark = node.start_mark
            else:
                break
        return mark.line + 1, mark.column + 1


def owner_of(subject: Subject, node: Node) -> Subject | None:
    """The subject whose text has the node: itself, or a shared type that it uses; None for a text of long ago."""
    return next((one for one in (subject, *types_of([subject])) if one.schema.document is node.document), None)


def position_of(subject: Subject, node: Node, attribute: str = "") -> tuple[str, int, int]:
    """File, line and column of an attribute of a node, or of the node if it lacks that."""
    owner = owner_of(subject, node)
    if owner is None:
        return subject.file, 0, 0
    return (owner.file, *node.document.position((node.pointer, attribute) if attribute else node.pointer))
