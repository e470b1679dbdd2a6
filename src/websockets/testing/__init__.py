"""Floor 5, faces: connections without sockets, faults on demand, and virtual time.

For tests of what is built with this library. See docs/howto/testing.rst.
"""

from __future__ import annotations

from .clock import VirtualClock, virtual_time
from .network import MemoryListener, Network
from .serving import MemoryServer, network, pair, serve, wire_of
from .transcript import SentFrame
from .transports import MemorySocket, MemoryTransport
from .wire import Direction, Wire

__all__ = [
    "Direction",
    "MemoryListener",
    "MemoryServer",
    "MemorySocket",
    "MemoryTransport",
    "Network",
    "SentFrame",
    "VirtualClock",
    "Wire",
    "network",
    "pair",
    "serve",
    "virtual_time",
    "wire_of",
]
