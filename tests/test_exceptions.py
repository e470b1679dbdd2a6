"""The tree of errors (websockets.exceptions)."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from websockets import exceptions
from websockets.codes import CloseCode
from websockets.datastructures import Headers
from websockets.exceptions import *  # noqa: F403
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidHeaderFormat,
    InvalidOrigin,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    PayloadTooBig,
    ProtocolError,
    TooManyFragments,
    WebSocketException,
    WebSocketProtocolError,
)
from websockets.frames import Close
from websockets.http11 import Response

E: Any = exceptions

RESPONSE = Response(401, "Unauthorized", Headers(), b"")

# Each error and its text, as users see and match it.
TEXTS: list[tuple[Exception, str]] = [
    (
        ConnectionClosed(Close(1000, ""), Close(1000, ""), True),
        "received 1000 (OK); then sent 1000 (OK)",
    ),
    (
        ConnectionClosed(Close(1001, "Bye!"), Close(1001, "Bye!"), False),
        "sent 1001 (going away) Bye!; then received 1001 (going away) Bye!",
    ),
    (
        ConnectionClosed(None, Close(1009, ""), None),
        "sent 1009 (message too big); no close frame received",
    ),
    (
        ConnectionClosedError(Close(1002, ""), None, None),
        "received 1002 (protocol error); no close frame sent",
    ),
    (ConnectionClosedError(None, None), "no close frame received or sent"),
    (
        ConnectionClosedOK(Close(3000, "x"), None),
        "received 3000 (registered) x; no close frame sent",
    ),
    (
        ConnectionClosed(Close(4000, ""), None),
        "received 4000 (private use); no close frame sent",
    ),
    (
        ConnectionClosed(Close(1005, ""), Close(1005, ""), True),
        "received 1005 (no status received [internal]); "
        "then sent 1005 (no status received [internal])",
    ),
    (
        ConnectionClosed(Close(CloseCode.ABNORMAL_CLOSURE, ""), None),
        "received 1006 (abnormal closure [internal]); no close frame sent",
    ),
    (InvalidURI("|", "reason"), "| isn't a valid URI: reason"),
    (InvalidProxy("|", "reason"), "| isn't a valid proxy: reason"),
    (E.InvalidHandshake("text"), "text"),
    (E.SecurityError("text"), "text"),
    (E.RequestLineTooLong(10), "10"),
    (E.StatusLineTooLong(10), "10"),
    (E.HeaderLineTooLong(10), "10"),
    (E.TooManyHeaders(10), "10"),
    (E.ProxyError("text"), "text"),
    (E.InvalidProxyMessage("text"), "text"),
    (E.InvalidProxyStatus(RESPONSE), "proxy rejected connection: HTTP 401"),
    (E.InvalidMessage("text"), "text"),
    (E.InvalidMethod("POST"), "unsupported HTTP method: POST"),
    (E.InvalidProtocol("HTTP/1.0"), "unsupported HTTP version: HTTP/1.0"),
    (InvalidStatus(RESPONSE), "server rejected WebSocket connection: HTTP 401"),
    (E.InvalidHeader("Name"), "missing Name header"),
    (E.InvalidHeader("Name", None), "missing Name header"),
    (E.InvalidHeader("Name", ""), "empty Name header"),
    (E.InvalidHeader("Name", "Value"), "invalid Name header: Value"),
    (
        InvalidHeaderFormat("Name", "exp. token", "a=|", 3),
        "invalid Name header: exp. token at 3 in a=|",
    ),
    (E.InvalidHeaderValue("Name", "42"), "invalid Name header: 42"),
    (InvalidOrigin("http://bad.origin"), "invalid Origin header: http://bad.origin"),
    (InvalidOrigin(None), "missing Origin header"),
    (E.InvalidHost("evil.example"), "invalid Host header: evil.example"),
    (E.InvalidUpgrade("Upgrade"), "missing Upgrade header"),
    (
        E.InvalidUpgrade("Connection", "websocket"),
        "invalid Connection header: websocket",
    ),
    (E.NegotiationError("text"), "text"),
    (E.DuplicateParameter("a"), "duplicate parameter: a"),
    (E.InvalidParameterName("|"), "invalid parameter name: |"),
    (E.InvalidParameterValue("a", None), "missing value for parameter a"),
    (E.InvalidParameterValue("a", ""), "empty value for parameter a"),
    (E.InvalidParameterValue("a", "|"), "invalid value for parameter a: |"),
    (TooManyFragments(10), "fragmented message exceeds limit of 10 small frames"),
    (ProtocolError("invalid opcode: 7"), "invalid opcode: 7"),
    (PayloadTooBig("text"), "text"),
    (PayloadTooBig(5, 4), "frame with 5 bytes exceeds limit of 4 bytes"),
    (
        PayloadTooBig(5, 4, 3),
        "frame with 5 bytes after reading 3 bytes exceeds limit of 7 bytes",
    ),
    (PayloadTooBig(None, 4), "frame exceeds limit of 4 bytes"),
    (
        PayloadTooBig(None, 4, 3),
        "frame after reading 3 bytes exceeds limit of 7 bytes",
    ),
    (PayloadTooBig(), "frame exceeds limit"),
    (E.InvalidState("text"), "text"),
    (E.ConcurrencyError("text"), "text"),
]


@pytest.mark.parametrize(("exc", "text"), TEXTS)
def test_texts(exc: Exception, text: str) -> None:
    assert str(exc) == text


@pytest.mark.parametrize("exc", [exc for exc, _ in TEXTS])
def test_errors_survive_pickling_and_copying(exc: Exception) -> None:
    exc.extra = "kept"  # type: ignore[attr-defined]
    pickles = [
        pickle.loads(pickle.dumps(exc, protocol))
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    ]
    for other in *pickles, copy.copy(exc), copy.deepcopy(exc):
        assert type(other) is type(exc)
        assert str(other) == str(exc)
        assert other.__dict__ == exc.__dict__


@pytest.mark.parametrize(
    "exc",
    [
        ConnectionClosedOK(rcvd=Close(1000, "x"), sent=None, rcvd_then_sent=None),
        InvalidURI(uri="|", msg="reason"),
        InvalidProxy(proxy="|", msg="reason"),
        E.InvalidProxyStatus(response=RESPONSE),
        InvalidStatus(response=RESPONSE),
        E.InvalidMethod(method="POST"),
        E.InvalidProtocol(protocol="HTTP/1.0"),
        E.InvalidHeader(name="Name", value="value"),
        InvalidHeaderFormat(name="Name", error="exp. token", header="a=|", pos=3),
        InvalidOrigin(origin=None),
        E.InvalidHost(host="a"),
        E.DuplicateParameter(name="a"),
        E.InvalidParameterName(name="a"),
        E.InvalidParameterValue(name="a", value="|"),
        TooManyFragments(max_fragments=10),
        PayloadTooBig(size_or_message=5, max_size=4, current_size=3),
    ],
)
def test_keyword_arguments_survive_too(exc: Exception) -> None:
    other = pickle.loads(pickle.dumps(exc))
    assert str(other) == str(exc)
    assert other.args == exc.args
    assert len(exc.args) > 0


def test_the_table_above_has_every_class() -> None:
    made = {type(exc) for exc, _ in TEXTS}
    public = {getattr(exceptions, name) for name in exceptions.__all__}
    assert public - made == {WebSocketException}


BASES = {
    WebSocketException: "ConnectionClosed InvalidURI InvalidProxy InvalidHandshake "
    "TooManyFragments ProtocolError PayloadTooBig InvalidState ConcurrencyError",
    ConnectionClosed: "ConnectionClosedOK ConnectionClosedError",
    InvalidHandshake: "SecurityError ProxyError InvalidMessage InvalidMethod "
    "InvalidProtocol InvalidStatus InvalidHeader NegotiationError",
    E.SecurityError: "RequestLineTooLong StatusLineTooLong HeaderLineTooLong "
    "TooManyHeaders",
    E.ProxyError: "InvalidProxyMessage InvalidProxyStatus",
    E.InvalidHeader: "InvalidHeaderFormat InvalidHeaderValue InvalidOrigin "
    "InvalidHost InvalidUpgrade",
    E.NegotiationError: "DuplicateParameter InvalidParameterName InvalidParameterValue",
    AssertionError: "InvalidState",
    RuntimeError: "ConcurrencyError",
}


@pytest.mark.parametrize(
    ("base", "name"),
    [(base, name) for base, names in BASES.items() for name in names.split()],
)
def test_tree(base: type, name: str) -> None:
    assert base in getattr(exceptions, name).__bases__


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("InvalidHandshake", 400),
        ("InvalidHeader", 400),
        ("NegotiationError", 400),
        ("SecurityError", 400),
        ("InvalidOrigin", 403),
        ("InvalidMethod", 405),
        ("RequestLineTooLong", 414),
        ("InvalidHost", 421),
        ("InvalidUpgrade", 426),
        ("HeaderLineTooLong", 431),
        ("TooManyHeaders", 431),
        ("InvalidProtocol", 505),
    ],
)
def test_http_status(name: str, status: int) -> None:
    assert getattr(exceptions, name).status == status


def test_close_codes() -> None:
    assert ProtocolError.close_code == 1002
    assert PayloadTooBig.close_code == TooManyFragments.close_code == 1009


def test_another_name() -> None:
    assert WebSocketProtocolError is ProtocolError


class TestConnectionClosed:
    def test_attributes(self) -> None:
        rcvd, sent = Close(1001, "bye"), Close(1000, "")
        exc = ConnectionClosed(rcvd, sent, True)
        assert (exc.rcvd, exc.sent, exc.rcvd_then_sent) == (rcvd, sent, True)

    def test_code_and_reason_are_those_received(self) -> None:
        exc = ConnectionClosed(Close(1001, "bye"), Close(1000, ""), True)
        assert (exc.code, exc.reason) == (1001, "bye")

    def test_code_and_reason_when_nothing_was_received(self) -> None:
        exc = ConnectionClosed(None, Close(1000, "bye"), None)
        assert (exc.code, exc.reason) == (1006, "")


class TestPayloadTooBig:
    def test_attributes(self) -> None:
        exc = PayloadTooBig(5, 4)
        assert (exc.message, exc.size, exc.max_size) == (None, 5, 4)
        assert exc.current_size is None

    def test_attributes_with_a_text(self) -> None:
        exc = PayloadTooBig("text")
        assert (exc.message, exc.size, exc.max_size) == ("text", None, None)

    def test_set_current_size(self) -> None:
        exc = PayloadTooBig(5, 4)
        exc.set_current_size(3)
        assert exc.current_size == 3
        assert str(exc) == str(PayloadTooBig(5, 4, 3))
        exc.set_current_size(None)
        assert str(exc) == str(PayloadTooBig(5, 4))


def test_header_format_attributes() -> None:
    exc = InvalidHeaderFormat("Name", "expected token", "a=|", 2)
    assert (exc.name, exc.value) == ("Name", "expected token at 2 in a=|")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("ws://user:secret@host:1/", "ws://user:***@host:1/"),
        ("ws://user:sec:r@t@host/", "ws://user:***@host/"),
        ("ws://user@host/", "ws://user@host/"),
        ("ws://host:80/a@b", "ws://host:80/a@b"),
    ],
)
def test_passwords_are_not_shown(uri: str, shown: str) -> None:
    exc = InvalidURI(uri, "reason")
    assert str(exc) == f"{shown} isn't a valid URI: reason"
    assert exc.uri == uri


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("http://user:secret@host:1", "http://***@host:1"),
        ("http://secret@host:1", "http://***@host:1"),
        ("http://user:sec/r@e\nt@host:1", "http://***@host:1"),
        ("user:secret@host:1", "***@host:1"),
        ("us er://secret@host:1", "***@host:1"),
        ("http://host:1", "http://host:1"),
    ],
)
def test_credentials_for_proxies_are_not_shown(proxy: str, shown: str) -> None:
    exc = InvalidProxy(proxy, "reason")
    assert str(exc) == f"{shown} isn't a valid proxy: reason"
    assert repr(exc) == f"InvalidProxy({shown!r}, 'reason')"
    assert exc.proxy == proxy


@pytest.mark.parametrize(
    "name", ["AbortHandshake", "InvalidStatusCode", "RedirectHandshake"]
)
def test_old_addresses(name: str) -> None:
    from websockets.classic import exceptions as classic

    assert getattr(exceptions, name) is getattr(classic, name)
    assert name in dir(exceptions)
    assert name not in exceptions.__all__
