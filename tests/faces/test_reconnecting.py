"""async for ... in connect(...): connecting again and again."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from faces.support import Face, Logs, Raw, echo, raw_server, uri_of
from websockets.exceptions import ConnectionClosed, InvalidURI, SecurityError
from websockets.session.backoff import LIVED
from websockets.testing import VirtualClock, network, wire_of


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note how long clients would wait, instead of waiting."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def note(delay: float, result: Any = None) -> Any:
        if delay:
            waited.append(delay)
        return await sleep(0, result)

    monkeypatch.setattr(asyncio, "sleep", note)
    return waited


async def test_reconnects_when_the_connection_is_closed(
    face: Face, delays: list[float], logs: Logs
) -> None:
    async def handler(websocket: Any) -> None:
        await websocket.send("hello")

    received = []
    async with face.serve(handler, "localhost", 0) as server:
        async for websocket in face.connect(uri_of(server)):
            try:
                async for message in websocket:
                    received.append(message)
                await websocket.recv()
            except ConnectionClosed:
                if len(received) == 3:
                    break
    assert received == ["hello"] * 3
    # A server that accepts and closes at once isn't one that works.
    assert len(delays) == 2
    assert "connection ended early" in "".join(logs.texts())


async def test_reconnects_at_once_after_a_connection_that_lived(
    face: Face, clock: VirtualClock
) -> None:
    opened_at = []
    async with network(), face.serve(echo, "localhost", 80):
        async for websocket in face.connect("ws://localhost/"):
            opened_at.append(clock.elapsed)
            if len(opened_at) == 3:
                break
            await clock.advance(LIVED)
            wire_of(websocket).reset()
    assert opened_at == [0, LIVED, 2 * LIVED]


async def test_the_connection_is_closed_after_each_turn(
    face: Face, delays: list[float]
) -> None:
    sockets = []
    async with face.serve(echo, "localhost", 0) as server:
        async for websocket in face.connect(uri_of(server)):
            sockets.append(websocket)
            if len(sockets) == 2:
                assert sockets[0].closed
                break
        await sockets[1].close()


async def test_failed_attempts_wait_longer_and_longer(
    face: Face, clock: VirtualClock, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    tried_at = []

    def uri() -> str:
        tried_at.append(clock.elapsed)
        return "ws://nobody.example/"

    async def run() -> None:
        async for _ in face.connect(uri):
            raise AssertionError

    async with network():
        task = asyncio.create_task(run())
        await clock.advance(60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    delays = [then - before for before, then in itertools.pairwise(tried_at)]
    assert delays[:4] == pytest.approx([5, 3.1, 5.0158, 8.1156], abs=0.001)
    texts = [text for text in logs.texts(20) if text.startswith("!")]
    assert texts[0] == "! connect failed; reconnecting in 5.0 seconds"
    assert texts[1] == "! connect failed again; retrying in 3 seconds"
    assert all(r.exc_info for r in logs.records if r.getMessage().startswith("! conn"))


async def test_handshakes_that_fail_are_tried_again(
    face: Face, delays: list[float]
) -> None:
    count = 0

    async def script(raw: Raw) -> None:
        nonlocal count
        count += 1
        if count == 1:
            return
        if count == 2:
            raw.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
            return
        await raw.accept()

    async with raw_server(script) as uri:
        async for websocket in face.connect(uri):
            await websocket.wait_closed()
            break
    assert count == 3
    assert len(delays) == 2


async def test_what_cannot_succeed_is_not_tried_again(
    face: Face, delays: list[float]
) -> None:
    async def script(raw: Raw) -> None:
        await raw.read_head()
        raw.write(b"HTTP/1.1 302 Found\r\nLocation: ftp://h/\r\n\r\n")

    async with raw_server(script) as uri:
        with pytest.raises(InvalidURI):
            async for _ in face.connect(uri):
                raise AssertionError
    assert not delays


async def test_endless_redirects_are_not_tried_again(
    face: Face, delays: list[float]
) -> None:
    async def process_request(path: str, headers: Any) -> Any:
        return 302, {"Location": "/"}, b""

    async with face.serve(
        echo, "localhost", 0, process_request=process_request
    ) as server:
        with pytest.raises(SecurityError):
            async for _ in face.connect(uri_of(server)):
                raise AssertionError
    assert not delays


async def test_errors_of_the_body_end_the_loop(face: Face, delays: list[float]) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        iterator = aiter(face.connect(uri_of(server)))
        opened = []
        with pytest.raises(ZeroDivisionError):
            async for websocket in iterator:
                opened.append(websocket)
                raise ZeroDivisionError
        await iterator.aclose()
        assert opened[0].closed
