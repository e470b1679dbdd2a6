"""Floor 3, habits: the pings that were sent and not answered yet.

:class:`PingLedger` owns them and the latency they measured. Who waits for a
pong is opaque here: the engine hands in a waiter and gets it back.
"""

from __future__ import annotations

import os
from typing import Generic, TypeVar

__all__ = ["PingLedger"]

Waiter = TypeVar("Waiter")

#: From here on, keepalive pings push out their predecessors.
_MOST_PINGS = 64


class PingLedger(Generic[Waiter]):
    """
    Pings in flight.

    Attributes:
        latency: seconds between the last answered ping and its pong; 0 until
            a pong came.

    """

    __slots__ = ("_pings", "latency")

    def __init__(self) -> None:
        self._pings: dict[bytes, tuple[Waiter | None, float]] = {}
        self.latency = 0.0

    def __len__(self) -> int:
        """Return how many pings aren't answered yet."""
        return len(self._pings)

    def __contains__(self, data: bytes) -> bool:
        """Tell whether a ping with this payload isn't answered yet."""
        return data in self._pings

    def choose_payload(self) -> bytes:
        """Return a payload that tells its pong from all the others."""
        while (data := os.urandom(4)) in self._pings:
            """Another one, then."""
        return data

    def add(self, data: bytes, waiter: Waiter | None, now: float) -> None:
        """
        Note that a ping was sent.

        Args:
            data: its payload; no other ping in flight has it.
            waiter: who waits for the pong; None for a keepalive ping.
            now: seconds.

        """
        if len(self._pings) >= _MOST_PINGS:
            self._forget_keepalive_ping()
        self._pings[data] = (waiter, now)

    def _forget_keepalive_ping(self) -> None:
        """Make room: some peers live and never answer a ping."""
        for data, (waiter, _) in self._pings.items():
            if waiter is None:
                del self._pings[data]
                return

    def acknowledge(self, data: bytes, now: float) -> list[tuple[Waiter, float]]:
        """
        Note that a pong came.

        A pong answers its ping and those sent before it, since a peer may
        answer only the most recent ping (RFC 6455, 5.5.3).

        Args:
            data: its payload.
            now: seconds.

        Returns:
            Those who waited for it, each with the seconds since their ping.
            Empty for a pong that answers no ping (RFC 6455, 5.5.3).

        """
        if data not in self._pings:
            return []
        answered = []
        while True:
            payload = next(iter(self._pings))
            waiter, sent_at = self._pings.pop(payload)
            if waiter is not None:
                answered.append((waiter, now - sent_at))
            if payload == data:
                self.latency = now - sent_at
                if not self._pings:
                    # A dictionary keeps the room that it once needed.
                    self._pings = {}
                return answered

    def abandon(self) -> list[Waiter]:
        """Forget all pings; return those who waited for a pong."""
        waiters = [waiter for waiter, _ in self._pings.values() if waiter is not None]
        self._pings.clear()
        return waiters
