"""Floor 4, engine: who gets in to a server.

:class:`Admission` enforces the caps of a server's :class:`~websockets.Limits`, and
counts who is rejected and why. How that protects a server:

1. A connection is *half-open* until its request has come in full. Well-behaved clients
   send it at once, so half-open connections are nearly all of them slow, dead, or
   hostile. When there are too many, or too many bytes of incomplete requests, it isn't
   the newcomer who is turned away but the one that has taken longest: whoever holds
   half-open connections can't keep others out.
2. When the request has come, the caps on connections apply. A refusal costs neither a
   task nor a hook of the application, and is an answer that HTTP clients understand.
3. Whoever was refused is expected to leave. Who doesn't is cut after
   :data:`LINGER` seconds, or as soon as too many stay.
"""

from __future__ import annotations

import collections
import http
import socket
from typing import TYPE_CHECKING, Any, Protocol

from ..exceptions import (
    InvalidHandshake,
    InvalidHeader,
    InvalidHost,
    InvalidOrigin,
    InvalidUpgrade,
    NegotiationError,
    SecurityError,
)
from ..session.limits import DEFAULT_LIMITS, Limits
from ..typing import StatusLike

if TYPE_CHECKING:
    from .serving import ServerSide

__all__ = ["LINGER", "Admission", "address_of", "reason_of"]

#: Seconds that a peer has to leave after it was refused.
LINGER = 5

#: How many refused peers may stay for that long if ``handshakes`` doesn't say.
_LEAVING = 1000

#: What IPv6 addresses begin with that stand for IPv4 ones (RFC 4291, 2.5.5.2).
_MAPPED = bytes(10) + b"\xff\xff"

_BUSY = "Server is busy; try again later.\n"
_TOO_MANY = "Too many connections from this address.\n"
_TOO_SLOW = "Server is busy and this request took too long; try again later.\n"

#: How each cap's excess is answered.
_ANSWERS = {
    "connections": (http.HTTPStatus.SERVICE_UNAVAILABLE, _BUSY),
    "address": (http.HTTPStatus.TOO_MANY_REQUESTS, _TOO_MANY),
    "handshakes": (http.HTTPStatus.SERVICE_UNAVAILABLE, _TOO_SLOW),
    "handshake_bytes": (http.HTTPStatus.SERVICE_UNAVAILABLE, _TOO_SLOW),
}

#: The first kind of error that fits gives the reason.
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (InvalidHost, "host"),
    (InvalidOrigin, "origin"),
    (InvalidUpgrade, "upgrade"),
    (NegotiationError, "negotiation"),
    (SecurityError, "too_large"),
    (EOFError, "lost"),
    (InvalidHandshake, "malformed"),
    (ValueError, "malformed"),
)


class HalfOpen(Protocol):
    """
    A connection whose request hasn't come, or that was refused.

    Attributes:
        transport: its transport.

    """

    transport: Any

    def count_rejection(self, reason: str) -> None:
        """Take note of why the handshake fails; the first time counts."""

    def turn_away(
        self, status: StatusLike, text: str, retry_after: float | None
    ) -> None:
        """Refuse the connection."""


class Admission:
    """
    A server's caps, and what they're compared with.

    Args:
        limits: the caps.

    Attributes:
        limits: the caps; those of half-open connections may be changed at any time.
        rejected: how many handshakes failed for which reason; see
            :func:`reason_of`. Others are "connections", "address", "handshakes" and
            "handshake_bytes" for the caps, "hook" for what ``process_request``
            answered, "error" for exceptions of hooks, "tls" for TLS handshakes that
            failed, "timeout", "shutting_down", and "lost" for those that left by
            themselves.

    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.rejected: collections.Counter[str] = collections.Counter()
        # Half-open connections, oldest first; those of them that have sent something,
        # with how many bytes; and all these bytes.
        self._waiting: collections.OrderedDict[Any, None] = collections.OrderedDict()
        self._partial: collections.OrderedDict[Any, int] = collections.OrderedDict()
        self._bytes = 0
        # Connections that were let in, with their addresses, where there's a cap.
        self._admitted: dict[Any, object] = {}
        self._addresses: collections.Counter[object] = collections.Counter()
        # Refused connections that haven't left yet, oldest first.
        self._leaving: collections.OrderedDict[Any, None] = collections.OrderedDict()

    def arrived(self, connection: HalfOpen) -> None:
        """Take note of a connection that was accepted: it is half-open now."""
        self._waiting[connection] = None
        limit = self.limits.handshakes
        if limit is not None and len(self._waiting) > limit:
            self._turn_away(next(iter(self._waiting)), "handshakes")

    def received(self, connection: HalfOpen, size: int) -> None:
        """Take note of so many more bytes of a request that isn't complete."""
        if connection not in self._waiting:
            return
        self._partial[connection] = self._partial.get(connection, 0) + size
        self._bytes += size
        limit = self.limits.handshake_bytes
        while limit is not None and self._bytes > limit:
            self._turn_away(next(iter(self._partial)), "handshake_bytes")

    def settle(self, connection: HalfOpen) -> None:
        """Take note of a connection that isn't half-open any more."""
        self._waiting.pop(connection, None)
        self._bytes -= self._partial.pop(connection, 0)

    def admit(self, connection: ServerSide) -> bool:
        """
        Let a connection in whose request has come, or refuse it.

        Returns:
            Whether it was let in.

        """
        self.settle(connection)
        limits = self.limits
        if limits.connections is limits.connections_per_address is None:
            return True
        address = address_of(connection.remote_address)
        of_address = limits.connections_per_address
        if address is None or of_address is None:
            pass
        elif self._addresses[address] >= of_address:
            self._turn_away(connection, "address")
            return False
        if limits.connections is not None and (
            len(self._admitted) >= limits.connections
        ):
            self._turn_away(connection, "connections")
            return False
        self._admitted[connection] = address
        self._addresses[address] += 1
        return True

    def left(self, connection: HalfOpen) -> None:
        """Take note of a connection that has ended."""
        self.settle(connection)
        self._leaving.pop(connection, None)
        if connection in self._admitted:
            address = self._admitted.pop(connection)
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    def _turn_away(self, connection: HalfOpen, reason: str) -> None:
        """Refuse a connection, as cheaply as can be."""
        self.settle(connection)
        connection.count_rejection(reason)
        connection.turn_away(*_ANSWERS[reason], self.limits.retry_after)
        self._leaving[connection] = None
        if len(self._leaving) > (self.limits.handshakes or _LEAVING):
            oldest, _ = self._leaving.popitem(last=False)
            oldest.transport.abort()


def address_of(peer: Any) -> object:
    """
    Return what counts as one address.

    Args:
        peer: what a socket's ``getpeername()`` returns.

    Returns:
        An IPv4 address; the first 64 bits of an IPv6 address, since that's what one
        subscriber gets at least; None for what isn't either, as with Unix sockets.

    """
    if not isinstance(peer, tuple) or not peer:
        return None
    host = str(peer[0]).partition("%")[0]
    if ":" not in host:
        return host
    packed = socket.inet_pton(socket.AF_INET6, host)
    if packed.startswith(_MAPPED):
        return socket.inet_ntoa(packed[12:])
    return packed[:8]


def reason_of(exc: BaseException | None) -> str:
    """
    Say why a handshake failed, in a word to count by.

    Returns:
        "host", "origin", "upgrade", "version", "negotiation", "too_large",
        "malformed", "lost", or "error" for an error that isn't the peer's.

    """
    # What can't be read is an InvalidMessage, whose cause says more.
    cause = None if exc is None else exc.__cause__
    for item in (cause, exc):
        if isinstance(item, InvalidHeader) and item.name == "Sec-WebSocket-Version":
            return "version"
        for kind, reason in _REASONS:
            if isinstance(item, kind):
                return reason
    return "error"
