"""Virtual time passes when nothing else can happen, and in no other way."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Any

import pytest

from websockets.asyncio.loops import loop_state
from websockets.testing import VirtualClock, pair, virtual_time


class TestPassing:
    async def test_sleep(self, clock: VirtualClock) -> None:
        began_at = time.monotonic()
        await asyncio.sleep(36000)
        assert clock.elapsed == 36000
        assert clock.time() == asyncio.get_running_loop().time()
        assert time.monotonic() - began_at < 3600

    async def test_timeouts(self, clock: VirtualClock) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                await asyncio.Event().wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 200)
        assert clock.elapsed == 300

    async def test_the_order_is_right(self, clock: VirtualClock) -> None:
        seen: list[Any] = []

        async def note(seconds: float) -> None:
            await asyncio.sleep(seconds)
            seen.append((seconds, clock.elapsed))

        async with asyncio.TaskGroup() as group:
            for seconds in 3, 0.1, 20, 0, 0.2, 7:
                group.create_task(note(seconds))
        assert seen == [(s, s) for s in (0, 0.1, 0.2, 3, 7, 20)]

    async def test_what_is_ready_comes_first(self, clock: VirtualClock) -> None:
        turns = 0

        async def spin() -> None:
            nonlocal turns
            for _ in range(100):
                await asyncio.sleep(0)
                turns += 1

        spinning = asyncio.create_task(spin())
        await asyncio.sleep(0.001)
        assert turns == 100
        await spinning

    async def test_days(self, clock: VirtualClock) -> None:
        # asyncio waits no longer than a day at once.
        clock._until += 1_000_000
        await clock.advance(1_000_000)
        assert clock.elapsed == 1_000_000


class TestAdvancing:
    async def test_all_that_is_due_happens(self, clock: VirtualClock) -> None:
        seen = []

        async def work() -> None:
            for number in range(10):
                await asyncio.sleep(1)
                for _ in range(5):
                    await asyncio.sleep(0)
                seen.append(number)

        task = asyncio.create_task(work())
        await clock.advance(4.5)
        assert seen == [0, 1, 2, 3]
        await clock.advance(0.5)
        assert seen == [0, 1, 2, 3, 4]
        await clock.advance(5)
        assert task.done()
        assert clock.elapsed == 10

    async def test_settling_takes_no_time(self, clock: VirtualClock) -> None:
        order: list[str] = []

        async def note(name: str, turns: int) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            order.append(name)

        tasks = [asyncio.create_task(note("a", 10)), asyncio.create_task(note("b", 5))]
        timer = asyncio.get_running_loop().call_later(0.001, order.append, "late")
        await clock.settle()
        assert order == ["b", "a"]
        assert clock.elapsed == 0
        timer.cancel()
        await asyncio.wait(tasks)

    async def test_several_may_settle(self, clock: VirtualClock) -> None:
        tasks = [asyncio.create_task(clock.settle()) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await clock.settle()
        assert [task.done() for task in tasks] == [True, True, True]

    async def test_not_backwards(self, clock: VirtualClock) -> None:
        with pytest.raises(ValueError, match="not by -1 seconds"):
            await clock.advance(-1)


class TestOutside:
    """What the event loop has no power over takes its time."""

    async def test_threads(self, clock: VirtualClock) -> None:
        go = threading.Event()
        timer = asyncio.get_running_loop().call_later(0.02, go.set)
        # If time were virtual meanwhile, this timeout would be over at once.
        async with asyncio.timeout(50):
            assert await asyncio.to_thread(go.wait)
        assert 0.02 <= clock.elapsed < 50
        timer.cancel()
        await asyncio.sleep(50)
        assert clock.elapsed > 50

    async def test_pipes(self, clock: VirtualClock) -> None:
        loop = asyncio.get_running_loop()
        reader, writer = os.pipe()
        read = asyncio.Event()
        loop.add_reader(reader, read.set)
        loop.call_later(0.02, os.write, writer, b"a")
        async with asyncio.timeout(50):
            await read.wait()
        assert 0.02 <= clock.elapsed < 50
        loop.remove_reader(reader)
        os.close(reader)
        os.close(writer)

    async def test_threads_that_nobody_knows_of(
        self, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called = asyncio.Event()
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(called.set,))
        select = clock._really_select

        def start_and_select(timeout: float | None) -> Any:
            if timeout:
                thread.start()
            return select(timeout)

        monkeypatch.setattr(clock, "_really_select", start_and_select)
        await called.wait()
        thread.join()
        assert clock.elapsed == 0


class TestInstalling:
    async def test_time_never_goes_back(self) -> None:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, asyncio.SelectorEventLoop):
            pytest.skip("virtual time needs asyncio's own event loop")
        run_in_executor = loop.run_in_executor
        async with virtual_time():
            await asyncio.sleep(1000)
            then = loop.time()
        first = loop.time()
        assert then <= first < then + 1000
        assert loop.time() >= first
        assert loop.run_in_executor == run_in_executor
        assert loop_state(loop).clock is time.perf_counter
        # And it may be virtual once more.
        async with virtual_time() as clock:
            await asyncio.sleep(1000)
            assert clock.elapsed == 1000
            assert loop.time() >= then + 1000

    async def test_once_at_a_time(self, clock: VirtualClock) -> None:
        with pytest.raises(RuntimeError, match="is virtual already"):
            async with virtual_time():
                raise AssertionError

    async def test_other_event_loops(self) -> None:
        if isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop):
            pytest.skip("this is about others")
        with pytest.raises(RuntimeError, match="this one is a uvloop.Loop: run it on"):
            async with virtual_time():
                raise AssertionError

    async def test_latency_is_virtual(self, clock: VirtualClock) -> None:
        async with pair() as (client, server):
            pong = await client.ping()
            assert await pong == 0


class TestStuck:
    """A test that can't go on fails, and tells why."""

    def run(self, main: Any) -> str:
        """Run something that fails; return what it says."""
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            with pytest.raises(RuntimeError) as caught:
                runner.run(main())
        return str(caught.value)

    def test_nothing_can_wake_a_task(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("websockets.testing.clock.PATIENCE", 0.01)
        cancelled = asyncio.Event()

        async def wait() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        async def main() -> None:
            async with virtual_time(), asyncio.TaskGroup() as group:
                group.create_task(wait(), name="another")
                await asyncio.Event().wait()

        said = self.run(main)
        assert said.startswith("nothing is left that could wake a task; tasks wait")
        assert f": main ({__file__}:" in said
        assert f"\n  another: wait ({__file__}:" in said
        # They are cancelled as in any program that fails.
        assert cancelled.is_set()

    def test_a_day_has_passed(self) -> None:
        async def main() -> None:
            async with virtual_time(limit=3600), pair() as (client, server):
                await client.recv()

        said = self.run(main)
        assert said.startswith("3600 seconds of virtual time have passed; tasks wait")
        assert f": main ({__file__}:" in said

    def test_the_error_is_raised_again(self) -> None:
        """What cleans up has time for that, but not for ever."""

        async def main() -> None:
            async with virtual_time(limit=100) as clock:
                try:
                    await asyncio.sleep(1000)
                finally:
                    assert clock.elapsed > 100
                    await asyncio.sleep(50)
                    ended.append(clock.elapsed)

        ended: list[float] = []
        self.run(main)
        assert len(ended) == 1
