"""What tests of connections are made of: faces, pairs, raw peers, fake transports."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import pathlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import websockets
from websockets.asyncio import client as modern_client
from websockets.asyncio import server as modern_server
from websockets.datastructures import Headers
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.utils import accept_key

CERTIFICATES = pathlib.Path(__file__).parents[1] / "certificates"

#: A handshake request, without its last empty line.
REQUEST = (
    b"GET /chat?x=1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
)


class Face:
    """One API in one shape, so that a test can be run with each.

    Args:
        name: what tests are called by.
        module: where ``connect``, ``serve``... are.

    """

    def __init__(self, name: str, module: Any) -> None:
        self.name = name
        self.connect: Callable[..., Any] = module.connect
        self.serve: Callable[..., Any] = module.serve
        self.unix_connect: Callable[..., Any] = module.unix_connect
        self.unix_serve: Callable[..., Any] = module.unix_serve
        self.broadcast: Callable[..., Any] = module.broadcast

    def __str__(self) -> str:
        return self.name


classic = Face("classic", websockets)


class Classic:
    """The classic names of a modern connection, for tests that ask for them."""

    protocol: Any
    request: Any
    response: Any

    @property
    def open(self) -> bool:
        return self.protocol.state is State.OPEN

    @property
    def closed(self) -> bool:
        return self.protocol.state is State.CLOSED

    @property
    def path(self) -> Any:
        return self.request.path

    @property
    def request_headers(self) -> Any:
        return self.request.headers

    @property
    def response_headers(self) -> Any:
        return self.response.headers

    @property
    def extensions(self) -> Any:
        return self.protocol.extensions

    @property
    def close_rcvd(self) -> Any:
        return self.protocol.close_rcvd

    @property
    def close_sent(self) -> Any:
        return self.protocol.close_sent

    async def ensure_open(self) -> None:
        await self._open()  # type: ignore[attr-defined]

    @property
    def messages(self) -> Any:
        return self._inbox.messages  # type: ignore[attr-defined]

    def fail_connection(self, code: int = 1006, reason: str = "") -> None:
        self.fail(code, reason)  # type: ignore[attr-defined]


class ModernClient(Classic, modern_client.ClientConnection):
    """A modern client's connection, with the classic names."""


class ModernServerSide(Classic, modern_server.ServerConnection):
    """A modern server's connection, with the classic names."""


class Modern(Face):
    """The modern API, its arguments and attributes by their classic names."""

    def __init__(self) -> None:
        super().__init__("modern", self)

    @staticmethod
    def _to_connect(kwargs: dict[str, Any]) -> dict[str, Any]:
        if "extra_headers" in kwargs:
            kwargs["additional_headers"] = kwargs.pop("extra_headers")
        return {"create_connection": ModernClient, **kwargs}

    @staticmethod
    def _to_serve(kwargs: dict[str, Any]) -> dict[str, Any]:
        extra_headers = kwargs.pop("extra_headers", None)

        def add(connection: Any, request: Any, response: Any) -> None:
            headers = extra_headers
            if callable(headers):
                headers = headers(request.path, request.headers)
            response.headers.update(headers or {})

        if extra_headers is not None:
            kwargs["process_response"] = add
        if "process_request" in kwargs:
            kwargs["process_request"] = _with_request(kwargs["process_request"])
        return {"create_connection": ModernServerSide, **kwargs}

    def connect(self, uri: Any, **kwargs: Any) -> Any:
        return modern_client.connect(uri, **self._to_connect(kwargs))

    def unix_connect(self, *args: Any, **kwargs: Any) -> Any:
        return modern_client.unix_connect(*args, **self._to_connect(kwargs))

    def serve(self, *args: Any, **kwargs: Any) -> Any:
        return self._named(modern_server.serve(*args, **self._to_serve(kwargs)))

    def unix_serve(self, *args: Any, **kwargs: Any) -> Any:
        return self._named(modern_server.unix_serve(*args, **self._to_serve(kwargs)))

    def broadcast(self, *args: Any, **kwargs: Any) -> None:
        modern_server.broadcast(*args, **kwargs)

    @staticmethod
    def _named(server: Any) -> Any:
        server.websockets = server.live
        server.ws_server = server
        return server


def _with_request(process_request: Any) -> Any:
    """Return a classic ``process_request`` in the modern shape."""

    async def ask(connection: Any, request: Any) -> Any:
        answer = process_request(request.path, request.headers)
        if inspect.isawaitable(answer):
            answer = await answer
        if answer is None:
            return None
        status, headers, body = answer
        response = connection.respond(status, body.decode())
        response.headers.update(headers)
        return response

    return ask


modern = Modern()

#: Tests of what the modern API doesn't have, or has in another shape, which
#: test_modern_client and test_modern_server are about.
CLASSIC_ONLY: dict[str, list[str] | None] = {
    "test_broadcast": ["test_a_broadcast_does_not_wait"],
    "test_closing": ["test_a_close_behind_many_messages_is_seen"],
    "test_connecting": [
        *["test_what_the_handshake_carries", "test_a_failing_extra_headers_function"],
        *["test_no_common_subprotocol", "test_origins", "test_older_spellings"],
        *["test_an_empty_origin_stands_for_none", "test_wrong_handlers"],
        *["test_a_refusal_carries_the_response", "test_another_loop_is_an_error"],
        *["test_a_redirect_without_a_location"],
        *["test_wrong_arguments_fail_at_the_call"],
    ],
    "test_hooks": None,
    "test_liveness": [
        *["test_a_slow_application_does_not_cut_its_peer", "test_write_limits"],
        *["test_a_peer_that_does_not_read_slows_us_down"],
    ],
    "test_messages": ["test_sending_before_the_handshake_is_an_error"],
    "test_reconnecting": [
        *["test_failed_attempts_wait_longer_and_longer"],
        *["test_handshakes_that_fail_are_tried_again"],
    ],
    "test_server_life": [
        *["test_what_a_server_tells", "test_a_server_closed_by_a_hook_answers_503"],
    ],
    "test_transports": ["test_tls"],
}


def is_classic_only(module: str, test: str) -> bool:
    """Tell whether a test isn't for the modern API; None stands for all."""
    names = CLASSIC_ONLY.get(module.rpartition(".")[2], [])
    return names is None or test in names


#: Every face that behaviour tests are run with.
FACES = [classic, modern]


class Logs(logging.Handler):
    """Collects log records."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        # Formatting what can't be formatted must fail the test.
        record.getMessage()
        self.records.append(record)

    def texts(self, level: int | None = None) -> list[str]:
        """Return the messages, all or those of one level."""
        return [
            record.getMessage()
            for record in self.records
            if level is None or record.levelno == level
        ]


async def echo(websocket: Any) -> None:
    """Send back what comes."""
    async for message in websocket:
        await websocket.send(message)


def port_of(server: Any) -> int:
    """Return the port that a server listens on."""
    port: int = server.sockets[0].getsockname()[1]
    return port


def uri_of(server: Any, path: str = "/", scheme: str = "ws") -> str:
    """Return a URI of a server on localhost."""
    return f"{scheme}://localhost:{port_of(server)}{path}"


@contextlib.asynccontextmanager
async def pair(
    face: Face,
    server: dict[str, Any] | None = None,
    client: dict[str, Any] | None = None,
) -> AsyncIterator[tuple[Any, Any]]:
    """Connect a client and a server's connection; give both.

    Args:
        face: which API.
        server: arguments for ``serve()``.
        client: arguments for ``connect()``.

    """
    accepted: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def handler(websocket: Any) -> None:
        accepted.set_result(websocket)
        await websocket.wait_closed()

    async with (
        face.serve(handler, "localhost", 0, **(server or {})) as running,
        face.connect(uri_of(running), **(client or {})) as connection,
    ):
        yield connection, await accepted


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop run until something holds."""
    while not condition():
        await asyncio.sleep(0)


async def turns(number: int) -> None:
    """Let the event loop run some iterations."""
    for _ in range(number):
        await asyncio.sleep(0)


def pass_time(connection: Any, seconds: float) -> None:
    """Have a connection find its clock ahead by so many seconds."""
    loop = asyncio.get_running_loop()
    connection.check_deadlines(loop.time() + seconds)


def frame(opcode: int, data: bytes | str = b"", **kwargs: Any) -> bytes:
    """Return a frame as a server sends it; ``mask=True`` for a client's."""
    mask = kwargs.pop("mask", False)
    data = data.encode() if isinstance(data, str) else data
    return Frame(Opcode(opcode), data, **kwargs).serialize(mask=mask)


def close_frame(code: int, reason: str = "", *, mask: bool = False) -> bytes:
    """Return a close frame."""
    return frame(8, Close(code, reason).serialize(), mask=mask)


class Raw:
    """One end of a stream that says what a test wants it to say."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    def write(self, data: bytes) -> None:
        """Say something."""
        self.writer.write(data)

    async def read_head(self) -> tuple[str, Headers]:
        """Read a request or a response up to its empty line."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = Headers()
        for line in lines:
            name, _, value = line.partition(":")
            headers[name] = value.strip()
        return first, headers

    async def read_frame(self) -> tuple[int, bytes]:
        """Read a frame; return its opcode and its unmasked payload."""
        first, second = await self.reader.readexactly(2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(
                await self.reader.readexactly(2 if size == 126 else 8), "big"
            )
        key = await self.reader.readexactly(4) if second & 0x80 else bytes(4)
        data = await self.reader.readexactly(size)
        return first & 0x0F, bytes(b ^ key[i & 3] for i, b in enumerate(data))

    async def read_all(self) -> bytes:
        """Read to the end of the stream, or its loss."""
        data = b""
        with contextlib.suppress(ConnectionError):
            while chunk := await self.reader.read(65536):
                data += chunk
        return data

    async def handshake(self, extra: bytes = b"") -> tuple[str, Headers]:
        """Send a good handshake request, and read the answer."""
        self.write(REQUEST + extra + b"\r\n")
        return await self.read_head()

    async def accept(self, extra: bytes = b"") -> Headers:
        """Read a handshake request, and accept it; return its headers."""
        _, headers = await self.read_head()
        accept = accept_key(headers["Sec-WebSocket-Key"]).encode()
        self.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n"
            + extra + b"\r\n"
        )  # fmt: skip
        return headers

    async def close(self) -> None:
        """End the connection."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def raw_client(server: Any) -> AsyncIterator[Raw]:
    """Connect to a server without any WebSocket."""
    raw = Raw(*await asyncio.open_connection("localhost", port_of(server)))
    try:
        yield raw
    finally:
        await raw.close()


@contextlib.asynccontextmanager
async def raw_server(script: Callable[[Raw], Awaitable[None]]) -> AsyncIterator[str]:
    """Serve a script that says what it wants; give the server's URI."""
    tasks: list[asyncio.Task[Any] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        raw = Raw(reader, writer)
        try:
            await script(raw)
        finally:
            await raw.close()

    server = await asyncio.start_server(serve, "localhost", 0)
    try:
        yield uri_of(server)
    except BaseException:
        for task in tasks:
            if task is not None:
                task.cancel()
        raise
    finally:
        server.close()
        await asyncio.gather(*(task for task in tasks if task is not None))
        await server.wait_closed()


class FakeTransport(asyncio.Transport):
    """Keeps what is written, and does what it's told.

    Attributes:
        written: what was handed in, one item for each call.
        buffered: how many bytes it says it still has to send.

    """

    def __init__(self, protocol: Any = None, **extra: Any) -> None:
        super().__init__(extra)
        self.protocol = protocol
        self.written: list[bytes] = []
        self.calls: list[str] = []
        self.buffered = 0
        self.limits: tuple[int | None, int | None] = (None, None)
        self.reading = True
        self.half_closes = True

    def write(self, data: Any) -> None:
        base = data.obj if type(data) is memoryview else data
        assert type(base) is bytes, "transports keep references: hand in bytes"
        self.written.append(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.calls.append("writelines")
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        self.calls.append("write_eof")

    def can_write_eof(self) -> bool:
        return self.half_closes

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        self.limits = (high, low)

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def pause_reading(self) -> None:
        self.calls.append("pause_reading")
        self.reading = False

    def resume_reading(self) -> None:
        self.calls.append("resume_reading")
        self.reading = True

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return "close" in self.calls or "abort" in self.calls

    def close(self) -> None:
        self._end("close")

    def abort(self) -> None:
        self._end("abort")

    def _end(self, how: str) -> None:
        closing = self.is_closing()
        self.calls.append(how)
        if not closing and self.protocol is not None:
            loop = asyncio.get_running_loop()
            loop.call_soon(self.protocol.connection_lost, None)


def deliver(connection: Any, data: bytes) -> None:
    """Hand in bytes as an event loop does; a task is running meanwhile."""
    while data:
        view = connection.get_buffer(-1)
        size = min(len(view), len(data))
        view[:size] = data[:size]
        data = data[size:]
        connection.buffer_updated(size)


async def deliver_alone(connection: Any, *chunks: bytes) -> None:
    """Hand in bytes as an event loop does: no task is running."""
    loop = asyncio.get_running_loop()
    for data in chunks:
        done: asyncio.Future[None] = loop.create_future()

        def call(data: bytes = data, done: asyncio.Future[None] = done) -> None:
            try:
                deliver(connection, data)
            finally:
                done.set_result(None)

        loop.call_soon(call)
        await done


class FakeServer:
    """The server object of a framework: it counts its connections."""

    def __init__(self) -> None:
        self.connections: list[Any] = []
        self.serving = True

    def register(self, connection: Any) -> None:
        self.connections.append(connection)

    def unregister(self, connection: Any) -> None:
        if connection in self.connections:
            self.connections.remove(connection)

    def is_serving(self) -> bool:
        return self.serving


def server_tls(**kwargs: Any) -> ssl.SSLContext:
    """Return a server's TLS context; ``verify`` to ask clients to prove theirs."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / "server.pem")
    if kwargs.get("verify"):
        context.load_verify_locations(CERTIFICATES / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_tls(**kwargs: Any) -> ssl.SSLContext:
    """Return a client's TLS context; ``certificate`` to bring one."""
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))
    if kwargs.get("certificate"):
        context.load_cert_chain(CERTIFICATES / "client.pem")
    return context


def masked(*frames: tuple[int, bytes]) -> bytes:
    """Return frames as a client sends them."""
    return b"".join(frame(opcode, data, mask=True) for opcode, data in frames)


def names(records: Sequence[logging.LogRecord]) -> set[str]:
    """Return the names of the loggers of these records."""
    return {record.name for record in records}
