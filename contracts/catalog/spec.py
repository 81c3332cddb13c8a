"""Parses a contract.yaml, or the header of a view, or says what is wrong with it, and in which line."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from avro_data_contracts.contracts.catalog import yaml_text
from avro_data_contracts.contracts.catalog.contract import TOPIC_NAME, ContractSpec, Spec
from avro_data_contracts.contracts.catalog.folder import default_value
from avro_data_contracts.contracts.catalog.header import header_of
from avro_data_contracts.contracts.catalog.view import ViewSpec
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.sources.known import chosen
from avro_data_contracts.contracts.stores.spec import NAME

#: A contract file with more values is a mistake, or meant to keep whoever reads it busy.
MOST_VALUES: Final = 100_000
#: Each pattern of a name -> its words.
PATTERNS: Final = {
    NAME: "lower-case letters, digits and _, with a letter first",
    TOPIC_NAME: "letters, digits, '.', '_' and '-' (and not be '.' or '..')",
}
_Model = TypeVar("_Model", bound=Spec)


@lru_cache(maxsize=20_000)  # most texts are the same in every version that a run reads
def parse_spec(text: str, where: str, defaults: frozenset[tuple[str, str]] = frozenset()) -> ContractSpec:
    """Parse a contract file.

    Args:
        where: its path; the last part of it says which schema the value has by default.
        defaults: keys and values that it need not have.

    Raises:
        ConfigurationError: the file is invalid.
    """
    return _parsed(text, where, ContractSpec, {"value": default_value(where), **dict(defaults)})


@lru_cache(maxsize=20_000)
def parse_header(text: str, where: str) -> ViewSpec:
    """Parse the header of a view.

    Args:
        text: of the whole view.
        where: its path.

    Raises:
        ConfigurationError: the header is missing or invalid.
    """
    header = header_of(text)
    if not header.strip():
        raise ConfigurationError(
            "the view has no header, so it has no table",
            file=where,
            line=1,
            fix="begin the file with lines such as `-- sinks: {postgres: {table: adults, primary_key: [id]}}` "
            "(docs/reference/views.md)",
        )
    return _parsed(header, where, ViewSpec, {})


def _parsed(text: str, where: str, model: type[_Model], given: dict[str, Any]) -> _Model:
    """Parse YAML into a model.  `given`: keys that the text need not have."""
    try:
        node = yaml_text.compose(text)
        document = yaml_text.load(text)
    except yaml.MarkedYAMLError as error:
        # A text that ends too early is wrong after its last line.
        line = min(error.problem_mark.line + 1, len(text.splitlines())) if error.problem_mark else 1
        raise ConfigurationError(
            f"not YAML: {error.problem}", file=where, line=line, fix="correct the line"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        words = "nested too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())
        line = text.encode("utf-8", "replace")[: getattr(error, "position", 0)].count(b"\n") + 1
        raise ConfigurationError(f"not YAML: {words}", file=where, line=line, fix="correct the file") from None
    if not isinstance(node, yaml.MappingNode):
        raise ConfigurationError(
            "is not a mapping",
            file=where,
            line=1,
            fix=f"write a mapping with the keys {', '.join(model.model_fields)}",
        )
    if yaml_text.size(node) > MOST_VALUES:
        what = f"its aliases (*name) stand for more than {MOST_VALUES:,} values"
        raise ConfigurationError(
            what, file=where, line=1, fix="write the values out where they are needed, without aliases"
        )
    _refuse_duplicates(node, where)
    try:
        return model.model_validate({**given, **document})
    except ValidationError as error:
        raise _as_configuration_error(error, node, document, where, model) from None


def _refuse_duplicates(node: yaml.Node, where: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise ConfigurationError(
                    f"the key {key.value!r} appears twice, first in line {seen[key.value]}",
                    file=where,
                    line=line,
                    fix="keep one of the two",
                )
            seen[key.value] = line
            _refuse_duplicates(value, where)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(item, where)


def _as_configuration_error(
    error: ValidationError, node: yaml.Node, document: Any, where: str, model: type[Spec]
) -> ConfigurationError:
    """The error for the first problem, with its line and the names that are valid there."""
    # An unknown key comes first, because a missing key is often the same one, misspelt.
    problem = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    # Pydantic adds a word of its own to the place of a key.
    location = [part for part in problem["loc"] if isinstance(part, (str, int)) and part != "[key]"]
    line = line_of(node, location)
    path = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        return ConfigurationError(
            f"unknown key {path!r}",
            file=where,
            line=line,
            path=path,
            fix=f"valid names here: {', '.join(_valid_names(location[:-1], document, model))}",
        )
    fix = f"see docs/reference/{'views' if model is ViewSpec else 'contract'}.md"
    return ConfigurationError(f"{path}: {_message(problem)}", file=where, line=line, path=path, fix=fix)


def _message(problem: ErrorDetails) -> str:
    match problem["type"]:
        case "missing":
            return "is missing"
        case "string_type":
            return "should be text; a number, a date and true need quotes for that"
        case "string_pattern_mismatch":
            return f"{str(problem['input'])[:60]!r} should have only {PATTERNS[problem['ctx']['pattern']]}"
    words = problem["msg"].removeprefix("Value error, ")
    return words[:1].lower() + words[1:]


def line_of(node: yaml.Node, location: list[str | int]) -> int:
    """The 1-based line of the value at these keys and item numbers."""
    line = node.start_mark.line
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
    return line + 1


def _inside(document: Any, part: str | int) -> Any:
    """The value at a key or number; None if there is none."""
    try:
        return document[part]
    except (KeyError, IndexError, TypeError):
        return None


def _models(annotation: Any) -> Iterator[Any]:
    """The models in a type such as `dict[str, list[Model]]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models(inner)


def _valid_names(location: list[str | int], document: Any, root: type[Spec]) -> list[str]:
    model: Any = root
    for part in location:
        annotation = next((f.annotation for name, f in model.model_fields.items() if part in (name, f.alias)), None)
        document = _inside(document, part)
        model = chosen(next(_models(annotation), model), document)
    return [f.alias or name for name, f in model.model_fields.items()]
