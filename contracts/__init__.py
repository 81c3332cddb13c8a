"""Avro data contracts."""

__version__ = "0.2.0"
