"""Limits for the rate of what connections receive."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from faces.support import Face, pair, pass_time, turns, until
from websockets import ConnectionClosedError, Limits, Rate

PLAIN: dict[str, Any] = {"compression": None}


async def receive_all(connection: Any) -> list[Any]:
    received = []
    with pytest.raises(ConnectionClosedError):
        while True:
            received.append(await connection.recv())
    return received


@pytest.mark.parametrize("name", ["messages", "bytes", "controls"])
async def test_too_much_closes_the_connection(face: Face, name: str) -> None:
    limits = Limits(**{name: Rate(0.001, 1000 if name == "bytes" else 3)})
    async with pair(face, PLAIN | {"limits": limits}, PLAIN) as (client, server):
        sent = []
        for number in range(4):
            if name == "controls":
                await client.ping()
            else:
                sent.append(str(number) * 300)
                await client.send(sent[-1])
        reason = f"too many {name} in a short time"
        # What came is delivered first.
        assert await receive_all(server) == sent
        await client.wait_closed()
        assert server.stats.close_code == 1008
        assert server.close_code == 1006
        assert client.close_code == 1008
        assert client.close_reason == reason


async def test_too_much_is_logged(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "websockets")
    limits = Limits(messages=Rate(0.001, 1))
    async with pair(face, PLAIN | {"limits": limits}, PLAIN) as (client, server):
        await client.send("one")
        await client.send("two")
        await server.wait_closed()
    assert "! too many messages received in a short time" in caplog.messages


async def test_what_is_within_the_limits_passes(face: Face) -> None:
    limits = Limits(messages=Rate(0.001, 10), bytes=Rate(1, 1000))
    async with pair(face, PLAIN | {"limits": limits}, PLAIN) as (client, server):
        for _ in range(10):
            await client.send("0123456789")
            await server.recv()
        assert server.state.name == "OPEN"


async def test_clients_have_limits_too(face: Face) -> None:
    limits = Limits(messages=Rate(0.001, 1))
    async with pair(face, PLAIN, PLAIN | {"limits": limits}) as (client, server):
        await server.send("one")
        await server.send("two")
        assert await receive_all(client) == ["one", "two"]
        assert client.protocol.close_sent.code == 1008


async def test_too_much_pauses_reading(face: Face) -> None:
    limits = Limits(messages=Rate(0.1, 2), on_excess="pause")
    options = PLAIN | {"limits": limits}
    async with pair(face, options, PLAIN) as (client, server):
        for number in range(3):
            await client.send(str(number))
        assert [await server.recv() for _ in range(3)] == ["0", "1", "2"]
        await client.send("3")
        task = asyncio.create_task(server.recv())
        await turns(20)
        assert not task.done()
        assert server.stats.reading_pauses == 1
        # Nobody is held to be silent while we don't read.
        pass_time(server, 9.9)
        await turns(20)
        assert not task.done()
        pass_time(server, 10.1)
        assert await task == "3"
        # Whoever leaves needn't wait for what isn't read.
        await server.close()


async def test_it_goes_on_reading_when_there_is_room(face: Face) -> None:
    limits = Limits(messages=Rate(0.1, 1), on_excess="pause")
    options = PLAIN | {"limits": limits, "max_queue": 1}
    async with pair(face, options, PLAIN) as (client, server):
        await client.send("0")
        await client.send("1" * 100_000)
        await client.send("2" * 100_000)
        await until(lambda: server.stats.reading_pauses)
        pass_time(server, 100)
        # The application hasn't received what is there.
        assert server._reading_paused
        for digit in "012":
            assert (await server.recv())[0] == digit
        await server.close()


async def test_closing_while_paused(face: Face) -> None:
    limits = Limits(messages=Rate(0.001, 1), on_excess="pause")
    async with pair(face, PLAIN | {"limits": limits}, PLAIN) as (client, server):
        await client.send("0")
        await client.send("1")
        await until(lambda: server.stats.reading_pauses)
        await client.send("2")
        await server.close(4000)
        await client.wait_closed()
        assert client.close_code == 4000
        assert [await server.recv() for _ in range(3)] == ["0", "1", "2"]
