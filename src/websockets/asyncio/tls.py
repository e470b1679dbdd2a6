"""Floor 4, engine: the TLS contexts of clients that bring none."""

from __future__ import annotations

import functools
import ssl

__all__ = ["default_tls_context"]


@functools.cache
def default_tls_context() -> ssl.SSLContext:
    """Return the TLS context of clients that bring none: one for the process."""
    return ssl.create_default_context()
