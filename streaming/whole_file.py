"""Writes a file beside checkpoints so that whoever reads it finds all of it, or what was there before."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def write(file: Path, text: str) -> None:
    """Replace a file, whose folder exists."""
    draft = file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)
