"""Floor 1, bytes: the HTTP/1.1 of the opening handshake (RFC 9112).

:class:`Request` and :class:`Response` are the two messages. :class:`HandshakeReader`
reads them from bytes that come in any pieces.

How the reader works. A head that is there as a whole, as nearly all are, is read
with three regular expressions: one for the first line, one for all header lines,
and their number compared with the number of line ends, so that nothing is skipped.
Whatever doesn't fit, be it incomplete or wrong, is read line by line, and that path
has the precise errors and the limits. It remembers how far it looked, so each byte
is looked at once however the bytes arrive; both paths accept the same heads.

The reader is strict where two readers of the same bytes could disagree (request
smuggling): a line ends with CRLF, never with LF alone (RFC 9112, 2.2, leaves that to
the recipient); no CR or NUL inside; no space before the colon (5.1); no folded lines
(5.2); one Content-Length at most, and none beside Transfer-Encoding (6.3). All
regular expressions take linear time.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import sys
from collections.abc import Callable, Generator
from os import environ
from typing import NamedTuple

from .datastructures import Headers
from .exceptions import (
    HeaderLineTooLong,
    RequestLineTooLong,
    SecurityError,
    StatusLineTooLong,
    TooManyHeaders,
)
from .httplines import (
    CHUNK_LINE,
    FIELD_LINE,
    OUT_TARGET,
    OUT_VALUE,
    OWS,
    PROXY_STATUS_LINE,
    REQUEST_LINE,
    STATUS,
    STATUS_LINE,
    TOKEN,
    VERSION,
    LineParts,
    d,
    decode_line,
    parse_field_line,
    parse_proxy_status_line,
    parse_request_line,
    parse_status_line,
    share,
    show,
)
from .utils import env_limit
from .version import version

__all__ = [
    "HandshakeReader",
    "MAX_BODY_SIZE",
    "MAX_HANDSHAKE_SIZE",
    "MAX_LINE_LENGTH",
    "MAX_NUM_HEADERS",
    "Request",
    "Response",
    "SERVER",
    "USER_AGENT",
    "d",
    "parse_headers",
    "parse_line",
    "read_body",
]

_PRODUCT = f"Python/{sys.version_info[0]}.{sys.version_info[1]} websockets/{version}"

#: What servers put in the Server header unless told otherwise.
SERVER = environ.get("WEBSOCKETS_SERVER", _PRODUCT)

#: What clients put in the User-Agent header unless told otherwise.
USER_AGENT = environ.get("WEBSOCKETS_USER_AGENT", _PRODUCT)

#: The longest line of a head, in bytes, with the CRLF that ends it.
MAX_LINE_LENGTH = env_limit("MAX_LINE_LENGTH", 8192)

#: How many header lines a head may have.
MAX_NUM_HEADERS = env_limit("MAX_NUM_HEADERS", 128)

#: The largest head, in bytes: eight of the longest lines, which is as much as the
#: cookies of one site can come to, or 128 header lines of 500 bytes.
MAX_HANDSHAKE_SIZE = env_limit("MAX_HANDSHAKE_SIZE", 65536)

#: The largest body of a response, in bytes.
MAX_BODY_SIZE = env_limit("MAX_BODY_SIZE", 1048576)


class _Kind(NamedTuple):
    """What differs between the heads of requests and of responses."""

    noun: str
    pattern: re.Pattern[str]
    parse: Callable[[str], LineParts]
    too_long: type[SecurityError]


_REQUEST = _Kind("request line", REQUEST_LINE, parse_request_line, RequestLineTooLong)
_RESPONSE = _Kind("status line", STATUS_LINE, parse_status_line, StatusLineTooLong)
_PROXY_RESPONSE = _Kind(
    "status line", PROXY_STATUS_LINE, parse_proxy_status_line, StatusLineTooLong
)


# --- What follows the head ------------------------------------------------------


def _content_length(headers: Headers) -> int | None:
    """Return Content-Length, or ``None`` when there is none."""
    values = headers.get_all("Content-Length")
    if not values:
        return None
    # RFC 9112, 6.3: repeating the same length may be accepted; nobody needs it.
    if len(values) > 1:
        raise ValueError("invalid Content-Length header: multiple values")
    (value,) = values
    if not (value.isascii() and value.isdigit()):
        raise ValueError(f"invalid Content-Length header: {show(value)}")
    # More digits than any body has bytes; int() would take its time.
    return int(value) if len(value) < 20 else sys.maxsize


def _refuse_body(headers: Headers) -> None:
    """Raise if a request announces a body; an opening handshake has none."""
    if "Transfer-Encoding" in headers or (
        "Content-Length" in headers and _content_length(headers)
    ):
        raise ValueError("unsupported body in HTTP request")


# In place of a body's length: it is chunked; it ends with the connection.
_CHUNKED, _UNTIL_EOF = -1, -2

# In place of a number of bytes that would help the reader.
_A_LINE, _THE_REST = 0, -1


def _body_length(status_code: int, headers: Headers, proxy: bool) -> int:
    """Return a response body's length, or how its end is found.

    This is the table of RFC 9112, 6.3, for responses to GET and CONNECT.
    """
    if status_code < 200 or status_code in (204, 304):
        return 0
    if proxy and status_code < 300:
        return 0
    length = _content_length(headers)
    codings = headers.get_all("Transfer-Encoding")
    if not codings:
        return _UNTIL_EOF if length is None else _check_body_size(length)
    if length is not None:
        raise ValueError("both Transfer-Encoding and Content-Length headers")
    if len(codings) > 1 or codings[0].lower() != "chunked":
        raise ValueError(f"unsupported transfer coding: {show(', '.join(codings))}")
    return _CHUNKED


def _check_body_size(size: int) -> int:
    """Return the size of a body, or raise if that is too much."""
    if size > MAX_BODY_SIZE:
        raise SecurityError(f"HTTP body exceeds limit of {MAX_BODY_SIZE} bytes")
    return size


# --- The messages ---------------------------------------------------------------

_Read = Callable[[int], Generator[None, None, bytes | bytearray]]


def _checked(what: str, pattern: re.Pattern[str], text: str) -> str:
    """Return a part of a first line; nothing in it may break out of it."""
    if not pattern.fullmatch(text):
        raise ValueError(f"invalid HTTP {what}: {text!r}")
    return text


@dataclasses.dataclass
class Request:
    """A request of the opening handshake.

    Args:
        path: the path and the query, as in the request line.
        headers: the headers.
        method: the method; always GET in an opening handshake.
        protocol: the version; always HTTP/1.1 in an opening handshake.

    """

    path: str
    headers: Headers
    method: str = "GET"
    protocol: str = "HTTP/1.1"
    _exception: Exception | None = None

    @property
    def exception(self) -> Exception | None:
        """The error that a server found in the request, if it found one."""
        return self._exception

    @classmethod
    def parse(cls, read_line: _Read) -> Generator[None, None, Request]:
        """Read a request with the methods of a :class:`~.streams.StreamReader`.

        Args:
            read_line: a function that takes the most bytes a line may have; a
                generator that returns the line with its end.

        Returns:
            a generator that returns the request.

        Raises:
            EOFError: the stream ends before the request does.
            InvalidMethod: the method isn't GET.
            InvalidProtocol: the version isn't HTTP/1.1.
            SecurityError: the request exceeds a limit.
            ValueError: it isn't a well-formed HTTP request.

        """
        reader = HandshakeReader()
        while (request := reader.read_request()) is None:
            yield from _fetch(reader, read_line)
        return request

    def serialize(self) -> bytes:
        """Return the request as bytes.

        Raises:
            ValueError: method, path or protocol has a character, such as a space
                or a line break, that can't be in a request line.

        """
        method = _checked("method", TOKEN, self.method)
        path = _checked("path", OUT_TARGET, self.path)
        protocol = _checked("version", VERSION, self.protocol)
        line = f"{method} {path} {protocol}\r\n"
        return line.encode("latin-1", "surrogateescape") + self.headers.serialize()


@dataclasses.dataclass
class Response:
    """A response of the opening handshake.

    Args:
        status_code: the HTTP status.
        reason_phrase: the text after it.
        headers: the headers.
        body: the body; ``None`` is the same as an empty one.

    """

    status_code: int
    reason_phrase: str
    headers: Headers
    body: bytes | bytearray | None = b""
    _exception: Exception | None = None

    @property
    def exception(self) -> Exception | None:
        """The error that a client found in the response, if it found one."""
        return self._exception

    @classmethod
    def parse(
        cls,
        read_line: _Read,
        read_exact: _Read,
        read_to_eof: _Read,
        proxy: bool = False,
    ) -> Generator[None, None, Response]:
        """Read a response with the methods of a :class:`~.streams.StreamReader`.

        Args:
            read_line: a function that takes the most bytes a line may have; a
                generator that returns the line with its end.
            read_exact: the same for that many bytes.
            read_to_eof: the same for everything until the end of the stream.
            proxy: whether this is a proxy's answer to CONNECT.

        Returns:
            a generator that returns the response, with its body.

        Raises:
            EOFError: the stream ends before the response does.
            SecurityError: the response exceeds a limit.
            ValueError: it isn't a well-formed HTTP response.

        """
        reader = HandshakeReader()
        while (response := reader.read_response(proxy=proxy)) is None:
            yield from _fetch(reader, read_line, read_exact, read_to_eof)
        return response

    def serialize(self) -> bytes:
        """Return the response as bytes.

        Raises:
            ValueError: the status isn't between 100 and 999, or the reason phrase
                has a character, such as a line break, that it can't have.

        """
        # What a subclass holds, not what it shows itself as.
        line = _status_line(self.status_code, str.__str__(self.reason_phrase))
        return line + self.headers.serialize() + (self.body or b"")


@functools.lru_cache(maxsize=64, typed=True)
def _status_line(status_code: int, reason_phrase: str) -> bytes:
    """Return the first line of a response; there are few different ones."""
    status = _checked("status", STATUS, f"{status_code:d}")
    reason = _checked("reason phrase", OUT_VALUE, reason_phrase)
    return f"HTTP/1.1 {status} {reason}\r\n".encode("latin-1", "surrogateescape")


# --- The reader -----------------------------------------------------------------


class HandshakeReader:
    """Reads HTTP messages from bytes that come in any pieces.

    Feed what arrives with :meth:`feed` and :meth:`feed_eof`, and call
    :meth:`read_request` or :meth:`read_response` after each. After a message the
    next one can be read; :meth:`take_rest` gives the bytes that follow, such as
    frames. After an error the reader is of no more use.

    Args:
        max_size: the largest head, in bytes; ``None`` for the default,
            :data:`MAX_HANDSHAKE_SIZE`.

    """

    __slots__ = (
        "_at",
        "_body",
        "_buffer",
        "_chunk",
        "_eof",
        "_fields",
        "_first",
        "_kind",
        "_length",
        "_limit",
        "_max_size",
        "_response",
        "_scanned",
        "_wanted",
    )

    def __init__(self, max_size: int | None = None) -> None:
        self._max_size = MAX_HANDSHAKE_SIZE if max_size is None else max_size
        self._buffer = bytearray()
        self._eof = False
        self._kind = _REQUEST
        self._begin()

    def _begin(self) -> None:
        """Forget the message that was read and be ready for the next."""
        # Where the next line begins, and from where its end isn't looked for yet.
        self._at = 0
        self._scanned = 0
        # Where the head, or the body with all that frames it, must have ended.
        self._limit = self._max_size
        # The first line's parts once it was read; the header lines read so far.
        self._first: LineParts | None = None
        self._fields: list[tuple[str, str]] = []
        # The response whose body is being read, that body's length or how its end
        # is found, what came of it, and the size of the chunk that is being read.
        self._response: Response | None = None
        self._length = 0
        self._chunk: int | None = None
        # What would help: a line, so many bytes, or all until the end.
        self._wanted = _A_LINE

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes that came.

        Args:
            data: the bytes; they are copied.

        Raises:
            EOFError: the end of the stream was fed before.

        """
        if self._eof:
            raise EOFError("stream ended")
        self._buffer += data

    def feed_eof(self) -> None:
        """Take note that no more bytes will come."""
        self._eof = True

    def take_rest(self) -> bytes:
        """Return the bytes that follow what was read, and forget them."""
        if not self._buffer:
            return b""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._begin()
        return rest

    def forget(self) -> None:
        """Forget what was read: errors refer to their reader for a while."""
        self._buffer.clear()
        self._fields = []

    def read_request(self) -> Request | None:
        """Read a request.

        Returns:
            the request; ``None`` when more bytes are needed.

        Raises:
            EOFError: the stream ends before the request does.
            InvalidMethod: the method isn't GET.
            InvalidProtocol: the version isn't HTTP/1.1.
            SecurityError: the request exceeds a limit. This is found as soon as
                the limit is passed, whether or not the request is complete.
            ValueError: it isn't a well-formed HTTP request, or has a body.

        """
        head = self._read_head(_REQUEST)
        if head is None:
            return None
        (method, path, protocol), headers = head
        _refuse_body(headers)
        self._finish()
        return Request(path, headers, method, protocol)

    def read_response(self, *, proxy: bool = False) -> Response | None:
        """Read a response with its body.

        Args:
            proxy: whether this is a proxy's answer to CONNECT. Then HTTP/1.0 is
                accepted, and a success has no body.

        Returns:
            the response; ``None`` when more bytes are needed.

        Raises:
            EOFError: the stream ends before the response does.
            SecurityError: the response exceeds a limit. This is found as soon as
                the limit is passed, whether or not the response is complete.
            ValueError: it isn't a well-formed HTTP response.

        """
        if self._response is None:
            head = self._read_head(_PROXY_RESPONSE if proxy else _RESPONSE)
            if head is None:
                return None
            (_, status, reason), headers = head
            response = Response(int(status), reason or "", headers)
            self._begin_body(response, proxy)
        else:
            response = self._response
        if not self._read_body():
            return None
        response.body = bytes(self._body)
        self._body.clear()
        self._finish()
        return response

    @property
    def incomplete(self) -> Response | None:
        """The response whose body is being read, or broke off or was too large.

        Its body is what has come so far. ``None`` when no head was read.
        """
        response = self._response
        if response is None:
            return None
        rest = b"" if self._length == _CHUNKED else self._buffer[self._at :]
        body = bytes(self._body + rest)
        return dataclasses.replace(response, body=body)

    def _finish(self) -> None:
        """Drop the bytes of the message that was read."""
        del self._buffer[: self._at]
        self._begin()

    # The head

    def _read_head(self, kind: _Kind) -> tuple[LineParts, Headers] | None:
        """Read a head; return its first line's parts and its headers."""
        # Nothing was looked at yet: the head may be there as a whole.
        if not self._scanned and (head := self._read_whole_head(kind)):
            return head
        self._kind = kind
        if self._first is None:
            self._check_start()
        while (line := self._next_line()) is not None:
            if self._first is None:
                self._first = kind.parse(decode_line(line))
            elif line:
                self._add_field(line)
            else:
                return self._first, Headers._of_checked(self._fields)
        return None

    def _check_start(self) -> None:
        """Refuse what can't become HTTP, such as TLS, without waiting for a line."""
        start = self._buffer
        if start and not start[:1].isalpha():
            line = start.partition(b"\r\n")[0]
            raise ValueError(f"invalid HTTP {self._kind.noun}: {d(line)}")

    def _read_whole_head(self, kind: _Kind) -> tuple[LineParts, Headers] | None:
        """Read a complete head that has nothing unusual."""
        end = self._buffer.find(b"\r\n\r\n") + 4
        if not 4 <= end <= self._max_size:
            return None
        first, _, rest = decode_line(self._buffer[: end - 2]).partition("\r\n")
        match = kind.pattern.fullmatch(first)
        fields = FIELD_LINE.findall(rest)
        # As many matches as line ends: each line is a header and no line more.
        if match is None or len(fields) != rest.count("\n"):
            return None
        if len(fields) > MAX_NUM_HEADERS or (
            end > MAX_LINE_LENGTH and _has_long_line(first, rest)
        ):
            return None
        self._at = end
        pairs = [(name, value.strip(OWS)) for name, value in fields]
        one, two, three = match.group(1, 2, 3)
        return (share(one), two, share(three)), Headers._of_checked(pairs)

    def _add_field(self, line: bytearray) -> None:
        """Keep a header line."""
        if len(self._fields) >= MAX_NUM_HEADERS:
            raise TooManyHeaders(
                f"HTTP head exceeds limit of {MAX_NUM_HEADERS} header lines"
            )
        self._fields.append(parse_field_line(decode_line(line)))

    def _next_line(self) -> bytearray | None:
        """Return the next line without its end; ``None`` when it isn't complete."""
        end = self._buffer.find(b"\n", self._scanned) + 1
        limit = min(self._at + MAX_LINE_LENGTH, self._limit)
        # A line without an end that reaches the limit can only exceed it.
        if end > limit or (not end and len(self._buffer) >= limit):
            raise self._too_long()
        if not end:
            self._scanned = len(self._buffer)
            self._need(_A_LINE)
            return None
        line = self._buffer[self._at : end]
        if not line.endswith(b"\r\n"):
            raise ValueError(f"line without CRLF: {d(line[:-1])}")
        self._at = self._scanned = end
        return line[:-2]

    def _too_long(self) -> SecurityError:
        """Make the error for a line that exceeds its limit, or all lines theirs."""
        cls, noun = self._limited()
        if self._at + MAX_LINE_LENGTH <= self._limit:
            return cls(f"HTTP {noun} exceeds limit of {MAX_LINE_LENGTH} bytes")
        if self._response is not None:
            return SecurityError(
                f"HTTP body is framed by more than {MAX_BODY_SIZE} bytes"
            )
        return TooManyHeaders(f"HTTP head exceeds limit of {self._limit} bytes")

    def _limited(self) -> tuple[type[SecurityError], str]:
        """Return which error a long line is, and what such a line is called."""
        if self._response is not None:
            return SecurityError, "chunk line"
        if self._first is None:
            return self._kind.too_long, self._kind.noun
        return HeaderLineTooLong, "header line"

    def _place(self) -> str:
        """Say what is being read."""
        if self._response is not None:
            return "body"
        return self._kind.noun if self._first is None else "headers"

    def _need(self, wanted: int) -> None:
        """Note what would help, unless nothing comes any more.

        Raises:
            EOFError: nothing comes any more.

        """
        self._wanted = wanted
        if self._eof:
            goal = f"expected {wanted} bytes" if wanted > 0 else "before end of line"
            have = len(self._buffer) - self._at
            raise EOFError(
                f"connection closed while reading HTTP {self._place()}"
            ) from EOFError(f"stream ends after {have} bytes, {goal}")

    # The body

    def _begin_body(self, response: Response, proxy: bool) -> None:
        """Prepare for the body of a response."""
        self._response = response
        self._body = bytearray()
        self._length = _body_length(response.status_code, response.headers, proxy)
        # Trailers are header lines too.
        self._fields = []
        # What frames the chunks may take as much again as the body.
        self._limit = self._at + 2 * MAX_BODY_SIZE + MAX_LINE_LENGTH
        self._scanned = self._at

    def _read_body(self) -> bool:
        """Read the body as far as it is there; tell whether that is all of it."""
        if self._length == _CHUNKED:
            return self._read_chunks()
        if self._length == _UNTIL_EOF:
            return self._read_until_eof()
        return self._read_exactly(self._length)

    def _read_exactly(self, size: int) -> bool:
        """Add so many bytes to the body, if they are there."""
        end = self._at + size
        if len(self._buffer) < end:
            self._need(size)
            return False
        self._body += self._buffer[self._at : end]
        self._at = self._scanned = end
        return True

    def _read_until_eof(self) -> bool:
        """Take all that comes for the body."""
        size = _check_body_size(len(self._buffer) - self._at)
        self._wanted = _THE_REST
        return self._eof and self._read_exactly(size)

    def _read_chunks(self) -> bool:
        """Read chunks and trailers (RFC 9112, 7.1)."""
        # 1. Chunks, each of which is a line with its size, data, and CRLF.
        while self._chunk != 0:
            if not (
                self._read_chunk_size() if self._chunk is None else self._read_chunk()
            ):
                return False
        # 2. Trailers, which are checked and forgotten, and an empty line.
        while line := self._next_line():
            self._add_field(line)
        return line is not None

    def _read_chunk_size(self) -> bool:
        """Read the line that a chunk begins with."""
        line = self._next_line()
        if line is None:
            return False
        match = CHUNK_LINE.fullmatch(decode_line(line))
        if match is None:
            raise ValueError(f"invalid HTTP chunk size: {d(line)}")
        self._chunk = int(match[1], 16)
        _check_body_size(len(self._body) + self._chunk)
        return True

    def _read_chunk(self) -> bool:
        """Read a chunk's data and the CRLF behind it."""
        assert self._chunk is not None
        if not self._read_exactly(self._chunk + 2):
            return False
        if not self._body.endswith(b"\r\n"):
            raise ValueError("HTTP chunk is longer than its size")
        del self._body[-2:]
        self._chunk = None
        return True


def _has_long_line(first: str, rest: str) -> bool:
    """Tell whether a line exceeds the limit, its CRLF included."""
    lines = [first, *rest.split("\r\n")]
    return max(map(len, lines)) + 2 > MAX_LINE_LENGTH


# --- The reader, driven by generators -------------------------------------------


def _fetch(reader: HandshakeReader, *functions: _Read) -> Generator[None, None, None]:
    """Feed the reader what it needs, read by ``read_line`` and its fellows."""
    wanted = reader._wanted
    which = 0 if wanted == _A_LINE else 1 if wanted > 0 else 2
    limit = (MAX_LINE_LENGTH, wanted, MAX_BODY_SIZE)[which]
    try:
        data = yield from functions[which](limit)
    except EOFError as exc:
        place = reader._place()
        raise EOFError(f"connection closed while reading HTTP {place}") from exc
    except RuntimeError as exc:
        if wanted == _THE_REST:
            raise SecurityError(
                f"HTTP body exceeds limit of {MAX_BODY_SIZE} bytes"
            ) from exc
        raise reader._too_long() from exc
    reader.feed(data)
    if wanted == _THE_REST:
        reader.feed_eof()


def parse_line(read_line: _Read) -> Generator[None, None, bytes]:
    """Read a line.

    Args:
        read_line: a function that takes the most bytes a line may have; a generator
            that returns the line with its end.

    Returns:
        a generator that returns the line without its end.

    Raises:
        EOFError: the stream ends before the line does.
        SecurityError: the line is too long.
        ValueError: the line doesn't end with CRLF.

    """
    try:
        line = yield from read_line(MAX_LINE_LENGTH)
    except RuntimeError as exc:
        raise SecurityError(f"line exceeds limit of {MAX_LINE_LENGTH} bytes") from exc
    if not line.endswith(b"\r\n"):
        raise ValueError(f"line without CRLF: {d(line[:-1])}")
    return bytes(line[:-2])


def parse_headers(read_line: _Read) -> Generator[None, None, Headers]:
    """Read header lines and the empty line that ends them.

    Args:
        read_line: as for :func:`parse_line`.

    Returns:
        a generator that returns the headers.

    Raises:
        EOFError: the stream ends before the headers do.
        SecurityError: the headers exceed a limit.
        ValueError: a line isn't a well-formed header.

    """
    reader = HandshakeReader()
    reader._first = ("", "", "")
    while (head := reader._read_head(_REQUEST)) is None:
        yield from _fetch(reader, read_line)
    return head[1]


def read_body(
    status_code: int,
    headers: Headers,
    read_line: _Read,
    read_exact: _Read,
    read_to_eof: _Read,
) -> Generator[None, None, bytes]:
    """Read the body of a response.

    Args:
        status_code: the response's status.
        headers: the response's headers.
        read_line: as for :meth:`Response.parse`.
        read_exact: as for :meth:`Response.parse`.
        read_to_eof: as for :meth:`Response.parse`.

    Returns:
        a generator that returns the body.

    Raises:
        EOFError: the stream ends before the body does.
        SecurityError: the body exceeds a limit.
        ValueError: the headers or the chunks make no sense.

    """
    reader = HandshakeReader()
    reader._begin_body(Response(status_code, "", headers), proxy=False)
    while not reader._read_body():
        yield from _fetch(reader, read_line, read_exact, read_to_eof)
    return bytes(reader._body)
