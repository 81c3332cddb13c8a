"""What servers that run our own code inherit: every setting of the project."""

from __future__ import annotations

import pytest

from avro_data_contracts.contracts.settings import Settings
from avro_data_contracts.stack.servers import handed_on


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_handed_on(name: str) -> None:
    assert handed_on.of({name.upper(): "told", "HOME": "/root"}) == {name.upper(): "told"}
