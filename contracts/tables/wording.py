"""A note on a migration, told to the one who reads the table."""

from __future__ import annotations

from avro_data_contracts.contracts.tables.layout import Note, NoteKind


def told(note: Note) -> str:
    """`note` in one line."""
    columns = ", ".join(note.columns)
    several = len(note.columns) > 1
    match note.kind:
        case NoteKind.new_table:
            return f"{note.table} is new, and empty until the topic is read again"
        case NoteKind.written_again:
            return f"{columns} still has the values that {note.label} wrote, and is written again"
        case NoteKind.rewritten:
            return f"the new type of {columns} makes the server rewrite the whole table, which is locked meanwhile"
        case NoteKind.null_in_old_rows:
            return f"existing rows have null in {columns}"
        case NoteKind.other_source:
            return f"{columns} has had the values of {note.label}, and gets those of {note.words} from now on"
        case NoteKind.mask_changed:
            return _of_mask(columns, note.label, note.words)
        case NoteKind.no_longer_written:
            return f"{columns} {'stay' if several else 'stays'} in the table, but nothing writes to {_it(several)}"
        case NoteKind.abandoned:
            return f"{note.table} stays, but nothing writes to it: move its readers, then drop it"
        case NoteKind.of_store:
            return note.words


def _of_mask(column: str, before: str, now: str) -> str:
    rewrite = "`python -m streaming rewrite` for the contract writes all rows again"
    if not now:
        return f"{column} is no longer masked ({before}): only new rows have true values; {rewrite}"
    was = f"masked otherwise ({before})" if before else "true values"
    return f"{column} is masked from now on ({now}), and existing rows keep what they have ({was}); {rewrite}"


def _it(several: bool) -> str:
    return "them" if several else "it"
