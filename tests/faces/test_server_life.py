"""Servers: their start, their handlers, and their end."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import weakref
from typing import Any

import pytest

import websockets
from faces.support import (
    REQUEST,
    Face,
    FakeTransport,
    Logs,
    close_frame,
    echo,
    pass_time,
    port_of,
    raw_client,
    turns,
    until,
    uri_of,
)
from websockets.asyncio import listening
from websockets.asyncio.transports import listen_on
from websockets.classic.exceptions import InvalidStatusCode
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosedError,
    ConnectionClosedOK,
    ProtocolError,
)


async def wait_forever(websocket: Any) -> None:
    await websocket.wait_closed()


async def test_what_a_server_tells(face: Face, logs: Logs) -> None:
    async with face.serve(wait_forever, "127.0.0.1", 0) as server:
        assert server.is_serving()
        assert server.get_loop() is asyncio.get_running_loop()
        (sock,) = server.sockets
        assert sock.getsockname()[0] == "127.0.0.1"
        assert server.websockets == set()
        async with face.connect(uri_of(server)):
            await until(lambda: server.websockets)
            assert len(server.websockets) == 1
        await until(lambda: not server.websockets)
        port = port_of(server)
    assert server.sockets == ()
    texts = logs.texts(20)
    assert texts[0] == f"server listening on 127.0.0.1:{port}"
    assert texts[-2:] == ["server closing", "server closed"]
    assert texts[1:-2] == ["connection open", "connection closed"]


async def test_connections_have_what_users_give_them(face: Face) -> None:
    known = {"path", "ws_server", "ws_handler", "origin", "extra_headers"}

    async def handler(websocket: Any) -> None:
        websocket.mine = "mine"
        assert weakref.ref(websocket)() is websocket
        # Ours take less room elsewhere, of which the compiled build makes the most.
        assert not known & vars(websocket).keys()
        # The handshake takes less, too, until it is asked for.
        headers = vars(Headers)["_list"], vars(Headers)["_dict"]
        for message in websocket.request, websocket.response:
            for attribute in headers:
                with pytest.raises(AttributeError):
                    attribute.__get__(message.headers)
            assert message.headers["Upgrade"] == "websocket"
        await websocket.send(websocket.mine)

    async with face.serve(handler, "127.0.0.1", 0) as server:
        async with face.connect(uri_of(server)) as client:
            client.mine = "client's"
            assert weakref.ref(client)() is client
            assert not known & vars(client).keys()
            assert await client.recv() == "mine"
            assert client.response_headers["Upgrade"] == "websocket"


async def test_several_hosts(face: Face) -> None:
    async with face.serve(echo, ["127.0.0.1", "localhost"], 0) as server:
        for sock in server.sockets:
            host, port = sock.getsockname()[:2]
            host = f"[{host}]" if ":" in host else host
            async with face.connect(f"ws://{host}:{port}/") as client:
                await client.send("a")
                assert await client.recv() == "a"


async def test_starting_later(face: Face) -> None:
    server = await face.serve(echo, "localhost", 0, start_serving=False)
    assert not server.is_serving()
    await server.start_serving()
    assert server.is_serving()
    server.close()
    await server.wait_closed()


async def test_serving_for_ever(face: Face) -> None:
    server = await face.serve(wait_forever, "localhost", 0)
    task = asyncio.create_task(server.serve_forever())
    async with face.connect(uri_of(server)) as client:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert client.close_code == 1001
    assert not server.is_serving()


async def test_closing_with_a_wrong_code_changes_nothing(face: Face) -> None:
    async with face.serve(lambda ws: ws.wait_closed(), "localhost", 0) as server:
        for wrong in ({"code": 1005}, {"reason": "x" * 124}):
            with pytest.raises(ProtocolError):
                server.close(**wrong)
        assert server.is_serving()


async def test_serving_for_ever_ends_with_close(face: Face) -> None:
    server = await face.serve(echo, "localhost", 0)
    task = asyncio.create_task(server.serve_forever())
    await turns(2)
    server.close()
    await task


async def test_close_says_going_away(face: Face) -> None:
    server = await face.serve(wait_forever, "localhost", 0)
    async with face.connect(uri_of(server)) as client:
        server.close()
        server.close()
        with pytest.raises(ConnectionClosedOK) as caught:
            await client.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001
        await server.wait_closed()
        await server.wait_closed()


async def test_close_with_a_code_and_a_reason(face: Face) -> None:
    server = await face.serve(wait_forever, "localhost", 0)
    async with face.connect(uri_of(server)) as client:
        server.close(code=1012, reason="back soon")
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (1012, "back soon")
    await server.wait_closed()


async def test_close_may_leave_connections_alone(face: Face) -> None:
    server = await face.serve(echo, "localhost", 0)
    async with face.connect(uri_of(server)) as client:
        await client.send("a")
        assert await client.recv() == "a"
        server.close(close_connections=False)
        with pytest.raises(OSError):
            await face.connect(uri_of_port(client.remote_address[1]))
        await client.send("still there?")
        assert await client.recv() == "still there?"
        waiting = asyncio.create_task(server.wait_closed())
        await turns(3)
        assert not waiting.done()
    await waiting


def uri_of_port(port: int) -> str:
    return f"ws://localhost:{port}/"


async def test_close_waits_for_handlers(face: Face) -> None:
    ended = asyncio.Event()
    go = asyncio.Event()

    async def handler(websocket: Any) -> None:
        await websocket.wait_closed()
        await go.wait()
        ended.set()

    server = await face.serve(handler, "localhost", 0)
    async with face.connect(uri_of(server)):
        server.close()
        waiting = asyncio.create_task(server.wait_closed())
    await turns(5)
    assert not waiting.done()
    go.set()
    await waiting
    assert ended.is_set()


async def test_cancelling_wait_closed_changes_nothing(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        task = asyncio.create_task(server.wait_closed())
        await turns(1)
        task.cancel()
        await turns(2)
        assert server.is_serving()


@pytest.mark.parametrize("data", [b"", REQUEST, REQUEST + b"\r\n"])
async def test_handshakes_under_way_are_answered_503(face: Face, data: bytes) -> None:
    entered = asyncio.Event()

    async def process_request(path: str, headers: Any) -> None:
        entered.set()
        await asyncio.Event().wait()

    server = await face.serve(
        wait_forever, "localhost", 0, process_request=process_request
    )
    async with raw_client(server) as raw:
        raw.write(data)
        await until(lambda: server.websockets)
        if data.endswith(b"\r\n\r\n"):
            await entered.wait()
        server.close()
        answer = await raw.read_all()
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert answer.endswith(b"Server is shutting down.\n")
    await server.wait_closed()


@pytest.mark.parametrize("number", range(8))
async def test_closing_while_a_request_comes(face: Face, number: int) -> None:
    """Whenever it comes, it is answered, and the server comes to an end."""
    server = await face.serve(wait_forever, "localhost", 0)
    async with raw_client(server) as raw:
        await until(lambda: server.websockets)
        raw.write(REQUEST + b"\r\n")
        await turns(number)
        server.close()
        status, _ = await raw.read_head()
        assert status[9:12] in ("503", "101")
    await server.wait_closed()


async def test_a_connection_that_comes_after_the_server_was_closed() -> None:
    """It was accepted before, and a TLS handshake took its time."""
    server = await websockets.serve(wait_forever, "localhost", 0)
    server.close()
    connection = websockets.WebSocketServerProtocol(wait_forever, server)
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    assert b"".join(transport.written).startswith(b"HTTP/1.1 503 ")
    connection.data_received(REQUEST + b"\r\n")
    assert connection.handler_task is None
    connection.connection_lost(None)
    await server.wait_closed()
    assert not server.websockets


async def test_closing_after_a_refusal_that_the_peer_stays_with(face: Face) -> None:
    server = await face.serve(wait_forever, "localhost", 0)
    async with raw_client(server) as raw:
        raw.write(b"GET / HTTP/1.1\r\n\r\n")
        assert b" 426 " in await raw.read_all()
        server.close()
        await server.wait_closed()


async def test_a_server_closed_by_a_hook_answers_503(face: Face) -> None:
    async def process_request(path: str, headers: Any) -> None:
        server.close()

    server = await face.serve(
        wait_forever, "localhost", 0, process_request=process_request
    )
    with pytest.raises(InvalidStatusCode, match="503"):
        await face.connect(uri_of(server))
    await server.wait_closed()


async def test_a_client_that_does_not_answer_the_close_is_cut(face: Face) -> None:
    server = await face.serve(wait_forever, "localhost", 0)
    async with raw_client(server) as raw:
        await raw.handshake()
        (connection,) = server.websockets
        server.close()
        assert (await raw.read_frame())[0] == 8
        pass_time(connection, 11)
        await server.wait_closed()


# Handlers.


async def test_a_failing_handler(face: Face, logs: Logs) -> None:
    async def handler(websocket: Any) -> None:
        raise ZeroDivisionError("oops")

    async with face.serve(handler, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as client:
            with pytest.raises(ConnectionClosedError, match="1011 .internal error."):
                await client.recv()
    (record,) = [r for r in logs.records if r.levelno == 40]
    assert record.getMessage() == "connection handler failed"
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_a_handler_that_fails_after_the_end(face: Face, logs: Logs) -> None:
    async def handler(websocket: Any) -> None:
        await websocket.close()
        raise ZeroDivisionError

    async with face.serve(handler, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as client:
            with pytest.raises(ConnectionClosedOK):
                await client.recv()
    assert logs.texts(40) == ["connection handler failed"]


async def test_a_cancelled_handler(face: Face) -> None:
    async with face.serve(wait_forever, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as client:
            await until(lambda: server.websockets)
            (connection,) = server.websockets
            connection.handler_task.cancel()
            with pytest.raises(ConnectionClosedError, match="1011"):
                await client.recv()


async def test_cancelling_everything_ends_everything(face: Face) -> None:
    """As asyncio.run() does at its end: nothing may refuse to end."""
    server = await face.serve(wait_forever, "localhost", 0)
    client = await face.connect(uri_of(server))
    await until(lambda: server.websockets)
    server.close(close_connections=False)
    await turns(3)
    (connection,) = server.websockets
    connection.handler_task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connection.handler_task
    await client.wait_closed()
    await server.wait_closed()


async def test_a_handler_that_returns(face: Face) -> None:
    async def handler(websocket: Any) -> None:
        await websocket.send("bye")

    async with face.serve(handler, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as client:
            assert [message async for message in client] == ["bye"]
            assert client.close_code == 1000


async def test_handlers_run_with_the_context_of_their_own(face: Face) -> None:
    import contextvars

    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")
    seen = []

    async def handler(websocket: Any) -> None:
        variable.set(websocket.remote_address[1])
        async for message in websocket:
            seen.append(variable.get() == websocket.remote_address[1])
            await websocket.send(message)

    async with face.serve(handler, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as a, face.connect(uri_of(server)) as b:
            for client in (a, b, a, b):
                await client.send("x")
                await client.recv()
    assert seen == [True] * 4


async def test_a_stopped_server_refuses(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        uri = uri_of(server)
    with pytest.raises(OSError):
        await face.connect(uri)


async def test_a_client_that_leaves_after_the_response(face: Face) -> None:
    async with face.serve(wait_forever, "localhost", 0) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            raw.write(close_frame(1000, mask=True))
        await until(lambda: not server.websockets)


async def test_a_client_that_leaves_while_a_hook_waits(face: Face, logs: Logs) -> None:
    entered = asyncio.Event()
    go = asyncio.Event()

    async def process_request(path: str, headers: Any) -> None:
        entered.set()
        await go.wait()

    async with face.serve(
        wait_forever, "localhost", 0, process_request=process_request
    ) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + b"\r\n")
            await entered.wait()
        (connection,) = server.websockets
        await until(lambda: connection.closed)
        go.set()
        await until(lambda: not server.websockets)
    assert not logs.texts(40)


@pytest.mark.parametrize("how", ["timeout", "close"])
async def test_a_hook_that_outlives_its_client(face: Face, how: str) -> None:
    entered = asyncio.Event()

    async def process_request(path: str, headers: Any) -> None:
        entered.set()
        await asyncio.Event().wait()

    open_timeout = 0.01 if how == "timeout" else None
    async with face.serve(
        wait_forever,
        "localhost",
        0,
        process_request=process_request,
        open_timeout=open_timeout,
    ) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + b"\r\n")
            await entered.wait()
        if how == "timeout":
            await until(lambda: not server.websockets)
        else:
            (connection,) = server.websockets
            await until(lambda: connection.closed)
    assert not server.websockets


async def test_a_hook_that_takes_too_long(face: Face) -> None:
    async def process_request(path: str, headers: Any) -> None:
        await asyncio.Event().wait()

    async with face.serve(
        wait_forever, "localhost", 0, process_request=process_request, open_timeout=0.01
    ) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + b"\r\n")
            assert await raw.read_all() == b""
        await until(lambda: not server.websockets)


async def test_no_open_timeout(face: Face) -> None:
    async with face.serve(wait_forever, "localhost", 0, open_timeout=None) as server:
        async with raw_client(server) as raw:
            await until(lambda: server.websockets)
            (connection,) = server.websockets
            pass_time(connection, 10_000)
            assert (await raw.handshake())[0].endswith("101 Switching Protocols")


async def test_a_pre_made_socket(face: Face) -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    async with face.serve(echo, sock=sock) as server:
        async with face.connect(uri_of(server)) as client:
            await client.send("a")
            assert await client.recv() == "a"


async def test_how_many_wait_to_be_accepted(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than event loops have, unless the application says, but with asyncio.

    asyncio accepts as many in one iteration.
    """
    given = []

    async def listen(*args: Any, **options: Any) -> Any:
        given.append(options.get("backlog"))
        return await listen_on(*args, **options)

    monkeypatch.setattr(listening, "listen_on", listen)
    async with face.serve(echo, "localhost", 0):
        pass
    async with face.serve(echo, "localhost", 0, backlog=7):
        pass
    selects = isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop)
    assert list(dict.fromkeys(given)) == [None if selects else 256, 7]


# Event loops that accept one connection in each iteration.


def listeners(server: Any) -> int:
    """Return how many take connections from the server's sockets."""
    return 1 + len(server._acceptors) // max(len(server.sockets), 1)


def accepts_one() -> bool:
    """Tell whether the event loop accepts one connection in each iteration."""
    return type(asyncio.get_running_loop()).__module__.startswith("uvloop")


async def test_several_accept_where_each_accepts_one(face: Face) -> None:
    async with face.serve(echo, "127.0.0.1", 0) as server:
        assert listeners(server) == (8 if accepts_one() else 1)
        assert len(server.sockets) == 1
        sockets = [sock for acceptor in server._acceptors for sock in acceptor.sockets]
        for _ in range(20):
            async with face.connect(uri_of(server)) as client:
                await client.send("a")
                assert await client.recv() == "a"
        port = port_of(server)
    assert all(sock.fileno() == -1 for sock in sockets)
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_several_accept_once_the_server_does(face: Face) -> None:
    options = {"start_serving": False}
    async with face.serve(echo, "127.0.0.1", 0, **options) as server:
        assert listeners(server) == 1
        await server.start_serving()
        await server.start_serving()
        assert listeners(server) == (8 if accepts_one() else 1)
        async with face.connect(uri_of(server)):
            pass


async def test_fewer_accept_where_too_many_files_are_open(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [3]

    def duplicate(descriptor: int) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.EMFILE, "too many")
        return real(descriptor)

    real = os.dup
    monkeypatch.setattr(listening.os, "dup", duplicate)
    async with face.serve(echo, "127.0.0.1", 0) as server:
        assert listeners(server) == (4 if accepts_one() else 1)
        async with face.connect(uri_of(server)):
            pass


async def test_cancelling_while_more_are_made_to_accept(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not accepts_one():
        pytest.skip("one is enough")
    made: list[Any] = []
    real = listening.listen_on

    async def listen_on(*args: Any, **options: Any) -> Any:
        if len(made) == 3:
            raise asyncio.CancelledError
        made.append(await real(*args, **options))
        return made[-1]

    monkeypatch.setattr(listening, "listen_on", listen_on)
    with pytest.raises(asyncio.CancelledError):
        await face.serve(echo, "127.0.0.1", 0)
    assert len(made) == 3
    assert not any(server.is_serving() for server in made)
