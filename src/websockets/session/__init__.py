"""Floor 3, habits: what a connection does by itself, without I/O or a clock.

A :class:`Session` joins the rules of the protocol with the habits of a
connection: messages wait in an inbox, are cut into frames by an outbox, pings
are remembered until their pongs come, and a clock knows the next deadline and
what it means. Every engine is one pattern on top: touch the session, then pump
(write what is outgoing, wake who waits, re-arm the timer).
"""

from __future__ import annotations

from .clock import Alarm, Clock
from .inbox import Fragments, Inbox
from .limits import Limits, Rate, TokenBucket
from .outbox import Outbox
from .pings import PingLedger
from .session import Session
from .settings import Settings

__all__ = [
    "Alarm",
    "Clock",
    "Fragments",
    "Inbox",
    "Limits",
    "Outbox",
    "PingLedger",
    "Rate",
    "Session",
    "Settings",
    "TokenBucket",
]
