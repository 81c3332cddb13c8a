"""JMESPath expressions of a contract.yaml: checked when the contract is read, and evaluated without losing a digit.

The numbers of the documents are `int` and `Decimal`, so a price keeps the digits that its server wrote.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator

from avro_data_contracts.contracts.sources.documents import ABSENT, written

_F = TypeVar("_F", bound=Callable[..., Any])

#: Sums are exact: no number of a document has so many digits.
_EXACT: Final = Context(prec=10_000)


class NotApplicable(ValueError):
    """An expression that cannot be evaluated on a document.  The text names functions and types, and no value."""


class Expression:
    """A JMESPath expression.

    Args:
        text: as written.

    Raises:
        ValueError: it is not JMESPath, or calls a function that there is not.
    """

    def __init__(self, text: str) -> None:
        import jmespath  # only a contract with such a source needs it
        from jmespath.exceptions import EmptyExpressionError, JMESPathError, LexerError, ParseError

        try:
            self._compiled = jmespath.compile(text)
        except EmptyExpressionError:
            raise ValueError("is empty; write a JMESPath expression") from None
        except (LexerError, ParseError) as error:
            place = getattr(error, "lex_position", None)
            at = f" at character {place + 1}" if isinstance(place, int) else ""
            raise ValueError(f"{text!r} is not JMESPath: it stops making sense{at}") from None
        except (JMESPathError, RecursionError, ValueError) as error:
            raise ValueError(f"{text!r} is not JMESPath ({type(error).__name__})") from None
        self.text = text
        self._path = _keys(self._compiled.parsed)
        _check_functions(self._compiled.parsed)
        _make_exact(self._compiled.parsed)
        self._options = jmespath.Options(custom_functions=_functions()())

    @property
    def is_path(self) -> bool:
        """Whether it only names keys, such as `data.items`."""
        return self._path is not None

    def __call__(self, document: Any) -> Any:
        """Return what the expression gives on a document; ABSENT if it is a path to a key that is not there.

        Any other expression gives null for what is not there, as JMESPath has it.

        Raises:
            NotApplicable: a function does not take what it is given.
        """
        from jmespath.exceptions import JMESPathError

        if self._path is not None:
            return _at(document, self._path)
        try:
            with localcontext(_EXACT):
                return self._compiled.search(document, self._options)
        except JMESPathError as error:
            name = getattr(error, "function_name", "")
            told = f": {name}() takes no {getattr(error, 'actual_type', '')}" if name else ""
            raise NotApplicable(f"`{self.text}` cannot be evaluated{told}") from None
        except (ArithmeticError, TypeError, ValueError, RecursionError) as error:
            raise NotApplicable(f"`{self.text}` cannot be evaluated ({type(error).__name__})") from None


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(document, dict):
            return ABSENT
        document = document.get(key, ABSENT)
        if document is ABSENT:
            return ABSENT
    return document


def _keys(node: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The keys of a path such as `a.b."c d"`, outermost first; None for any other expression."""
    if node["type"] == "current":
        return ()
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] != "subexpression":
        return None
    parts = [_keys(child) for child in node["children"]]
    return None if None in parts else tuple(key for part in parts for key in part or ())


def _check_functions(node: Any) -> None:
    """Raise ValueError for a function that there is not, or that takes another number of arguments."""
    if not isinstance(node, dict):
        return
    if node.get("type") == "function_expression":
        known = _functions().FUNCTION_TABLE
        name, given = node["value"], len(node["children"])
        if name not in known:
            raise ValueError(f"{name}() is not a function of JMESPath; there are {', '.join(sorted(known))}")
        takes = known[name]["signature"]
        more = bool(takes) and takes[-1].get("variadic", False)
        if given < len(takes) or (given > len(takes) and not more):
            raise ValueError(f"{name}() takes {len(takes)} arguments{' or more' if more else ''}, not {given}")
    for child in node.get("children", ()):
        _check_functions(child)


def _make_exact(node: Any) -> None:
    """Give a number with a fraction that the expression contains its digits."""
    if isinstance(node, dict):
        if node.get("type") == "literal":
            node["value"] = json.loads(written(node["value"]), parse_float=Decimal)
        for child in node.get("children", ()):
            _make_exact(child)


@lru_cache(maxsize=1)
def _functions() -> Any:
    """JMESPath's functions, for documents whose numbers with a fraction are `Decimal`."""
    from jmespath import functions

    number = ("Decimal", *functions.REVERSE_TYPES_MAP["number"])

    def takes(*types: str) -> Callable[[_F], _F]:
        """The signature of a function with one argument; no types: any."""
        made: Callable[[_F], _F] = functions.signature({"types": list(types)})
        return made

    class Functions(functions.Functions):  # type: ignore[misc]
        def _get_allowed_pytypes(self, types: Any) -> Any:
            allowed, inner = super()._get_allowed_pytypes(types)
            return (
                [*allowed, "Decimal"] if "int" in allowed else allowed,
                [number if "int" in one else one for one in inner],
            )

        def _convert_to_jmespath_type(self, pyobject: Any) -> Any:
            return "number" if pyobject == "Decimal" else super()._convert_to_jmespath_type(pyobject)

        @takes()
        def _func_to_string(self, arg: Any) -> str:
            return arg if isinstance(arg, str) else written(arg)

        @takes()
        def _func_to_number(self, arg: Any) -> Any:
            if isinstance(arg, (int, Decimal)) and not isinstance(arg, bool):
                return arg
            return _number(arg) if isinstance(arg, str) else None

        @takes("array-number")
        def _func_avg(self, arg: Any) -> Any:
            return sum(map(Decimal, arg)) / len(arg) if arg else None

        @takes()
        def _func_type(self, arg: Any) -> Any:
            return "number" if isinstance(arg, Decimal) else super()._func_type(arg)

    return Functions


def _number(text: str) -> Any:
    try:
        found = json.loads(text, parse_float=Decimal)
    except ValueError:
        return None
    return found if isinstance(found, (int, Decimal)) and not isinstance(found, bool) else None


def _valid(text: str) -> str:
    compiled(text)
    return text


@lru_cache(maxsize=2_000)
def compiled(text: str) -> Expression:
    """Compile an expression.  Raises ValueError."""
    return Expression(text)


#: A JMESPath expression, as text; `compiled` evaluates it.
ExpressionText = Annotated[str, AfterValidator(_valid)]
