"""What ends the reading of a file early."""

from __future__ import annotations

from avro_data_contracts.contracts.errors import FindingsError, ServiceError

_RESUME = "then run again with --resume: it goes on where this run stopped"


class Broken(FindingsError):
    """From this place on, nobody can tell where a record begins: a row in CSV whose quotes do not close."""

    def __init__(self, what: str, *, where: str) -> None:
        super().__init__(what, where=where, fix=f"correct the file from here on, {_RESUME}")


class Unreadable(ServiceError):
    """The file cannot be read to its end: it is cut off, was changed meanwhile, or its disk failed."""

    def __init__(self, what: str, *, where: str, fix: str = "get the whole file") -> None:
        super().__init__(what, where=where, fix=f"{fix}, {_RESUME}", server="source")
