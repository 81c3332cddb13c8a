"""The names of the known stores, without loading them."""

from __future__ import annotations

import pkgutil
from typing import Final

from avro_data_contracts.contracts import stores

#: The rooms in this folder, one for each store.
ROOMS: Final = tuple(sorted(one.name for one in pkgutil.iter_modules(stores.__path__) if one.ispkg))
