"""Import addresses of old: :mod:`websockets.classic.client` has these names."""

from __future__ import annotations

from ..classic.client import (
    WebSocketClientProtocol,
    connect,
    unix_connect,
)

__all__ = [
    "WebSocketClientProtocol",
    "connect",
    "unix_connect",
]
