"""Who gets in: caps on connections and handshakes, and what the others are told."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import pytest

import websockets
from faces.support import (
    REQUEST,
    Face,
    FakeServer,
    FakeTransport,
    deliver,
    echo,
    modern,
    pair,
    pass_time,
    port_of,
    raw_client,
    until,
    uri_of,
)
from websockets import Limits, Rate


async def test_limits_reach_connections(face: Face) -> None:
    ours, theirs = Limits(bytes=Rate(100_000)), Limits(messages=Rate(1000))
    async with pair(face, {"limits": ours}, {"limits": theirs}) as (client, server):
        assert server._settings.limits == ours
        assert client._settings.limits == theirs


async def test_limits_by_default(face: Face) -> None:
    async with pair(face) as (client, server):
        assert client._settings.limits == server._settings.limits == Limits()


@pytest.mark.parametrize("value", [5, {"connections": 5}])
async def test_wrong_limits_fail_at_the_call(face: Face, value: Any) -> None:
    with pytest.raises(TypeError, match="^limits must be Limits or None, not "):
        face.serve(lambda websocket: None, limits=value)
    with pytest.raises(TypeError, match="^limits must be Limits or None, not "):
        face.connect("ws://localhost/", limits=value)


# Caps on connections.


async def test_one_connection_too_many(face: Face) -> None:
    limits = Limits(connections=1)
    async with face.serve(echo, "localhost", 0, limits=limits) as server:
        async with face.connect(uri_of(server)) as client:
            async with raw_client(server) as raw:
                first, headers = await raw.handshake()
                assert first == "HTTP/1.1 503 Service Unavailable"
                assert headers["Retry-After"] == "5"
                assert headers["Connection"] == "close"
                assert b"busy" in await raw.read_all()
            # It goes on.
            await client.send("a")
            assert await client.recv() == "a"
        await until(lambda: not server.websockets)
        async with face.connect(uri_of(server)):
            pass
        assert server.rejected == {"connections": 1}
        assert server.stats.rejected == {"connections": 1}


async def test_one_connection_too_many_from_an_address(face: Face) -> None:
    limits = Limits(connections_per_address=1, retry_after=0.5)
    async with face.serve(echo, "127.0.0.1", 0, limits=limits) as server:
        uri = f"ws://127.0.0.1:{port_of(server)}"
        async with face.connect(uri):
            async with raw_client(server) as raw:
                first, headers = await raw.handshake()
                assert first == "HTTP/1.1 429 Too Many Requests"
                assert headers["Retry-After"] == "1"
            if sys.platform == "linux":
                async with face.connect(uri, local_addr=("127.0.0.2", 0)):
                    pass
        assert server.rejected == {"address": 1}


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
async def test_unix_sockets_have_no_address(face: Face, tmp_path: Any) -> None:
    path, limits = str(tmp_path / "socket"), Limits(connections_per_address=1)
    async with (
        face.unix_serve(echo, path, limits=limits),
        face.unix_connect(path),
        face.unix_connect(path),
    ):
        pass


async def test_refusals_cost_no_hook_and_no_task(face: Face) -> None:
    asked = []
    limits = Limits(connections=1)
    hook = {"process_request": lambda path, headers: asked.append(path)}
    async with face.serve(echo, "localhost", 0, limits=limits, **hook) as server:
        async with face.connect(uri_of(server)), raw_client(server) as raw:
            await raw.handshake()
            refused = [item for item in server.websockets if item.rejection]
            assert [item.handler_task for item in refused] == [None]
        assert len(asked) == 1


async def test_no_retry_after(face: Face) -> None:
    limits = Limits(connections=1, retry_after=None)
    async with face.serve(echo, "localhost", 0, limits=limits) as server:
        async with face.connect(uri_of(server)), raw_client(server) as raw:
            _, headers = await raw.handshake()
            assert "Retry-After" not in headers


# Half-open handshakes.


async def test_the_oldest_half_open_handshake_makes_room(face: Face) -> None:
    limits = Limits(handshakes=2)
    async with face.serve(echo, "localhost", 0, limits=limits) as server:
        async with raw_client(server) as silent, raw_client(server) as slow:
            slow.write(REQUEST)
            await until(lambda: len(server.websockets) == 2)
            # Who sends a request at once gets in, whoever else doesn't.
            async with face.connect(uri_of(server)) as client:
                await client.send("a")
                assert await client.recv() == "a"
            first, headers = await silent.read_head()
            assert first == "HTTP/1.1 503 Service Unavailable"
            assert headers["Retry-After"] == "5"
            assert b"took too long" in await silent.read_all()
            # There's room for the other one.
            slow.write(b"\r\n")
            assert (await slow.read_head())[0] == "HTTP/1.1 101 Switching Protocols"
        assert server.rejected == {"handshakes": 1}


async def test_bytes_of_half_open_handshakes(face: Face) -> None:
    limits = Limits(handshake_bytes=len(REQUEST) * 2)
    async with face.serve(echo, "localhost", 0, limits=limits) as server:
        async with raw_client(server) as one, raw_client(server) as other:
            for index, raw in enumerate((one, other)):
                raw.write(REQUEST)
                await until(lambda: len(server.admission._partial) == index + 1)  # noqa: B023
            one.write(b"X")
            first, _ = await one.read_head()
            assert first == "HTTP/1.1 503 Service Unavailable"
            other.write(b"\r\n")
            assert (await other.read_head())[0] == "HTTP/1.1 101 Switching Protocols"
            assert server.admission._bytes == 0
        assert server.rejected == {"handshake_bytes": 1}


async def test_a_refused_peer_that_stays_is_cut(face: Face) -> None:
    options = {"limits": Limits(connections=1), "close_timeout": None}
    async with face.serve(echo, "localhost", 0, **options) as server:
        async with face.connect(uri_of(server)), raw_client(server) as raw:
            await raw.handshake()
            (refused,) = [item for item in server.websockets if item.rejection]
            await raw.read_all()
            pass_time(refused, 4.9)
            assert refused in server.websockets
            pass_time(refused, 5.1)
            await until(lambda: refused not in server.websockets)


async def test_a_malformed_request_does_not_stay_either(face: Face) -> None:
    async with face.serve(echo, "localhost", 0, close_timeout=None) as server:
        async with raw_client(server) as raw:
            raw.write(b"nonsense\r\n\r\n")
            await raw.read_all()
            (refused,) = server.websockets
            pass_time(refused, 5.1)
            await until(lambda: not server.websockets)
            assert not server.admission._waiting


# Why handshakes are rejected.


def ask(path: str, headers: Any) -> Any:
    if path == "/hook":
        return 404, {}, b"not here\n"
    if path == "/error":
        raise RuntimeError("hook failed")
    return None


def request(path: str = "/", **changes: str | None) -> bytes:
    """Return a request with some headers changed, or left out."""
    headers: dict[str, str | None] = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version": "13",
        "Origin": "https://localhost",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if value]
    return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


@pytest.mark.parametrize(
    "data, status, reason",
    [
        (request(Host="evil.example"), 421, "host"),
        (request("/hook", Host="evil.example"), 421, "host"),
        (request(Host=None), 400, "malformed"),
        (request(Host="localhost\r\nHost: localhost"), 400, "malformed"),
        (request(Host="local host"), 400, "malformed"),
        (request(Origin="https://evil.example"), 403, "origin"),
        (request(Origin=None), 403, "origin"),
        (request(Sec_WebSocket_Version="8"), 400, "version"),
        (request(Sec_WebSocket_Key="?"), 400, "malformed"),
        (request(Upgrade=None), 426, "upgrade"),
        (request("/hook"), 404, "hook"),
        (request("/error"), 500, "error"),
        (request(X="x" * 9000), 431, "too_large"),
        (b"nonsense\r\n\r\n", 400, "malformed"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_reasons(face: Face, data: bytes, status: int, reason: str) -> None:
    options = {
        "hosts": ["localhost"],
        "origins": [websockets.SAME_ORIGIN],
        "process_request": ask,
    }
    async with face.serve(echo, "localhost", 0, **options) as server:
        async with raw_client(server) as raw:
            raw.write(data)
            first, _ = await raw.read_head()
            assert first.split()[1] == str(status)
            assert server.rejected == {reason: 1}
        async with raw_client(server) as raw:
            raw.write(request(Host="LOCALHOST:5", Origin="http://localhost:5"))
            assert (await raw.read_head())[0].split()[1] == "101"
    assert server.stats.rejected == {reason: 1}


async def test_no_common_subprotocol_is_counted() -> None:
    async with modern.serve(echo, "localhost", 0, subprotocols=["chat"]) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
        assert server.rejected == {"negotiation": 1}


async def test_who_takes_too_long_is_counted(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            await until(lambda: server.websockets)
            (connection,) = server.websockets
            pass_time(connection, 10.1)
            await raw.read_all()
            await until(lambda: not server.websockets)
        assert server.rejected == {"timeout": 1}


async def test_who_leaves_is_counted(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            await until(lambda: server.websockets)
            raw.writer.transport.abort()
            await until(lambda: not server.websockets)
        assert server.rejected == {"lost": 1}
        assert not server.admission._waiting


async def test_who_comes_too_late_is_counted(face: Face) -> None:
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def process_request(path: str, headers: Any) -> None:
        await waiting

    async with face.serve(
        echo, "localhost", 0, process_request=process_request
    ) as server:
        async with raw_client(server) as silent, raw_client(server) as asking:
            asking.write(request())
            await until(
                lambda: (
                    any(item.opening for item in server.websockets)
                    and len(server.websockets) == 2
                )
            )
            server.close()
            for raw in silent, asking:
                assert (await raw.read_head())[0] == "HTTP/1.1 503 Service Unavailable"
    assert server.rejected == {"shutting_down": 2}


@pytest.mark.parametrize(
    "hosts, error",
    [("localhost", TypeError), ([None], TypeError), (["*.example.com"], ValueError)],
)
async def test_wrong_hosts_fail_at_the_call(
    face: Face, hosts: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="^hosts must "):
        face.serve(echo, hosts=hosts)


async def test_any_host_by_default(face: Face) -> None:
    # But not several (RFC 9112, 3.2).
    async with face.serve(echo, "localhost", 0) as server:
        for host, status in (
            (None, "101"),
            ("evil.example", "101"),
            ("a\r\nHost: b", "400"),
        ):
            async with raw_client(server) as raw:
                raw.write(request(Host=host))
                assert (await raw.read_head())[0].split()[1] == status


# Tasks that are cancelled before they begin.


async def test_a_task_cancelled_before_it_begins(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            await until(lambda: server.websockets)
            (connection,) = server.websockets
            connection.data_received(request())
            connection.handler_task.cancel()
            assert await raw.read_all() == b""
        await until(lambda: not server.websockets)
        assert server.rejected == {"error": 1}


# Servers of frameworks, which know nothing of this.


@pytest.mark.parametrize("end", [b"\r\n", b"nonsense\r\n\r\n"])
async def test_servers_of_frameworks_admit_all(end: bytes) -> None:
    server, transport = FakeServer(), FakeTransport()
    connection = websockets.WebSocketServerProtocol(echo, server)
    transport.protocol = connection
    connection.connection_made(transport)
    deliver(connection, REQUEST)
    deliver(connection, end)
    await until(lambda: transport.written)
    status = transport.written[0].split()[1]
    assert status == (b"101" if end == b"\r\n" else b"400")
    assert connection.handler_task is not None
    transport.abort()
    await until(lambda: not server.connections)


# Those who were refused.


async def test_what_a_refused_peer_still_sends_is_read_slowly(face: Face) -> None:
    """Nobody needs it, and others are to be served meanwhile."""
    async with face.serve(echo, "localhost", 0) as server, raw_client(server) as raw:
        raw.write(b"GET /" + b"x" * 10_000)
        assert b" 414 " in await raw.reader.readline()
        (connection,) = server.live
        await until(lambda: connection._resting)
        await until(lambda: not connection._resting)
        raw.write(b"x" * 10_000)
        await until(lambda: connection._resting)
