"""Floor 1, bytes: the grammar of the lines of an HTTP/1.1 message (RFC 9112).

One regular expression for each kind of line says what is accepted; a function beside
it says what is wrong with a line that isn't. All take linear time. Lines are ``str``:
ASCII, with surrogates for other bytes, as ``surrogateescape`` decodes them.
"""

from __future__ import annotations

import re
from typing import Any

from .exceptions import InvalidMethod, InvalidProtocol
from .headers import loggable_value

__all__ = [
    "d",
    "decode_line",
    "parse_field_line",
    "parse_proxy_status_line",
    "parse_request_line",
    "parse_status_line",
    "share",
    "show",
]

# Bytes are decoded as ASCII; others become surrogates, which stand for obs-text.
_OBS = "\udc80-\udcff"

REQUEST_LINE = re.compile(rf"(GET) ([\x21-\x7e{_OBS}]+) (HTTP/1\.1)")
STATUS_LINE = re.compile(rf"(HTTP/1\.1) ([1-5][0-9]{{2}})(?: ([\t\x20-\x7e{_OBS}]*))?")
PROXY_STATUS_LINE = re.compile(STATUS_LINE.pattern.replace("1)", "[01])", 1))

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
VERSION = re.compile(r"HTTP/[0-9](?:\.[0-9])?")
STATUS = re.compile(r"[1-9][0-9]{2}")
TARGET = re.compile(rf"[\x21-\x7e{_OBS}]+")
VALUE = re.compile(rf"[\t\x20-\x7e{_OBS}]*")
# On the way out, latin-1 text is welcome too.
OUT_TARGET = re.compile(rf"[\x21-\x7e\x80-\xff{_OBS}]+")
OUT_VALUE = re.compile(rf"[\t\x20-\x7e\x80-\xff{_OBS}]*")

# A header line with its end; the value's white space is stripped afterwards.
FIELD_LINE = re.compile(rf"^({TOKEN.pattern}):({VALUE.pattern})\r\n", re.MULTILINE)

# RFC 9112, 7.1. Chunk extensions are ignored, as the RFC wants it.
CHUNK_LINE = re.compile(rf"([0-9A-Fa-f]{{1,16}})[\t ]*(?:;{VALUE.pattern})?")

OWS = " \t"

#: The three parts of a first line, in their order.
LineParts = tuple[str | Any, ...]

# What is in nearly every first line. Headers are packed into one text instead.
_SHARED = {text: text for text in ("GET", "HTTP/1.1", "Switching Protocols", "101")}


def share(text: Any) -> Any:
    """Return the same text; one object for all that have it, if it's well known.

    A connection keeps its handshake as long as it lives.
    """
    return _SHARED.get(text, text)


#: How many bytes of a value errors show.
_SHOWN = 200


def d(value: bytes | bytearray) -> str:
    """Decode bytes for an error's text; what can't be printed is escaped.

    Args:
        value: bytes from the network; the first of them will do, since whoever sends
            many must not have many made of them.

    """
    text = _printable(value[:_SHOWN].decode(errors="backslashreplace"))
    return text if len(value) <= _SHOWN else f"{text}... ({len(value)} bytes)"


def _printable(text: str) -> str:
    """Escape what can't be printed, so that logs stay what they seem to be."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in text
    )


def decode_line(line: bytes | bytearray) -> str:
    """Decode bytes of a head; those that aren't ASCII become surrogates."""
    return line.decode("ascii", "surrogateescape")


def show(line: str) -> str:
    """Undo :func:`decode_line`, for an error's text."""
    return d(line.encode("latin-1", "surrogateescape"))


def parse_request_line(line: str) -> LineParts:
    """Return method, target and version, or raise what is wrong with them."""
    if match := REQUEST_LINE.fullmatch(line):
        return match.group(1, 2, 3)
    parts = line.split(" ")
    if len(parts) != 3 or not VERSION.fullmatch(parts[2]):
        raise ValueError(f"invalid HTTP request line: {show(line)}")
    method, target, protocol = parts
    # The version first: it says what the rest of the line means.
    if protocol != "HTTP/1.1":
        raise InvalidProtocol(protocol)
    if not (TOKEN.fullmatch(method) and TARGET.fullmatch(target)):
        raise ValueError(f"invalid HTTP request line: {show(line)}")
    raise InvalidMethod(method)


def parse_status_line(line: str) -> LineParts:
    """Return version, status and reason, or raise what is wrong with them."""
    if match := STATUS_LINE.fullmatch(line):
        return match.group(1, 2, 3)
    return _explain_status_line(line, ("HTTP/1.1",))


def parse_proxy_status_line(line: str) -> LineParts:
    """Do the same for a proxy, many of which speak HTTP/1.0."""
    if match := PROXY_STATUS_LINE.fullmatch(line):
        return match.group(1, 2, 3)
    return _explain_status_line(line, ("HTTP/1.1", "HTTP/1.0"))


def _explain_status_line(line: str, protocols: tuple[str, ...]) -> LineParts:
    """Raise what is wrong with a status line."""
    protocol, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    if not (rest and protocol.startswith("HTTP/")):
        raise ValueError(f"invalid HTTP status line: {show(line)}")
    if protocol not in protocols:
        expected = " or ".join(protocols)
        raise ValueError(f"unsupported protocol; expected {expected}: {show(line)}")
    if not (status.isascii() and status.isdigit()):
        raise ValueError(f"invalid status code; expected integer; got {show(status)}")
    if not (len(status) == 3 and "100" <= status <= "599"):
        raise ValueError(f"invalid status code; expected 100–599; got {status}")
    raise ValueError(f"invalid HTTP reason phrase: {show(reason)}")


def parse_field_line(line: str) -> tuple[str, str]:
    """Return a header line's name and value."""
    if line[0] in OWS:
        # RFC 9112, 5.2: a server must refuse these or replace them with spaces.
        raise ValueError(f"unsupported HTTP header folding: {show(line.strip(OWS))}")
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError(f"invalid HTTP header line: {show(line)}")
    # RFC 9112, 5.1: this also refuses white space before the colon.
    if not TOKEN.fullmatch(name):
        raise ValueError(f"invalid HTTP header name: {show(name)}")
    value = value.strip(OWS)
    if not VALUE.fullmatch(value):
        shown = show(loggable_value(name, value))
        raise ValueError(f"invalid HTTP header value: {name}: {shown}")
    return name, value
