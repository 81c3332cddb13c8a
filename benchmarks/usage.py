"""What a process and its children use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """Of a process and all its descendants: CPU seconds since they began, resident MiB, and threads."""

    cpu_s: float
    mib: float
    threads: int

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Look now; processes that have ended are not counted."""
        rows: dict[int, tuple[int, float, float, int]] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                pages = int((folder / "statm").read_text().split()[1])
            except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                continue
            cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS
            rows[int(folder.name)] = (int(fields[1]), cpu_s, pages * _PAGE / 2**20, int(fields[17]))
        family = {pid} & rows.keys()
        while more := {one for one, row in rows.items() if row[0] in family} - family:
            family |= more
        found = [rows[one] for one in family]
        return cls(sum(row[1] for row in found), sum(row[2] for row in found), sum(row[3] for row in found))
