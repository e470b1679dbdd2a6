"""Show what a server counts to Prometheus: GET /metrics, on the server's own port.

Needs prometheus-client, from PyPI.

Run: python example/observability/prometheus_server.py [port]
Try: curl http://localhost:8765/metrics
"""

from __future__ import annotations

import asyncio
import bisect
import functools
import itertools
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

# What there is now: a name, what it says, and an attribute of server.stats.
GAUGES = [
    ("websocket_connections", "Open connections", "connections"),
    ("websocket_handshakes", "Opening handshakes under way", "handshakes"),
    ("websocket_buffered_bytes", "Bytes that wait to be written", "buffered_bytes"),
    ("websocket_queued_messages", "Messages not received yet", "queued_messages"),
    ("websocket_queued_bytes", "Bytes of messages not received yet", "queued_bytes"),
]

# What grows: a name, what it says, its label, and an attribute for each value of the
# label.
COUNTERS: list[tuple[str, str, str, dict[str, str]]] = [
    (
        "websocket_messages",
        "Messages",
        "direction",
        {"received": "messages_received", "sent": "messages_sent"},
    ),
    (
        "websocket_bytes",
        "Bytes on the wire",
        "direction",
        {"received": "bytes_received", "sent": "bytes_sent"},
    ),
    (
        "websocket_compressed_bytes",
        "Bytes of compressed messages, as they are on the wire",
        "direction",
        {"received": "compressed_received", "sent": "compressed_sent"},
    ),
    (
        "websocket_uncompressed_bytes",
        "Bytes of compressed messages, as programs see them",
        "direction",
        {"received": "uncompressed_received", "sent": "uncompressed_sent"},
    ),
    (
        "websocket_pauses",
        "How often one side had to wait for the other",
        "direction",
        {"received": "reading_pauses", "sent": "writing_pauses"},
    ),
]

# Bounds of histograms over the connections that are open: not a time series for each,
# since Prometheus keeps every one that there ever was.
BYTES = [0, 1_024, 16_384, 65_536, 262_144, 1_048_576]
SECONDS = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5]


class ServerCollector(Collector):
    """Reads a server's counters when Prometheus asks; nothing is done in between."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def collect(self) -> Iterator[Metric]:
        yield from self.of_the_server()
        yield from self.of_connections()

    def of_the_server(self) -> Iterator[Metric]:
        stats = self.server.stats
        for name, text, attribute in GAUGES:
            yield GaugeMetricFamily(name, text, value=getattr(stats, attribute))
        yield CounterMetricFamily(
            "websocket_accepted", "Connections opened", value=stats.accepted
        )
        counted: list[tuple[str, str, str, dict[Any, int]]] = [
            ("websocket_rejected", "Handshakes that failed", "reason", stats.rejected),
            ("websocket_closed", "Connections ended", "code", stats.closed),
        ]
        for name, text, label, attributes in COUNTERS:
            values = {key: getattr(stats, item) for key, item in attributes.items()}
            counted.append((name, text, label, values))
        for name, text, label, values in counted:
            family = CounterMetricFamily(name, text, labels=[label])
            for key, value in values.items():
                family.add_metric([str(key)], value)
            yield family

    def of_connections(self) -> Iterator[Metric]:
        stats = [connection.stats for connection in self.server.connections]
        yield histogram(
            "websocket_connection_buffered_bytes",
            "Bytes that wait to be written, over connections",
            BYTES,
            [each.buffered_bytes for each in stats],
        )
        # 0 is: no ping was answered yet.
        yield histogram(
            "websocket_connection_latency_seconds",
            "How long the last pong took, over connections",
            SECONDS,
            [each.latency for each in stats if each.latency],
        )


def histogram(
    name: str, text: str, bounds: Iterable[float], values: list[float]
) -> Metric:
    """Return how many values there are up to each bound."""
    bounds = [*bounds]
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[bisect.bisect_left(bounds, value)] += 1
    names = [*map(str, bounds), "+Inf"]
    buckets = [*zip(names, map(float, itertools.accumulate(counts)), strict=True)]
    return GaugeHistogramMetricFamily(
        name, text, buckets=buckets, gsum_value=sum(values)
    )


def show_metrics(
    registry: CollectorRegistry, connection: ServerConnection, request: Request
) -> Response | None:
    """Answer Prometheus; let WebSocket clients go on."""
    if request.path != "/metrics":
        return None
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    response = connection.respond(200, encode(registry).decode())
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = content_type
    return response


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main(port: int = 8765) -> None:
    registry = CollectorRegistry()
    process_request = functools.partial(show_metrics, registry)
    async with serve(
        echo, "localhost", port, process_request=process_request
    ) as server:
        registry.register(ServerCollector(server))
        print(f"Listening on ws://localhost:{port}")
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
