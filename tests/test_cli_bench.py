"""``websockets bench``, and the durations that it counts."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_support import Tty, parse, serving
from websockets.asyncio.server import ServerConnection
from websockets.cli import bench
from websockets.cli.failures import CommandError
from websockets.cli.measures import Durations, table

Captured = pytest.CaptureFixture[str]


async def measure(uri: str, *arguments: object) -> int:
    return await bench.run(parse(bench, uri, *arguments))


class TestDurations:
    def test_none(self) -> None:
        assert Durations().summarize([50]) == {
            "minimum": 0,
            "mean": 0,
            "50%": 0,
            "maximum": 0,
        }

    def test_some(self) -> None:
        durations = Durations()
        for milliseconds in range(1, 101):
            durations.add(milliseconds * 1_000_000)
        summary = durations.summarize([50, 99.9])
        assert list(summary) == ["minimum", "mean", "50%", "99.9%", "maximum"]
        assert summary["minimum"] == 0.001
        assert summary["mean"] == 0.0505
        assert summary["50%"] == pytest.approx(0.050, rel=0.001)
        assert summary["99.9%"] == pytest.approx(0.100, rel=0.001)
        assert summary["maximum"] == 0.1
        assert durations.count == 100

    @given(st.lists(st.integers(0, 10**12), min_size=1), st.floats(1, 100))
    def test_percentiles_are_near(self, values: list[int], percent: float) -> None:
        durations = Durations()
        for value in values:
            durations.add(value)
        values.sort()
        exact = next(
            value
            for number, value in enumerate(values, 1)
            if number >= len(values) * percent / 100
        )
        found = durations.percentile(percent) * 1e9
        assert found <= exact + 1e-3
        assert found == pytest.approx(exact, rel=0.001, abs=1e-3)

    def test_little_memory(self) -> None:
        durations = Durations()
        for value in range(0, 10**9, 9973):
            durations.add(value)
        assert durations.count > 100_000
        assert len(durations._counts) < 20_000

    def test_table(self) -> None:
        rows = [("one", "1.5 ms"), ("eleven", "11.25 ms"), ("none", "7")]
        assert table(rows) == "one       1.5 ms\neleven  11.25 ms\nnone        7"


class TestBench:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["--in-flight", 1],
            ["--in-flight", 8, "--text"],
            ["--size", "0,7,200"],
            ["--size", 40000],
            ["--rate", 100_000],
        ],
    )
    async def test_messages(self, capsys: Captured, arguments: list[Any]) -> None:
        async with serving() as (_, uri):
            options = ["--messages", 30, "--connections", 3, "--duration", 600]
            assert await measure(uri, *options, *arguments, "--json") == 0
        out, err = capsys.readouterr()
        result = json.loads(out)
        assert err == ""
        assert (result["messages"], result["connections"]) == (30, 3)
        assert result["complete"]
        assert result["messages_per_second"] == 30 / result["seconds"]
        assert result["bytes_per_second"] == result["bytes"] / result["seconds"]
        assert 0 < result["latency"]["minimum"] <= result["latency"]["99.9%"]
        assert result["connecting"]["maximum"] > 0

    @pytest.mark.parametrize("arguments", [[], ["--rate", 1000]])
    async def test_duration(self, capsys: Captured, arguments: list[Any]) -> None:
        async with serving() as (_, uri):
            options = ["--duration", 0.02, "--size", 10, "--connections", 1]
            assert await measure(uri, *options, *arguments, "--json") == 0
        result = json.loads(capsys.readouterr().out)
        assert result["messages"] > 0
        assert result["bytes"] == 10 * result["messages"]
        assert result["seconds"] > 0.019

    async def test_table(self, capsys: Captured) -> None:
        async with serving() as (_, uri):
            assert await measure(uri, "--messages", 5) == 0
        out = capsys.readouterr().out
        assert re.search(r"^messages +5$", out, re.MULTILINE)
        assert re.search(r"^Latency\n  minimum +\d+\.\d{3} ms$", out, re.MULTILINE)
        assert re.search(r"^Connecting\n  minimum +\d+\.\d{3} ms$", out, re.MULTILINE)

    async def test_no_echo(self) -> None:
        async def handler(connection: ServerConnection) -> None:
            async for _ in connection:
                await connection.send(b"something else")

        async with serving(handler) as (_, uri):
            with pytest.raises(
                CommandError, match="isn't what was sent. Is it an echo"
            ):
                await measure(uri)

    async def test_no_answer(self) -> None:
        async def handler(connection: ServerConnection) -> None:
            await connection.wait_closed()

        async with serving(handler) as (_, uri):
            with pytest.raises(CommandError, match=r"No answer for 0\.3 seconds\. Is"):
                await measure(uri, "--timeout", 0.3)

    @pytest.mark.parametrize("arguments", [[], ["--rate", 10_000]])
    async def test_closed(self, arguments: list[Any]) -> None:
        async def handler(connection: ServerConnection) -> None:
            await connection.recv()

        async with serving(handler) as (_, uri):
            with pytest.raises(CommandError, match="Connection closed: received 1000"):
                await measure(uri, "--connections", 1, *arguments)

    async def test_refused(self) -> None:
        async with serving(origins=[]) as (_, uri):
            with pytest.raises(CommandError, match="HTTP 403"):
                await measure(uri)

    async def test_interrupted(self, capsys: Captured) -> None:
        answered = asyncio.Event()

        async def handler(connection: ServerConnection) -> None:
            for number in itertools.count():
                await connection.send(await connection.recv())
                if number == 10:
                    answered.set()

        async with serving(handler) as (_, uri):
            task = asyncio.ensure_future(measure(uri, "--timeout", 0, "--json"))
            await answered.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        result = json.loads(capsys.readouterr().out)
        assert result["messages"] >= 10
        assert not result["complete"]

    async def test_interrupted_before_anything(self, capsys: Captured) -> None:
        task = asyncio.ensure_future(measure("ws://127.0.0.1:9/"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize("sizes", ["", "x", "1,,2", "-1"])
    def test_bad_sizes(self, capsys: Captured, sizes: str) -> None:
        with pytest.raises(SystemExit):
            parse(bench, "ws://localhost", f"--size={sizes}")
        assert "isn't sizes in bytes" in capsys.readouterr().err


class TestProgress:
    def test_bar(self) -> None:
        stream = Tty()
        progress = bench.Progress(stream, quiet=False)
        progress.show(0.5, "halfway")
        progress.show(1.1, "done")
        progress.clear()
        half = "#" * 15 + "." * 15
        assert stream.getvalue() == (
            f"\r\x1b[K[{half}]  50%  halfway\r\x1b[K[{'#' * 30}] 100%  done\r\x1b[K"
        )

    def test_quiet(self) -> None:
        stream = Tty()
        progress = bench.Progress(stream, quiet=True)
        progress.show(0.5, "halfway")
        progress.clear()
        assert stream.getvalue() == ""

    async def test_shown(
        self, monkeypatch: pytest.MonkeyPatch, capsys: Captured
    ) -> None:
        shown = Tty()
        monkeypatch.setattr(sys, "stderr", shown)
        async with serving() as (_, uri):
            await measure(uri, "--messages", 10, "--connections", 2)
        assert "] 100%  2 connections\r" in shown.getvalue()
        assert "messages/s" in shown.getvalue()
