"""The files of `static/`, from memory."""

from __future__ import annotations

from functools import cache
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from avro_data_contracts.console.rendering import STATIC

_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def file(request: Request) -> Response:
    """A file; its address changes with its content, so a browser keeps it."""
    found = _all().get(request.path_params["name"])
    if found is None:
        return Response("there is no such file\n", 404, media_type="text/plain")
    content, kind = found
    return Response(content, headers={"Cache-Control": "public, max-age=31536000, immutable"}, media_type=kind)


@cache
def _all() -> dict[str, tuple[bytes, str]]:
    return {path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in STATIC.iterdir() if path.suffix in _TYPES}
