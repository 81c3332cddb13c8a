"""Named types that several schemas use: each is in an .avsc or .avpr that no contract names, or in the schema of a
contract, if others use it, and is found by its full name.

A file defines one type, or an array of them, as Avro's own compilers read it.  A type inside another one is found
too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from avro_data_contracts.contracts.avro import outline, parsing
from avro_data_contracts.contracts.avro.jsonpos import Pointer
from avro_data_contracts.contracts.avro.nodes import NamedType, Reference, Schema
from avro_data_contracts.contracts.avro.outline import Outline
from avro_data_contracts.contracts.avro.redefinition import same
from avro_data_contracts.contracts.catalog.contract import Role, Subject, types_of
from avro_data_contracts.contracts.catalog.places import owner_of
from avro_data_contracts.contracts.errors import ConfigurationError, InvalidSchema, Redefined, UnknownType


@dataclass(frozen=True, eq=False)
class _Type:
    """A shared type: a whole file, or an item of the array in it."""

    path: str
    names: Outline


class SharedTypes:
    """The named types that the schemas of one state of the files may use.

    Args:
        files: path -> text of the schemas that are not the key or the value of a contract, or are lent.
        root: the folder of the paths, for messages.
        stored: whether the registry has accepted the schemas before (see `parsing.parse_stored`).
    """

    def __init__(
        self,
        files: Mapping[str, str],
        root: str = "",
        *,
        stored: bool = False,
    ) -> None:
        self._files = files
        self._root = root
        self._is_stored = stored
        self._types: list[_Type] = []
        self._broken: list[str] = []
        for path, text in files.items():
            found = outline.parts(text)
            if found is None:
                self._broken.append(path)
            self._types += [_Type(path, names) for names in found or ()]
        self._by_name: dict[str, _Type] = {}
        self._around: dict[str, list[_Type]] = {}  # a type that is inside another one -> those around it
        for one in self._types:
            if one.names.name:
                self._by_name.setdefault(one.names.name, one)
            for name in one.names.defined - {one.names.name}:
                self._around.setdefault(name, []).append(one)
        self._subjects: dict[_Type, Subject | InvalidSchema] = {}
        self._open: list[_Type] = []
        self._stored: dict[_Type, Mapping[str, NamedType]] = {}

    # -- the files of today: every fault is an error -----------------------------------------------------------------

    def subject(self, name: str, role: Role, where: str, text: str) -> Subject:
        """The subject of an .avsc, with its references resolved.

        Raises:
            InvalidSchema: the text, or a type that it uses, is not a valid schema; or types refer to each other in a
                circle.
        """
        return self._subject(name, role, where, text, outline.outline(text))

    def faults(self) -> Iterator[ConfigurationError]:
        """What is wrong with the shared types themselves, whether or not a contract uses them."""
        for path in self._broken:
            try:
                parsing.parse(self._files[path], where=self._shown(path))
            except InvalidSchema as error:
                yield error
        for one in self._types:
            first = self._by_name.get(one.names.name, one)
            if first is not one and self._repeats(one, first):
                continue
            if first is not one:
                line, column = outline.position(self._files[one.path], one.names.part, ((), "name"))
                yield ConfigurationError(
                    f"{one.names.name} is already defined in {self._shown(first.path)}",
                    file=self._shown(one.path),
                    line=line,
                    column=column,
                    fix="define a shared type once: delete or rename one of the two; or, if each is a topic's value, "
                    "give each a contract (contracts init)",
                )
            else:
                try:
                    self._subject_of(one)
                except InvalidSchema as error:
                    yield error

    def _repeats(self, one: _Type, first: _Type) -> bool:
        """Whether the two are equal, as where a service has a copy, or a protocol what it imports."""
        if one.path == first.path:
            return False
        try:
            both = [self._subject_of(first), self._subject_of(one)]
        except InvalidSchema:
            return False
        nodes = [each.schema.named[one.names.name] for each in both]
        named = {**both[1].schema.named, **both[0].schema.named}
        return not _Clash(nodes[0], nodes[1], named, both).is_real

    def unused(self, subjects: Iterable[Subject]) -> dict[str, tuple[str, ...]]:
        """The files, as shown, from which these subjects use nothing, and the types that they define."""
        subjects = list(subjects)
        used = {subject.file for subject in (*subjects, *types_of(subjects))}
        found: dict[str, tuple[str, ...]] = {}
        broken = {
            *self._broken,
            *(one.path for one, each in self._subjects.items() if isinstance(each, InvalidSchema)),
        }
        names: dict[str, list[str]] = {path: [] for path in self._files if path not in broken}
        for one in self._types:
            if one.path in names and one.names.name:
                names[one.path].append(one.names.name)
        for path, defined in names.items():
            if (shown := self._shown(path)) not in used:
                found[shown] = tuple(defined)
        return found

    def _subject(self, name: str, role: Role, where: str, text: str, names: Outline | None) -> Subject:
        needed = [self._subject_of(one) for one in self._needed(names, where, text)] if names else []
        direct = {one.name for one in needed}
        everything = [*needed, *(one for one in types_of(needed) if one.name not in direct)]
        named = self._merged(everything)
        if isinstance(named, _Clash):
            assert names is not None
            raise named.error(where, text, names, self._use_of(named.second, names))
        parse = parsing.parse_stored if self._is_stored else parsing.parse
        try:
            schema = parse(text, where=where, named=named, part=names.part if names else None)
        except Redefined as error:
            if error.name in named and (other := _place(named[error.name], everything)):
                raise error.but(what=f"{error.what}; the other definition is in {other}") from None
            raise
        except UnknownType as error:
            raise error.but(fix=self._fix_of_unknown(error)) from None
        owners = {}
        for used in schema.references:
            owner = next(one for one in everything if used in one.schema.own)
            owners[owner.name] = owner
        return Subject(name, role, where, text, schema, tuple(owners.values()))

    def _fix_of_unknown(self, error: UnknownType) -> str:
        short = error.name.rpartition(".")[2]
        for name in (*self._by_name, *self._around):
            if name.rpartition(".")[2] == short:
                return f"write {name!r}, or define {error.name!r}"
        return error.fix

    def _subject_of(self, one: _Type) -> Subject:
        if one in self._open:
            circle = [each.names.name for each in [*self._open[self._open.index(one) :], one]]
            raise InvalidSchema(
                f"the references form a circle: {' -> '.join(circle)}",
                file=self._shown(one.path),
                line=1,
                fix="define the types of the circle inside one of them",
            )
        if one not in self._subjects:
            self._open.append(one)
            where = self._shown(one.path)
            try:
                self._subjects[one] = self._subject(one.names.name, "type", where, self._files[one.path], one.names)
            except InvalidSchema as error:
                self._subjects[one] = error
            finally:
                self._open.pop()
        found = self._subjects[one]
        if isinstance(found, InvalidSchema):
            raise found
        return found

    def _merged(self, subjects: Sequence[Subject]) -> dict[str, NamedType] | _Clash:
        """The types of the subjects, by name; two definitions of one name have to be equal, as for the registry."""
        named: dict[str, NamedType] = {}
        for one in subjects:
            for name in one.schema.own:
                node = one.schema.named[name]
                known = named.setdefault(name, node)
                if known is not node and not self._is_stored:
                    clash = _Clash(known, node, {**one.schema.named, **named}, subjects)
                    if clash.is_real:
                        return clash
        return named

    def _use_of(self, node: NamedType, names: Outline) -> Pointer:
        """The place of the name through which a schema uses a definition of a shared type."""
        for both, at in names.used.items():
            for name in both:
                one = self._by_name.get(name)
                if one is not None and owner_of(self._subject_of(one), node) is not None:
                    return at
        return ()

    # -- the files of history: a type with a fault counts as missing -------------------------------------------------

    def texts(self, text: str) -> list[str]:
        """The texts of the types that `text` uses, and of those that these use."""
        found: dict[_Type, None] = {}
        waiting = [outline.outline(text)]
        while waiting:
            names = waiting.pop()
            for one in self._needed(names) if names else ():
                if one not in found:
                    found[one] = None
                    waiting.append(one.names)
        return list(dict.fromkeys(self._files[one.path] for one in found))

    def named(self, text: str) -> dict[str, NamedType]:
        """The types that `text` may use, for `parsing.parse_stored`."""
        names = outline.outline(text)
        return self._named(names, ()) if names else {}

    def _named(self, names: Outline, open_: tuple[_Type, ...]) -> dict[str, NamedType]:
        found: dict[str, NamedType] = {}
        for one in self._needed(names):
            if one in open_:
                continue
            if one not in self._stored:
                text, part = self._files[one.path], one.names.part
                try:
                    known = self._named(one.names, (*open_, one))
                    self._stored[one] = dict(parsing.parse_stored(text, named=known, part=part).named)
                except InvalidSchema:
                    self._stored[one] = {}
            found.update(self._stored[one])
        return found

    # -- both --------------------------------------------------------------------------------------------------------

    def _needed(self, names: Outline, where: str = "", text: str = "") -> list[_Type]:
        """The shared types that a schema uses.

        Args:
            where, text: the file of the schema, for the error; empty: no error.

        Raises:
            Redefined: two shared types have the wanted type inside them, and not the same.
        """
        found: dict[_Type, None] = {}
        inside: dict[str, Pointer] = {}
        for both, at in names.used.items():
            for name in dict.fromkeys(both):
                if name in self._by_name:
                    found[self._by_name[name]] = None
                    break
                if name in names.defined:
                    break
                if name in self._around:
                    inside.setdefault(name, at)
                    break
        own = self._by_name.get(names.name)
        if own is not None and own.names is names:
            found.pop(own, None)
        if inside:
            self._add_around(inside, found, names, where, text)
        return list(found)

    def _add_around(
        self, inside: Mapping[str, Pointer], found: dict[_Type, None], names: Outline, where: str, text: str
    ) -> None:
        """Add, for types that are inside others, one of those around; none, where `found` already leads to one."""
        there = self._all_below(found)
        for name, at in inside.items():
            around = [one for one in self._around[name] if one.names is not names]
            if around and not any(one in there for one in around):
                if where and not self._is_stored:
                    first, *others = [self._subject_of(one) for one in around]
                    for one in others:
                        nodes = first.schema.named[name], one.schema.named[name]
                        clash = _Clash(*nodes, {**one.schema.named, **first.schema.named}, (first, one))
                        if clash.is_real:
                            raise clash.error(where, text, names, at)
                found[around[0]] = None
                there |= self._all_below([around[0]])

    def _all_below(self, some: Iterable[_Type]) -> set[_Type]:
        """These types, and those that they use by the names of whole types."""
        there: set[_Type] = set()
        waiting = list(some)
        while waiting:
            one = waiting.pop()
            if one not in there:
                there.add(one)
                used = (self._by_name.get(name) for both in one.names.used for name in both)
                waiting += [each for each in used if each is not None]
        return there

    def _shown(self, path: str) -> str:
        return PurePosixPath(self._root, path).as_posix()


@dataclass(frozen=True)
class _Clash:
    """Two definitions of one name, of which the registry reads `first` first.

    Args:
        named: the types that the two refer to.
        subjects: those that have the definitions.
    """

    first: NamedType
    second: NamedType
    named: Mapping[str, NamedType]
    subjects: Sequence[Subject]

    @property
    def is_real(self) -> bool:
        """Whether the registry refuses the second definition."""

        def is_open(reference: Reference) -> bool:
            return reference.forward and reference.document is self.second.document

        return not same(self.first, self.second, self.named, is_open)

    def error(self, where: str, text: str, names: Outline, at: Pointer) -> Redefined:
        """The error of the schema that uses both."""
        line, column = outline.position(text, names.part, at)
        places = " and ".join(_place(node, self.subjects) for node in (self.first, self.second))
        fix = f"define it once, in an .avsc of its own, and use it by its name in {places}"
        error = Redefined(self.first.fullname, file=where, line=line, column=column, fix=fix)
        if same(self.first, self.second, self.named, lambda reference: False):
            what = "is defined twice, which is refused even for equal types if they contain themselves"
            return error.but(what=f"{self.first.fullname} {what}")
        return error


def _place(node: NamedType, subjects: Sequence[Subject]) -> str:
    """`file:line` of a definition in one of the subjects; empty if it is in none."""
    for one in subjects:
        if one.schema.document is node.document:
            return f"{one.file}:{node.line}"
    return ""


def lent_by(files: Mapping[str, str], own: Collection[str]) -> set[str]:
    """The contracts' schemas whose types other schemas use, and no shared type has.

    Args:
        files: path -> text of all schemas.
        own: the paths of those that contracts name.
    """
    defined: dict[str, frozenset[str]] = {}
    users: dict[str, set[str]] = {}
    for path, text in files.items():
        parts = outline.parts(text) or ()
        defined[path] = frozenset(name for one in parts for name in one.defined)
        for name in {name for one in parts for both in one.used for name in both}:
            users.setdefault(name, set()).add(path)
    shared = {name for path, names in defined.items() if path not in own for name in names}

    def is_lent(path: str, name: str) -> bool:
        return name not in shared and any(name not in defined[user] for user in users.get(name, ()) if user != path)

    return {path for path in own if any(is_lent(path, name) for name in defined.get(path, ()))}


def schema_of(text: str, where: str, files: Mapping[str, str]) -> Schema:
    """The schema of a text for `diff`, with its references found among `files`.

    Raises:
        InvalidSchema: the text is not a schema, even by the rules for stored schemas.
    """
    return parsing.parse_stored(text, where=where, named=SharedTypes(files).named(text))
