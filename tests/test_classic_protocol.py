"""Attributes of classic connections, and what is left of clients and servers."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest

import websockets
from faces.support import (
    FakeTransport,
    Logs,
    Raw,
    classic,
    echo,
    masked,
    pair,
    raw_client,
    raw_server,
    uri_of,
)
from websockets.asyncio.dialing import find_redirect, is_same_origin
from websockets.classic.client import WebSocketClientProtocol, _without_secrets
from websockets.classic.exceptions import InvalidStatusCode
from websockets.classic.protocol import WebSocketCommonProtocol
from websockets.classic.server import WebSocketServer, WebSocketServerProtocol
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedOK, InvalidMessage, ProtocolError
from websockets.frames import Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

pytestmark = pytest.mark.usefixtures("clean_loop")


def test_defaults() -> None:
    connection = WebSocketCommonProtocol()
    assert connection.ping_interval == connection.ping_timeout == 20
    assert connection.close_timeout == 10
    assert connection.max_size == 2**20
    assert connection.max_queue == 32
    assert connection.read_limit == connection.write_limit == 2**16
    assert connection.host is connection.port is connection.secure is None
    assert connection.path == ""
    assert connection.request_headers == connection.response_headers == Headers()
    assert connection.extensions == []
    assert connection.close_rcvd is connection.close_sent is None
    assert connection.close_rcvd_then_sent is None
    assert connection.messages == deque()
    assert connection.latency == 0
    assert connection.close_code is connection.close_reason is None
    assert not connection.open
    assert not connection.closed
    assert connection.is_client is False


def test_arguments() -> None:
    connection = WebSocketCommonProtocol(
        host="h", port=1, secure=False, timeout=3, max_size=(5, 4), max_queue=(2, 1)
    )
    assert (connection.host, connection.port, connection.secure) == ("h", 1, False)
    assert connection.close_timeout == 3
    assert connection.max_size == 5
    assert connection.protocol.reader.max_frame_size == 4
    assert WebSocketCommonProtocol(timeout=3, close_timeout=4).close_timeout == 4


def test_attributes_that_frameworks_assign() -> None:
    connection = WebSocketCommonProtocol()
    connection.request_headers = Headers({"A": "b"})
    connection.response_headers = Headers({"C": "d"})
    connection.extensions = []
    assert connection.request_headers["A"] == "b"
    assert connection.response_headers["C"] == "d"
    assert connection.extensions == []


async def test_what_is_known_of_the_end() -> None:
    async with pair(classic) as (client, server):
        await server.close(1001, "bye")
        await client.wait_closed()
        for end, first in ((client, True), (server, False)):
            assert end.close_rcvd.code == end.close_sent.code == 1001
            assert end.close_rcvd_then_sent is first


async def test_secure_is_looked_up_where_it_is_not_given() -> None:
    connection = WebSocketCommonProtocol()
    connection.connection_made(FakeTransport(sslcontext=object()))
    assert connection.secure is True
    connection.connection_lost(None)


async def test_messages_can_be_looked_at() -> None:
    connection = WebSocketCommonProtocol()
    connection.connection_made(FakeTransport(connection))
    connection.connection_open()
    connection.data_received(masked((1, b"a")))
    assert list(connection.messages) == ["a"]
    connection.connection_lost(None)


def test_secrets_are_left_out() -> None:
    assert _without_secrets(None) is None
    kept = _without_secrets({"cookie": "a", "X": "b"})
    assert isinstance(kept, Headers)
    assert list(kept.raw_items()) == [("X", "b")]


async def test_redirects_elsewhere_without_headers() -> None:
    async def other(raw: Raw) -> None:
        await raw.accept()

    async with raw_server(other) as target:

        async def script(raw: Raw) -> None:
            await raw.read_head()
            raw.write(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\n\r\n".encode())

        async with raw_server(script) as uri:
            client = await websockets.connect(uri)
            await client.wait_closed()


async def test_wrapping_a_server() -> None:
    server = WebSocketServer()
    assert server.server is None
    loop = asyncio.get_running_loop()
    running = await loop.create_server(
        lambda: WebSocketServerProtocol(echo, server), "localhost", 0
    )
    server.wrap(running)
    assert server.server is running
    async with server, websockets.connect(uri_of(server)) as client:
        await client.send("a")
        assert await client.recv() == "a"
    assert not server.is_serving()


async def test_a_server_that_was_never_started() -> None:
    server = WebSocketServer()
    server.close()
    await server.wait_closed()
    assert server.sockets == ()
    with pytest.raises(RuntimeError):
        await server.serve_forever()


async def test_legacy_recv() -> None:
    connection = WebSocketCommonProtocol(legacy_recv=True)
    connection.connection_made(FakeTransport(connection))
    connection.connection_open()
    connection.data_received(masked((1, b"a")))
    assert await connection.recv() == "a"
    connection.connection_lost(None)
    assert await connection.recv() is None


async def test_unknown_compression() -> None:
    with pytest.raises(ValueError, match="unsupported compression: zip"):
        websockets.serve(echo, "localhost", 0, compression="zip")


async def test_a_lost_connection_while_the_request_is_read() -> None:
    """An override that reads the request itself sees the loss."""
    errors: list[Exception] = []
    entered = asyncio.Event()

    class Protocol(WebSocketServerProtocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.handler_task = asyncio.create_task(self.handler())

        async def handshake(self, *args: Any, **kwargs: Any) -> str:
            try:
                entered.set()
                await self.read_http_request()
            except Exception as exc:
                errors.append(exc)
                raise
            raise AssertionError

    async with (
        websockets.serve(echo, "localhost", 0, create_protocol=Protocol) as server,
        raw_client(server) as raw,
    ):
        await entered.wait()
        raw.writer.transport.abort()
        while server.websockets:
            await asyncio.sleep(0)
    assert len(errors) == 1


async def test_a_response_that_is_sent_twice() -> None:
    """The second one, from an override, is an error of the server's."""

    class Protocol(WebSocketServerProtocol):
        async def handshake(self, *args: Any, **kwargs: Any) -> str:
            await self.read_http_request()
            self.write_http_response(402, {}, b"pay")
            raise ZeroDivisionError

    async with websockets.serve(
        echo, "localhost", 0, create_protocol=Protocol
    ) as server:
        with pytest.raises(InvalidStatusCode, match="402"):
            await websockets.connect(uri_of(server))


async def test_a_server_that_fails_a_connection_during_its_handshake() -> None:
    errors: list[Exception] = []

    class Protocol(WebSocketServerProtocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.handler_task = asyncio.create_task(self.handler())
            asyncio.get_running_loop().call_soon(self.fail_connection)

        async def handshake(self, *args: Any, **kwargs: Any) -> str:
            try:
                return await super().handshake(*args, **kwargs)
            except Exception as exc:
                errors.append(exc)
                raise

    async with (
        websockets.serve(echo, "localhost", 0, create_protocol=Protocol) as server,
        raw_client(server) as raw,
    ):
        assert await raw.read_all() == b""
        while server.websockets:
            await asyncio.sleep(0)
    assert [type(error) for error in errors] == [ConnectionError]


async def test_a_client_that_fails_its_connection_during_its_handshake() -> None:
    class Protocol(WebSocketClientProtocol):
        async def handshake(self, *args: Any, **kwargs: Any) -> None:
            asyncio.get_running_loop().call_soon(self.fail_connection)
            await super().handshake(*args, **kwargs)

    async def script(raw: Raw) -> None:
        await raw.read_all()

    async with raw_server(script) as uri:
        with pytest.raises(InvalidMessage, match="connection closed before"):
            await websockets.connect(uri, create_protocol=Protocol)


async def test_headers_that_a_hook_puts_in_place() -> None:
    class Protocol(WebSocketServerProtocol):
        async def process_request(self, path: str, request_headers: Headers) -> None:
            self.extra_headers = {"X": path}

    async with (
        websockets.serve(
            echo, "localhost", 0, create_protocol=Protocol, close_timeout=7
        ) as server,
        websockets.connect(uri_of(server, "/p")) as client,
    ):
        assert client.response_headers["X"] == "/p"
        (connection,) = server.websockets
        assert connection.close_timeout == 7


async def test_a_slow_handshake_in_the_logs(logs: Logs) -> None:
    async with (
        websockets.serve(echo, "localhost", 0, open_timeout=0.01) as server,
        raw_client(server) as raw,
    ):
        assert await raw.read_all() == b""
    assert "! timed out during the opening handshake" in logs.texts()


def test_what_does_not_redirect() -> None:
    uri = parse_uri("ws://localhost/")
    for response in (
        Response(200, "OK", Headers({"Location": "/"})),
        Response(302, "Found", Headers()),
    ):
        assert find_redirect(uri, "ws://localhost/", response) is None


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("ws://h/a", "ws://H:80/b", True),
        ("ws://h/", "wss://h/", False),
        ("ws://h/", "ws://h:81/", False),
        ("ws://h/", "ws://i/", False),
    ],
)
def test_origins(one: str, other: str, same: bool) -> None:
    assert is_same_origin(parse_uri(one), parse_uri(other)) is same


# Frames by hand.


async def test_write_frame() -> None:
    async with pair(classic) as (client, server):
        await client.write_frame(False, Opcode.BINARY, b"one ")
        await client.write_frame(False, Opcode.CONT, bytearray(b"two "))
        await client.write_frame(True, Opcode.CONT, b"three")
        assert await server.recv() == b"one two three"
        await server.write_frame(True, 1, "é".encode())
        assert await client.recv() == "é"


async def test_write_frame_says_what_is_wrong() -> None:
    async with pair(classic) as (client, server):
        with pytest.raises(ValueError, match="opcode must be 0, 1 or 2 .* got 9"):
            await client.write_frame(True, 9, b"")
        with pytest.raises(ProtocolError, match="unexpected continuation"):
            await client.write_frame(True, 0, b"")
        await server.close()
        with pytest.raises(ConnectionClosedOK):
            await client.write_frame(True, 1, b"")
