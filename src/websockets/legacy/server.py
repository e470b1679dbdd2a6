"""Import addresses of old: :mod:`websockets.classic.server` has these names."""

from __future__ import annotations

from ..classic.server import (
    HTTPResponse,
    WebSocketServer,
    WebSocketServerProtocol,
    broadcast,
    serve,
    unix_serve,
)

__all__ = [
    "HTTPResponse",
    "WebSocketServer",
    "WebSocketServerProtocol",
    "broadcast",
    "serve",
    "unix_serve",
]
