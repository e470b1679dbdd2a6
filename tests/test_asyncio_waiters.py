"""What a task waits on until a message comes (websockets.asyncio.waiters)."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import pytest

from faces.support import turns
from websockets.asyncio.waiters import Waiter

pytestmark = pytest.mark.usefixtures("clean_loop")


async def call_alone(callback: Callable[[], Any]) -> Any:
    """Call something as an event loop does: no task is running."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def call() -> None:
        assert asyncio.current_task() is None
        done.set_result(callback())

    loop.call_soon(call)
    return await done


async def park(times: int = 1) -> tuple[Waiter, asyncio.Task[str], list[int]]:
    """Have a task wait several times, and note how often it went on."""
    waiter = Waiter(asyncio.get_running_loop())
    woken: list[int] = []

    async def run() -> str:
        for number in range(times):
            await waiter
            woken.append(number)
        return "woken"

    task = asyncio.create_task(run())
    assert not waiter.is_waiting()
    await turns(1)
    assert waiter.parked
    assert waiter.is_waiting()
    return waiter, task, woken


async def test_waking_now() -> None:
    waiter, task, woken = await park()

    def wake() -> bool:
        waiter.wake_now()
        return task.done()

    assert await call_alone(wake) is True
    assert woken == [0]
    assert not waiter.parked
    assert not waiter.is_waiting()
    assert await task == "woken"


async def test_waking_soon() -> None:
    waiter, task, woken = await park()
    waiter.wake_soon()
    assert waiter.parked
    assert not waiter.is_waiting()
    assert woken == []
    assert await task == "woken"
    assert not waiter.parked


async def test_waiting_again() -> None:
    """Whichever way it was woken before."""
    waiter, task, woken = await park(5)

    def wake_twice() -> None:
        waiter.wake_now()
        assert waiter.is_waiting()
        waiter.wake_now()

    await call_alone(wake_twice)
    waiter.wake_soon()
    await turns(1)
    assert woken == [0, 1, 2]
    assert waiter.is_waiting()
    await call_alone(waiter.wake_now)
    waiter.wake_soon()
    assert await task == "woken"


async def test_the_task_and_its_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("v", default="none")
    waiter = Waiter(asyncio.get_running_loop())

    async def run() -> tuple[str, asyncio.Task[Any] | None]:
        variable.set("task")
        await waiter
        return variable.get(), asyncio.current_task()

    task = asyncio.create_task(run())
    await turns(1)
    await call_alone(waiter.wake_now)
    assert await task == ("task", task)
    assert variable.get() == "none"


async def test_errors_stay_in_the_task() -> None:
    waiter = Waiter(asyncio.get_running_loop())

    async def run() -> None:
        await waiter
        raise ZeroDivisionError

    task = asyncio.create_task(run())
    await turns(1)
    await call_alone(waiter.wake_now)
    with pytest.raises(ZeroDivisionError):
        await task


async def test_exits_come_out() -> None:
    waiter = Waiter(asyncio.get_running_loop())

    async def run() -> None:
        await waiter
        raise SystemExit

    task = asyncio.create_task(run())
    await turns(1)

    def wake() -> bool:
        with pytest.raises(SystemExit):
            waiter.wake_now()
        return True

    assert await call_alone(wake)
    assert isinstance(task.exception(), SystemExit)


async def test_cancelling_who_waits() -> None:
    waiter, task, woken = await park()
    task.cancel("why")
    assert not waiter.is_waiting()
    with pytest.raises(asyncio.CancelledError, match="why"):
        await task
    assert woken == []
    assert not waiter.parked


async def test_waiting_after_somebody_was_cancelled() -> None:
    waiter, first, _ = await park()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first

    async def run() -> str:
        await waiter
        return "woken"

    second = asyncio.create_task(run())
    await turns(1)
    assert waiter.is_waiting()
    await call_alone(waiter.wake_now)
    assert await second == "woken"


async def test_cancelling_who_was_woken() -> None:
    """It hasn't gone on yet, so it goes on with its cancellation."""
    waiter, task, woken = await park()
    waiter.wake_soon()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert woken == []


async def test_cancelling_between_two_waits() -> None:
    waiter, task, woken = await park(3)
    await call_alone(waiter.wake_now)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert woken == [0]


async def test_a_timeout() -> None:
    waiter = Waiter(asyncio.get_running_loop())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await waiter
    assert not waiter.parked


async def test_somebody_who_is_not_a_task() -> None:
    """It goes on in the next iteration, by its own means."""
    waiter = Waiter(asyncio.get_running_loop())
    steps = waiter.__await__()
    future = next(steps)
    assert waiter.is_waiting()
    waiter.wake_now()
    assert future.done()
    assert not waiter.is_waiting()
    with pytest.raises(StopIteration):
        next(steps)
    assert not waiter.parked
