"""Import addresses of old: :mod:`websockets.classic.handshake` has these names."""

from __future__ import annotations

from ..classic.handshake import (
    build_request,
    build_response,
    check_request,
    check_response,
)

__all__ = [
    "build_request",
    "build_response",
    "check_request",
    "check_response",
]
