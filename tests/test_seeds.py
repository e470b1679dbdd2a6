"""The user's FAQ and cheat sheet: every snippet and claim, as it stands there."""

from __future__ import annotations

import asyncio
import functools
import io
import logging
import os
import signal
import ssl
import subprocess
import sys
import threading
from typing import Any

import pytest

import websockets
from faces.support import (
    client_tls,
    echo,
    pass_time,
    port_of,
    raw_client,
    server_tls,
    turns,
    until,
    uri_of,
)
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.frames import Frame, Opcode

pytestmark = pytest.mark.usefixtures("clean_loop")


# Server side.


async def test_a_handler_that_exits_closes_the_connection() -> None:
    """Why does the server close the connection after processing one message?"""

    async def handler(websocket, path):  # type: ignore[no-untyped-def]
        print(await websocket.recv())

    async with websockets.serve(handler, "localhost", 0) as server:
        async with websockets.connect(uri_of(server)) as client:
            await client.send("a")
            await client.wait_closed()
            assert client.close_code == 1000


async def test_a_loop_processes_multiple_messages(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def handler(websocket, path):  # type: ignore[no-untyped-def]
        async for message in websocket:
            print(message)

    async with websockets.serve(handler, "localhost", 0) as server:
        async with websockets.connect(uri_of(server)) as client:
            for message in "abc":
                await client.send(message)
    assert capsys.readouterr().out == "a\nb\nc\n"


async def test_several_clients_at_a_time() -> None:
    """Why can only one client connect at a time? Not if handlers await."""
    inside = 0
    together = asyncio.Event()

    async def handler(websocket, path):  # type: ignore[no-untyped-def]
        nonlocal inside
        inside += 1
        if inside == 3:
            together.set()
        await together.wait()

    async with websockets.serve(handler, "localhost", 0) as server:
        clients = [await websockets.connect(uri_of(server)) for _ in range(3)]
        for client in clients:
            await client.wait_closed()
    assert inside == 3


async def test_additional_arguments_of_a_handler() -> None:
    seen = []

    async def handler(websocket, path, extra_argument):  # type: ignore[no-untyped-def]
        seen.append((path, extra_argument))

    bound_handler = functools.partial(handler, extra_argument="spam")
    start_server = websockets.serve(bound_handler, "localhost", 0)
    async with start_server as server:
        async with websockets.connect(uri_of(server, "/p")) as client:
            await client.wait_closed()
    assert seen == [("/p", "spam")]


async def test_http_headers() -> None:
    """For example cookies, during the handshake and after it."""
    seen = []

    class Protocol(websockets.WebSocketServerProtocol):
        async def process_request(self, path, request_headers):  # type: ignore[no-untyped-def]
            cookies = request_headers["Cookie"]
            seen.append(cookies)

    async def handler(websocket, path):  # type: ignore[no-untyped-def]
        cookies = websocket.request_headers["Cookie"]
        seen.append(cookies)

    async with websockets.serve(
        handler, "localhost", 0, create_protocol=Protocol
    ) as server:
        uri = uri_of(server)
        async with websockets.connect(uri, extra_headers={"Cookie": "a=b"}) as client:
            await client.wait_closed()
    assert seen == ["a=b", "a=b"]


async def test_the_address_of_the_client() -> None:
    seen = []

    async def handler(websocket, path):  # type: ignore[no-untyped-def]
        remote_ip = websocket.remote_address[0]
        seen.append(remote_ip)

    async with websockets.serve(handler, "127.0.0.1", 0) as server:
        uri = f"ws://127.0.0.1:{port_of(server)}/"
        async with websockets.connect(uri) as client:
            await client.wait_closed()
    assert seen == ["127.0.0.1"]


async def test_which_addresses_a_server_listens_to() -> None:
    async with websockets.serve(echo, host="127.0.0.1", port=0) as server:
        assert {s.getsockname()[0] for s in server.sockets} == {"127.0.0.1"}
    async with websockets.serve(echo, None, 0, reuse_address=True) as server:
        assert "0.0.0.0" in {s.getsockname()[0] for s in server.sockets}


async def test_http_and_websocket_on_the_same_port() -> None:
    """There's limited support for returning HTTP responses."""

    async def process_request(path: str, request_headers: Any) -> Any:
        if path == "/healthz":
            return 200, [], b"OK\n"
        return None

    async with websockets.serve(
        echo, "localhost", 0, process_request=process_request
    ) as server:
        async with raw_client(server) as raw:
            raw.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = await raw.read_all()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nOK\n")


# Client side.


async def test_the_context_manager_closes_the_connection() -> None:
    async with websockets.serve(echo, "localhost", 0) as server:
        async with websockets.connect(uri_of(server)) as websocket:
            assert websocket.open
        assert websocket.closed
        with pytest.raises(ZeroDivisionError):
            async with websockets.connect(uri_of(server)) as websocket:
                raise ZeroDivisionError
        assert websocket.closed


async def test_reconnecting() -> None:
    count = 0
    async with websockets.serve(echo, "localhost", 0) as server:
        async for websocket in websockets.connect(uri_of(server)):
            await websocket.send("a")
            assert await websocket.recv() == "a"
            count += 1
            await websocket.close()
            break
    assert count == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals for this")
async def test_stopping_a_client_with_a_signal() -> None:
    """It closes the connection, and its loop over messages ends."""
    loop = asyncio.get_running_loop()
    async with websockets.serve(echo, "localhost", 0) as server:
        async with websockets.connect(uri_of(server)) as websocket:
            # Close the connection when receiving SIGTERM.
            loop.add_signal_handler(
                signal.SIGTERM, lambda: loop.create_task(websocket.close())
            )
            await websocket.send("a")
            received = []
            # Process messages received on the connection.
            async for message in websocket:
                received.append(message)
                os.kill(os.getpid(), signal.SIGTERM)
            loop.remove_signal_handler(signal.SIGTERM)
    assert received == ["a"]


async def test_disabling_verification() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with websockets.serve(echo, "localhost", 0, ssl=server_tls()) as server:
        uri = uri_of(server, scheme="wss")
        for chosen in (context, client_tls()):
            async with websockets.connect(uri, ssl=chosen) as websocket:
                await websocket.send("a")


# Both sides.


async def test_two_things_in_parallel() -> None:
    async def consumer_handler(websocket: Any) -> None:
        async for message in websocket:
            consumed.append(message)

    async def producer_handler(websocket: Any) -> None:
        for message in "abc":
            await websocket.send(message)

    async def handler(websocket: Any, path: str) -> None:
        await asyncio.gather(consumer_handler(websocket), producer_handler(websocket))

    consumed: list[Any] = []
    async with websockets.serve(handler, "localhost", 0) as server:
        async with websockets.connect(uri_of(server)) as client:
            await client.send("x")
            assert [await client.recv() for _ in range(3)] == ["a", "b", "c"]
        await until(lambda: not server.websockets)
    assert consumed == ["x"]


async def test_waiting_for_the_first_of_two_tasks() -> None:
    async def handler(websocket: Any) -> None:
        receiving = asyncio.create_task(websocket.recv())
        other = asyncio.create_task(asyncio.Event().wait())
        done, pending = await asyncio.wait(
            [receiving, other], return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
        await websocket.send(done.pop().result())

    async with websockets.serve(handler, "localhost", 0) as server:
        async with websockets.connect(uri_of(server)) as client:
            await client.send("a")
            assert await client.recv() == "a"


async def test_a_simple_publish_subscribe() -> None:
    connected: set[Any] = set()

    async def handler(websocket: Any, path: str) -> None:
        connected.add(websocket)
        try:
            async for message in websocket:
                websockets.broadcast(connected, message)
        finally:
            connected.remove(websocket)

    async with websockets.serve(handler, "localhost", 0) as server:
        async with (
            websockets.connect(uri_of(server)) as one,
            websockets.connect(uri_of(server)) as other,
        ):
            await until(lambda: len(connected) == 2)
            await one.send("hello")
            assert await one.recv() == await other.recv() == "hello"
    assert not connected


async def test_code_1006_means_that_the_connection_was_lost() -> None:
    lost = asyncio.Event()

    async def handler(websocket: Any, path: str) -> None:
        try:
            await websocket.recv()
        except ConnectionClosedError as exc:
            assert exc.rcvd is exc.sent is None
            assert websocket.close_code == 1006
            lost.set()

    async with websockets.serve(handler, "localhost", 0) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            raw.writer.transport.abort()
        await lost.wait()


async def test_additional_arguments_of_a_protocol() -> None:
    """As it stands there, but for the handler."""

    class MyServerProtocol(websockets.WebSocketServerProtocol):
        def __init__(self, extra_argument, *args, **kwargs):  # type: ignore[no-untyped-def]
            super().__init__(*args, **kwargs)
            # do something with extra_argument
            self.extra_argument = extra_argument

    class MyClientProtocol(websockets.WebSocketClientProtocol):
        def __init__(self, extra_argument, *args, **kwargs):  # type: ignore[no-untyped-def]
            super().__init__(*args, **kwargs)
            self.extra_argument = extra_argument

    async def handler(websocket: Any, path: str) -> None:
        await websocket.send(websocket.extra_argument)

    create_protocol = functools.partial(MyServerProtocol, extra_argument="spam")
    start_server = websockets.serve(
        handler, "localhost", 0, create_protocol=create_protocol
    )
    # "The same pattern applies on a client."
    create_client = functools.partial(MyClientProtocol, extra_argument="eggs")
    async with start_server as server:
        async with websockets.connect(
            uri_of(server), create_protocol=create_client
        ) as client:
            assert client.extra_argument == "eggs"  # type: ignore[attr-defined]
            assert await client.recv() == "spam"


def test_an_attribute_that_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="module 'websockets' has no attribute"):
        _ = websockets.no_such_name


def test_synchronous_use() -> None:
    """Every call can be wrapped in run_until_complete()."""
    ready = threading.Event()
    stop: list[Any] = []
    uris: list[str] = []

    def serve() -> None:
        async def main() -> None:
            stopping = asyncio.Event()
            stop.extend([asyncio.get_running_loop(), stopping])
            async with websockets.serve(echo, "localhost", 0) as server:
                uris.append(uri_of(server))
                ready.set()
                await stopping.wait()

        asyncio.run(main())

    thread = threading.Thread(target=serve)
    thread.start()
    ready.wait()
    loop = asyncio.new_event_loop()
    try:
        websocket = loop.run_until_complete(_connect(uris[0]))
        loop.run_until_complete(websocket.send("a"))
        assert loop.run_until_complete(websocket.recv()) == "a"
        loop.run_until_complete(websocket.close())
    finally:
        stop[0].call_soon_threadsafe(stop[1].set)
        thread.join()
        loop.close()


async def _connect(uri: str) -> Any:
    return await websockets.connect(uri)


def test_awaitables_are_accepted_by_run_until_complete() -> None:
    """As in the oldest examples: a server is awaited by the loop itself."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(_start())
    server.close()
    loop.run_until_complete(server.wait_closed())
    loop.close()


async def _start() -> Any:
    return await websockets.serve(echo, "localhost", 0)


# Miscellaneous.


async def test_a_timeout_on_recv() -> None:
    async with websockets.serve(echo, "localhost", 0) as server:
        async with websockets.connect(uri_of(server)) as websocket:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(websocket.recv(), timeout=0.001)
            await websocket.send("a")
            assert await asyncio.wait_for(websocket.recv(), timeout=10) == "a"
            await asyncio.wait_for(websocket.send("b"), timeout=10)
            await asyncio.wait_for(await websocket.ping(), timeout=10)
            await asyncio.wait_for(websocket.close(), timeout=10)


async def test_idle_connections_are_kept_open() -> None:
    """Pings at 20 seconds intervals; closed if no pong comes within 20 seconds."""
    async with websockets.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            (connection,) = server.websockets
            assert (connection.ping_interval, connection.ping_timeout) == (20, 20)
            pass_time(connection, 19)
            assert not len(connection._session.pings)
            pass_time(connection, 20.01)
            assert (await raw.read_frame())[0] == 9
            pass_time(connection, 39)
            assert connection.open
            pass_time(connection, 40.1)
            assert not connection.open
            await raw.read_frame()
    options = {"ping_interval": 1, "ping_timeout": 2}
    async with websockets.serve(echo, "localhost", 0, **options) as server:
        async with websockets.connect(uri_of(server), ping_interval=None) as client:
            (connection,) = server.websockets
            assert (connection.ping_interval, connection.ping_timeout) == (1, 2)
            assert client.ping_interval is None


async def test_pings_are_answered() -> None:
    async with websockets.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            raw.write(Frame(Opcode.PING, b"data").serialize(mask=True))
            assert await raw.read_frame() == (10, b"data")


# The cheat sheet.


async def test_recv_and_send_raise_connection_closed() -> None:
    errors = []

    async def handler(websocket: Any, path: str) -> None:
        for operation in (websocket.recv(), websocket.send("a")):
            try:
                await operation
            except ConnectionClosed as exc:
                errors.append(exc)

    async with websockets.serve(handler, "localhost", 0) as server:
        async with websockets.connect(uri_of(server)):
            pass
        await until(lambda: not server.websockets)
    assert len(errors) == 2


async def test_wait_closed_detects_the_end_quickly() -> None:
    ended = asyncio.Event()

    async def handler(websocket: Any, path: str) -> None:
        await websocket.wait_closed()
        ended.set()

    async with websockets.serve(handler, "localhost", 0) as server:
        async with websockets.connect(uri_of(server)):
            await turns(2)
            assert not ended.is_set()
        await ended.wait()


async def test_ping_and_pong_are_there() -> None:
    async with websockets.serve(echo, "localhost", 0) as server:
        async with websockets.connect(uri_of(server)) as websocket:
            await websocket.pong()
            await (await websocket.ping())


async def test_closing_without_a_context_manager() -> None:
    async with websockets.serve(echo, "localhost", 0) as server:
        websocket = await websockets.connect(uri_of(server))
        await websocket.send("a")
        await websocket.close()
        assert websocket.closed


async def test_debugging() -> None:
    stream = io.StringIO()
    logger = logging.getLogger("websockets")
    handler = logging.StreamHandler(stream)
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        async with websockets.serve(echo, "localhost", 0) as server:
            async with websockets.connect(uri_of(server)):
                pass
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    assert "connection open\n" in stream.getvalue()


def test_a_whole_program_is_silent() -> None:
    """Nothing is left when asyncio.run() ends: no warning, no task, no socket."""
    program = """
import asyncio, websockets
async def handler(websocket, path):
    async for message in websocket:
        await websocket.send(message)
async def main():
    server = await websockets.serve(handler, "localhost", 0)
    port = server.sockets[0].getsockname()[1]
    one = await websockets.connect(f"ws://localhost:{port}/")
    async with websockets.connect(f"ws://localhost:{port}/") as other:
        await other.send("a")
        print(await other.recv())
    # One connection and the server are left to the end of the program.
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout == "a\n"
    assert done.returncode == 0
