"""Floor 3, habits: what was counted, of one connection and of a server.

Connections count all the time: each counter is an integer beside what it counts,
so that nothing needs to be turned on. Who asks gets all of them at once.
"""

from __future__ import annotations

import operator
from collections import Counter
from typing import NamedTuple

__all__ = ["ConnectionStats", "ServerStats", "Totals"]


class ConnectionStats(NamedTuple):
    """
    What a connection has counted so far.

    Bytes received and sent are those of the stream: the opening handshake, frames
    with their headers, compressed where they are; not what TLS adds.

    Attributes:
        messages_received: whole messages received.
        messages_sent: whole messages sent, or waiting to be written.
        controls_received: pings, pongs and close frames received.
        bytes_received: bytes received.
        bytes_sent: bytes written, without those that still wait to be.
        compressed_received: bytes of the compressed payloads received.
        uncompressed_received: bytes that they were decompressed to.
        compressed_sent: bytes of the compressed payloads sent.
        uncompressed_sent: bytes that they were compressed from.
        reading_pauses: how often reading was paused, because the application
            didn't receive what was there, or the peer sent more than its limits.
        writing_pauses: how often senders had to wait for the peer to read.
        buffered_bytes: bytes that wait to be written now.
        queued_messages: messages that wait to be received now.
        queued_bytes: how large those are.
        latency: seconds between the last answered ping and its pong; 0 before
            that.
        close_code: close code received, or else the one sent; 1006 at the end
            without a close frame, None before.

    """

    messages_received: int = 0
    messages_sent: int = 0
    controls_received: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    compressed_received: int = 0
    uncompressed_received: int = 0
    compressed_sent: int = 0
    uncompressed_sent: int = 0
    reading_pauses: int = 0
    writing_pauses: int = 0
    buffered_bytes: int = 0
    queued_messages: int = 0
    queued_bytes: int = 0
    latency: float = 0.0
    close_code: int | None = None


class ServerStats(NamedTuple):
    """
    What a server has counted since it was started.

    Attributes:
        connections: connections that are open now.
        handshakes: opening handshakes that are under way now.
        accepted: connections that were opened.
        rejected: opening handshakes that failed, by reason.
        closed: connections that were opened and have ended, by the close code
            received, or else sent; 1006 without a close frame.
        messages_received: whole messages received; this and what follows are sums
            over all connections, those that have ended included.
        messages_sent: whole messages sent.
        controls_received: pings, pongs and close frames received.
        bytes_received: bytes received.
        bytes_sent: bytes written, without those that still wait to be.
        compressed_received: bytes of the compressed payloads received.
        uncompressed_received: bytes that they were decompressed to.
        compressed_sent: bytes of the compressed payloads sent.
        uncompressed_sent: bytes that they were compressed from.
        reading_pauses: how often reading was paused.
        writing_pauses: how often senders had to wait.
        buffered_bytes: bytes that wait to be written now.
        queued_messages: messages that wait to be received now.
        queued_bytes: how large those are.
        latency: mean latency of the open connections that have answered a ping,
            in seconds; 0 if there is none.

    """

    connections: int
    handshakes: int
    accepted: int
    rejected: dict[str, int]
    closed: dict[int, int]
    messages_received: int
    messages_sent: int
    controls_received: int
    bytes_received: int
    bytes_sent: int
    compressed_received: int
    uncompressed_received: int
    compressed_sent: int
    uncompressed_sent: int
    reading_pauses: int
    writing_pauses: int
    buffered_bytes: int
    queued_messages: int
    queued_bytes: int
    latency: float


#: The first counters of a connection only grow, and outlive it in sums; the next
#: ones tell what is there now.
_GROWING = ConnectionStats._fields.index("buffered_bytes")
_SUMMED = ConnectionStats._fields.index("latency")


class Totals:
    """
    What the connections of a server that have ended had counted.

    Attributes:
        accepted: how many of them were opened.
        closed: how many of those ended, by close code.

    """

    def __init__(self) -> None:
        self.accepted = 0
        self.closed: Counter[int] = Counter()
        self._sums = [0] * _GROWING

    def add(self, stats: ConnectionStats, opened: bool) -> None:
        """
        Add a connection that has ended.

        Args:
            stats: what it has counted.
            opened: whether its opening handshake succeeded.

        """
        # There are fewer sums: what isn't summed is last.
        self._sums = list(map(operator.add, self._sums, stats))
        if opened:
            self.accepted += 1
            self.closed[stats.close_code or 1006] += 1

    def with_live(
        self,
        live: list[ConnectionStats],
        *,
        connections: int,
        handshakes: int,
        accepted: int,
        rejected: dict[str, int],
    ) -> ServerStats:
        """
        Return the sums over connections that have ended and those that haven't.

        Args:
            live: what the connections that haven't ended have counted.
            connections: how many of them are open.
            handshakes: how many of them are in their opening handshake.
            accepted: how many of them were opened.
            rejected: opening handshakes that failed, by reason.

        """
        sums: list[int] = [*self._sums, *[0] * (_SUMMED - _GROWING)]
        for stats in live:
            for index in range(_SUMMED):
                sums[index] += int(stats[index] or 0)
        latencies = [stats.latency for stats in live if stats.latency]
        latency = sum(latencies) / len(latencies) if latencies else 0.0
        now = (connections, handshakes, self.accepted + accepted)
        return ServerStats._make(
            (*now, dict(rejected), dict(self.closed), *sums, latency)
        )
