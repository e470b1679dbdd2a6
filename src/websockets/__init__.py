"""WebSocket clients and servers (RFC 6455) for Python."""

from __future__ import annotations

from .version import version as __version__

__all__ = ["__version__"]
