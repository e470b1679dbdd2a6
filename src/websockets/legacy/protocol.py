"""Import addresses of old: :mod:`websockets.classic.protocol` has these names."""

from __future__ import annotations

from ..classic.protocol import (
    WebSocketCommonProtocol,
    broadcast,
)

__all__ = [
    "WebSocketCommonProtocol",
    "broadcast",
]
