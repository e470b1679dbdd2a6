"""Floor 4, engine: what a connection does when one of its deadlines is past.

The session's clock says what is due, and :data:`ACTIONS` which function of the
connection answers it. None of them is on the way of a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..codes import CloseCode, State
from ..session.clock import Alarm

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["ACTIONS"]


def _time_out_handshake(engine: Engine) -> None:
    """See that the handshake's deadline is enforced, in the next iteration.

    A request that came in this one has made a task, which has yet to begin. A
    task that is cancelled before that never does, nor does it clean up.
    """
    engine.loop.call_soon(_end_handshake, engine)


def _end_handshake(engine: Engine) -> None:
    if engine.state is State.CONNECTING:
        engine.handshake_timed_out()


def _send_keepalive_ping(engine: Engine) -> None:
    protocol = engine.protocol
    if protocol.state is not State.OPEN:
        return
    if protocol.compressor is not None:
        protocol.compressor.release_if_idle()
    pings = engine._session.pings
    if engine._writing_paused and len(pings):
        # One waits behind that backlog already: more would only make it grow.
        return
    payload = pings.choose_payload()
    if protocol.debug:
        protocol.logger.debug("%% sending keepalive ping %s", payload.hex())
    protocol.send_ping(payload)
    assert engine._shared is not None
    pings.add(payload, None, engine._shared.clock())
    engine.written()


def _fail_silent(engine: Engine) -> None:
    """The peer gives no sign of life."""
    protocol = engine.protocol
    if protocol.state is not State.OPEN:
        # It was cut already, for not reading either.
        return
    if protocol.debug:
        protocol.logger.debug("! timed out waiting for keepalive pong")
    engine._lost_exc = TimeoutError(
        "no pong and no other data was received within "
        f"{engine._session.clock.ping_timeout} seconds after a keepalive ping"
    )
    engine.fail(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")


def _abort_stalled(engine: Engine) -> None:
    """The peer doesn't read."""
    waiting = engine.unwritten()
    protocol = engine.protocol
    if protocol.debug:
        protocol.logger.debug("! peer doesn't read; %d bytes wait", waiting)
    engine._lost_exc = TimeoutError(
        f"the peer has read none of {waiting} waiting bytes within "
        f"{engine._session.clock.ping_timeout} seconds"
    )
    # A close frame would wait behind those bytes.
    protocol.fail(CloseCode.ABNORMAL_CLOSURE)
    engine.transport.abort()


def _abort_closing(engine: Engine) -> None:
    """The closing handshake takes too long."""
    protocol = engine.protocol
    if protocol.debug:
        protocol.logger.debug("! timed out waiting for the end of the connection")
    engine.transport.abort()


def _read_again(engine: Engine) -> None:
    """What was received is within its limits again."""
    engine.read_again()


#: What to do, by what is due.
ACTIONS: dict[Alarm, Callable[[Engine], None]] = {
    Alarm.OPEN_TIMEOUT: _time_out_handshake,
    Alarm.SEND_PING: _send_keepalive_ping,
    Alarm.PING_TIMEOUT: _fail_silent,
    Alarm.STALLED: _abort_stalled,
    Alarm.CLOSE_TIMEOUT: _abort_closing,
    Alarm.READ_AGAIN: _read_again,
}
