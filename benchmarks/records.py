"""Records of users_created, made from its contract, the same in every run."""

from __future__ import annotations

import random
import uuid
from functools import cache
from itertools import cycle, islice
from typing import Any, Final

from avro_data_contracts.contracts import sample
from avro_data_contracts.contracts.catalog import loading
from benchmarks import servers

#: Samples that are repeated, with ids of their own: making one takes longer than sending one.
_DIFFERENT: Final = 2_000


def users(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return `count` records with distinct ids, ready for the producer."""
    rng = random.Random(seed)
    return [
        {**one, "id": str(uuid.UUID(int=rng.getrandbits(128), version=4))} for one in islice(cycle(_samples()), count)
    ]


@cache
def _samples() -> list[dict[str, Any]]:
    contract = loading.load_one(servers.CLONE / "schemas", "users_created")
    return list(islice(sample.records(contract), _DIFFERENT))
