"""Import addresses of old: :mod:`websockets.classic.exceptions` has these names."""

from __future__ import annotations

from ..classic.exceptions import (
    AbortHandshake,
    InvalidMessage,
    InvalidStatusCode,
    RedirectHandshake,
)

__all__ = [
    "AbortHandshake",
    "InvalidMessage",
    "InvalidStatusCode",
    "RedirectHandshake",
]
