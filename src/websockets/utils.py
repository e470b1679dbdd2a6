"""Floor 1, bytes: the small computations of RFC 6455.

Keys of the opening handshake, masking keys, masking in plain Python, how a socket's
address is shown, names of connections, and limits that the environment may set.
"""

from __future__ import annotations

import base64
import binascii
import functools
import logging
import os
from typing import TYPE_CHECKING, Any

from .speedups import apply_mask

if TYPE_CHECKING:
    import uuid

__all__ = [
    "accept_key",
    "apply_mask",
    "env_limit",
    "generate_key",
    "generate_mask",
    "get_logger",
    "get_socket_name",
    "make_id",
]

# RFC 6455, 1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def generate_key() -> str:
    """Return a fresh value for Sec-WebSocket-Key: 16 random bytes in base64."""
    # RFC 6455, 4.1: the nonce must be selected randomly for each connection.
    return base64.b64encode(os.urandom(16)).decode()


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key.

    Args:
        key: the value of the request's Sec-WebSocket-Key header.

    """
    # With it comes OpenSSL's part of it, which takes a while to import.
    import hashlib

    # RFC 6455, 4.2.2, 5.4. No secret depends on SHA-1 here, so that systems that
    # forbid it for security purposes allow it.
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False).decode()


@functools.cache
def get_logger(name: str) -> logging.Logger:
    """Return what :func:`logging.getLogger` does, which is always the same one."""
    return logging.getLogger(name)


def make_id() -> uuid.UUID:
    """Return a fresh identifier for a connection."""
    # It takes a while to import, and most connections are never asked for theirs.
    from uuid import uuid4

    return uuid4()


# Masking keys not used yet, and how many are fetched at once: asking the operating
# system for each would cost more than everything else about a small frame.
_masks: list[bytes] = []
_MASKS_AT_ONCE = 256

# A forked process must not use its parent's keys again.
if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows can't fork
    os.register_at_fork(after_in_child=_masks.clear)


def generate_mask() -> bytes:
    """Return a fresh masking key: four bytes from the operating system's generator.

    Threads may call this at the same time; no two get the same key.
    """
    # RFC 6455, 5.3: keys must be unpredictable and come from strong entropy.
    try:
        return _masks.pop()
    except IndexError:
        block = os.urandom(4 * _MASKS_AT_ONCE)
        _masks.extend(block[i : i + 4] for i in range(4, len(block), 4))
        return block[:4]


def get_socket_name(sock: Any) -> str:
    """Return the local address of a socket, for logs.

    Args:
        sock: a socket, or anything with its ``getsockname`` method.

    Returns:
        ``"host:port"``, with brackets around an IPv6 address, or the path of a
        Unix socket.

    """
    name = sock.getsockname()
    if isinstance(name, tuple):
        host, port = name[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    if isinstance(name, bytes):
        # Linux's abstract addresses begin with a null byte, often shown as "@".
        return "@" + name[1:].decode(errors="backslashreplace")
    return str(name)


def env_limit(name: str, default: int) -> int:
    """Return a limit that the environment may set.

    Args:
        name: the variable's name without its ``WEBSOCKETS_``.
        default: the limit when the variable isn't set.

    Raises:
        ValueError: the variable isn't a whole number of at least zero.

    """
    text = os.environ.get(f"WEBSOCKETS_{name}")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise ValueError(
            f"environment variable WEBSOCKETS_{name} must be a whole number; "
            f"got {text!r}"
        )
    return int(text)
