"""The place of `check` up to version 0.1, kept for one release.  Use `contracts.compat.levels`."""

import warnings

from avro_data_contracts.contracts.compat.levels import check

__all__ = ["check"]

warnings.warn("contracts.compatibility is now contracts.compat.levels", DeprecationWarning, stacklevel=2)
