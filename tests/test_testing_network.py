"""A network in memory takes the place of the event loop, and of nothing else."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import pathlib
import socket
import ssl
from typing import Any

import pytest

from faces.support import Face, Raw, echo, until
from websockets import testing
from websockets.asyncio.transports import stand_ins
from websockets.exceptions import ConnectionClosedError
from websockets.testing import Network, VirtualClock, Wire, network
from websockets.testing.network import MemoryHost


async def talk(connecting: Any) -> Any:
    """Say something, and hear it; return the connection, closed."""
    async with connecting as websocket:
        await websocket.send("hi")
        assert await websocket.recv() == "hi"
    return websocket


class TestAddresses:
    @pytest.mark.parametrize(
        "host, uri",
        [
            *[("chat.example", "ws://chat.example/"), ("a.b", "ws://A.B/")],
            *[("localhost", "ws://127.0.0.1/"), ("127.0.0.1", "ws://[::1]/")],
            *[(None, "ws://any.example/"), ("", "ws://any.example/")],
            *[("0.0.0.0", "ws://any.example/"), ("::", "ws://any.example/")],
            *[(["a.example", "b.example"], "ws://b.example/")],
        ],
    )
    async def test_names(self, face: Face, host: Any, uri: str) -> None:
        async with network(), face.serve(echo, host, 80):
            await talk(face.connect(uri))

    async def test_what_addresses_tell(self, face: Face) -> None:
        async with network():
            async with face.serve(echo, ["chat.example", "::2"], 80) as server:
                assert server.sockets[0].getsockname() == ("chat.example", 80)
                assert server.sockets[0].family == socket.AF_INET
                assert server.sockets[1].family == socket.AF_INET6
                async with face.connect("ws://chat.example/") as client:
                    assert client.remote_address == ("chat.example", 80)
                    (connection,) = server.connections
                    assert connection.local_address == ("chat.example", 80)
                    assert connection.remote_address == client.local_address
                    sock = client.transport.get_extra_info("socket")
                    assert sock.getpeername() == ("chat.example", 80)
                    assert sock.getsockname() == client.local_address
            assert not server.sockets

    async def test_where_one_comes_from(self, face: Face) -> None:
        async with network(), face.serve(echo, "a.example", 80) as server:
            async with face.connect(
                "ws://a.example/", local_addr=("203.0.113.9", 1234)
            ):
                (connection,) = server.connections
                assert connection.remote_address == ("203.0.113.9", 1234)

    async def test_any_port(self, face: Face) -> None:
        async with network():
            async with face.serve(echo, "a.example", 0) as one:
                async with face.serve(echo, "a.example") as other:
                    ports = [s.sockets[0].getsockname()[1] for s in (one, other)]
                    assert ports == [49152, 49153]
                    await talk(face.connect(f"ws://a.example:{ports[1]}/"))

    async def test_a_port_in_use(self, face: Face) -> None:
        async with network(), face.serve(echo, "localhost", 80):
            with pytest.raises(OSError, match="is in use in this network") as caught:
                await face.serve(echo, "127.0.0.1", 80)
            assert caught.value.errno == errno.EADDRINUSE

    async def test_a_port_that_was_used(self, face: Face) -> None:
        async with network():
            for _ in range(2):
                async with face.serve(echo, "localhost", 80):
                    await talk(face.connect("ws://localhost/"))

    async def test_nobody_listens(self, face: Face) -> None:
        async with network(), face.serve(echo, "a.example", 80) as server:
            for uri in "ws://b.example/", "ws://a.example:81/":
                with pytest.raises(ConnectionRefusedError, match="nobody listens on"):
                    await face.connect(uri)
            server.close()
            with pytest.raises(ConnectionRefusedError, match="nobody listens on"):
                await face.connect("ws://a.example/")

    async def test_unix_sockets(self, face: Face) -> None:
        path = pathlib.Path("/nowhere/socket")
        async with network():
            async with face.unix_serve(echo, path) as server:
                assert server.sockets[0].getsockname() == str(path)
                await talk(face.unix_connect(str(path)))
            with pytest.raises(ConnectionRefusedError):
                await face.unix_connect(path)


class TestServing:
    async def test_not_serving_yet(self, face: Face) -> None:
        async with network():
            async with face.serve(echo, "localhost", 80, start_serving=False) as server:
                assert not server.is_serving()
                with pytest.raises(ConnectionRefusedError):
                    await face.connect("ws://localhost/")
                await server.start_serving()
                assert server.is_serving()
                assert server.get_loop() is asyncio.get_running_loop()
                await talk(face.connect("ws://localhost/"))
            assert not server.is_serving()

    async def test_serving_forever(self) -> None:
        made = Network()
        listener = await made.create_server(asyncio.Protocol, "localhost", 80)
        task = asyncio.create_task(listener.serve_forever())
        await asyncio.sleep(0)
        assert listener.is_serving()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not listener.is_serving()
        assert not listener.sockets
        await listener.wait_closed()
        await listener.start_serving()
        assert not listener.is_serving()

    @pytest.mark.parametrize("name", ["close_clients", "abort_clients"])
    async def test_ending_connections(self, face: Face, name: str) -> None:
        """As asyncio's servers do from Python 3.13 on."""
        async with network() as made, face.serve(echo, "localhost", 80) as server:
            client = await face.connect("ws://localhost/")
            getattr(server._server, name)()
            await client.wait_closed()
            assert client.close_code == 1006
            assert made.wires[0].closed

    async def test_contexts_are_the_servers_and_the_clients(self, face: Face) -> None:
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
        seen = []

        async def handler(websocket: Any) -> None:
            seen.append(variable.get())
            await echo(websocket)

        variable.set("server")
        async with network(), face.serve(handler, "localhost", 80):
            variable.set("client")
            await talk(face.connect("ws://localhost/"))
        assert seen == ["server"]


class TestTLS:
    async def test_as_if(self, face: Face) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        async with network():
            async with face.serve(echo, "a.example", 443, ssl=context) as server:
                async with face.connect("wss://a.example/") as client:
                    (connection,) = server.connections
                    for end in client, connection:
                        info = end.transport.get_extra_info
                        assert isinstance(info("ssl_object"), ssl.SSLObject)
                        assert isinstance(info("sslcontext"), ssl.SSLContext)
                        assert not end.transport.can_write_eof()
                    await client.send("hi")
                    assert await client.recv() == "hi"

    @pytest.mark.parametrize("uri", ["ws://a.example:443/", "wss://a.example/"])
    async def test_one_side_only(self, face: Face, uri: str) -> None:
        context = None
        if uri.startswith("ws:"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        async with network(), face.serve(echo, "a.example", 443, ssl=context):
            with pytest.raises(ConnectionResetError, match="only one side uses TLS"):
                await face.connect(uri)


class TestOnWire:
    async def test_every_wire(self, face: Face) -> None:
        seen: list[Wire] = []
        async with network(on_wire=seen.append) as made:
            async with face.serve(echo, "localhost", 80):
                for _ in range(2):
                    await talk(face.connect("ws://localhost/"))
        assert seen == made.wires
        assert [wire.number for wire in seen] == [1, 2]
        assert all(wire.closed for wire in seen)

    async def test_refusing(self, face: Face) -> None:
        def refuse(wire: Wire) -> None:
            raise OSError(errno.EHOSTUNREACH, "no way")

        async with network(on_wire=refuse), face.serve(echo, "localhost", 80):
            with pytest.raises(OSError, match="no way"):
                await face.connect("ws://localhost/")

    async def test_breaking(self, face: Face) -> None:
        async with network(on_wire=Wire.reset), face.serve(echo, "localhost", 80):
            with pytest.raises(ConnectionResetError):
                await face.connect("ws://localhost/")

    async def test_taking_time(self, face: Face, clock: VirtualClock) -> None:
        async def wait(wire: Wire) -> None:
            await asyncio.sleep(60)

        async with network(on_wire=wait), face.serve(echo, "localhost", 80):
            with pytest.raises(TimeoutError):
                await face.connect("ws://localhost/")
            assert clock.elapsed == 10

    async def test_cancelled_while_connecting(self, face: Face) -> None:
        async with network() as made, face.serve(echo, "localhost", 80):
            task = asyncio.ensure_future(face.connect("ws://localhost/")._connect())
            await until(lambda: made.wires)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: made.wires[0].closed)


class TestInUse:
    async def test_the_event_loop_is_as_before(self, face: Face) -> None:
        loop = asyncio.get_running_loop()
        async with network():
            assert loop in stand_ins
        assert loop not in stand_ins

    async def test_one_at_a_time(self) -> None:
        async with network() as made:
            with pytest.raises(RuntimeError, match="has a network already"):
                async with network():
                    raise AssertionError
            async with testing.serve(echo) as server:
                assert server.network is made

    async def test_sockets_that_are_given_are_used(self, face: Face) -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            async with network(), face.serve(echo, sock=sock):
                with socket.create_connection(sock.getsockname()) as client:
                    client.setblocking(False)
                    await talk(face.connect("ws://localhost/", sock=client))

    async def test_the_rest_of_the_world_stays(self, face: Face) -> None:
        """Servers of ``testing.serve()`` are in memory, and no others."""
        async with testing.serve(echo) as server:
            await talk(server.connect())
            async with face.serve(echo, "localhost", 0) as real:
                port = real.sockets[0].getsockname()[1]
                await talk(face.connect(f"ws://localhost:{port}/"))
            with pytest.raises(OSError):
                await face.unix_connect("/nowhere/socket")
            with pytest.raises(OSError):
                await face.unix_serve(echo, "/nowhere/socket")
            assert len(server.network.wires) == 1

    async def test_there_are_no_proxies(
        self, face: Face, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://proxy.example:8080")
        async with network(), face.serve(echo, "a.example", 80):
            await talk(face.connect("ws://a.example/", proxy=True))


class TestWithoutWebSocket:
    async def test_a_client(self, face: Face) -> None:
        async with network() as made, face.serve(echo, "localhost", 80):
            raw = Raw(*await made.open_connection("localhost", 80))
            status, _ = await raw.handshake()
            assert status == "HTTP/1.1 101 Switching Protocols"
            await raw.close()

    async def test_a_server(self, face: Face) -> None:
        async def script(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            raw = Raw(reader, writer)
            await raw.accept()
            raw.write(b"\x81\x02hi")
            await raw.close()

        async with network() as made:
            listener = await made.start_server(script)
            port = listener.sockets[0].getsockname()[1]
            async with face.connect(f"ws://anywhere.example:{port}/") as client:
                assert await client.recv() == "hi"
                with pytest.raises(ConnectionClosedError):
                    await client.recv()
            listener.close()


def test_hosts_are_str() -> None:
    assert MemoryHost("localhost") == "localhost"
