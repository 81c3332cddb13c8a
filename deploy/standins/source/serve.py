"""Serve the source API to other containers; by itself it answers only programs on its own machine."""

from __future__ import annotations

from avro_data_contracts.stack.source import server
from avro_data_contracts.stack.source.faults import FaultQueue

server._foreign = lambda _: ""  # type: ignore[assignment]
server.SourceServer("0.0.0.0", 8000, recording=None, faults=FaultQueue(), seed=None).serve_forever()
