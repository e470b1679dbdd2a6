"""Servers that are closed with a deadline, or little by little."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from faces.support import (
    Face,
    Logs,
    client_tls,
    close_frame,
    echo,
    modern,
    port_of,
    raw_client,
    server_tls,
    until,
    uri_of,
)
from websockets.asyncio import listening
from websockets.exceptions import ConnectionClosed

SOON = 0.01


async def test_clients_are_told(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as client:
            server.close(code=1012, reason="restarting", timeout=60)
            await server.wait_closed()
            with pytest.raises(ConnectionClosed) as info:
                await client.recv()
            assert info.value.rcvd is not None
            assert (info.value.rcvd.code, info.value.rcvd.reason) == (
                1012,
                "restarting",
            )


async def test_a_handler_that_outlives_the_deadline_is_cancelled(face: Face) -> None:
    ends = []

    async def handler(websocket: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    async with face.serve(handler, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as client:
            server.close(timeout=SOON)
            await server.wait_closed()
            assert ends == ["cancelled"]
            await client.wait_closed()
            assert client.close_code == 1001
    assert not server.websockets


async def test_a_peer_that_does_not_answer_is_cut(face: Face) -> None:
    async with face.serve(echo, "localhost", 0, close_timeout=None) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            server.close(timeout=SOON)
            await server.wait_closed()
            assert await raw.read_all() == close_frame(1001)


async def test_a_handler_that_ignores_its_end_is_left_alone(
    face: Face, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "_GRACE", SOON)
    at_last = asyncio.Event()

    async def handler(websocket: Any) -> None:
        while not at_last.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await at_last.wait()

    async with face.serve(handler, "localhost", 0, shutdown_timeout=SOON) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            server.close()
            await server.wait_closed()
            assert await raw.read_all() == close_frame(1001)
    assert "1 handlers don't end, although they were cancelled" in logs.texts(40)
    at_last.set()
    await until(lambda: not server.websockets)


async def test_handlers_may_have_until_the_deadline(face: Face) -> None:
    async def handler(websocket: Any) -> None:
        await websocket.wait_closed()

    async with face.serve(handler, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as client:
            server.close(close_connections=False, code=1012, timeout=SOON)
            await client.wait_closed()
            assert client.close_code == 1012
            await server.wait_closed()


async def test_an_open_connection_whose_peer_is_silent_is_cut(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "_GRACE", SOON)
    async with face.serve(echo, "localhost", 0, close_timeout=None) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            server.close(close_connections=False, timeout=SOON)
            await server.wait_closed()
            assert await raw.read_all() == close_frame(1001)
    assert not server.websockets


async def test_a_peer_that_was_refused_and_stays_is_cut(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            await until(lambda: server.websockets)
            server.close(timeout=SOON)
            await server.wait_closed()
            assert (await raw.read_all()).startswith(b"HTTP/1.1 503 ")
    assert not server.websockets


async def test_the_server_has_a_deadline_by_itself(face: Face) -> None:
    async def handler(websocket: Any) -> None:
        await asyncio.Event().wait()

    async with face.serve(handler, "localhost", 0, shutdown_timeout=SOON) as server:
        client = await face.connect(uri_of(server))
    assert not server.websockets
    await client.wait_closed()


async def test_a_hook_that_outlives_the_deadline_is_cancelled(face: Face) -> None:
    async def process_request(path: str, headers: Any) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async with face.serve(
        echo, "localhost", 0, process_request=process_request
    ) as server:
        async with raw_client(server) as raw:
            raw.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: any(item.opening for item in server.websockets))
            server.close(timeout=SOON)
            await server.wait_closed()
    assert not server.websockets


@pytest.mark.parametrize("timeouts", [(None, SOON), (SOON, 600), (600, SOON)])
async def test_the_earliest_deadline_counts(
    face: Face, timeouts: tuple[float | None, float]
) -> None:
    async def handler(websocket: Any) -> None:
        await asyncio.Event().wait()

    async with face.serve(handler, "localhost", 0) as server:
        async with face.connect(uri_of(server)):
            for timeout in timeouts:
                server.close(timeout=timeout)
            await server.wait_closed()


async def test_spread(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        clients = [await face.connect(uri_of(server)) for _ in range(3)]
        server.close(spread=3000)
        await until(lambda: len(server.websockets) == 2)
        gone = [client for client in clients if client.protocol.state.name != "OPEN"]
        assert len(gone) <= 1
        # The others go on.
        for client in clients:
            with contextlib.suppress(ConnectionClosed):
                await client.send("a")
                assert await client.recv() == "a"
        server.close(timeout=SOON)
        await server.wait_closed()
        for client in clients:
            await client.wait_closed()
            assert client.close_code == 1001


@pytest.mark.parametrize("timeout", [None, float("inf")])
async def test_no_deadline(face: Face, timeout: float | None) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as client:
            server.close(timeout=timeout)
            assert server._expiry is None
            await server.wait_closed()
            await client.wait_closed()
            assert client.close_code == 1001


@pytest.mark.parametrize(
    "options, error",
    [
        ({"timeout": -1}, ValueError),
        ({"timeout": "1"}, TypeError),
        ({"spread": -1}, ValueError),
    ],
)
async def test_wrong_arguments(
    face: Face, options: Any, error: type[Exception]
) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        with pytest.raises(error, match=f"^{next(iter(options))} must "):
            server.close(**options)
        assert server.is_serving()
    with pytest.raises(TypeError, match="^shutdown_timeout must be a number"):
        face.serve(echo, shutdown_timeout="1")


async def test_a_server_that_has_not_begun(face: Face) -> None:
    face.serve(echo, "localhost", 0).ws_server.close(timeout=1)


async def test_close_that_fails_does_not_keep_the_others(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*args: Any) -> None:
        raise RuntimeError("an override's")

    async with face.serve(echo, "localhost", 0) as server:
        async with face.connect(uri_of(server)), face.connect(uri_of(server)) as other:
            await until(lambda: len(server.websockets) == 2)
            first, second = sorted(
                server.websockets,
                key=lambda item: item.remote_address == other.local_address,
            )
            first.close = fail
            server.close(timeout=SOON)
            await server.wait_closed()
            assert other.close_code == 1001


async def test_connections_with_tls_are_cut_off_and_counted(face: Face) -> None:
    """asyncio's transports with TLS are of no use once they were closed twice."""
    async with face.serve(echo, "localhost", 0, ssl=server_tls()) as server:
        uri = uri_of(server, scheme="wss")
        async with face.connect(uri, ssl=client_tls()) as client:
            await client.send("a")
            assert await client.recv() == "a"
            server.close(timeout=0)
            await server.wait_closed()
            stats = server.stats
            assert (stats.accepted, stats.messages_received) == (1, 1)
            assert stats.closed == {1001: 1}
            await client.wait_closed()


# TLS handshakes that never come.


async def test_silent_tls_clients_do_not_delay_the_end(face: Face) -> None:
    async with face.serve(echo, "localhost", 0, ssl=server_tls()) as server:
        async with raw_client(server):
            # Accepted connections are made in the next iteration.
            await asyncio.sleep(0)
            server.close()
            await server.wait_closed()


async def test_tls_handshakes_take_no_longer_than_others(face: Face) -> None:
    options = {"ssl": server_tls(), "open_timeout": 0.1}
    async with face.serve(echo, "localhost", 0, **options) as server:
        async with raw_client(server) as raw:
            assert await raw.read_all() == b""


async def test_a_tls_timeout_of_the_users_own(
    face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    async def listen_on(loop: Any, name: str, *arguments: Any, **options: Any) -> Any:
        given.append(options.get("ssl_handshake_timeout"))
        raise OSError("not really")

    monkeypatch.setattr(listening, "listen_on", listen_on)
    for options in (
        {"ssl": server_tls(), "ssl_handshake_timeout": 3},
        {"ssl": server_tls(), "open_timeout": 4},
        {"ssl": server_tls(), "open_timeout": None},
        {"open_timeout": 4},
    ):
        with pytest.raises(OSError, match="not really"):
            await face.serve(echo, "localhost", 0, **options)
    assert given == [3, 4, None, None]


# Many at once.


async def test_a_thousand_busy_connections(face: Face) -> None:
    """Busy clients, silent ones, and handlers that never end; all within time."""
    number = 1000 if face is modern else 200
    got, codes = [0], []
    begin = asyncio.Event()

    async def handler(websocket: Any) -> None:
        if websocket.request.path == "/stuck":
            await asyncio.Event().wait()
        await echo(websocket)

    async def talk(path: str) -> None:
        async with face.connect(
            uri_of(server, path), compression=None, open_timeout=None
        ) as client:
            await begin.wait()
            with contextlib.suppress(ConnectionClosed):
                await client.send("0")
                async for message in client:
                    got[0] += 1
                    await client.send(str(int(message) + 1))
            await client.wait_closed()
            codes.append(client.close_code)

    options = {"close_timeout": None, "compression": None, "open_timeout": None}
    options["backlog"] = number
    server = await face.serve(handler, "localhost", 0, **options)
    paths = ["/", "/", "/", "/stuck"]
    tasks = [asyncio.create_task(talk(paths[i % 4])) for i in range(number - 1)]
    async with raw_client(server) as silent:
        await silent.handshake()
        await until(lambda: len(server.connections) == number)
        begin.set()
        await until(lambda: got[0] > number)
        loop = asyncio.get_running_loop()
        began = loop.time()
        server.close(timeout=1, code=1012)
        await server.wait_closed()
        # A second for what is under way, a second for handlers to clean up; the rest
        # is for machines that have other things to do.
        assert loop.time() - began < 10
        assert not server.websockets
        await asyncio.gather(*tasks)
        assert codes == [1012] * (number - 1)
        assert await silent.read_all() == close_frame(1012)


async def test_replies_before_the_end_arrive(face: Face) -> None:
    """What handlers have sent when the server is closed isn't lost."""
    sent = asyncio.Event()

    async def handler(websocket: Any) -> None:
        for number in range(1000):
            await websocket.send(str(number))
        sent.set()
        await websocket.wait_closed()

    async with face.serve(handler, "localhost", 0, write_limit=2**20) as server:
        client = await face.connect(uri_of(server), max_queue=None)
        await sent.wait()
        server.close(timeout=60)
        assert [message async for message in client] == list(map(str, range(1000)))


async def test_ports_are_free_at_once(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        port = port_of(server)
        async with face.connect(uri_of(server)):
            server.close(timeout=60)
            async with face.serve(echo, "127.0.0.1", port):
                pass
