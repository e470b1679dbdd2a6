"""Servers and connections in memory are as those on sockets, but for the sockets."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

import websockets
from faces.support import REQUEST, Face, Logs, Raw, echo, pass_time, turns, until
from websockets import testing
from websockets.asyncio.server import basic_auth
from websockets.asyncio.server import serve as modern_serve
from websockets.exceptions import (
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidStatus,
)
from websockets.http11 import Response
from websockets.testing import MemoryServer, VirtualClock, Wire, pair, serve, wire_of

USING: dict[str, Any] = {"classic": websockets.serve, "modern": modern_serve}


@pytest.fixture
def using(face: Face) -> Any:
    """Return ``serve()`` of each face in turn."""
    return USING[face.name]


class TestServe:
    async def test_echo(self, using: Any) -> None:
        async with serve(echo, using=using) as server:
            async with server.connect("/chat?x=1") as websocket:
                for message in "hi", b"hi", "x" * 1_000_000:
                    await websocket.send(message)
                    assert await websocket.recv() == message
                assert websocket.request.path == "/chat?x=1"
                (connection,) = server.connections
                assert connection.request.headers["Host"] == "localhost:49152"
            assert len(server.wires) == 1
            assert not server.connections
        assert server.wires[0].closed

    async def test_faces(self) -> None:
        async with serve(echo) as server:
            assert isinstance(server, MemoryServer)
            assert isinstance(server.server, websockets.WebSocketServer)
            async with server.connect() as websocket:
                assert isinstance(websocket, websockets.WebSocketClientProtocol)
        async with serve(echo, using=modern_serve) as server:
            assert isinstance(server.server, websockets.Server)
            async with server.connect() as websocket:
                assert isinstance(websocket, websockets.ClientConnection)

    async def test_routes(self) -> None:
        routing = pytest.importorskip("werkzeug.routing")
        url_map = routing.Map([routing.Rule("/echo", endpoint=echo)])
        async with serve(url_map, using=websockets.route) as server:
            async with server.connect("/echo") as websocket:
                await websocket.send("hi")
                assert await websocket.recv() == "hi"
            with pytest.raises(InvalidStatus):
                await server.connect("/elsewhere")

    async def test_hooks(self) -> None:
        async def process_request(connection: Any, request: Any) -> Response | None:
            if request.path == "/teapot":
                return connection.respond(418, "short and stout")  # type: ignore[no-any-return]
            return None

        async with serve(
            echo,
            using=modern_serve,
            process_request=process_request,
            origins=["https://good.example"],
            subprotocols=["chat"],
        ) as server:
            async with server.connect(
                origin="https://good.example", subprotocols=["chat"]
            ) as websocket:
                assert websocket.subprotocol == "chat"
            for options in {"origin": "https://bad.example"}, {"path": "/teapot"}:
                with pytest.raises(InvalidStatus):
                    await server.connect(**options)

    async def test_basic_auth(self) -> None:
        check = basic_auth(credentials=("alice", "secret"))
        async with serve(echo, using=modern_serve, process_request=check) as server:
            with pytest.raises(InvalidStatus, match="401"):
                await server.connect()
            async with server.connect(
                server.uri().replace("//", "//alice:secret@")
            ) as websocket:
                (connection,) = server.connections
                assert connection.username == "alice"
                assert websocket.request is not None

    async def test_paths_of_the_classic_handler(self) -> None:
        async def handler(websocket: Any, path: str) -> None:
            await websocket.send(path)

        async with serve(handler) as server, server.connect("/chat") as websocket:
            assert await websocket.recv() == "/chat"

    async def test_another_host(self, using: Any) -> None:
        async with serve(echo, using=using) as server:
            async with server.connect("ws://chat.example/chat") as websocket:
                assert websocket.request.headers["Host"] == "chat.example"
                assert websocket.request.path == "/chat"

    async def test_secure(self, using: Any) -> None:
        async with serve(echo, using=using, secure=True) as server:
            assert server.uri("/chat") == "wss://localhost:49152/chat"
            async with server.connect("/chat") as websocket:
                assert wire_of(websocket).secure
                await websocket.send("hi")
                assert await websocket.recv() == "hi"
            async with server.connect("wss://chat.example/"):
                pass

    async def test_reconnecting(self, using: Any, clock: VirtualClock) -> None:
        async with serve(echo, using=using) as server:
            async for websocket in server.connect():
                if len(server.wires) == 3:
                    break
                wire_of(websocket).reset()
                await websocket.wait_closed()
        assert [wire.closed for wire in server.wires] == [True, True, True]

    async def test_several_servers(self, using: Any) -> None:
        async with serve(echo, using=using) as one, serve(echo, using=using) as other:
            assert one.uri() != other.uri()
            assert one.network is other.network
            async with one.connect(), other.connect():
                assert len(one.connections) == len(other.connections) == 1
                assert len(one.wires) == len(other.wires) == 1

    async def test_without_websocket(self, using: Any) -> None:
        async with serve(echo, using=using) as server:
            raw = Raw(*await server.open_connection())
            raw.write(REQUEST + b"\r\n")
            assert (await raw.read_head())[0] == "HTTP/1.1 101 Switching Protocols"
            await raw.close()

    async def test_faults_from_the_first_byte_on(self, using: Any) -> None:
        async with serve(echo, using=using, on_wire=Wire.split) as server:
            async with server.connect() as websocket:
                await websocket.send("hi")
                assert await websocket.recv() == "hi"

    async def test_seeds(self, using: Any, clock: VirtualClock) -> None:
        times = []
        for seed in 1, 1, 2:
            async with serve(
                echo, using=using, seed=seed, on_wire=lambda wire: wire.delay((1, 2))
            ) as server:
                began_at = clock.elapsed
                await server.connect()
                times.append(round(clock.elapsed - began_at, 3))
        assert times[0] == times[1] != times[2]

    async def test_a_stalled_wire_does_not_hold_up_the_end(
        self, using: Any, clock: VirtualClock
    ) -> None:
        async with serve(echo, using=using) as server:
            websocket = await server.connect()
            server.wires[0].stall()
        assert clock.elapsed == 0
        assert websocket.close_code == 1001


class TestErrors:
    """What a handler raises fails the test."""

    async def test_at_the_end(self, using: Any) -> None:
        async def handler(websocket: Any) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            async with serve(handler, using=using) as server:
                async with server.connect() as websocket:
                    await websocket.wait_closed()
                    assert websocket.close_code == 1011

    async def test_several(self, using: Any) -> None:
        async def handler(websocket: Any) -> None:
            raise ZeroDivisionError

        with pytest.raises(ExceptionGroup, match="handlers have failed") as caught:
            async with serve(handler, using=using) as server:
                for _ in range(2):
                    async with server.connect() as websocket:
                        await websocket.wait_closed()
        assert len(caught.value.exceptions) == 2

    async def test_with_the_error_that_follows(self, using: Any) -> None:
        async def handler(websocket: Any) -> None:
            await websocket.recv()
            assert not "what it should be"

        with pytest.raises(ConnectionClosedError) as caught:
            async with serve(handler, using=using) as server:
                async with server.connect() as websocket:
                    await websocket.send("hi")
                    await websocket.recv()
        assert caught.value.code == 1011
        [note] = caught.value.__notes__
        assert 'assert not "what it should be"' in note

    async def test_expected(self, using: Any) -> None:
        async def handler(websocket: Any) -> None:
            raise ZeroDivisionError

        async with serve(handler, using=using) as server:
            async with server.connect() as websocket:
                await websocket.wait_closed()
            [error] = server.errors
            assert isinstance(error, ZeroDivisionError)
            server.errors.clear()

    async def test_clients_that_leave_are_none(self, using: Any) -> None:
        async def handler(websocket: Any) -> None:
            while True:
                await websocket.recv()

        async with serve(handler, using=using) as server:
            async with server.connect():
                pass
            websocket = await server.connect()
            wire_of(websocket).reset()
        assert not server.errors

    async def test_it_is_logged_as_ever(self, using: Any, logs: Logs) -> None:
        await self.test_expected(using)
        assert "connection handler failed" in logs.texts(40)


class TestPair:
    async def test_both_ways(self, using: Any) -> None:
        async with pair(using=using) as (client, server):
            await client.send("hi")
            assert await server.recv() == "hi"
            await server.send("hello")
            assert await client.recv() == "hello"
            assert wire_of(client) is wire_of(server)
        assert client.close_code == server.close_code == 1000

    async def test_arguments(self, using: Any) -> None:
        async with pair(
            using=using,
            client={"subprotocols": ["chat"], "compression": None},
            server={"subprotocols": ["chat"]},
            path="/chat",
            secure=True,
            on_wire=Wire.split,
        ) as (client, server):
            assert server.subprotocol == "chat"
            assert server.request.path == "/chat"
            assert not server.protocol.extensions
            assert wire_of(server).secure

    async def test_awaited(self, using: Any) -> None:
        client, server = await pair(using=using)
        await client.send("hi")
        assert await server.recv() == "hi"
        await server.close()
        with pytest.raises(ConnectionClosedOK):
            await client.recv()

    async def test_it_listens_no_more(self, using: Any) -> None:
        async with pair(using=using) as (client, server):
            assert not server.ws_server.is_serving()

    async def test_refused(self, using: Any) -> None:
        with pytest.raises(InvalidStatus):
            async with pair(using=using, server={"origins": ["https://a.example"]}):
                raise AssertionError
        await turns(5)

    async def test_many_at_once(self, using: Any) -> None:
        pairs = await asyncio.gather(*(pair(using=using)._open() for _ in range(10)))
        for number, (client, server) in enumerate(pairs):
            await client.send(str(number))
            assert await server.recv() == str(number)
        for client, _ in pairs:
            await client.close()

    async def test_a_stalled_wire_does_not_hold_up_the_end(
        self, using: Any, clock: VirtualClock
    ) -> None:
        async with pair(using=using) as (client, server):
            wire_of(client).stall()
        assert clock.elapsed == 0


class TestWireOf:
    async def test_outside(self, face: Face) -> None:
        async with face.serve(echo, "localhost", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with face.connect(f"ws://localhost:{port}/") as websocket:
                with pytest.raises(TypeError, match="made outside of websockets.test"):
                    wire_of(websocket)

    async def test_too_early(self) -> None:
        with pytest.raises(RuntimeError, match="isn't connected yet"):
            wire_of(websockets.WebSocketClientProtocol())


class TestDeterminism:
    async def run(self, using: Any, seed: int) -> str:
        """Return a busy conversation over a bad network."""

        def spoil(wire: Wire) -> None:
            wire.split((1, 20))
            wire.delay((0.01, 2))

        async def talk(server: MemoryServer, number: int) -> None:
            async with server.connect() as websocket:
                for message in range(5):
                    await websocket.send(f"{number}: {message}")
                    heard.append((testing_clock.elapsed, await websocket.recv()))

        heard: list[Any] = []
        async with testing.virtual_time() as testing_clock:
            async with serve(echo, using=using, seed=seed, on_wire=spoil) as server:
                async with asyncio.TaskGroup() as group:
                    for number in range(5):
                        group.create_task(talk(server, number))
        return repr(heard)

    async def test_same_seed_same_order(self, using: Any) -> None:
        if not isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop):
            pytest.skip("virtual time needs asyncio's own event loop")
        state = random.getstate()
        first = await self.run(using, 1)
        assert await self.run(using, 1) == first
        assert await self.run(using, 2) != first
        assert random.getstate() == state


class TestRealThings:
    """The connections are real ones, and so is what they do."""

    async def test_a_virtual_hour(self, using: Any, clock: VirtualClock) -> None:
        async with pair(using=using) as (client, server):
            wire_of(client).delay(0.25)
            await clock.advance(3610)
            assert client.state is websockets.State.OPEN
            assert server.latency == pytest.approx(0.5)
            wire_of(client).stall()
            with pytest.raises(ConnectionClosedError):
                await client.recv()
            # Pings go out every 20 seconds; one isn't answered for 20, nor is a
            # close frame for 10.
            assert clock.elapsed == 3650

    async def test_backpressure(self, using: Any) -> None:
        options = {"compression": None, "write_limit": 1000}
        async with pair(using=using, client=options) as (client, server):
            wire_of(client).stall()
            sending = asyncio.create_task(client.send(b"x" * 200_000))
            await turns(10)
            assert not sending.done()
            assert client.transport.get_write_buffer_size() > 100_000
            wire_of(client).resume()
            await sending
            assert len(await server.recv()) == 200_000

    async def test_a_slow_reader_slows_the_sender(self, using: Any) -> None:
        async with pair(
            using=using, client={"compression": None}, server={"max_queue": 1}
        ) as (client, server):
            sending = asyncio.create_task(self.send_for_ever(client))
            await until(lambda: client.transport.get_write_buffer_size() > 32768)
            await turns(10)
            size = client.transport.get_write_buffer_size()
            await turns(10)
            assert client.transport.get_write_buffer_size() == size
            for _ in range(100):
                await server.recv()
            sending.cancel()

    async def send_for_ever(self, client: Any) -> None:
        while True:
            await client.send(b"x" * 10_000)

    async def test_a_slow_network(self, using: Any, clock: VirtualClock) -> None:
        options = {"compression": None}
        async with pair(using=using, client=options) as (client, server):
            wire_of(client).limit_rate(10_000)
            await client.send(b"x" * 100_000)
            await server.recv()
            assert clock.elapsed == pytest.approx(10, abs=0.01)

    async def test_time_of_one_connection(self, using: Any) -> None:
        """What our own tests did before there was virtual time works here too."""
        async with pair(using=using) as (client, server):
            pass_time(client, 20.1)
            await turns(3)
            assert wire_of(client).frames()[0].sender == "client"
