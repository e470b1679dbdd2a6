"""TLS handshakes of servers, where event loops and applications fail."""

from __future__ import annotations

import asyncio
import functools
import logging
import types
from collections.abc import Callable
from typing import Any

import pytest

from faces.support import FakeTransport, server_tls, turns
from websockets.asyncio import transports
from websockets.asyncio.admission import Admission
from websockets.asyncio.tls import TLSHandshake, TLSStarter, TLSTurns
from websockets.session.limits import Limits

pytestmark = pytest.mark.usefixtures("clean_loop")

NOISE = b"GET / HTTP/1.1"


def make_host() -> Any:
    """Return what stands for a server."""
    return types.SimpleNamespace(
        admission=Admission(Limits()),
        securing=set(),
        turns=TLSTurns(),
        logger=logging.getLogger("websockets.server"),
    )


def begin(
    start: Callable[..., Any], make: Callable[[], Any] = asyncio.Protocol
) -> tuple[Any, TLSHandshake, FakeTransport]:
    """Return a server, a handshake that it has begun, and its transport."""
    host = make_host()
    handshake = TLSHandshake(host, make, TLSStarter(start, {"ssl": server_tls()}))
    transport = FakeTransport(handshake)
    transport.get_protocol = lambda: transport.protocol  # type: ignore[method-assign]
    handshake.connection_made(transport)
    return host, handshake, transport


async def test_an_event_loop_that_cannot_start_tls() -> None:
    async def start(*args: Any, **kwargs: Any) -> Any:
        raise TypeError("not with this transport")

    told: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: told.append(context["exception"]))
    host, handshake, transport = begin(start)
    handshake.data_received(NOISE)
    await turns(4)
    loop.set_exception_handler(None)
    assert [str(exc) for exc in told] == ["not with this transport"]
    assert transport.calls[-1] == "abort"
    assert not host.securing
    assert host.admission.rejected == {"error": 1}


async def test_a_connection_that_fails_to_take_over() -> None:
    class Failing(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            raise RuntimeError("no, thanks")

    async def start(transport: Any, protocol: Any, *args: Any, **kwargs: Any) -> Any:
        return FakeTransport(protocol)

    told: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: told.append(context["exception"]))
    host, handshake, transport = begin(start, Failing)
    handshake.data_received(NOISE)
    await turns(4)
    loop.set_exception_handler(None)
    assert [str(exc) for exc in told] == ["no, thanks"]
    assert transport.calls[-1] == "abort"
    assert not host.securing


async def test_a_connection_lost_in_the_moment_that_the_handshake_ends() -> None:
    """Event loops differ in what start_tls() does then."""
    made: list[Any] = []
    closed = FakeTransport()
    closed.calls.append("close")
    for result in None, closed:

        async def start(*args: Any, result: Any = result, **kwargs: Any) -> Any:
            return result

        host, handshake, transport = begin(start, lambda: made.append(1))
        handshake.data_received(NOISE)
        await turns(4)
        assert not host.securing
        assert host.admission.rejected == {"lost": 1}
    assert not made


async def test_what_comes_early() -> None:
    """It waits for the connection, and so does the end."""
    got: list[Any] = []

    class Taking(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            got.append("made")

        def data_received(self, data: bytes) -> None:
            got.append(data)

        def connection_lost(self, exc: Exception | None) -> None:
            got.append("lost")

    early: list[Any] = []

    async def start(transport: Any, protocol: Any, *args: Any, **kwargs: Any) -> Any:
        early.append(protocol)
        protocol.data_received(b"some")
        protocol.data_received(b"thing")
        return FakeTransport(protocol)

    _, handshake, _ = begin(start, Taking)
    handshake.data_received(NOISE)
    await turns(4)
    early[0].connection_lost(None)
    assert got == ["made", b"something", "lost"]


async def test_too_much_comes_early() -> None:
    async def start(transport: Any, protocol: Any, *args: Any, **kwargs: Any) -> Any:
        for _ in range(9):
            protocol.data_received(bytes(2**14))
        protocol.connection_lost(None)

    host, handshake, transport = begin(start)
    handshake.data_received(NOISE)
    await turns(4)
    assert transport.calls[-1] == "abort"
    assert host.admission.rejected == {"too_large": 1}


async def test_a_few_at_once() -> None:
    begun: list[Any] = []
    turns_ = TLSTurns()
    for number in range(10):
        turns_.begin_soon(
            types.SimpleNamespace(begin=functools.partial(begun.append, number))  # type: ignore[arg-type]
        )
    counts = []
    while len(begun) < 10:
        await turns(1)
        counts.append(len(begun))
    assert counts == [4, 8, 10]
    assert begun == list(range(10))


def test_event_loops_that_nobody_has_tried() -> None:
    """TLS is left to them: they may have transports of their own."""

    class Loop(asyncio.AbstractEventLoop):
        pass

    assert transports._find_tls(Loop(), False) is None


async def test_nothing_is_left_of_a_handshake() -> None:
    """uvloop's transports remember their first protocol."""
    early: list[Any] = []

    async def start(transport: Any, protocol: Any, *args: Any, **kwargs: Any) -> Any:
        transport.protocol = early.append(protocol)
        raise ConnectionResetError

    host, handshake, _ = begin(start)
    handshake.data_received(NOISE)
    await turns(4)
    assert handshake.transport is handshake._task is None
    # What comes after the end of it changes nothing.
    early[0].data_received(bytes(2**18))
    assert host.admission.rejected == {"tls": 1}
