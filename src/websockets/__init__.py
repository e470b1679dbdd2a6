"""
WebSocket clients and servers (RFC 6455) for Python.

The front door: one table says in which room each name lives, and the room is
opened when the name is used for the first time. Names that both APIs have are the
classic API's; the rooms' own addresses work just as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import version as _version
from .imports import lazy_import

__version__ = _version.version

_ROOMS = {
    ".asyncio.client": ("ClientConnection",),
    ".asyncio.connection": ("Connection",),
    ".asyncio.router": ("Router", "route", "unix_route"),
    ".asyncio.server": ("Server", "ServerConnection", "basic_auth"),
    ".classic.auth": (
        "BasicAuthWebSocketServerProtocol",
        "basic_auth_protocol_factory",
    ),
    ".classic.compat": ("classic_hook", "modern_hook"),
    ".classic.client": ("WebSocketClientProtocol", "connect", "unix_connect"),
    ".classic.exceptions": (
        "AbortHandshake",
        "InvalidStatusCode",
        "RedirectHandshake",
    ),
    ".classic.protocol": ("WebSocketCommonProtocol",),
    ".classic.server": (
        "WebSocketServer",
        "WebSocketServerProtocol",
        "broadcast",
        "serve",
        "unix_serve",
    ),
    ".client": ("ClientProtocol",),
    ".codes": ("CloseCode", "Opcode", "Side", "State"),
    ".datastructures": ("Headers", "HeadersLike", "MultipleValuesError"),
    ".exceptions": (
        "ConcurrencyError",
        "ConnectionClosed",
        "ConnectionClosedError",
        "ConnectionClosedOK",
        "DuplicateParameter",
        "HeaderLineTooLong",
        "InvalidHandshake",
        "InvalidHeader",
        "InvalidHeaderFormat",
        "InvalidHeaderValue",
        "InvalidHost",
        "InvalidMessage",
        "InvalidMethod",
        "InvalidOrigin",
        "InvalidParameterName",
        "InvalidParameterValue",
        "InvalidProtocol",
        "InvalidProxy",
        "InvalidProxyMessage",
        "InvalidProxyStatus",
        "InvalidState",
        "InvalidStatus",
        "InvalidURI",
        "InvalidUpgrade",
        "NegotiationError",
        "PayloadTooBig",
        "ProtocolError",
        "ProxyError",
        "RequestLineTooLong",
        "SecurityError",
        "StatusLineTooLong",
        "TooManyFragments",
        "TooManyHeaders",
        "WebSocketException",
        "WebSocketProtocolError",
    ),
    ".frames": ("Close", "Frame"),
    ".hosts": ("SAME_ORIGIN",),
    ".http11": ("Request", "Response"),
    ".protocol": ("Protocol",),
    ".server": ("ServerProtocol",),
    ".session.limits": ("Limits", "Rate"),
    ".session.stats": ("ConnectionStats", "ServerStats"),
    ".typing": (
        "Data",
        "ExtensionHeader",
        "ExtensionName",
        "ExtensionParameter",
        "LoggerLike",
        "Origin",
        "StatusLike",
        "Subprotocol",
    ),
    ".uri": ("WebSocketURI", "parse_uri"),
}

# Submodules that open on first use: "import websockets" is enough for them.
_SUBMODULES = (
    "asyncio",
    "auth",
    "client",
    "datastructures",
    "exceptions",
    "extensions",
    "frames",
    "headers",
    "http11",
    "legacy",
    "protocol",
    "server",
    "streams",
    "testing",
    "typing",
    "uri",
    "utils",
)

lazy_import(
    globals(),
    aliases={
        **{name: room for room, names in _ROOMS.items() for name in names},
        **dict.fromkeys(_SUBMODULES, "."),
        "handshake": ".legacy",
        "speedups_available": ".speedups:compiled",
    },
)

__all__ = sorted(  # noqa: PLE0605
    ["speedups_available", *(name for names in _ROOMS.values() for name in names)]
)

if TYPE_CHECKING:
    from .asyncio.client import ClientConnection as ClientConnection
    from .asyncio.connection import Connection as Connection
    from .asyncio.router import Router as Router
    from .asyncio.router import route as route
    from .asyncio.router import unix_route as unix_route
    from .asyncio.server import Server as Server
    from .asyncio.server import ServerConnection as ServerConnection
    from .asyncio.server import basic_auth as basic_auth
    from .classic.auth import (
        BasicAuthWebSocketServerProtocol as BasicAuthWebSocketServerProtocol,
    )
    from .classic.auth import (
        basic_auth_protocol_factory as basic_auth_protocol_factory,
    )
    from .classic.client import WebSocketClientProtocol as WebSocketClientProtocol
    from .classic.client import connect as connect
    from .classic.client import unix_connect as unix_connect
    from .classic.compat import classic_hook as classic_hook
    from .classic.compat import modern_hook as modern_hook
    from .classic.exceptions import AbortHandshake as AbortHandshake
    from .classic.exceptions import InvalidStatusCode as InvalidStatusCode
    from .classic.exceptions import RedirectHandshake as RedirectHandshake
    from .classic.protocol import WebSocketCommonProtocol as WebSocketCommonProtocol
    from .classic.server import WebSocketServer as WebSocketServer
    from .classic.server import WebSocketServerProtocol as WebSocketServerProtocol
    from .classic.server import broadcast as broadcast
    from .classic.server import serve as serve
    from .classic.server import unix_serve as unix_serve
    from .client import ClientProtocol as ClientProtocol
    from .codes import CloseCode as CloseCode
    from .codes import Opcode as Opcode
    from .codes import Side as Side
    from .codes import State as State
    from .datastructures import Headers as Headers
    from .datastructures import HeadersLike as HeadersLike
    from .datastructures import MultipleValuesError as MultipleValuesError
    from .exceptions import *  # noqa: F403
    from .frames import Close as Close
    from .frames import Frame as Frame
    from .hosts import SAME_ORIGIN as SAME_ORIGIN
    from .http11 import Request as Request
    from .http11 import Response as Response
    from .protocol import Protocol as Protocol
    from .server import ServerProtocol as ServerProtocol
    from .session.limits import Limits as Limits
    from .session.limits import Rate as Rate
    from .session.stats import ConnectionStats as ConnectionStats
    from .session.stats import ServerStats as ServerStats
    from .typing import Data as Data
    from .typing import ExtensionHeader as ExtensionHeader
    from .typing import ExtensionName as ExtensionName
    from .typing import ExtensionParameter as ExtensionParameter
    from .typing import LoggerLike as LoggerLike
    from .typing import Origin as Origin
    from .typing import StatusLike as StatusLike
    from .typing import Subprotocol as Subprotocol
    from .uri import WebSocketURI as WebSocketURI
    from .uri import parse_uri as parse_uri

    #: Whether this is the compiled build.
    speedups_available: bool
