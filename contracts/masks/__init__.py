"""Masks for personal data: what a store has in place of a field's value (docs/how-to/personal-data.md)."""
