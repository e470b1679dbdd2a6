"""Floor 4, engine: what a connection has counted, from where it is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..session.stats import ConnectionStats

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["count"]


def count(engine: Engine) -> ConnectionStats:
    """Return what a connection has counted so far."""
    session, protocol, inbox = engine._session, engine.protocol, engine._inbox
    compressor = protocol.compressor
    waiting = 0
    if engine.transport is not None and not engine._lost:
        waiting = engine.unwritten()
    collected = sum(map(len, protocol.writes))
    close = protocol.close_rcvd or protocol.close_sent
    return ConnectionStats(
        session.messages_received,
        protocol.messages_sent,
        session.controls_received,
        session.bytes_received,
        engine._handed_over - waiting,
        0 if compressor is None else compressor.compressed_received,
        0 if compressor is None else compressor.uncompressed_received,
        0 if compressor is None else compressor.compressed_sent,
        0 if compressor is None else compressor.uncompressed_sent,
        engine._reading_pauses,
        engine._writing_pauses,
        waiting + collected,
        len(inbox.messages),
        sum(map(len, inbox.messages)),
        session.pings.latency,
        protocol.close_code if close is None else close.code,
    )
