"""Tell OpenTelemetry what a server does: metrics, and a span for every handshake and
every connection, in the trace of the client's request if it sends a traceparent.

Needs opentelemetry-sdk, from PyPI. What is exported is printed; in production, give
an exporter for your collector in the two places where this gives one for the console.

Run: python example/observability/opentelemetry_server.py [port]
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

from websockets import ServerStats
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

Observe = Callable[[CallbackOptions], Iterable[Observation]]
Read = Callable[[ServerStats], Iterable[tuple[int, dict[str, Any]]]]


class Metrics:
    """
    What a server counts, for OpenTelemetry.

    A thread of OpenTelemetry's exports them, and a server's counters are the event
    loop's: what that thread sees is a copy that the event loop makes now and then.
    """

    def __init__(self, server: Server, meter: Meter) -> None:
        self.server = server
        self.seen = server.stats
        gauge = meter.create_observable_up_down_counter
        counter = meter.create_observable_counter
        gauge("websocket.connections", [self.observe(connections)], "{connection}")
        gauge("websocket.buffered", [self.observe(buffered)], "By")
        counter("websocket.messages", [self.observe(messages)], "{message}")
        counter("websocket.io", [self.observe(traffic)], "By")
        counter("websocket.closed", [self.observe(closed)], "{connection}")
        counter("websocket.rejected", [self.observe(rejected)], "{handshake}")

    def observe(self, read: Read) -> Observe:
        """Return what OpenTelemetry calls, in its thread."""

        def observe(options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(*pair) for pair in read(self.seen)]

        return observe

    def look(self) -> None:
        """Copy the counters, in the event loop's thread."""
        self.seen = self.server.stats

    async def look_again_and_again(self, interval: float) -> None:
        while True:
            self.look()
            await asyncio.sleep(interval)


def connections(stats: ServerStats) -> Iterable[tuple[int, dict[str, Any]]]:
    yield stats.connections, {}


def buffered(stats: ServerStats) -> Iterable[tuple[int, dict[str, Any]]]:
    yield stats.buffered_bytes, {}


def messages(stats: ServerStats) -> Iterable[tuple[int, dict[str, Any]]]:
    yield stats.messages_received, {"network.io.direction": "receive"}
    yield stats.messages_sent, {"network.io.direction": "transmit"}


def traffic(stats: ServerStats) -> Iterable[tuple[int, dict[str, Any]]]:
    yield stats.bytes_received, {"network.io.direction": "receive"}
    yield stats.bytes_sent, {"network.io.direction": "transmit"}


def closed(stats: ServerStats) -> Iterable[tuple[int, dict[str, Any]]]:
    for code, number in stats.closed.items():
        yield number, {"websocket.close_code": code}


def rejected(stats: ServerStats) -> Iterable[tuple[int, dict[str, Any]]]:
    for reason, number in stats.rejected.items():
        yield number, {"error.type": reason}


class Tracing:
    """A span for each opening handshake, and one for each connection."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self.tracer = tracer
        # By connection; gone when that is.
        self.handshakes: weakref.WeakKeyDictionary[ServerConnection, trace.Span]
        self.handshakes = weakref.WeakKeyDictionary()

    def process_request(self, connection: ServerConnection, request: Request) -> None:
        """Begin the handshake's span, in the trace that the client names, if any."""
        self.handshakes[connection] = self.tracer.start_span(
            "websocket handshake",
            context=propagate.extract(request.headers),
            kind=trace.SpanKind.SERVER,
            attributes={
                "url.path": request.path.partition("?")[0],
                "client.address": str(connection.remote_address[0]),
            },
        )

    def process_response(
        self, connection: ServerConnection, request: Request, response: Response
    ) -> None:
        """End the handshake's span."""
        # Requests that break a rule are answered before process_request().
        span = self.handshakes.get(connection, trace.INVALID_SPAN)
        span.set_attribute("http.response.status_code", response.status_code)
        if response.status_code != 101:
            span.set_status(trace.StatusCode.ERROR)
        span.end()

    async def handle(self, connection: ServerConnection) -> None:
        """Run the handler in a span, which ends with what the connection counted."""
        parent = trace.set_span_in_context(self.handshakes[connection])
        with self.tracer.start_as_current_span(
            "websocket connection", parent, trace.SpanKind.SERVER
        ) as span:
            try:
                await echo(connection)
            finally:
                stats = connection.stats
                span.set_attribute("websocket.received", stats.messages_received)
                span.set_attribute("websocket.sent", stats.messages_sent)
                if stats.close_code is not None:
                    span.set_attribute("websocket.close_code", stats.close_code)


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        # Spans that are made here are children of the connection's.
        await connection.send(message)


async def run(port: int, tracer: trace.Tracer, meter: Meter) -> None:
    tracing = Tracing(tracer)
    async with serve(
        tracing.handle,
        "localhost",
        port,
        process_request=tracing.process_request,
        process_response=tracing.process_response,
    ) as server:
        metrics = Metrics(server, meter)
        looking = asyncio.create_task(metrics.look_again_and_again(interval=5))
        print(f"Listening on ws://localhost:{port}", flush=True)
        try:
            await server.serve_forever()
        finally:
            looking.cancel()
            metrics.look()


def main(port: int = 8765) -> None:
    resource = Resource.create({"service.name": "echo"})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
    reader = PeriodicExportingMetricReader(ConsoleMetricExporter())
    meters = MeterProvider([reader], resource)
    try:
        asyncio.run(run(port, tracers.get_tracer("echo"), meters.get_meter("echo")))
    except KeyboardInterrupt:
        pass
    finally:
        # Export what is left.
        tracers.shutdown()
        meters.shutdown()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
