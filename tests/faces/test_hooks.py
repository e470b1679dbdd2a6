"""Everything that users may hand in or override is really called."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http
import warnings
from typing import Any
from unittest import mock

import pytest

from faces.support import (
    REQUEST,
    Face,
    FakeServer,
    FakeTransport,
    Logs,
    deliver_alone,
    echo,
    frame,
    masked,
    pair,
    raw_client,
    turns,
    until,
    uri_of,
)
from websockets.classic.client import WebSocketClientProtocol
from websockets.classic.exceptions import AbortHandshake, InvalidStatusCode
from websockets.classic.handshake import check_request
from websockets.classic.server import WebSocketServerProtocol
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidMessage,
    InvalidOrigin,
    NegotiationError,
)

# Handlers.


class Handlers:
    async def method(self, websocket: Any) -> None:
        await websocket.send("no path")

    async def method_with_path(self, websocket: Any, path: str) -> None:
        await websocket.send(path)

    async def __call__(self, websocket: Any, path: str) -> None:
        await websocket.send(path)

    @classmethod
    async def of_class(cls, websocket: Any, path: str) -> None:
        await websocket.send(path)


async def one(websocket: Any) -> None:
    await websocket.send("no path")


async def two(websocket: Any, path: str) -> None:
    await websocket.send(path)


async def default(websocket: Any, path: str = "default") -> None:
    await websocket.send(path)


async def anything(*args: Any) -> None:
    await args[0].send(str(len(args)))


async def extra(websocket: Any, path: str, extra_argument: str) -> None:
    await websocket.send(path + extra_argument)


async def extra_only(extra_argument: str, websocket: Any) -> None:
    await websocket.send(extra_argument)


@pytest.mark.parametrize(
    "handler, answer",
    [
        (one, "no path"),
        (two, "/path"),
        (default, "default"),
        (anything, "1"),
        (Handlers().method, "no path"),
        (Handlers().method_with_path, "/path"),
        (Handlers(), "/path"),
        (Handlers.of_class, "/path"),
        (functools.partial(extra, extra_argument="spam"), "/pathspam"),
        (functools.partial(extra_only, "spam"), "spam"),
        (lambda websocket: one(websocket), "no path"),
        (lambda websocket, path: two(websocket, path), "/path"),
        (mock.AsyncMock(side_effect=one), "no path"),
    ],
)
async def test_handlers_of_all_kinds(face: Face, handler: Any, answer: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with face.serve(handler, "localhost", 0) as server:
            for _ in range(2):
                async with face.connect(uri_of(server, "/path")) as client:
                    assert await client.recv() == answer


# process_request.


async def teapot(path: str, headers: Headers) -> Any:
    if path == "/tea":
        return http.HTTPStatus.IM_A_TEAPOT, {"X-A": "b"}, b"tea\n"
    return None


def sync_teapot(path: str, headers: Headers) -> Any:
    if path == "/tea":
        return 418, [("X-A", "b")], bytearray(b"tea\n")
    return None


class Teapot(WebSocketServerProtocol):
    async def process_request(self, path: str, request_headers: Headers) -> Any:
        assert self.path == path
        assert self.request_headers is request_headers
        return await teapot(path, request_headers)


class SyncTeapot(WebSocketServerProtocol):
    def process_request(self, path: str, request_headers: Headers) -> Any:
        return sync_teapot(path, request_headers)


class Aborting(WebSocketServerProtocol):
    async def process_request(self, path: str, request_headers: Headers) -> Any:
        if path == "/tea":
            raise AbortHandshake(418, {"X-A": "b"}, b"tea\n")


@pytest.mark.parametrize(
    "options",
    [
        {"process_request": teapot},
        {"process_request": sync_teapot},
        {"create_protocol": Teapot},
        {"create_protocol": SyncTeapot},
        {"create_protocol": Aborting},
    ],
)
async def test_answering_http_on_the_same_port(face: Face, options: Any) -> None:
    async with face.serve(echo, "localhost", 0, **options) as server:
        with pytest.raises(InvalidStatusCode) as caught:
            await face.connect(uri_of(server, "/tea"))
        headers = caught.value.headers
        assert caught.value.status_code == 418
        assert caught.value.response.body == b"tea\n"
        assert headers["X-A"] == "b"
        assert headers["Content-Length"] == "4"
        assert headers["Content-Type"] == "text/plain"
        assert headers["Connection"] == "close"
        assert "Date" in headers
        assert "websockets" in headers["Server"]
        async with raw_client(server) as raw:
            # Not even a handshake is needed.
            raw.write(b"GET /tea HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await raw.read_all()).endswith(b"\r\n\r\ntea\n")
        async with face.connect(uri_of(server, "/chat")) as client:
            await client.send("a")
            assert await client.recv() == "a"


async def test_headers_of_an_answer_are_kept(face: Face) -> None:
    headers = {
        "Content-Type": "text/html",
        "Server": "mine",
        "Date": "now",
        "Connection": "keep-alive",
    }
    async with face.serve(
        echo, "localhost", 0, process_request=lambda p, h: (200, headers, b"<p>")
    ) as server:
        with pytest.raises(InvalidStatusCode) as caught:
            await face.connect(uri_of(server))
        assert {name: caught.value.headers[name] for name in headers} == headers


@pytest.mark.parametrize(
    "answer", [42, (200, {}), (200, {}, "str"), (999, {}, b""), (200, 42, b""), "abc"]
)
async def test_answers_that_make_no_sense(face: Face, logs: Logs, answer: Any) -> None:
    async with face.serve(
        echo, "localhost", 0, process_request=lambda p, h: answer
    ) as server:
        with pytest.raises(InvalidStatusCode, match="500"):
            await face.connect(uri_of(server))
    assert logs.texts(40) == ["opening handshake failed"]


async def test_a_failing_process_request(face: Face, logs: Logs) -> None:
    async def process_request(path: str, headers: Headers) -> None:
        raise ZeroDivisionError

    async with face.serve(
        echo, "localhost", 0, process_request=process_request
    ) as server:
        with pytest.raises(InvalidStatusCode) as caught:
            await face.connect(uri_of(server))
        assert b"See server log" in caught.value.response.body
    assert logs.texts(40) == ["opening handshake failed"]


# Negotiation.


async def test_select_subprotocol_as_an_argument(face: Face) -> None:
    def select(client: Any, server: Any) -> Any:
        assert list(server) == ["one", "two"]
        return client[-1] if "one" in client else None

    options = {"subprotocols": ["one", "two"], "select_subprotocol": select}
    async with pair(face, options, {"subprotocols": ["one", "two"]}) as (client, _):
        assert client.subprotocol == "two"
    async with pair(face, options, {"subprotocols": ["other"]}) as (client, _):
        assert client.subprotocol is None


class Negotiating(WebSocketServerProtocol):
    calls: list[str] = []

    def select_subprotocol(self, client_subprotocols: Any, server_subprotocols: Any):  # type: ignore[no-untyped-def]
        self.calls.append("select_subprotocol")
        return super().select_subprotocol(client_subprotocols, server_subprotocols)

    def process_subprotocol(self, headers: Any, available_subprotocols: Any) -> Any:
        self.calls.append("process_subprotocol")
        return super().process_subprotocol(headers, available_subprotocols)

    @staticmethod
    def process_origin(headers: Any, origins: Any = None) -> Any:
        Negotiating.calls.append("process_origin")
        return WebSocketServerProtocol.process_origin(headers, origins)

    @staticmethod
    def process_extensions(headers: Any, available_extensions: Any) -> Any:
        Negotiating.calls.append("process_extensions")
        return WebSocketServerProtocol.process_extensions(headers, available_extensions)


class ClientNegotiating(WebSocketClientProtocol):
    calls: list[str] = []

    @staticmethod
    def process_subprotocol(headers: Any, available_subprotocols: Any) -> Any:
        ClientNegotiating.calls.append("process_subprotocol")
        return "overridden"

    @staticmethod
    def process_extensions(headers: Any, available_extensions: Any) -> Any:
        ClientNegotiating.calls.append("process_extensions")
        return WebSocketClientProtocol.process_extensions(headers, available_extensions)


async def test_negotiation_methods_are_called(face: Face) -> None:
    Negotiating.calls.clear()
    ClientNegotiating.calls.clear()
    async with pair(
        face,
        {"create_protocol": Negotiating, "subprotocols": ["a", "b"]},
        {"create_protocol": ClientNegotiating, "subprotocols": ["b"]},
    ) as (client, server):
        assert server.subprotocol == "b"
        assert client.subprotocol == "overridden"
    assert sorted(Negotiating.calls) == [
        "process_extensions",
        "process_origin",
        "process_subprotocol",
        "select_subprotocol",
    ]
    assert sorted(ClientNegotiating.calls) == [
        "process_extensions",
        "process_subprotocol",
    ]


@pytest.mark.parametrize(
    "name, error, status",
    [
        ("process_origin", InvalidOrigin("http://x"), 403),
        ("process_subprotocol", NegotiationError("no"), 400),
        ("select_subprotocol", NegotiationError("no"), 400),
        ("process_extensions", ZeroDivisionError(), 500),
    ],
)
async def test_negotiation_methods_that_refuse(
    face: Face, name: str, error: Exception, status: int
) -> None:
    with mock.patch.object(WebSocketServerProtocol, name, side_effect=error):
        async with face.serve(echo, "localhost", 0, subprotocols=["a"]) as server:
            with pytest.raises(InvalidStatusCode, match=str(status)):
                await face.connect(uri_of(server), subprotocols=["a"])


# create_protocol.


class Extra(WebSocketServerProtocol):
    def __init__(self, extra_argument: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.extra_argument = extra_argument


class ClientExtra(WebSocketClientProtocol):
    def __init__(self, extra_argument: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.extra_argument = extra_argument


async def test_create_protocol_as_a_partial(face: Face) -> None:
    async with pair(
        face,
        {"create_protocol": functools.partial(Extra, extra_argument="spam")},
        {"create_protocol": functools.partial(ClientExtra, extra_argument="eggs")},
    ) as (client, server):
        assert type(server) is Extra
        assert server.extra_argument == "spam"
        assert type(client) is ClientExtra
        assert client.extra_argument == "eggs"


async def test_create_protocol_as_a_function(face: Face) -> None:
    seen: dict[str, Any] = {}

    def create(*args: Any, **kwargs: Any) -> WebSocketServerProtocol:
        seen.update(kwargs)
        return WebSocketServerProtocol(*args, **kwargs)

    def create_client(**kwargs: Any) -> WebSocketClientProtocol:
        seen.update(client=kwargs)
        return WebSocketClientProtocol(**kwargs)

    async with pair(
        face,
        {"create_protocol": create, "max_size": 3},
        {"create_protocol": create_client, "max_size": 4},
    ) as (client, server):
        assert server.max_size == seen["max_size"] == 3
        assert client.max_size == seen["client"]["max_size"] == 4
        assert client.host == "localhost"
        assert client.port == server.local_address[1]
        assert client.secure is False


class Everything(WebSocketServerProtocol):
    """Overrides all that lives as long as the connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.calls: list[str] = []
        super().__init__(*args, **kwargs)

    def note(self, name: str) -> None:
        if name not in self.calls:
            self.calls.append(name)

    def connection_made(self, transport: Any) -> None:
        self.note("connection_made")
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.note("connection_lost")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        self.note("data_received")
        super().data_received(data)

    def eof_received(self) -> bool | None:
        self.note("eof_received")
        return super().eof_received()

    async def handler(self) -> None:
        self.note("handler")
        await super().handler()

    async def handshake(self, *args: Any, **kwargs: Any) -> str:
        path = await super().handshake(*args, **kwargs)
        self.note(f"handshake {path}")
        return path

    async def recv(self) -> Any:
        self.note("recv")
        return await super().recv()

    async def send(self, message: Any) -> None:
        self.note("send")
        await super().send(message)

    async def ping(self, data: Any = None) -> Any:
        self.note("ping")
        return await super().ping(data)

    async def pong(self, data: Any = b"") -> None:
        self.note("pong")
        await super().pong(data)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.note("close")
        await super().close(code, reason)


async def test_overridden_methods_are_called(face: Face) -> None:
    seen = []

    async def handler(websocket: Any) -> None:
        seen.append(websocket)
        async for message in websocket:
            await websocket.send(message)
        with contextlib.suppress(ConnectionClosedOK):
            await websocket.ping()

    async with face.serve(
        handler, "localhost", 0, create_protocol=Everything
    ) as server:
        async with face.connect(uri_of(server, "/p")) as client:
            await client.send("a")
            assert await client.recv() == "a"
    (websocket,) = seen
    assert sorted(websocket.calls) == [
        "close", "connection_lost", "connection_made", "data_received",
        "handler", "handshake /p", "ping", "recv", "send",
    ]  # fmt: skip


class HandsOff(WebSocketServerProtocol):
    """A connection whose handler neither shakes hands nor goes on."""

    async def handler(self) -> None:
        self.transport.abort()


async def test_handler_that_is_not_ours(face: Face) -> None:
    async with face.serve(one, "localhost", 0, create_protocol=HandsOff) as server:
        with pytest.raises((OSError, InvalidMessage, EOFError)):
            await face.connect(uri_of(server))
    # That its task has ended isn't an error of the handshake.
    assert server.rejected == {"lost": 1}


class PassesOn(WebSocketServerProtocol):
    """A connection that outlives its handler."""

    async def handler(self) -> None:
        await self.handshake()
        asyncio.get_running_loop().create_task(self.ws_handler(self))


async def test_handler_that_passes_the_connection_on(face: Face) -> None:
    """It counts until it is lost, and is closed with the server."""
    async with face.serve(echo, "localhost", 0, create_protocol=PassesOn) as server:
        client = await face.connect(uri_of(server))
        await client.send("hello")
        assert await client.recv() == "hello"
        [connection] = server.live
        assert connection.handler_task.done()
        assert server.stats.messages_received == 1
    await client.wait_closed()
    assert client.close_code == 1001
    assert not server.live


class ClientEverything(WebSocketClientProtocol):
    calls: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self.calls.append("connection_made")
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("connection_lost")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if "data_received" not in self.calls:
            self.calls.append("data_received")
        super().data_received(data)

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        self.calls.append("handshake")
        await super().handshake(*args, **kwargs)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.calls.append("close")
        await super().close(code, reason)

    async def recv(self) -> Any:
        return f"<{await super().recv()!r}>"


async def test_overridden_methods_of_clients_are_called(face: Face) -> None:
    ClientEverything.calls.clear()
    async with face.serve(one, "localhost", 0) as server:
        async with face.connect(
            uri_of(server), create_protocol=ClientEverything
        ) as client:
            assert [message async for message in client] == ["<'no path'>"]
    assert ClientEverything.calls == [
        "connection_made", "handshake", "data_received", "connection_lost", "close",
    ]  # fmt: skip


async def test_attributes_can_be_assigned_on_instances(face: Face) -> None:
    async with pair(face) as (client, server):
        sent = []

        async def send(message: Any) -> None:
            sent.append(message)
            await type(client).send(client, message)

        async def recv() -> Any:
            return (await type(client).recv(client)).upper()

        client.send = send
        client.recv = recv
        await client.send("a")
        assert sent == ["a"]
        assert await server.recv() == "a"
        await server.send("b")
        assert await client.recv() == "B"
        await server.send("c")
        closing = asyncio.create_task(server.close())
        assert [message async for message in client] == ["C"]
        await closing
        client.anything = 42
        client.id = 42
        assert client.id == 42


async def test_mocking_methods(face: Face) -> None:
    async with pair(face) as (client, server):
        with mock.patch.object(client, "send") as send:
            await client.send("mocked")
            send.assert_awaited_once_with("mocked")
        with mock.patch.object(type(client), "recv", autospec=True) as recv:
            recv.return_value = "mocked"
            assert await client.recv() == "mocked"
        await client.send("real")
        assert await server.recv() == "real"
        assert asyncio.iscoroutinefunction(client.recv)
        assert asyncio.iscoroutinefunction(client.send)


# Overriding the handshake.


class Refusing(WebSocketServerProtocol):
    error: Exception = AbortHandshake(402, {}, b"pay\n")

    async def handshake(self, *args: Any, **kwargs: Any) -> str:
        await self.read_http_request()
        raise self.error


@pytest.mark.parametrize(
    "error, status, body",
    [
        (AbortHandshake(402, {"X": "y"}, b"pay\n"), 402, b"pay\n"),
        (InvalidOrigin("o"), 403, b"invalid Origin header: o"),
        (InvalidOrigin("\udcff"), 403, b"invalid Origin header: \\udcff"),
        (ZeroDivisionError(), 500, b""),
    ],
)
async def test_a_handshake_that_refuses(
    face: Face, error: Exception, status: int, body: bytes
) -> None:
    class Protocol(Refusing):
        pass

    Protocol.error = error
    async with face.serve(echo, "localhost", 0, create_protocol=Protocol) as server:
        with pytest.raises(InvalidStatusCode) as caught:
            await face.connect(uri_of(server))
        assert caught.value.status_code == status
        assert body in caught.value.response.body


class ByHand(WebSocketServerProtocol):
    async def handshake(self, *args: Any, **kwargs: Any) -> str:
        from websockets.legacy.handshake import build_response, check_request

        path, headers = await self.read_http_request()
        response = Headers()
        build_response(response, check_request(headers))
        response["X-By"] = "hand"
        self.write_http_response(http.HTTPStatus.SWITCHING_PROTOCOLS, response)
        self.path = path
        return path


async def test_a_handshake_by_hand(face: Face) -> None:
    async with face.serve(two, "localhost", 0, create_protocol=ByHand) as server:
        async with face.connect(uri_of(server, "/p")) as client:
            assert client.response_headers["X-By"] == "hand"
            assert await client.recv() == "/p"
        async with raw_client(server) as raw:
            raw.write(b"junk\r\n\r\n")
            assert b" 400 " in await raw.read_all()
        async with raw_client(server) as raw:
            raw.writer.transport.abort()


# A framework with a server of its own.


class Framework(WebSocketServerProtocol):
    """As web frameworks do it: everything is brought along."""

    def __init__(self, server: FakeServer, transport: Any) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport = transport
        self.ws_server = server
        self.accepted = asyncio.Event()
        super().__init__(
            ws_handler=self.ws_handler_, ws_server=server, max_size=100, logger=None
        )
        self.extra_headers = []
        assert self.transport is transport
        assert self.ws_server is server

    async def process_request(self, path: str, request_headers: Headers) -> Any:
        self.scope = path, request_headers["Host"]
        check_request(request_headers)
        if path == "/refuse":
            return http.HTTPStatus.FORBIDDEN, [], b""
        await asyncio.sleep(0)
        self.extra_headers.append(("X-Framework", "yes"))
        return None

    def process_subprotocol(self, headers: Any, available_subprotocols: Any) -> Any:
        return "chosen"

    async def ws_handler_(self, protocol: Any, path: str) -> None:
        assert protocol is self
        self.accepted.set()
        await echo(self)


async def test_a_framework_of_its_own() -> None:
    server = FakeServer()
    transport = FakeTransport(peername=("::1", 1234))
    connection = Framework(server, transport)
    transport.protocol = connection
    connection.connection_made(transport)
    assert server.connections == [connection]
    connection.data_received(REQUEST + b"\r\n")
    transport.set_protocol(connection)
    await connection.accepted.wait()
    head = b"".join(transport.written).decode()
    assert head.startswith("HTTP/1.1 101 ")
    assert "X-Framework: yes\r\n" in head
    assert "Sec-WebSocket-Protocol: chosen\r\n" in head
    assert connection.scope == ("/chat?x=1", "localhost")
    assert connection.open
    assert connection.max_size == 100
    assert connection.remote_address == ("::1", 1234)
    transport.written.clear()
    connection.data_received(masked((1, b"hello")))
    await deliver_alone(connection, masked((2, b"again")))
    await until(lambda: len(b"".join(transport.written)) == 14)
    assert b"".join(transport.written) == frame(1, "hello") + frame(2, b"again")
    connection.fail_connection(1012)
    assert connection.close_sent is not None
    connection.connection_lost(None)
    await until(lambda: not server.connections)
    assert connection.closed


async def test_a_framework_that_refuses() -> None:
    server = FakeServer()
    transport = FakeTransport()
    connection = Framework(server, transport)
    transport.protocol = connection
    connection.connection_made(transport)
    connection.data_received(REQUEST.replace(b"/chat?x=1", b"/refuse") + b"\r\n")
    await until(lambda: transport.written)
    assert b"".join(transport.written).startswith(b"HTTP/1.1 403 Forbidden\r\n")
    # The framework may still write to the transport: its stream has no end yet.
    assert transport.calls == ["close"]
    await until(lambda: not server.connections)


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("Sec-WebSocket-Key", b"400 Bad Request", b"missing Sec-WebSocket-Key header"),
        ("Upgrade", b"426 Upgrade Required", b"missing Upgrade header"),
    ],
)
async def test_a_framework_that_checks_requests(
    name: str, status: bytes, text: bytes
) -> None:
    """What its check finds wrong is answered as what ours does."""
    server = FakeServer()
    transport = FakeTransport()
    connection = Framework(server, transport)
    transport.protocol = connection
    connection.connection_made(transport)
    lines = REQUEST.splitlines(keepends=True)
    wrong = [line for line in lines if not line.startswith(name.encode() + b":")]
    assert len(wrong) == len(lines) - 1
    connection.data_received(b"".join(wrong) + b"\r\n")
    await until(lambda: transport.written)
    head, _, body = b"".join(transport.written).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert body.startswith(b"Failed to open a WebSocket connection: " + text)
    assert isinstance(connection.protocol.handshake_exc, InvalidHandshake)
    await until(lambda: not server.connections)


async def test_a_framework_that_fails_a_connection() -> None:
    """Once a connection is open, its end is as with any other server."""
    server = FakeServer()
    transport = FakeTransport()
    connection = Framework(server, transport)
    transport.protocol = connection
    connection.connection_made(transport)
    connection.data_received(REQUEST + b"\r\n")
    await connection.accepted.wait()
    connection.fail_connection(1012)
    assert transport.calls == ["write_eof"]
    connection.connection_lost(None)
    await until(lambda: not server.connections)


async def test_a_framework_that_shuts_down() -> None:
    server = FakeServer()
    server.serving = False
    transport = FakeTransport()
    connection = Framework(server, transport)
    transport.protocol = connection
    connection.connection_made(transport)
    connection.data_received(REQUEST + b"\r\n")
    await until(lambda: transport.written)
    assert b"".join(transport.written).startswith(b"HTTP/1.1 503 ")
    await until(lambda: not server.connections)


async def test_a_handshake_done_by_someone_else() -> None:
    """The common class without a handshake: it is opened by hand."""
    from websockets.classic.protocol import WebSocketCommonProtocol

    transport = FakeTransport()
    connection = WebSocketCommonProtocol(loop=asyncio.get_running_loop(), secure=True)
    transport.protocol = connection
    connection.connection_made(transport)
    assert connection.secure
    connection.connection_open()
    assert connection.open
    await deliver_alone(connection, masked((1, b"hello")))
    assert await connection.recv() == "hello"
    await connection.send("hi")
    await connection.drain()
    assert transport.written == [frame(1, "hi")]
    closing = asyncio.create_task(connection.close())
    await turns(1)
    await deliver_alone(connection, frame(8, b"\x03\xe8", mask=True))
    await closing
    assert str(connection.connection_closed_exc()).startswith("sent 1000 (OK)")
