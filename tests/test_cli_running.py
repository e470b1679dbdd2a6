"""Event loops, signals, exit statuses."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from websockets.cli.running import run, until_signal

needs_signals = pytest.mark.skipif(
    sys.platform == "win32", reason="event loops on Windows have no signal handlers"
)


async def interrupted_by(number: signal.Signals) -> int:
    os.kill(os.getpid(), number)
    await asyncio.get_running_loop().create_future()
    raise AssertionError("not interrupted")


class TestSignals:
    async def test_none(self) -> None:
        async def command() -> int:
            return 3

        assert await until_signal(command()) == 3

    @needs_signals
    @pytest.mark.parametrize(
        "number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
    )
    async def test_signal(self, number: signal.Signals, status: int) -> None:
        assert await until_signal(interrupted_by(number)) == status

    @needs_signals
    async def test_servers_end_well(self) -> None:
        assert await until_signal(interrupted_by(signal.SIGTERM), 0) == 0
        assert await until_signal(interrupted_by(signal.SIGINT), 0) == 130

    async def test_cancelled_otherwise(self) -> None:
        async def command() -> int:
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await until_signal(command())

    async def test_event_loop_without_signals(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Loop:
            def add_signal_handler(self, *args: object) -> None:
                raise NotImplementedError

        async def command() -> int:
            return 0

        future = asyncio.ensure_future(command())
        monkeypatch.setattr(asyncio, "get_running_loop", Loop)
        monkeypatch.setattr(asyncio, "ensure_future", lambda _: future)
        assert await until_signal(future) == 0  # type: ignore[arg-type]


class TestLoops:
    @pytest.mark.parametrize("name", ["asyncio", "uvloop"])
    def test_loop(self, name: str) -> None:
        pytest.importorskip(name)

        async def command() -> int:
            module = type(asyncio.get_running_loop()).__module__
            return int(module.startswith(name))

        assert run(command(), name) == 1
