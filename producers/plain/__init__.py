"""Plain JSON and CSV, as people have them, to records of a contract.

docs/reference/conversions.md has the table of conversions, and a test reads it row by row.
"""
