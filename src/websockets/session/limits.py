"""Floor 3, habits: what peers may use of us, and the buckets that measure rates.

:class:`Limits` is one argument of ``connect()`` and ``serve()``. Who enforces what:

- ``connections`` ... ``retry_after`` are a server's, enforced by its listener.
- ``messages``, ``bytes`` and ``controls`` are rates of what one connection receives;
  its session has a :class:`TokenBucket` for each that is set.

Why the defaults are what they are. What a peer holds before it has sent a request
costs us and says nothing of it, so this is bounded by default, in number and in
bytes. How many connections a server can carry, only its owner knows, and behind a
proxy all of them have one address: no cap is the only default that refuses nobody
who is welcome. The same holds for rates.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

__all__ = ["Limits", "Rate", "TokenBucket"]


@dataclasses.dataclass(frozen=True, slots=True)
class Rate:
    """
    How much of something may come per second.

    Args:
        per_second: how much in the long run; more than 0.
        burst: how much at once, after a pause; at least 1. None for as much as
            one second's, and at least 1.

    Raises:
        TypeError: if one isn't a number.
        ValueError: if one is out of range, or infinite.

    """

    per_second: float
    burst: float | None = None

    def __post_init__(self) -> None:
        _check_number("per_second", self.per_second)
        if not 0 < self.per_second < math.inf:
            raise ValueError(f"per_second must be more than 0: {self.per_second}")
        if self.burst is not None:
            _check_number("burst", self.burst)
            if not 1 <= self.burst < math.inf:
                raise ValueError(f"burst must be at least 1: {self.burst}")

    @property
    def size(self) -> float:
        """How much may come at once, whether or not ``burst`` was given."""
        return max(1.0, self.per_second) if self.burst is None else self.burst


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """
    What peers may use: the ``limits`` argument of ``connect()`` and ``serve()``.

    A client's connections heed only the rates: ``messages``, ``bytes``,
    ``controls`` and ``on_excess``.

    Args:
        connections: connections that a server has at once; None for no limit.
            Those whose handshake request hasn't come don't count. One more is
            answered HTTP status 503.
        connections_per_address: the same for each address of clients: an IPv4
            address, or the first 64 bits of an IPv6 address. One more is answered
            HTTP status 429. Behind a proxy, all clients have the proxy's address:
            set the limit there. Clients on Unix sockets have no address.
        handshakes: connections whose handshake request hasn't come yet, at once,
            those in a TLS handshake included; None for no limit. For one more, the
            one that has taken longest is answered HTTP status 503, or cut where
            there's no TLS yet to answer through. Ten times as many may wait until
            the server begins their TLS handshakes.
        handshake_bytes: bytes of requests and TLS handshakes that have come in part,
            all together; None for no limit. When there are more, the one that has
            taken longest is answered or cut likewise.
        retry_after: seconds that refused clients are told to wait, in the
            ``Retry-After`` header, rounded up; None not to tell.
        messages: rate of messages that each connection may receive; None for no
            limit. Each fragment counts.
        bytes: rate of bytes that each connection may receive, as they come from
            the network; None for no limit.
        controls: rate of control frames that each connection may receive; None for
            no limit.
        on_excess: what happens to a connection that exceeds a rate: "close" closes
            it with code 1008; "pause" stops reading until it's within the rate.

    Raises:
        TypeError: if one is of the wrong type.
        ValueError: if one is out of range.

    """

    connections: int | None = None
    connections_per_address: int | None = None
    handshakes: int | None = 1000
    handshake_bytes: int | None = 2**24
    retry_after: float | None = 5
    messages: Rate | None = None
    bytes: Rate | None = None
    controls: Rate | None = None
    on_excess: Literal["close", "pause"] = "close"

    def __post_init__(self) -> None:
        for name in _COUNTS:
            _check_count(name, getattr(self, name))
        _check_retry_after(self.retry_after)
        for name in _RATES:
            rate = getattr(self, name)
            if rate is not None and not isinstance(rate, Rate):
                raise TypeError(
                    f"{name} must be a Rate or None, not {type(rate).__name__}"
                )
        if self.on_excess not in ("close", "pause"):
            raise ValueError(
                f'on_excess must be "close" or "pause": {self.on_excess!r}'
            )


_COUNTS = ("connections", "connections_per_address", "handshakes", "handshake_bytes")
_RATES = ("messages", "bytes", "controls")


class TokenBucket:
    """
    Measures whether something stays within a rate.

    The bucket is full at first, with as many tokens as the rate's burst, and fills
    at the rate. What came takes tokens out. Since it has come already, it is taken
    even if there aren't as many: the bucket then owes them.

    Args:
        rate: the rate.
        now: seconds of any clock that doesn't jump.

    """

    __slots__ = ("_filled_at", "_per_second", "_size", "_tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self._per_second = float(rate.per_second)
        self._size = float(rate.size)
        self._tokens = self._size
        self._filled_at = now

    def spend(self, now: float, amount: float = 1.0) -> float:
        """
        Take out tokens for what came.

        Args:
            now: seconds, of the same clock.
            amount: how many.

        Returns:
            Seconds until no token is owed any more; 0 if it is within the rate.

        """
        elapsed = now - self._filled_at
        if elapsed > 0.0:
            self._filled_at = now
            tokens = self._tokens + elapsed * self._per_second
            self._tokens = min(tokens, self._size)
        self._tokens -= amount
        return 0.0 if self._tokens >= 0.0 else -self._tokens / self._per_second


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")


def _check_count(name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int or None, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1: {value}")


def _check_retry_after(value: object) -> None:
    if value is None:
        return
    _check_number("retry_after", value)
    assert isinstance(value, (int, float))
    if not 0 <= value < math.inf:
        raise ValueError(f"retry_after must not be negative or infinite: {value}")


#: What applies where ``limits`` is None.
DEFAULT_LIMITS = Limits()
