"""Where `check` was up to 0.1; it stays for one release.  Use `contracts.compat.levels`."""

import warnings

from contracts.compat.levels import check

__all__ = ["check"]

warnings.warn("contracts.compatibility is now contracts.compat.levels", DeprecationWarning, stacklevel=2)
