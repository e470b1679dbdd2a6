"""What a task waits on until a message comes."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from faces.support import turns
from websockets.asyncio.waiters import Waiter

pytestmark = pytest.mark.usefixtures("clean_loop")


async def wait(waiter: Waiter) -> str:
    await waiter
    return "woken"


async def park() -> tuple[Waiter, asyncio.Task[str]]:
    """Have a task wait."""
    waiter = Waiter(asyncio.get_running_loop())
    task = asyncio.create_task(wait(waiter))
    await turns(1)
    assert waiter.parked
    assert waiter.waiting
    assert not waiter.done()
    return waiter, task


async def test_waking_in_the_next_iteration() -> None:
    waiter, task = await park()
    waiter.wake()
    waiter.wake()
    assert waiter.parked
    assert not waiter.waiting
    assert waiter.done()
    assert not waiter.cancelled()
    assert await task == "woken"
    assert not waiter.parked
    waiter.wake()


async def test_waking_now() -> None:
    waiter, task = await park()
    asyncio.get_running_loop().call_soon(waiter.wake_now)
    loop = asyncio.get_running_loop()
    seen = loop.create_future()

    def look() -> None:
        seen.set_result(task.done())

    loop.call_soon(look)
    assert await seen is True
    waiter.wake_now()
    assert await task == "woken"


async def test_waiting_again() -> None:
    waiter = Waiter(asyncio.get_running_loop())

    async def run() -> None:
        for _ in range(3):
            await waiter

    task = asyncio.create_task(run())
    for _ in range(3):
        await turns(2)
        assert waiter.waiting
        waiter.wake()
    await task


@pytest.mark.parametrize("args", [(), ("why",)])
async def test_cancelling(args: tuple[str, ...]) -> None:
    waiter, task = await park()
    task.cancel(*args)
    assert waiter.cancelled()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not waiter.cancelled()
    assert not waiter.parked


async def test_a_cancellation_that_comes_too_late() -> None:
    waiter, task = await park()
    waiter.wake()
    assert waiter.cancel() is False
    assert await task == "woken"


async def test_a_cancellation_is_called_off() -> None:
    waiter, task = await park()
    task.cancel()
    task.uncancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_context_of_the_waiting_task() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")
    loop = asyncio.get_running_loop()

    async def run() -> int:
        variable.set(1)
        await waiter
        return variable.get()

    for wake in ("wake", "wake_now"):
        waiter = Waiter(loop)
        task = asyncio.create_task(run())
        await turns(1)
        loop.call_soon(getattr(waiter, wake))
        assert await task == 1


async def test_what_futures_offer() -> None:
    loop = asyncio.get_running_loop()
    waiter = Waiter(loop)
    called = []
    assert waiter.get_loop() is loop
    assert waiter.exception() is None
    assert waiter.result() is None
    assert waiter.done()
    waiter.add_done_callback(called.append)
    assert waiter.remove_done_callback(print) == 0
    assert waiter.remove_done_callback(called.append) == 1
    assert waiter.cancel() is False
    waiter.add_done_callback(called.append)
    waiter.wake_now()
    assert called == [waiter]


async def test_a_waiter_is_never_started_as_a_task() -> None:
    """It looks like a future to tasks only."""
    waiter = Waiter(asyncio.get_running_loop())
    assert not asyncio.iscoroutine(waiter)
