"""Import address of old: :mod:`websockets.protocol` has these names."""

from __future__ import annotations

from .protocol import SEND_EOF, Protocol, Side, State

__all__ = ["SEND_EOF", "Connection", "Side", "State"]

Connection = Protocol
