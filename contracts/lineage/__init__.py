"""Lineage for catalogues that read OpenLineage: which columns come from which fields, and which runs wrote them."""
