"""The examples in example/observability, with the packages that they are for."""

from __future__ import annotations

import asyncio
import functools
import json
import pathlib
import re
import runpy
import signal
import subprocess
import sys
from typing import Any

import pytest

from peers import import_peer
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, serve
from websockets.exceptions import InvalidStatus

EXAMPLES = pathlib.Path(__file__).parents[1] / "example" / "observability"

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


def load(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / name))


def port_of(server: Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


async def until_closed(server: Server) -> None:
    """Wait until a server has no connection."""
    while server.connections or not server.stats.closed:
        await asyncio.sleep(0)


async def talk(uri: str, **settings: Any) -> None:
    """Have a connection that sends a message and receives it."""
    async with connect(uri, **settings) as client:
        await client.send("Hello!")
        assert await client.recv() == "Hello!"


class TestPrometheus:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        import_peer("prometheus_client", "prometheus-client")

    async def scrape(self, server: Server, accept: str) -> tuple[str, dict[str, float]]:
        """Return the type of the answer and its samples, as Prometheus would."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        request = (
            f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
        )
        writer.write(request.encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        assert head.startswith("HTTP/1.1 200 ")
        (kind,) = re.findall("Content-Type: (.*)\r", head + "\r")
        samples = [line for line in body.splitlines() if not line.startswith("#")]
        return kind, {
            name: float(value)
            for name, value in (line.rsplit(" ", 1) for line in samples)
        }

    async def test_metrics(self) -> None:
        example = load("prometheus_server.py")
        registry = import_peer("prometheus_client", "").CollectorRegistry()
        show = functools.partial(example["show_metrics"], registry)
        async with serve(
            example["echo"], "127.0.0.1", 0, process_request=show, origins=[None]
        ) as server:
            registry.register(example["ServerCollector"](server))
            uri = f"ws://127.0.0.1:{port_of(server)}/"
            async with connect(uri) as client:
                await client.send("Hello!")
                await client.recv()
                await (await client.ping())
                connection = next(iter(server.connections))
                await (await connection.ping())
                kind, samples = await self.scrape(server, "text/plain")
                assert kind.startswith("text/plain; version=")
                assert samples["websocket_connections"] == 1
                assert samples["websocket_accepted_total"] == 1
                assert samples['websocket_messages_total{direction="received"}'] == 1
                assert samples['websocket_messages_total{direction="sent"}'] == 1
                assert samples['websocket_bytes_total{direction="sent"}'] > 8
                name = "websocket_connection_buffered_bytes"
                assert samples[f'{name}_bucket{{le="0"}}'] == 1
                assert samples[f'{name}_bucket{{le="+Inf"}}'] == 1
                name = "websocket_connection_latency_seconds"
                assert samples[f'{name}_bucket{{le="+Inf"}}'] == 1
            await until_closed(server)
            with pytest.raises(InvalidStatus):
                await connect(uri, origin="http://elsewhere.example")
            kind, samples = await self.scrape(server, "application/openmetrics-text")
            assert kind.startswith("application/openmetrics-text")
            assert samples["websocket_connections"] == 0
            assert samples['websocket_closed_total{code="1000"}'] == 1
            assert samples['websocket_rejected_total{reason="origin"}'] == 1
            # The first scrape.
            assert samples['websocket_rejected_total{reason="hook"}'] == 1

    async def test_histogram(self) -> None:
        histogram = load("prometheus_server.py")["histogram"]
        family = histogram("name", "Text", [1, 5], [0, 1, 1.5, 7])
        found = {
            sample.name + sample.labels.get("le", ""): sample.value
            for sample in family.samples
        }
        buckets = {"name_bucket1": 2, "name_bucket5": 3, "name_bucket+Inf": 4}
        assert found == {**buckets, "name_gcount": 4, "name_gsum": 9.5}


class TestOpenTelemetry:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        import_peer("opentelemetry.sdk", "opentelemetry-sdk")

    @pytest.fixture
    def spans(self) -> Any:
        module = "opentelemetry.sdk.trace.export.in_memory_span_exporter"
        return import_peer(module, "").InMemorySpanExporter()

    @pytest.fixture
    def tracing(self, spans: Any) -> Any:
        """Return the example's spans, which are exported where the test looks."""
        provider = import_peer("opentelemetry.sdk.trace", "").TracerProvider()
        export = import_peer("opentelemetry.sdk.trace.export", "")
        provider.add_span_processor(export.SimpleSpanProcessor(spans))
        example = load("opentelemetry_server.py")
        return example["Tracing"](provider.get_tracer("test"))

    async def test_spans(self, tracing: Any, spans: Any) -> None:
        async with serve(
            tracing.handle,
            "127.0.0.1",
            0,
            process_request=tracing.process_request,
            process_response=tracing.process_response,
        ) as server:
            uri = f"ws://127.0.0.1:{port_of(server)}/path?token=secret"
            await talk(uri, additional_headers=TRACEPARENT)
            await until_closed(server)
        handshake, connection = spans.get_finished_spans()
        assert handshake.name == "websocket handshake"
        assert format(handshake.context.trace_id, "032x") == TRACE
        assert dict(handshake.attributes) == {
            "url.path": "/path",
            "client.address": "127.0.0.1",
            "http.response.status_code": 101,
        }
        assert connection.name == "websocket connection"
        assert connection.parent.span_id == handshake.context.span_id
        assert dict(connection.attributes) == {
            "websocket.received": 1,
            "websocket.sent": 1,
            "websocket.close_code": 1000,
        }

    async def test_refused(self, tracing: Any, spans: Any) -> None:
        async with serve(
            tracing.handle,
            "127.0.0.1",
            0,
            origins=["https://example.com"],
            process_request=tracing.process_request,
            process_response=tracing.process_response,
        ) as server:
            with pytest.raises(InvalidStatus):
                await connect(f"ws://127.0.0.1:{port_of(server)}/")
        (span,) = spans.get_finished_spans()
        assert span.attributes["http.response.status_code"] == 403
        assert not span.status.is_ok

    async def test_metrics(self) -> None:
        example = load("opentelemetry_server.py")
        sdk = import_peer("opentelemetry.sdk.metrics", "")
        export = import_peer("opentelemetry.sdk.metrics.export", "")
        reader = export.InMemoryMetricReader()
        provider = sdk.MeterProvider([reader])
        async with serve(example["echo"], "127.0.0.1", 0) as server:
            metrics = example["Metrics"](server, provider.get_meter("test"))
            await talk(f"ws://127.0.0.1:{port_of(server)}/")
            await until_closed(server)
            looking = asyncio.create_task(metrics.look_again_and_again(3600))
            while not metrics.seen.closed:
                await asyncio.sleep(0)
            looking.cancel()
        data = json.loads(reader.get_metrics_data().to_json())
        (scope,) = data["resource_metrics"][0]["scope_metrics"]
        found = {
            (metric["name"], *point["attributes"].values()): point["value"]
            for metric in scope["metrics"]
            for point in metric["data"]["data_points"]
        }
        assert found["websocket.connections",] == 0
        assert found["websocket.buffered",] == 0
        assert found["websocket.messages", "receive"] == 1
        assert found["websocket.messages", "transmit"] == 1
        assert found["websocket.io", "transmit"] > 8
        assert found["websocket.closed", 1000] == 1
        provider.shutdown()

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
    async def test_what_is_exported_at_the_end(self) -> None:
        process = subprocess.Popen(
            [sys.executable, EXAMPLES / "opentelemetry_server.py", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Listening")
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=50)
        assert '"name": "websocket.connections"' in printed
        assert process.returncode == 0
