"""Floor 0, words: every error of the package, in one tree.

Each class knows what it means on the wire: :attr:`close_code` for what ends an
open connection, :attr:`status` for what ends an opening handshake. What the peer
did wrong and what the caller did wrong are different classes.

.. code-block:: text

    WebSocketException
      ConnectionClosed
        ConnectionClosedOK
        ConnectionClosedError
      InvalidURI
      InvalidProxy
      InvalidHandshake                         (HTTP 400 unless noted)
        SecurityError
          RequestLineTooLong                   (414)
          StatusLineTooLong
          HeaderLineTooLong                    (431)
          TooManyHeaders                       (431)
        ProxyError
          InvalidProxyMessage
          InvalidProxyStatus
        InvalidMessage
        InvalidMethod                          (405)
        InvalidProtocol                        (505)
        InvalidStatus
        InvalidHeader
          InvalidHeaderFormat
          InvalidHeaderValue
          InvalidOrigin                        (403)
          InvalidHost                          (421)
          InvalidUpgrade                       (426)
        NegotiationError
          DuplicateParameter
          InvalidParameterName
          InvalidParameterValue
      TooManyFragments                         (close code 1009)
      ProtocolError                            (close code 1002)
      PayloadTooBig                            (close code 1009)
      InvalidState                             (also AssertionError)
      ConcurrencyError                         (also RuntimeError)

All of them can be pickled and copied: ``args`` always is what the constructor
takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .codes import CloseCode, explain_close_code
from .imports import lazy_import
from .redaction import hide_password, hide_user_info

if TYPE_CHECKING:
    from .classic.exceptions import AbortHandshake as AbortHandshake
    from .classic.exceptions import InvalidStatusCode as InvalidStatusCode
    from .classic.exceptions import RedirectHandshake as RedirectHandshake
    from .frames import Close
    from .http11 import Response

__all__ = [
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
]


def forget_tracebacks(exc: BaseException | None) -> None:
    """
    Have an exception and its causes not keep alive all that took part.

    For those that a connection keeps: the frames of their tracebacks refer to it, and
    what refers to itself is only freed by the garbage collector. The context of an
    exception may be anybody's: it is let go of, and not changed.
    """
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        exc.__traceback__ = exc.__context__ = None
        exc = exc.__cause__


class WebSocketException(Exception):
    """The base of every error that this package defines."""


# --- A connection that is over --------------------------------------------------


def _describe(close: Close) -> str:
    """Return a close frame's code, its meaning and its reason."""
    text = f"{int(close.code)} ({explain_close_code(close.code)})"
    return f"{text} {close.reason}" if close.reason else text


class ConnectionClosed(WebSocketException):
    """The connection is closed; what both sides said about it is here.

    Args:
        rcvd: the close frame received, or ``None`` when none came.
        sent: the close frame sent, or ``None`` when none was sent.
        rcvd_then_sent: with both, whether the received one came first;
            else ``None``.

    """

    def __init__(
        self,
        rcvd: Close | None,
        sent: Close | None,
        rcvd_then_sent: bool | None = None,
    ) -> None:
        super().__init__(rcvd, sent, rcvd_then_sent)
        self.rcvd = rcvd
        self.sent = sent
        self.rcvd_then_sent = rcvd_then_sent

    def __str__(self) -> str:
        """Say who closed the connection, and why."""
        rcvd, sent = self.rcvd, self.sent
        if rcvd is None and sent is None:
            return "no close frame received or sent"
        if rcvd is None:
            assert sent is not None
            return f"sent {_describe(sent)}; no close frame received"
        if sent is None:
            return f"received {_describe(rcvd)}; no close frame sent"
        if self.rcvd_then_sent:
            return f"received {_describe(rcvd)}; then sent {_describe(sent)}"
        return f"sent {_describe(sent)}; then received {_describe(rcvd)}"

    @property
    def code(self) -> int:
        """The close code received; 1006 when no close frame came."""
        # RFC 6455, 7.1.5: the connection's code is the one in the frame received.
        if self.rcvd is None:
            return CloseCode.ABNORMAL_CLOSURE
        return self.rcvd.code

    @property
    def reason(self) -> str:
        """The close reason received; empty when no close frame came."""
        return "" if self.rcvd is None else self.rcvd.reason


class ConnectionClosedOK(ConnectionClosed):
    """The connection was closed in good order, with code 1000 or 1001."""


class ConnectionClosedError(ConnectionClosed):
    """The connection was closed with an error, or broke."""


# --- Addresses ------------------------------------------------------------------


class InvalidURI(WebSocketException):
    """What should be a WebSocket URI isn't one.

    Args:
        uri: the URI; its password is not shown in the error's text.
        msg: what is wrong with it.

    """

    def __init__(self, uri: str, msg: str) -> None:
        super().__init__(uri, msg)
        self.uri = uri
        self.msg = msg

    def __str__(self) -> str:
        """Say which URI it is and what is wrong with it."""
        return f"{hide_password(self.uri)} isn't a valid URI: {self.msg}"

    def __repr__(self) -> str:
        """Show what the error was made with, without the password."""
        return f"{type(self).__name__}({hide_password(self.uri)!r}, {self.msg!r})"


class InvalidProxy(WebSocketException):
    """What should be a proxy's address isn't one, or its kind isn't supported.

    Args:
        proxy: the address; user name and password, which some proxies have in the
            place of the other, are shown neither in the error's text nor its repr().
        msg: what is wrong with it.

    """

    def __init__(self, proxy: str, msg: str) -> None:
        super().__init__(proxy, msg)
        self.proxy = proxy
        self.msg = msg

    def __str__(self) -> str:
        """Say which address it is and what is wrong with it."""
        return f"{hide_user_info(self.proxy)} isn't a valid proxy: {self.msg}"

    def __repr__(self) -> str:
        """Show what the error was made with, without the secrets."""
        return f"{type(self).__name__}({hide_user_info(self.proxy)!r}, {self.msg!r})"


# --- The opening handshake ------------------------------------------------------


class InvalidHandshake(WebSocketException):
    """The opening handshake failed; the base of every way it can.

    ``status`` is the HTTP status with which a server answers this error. On a
    client it has no use.
    """

    #: The HTTP status with which a server answers.
    status: int = 400


class SecurityError(InvalidHandshake):
    """A message or a redirect breaks a rule or a limit that protects us."""


class RequestLineTooLong(SecurityError):
    """The first line of a request is longer than allowed."""

    status = 414


class StatusLineTooLong(SecurityError):
    """The first line of a response is longer than allowed."""


class HeaderLineTooLong(SecurityError):
    """A header line is longer than allowed."""

    status = 431


class TooManyHeaders(SecurityError):
    """There are more header lines, or more bytes of them, than allowed."""

    status = 431


class ProxyError(InvalidHandshake):
    """The proxy did not connect us."""


class InvalidProxyMessage(ProxyError):
    """The proxy's answer is not HTTP."""


class InvalidProxyStatus(ProxyError):
    """The proxy answered, and refused.

    Args:
        response: the proxy's answer, with its body.

    """

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response

    def __str__(self) -> str:
        """Say which status the proxy answered."""
        return f"proxy rejected connection: HTTP {self.response.status_code:d}"

    def __repr__(self) -> str:
        """Show the text: what the error was made with may have secrets."""
        return f"{type(self).__name__}({str(self)!r})"


class InvalidMessage(InvalidHandshake):
    """What came is not an HTTP request or response; its cause says why."""


class InvalidMethod(InvalidHandshake):
    """The request's method is not GET.

    Args:
        method: the method received.

    """

    status = 405

    def __init__(self, method: str) -> None:
        super().__init__(method)
        self.method = method

    def __str__(self) -> str:
        """Say which method it was."""
        return f"unsupported HTTP method: {self.method}"


class InvalidProtocol(InvalidHandshake):
    """The request's HTTP version is not 1.1.

    Args:
        protocol: the version received, such as ``HTTP/1.0``.

    """

    status = 505

    def __init__(self, protocol: str) -> None:
        super().__init__(protocol)
        self.protocol = protocol

    def __str__(self) -> str:
        """Say which version it was."""
        return f"unsupported HTTP version: {self.protocol}"


class InvalidStatus(InvalidHandshake):
    """The server answered, and refused.

    Args:
        response: the server's answer, with its body.

    """

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response

    def __str__(self) -> str:
        """Say which status the server answered."""
        status = self.response.status_code
        return f"server rejected WebSocket connection: HTTP {status:d}"

    def __repr__(self) -> str:
        """Show the text: what the error was made with may have secrets."""
        return f"{type(self).__name__}({str(self)!r})"


class InvalidHeader(InvalidHandshake):
    """A header is missing, empty or wrong.

    Args:
        name: the header's name.
        value: the value received; ``None`` when the header is missing.

    """

    def __init__(self, name: str, value: str | None = None) -> None:
        super().__init__(name, value)
        self.name = name
        self.value = value

    def __str__(self) -> str:
        """Say which header it is and which value it has."""
        if self.value is None:
            return f"missing {self.name} header"
        if self.value == "":
            return f"empty {self.name} header"
        return f"invalid {self.name} header: {self.value}"


class InvalidHeaderFormat(InvalidHeader):
    """A header breaks the grammar it must follow.

    Args:
        name: the header's name.
        error: what was expected.
        header: the header's value.
        pos: the index in the value where that was expected.

    """

    def __init__(self, name: str, error: str, header: str, pos: int) -> None:
        super().__init__(name, f"{error} at {pos} in {header}")
        self.args = (name, error, header, pos)


class InvalidHeaderValue(InvalidHeader):
    """A header follows its grammar but its value can't be used."""


class InvalidOrigin(InvalidHeader):
    """The request's Origin is not one that the server accepts.

    Args:
        origin: the origin received; ``None`` when there was none.

    """

    status = 403

    def __init__(self, origin: str | None) -> None:
        super().__init__("Origin", origin)
        self.args = (origin,)


class InvalidHost(InvalidHeader):
    """The Host header isn't among the acceptable ones.

    Args:
        host: its value.

    """

    # RFC 9110, 7.4: a request for another host was misdirected.
    status = 421

    def __init__(self, host: str) -> None:
        super().__init__("Host", host)
        self.args = (host,)


class InvalidUpgrade(InvalidHeader):
    """The Upgrade or Connection header doesn't ask for WebSocket."""

    status = 426


class NegotiationError(InvalidHandshake):
    """The two sides can't agree on a subprotocol or an extension."""


class DuplicateParameter(NegotiationError):
    """An extension's parameter is given twice.

    Args:
        name: the parameter's name.

    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        """Say which parameter it is."""
        return f"duplicate parameter: {self.name}"


class InvalidParameterName(NegotiationError):
    """An extension has no such parameter.

    Args:
        name: the parameter's name.

    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        """Say which parameter it is."""
        return f"invalid parameter name: {self.name}"


class InvalidParameterValue(NegotiationError):
    """An extension's parameter has a value it can't have.

    Args:
        name: the parameter's name.
        value: its value; ``None`` when it has none.

    """

    def __init__(self, name: str, value: str | None) -> None:
        super().__init__(name, value)
        self.name = name
        self.value = value

    def __str__(self) -> str:
        """Say which parameter it is and which value it has."""
        if self.value is None:
            return f"missing value for parameter {self.name}"
        if self.value == "":
            return f"empty value for parameter {self.name}"
        return f"invalid value for parameter {self.name}: {self.value}"


# --- An open connection ---------------------------------------------------------


class TooManyFragments(WebSocketException):
    """A message came in more frames than allowed.

    Args:
        max_fragments: how many frames a message may have beside one for each 64
            bytes of its content.

    """

    #: The code with which the connection is closed.
    close_code: ClassVar[int] = CloseCode.MESSAGE_TOO_BIG

    def __init__(self, max_fragments: int) -> None:
        super().__init__(max_fragments)
        self.max_fragments = max_fragments

    def __str__(self) -> str:
        """Say what the limit is."""
        return f"fragmented message exceeds limit of {self.max_fragments} small frames"


class ProtocolError(WebSocketException):
    """The peer broke the rules of RFC 6455."""

    #: The code with which the connection is closed.
    close_code: ClassVar[int] = CloseCode.PROTOCOL_ERROR


#: Another name of :exc:`ProtocolError`.
WebSocketProtocolError = ProtocolError


class PayloadTooBig(WebSocketException):
    """A frame, or a message with it, is larger than allowed.

    Args:
        size_or_message: the frame's payload in bytes, or ``None`` when it isn't
            known; or the whole text of the error.
        max_size: how many bytes this frame could have at most.
        current_size: the bytes of the message read before this frame, or
            ``None`` when the frame is its first or that isn't known (yet).

    """

    #: The code with which the connection is closed.
    close_code: ClassVar[int] = CloseCode.MESSAGE_TOO_BIG

    def __init__(
        self,
        size_or_message: int | str | None = None,
        max_size: int | None = None,
        current_size: int | None = None,
    ) -> None:
        super().__init__(size_or_message, max_size, current_size)
        self.message: str | None = None
        self.size: int | None = None
        if isinstance(size_or_message, str):
            self.message = size_or_message
        else:
            self.size = size_or_message
        self.max_size = max_size
        self.current_size = current_size

    def set_current_size(self, current_size: int | None) -> None:
        """Record how many bytes of the message were read before this frame.

        Args:
            current_size: those bytes; ``None`` when the frame is the first.

        """
        self.current_size = current_size

    def __str__(self) -> str:
        """Say how much came and what the limit is."""
        if self.message is not None:
            return self.message
        text = "frame"
        if self.size is not None:
            text += f" with {self.size} bytes"
        if self.current_size is not None:
            text += f" after reading {self.current_size} bytes"
        if self.max_size is None:
            return f"{text} exceeds limit"
        # What the whole message could have: this frame's share and what was read.
        limit = self.max_size + (self.current_size or 0)
        return f"{text} exceeds limit of {limit} bytes"


# --- What the caller did wrong --------------------------------------------------


class InvalidState(WebSocketException, AssertionError):
    """The connection is not in the state that this call needs."""


class ConcurrencyError(WebSocketException, RuntimeError):
    """Two tasks or threads receive from one connection at the same time."""


# Errors of the classic API, under the address they had before.
lazy_import(
    globals(),
    {
        "AbortHandshake": ".classic.exceptions",
        "InvalidStatusCode": ".classic.exceptions",
        "RedirectHandshake": ".classic.exceptions",
    },
)
