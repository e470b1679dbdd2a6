"""``websockets ping``: is it there, and how far away."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from cli_support import parse, serving
from websockets.asyncio.server import ServerConnection
from websockets.cli import ping
from websockets.cli.failures import CommandError

Captured = pytest.CaptureFixture[str]


async def measure(uri: str, *arguments: object) -> int:
    return await ping.run(parse(ping, uri, *arguments))


async def wait(connection: ServerConnection) -> None:
    await connection.wait_closed()


async def test_answers(capsys: Captured) -> None:
    async with serving(wait) as (_, uri):
        user = uri.replace("//", "//me:secret@")
        assert await measure(user, "--count", 2, "--interval", 0.001) == 0
    expected = [
        rf"Connected to {uri.replace('//', '//me:[*]+@')} in \d+\.\d{{3}} ms\.",
        r"ping 1: \d+\.\d{3} ms",
        r"ping 2: \d+\.\d{3} ms",
        "",
        "2 sent, 2 answered",
        r"minimum \d+\.\d{3} ms, mean \d+\.\d{3} ms, maximum \d+\.\d{3} ms",
    ]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line)


async def test_no_answer(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    async def ping_nobody(self: Any) -> asyncio.Future[float]:
        return asyncio.get_running_loop().create_future()

    monkeypatch.setattr("websockets.asyncio.client.ClientConnection.ping", ping_nobody)
    async with serving(wait) as (_, uri):
        options = ["--count", 1, "--timeout", 0.5]
        assert await measure(uri, *options) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "ping 1: no answer",
        "",
        "1 sent, 0 answered",
    ]


async def test_connection_is_closed(capsys: Captured) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.close(1013, "busy")

    async with serving(handler) as (_, uri):
        with pytest.raises(CommandError, match="Connection closed: received 1013"):
            await measure(uri, "--interval", 0.001)
    assert "sent," in capsys.readouterr().out


async def test_interrupted(capsys: Captured) -> None:
    async with serving(wait) as (_, uri):
        task = asyncio.ensure_future(measure(uri, "--interval", 0.001))
        printed = ""
        while "ping 3" not in printed:
            await asyncio.sleep(0)
            printed += capsys.readouterr().out
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert re.search(r"\d+ sent, \d+ answered\nminimum", capsys.readouterr().out)
