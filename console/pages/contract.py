"""The page of one contract: fields, tables with their DDL, rules, views, consumers, settings.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from avro_data_contracts.console.pages import fields
from avro_data_contracts.console.pages.fields import FieldTable, Uses
from avro_data_contracts.contracts.avro.jsonpos import dump
from avro_data_contracts.contracts.avro.paths import follow
from avro_data_contracts.contracts.catalog.addresses import slug
from avro_data_contracts.contracts.catalog.contract import Contract
from avro_data_contracts.contracts.catalog.view import View
from avro_data_contracts.contracts.errors import ConfigurationError
from avro_data_contracts.contracts.stores.known import STORES
from avro_data_contracts.contracts.stores.position import POSITION
from avro_data_contracts.contracts.stores.table import Table
from avro_data_contracts.contracts.tables import layout, migrations
from avro_data_contracts.contracts.tables.wording import told

if TYPE_CHECKING:
    from avro_data_contracts.contracts.views.analysis import Output


@dataclass(frozen=True)
class TablePage:
    """A table.

    Attributes:
        store: the title of its store.
        ddl: its statements, with semicolons.
        fault: why there can be none; else empty.
    """

    store: str
    name: str
    key: tuple[str, ...]
    mode: str
    ddl: tuple[str, ...]
    notes: tuple[str, ...] = ()
    fault: str = ""


@dataclass(frozen=True)
class Consumer:
    """A consumer.  `fields`: that it reads; none: all.  `unknown`: those of them that the schema does not have."""

    name: str
    owner: str
    fields: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class RuleRow:
    """A quality rule.  `asks`: the requirement, as in contract.yaml."""

    name: str
    field: str
    asks: str
    message: str
    description: str


@dataclass(frozen=True)
class ViewColumn:
    """A column of a view.

    Attributes:
        paths: the fields that flow into it.
        position: what flows into it of where the event is, such as `kafka_timestamp`.
    """

    name: str
    type: str
    nullable: bool
    sql: str
    paths: tuple[str, ...]
    position: tuple[str, ...] = ()


@dataclass(frozen=True)
class ViewPage:
    """A view.  `filtered`: the fields that decide whether a record has a row."""

    name: str
    description: str
    sql: str
    where: str
    filtered: tuple[str, ...]
    columns: tuple[ViewColumn, ...]
    tables: tuple[TablePage, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Approval:
    """An approved finding."""

    rule: str
    path: str
    subject: str
    reason: str
    until: str


@dataclass(frozen=True)
class ContractPage:
    """Everything that the page of a contract shows.

    Attributes:
        name, slug: its name, and that in addresses.
        file: path of its contract.yaml.
        settings: label -> value, in order.
        avsc: the text of the value's schema.
    """

    name: str
    slug: str
    file: str
    topic: str
    owner: str
    description: str
    level: str
    settings: tuple[tuple[str, str], ...]
    value: FieldTable
    key: FieldTable | None
    subjects: tuple[str, ...]
    tables: tuple[TablePage, ...]
    consumers: tuple[Consumer, ...]
    rules: tuple[RuleRow, ...]
    views: tuple[ViewPage, ...]
    approvals: tuple[Approval, ...]
    siblings: tuple[str, ...]
    avsc: str

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags of its fields, each once."""
        rows = (*self.value.rows, *(self.key.rows if self.key else ()))
        found = (*self.value.tags, *(tag for row in rows for tag in row.tags))
        return tuple(sorted(dict.fromkeys(found)))


def of(contract: Contract, shown: Callable[[str], str] = str) -> ContractPage:
    """Make the page of a contract.

    Args:
        shown: the path of a file, as people know it.
    """
    spec = contract.spec
    views = tuple(_view(contract, one) for one in contract.views)
    used = fields.uses(contract, _stored(contract, views))
    return ContractPage(
        contract.name,
        slug(contract.name),
        shown(contract.file),
        contract.topic,
        spec.owner,
        spec.description,
        contract.compatibility.value,
        tuple(_settings(contract)),
        fields.table(contract.value, used),
        fields.table(contract.key, Uses(of="key-field")) if contract.key else None,
        tuple(one.name for one in contract.subjects),
        tuple(_tables(contract)),
        tuple(_consumers(contract)),
        tuple(
            RuleRow(one.name, one.field, _asks(one.asks), rule.message, one.description)
            for one, rule in zip(spec.rules, contract.rules, strict=True)
        ),
        views,
        tuple(Approval(one.rule, one.path, one.subject, one.reason, str(one.until)) for one in spec.approvals),
        tuple(one.contract for one in contract.siblings),
        contract.value.text.replace("\r\n", "\n"),
    )


def _asks(asks: dict[str, object]) -> str:
    told = {key: value for key, value in asks.items() if key != "field"}
    return ", ".join(f"{key}: {value if isinstance(value, str) else dump(value)}" for key, value in told.items())


def _settings(contract: Contract) -> Iterator[tuple[str, str]]:
    spec = contract.spec
    yield "Topic", contract.topic
    if spec.kafka.external:
        yield "Topic's settings", "decided elsewhere (external)"
    else:
        yield "Partitions", str(spec.kafka.partitions)
        yield from spec.kafka.config.items()
    yield "Dead-letter topic", contract.dead_letter_topic
    yield "Most dead letters", f"{spec.dead_letter.max_rate:.2%} of a day's records"
    yield "Tombstones", spec.tombstones.value
    yield "Schema id", f"in the {spec.producer.schema_id.value}"
    if spec.source is not None:
        yield "Source", str(getattr(spec.source, "api", ""))


def _consumers(contract: Contract) -> Iterator[Consumer]:
    for one in contract.spec.consumers:
        unknown = tuple(path for path in one.fields if not follow(contract.value.schema, path).places)
        yield Consumer(one.name, one.owner, tuple(one.fields), unknown)


def _tables(contract: Contract) -> Iterator[TablePage]:
    try:
        needed = {(one.kind, one.table): one for one in migrations.create([replace(contract, views=())])}
    except ConfigurationError as error:
        for sink in contract.sinks:
            yield TablePage(
                STORES[sink.kind].title, sink.qualified, sink.key, _mode(sink.appends), (), (), str(error)
            )
        return
    sinks = {(one.kind, one.qualified): one for one in contract.sinks}
    for (kind, name), one in needed.items():
        own = sinks.get((kind, name))
        what = _mode(own.appends) if own else "the keys of deleted rows"
        yield TablePage(
            STORES[kind].title,
            name,
            own.key if own else (),
            what,
            _ddl(one.migration.statements),
            tuple(told(note) for note in one.migration.notes if note.kind is not layout.NoteKind.new_table),
        )


def _mode(appends: bool) -> str:
    return "a row for each event" if appends else "the newest event of each key"


def _ddl(statements: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{one};" for one in statements)


def _stored(contract: Contract, views: Iterable[ViewPage]) -> dict[str, tuple[str, ...]]:
    """Path -> the columns that it fills, of the tables and of the views."""
    found: dict[str, list[str]] = {}
    for sink in contract.sinks:
        table = layout.wanted(contract, sink)
        for column in table.columns if isinstance(table, Table) else ():
            for path in follow(contract.value.schema, column.path).places:
                words = f"{STORES[sink.kind].title} {column.name} {column.type}"
                found.setdefault(path, []).append(words)
    for view in views:
        for one in view.columns:
            for path in one.paths:
                found.setdefault(path, []).append(f"view {view.name}.{one.name}")
    return {path: tuple(dict.fromkeys(words)) for path, words in found.items()}


def _view_column(contract: Contract, one: Output) -> ViewColumn:
    position = tuple(path for path in one.paths if path in POSITION and path not in contract.value.record.by_name)
    paths = tuple(path for path in one.paths if path not in position)
    return ViewColumn(one.name, one.spark, one.nullable, one.sql, paths, position)


def _view(contract: Contract, view: View) -> ViewPage:
    from avro_data_contracts.contracts.tables import views  # loads sqlglot
    from avro_data_contracts.contracts.views.derived import derive

    derived = derive(contract, view)
    problems = tuple(
        f"{f'{one.file}, ' if one.file else ''}line {one.line}: {one.what} (fix: {one.fix})"
        for one in derived.problems
    )
    made: list[TablePage] = []
    try:
        of_view = [one for one in views.create(replace(contract, views=(view,)))] if not problems else []
    except ConfigurationError as error:
        of_view, problems = [], (str(error),)
    for one in of_view:
        statements = _ddl(one.migration.statements)
        sink = one.sink
        made.append(TablePage(STORES[sink.kind].title, sink.qualified, sink.key, _mode(sink.appends), statements))
    analysis = derived.analysis
    columns = tuple(_view_column(contract, one) for one in analysis.outputs)
    return ViewPage(
        view.name, view.spec.description, view.sql.strip("\n"), analysis.where, analysis.filtered, columns,
        tuple(made), problems,
    )  # fmt: skip
