"""Floor 3, habits: the next deadline of a connection and what it means.

:class:`Clock` owns the deadlines: the opening handshake, the next keepalive
ping and its pong, a write backlog that makes no progress, the closing
handshake. It reads no clock: ``now`` is an argument, in seconds of any clock
that doesn't jump. Engines ask for :meth:`Clock.deadline`, and when it is past,
for what is due.

Liveness is judged so. A keepalive ping goes out every ``ping_interval``. From
then the peer has ``ping_timeout`` to send anything: any received byte counts,
since a peer that is sending a large message may not get its pong through. While
we are the ones who don't read, nothing is held against the peer. A peer that
doesn't read is cut when the bytes that wait for it make no progress for
``ping_timeout``. Without a ``ping_timeout`` nobody is cut.
"""

from __future__ import annotations

import enum

__all__ = ["Alarm", "Clock"]

NEVER = float("inf")

#: Seconds between keepalive pings at least: without a pause, nothing else would go on.
LEAST_INTERVAL = 0.001


class Alarm(enum.Enum):
    """What a deadline means when it is past."""

    OPEN_TIMEOUT = "opening handshake timeout"
    SEND_PING = "keepalive ping"
    PING_TIMEOUT = "keepalive ping timeout"
    STALLED = "write backlog made no progress"
    CLOSE_TIMEOUT = "closing handshake timeout"
    READ_AGAIN = "receiving is within its limits again"


class Clock:
    """
    Deadlines of one connection.

    Args:
        ping_interval: seconds between keepalive pings, a millisecond at least; None
            for no pings.
        ping_timeout: seconds for the peer to show that it lives, and for a
            write backlog to make progress; None to wait for ever.
        close_timeout: seconds for the closing handshake; None to wait for
            ever.

    Attributes:
        heard: whether anything was received since the last keepalive ping;
            set it with every chunk.

    """

    __slots__ = (
        "_close_at",
        "_open_at",
        "_ping_at",
        "_pong_at",
        "_progress",
        "_read_at",
        "_stall_at",
        "close_timeout",
        "heard",
        "ping_interval",
        "ping_timeout",
    )

    def __init__(
        self,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
    ) -> None:
        self.ping_interval = ping_interval
        self.ping_timeout = ping_timeout
        self.close_timeout = close_timeout
        self.heard = False
        self._open_at = NEVER
        self._ping_at = NEVER
        self._pong_at = NEVER
        self._stall_at = NEVER
        self._close_at = NEVER
        self._read_at = NEVER
        self._progress = 0

    def deadline(self) -> float:
        """Return when something is due next; infinity if nothing is."""
        return min(
            self._open_at,
            self._ping_at,
            self._pong_at,
            self._stall_at,
            self._close_at,
            self._read_at,
        )

    def connecting(self, now: float, open_timeout: float | None) -> None:
        """The opening handshake begins."""
        if open_timeout is not None:
            self._open_at = now + open_timeout

    def opened(self, now: float) -> None:
        """The connection is open."""
        self._open_at = NEVER
        if self.ping_interval is not None:
            self._ping_at = now + max(self.ping_interval, LEAST_INTERVAL)

    def writing_paused(self, now: float, progress: int) -> None:
        """
        Too many bytes wait to be written.

        Args:
            now: seconds.
            progress: how many bytes have left so far.

        """
        if self.ping_timeout is not None:
            self._progress = progress
            self._stall_at = now + self.ping_timeout

    def reading_suspended(self, now: float, seconds: float) -> None:
        """Reading stops for so many seconds: too much was received."""
        self._read_at = now + seconds

    def writing_resumed(self) -> None:
        """The bytes that waited have left."""
        self._stall_at = NEVER

    def closing(self, now: float) -> None:
        """The closing handshake has begun, or the connection has failed."""
        self._open_at = self._ping_at = self._pong_at = self._read_at = NEVER
        if self.close_timeout is not None and self._close_at == NEVER:
            self._close_at = now + self.close_timeout

    def closed(self) -> None:
        """The connection is closed: nothing is due any more."""
        self._open_at = self._ping_at = self._pong_at = NEVER
        self._stall_at = self._close_at = self._read_at = NEVER

    def due(self, now: float, progress: int, reading_paused: bool) -> list[Alarm]:
        """
        Return what is due, and set the deadlines that follow from it.

        Args:
            now: seconds.
            progress: how many bytes have left so far.
            reading_paused: whether we are the ones who don't read.

        """
        alarms = []
        if now >= self._read_at:
            self._read_at = NEVER
            alarms.append(Alarm.READ_AGAIN)
        if now >= self._open_at:
            self._open_at = NEVER
            alarms.append(Alarm.OPEN_TIMEOUT)
        if now >= self._close_at:
            self._close_at = NEVER
            alarms.append(Alarm.CLOSE_TIMEOUT)
        if now >= self._stall_at and self._is_stalled(now, progress):
            alarms.append(Alarm.STALLED)
        if now >= self._pong_at and self._is_silent(now, reading_paused):
            alarms.append(Alarm.PING_TIMEOUT)
        if now >= self._ping_at:
            self._next_ping(now)
            alarms.append(Alarm.SEND_PING)
        return alarms

    def _is_stalled(self, now: float, progress: int) -> bool:
        """Tell whether no byte has left since the last look."""
        # TLS makes bytes of its own: what waits may grow beyond what was written.
        if progress <= self._progress or self.ping_timeout is None:
            self._stall_at = NEVER
            return self.ping_timeout is not None
        self._progress = progress
        self._stall_at = now + self.ping_timeout
        return False

    def _is_silent(self, now: float, reading_paused: bool) -> bool:
        """Tell whether the peer gave no sign of life since the last ping."""
        self._pong_at = NEVER
        if self.heard or self.ping_timeout is None:
            return False
        if reading_paused:
            self._pong_at = now + self.ping_timeout
            return False
        return True

    def _next_ping(self, now: float) -> None:
        """Set the deadlines that follow from sending a ping."""
        if self.ping_interval is None:
            self._ping_at = NEVER
            return
        # Not now + interval: delays mustn't add up. But after a long stall
        # there's no point in making up for what was missed.
        interval = max(self.ping_interval, LEAST_INTERVAL)
        self._ping_at += interval
        if self._ping_at <= now:
            self._ping_at = now + interval
        if self.ping_timeout is not None and self._pong_at == NEVER:
            self.heard = False
            self._pong_at = now + self.ping_timeout
