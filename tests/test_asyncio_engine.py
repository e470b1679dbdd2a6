"""The machinery of one connection, on a fake transport."""

from __future__ import annotations

import asyncio
import logging
import uuid
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from faces.support import (
    REQUEST,
    FakeServer,
    FakeTransport,
    Logs,
    close_frame,
    deliver,
    deliver_alone,
    frame,
    masked,
    pass_time,
    turns,
    until,
)
from websockets.asyncio import engine
from websockets.asyncio.alarms import ACTIONS
from websockets.asyncio.loops import LoopState, loop_state, throw
from websockets.classic.protocol import WebSocketCommonProtocol
from websockets.classic.server import WebSocketServerProtocol
from websockets.exceptions import (
    ConnectionClosedError,
    ConnectionClosedOK,
    ProtocolError,
)
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.protocol import Protocol, Side, State
from websockets.session.clock import Alarm

pytestmark = pytest.mark.usefixtures("clean_loop")


@pytest.fixture
async def opened() -> AsyncIterator[tuple[Any, FakeTransport]]:
    """Give an open server's connection and its transport."""
    connection = WebSocketCommonProtocol()
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.connection_open()
    yield connection, transport
    if not connection.closed:
        connection.connection_lost(None)
    await turns(3)


Opened = tuple[Any, FakeTransport]


async def test_what_is_known_of_a_connection(opened: Opened) -> None:
    connection, transport = opened
    assert connection.state is State.OPEN
    assert connection.loop is asyncio.get_running_loop()
    assert isinstance(connection.id, uuid.UUID)
    assert connection.local_address is connection.remote_address is None
    assert connection.request is connection.response is None
    assert repr(connection).startswith("<WebSocketCommonProtocol OPEN at 0x")
    assert not connection.debug
    connection.subprotocol = "chat"
    assert connection.subprotocol == "chat"
    logger = logging.getLogger("other")
    connection.logger = logger
    assert connection.logger is logger
    connection.state = State.CLOSING
    assert connection.protocol.state is State.CLOSING
    assert transport.limits == (2**16, None)


def test_before_there_is_a_transport() -> None:
    connection = WebSocketCommonProtocol(secure=None)
    assert connection.remote_address is None
    assert connection.secure is None
    connection.fail_connection(1011)
    with pytest.raises(RuntimeError):
        connection._get_loop()


async def test_closing_before_there_is_a_transport() -> None:
    connection = WebSocketCommonProtocol()
    await connection.close()
    connection.handshake_timed_out()


async def test_closing_during_the_handshake() -> None:
    connection = WebSocketCommonProtocol()
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    await connection.close()
    assert transport.calls == ["abort"]


# Writing.


async def test_the_first_frame_of_an_iteration_is_written_at_once(
    opened: Opened,
) -> None:
    connection, transport = opened
    await connection.send("a")
    assert transport.written == [frame(1, "a")]
    await connection.send("b")
    await connection.send("c")
    assert len(transport.written) == 1
    await turns(1)
    assert transport.written[1:] == [frame(1, "b") + frame(1, "c")]


async def test_a_collected_backlog_is_bounded(opened: Opened) -> None:
    connection, transport = opened
    await connection.send("a")
    for _ in range(5):
        await connection.send(b"x" * 30_000)
    assert len(transport.written) > 1
    await turns(1)
    assert len(b"".join(transport.written)) == 3 + 5 * 30_004
    await connection.send("a")
    await connection.ping(b"")
    for _ in range(6000):
        await connection.pong(b"")
    assert len(b"".join(transport.written)) > 150_000 + 2 * 2000


@pytest.mark.parametrize("gathers", [True, False])
async def test_large_payloads_are_not_joined(opened: Opened, gathers: bool) -> None:
    connection, transport = opened
    connection._gathers = gathers
    await connection.send(b"x" * 100_000)
    assert ("writelines" in transport.calls) is gathers
    assert b"".join(transport.written) == frame(2, b"x" * 100_000)
    assert len(transport.written) == 1 if gathers else 2


async def test_large_payloads_among_small_ones(opened: Opened) -> None:
    connection, transport = opened
    connection._gathers = False
    sent = [b"a", b"b" * 70_000, b"c", b"d" * 65_536, b"e" * 80_000, b"f"]
    connection._corked = True
    for message in sent[:3]:
        connection.protocol.write_data(2, message)
    connection._corked = False
    connection.written()
    for message in sent[3:]:
        connection.protocol.write_data(2, message)
    connection.flush_collected()
    written = b"".join(transport.written)
    assert written == b"".join(frame(2, message) for message in sent)
    assert connection._handed_over >= len(written)


@pytest.mark.parametrize("payload", [b"x" * 300_000, "é" * 150_000])
async def test_large_payloads_are_read_into_their_place(
    opened: Opened, payload: str | bytes
) -> None:
    connection, _ = opened
    rest = memoryview(frame(2 if isinstance(payload, bytes) else 1, payload, mask=True))
    places = set()
    while rest:
        room = connection.get_buffer(-1)
        places.add(room is connection._view)
        size = min(len(room), len(rest), 100_000)
        room[:size] = rest[:size]
        connection.buffer_updated(size)
        rest = rest[size:]
    assert places == {True, False}
    assert await connection.recv() == payload
    assert connection.get_buffer(-1) is connection._view


async def test_drained(opened: Opened) -> None:
    connection, transport = opened
    connection.pause_writing()
    connection.pause_writing()
    sending = [asyncio.create_task(connection.send("a")) for _ in range(3)]
    await turns(2)
    assert not any(task.done() for task in sending)
    connection.resume_writing()
    await asyncio.gather(*sending)
    connection.resume_writing()


async def test_writing_is_paused_again_at_once(opened: Opened) -> None:
    connection, transport = opened
    connection.pause_writing()
    task = asyncio.create_task(connection.drain())
    await turns(1)
    connection.resume_writing()
    connection.pause_writing()
    await turns(2)
    assert not task.done()
    connection.connection_lost(None)
    with pytest.raises(ConnectionClosedError):
        await task


async def test_giving_up_after_writing_resumed(opened: Opened) -> None:
    connection, transport = opened
    connection.pause_writing()
    task = asyncio.create_task(connection.drain())
    await turns(1)
    connection.resume_writing()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_giving_up_while_others_wait_for_the_next_time(opened: Opened) -> None:
    connection, transport = opened
    connection.pause_writing()
    task = asyncio.create_task(connection.drain())
    await turns(1)
    task.cancel()
    connection.resume_writing()
    connection.pause_writing()
    other = connection.drain()
    other.send(None)
    with pytest.raises(asyncio.CancelledError):
        await task
    other.close()


async def test_pings_while_the_peer_does_not_read_get_one_pong(opened: Opened) -> None:
    connection, transport = opened
    connection.pause_writing()
    for data in (b"1", b"2", b"3"):
        deliver(connection, masked((9, data)))
    assert not transport.written
    connection.resume_writing()
    await turns(1)
    assert transport.written == [frame(10, b"3")]


async def test_nothing_is_written_after_the_end(opened: Opened) -> None:
    connection, transport = opened
    await connection.send("a")
    await connection.send("b")
    connection.connection_lost(ConnectionResetError("reset"))
    await turns(2)
    assert transport.written == [frame(1, "a")]
    with pytest.raises(ConnectionClosedError) as caught:
        await connection.recv()
    assert isinstance(caught.value.__cause__, ConnectionResetError)
    connection.check_deadlines(float("inf"))


# Reading.


async def test_private_buffers() -> None:
    """Where a loop may have two reads in flight, connections don't share one."""
    state = loop_state(asyncio.get_running_loop())
    state.shares_reads = False
    try:
        connection = WebSocketCommonProtocol()
        connection.connection_made(FakeTransport(connection))
    finally:
        state.shares_reads = True
    connection.connection_open()
    buffer = connection.get_buffer(-1)
    assert buffer is not state.view
    # TLS reads into slices.
    buffer[5:][0] = 42
    assert buffer[5] == 42
    deliver(connection, masked((1, b"a")))
    assert await connection.recv() == "a"
    connection.connection_lost(None)


async def test_reading_pauses_and_resumes() -> None:
    connection = WebSocketCommonProtocol(max_queue=(2, 1), read_limit=0)
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.connection_open()
    deliver(connection, masked((1, b"a"), (1, b"b")))
    assert transport.reading
    deliver(connection, masked((1, b"c"), (1, b"d")))
    assert not transport.reading
    for _ in "ab":
        await connection.recv()
        assert not transport.reading
    await connection.recv()
    assert transport.reading
    connection.connection_lost(None)


async def test_reading_is_not_resumed_on_a_closing_transport(opened: Opened) -> None:
    connection, transport = opened
    transport.calls.append("close")
    connection._reading_paused = True
    connection._resume_reading()
    assert "resume_reading" not in transport.calls


async def test_the_rest_of_a_large_message_is_read_for_whoever_waits() -> None:
    connection = WebSocketCommonProtocol(max_queue=1, read_limit=0)
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.connection_open()
    deliver(connection, masked((1, b"a"), (1, b"b")))
    assert not transport.reading
    await connection.recv()
    await connection.recv()
    connection._reading_paused = True
    transport.reading = False
    task = asyncio.create_task(connection.recv())
    await turns(2)
    assert transport.reading
    connection.connection_lost(None)
    with pytest.raises(ConnectionClosedError):
        await task


async def test_exits_of_directly_woken_tasks(clean_loop: list[Any]) -> None:
    """They're raised again from a callback of their own."""
    with pytest.raises(SystemExit):
        throw(SystemExit())


# Ending.


async def test_closing_where_half_closing_is_not_possible(opened: Opened) -> None:
    connection, transport = opened
    transport.half_closes = False
    connection.fail_connection(1011)
    assert transport.calls == ["close"]
    await connection.wait_closed()


async def test_failing_half_closes_and_waits(opened: Opened) -> None:
    connection, transport = opened
    connection.fail_connection(1011, "oops")
    assert transport.written == [close_frame(1011, "oops")]
    assert transport.calls == ["write_eof"]
    connection.fail_connection(1011, "again")
    pass_time(connection, 10.1)
    assert transport.calls == ["write_eof", "abort"]
    await connection.wait_closed()


async def test_failing_a_connection_that_was_reset_meanwhile(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, transport = opened

    def write_eof() -> None:
        raise OSError(107, "Transport endpoint is not connected")

    monkeypatch.setattr(transport, "write_eof", write_eof)
    connection.fail_connection(1011, "oops")
    connection.connection_lost(ConnectionResetError())
    await connection.wait_closed()
    assert connection.close_sent is not None


async def test_the_closing_handshake_ends_the_stream_once(opened: Opened) -> None:
    connection, transport = opened
    deliver(connection, masked((1, b"a"), (8, b"\x03\xe8")))
    assert transport.written == [close_frame(1000)]
    assert transport.calls == ["close"]
    await connection.wait_closed()
    assert await connection.recv() == "a"
    with pytest.raises(ConnectionClosedOK):
        await connection.recv()


async def test_no_close_timeout() -> None:
    connection = WebSocketCommonProtocol()
    connection.close_timeout = None
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.connection_open()
    closing = asyncio.create_task(connection.close())
    await turns(1)
    pass_time(connection, 1_000_000)
    await turns(1)
    assert not closing.done()
    connection.connection_lost(None)
    await closing


async def test_who_waits_for_pongs_is_told_of_the_end(opened: Opened) -> None:
    connection, transport = opened
    first = await connection.ping()
    second = await connection.ping()
    second.cancel()
    connection.connection_lost(None)
    with pytest.raises(ConnectionClosedError):
        await first


async def test_a_pong_for_a_waiter_that_gave_up(opened: Opened) -> None:
    connection, transport = opened
    waiter = await connection.ping(b"a")
    waiter.cancel()
    deliver(connection, masked((10, b"a")))
    assert connection.latency >= 0
    assert not len(connection._session.pings)


async def test_sending_fragments_while_the_connection_ends(opened: Opened) -> None:
    connection, transport = opened
    go = asyncio.Event()

    async def message() -> AsyncIterator[str]:
        yield "a"
        await go.wait()
        yield "b"

    task = asyncio.create_task(connection.send(message()))
    await turns(2)
    deliver(connection, masked((8, b"\x03\xe8")))
    go.set()
    with pytest.raises(ConnectionClosedOK):
        await task


async def test_fragments_and_backpressure(opened: Opened) -> None:
    connection, transport = opened

    async def message() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    connection.pause_writing()
    task = asyncio.create_task(connection.send(message()))
    await turns(2)
    assert not task.done()
    connection.resume_writing()
    await task
    assert b"".join(transport.written).endswith(frame(0, b"b", fin=False) + b"\x80\x00")


# Deadlines.


async def test_keepalive(opened: Opened) -> None:
    connection, transport = opened
    pass_time(connection, 20.1)
    assert transport.written[0][:2] == b"\x89\x04"
    pass_time(connection, 40.2)
    assert b"keepalive ping timeout" in b"".join(transport.written)
    # Nothing more is sent.
    count = len(transport.written)
    ACTIONS[Alarm.SEND_PING](connection)
    ACTIONS[Alarm.PING_TIMEOUT](connection)
    assert len(transport.written) == count


async def test_a_backlog_that_makes_progress(opened: Opened) -> None:
    connection, transport = opened
    transport.buffered = 100_000
    connection.pause_writing()
    for number in range(1, 5):
        transport.buffered -= 1
        connection._session.clock.heard = True
        pass_time(connection, number * 20.1)
        assert connection.open
    pass_time(connection, 1000)
    assert transport.calls == ["abort"]
    await connection.wait_closed()
    with pytest.raises(ConnectionClosedError) as caught:
        await connection.recv()
    assert str(caught.value.__cause__) == (
        "the peer has read none of 99996 waiting bytes within 20 seconds"
    ) or "waiting bytes" in str(caught.value.__cause__)


async def test_keepalive_pings_do_not_look_like_progress(opened: Opened) -> None:
    """Those that a peer which doesn't read doesn't get, either."""
    connection, transport = opened
    transport.buffered = 100_000
    connection.pause_writing()
    write = transport.write

    def keep(data: bytes) -> None:
        transport.buffered += len(data)
        write(data)

    transport.write = keep  # type: ignore[method-assign]
    # The peer talks, but it doesn't read.
    for number in range(1, 3):
        assert not transport.calls
        deliver(connection, masked((1, b"a")))
        pass_time(connection, number * 19.9)
    assert transport.calls == ["abort"]


async def test_a_deadline_that_comes_sooner(opened: Opened) -> None:
    connection, transport = opened
    connection.close_timeout = 1
    first = connection._deadline
    connection.fail_connection(1011)
    assert connection._deadline is not first
    assert connection._deadline.when < first.when


async def test_a_loop_state_without_a_transport_arms_nothing() -> None:
    connection = WebSocketCommonProtocol(loop=asyncio.get_running_loop())
    connection._arm()
    assert connection._deadline is None


async def test_debug_records(logs: Logs) -> None:
    connection = WebSocketCommonProtocol()
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.connection_open()
    transport.buffered = 1
    connection.pause_writing()
    pass_time(connection, 20.1)
    connection.connection_lost(ConnectionResetError("reset by peer"))
    texts = logs.texts()
    assert "! peer doesn't read; 1 bytes wait" in texts
    assert "x connection lost: reset by peer" in texts


async def test_a_refusal_waits_for_the_peer_only_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Connections of frameworks' servers are closed at once.
    monkeypatch.setattr("websockets.classic.server.WebSocketServer", FakeServer)
    server = FakeServer()

    async def handler(websocket: Any) -> None:
        raise AssertionError

    connection = WebSocketServerProtocol(handler, server, close_timeout=3)
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.data_received(REQUEST.replace(b"Upgrade: w", b"X: w") + b"\r\n")
    await until(lambda: transport.calls)
    assert transport.calls == ["write_eof"]
    pass_time(connection, 3.1)
    assert transport.calls == ["write_eof", "abort"]
    await until(lambda: not server.connections)


async def test_a_request_that_comes_when_time_is_up() -> None:
    """A task that is cancelled before it begins never cleans up."""
    server = FakeServer()

    async def handler(websocket: Any) -> None:
        raise AssertionError

    connection = WebSocketServerProtocol(
        handler, server, process_request=lambda *args: asyncio.sleep(100)
    )
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.data_received(REQUEST + b"\r\n")
    pass_time(connection, 10.1)
    await until(lambda: not server.connections)
    assert transport.calls[-1:] == ["abort"]


async def test_a_handshake_that_is_done_just_in_time() -> None:
    connection = WebSocketServerProtocol(lambda ws: ws.recv(), FakeServer())
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.data_received(REQUEST + b"\r\n")
    pass_time(connection, 10.1)
    await until(lambda: connection.open)
    await turns(2)
    assert not transport.calls
    connection.connection_lost(None)
    await connection.handler_task


async def test_what_a_refused_peer_sends_does_not_hide_its_end() -> None:
    connection = WebSocketServerProtocol(lambda websocket: None, FakeServer())
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.data_received(REQUEST.replace(b"Upgrade: w", b"X: w") + b"\r\n")
    await until(lambda: transport.calls)
    connection.data_received(b"more")
    assert transport.reading
    connection.connection_lost(None)
    await connection.handler_task


async def test_a_transport_that_was_closed_too_often(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncio's with TLS know nothing any more then."""
    connection, transport = opened

    def fail() -> int:
        raise AttributeError("'NoneType' object has no attribute")

    monkeypatch.setattr(transport, "get_write_buffer_size", fail)
    assert connection.unwritten() == connection.stats.buffered_bytes == 0
    connection.close_transport()
    connection.close_transport()
    assert transport.calls == ["close"]


async def test_closing_reads_what_was_held_back(opened: Opened) -> None:
    connection, transport = opened
    connection.extensions = [PerMessageDeflate(True, True, 15, 15)]
    part = bytearray(frame(2, zlib.compress(b"a" * 900_000, wbits=-15), mask=True))
    part[0] |= 0x40
    deliver(connection, bytes(part) * 5 + close_frame(1001, mask=True))
    assert connection._session.held
    assert not transport.reading
    closing = asyncio.create_task(connection.close())
    await turns(2)
    assert connection.close_rcvd is not None
    assert transport.calls[-1] == "close"
    await closing


async def test_closing_reads_on_in_the_next_iteration(opened: Opened) -> None:
    """Who floods a connection that closes must not keep others waiting.

    uvloop reads up to 32 times in a row while there is something.
    """
    connection, transport = opened
    closing = asyncio.create_task(connection.close())
    await turns(1)
    for _ in range(3):
        deliver(connection, frame(1, b"x", mask=True))
        assert not transport.reading
        await turns(1)
        assert transport.reading
    deliver(connection, close_frame(1000, mask=True))
    assert transport.calls[-1] == "close"
    await closing
    assert connection.close_code == 1000


async def test_who_has_read_much_lets_others_read(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop reads a connection up to 32 times in a row while there is something."""
    connection, transport = opened
    shared = LoopState(asyncio.get_running_loop())
    shared._reads_once = False
    monkeypatch.setattr(connection, "_shared", shared)
    parts = [frame(2, bytes(2**14), mask=True) for _ in range(4)]
    shared.had_enough(2**30)
    deliver(connection, frame(2, b"small", mask=True))
    assert transport.reading
    deliver(connection, parts[0])
    assert not transport.reading
    # Whatever else happens in this iteration.
    for _ in "ab":
        await connection.recv()
    connection._pause_reading()
    connection._resume_reading()
    assert not transport.reading
    await turns(1)
    assert transport.reading
    # Nor does it read on when nobody takes the messages.
    shared.had_enough(2**30)
    deliver(connection, parts[1])
    connection._pause_reading()
    await turns(1)
    assert not transport.reading
    connection._resume_reading()
    assert transport.reading
    # A connection that is lost reads no more.
    shared.had_enough(2**30)
    deliver(connection, parts[2])
    transport.calls.append("close")
    before = list(transport.calls)
    deliver(connection, parts[3])
    await turns(2)
    assert transport.calls == before


async def inflating() -> tuple[Any, FakeTransport]:
    """Return a connection without a limit for messages, and its transport."""
    connection = WebSocketCommonProtocol(max_size=None)
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.connection_open()
    connection.extensions = [PerMessageDeflate(True, True, 15, 15)]
    return connection, transport


def compressed(first: int, size: int, *, ends: bool) -> bytes:
    """Return a frame of zeros, masked with zeros: stored by deflate."""
    encoder = zlib.compressobj(wbits=-15)
    data = encoder.compress(bytes(size)) + encoder.flush(zlib.Z_SYNC_FLUSH)
    data = data[:-4] if ends else data
    return bytes([first, 0xFE]) + len(data).to_bytes(2, "big") + bytes(4) + data


async def test_a_large_part_does_not_keep_the_rest_from_being_read() -> None:
    """Who waits for a message gets it, however much its first frame inflates to."""
    connection, transport = await inflating()
    receiving = asyncio.create_task(connection.recv())
    await turns(2)
    deliver(connection, compressed(0x42, 2_000_000, ends=False))
    assert connection._session.held
    assert not transport.reading
    await turns(2)
    assert transport.reading
    deliver(connection, compressed(0x80, 1000, ends=True))
    assert await receiving == bytes(2_001_000)
    connection.connection_lost(None)


async def test_messages_without_content_are_read_in_turns() -> None:
    connection, transport = await inflating()
    frames = b"\xc2\x81" + bytes(5)
    deliver(connection, frames * 5000 + masked((9, b"ping")))
    assert connection._session.held
    assert not transport.reading
    # The application doesn't read. There is room for some of it.
    await turns(20)
    assert connection._inbox.is_full()
    assert connection._session.held
    assert not transport.written
    for _ in range(5000):
        assert await connection.recv() == b""
    await until(lambda: transport.written)
    assert transport.written == [frame(10, b"ping")]
    assert transport.reading
    connection.connection_lost(None)


async def test_what_was_left_unread_and_then_taken() -> None:
    connection, transport = await inflating()
    deliver(connection, compressed(0xC2, 600_000, ends=True) * 3)
    assert connection._session.held
    receiving = asyncio.create_task(connection.recv())
    await turns(1)
    assert len(await receiving) == len(await connection.recv()) == 600_000
    assert len(await connection.recv()) == 600_000
    await turns(3)
    assert transport.reading
    connection.connection_lost(None)


async def test_nothing_is_due_after_the_end(opened: Opened) -> None:
    connection, transport = opened
    connection.connection_lost(None)
    connection._session.clock.closing(0)
    connection._arm()
    assert connection._deadline is None


async def test_closing_with_a_wrong_code_changes_nothing(opened: Opened) -> None:
    connection, transport = opened
    with pytest.raises(ProtocolError):
        await connection.close(1005)
    assert connection.open
    assert not transport.written


async def test_a_message_that_wakes_a_handler_that_closes(opened: Opened) -> None:
    connection, transport = opened

    async def handle() -> None:
        await connection.recv()
        await connection.close()

    task = asyncio.create_task(handle())
    await turns(1)
    await deliver_alone(connection, masked((1, b"a")))
    assert b"".join(transport.written) == close_frame(1000)
    await deliver_alone(connection, close_frame(1000, mask=True))
    await task


async def test_reading_is_not_paused_on_a_closing_transport() -> None:
    connection = WebSocketCommonProtocol(max_queue=1, read_limit=0)
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.connection_open()
    transport.calls.append("close")
    deliver(connection, masked((1, b"a"), (1, b"b")))
    assert transport.reading
    connection.connection_lost(None)


async def test_a_connection_that_was_open_before() -> None:
    """A framework may do the handshake before there is a transport."""
    protocol = Protocol(Side.SERVER, state=State.OPEN)
    connection = WebSocketCommonProtocol(protocol=protocol)
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    assert connection._deadline is None
    connection.connection_lost(None)


async def test_what_is_received_without_a_transport_is_answered_to_nobody() -> None:
    connection = WebSocketCommonProtocol()
    connection.connection_open()
    connection.data_received(masked((9, b"ping"), (1, b"a")))
    assert await connection.recv() == "a"


def test_defaults_do_not_replace_what_is_there() -> None:
    class Thing:
        there = 1
        absent: int | None

    engine.default_to_none(Thing, "there", "absent")
    assert Thing.there == 1
    assert Thing.absent is None
