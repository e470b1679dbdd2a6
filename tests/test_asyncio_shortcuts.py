"""What recv(), send() and async for return (websockets.asyncio.shortcuts).

In plain Python these are coroutines. Compiled, they are objects that must do in
every respect as coroutines do: these tests run on both.
"""

from __future__ import annotations

import asyncio
import collections.abc
import contextvars
import gc
import inspect
import types
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from faces.support import FakeTransport, frame, turns
from websockets.asyncio.connection import Connection
from websockets.asyncio.shortcuts import FastConnection
from websockets.classic.protocol import WebSocketCommonProtocol
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK

pytestmark = pytest.mark.usefixtures("clean_loop")


@pytest.fixture
async def connection() -> AsyncIterator[Any]:
    """Give an open server's connection."""
    connection = WebSocketCommonProtocol()
    connection.connection_made(FakeTransport(connection))
    connection.connection_open()
    yield connection
    connection.connection_lost(None)
    await turns(3)


def receive(connection: Any, *messages: bytes) -> None:
    data = b"".join(frame(2, message, mask=True) for message in messages)
    room = connection.get_buffer(-1)
    room[: len(data)] = data
    connection.buffer_updated(len(data))


def from_the_loop(connection: Any, *messages: bytes) -> None:
    """Receive in a callback of the event loop, where no task is running."""
    connection.loop.call_soon(receive, connection, *messages)


OPERATIONS: list[Callable[[Any], Any]] = [
    lambda connection: connection.recv(),
    lambda connection: connection.send(b"x"),
    lambda connection: connection.__anext__(),
]
NAMES = ["recv", "send", "__anext__"]

operations = pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)


def test_what_faces_build_on() -> None:
    assert issubclass(FastConnection, Connection)
    assert issubclass(WebSocketCommonProtocol, FastConnection)


@pytest.mark.parametrize("name", ["recv", "send"])
def test_functions_of_coroutines(name: str) -> None:
    """Tools that wrap functions ask what kind they are."""
    function = getattr(WebSocketCommonProtocol, name)
    assert inspect.iscoroutinefunction(function)
    assert inspect.iscoroutinefunction(getattr(WebSocketCommonProtocol(), name))
    assert inspect.getdoc(function) == inspect.getdoc(getattr(Connection, name))
    assert list(inspect.signature(function).parameters)[0] == "self"


@pytest.mark.parametrize("operation, name", list(zip(OPERATIONS, NAMES, strict=True)))
async def test_coroutines(
    connection: Any, operation: Callable[[Any], Any], name: str
) -> None:
    awaitable = operation(connection)
    assert isinstance(awaitable, collections.abc.Coroutine)
    assert asyncio.iscoroutine(awaitable)
    assert inspect.isawaitable(awaitable)
    assert awaitable.__name__ == name
    assert awaitable.__qualname__ == f"Connection.{name}"
    assert not awaitable.cr_running
    assert awaitable.cr_await is None
    awaitable.close()
    awaitable.close()


@operations
async def test_one_that_is_never_awaited(
    connection: Any, operation: Callable[[Any], Any]
) -> None:
    receive(connection, b"a")
    with pytest.warns(RuntimeWarning, match=r"coroutine 'Connection\.\w+' was never"):
        operation(connection)
        gc.collect()
    # It didn't do anything either.
    assert len(connection.messages) == 1
    assert not connection.transport.written


@operations
async def test_one_that_is_closed_is_not_missed(
    connection: Any, operation: Callable[[Any], Any]
) -> None:
    receive(connection, b"a")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        operation(connection).close()
        gc.collect()
    assert len(connection.messages) == 1
    assert not connection.transport.written


@operations
async def test_one_is_awaited_once(
    connection: Any, operation: Callable[[Any], Any]
) -> None:
    receive(connection, b"a")
    awaitable = operation(connection)
    await awaitable
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        await awaitable
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        awaitable.send(None)


async def test_one_is_awaited_by_one(connection: Any) -> None:
    awaitable = connection.recv()
    task = asyncio.ensure_future(awaitable)
    await turns(2)

    async def wait_too() -> None:
        await awaitable

    with pytest.raises(RuntimeError, match="being awaited already"):
        await wait_too()
    receive(connection, b"a")
    assert await task == b"a"


@operations
async def test_throwing_before_it_began(
    connection: Any, operation: Callable[[Any], Any]
) -> None:
    for arguments in (
        (ZeroDivisionError("oops"),),
        (ZeroDivisionError,),
        (ZeroDivisionError, "oops"),
        (ZeroDivisionError, ZeroDivisionError("oops"), None),
    ):
        awaitable = operation(connection)
        with warnings.catch_warnings():
            # Python's own coroutines differ: three arguments are deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            with pytest.raises(ZeroDivisionError):
                awaitable.throw(*arguments)
        with pytest.raises(RuntimeError, match="cannot reuse"):
            awaitable.send(None)


async def test_wrong_use(connection: Any) -> None:
    awaitable = connection.recv()
    with pytest.raises(TypeError, match="just-started coroutine"):
        awaitable.send(1)
    with pytest.raises(TypeError, match="exceptions must be"):
        awaitable.throw(3)
    awaitable.close()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited"):
        awaitable.throw(ZeroDivisionError())


@operations
async def test_awaiting_by_hand(
    connection: Any, operation: Callable[[Any], Any]
) -> None:
    receive(connection, b"a", b"b")

    class ByIterator:
        def __await__(self) -> Any:
            return (yield from operation(connection).__await__())

    @types.coroutine
    def by_generator() -> Any:
        return (yield from operation(connection))

    assert await ByIterator() in (b"a", None)
    assert await by_generator() in (b"b", None)


async def test_throwing_where_it_waits(connection: Any) -> None:
    for _ in range(2):
        awaitable = connection.recv()
        assert awaitable.send(None) is not None
        assert awaitable.cr_await is not None
        with warnings.catch_warnings():
            # From Python 3.12 on, three arguments are deprecated for coroutines.
            warnings.simplefilter("ignore", DeprecationWarning)
            with pytest.raises(ZeroDivisionError) as info:
                try:
                    raise ZeroDivisionError
                except ZeroDivisionError as exc:
                    awaitable.throw(ZeroDivisionError, exc, exc.__traceback__)
        assert info.value.__traceback__ is not None
    # Nobody waits there any more.
    receive(connection, b"a")
    assert await connection.recv() == b"a"


async def test_closing_where_it_waits(connection: Any) -> None:
    for _ in range(2):
        awaitable = connection.recv()
        awaitable.send(None)
        awaitable.close()
    receive(connection, b"a")
    assert await connection.recv() == b"a"


async def test_dropping_where_it_waits(connection: Any) -> None:
    awaitable = connection.recv()
    awaitable.send(None)
    del awaitable
    gc.collect()
    task = asyncio.create_task(connection.recv())
    await turns(2)
    from_the_loop(connection, b"a")
    assert await task == b"a"


async def test_dropping_it_in_a_cycle(connection: Any) -> None:
    """The garbage collector has it let go as well."""
    awaitable = connection.recv()
    awaitable.send(None)
    cycle: list[Any] = [awaitable]
    cycle.append(cycle)
    del awaitable, cycle
    gc.collect()
    task = asyncio.create_task(connection.recv())
    await turns(2)
    from_the_loop(connection, b"a")
    assert await task == b"a"


async def test_a_task_that_fails_is_heard_of(connection: Any) -> None:
    """Nobody keeps it until the connection ends."""
    heard: list[Any] = []
    connection.loop.set_exception_handler(lambda loop, context: heard.append(context))

    async def fail() -> None:
        await connection.recv()
        raise ZeroDivisionError

    task = asyncio.create_task(fail())
    await turns(2)
    from_the_loop(connection, b"a")
    await turns(2)
    assert task.done()
    del task
    gc.collect()
    assert [type(context["exception"]) for context in heard] == [ZeroDivisionError]


async def test_waking_in_the_context_of_the_task(connection: Any) -> None:
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    for message in b"a", b"b":
        task = loop.create_task(connection.recv(), context=context)
        await turns(2)
        loop.call_soon(receive, connection, message, context=context)
        assert await task == message


async def test_closing_what_waits_for_room(connection: Any) -> None:
    connection.pause_writing()
    sending = connection.send(b"x")
    sending.send(None)
    assert sending.cr_await is not None
    sending.close()
    sending = connection.send(b"x")
    sending.send(None)
    with pytest.raises(ZeroDivisionError):
        sending.throw(ZeroDivisionError())
    await turns(2)
    assert b"".join(connection.transport.written) == 2 * frame(2, b"x")


async def test_catching_what_is_thrown_in(connection: Any) -> None:
    """A coroutine may go on, and end, after an exception."""
    connection.pause_writing()

    async def fragments() -> AsyncIterator[str]:
        yield "a"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            yield "b"

    connection.resume_writing()
    task = asyncio.create_task(connection.send(fragments()))
    await turns(3)
    task.cancel()
    await task
    assert b"".join(connection.transport.written) == b"\x01\x01a\x00\x01b\x80\x00"


class TestWithAsyncio:
    """What asyncio does with coroutines works."""

    async def test_tasks(self, connection: Any) -> None:
        task = asyncio.create_task(connection.recv(), name="receiving")
        await turns(1)
        assert "Connection.recv" in repr(task)
        from_the_loop(connection, b"a")
        assert await task == b"a"
        assert await asyncio.create_task(connection.send(b"x")) is None

    async def test_gather(self, connection: Any) -> None:
        receive(connection, b"a")
        results = await asyncio.gather(connection.recv(), connection.send(b"x"))
        assert results == [b"a", None]

    async def test_task_groups(self, connection: Any) -> None:
        receive(connection, b"a", b"b")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(connection.recv()) for _ in range(2)]
        assert [task.result() for task in tasks] == [b"a", b"b"]

    async def test_wait_for(self, connection: Any) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.recv(), 0.001)
        receive(connection, b"a")
        assert await asyncio.wait_for(connection.recv(), 10) == b"a"

    async def test_timeout(self, connection: Any) -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await connection.recv()
        async with asyncio.timeout(10):
            from_the_loop(connection, b"a")
            assert await connection.recv() == b"a"

    async def test_shield(self, connection: Any) -> None:
        inner = asyncio.ensure_future(connection.recv())
        outer = asyncio.shield(inner)
        await turns(1)
        outer.cancel()
        await turns(1)
        receive(connection, b"a")
        assert await inner == b"a"

    async def test_cancelling_in_the_iteration_of_a_message(
        self, connection: Any
    ) -> None:
        """Whichever comes first, the message is there for the next one."""
        for wake_first in True, False:
            task = asyncio.create_task(connection.recv())
            await turns(1)
            if wake_first:
                receive(connection, b"a")
            task.cancel()
            if not wake_first:
                receive(connection, b"a")
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await connection.recv() == b"a"

    async def test_many_messages_and_turns(self, connection: Any) -> None:
        numbers = [b"%d" % number for number in range(500)]

        async def take_all() -> list[bytes]:
            return [await connection.recv() for _ in numbers]

        task = asyncio.create_task(take_all())
        await turns(1)
        for number in numbers[:250]:
            from_the_loop(connection, number)
        await turns(3)
        for number in numbers[250:]:
            receive(connection, number)
        assert await task == numbers

    async def test_two_tasks_take_turns(self, connection: Any) -> None:
        for message in b"a", b"b", b"c", b"d":
            task = asyncio.create_task(connection.recv())
            await turns(1)
            from_the_loop(connection, message)
            assert await task == message


class TestIterating:
    async def test_to_the_end(self, connection: Any) -> None:
        receive(connection, b"a", b"b")
        connection.data_received(frame(8, b"\x03\xe8", mask=True))
        connection.connection_lost(None)
        assert [message async for message in connection] == [b"a", b"b"]
        with pytest.raises(StopAsyncIteration):
            await anext(connection)
        assert await anext(connection, None) is None

    async def test_to_an_error(self, connection: Any) -> None:
        receive(connection, b"a")
        connection.data_received(frame(8, b"\x03\xf3", mask=True))
        connection.connection_lost(None)
        messages = []
        with pytest.raises(ConnectionClosedError):
            async for message in connection:
                messages.append(message)
        assert messages == [b"a"]

    async def test_what_overrides_recv(self) -> None:
        class Upper(WebSocketCommonProtocol):
            async def recv(self, decode: bool | None = None) -> Any:
                return (await super().recv(decode)).upper()

        connection: Any = Upper()
        connection.connection_made(FakeTransport(connection))
        connection.connection_open()
        receive(connection, b"a")
        async for message in connection:
            assert message == b"A"
            break
        connection.connection_lost(None)

    async def test_what_overrides_anext(self) -> None:
        class Counting(WebSocketCommonProtocol):
            count = 0

            async def __anext__(self) -> Any:
                type(self).count += 1
                return await super().__anext__()

        connection: Any = Counting()
        connection.connection_made(FakeTransport(connection))
        connection.connection_open()
        receive(connection, b"a")
        async for message in connection:
            assert message == b"a"
            break
        assert connection.count == 1
        connection.connection_lost(None)


async def test_decoding(connection: Any) -> None:
    receive(connection, b"a", b"b", b"\xff")
    assert await connection.recv(decode=True) == "a"
    assert await connection.recv(False) == b"b"
    with pytest.raises(UnicodeDecodeError):
        await connection.recv(True)


async def test_after_the_end(connection: Any) -> None:
    connection.data_received(frame(8, b"\x03\xe8", mask=True))
    connection.connection_lost(None)
    with pytest.raises(ConnectionClosedOK):
        await connection.recv()
    with pytest.raises(ConnectionClosedOK):
        await connection.send(b"x")


@pytest.mark.parametrize("message", [1, {"a": 1}])
async def test_sending_what_is_no_message(connection: Any, message: Any) -> None:
    with pytest.raises(TypeError):
        await connection.send(message)
    assert not connection.transport.written
