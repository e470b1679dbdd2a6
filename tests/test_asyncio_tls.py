"""TLS handshakes of servers, where event loops and applications fail."""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
import types
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import websockets
from faces.support import FakeTransport, echo, server_tls, turns, until
from websockets.asyncio import transports
from websockets.asyncio.admission import Admission
from websockets.asyncio.tls import TLSHandshake, TLSStarter, TLSTurns
from websockets.session.limits import Limits

pytestmark = pytest.mark.usefixtures("clean_loop")

NOISE = b"GET / HTTP/1.1"


@pytest.fixture
async def told() -> AsyncIterator[list[str]]:
    """Give the errors that the event loop is told of."""
    found: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(
        lambda loop, context: found.append(str(context["exception"]))
    )
    yield found
    loop.set_exception_handler(None)


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


async def test_an_event_loop_that_cannot_start_tls(told: list[str]) -> None:
    async def start(*args: Any, **kwargs: Any) -> Any:
        raise TypeError("not with this transport")

    host, handshake, transport = begin(start)
    handshake.data_received(NOISE)
    await turns(4)
    assert told == ["not with this transport"]
    assert transport.calls[-1] == "abort"
    assert not host.securing
    assert host.admission.rejected == {"error": 1}


@pytest.mark.parametrize("error", [RuntimeError, ConnectionResetError])
async def test_a_connection_that_fails_to_take_over(
    told: list[str], error: type[Exception]
) -> None:
    """Whatever it raises, even what would mean elsewhere that the peer has failed."""

    class Failing(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            raise error("no, thanks")

    async def start(transport: Any, protocol: Any, *args: Any, **kwargs: Any) -> Any:
        return FakeTransport(protocol)

    host, handshake, transport = begin(start, Failing)
    handshake.data_received(NOISE)
    await turns(4)
    assert told == ["no, thanks"]
    assert transport.calls[-1] == "abort"
    assert host.admission.rejected == {"error": 1}
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


async def test_no_task_can_be_made(told: list[str]) -> None:
    """Others have their turn nevertheless."""

    async def start(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionResetError

    def fail(loop: Any, coro: Any, **kwargs: Any) -> Any:
        coro.close()
        raise MemoryError("no room")

    loop = asyncio.get_running_loop()
    host, handshake, transport = begin(start)
    loop.set_task_factory(fail)
    handshake.data_received(NOISE)
    other = TLSHandshake(host, asyncio.Protocol, handshake._start)
    other.connection_made(FakeTransport(other))
    await asyncio.sleep(0)
    loop.set_task_factory(None)
    assert told == ["no room"]
    assert transport.calls[-1] == "abort"
    assert not len(host.turns)


async def test_tls_that_fails_when_it_is_handed_the_hello(told: list[str]) -> None:
    class Failing(asyncio.BufferedProtocol):
        def get_buffer(self, sizehint: int) -> Any:
            raise ValueError("no buffer")

    async def start(transport: Any, *args: Any, **kwargs: Any) -> Any:
        transport.protocol = Failing()
        await asyncio.sleep(0.001)

    host, handshake, transport = begin(start)
    handshake.data_received(NOISE)
    await turns(5)
    assert told == ["no buffer"]
    assert transport.calls[-1] == "abort"
    assert host.admission.rejected == {"error": 1}
    await until(lambda: not host.securing)


async def test_who_waits_for_us_is_not_half_open() -> None:
    """Handshakes in line are not slow; but the line has an end."""

    async def start(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionResetError

    host, _, _ = begin(start)
    host.admission.limits = Limits(handshakes=1)
    transports_ = []
    for _ in range(12):
        handshake = TLSHandshake(
            host, asyncio.Protocol, TLSStarter(start, {"ssl": server_tls()})
        )
        transport = FakeTransport(handshake)
        transport.get_protocol = lambda t=transport: t.protocol  # type: ignore[misc]
        handshake.connection_made(transport)
        transports_.append(transport)
        handshake.data_received(NOISE)
    # The first connection was silent, and older than the others; the last two found
    # ten before them.
    assert host.admission.rejected == {"handshakes": 3}
    assert len(host.turns) == 10
    ends = [transport.calls[-1] for transport in transports_]
    assert ends == ["pause_reading"] * 10 + ["abort"] * 2
    await until(lambda: not len(host.turns))
    await turns(3)


async def test_leaving_the_line() -> None:
    started: list[Any] = []

    async def start(*args: Any, **kwargs: Any) -> Any:
        started.append(args)

    host, handshake, _ = begin(start)
    handshake.data_received(NOISE)
    handshake.connection_lost(None)
    await turns(3)
    assert not started
    assert host.admission.rejected == {"lost": 1}


async def test_a_context_that_is_not_for_servers() -> None:
    context = ssl.create_default_context()
    with pytest.raises(ssl.SSLError, match="server"):
        await asyncio.wait_for(websockets.serve(echo, "localhost", 0, ssl=context), 5)


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
    assert host.admission.rejected == {"lost": 1}
