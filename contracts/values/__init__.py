"""Values as people write them, to values of Avro: exactly, or not at all.

The producer uses them for JSON and CSV (docs/reference/conversions.md), and views for their reference data.
"""
