"""Floor 3, habits: whether a connection receives more than it may.

:class:`Meter` owns the token buckets of one connection that has a limit for the
rate of what it receives. It looks at the session's counters after each chunk of
bytes, so that nothing is added to the way of a frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .limits import Limits, TokenBucket

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Meter", "make_meter"]

#: What is metered, by the names of the limits.
_NAMES = ("messages", "bytes", "controls")


class Meter:
    """
    Meters what a session receives.

    Args:
        limits: the limits.
        session: the session.
        now: seconds of any clock that doesn't jump.

    Attributes:
        closes: whether the connection is to be closed when it receives too much,
            instead of reading less.

    """

    __slots__ = ("_buckets", "_seen", "closes")

    def __init__(self, limits: Limits, session: Session, now: float) -> None:
        self._buckets = [
            None if rate is None else TokenBucket(rate, now)
            for rate in (getattr(limits, name) for name in _NAMES)
        ]
        self._seen = _count(session)
        self.closes = limits.on_excess == "close"

    def spend(self, session: Session, now: float) -> tuple[float, str]:
        """
        Take note of what was received since the last call.

        Args:
            session: the session.
            now: seconds, of the same clock.

        Returns:
            Seconds to wait until all is within its limits, 0 if it is now; and
            the name of the limit that takes longest.

        """
        seen, counted = self._seen, _count(session)
        self._seen = counted
        worst = (0.0, "")
        for index, bucket in enumerate(self._buckets):
            amount = counted[index] - seen[index]
            if bucket is not None and amount:
                wait = bucket.spend(now, amount)
                if wait > worst[0]:
                    worst = (wait, _NAMES[index])
        return worst


def make_meter(limits: Limits, session: Session, now: float) -> Meter | None:
    """Return what meters a session; None if no rate is limited."""
    if limits.messages is limits.bytes is limits.controls is None:
        return None
    return Meter(limits, session, now)


def _count(session: Session) -> tuple[int, int, int]:
    """Return how much was received so far, in the order of the names."""
    return (
        session.messages_received + session.fragments_received,
        session.bytes_received,
        session.controls_received,
    )
