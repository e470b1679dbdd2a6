"""Floor 4, engine: the machinery of one connection on asyncio.

:class:`Engine` owns the transport, those who wait, and the flush. What
applications do with a connection is in :class:`~.connection.Connection`, which
is made of it. Everything follows one pattern: touch the session, then pump.

How messages get through fast:

1. Bytes are read into a buffer that all connections of the event loop share,
   and frames are read where they lie (``BufferedProtocol``).
2. All frames of a chunk are read before anyone is woken. Messages wait in the
   inbox, and :meth:`Connection.recv` returns at once when one does.
3. A task that waits in :meth:`~Connection.recv` is woken directly from the
   event loop's read callback, when no task is running there: its handler goes
   on in the same iteration. What it sends before it waits again is collected
   and written at once (``_corked``).
4. Outside of that, the first frame of an iteration is written at once, and the
   later ones are collected until the next iteration (``_dirty``).
5. A task that never has to wait would starve all others. It has a budget of
   operations and of time (``_budget``, in :class:`Connection`), and shares the time
   with all that don't wait in this iteration; past it, it waits for the next one.

Re-entry. A task woken from the read callback may close the transport, and TLS
transports then read and call us again before the outer call returns. So parsing
is finished and the shared buffer is free before anyone is woken, and the nested
call finds a current task and wakes nobody at once.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import sys
from typing import TYPE_CHECKING, Any, cast

from ..codes import CloseCode, Side, State
from ..datastructures import pack
from ..exceptions import ConnectionClosed, forget_tracebacks
from ..http11 import Request, Response
from ..protocol import Protocol
from ..session.clock import Clock
from ..session.inbox import Inbox
from ..session.meter import Meter, make_meter
from ..session.session import Session
from ..session.settings import Settings
from ..typing import BytesLike, LoggerLike, Subprotocol
from .alarms import ACTIONS
from .logs import LoggerMaker, unwrap_logger
from .loops import BUFFER_SIZE, Deadline, LoopState, current_task, loop_state, throw
from .transports import read_rest
from .waiters import Waiter, release

if TYPE_CHECKING:
    import uuid

__all__ = ["Engine"]

CONNECTING, OPEN, CLOSING, CLOSED = State

#: Bytes read at once that are counted, so that small messages cost nothing more.
_LARGE = 2**14

#: Bytes that are collected at most before they are handed to the transport.
_COLLECT = 2**16

# CVE-2024-12254: writelines() of asyncio's transports didn't pause the writer.
_WRITELINES_PAUSES = (3, 12, 9) <= sys.version_info < (3, 13) or (
    sys.version_info >= (3, 13, 2)
)


class Engine:
    """
    The machinery of a WebSocket connection on asyncio.

    Args:
        protocol: the sans-I/O protocol of this connection.
        settings: how the connection behaves.

    Attributes:
        protocol: the sans-I/O protocol of this connection.
        loop: the event loop; None until it is known.
        transport: the transport; None until there is one.
        request: the request of the opening handshake; None until it's known.
        response: the response; None until it's known.
        opening: on a server, whether the handshake is under way, be the client
            there or not.

    """

    # Subclasses may set these before they call __init__, which leaves them be;
    # see default_to_none() below.
    loop: Any
    transport: Any

    def __init__(self, protocol: Protocol, settings: Settings) -> None:
        self.protocol = protocol
        self._settings = settings
        self._session = Session(
            protocol,
            Inbox(settings.max_queue, reserve=settings.read_limit),
            Clock(
                settings.ping_interval, settings.ping_timeout, settings.close_timeout
            ),
        )
        self._inbox = self._session.inbox
        protocol.emits_frames = False
        protocol.wrap_logger(LoggerMaker(self))
        self.request: Request | None = None
        self.response: Response | None = None
        # The opening handshake.
        self.opening = False
        self._handshake_waiter: asyncio.Future[None] | None = None
        self._handshake_timed_out = False
        # Reading.
        self._shared: LoopState | None = None
        # What the event loop reads into, and as it wants it; ours if it is private.
        self._buffer: bytearray | None = None
        self._view: Any = None
        self._copies = False
        self._in_place = False
        self._recv_waiter: Waiter | None = None
        self._reading_paused = False
        self._reading_on = False
        self._reading_suspended = False
        self._resting = False
        self._budget = 0
        self._turn_began = 0.0
        # Writing.
        self._corked = False
        self._dirty = False
        self._gathers = False
        self._handed_over = 0
        self._writing_paused = False
        self._writing_finished = False
        self._reading_pauses = self._writing_pauses = 0
        self._drain_waiters: collections.deque[asyncio.Future[None]] | None = None
        self._message_waiters: collections.deque[asyncio.Future[None]] | None = None
        # Ending.
        self._deadline: Deadline | None = None
        self._closing = False
        self._lost = False
        self._lost_exc: Exception | None = None
        self._closed_waiters: list[asyncio.Future[None]] | None = None

    # What is known of the connection.

    @property
    def id(self) -> uuid.UUID:
        """Unique identifier of the connection, for logs."""
        return self.protocol.id

    @id.setter
    def id(self, value: uuid.UUID) -> None:
        self.protocol.id = value

    @property
    def logger(self) -> LoggerLike:
        """Logger that adds the connection to records as ``websocket``."""
        return self.protocol.logger

    @logger.setter
    def logger(self, value: LoggerLike) -> None:
        self.protocol.logger = value

    def let_go(self) -> None:
        """Let go of the logger, which refers to us; it is made again if needed."""
        unwrap_logger(self.protocol, self)

    @property
    def debug(self) -> bool:
        """Whether the logger wants debug records; asked once."""
        return self.protocol.debug

    @property
    def state(self) -> State:
        """State of the connection."""
        return self.protocol.state

    @state.setter
    def state(self, state: State) -> None:
        self.protocol.state = state

    @property
    def subprotocol(self) -> Subprotocol | None:
        """Negotiated subprotocol; None if there is none."""
        return self.protocol.subprotocol

    @subprotocol.setter
    def subprotocol(self, value: Subprotocol | None) -> None:
        self.protocol.subprotocol = value

    # The opening handshake; see the opening module.

    async def handshake_received(self) -> None:
        """Wait for the peer's part of the opening handshake, or its failure."""
        while not (self._has_handshake() or self.protocol.handshake_exc or self._lost):
            self._handshake_waiter = self._get_loop().create_future()
            await self._handshake_waiter

    def _has_handshake(self) -> bool:
        """Tell whether the peer's part of the opening handshake has come."""
        is_server = self.protocol.side is Side.SERVER
        return (self.request if is_server else self.response) is not None

    def _receive_handshake(self, data: bytes) -> None:
        """Take bytes of the opening handshake."""
        protocol = self.protocol
        known = self._has_handshake()
        self._session.bytes_received += len(data)
        protocol.receive_handshake(data)
        if protocol.discarding:
            # The peer was refused. All that matters is when it leaves.
            self._stop_for_now(slowly=True)
            if known:
                return
        if known:
            # The peer goes on before it has our answer; that needn't be read.
            self._pause_reading()
            return
        for event in protocol.events_received():
            if isinstance(event, Request):
                self.request = event
            else:
                self.response = cast(Response, event)
        if self._has_handshake() or protocol.handshake_exc:
            self.handshake_ready()
        if protocol.writes:
            # What isn't a request is answered at once.
            self._flush()

    def handshake_ready(self) -> None:
        """Wake who waits for the peer's part of the opening handshake."""
        if self._handshake_waiter is not None and not self._handshake_waiter.done():
            self._handshake_waiter.set_result(None)

    def handshake_timed_out(self) -> None:
        """End a connection whose opening handshake takes too long."""
        self._handshake_timed_out = True
        if self.transport is not None:
            self.transport.abort()

    def opened(self) -> None:
        """Begin the life of an open connection: pings, and what came early."""
        now = self._get_loop().time()
        self._session.clock.opened(now)
        self._session.meter = make_meter(self._settings.limits, self._session, now)
        self._arm()
        # The handshake is kept for those who ask; few do, and later.
        self._handshake_waiter = None
        for message in self.request, self.response:
            if message is not None:
                pack(message.headers)
        if self._reading_paused:
            self._resume_reading()
        if self.protocol.reader.unread:
            self._session.receive(b"")
            self._pump()

    # Callbacks of the event loop.

    def connection_made(self, transport: Any) -> None:
        """Take the transport; called by the event loop."""
        self.transport = transport
        loop = self._get_loop()
        shared = self._shared = loop_state(loop)
        self._buffer, self._view = shared.buffer, shared.view
        if not shared.shares_reads:
            # A slice of a bytearray is a copy, and TLS reads into slices.
            self._buffer = bytearray(BUFFER_SIZE)
            self._view = memoryview(self._buffer)
        # A subclass that overrides data_received() gets the data.
        self._copies = (
            not shared.shares_reads
            or getattr(self.data_received, "__func__", None) is not _DATA_RECEIVED
        )
        self._gathers = _WRITELINES_PAUSES or type(transport).__module__.startswith(
            ("uvloop", "aiofastnet")
        )
        limit = self._settings.write_limit
        high, low = limit if isinstance(limit, tuple) else (limit, None)
        transport.set_write_buffer_limits(high, low)
        if self.protocol._state is CONNECTING:
            self._session.clock.connecting(loop.time(), self._settings.open_timeout)
            self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """End everything; called by the event loop."""
        try:
            if self.protocol.debug:
                self.logger.debug("x connection lost%s", f": {exc}" if exc else "")
            if isinstance(exc, OSError) and (rest := read_rest(self.transport)):
                self.data_received(rest)
        finally:
            # Also where the application's logging fails, or what it overrides.
            try:
                self._session.receive_eof()
            finally:
                self.protocol._state = CLOSED
                self._end(exc)
                self.let_go()

    def get_buffer(self, sizehint: int) -> Any:
        """Say where to read to; called by the event loop."""
        self._in_place = self.protocol.reader.wants_room() and not self._copies
        if self._in_place:
            return self.protocol.reader.room()
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Take bytes that were read; called by the event loop."""
        buffer: Any = self._buffer
        if self._in_place:
            self.protocol.reader.fill(nbytes)
            self._session.bytes_received += nbytes
            self._session.receive(b"")
            self._pump()
        elif self._copies:
            self.data_received(bytes(buffer[:nbytes]))
        elif self.protocol._state is CONNECTING:
            self._receive_handshake(bytes(buffer[:nbytes]))
        else:
            self._session.receive(buffer, nbytes)
            self._pump()
        if nbytes >= _LARGE and not self._lost:
            self._take_turns(nbytes)

    def data_received(self, data: bytes) -> None:
        """
        Take bytes that were read.

        The event loop reads into our buffer and calls
        :meth:`buffer_updated`. Subclasses may override this method to see the
        bytes, and others may call it to hand in bytes that they have read.
        """
        if self.protocol._state is CONNECTING:
            self._receive_handshake(bytes(data))
        else:
            self._session.receive(data)
            self._pump()

    def eof_received(self) -> bool | None:
        """Take the end of the peer's stream; called by the event loop."""
        self._session.receive_eof()
        if self.protocol.handshake_exc is not None:
            self.handshake_ready()
        self._pump()
        # The transport closes itself.
        return None

    def pause_writing(self) -> None:
        """Have senders wait; called by the transport when its buffer is full."""
        if self._writing_paused:
            return
        self._writing_paused = True
        self._writing_pauses += 1
        self.protocol.hold_pongs = True
        self._session.clock.writing_paused(self._get_loop().time(), self._progress())
        self._arm()

    def resume_writing(self) -> None:
        """Have senders go on; called by the transport when it has sent."""
        self._writing_paused = False
        self._session.clock.writing_resumed()
        if self.protocol.hold_pongs:
            self.protocol.release_pong()
            self._written()
        waiters, self._drain_waiters = self._drain_waiters, None
        release(waiters)

    # The pump.

    def _pump(self) -> None:
        """Do what follows from touching the session."""
        session = self._session
        protocol = self.protocol
        if session.meter is not None and protocol._state is OPEN:
            self._limit_rates(session.meter)
        if self._inbox.messages or protocol._state is CLOSED:
            waiter = self._recv_waiter
            if waiter is not None and waiter.parked:
                self._wake(waiter)
        if session.pongs:
            self._acknowledge_pongs()
        if protocol.writes:
            self._flush()
        if protocol._state is not OPEN:
            self._continue_closing()
        elif session.held:
            self._hold()
        elif self._inbox.messages or self._inbox.partial is not None:
            self._maybe_pause_reading()

    def _wake(self, waiter: Waiter) -> None:
        """Have the task that waits for a message go on, at once if possible."""
        if current_task(self.loop) is not None:
            if waiter.is_waiting():
                waiter.wake_soon()
            return
        self._corked = True
        try:
            waiter.wake_now()
        except (SystemExit, KeyboardInterrupt) as exc:
            # Not every event loop lets these out of a read callback.
            self.loop.call_soon(throw, exc)
        finally:
            self._corked = False

    def _acknowledge_pongs(self) -> None:
        """Tell those who wait for pongs that they have come."""
        session = self._session
        assert self._shared is not None
        now = self._shared.clock()
        pongs, session.pongs = session.pongs, []
        for data in pongs:
            if self.protocol.debug and data in session.pings:
                self.logger.debug("%% received pong for ping %s", data.hex() or "''")
            for waiter, latency in session.pings.acknowledge(data, now):
                if not waiter.done():
                    waiter.set_result(latency)

    def written(self) -> None:
        """See that what the protocol has to write is written in time."""
        self._written()

    def _written(self) -> None:
        if self._corked or self._dirty:
            if self.protocol.unsent > _COLLECT:
                self._flush()
            return
        self._dirty = True
        assert self._shared is not None
        self._shared.flush_soon(self)
        self._flush()

    def flush_collected(self) -> None:
        """Write what was collected."""
        self._dirty = False
        if self.protocol.writes:
            self._flush()

    def _flush(self) -> None:
        """Write what the protocol has to write, with one call."""
        protocol = self.protocol
        writes = protocol.writes
        size = protocol.unsent
        protocol.unsent = 0
        transport = self.transport
        data: Any = b""
        if len(writes) == 1:
            data = writes[0]
            # This is cheaper than another list.
            writes.clear()
        else:
            protocol.writes = []
            if size <= _COLLECT:
                data = b"".join(writes)
        if transport is None:
            return
        if size > _COLLECT:
            self._write_large(writes or [data])
        elif data:
            # Exactly, unlike unsent: what isn't there would look like progress.
            self._handed_over += len(data)
            transport.write(data)
        if protocol.eof_sent and not self._writing_finished:
            self._finish_writing()

    def _write_large(self, writes: list[BytesLike]) -> None:
        """Write many bytes without copying what is large."""
        transport = self.transport
        if transport.is_closing() and not self.unwritten():
            # A write has failed, and asyncio would log each one more. Senders wait
            # until we are told of the end.
            self._writing_paused = True
            return
        self._handed_over += sum(map(len, writes))
        if len(writes) == 1:
            # There's no header to be joined.
            transport.write(writes[0])
            return
        if self._gathers:
            transport.writelines([data for data in writes if data])
            return
        small: list[BytesLike] = []
        for data in writes:
            if len(data) <= _COLLECT:
                small.append(data)
                continue
            # A packet with a header alone would cost more than copying this.
            small.append(data[:_COLLECT])
            transport.write(b"".join(small))
            transport.write(memoryview(data)[_COLLECT:])
            small.clear()
        if small and (joined := b"".join(small)):
            transport.write(joined)

    def _finish_writing(self) -> None:
        """End our stream, or the connection where nothing more is to come."""
        self._writing_finished = True
        protocol, transport = self.protocol, self.transport
        finished = protocol.close_rcvd is not None and protocol.close_sent is not None
        if not finished and protocol._state is not CLOSED and transport.can_write_eof():
            # The peer must get our close frame, or our refusal: closing while it
            # sends could reset the connection before it reads.
            if self.protocol.debug:
                self.logger.debug("x half-closing TCP connection")
            with contextlib.suppress(OSError):
                # The peer may have reset the connection; its loss is told soon.
                transport.write_eof()
            self._linger()
            return
        if self.protocol.debug:
            self.logger.debug("x closing TCP connection")
        self.close_transport()

    def _linger(self) -> None:
        """Wait for the end of the peer's stream; what it says doesn't matter."""
        self._reading_suspended = False
        if self._reading_paused:
            self._resume_reading()
        self._session.clock.closing(self._get_loop().time())
        self._arm()

    def _progress(self) -> int:
        """Return how many bytes have left."""
        return self._handed_over - self.unwritten()

    def unwritten(self) -> int:
        """Return how many bytes the transport still has to write."""
        try:
            return int(self.transport.get_write_buffer_size())
        except AttributeError:
            # One of asyncio's with TLS, that somebody else has closed twice.
            return 0

    def close_transport(self) -> None:
        """Close the transport, once: asyncio's with TLS are of no use afterwards."""
        if not self.transport.is_closing():
            self.transport.close()

    # Pausing and resuming reading.

    def _has_room(self) -> bool:
        """Tell whether more messages may wait."""
        waiter = self._recv_waiter
        # Whoever waits for the end of a large message needs the rest of it.
        wanted = not self._inbox.messages and waiter is not None and waiter.parked
        return wanted or not self._inbox.is_full()

    def _maybe_pause_reading(self) -> None:
        if not self._reading_paused and not self._has_room():
            self._pause_reading()

    def _hold(self) -> None:
        """Leave frames unread for now: all at once would take too long."""
        if self._session.fault is None:
            self._pause_reading()
            later = self._has_room()
        else:
            # Who has waited for the messages before it has a turn first.
            busy = current_task(self.loop) is not None or self._turn_began < 0
            later = busy and bool(self._inbox.messages)
            if not later:
                self._session.receive_held()
                self._pump()
        if later and not self._reading_on:
            self._reading_on = True
            self._get_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        """Read frames that were left unread, if nobody did so meanwhile."""
        self._reading_on = False
        if self._session.fault is not None:
            self._hold()
        elif self._session.held:
            self._read_held()
        if self._reading_paused:
            self._maybe_resume_reading()

    def _maybe_resume_reading(self) -> None:
        if self._inbox.is_drained() and not self._session.held:
            self._resume_reading()

    def _limit_rates(self, meter: Meter) -> None:
        """Enforce the limits for the rate of what is received."""
        session = self._session
        now = self.loop.time()
        seconds, name = meter.spend(session, now)
        if not seconds:
            return
        if meter.closes:
            if self.protocol.debug:
                self.logger.debug("! too many %s received in a short time", name)
            reason = f"too many {name} in a short time"
            self.protocol.fail(CloseCode.POLICY_VIOLATION, reason)
            return
        self._pause_reading()
        self._reading_suspended = True
        session.clock.reading_suspended(now, seconds)
        self._arm()

    def read_again(self) -> None:
        """Go on reading: what was received is within its limits again."""
        self._reading_suspended = False
        waiter = self._recv_waiter
        if self._reading_paused and (
            (waiter is not None and waiter.parked) or self._inbox.is_drained()
        ):
            self._resume_reading()

    def _pause_reading(self) -> None:
        if not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self._reading_pauses += 1
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_suspended:
            return
        self._reading_paused = False
        if not (self._resting or self.transport.is_closing()):
            self.transport.resume_reading()

    def _take_turns(self, nbytes: int) -> None:
        """Have others read, too, if that's enough for this iteration."""
        assert self._shared is not None
        if self._shared.had_enough(nbytes):
            self._stop_for_now()

    def _stop_for_now(self, *, slowly: bool = False) -> None:
        """Read no more in this iteration; event loops may go on and on."""
        if not self._resting and not self.transport.is_closing():
            self._resting = True
            self.transport.pause_reading()
            assert self._shared is not None
            self._shared.read_later(self, slowly)

    def read_in_turn(self) -> None:
        """Go on reading in another iteration, unless something else forbids it."""
        self._resting = False
        if not (self._reading_paused or self.transport.is_closing()):
            self.transport.resume_reading()

    def _read_held(self) -> None:
        """Read the frames that were left unread, or some of them."""
        self._session.receive_held()
        self._pump()
        self._budget = 0

    # Deadlines.

    def _arm(self) -> None:
        """See that :meth:`check_deadlines` is called when something is due."""
        when = self._session.clock.deadline()
        deadline = self._deadline
        shared = self._shared
        if shared is None or self._lost or when == float("inf"):
            return
        if deadline is not None:
            if deadline.when <= when:
                return
            shared.drop_deadline(deadline)
        self._deadline = shared.add_deadline(when, self)

    def check_deadlines(self, now: float) -> None:
        """Do what is due."""
        self._deadline = None
        if self._lost:
            return
        for alarm in self._session.clock.due(
            now, self._progress(), self._reading_paused
        ):
            ACTIONS[alarm](self)
        self._arm()

    # Ending.

    async def wait_closed(self) -> None:
        """
        Wait until the connection is closed.

        Never raises. Cancelling leaves the connection as it is.
        """
        if self._lost:
            return
        waiter = self._get_loop().create_future()
        waiters = self._closed_waiters
        if waiters is None:
            waiters = self._closed_waiters = []
        waiters.append(waiter)
        try:
            await waiter
        finally:
            if not self._lost:
                waiters.remove(waiter)

    def fail(self, code: CloseCode | int = 1006, reason: str = "") -> None:
        """
        End the connection because something went wrong (RFC 6455, 7.1.7).

        Args:
            code: why; 1006 to end it without a close frame.
            reason: an explanation for people; cut where it is too long.

        """
        if self.protocol._state is CLOSED or self.transport is None:
            return
        self.protocol.fail(code, reason)
        self._pump()
        if code == CloseCode.ABNORMAL_CLOSURE:
            self.close_transport()

    def _closed_error(self) -> ConnectionClosed:
        """Return the exception that says how the connection was closed."""
        exc = self.protocol.closing_exc()
        if exc.__cause__ is None:
            exc.__cause__ = self._lost_exc
        return exc

    def _continue_closing(self) -> None:
        """Begin the closing handshake's deadline, and read what is left."""
        state = self.protocol._state
        if self._closing or state is CONNECTING:
            if state is CLOSING and not self.protocol.discarding:
                # There may be much to look at that serves nobody.
                self._stop_for_now()
            return
        self._closing = True
        self._linger()
        if self._session.held and self.protocol._state is CLOSING:
            # Nobody needs to make room for what was held back any more.
            self._read_held()

    def _end(self, exc: Exception | None) -> None:
        """Wake all who wait: the connection is lost."""
        self._lost = True
        self._lost_exc = self._lost_exc or exc
        forget_tracebacks(exc)
        session = self._session
        session.clock.closed()
        if self._deadline is not None and self._shared is not None:
            self._shared.drop_deadline(self._deadline)
            self._deadline = None
        self.protocol.writes.clear()
        if self._handshake_waiter is not None:
            self.handshake_ready()
        waiter = self._recv_waiter
        if waiter is not None:
            if waiter.is_waiting():
                waiter.wake_soon()
            waiter.forget()
        self._writing_paused = False
        release(self._drain_waiters)
        release(self._message_waiters)
        release(self._closed_waiters)
        for waiter in session.pings.abandon():
            if not waiter.done():
                waiter.set_exception(self._closed_error())
                # Nobody needs to look at it.
                waiter.exception()

    def _get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop; the running one if none was set."""
        if self.loop is None:
            self.loop = asyncio.get_running_loop()
        return self.loop  # type: ignore[no-any-return]


def default_to_none(cls: type, *names: str) -> None:
    """
    Have attributes be None until they're set.

    Where the class is compiled, they are already, and must not be redefined.
    """
    for name in names:
        if not hasattr(cls, name):
            setattr(cls, name, None)


default_to_none(Engine, "loop", "transport")

_DATA_RECEIVED = Engine.data_received
