"""Import address of old: :mod:`websockets.classic.auth` has these names."""

from __future__ import annotations

from .classic.auth import BasicAuthWebSocketServerProtocol, basic_auth_protocol_factory

__all__ = ["BasicAuthWebSocketServerProtocol", "basic_auth_protocol_factory"]
