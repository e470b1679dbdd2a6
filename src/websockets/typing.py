"""Floor 0, words: the types that signatures are written in."""

from __future__ import annotations

import http
import logging
from typing import Any, NewType

__all__ = [
    "BytesLike",
    "ConnectionOption",
    "Data",
    "ExtensionHeader",
    "ExtensionName",
    "ExtensionParameter",
    "LoggerLike",
    "Origin",
    "StatusLike",
    "Subprotocol",
    "UpgradeProtocol",
]

#: What a message is when it is received: text or binary.
Data = str | bytes

#: What can be sent as a binary message besides ``bytes``.
BytesLike = bytes | bytearray | memoryview

#: What a ``logger`` argument accepts.
LoggerLike = logging.Logger | logging.LoggerAdapter[Any]

#: What a ``status`` argument accepts: an HTTP status.
StatusLike = http.HTTPStatus | int

#: The value of an Origin header (RFC 6454, 7).
Origin = NewType("Origin", str)

#: The name of a subprotocol (RFC 6455, 1.9).
Subprotocol = NewType("Subprotocol", str)

#: The name of an extension (RFC 6455, 9.1).
ExtensionName = NewType("ExtensionName", str)

#: A parameter of an extension: its name and its value; ``None`` is no value.
ExtensionParameter = tuple[str, str | None]

#: An extension as a Sec-WebSocket-Extensions header lists it.
ExtensionHeader = tuple[ExtensionName, list[ExtensionParameter]]

#: An option in a Connection header (RFC 9110, 7.6.1).
ConnectionOption = NewType("ConnectionOption", str)

#: A protocol in an Upgrade header (RFC 9110, 7.8).
UpgradeProtocol = NewType("UpgradeProtocol", str)
