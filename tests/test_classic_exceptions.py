"""Errors of the classic API (websockets.classic.exceptions)."""

from __future__ import annotations

import copy
import http
import pickle

import pytest

from websockets.classic.exceptions import (
    AbortHandshake,
    InvalidMessage,
    InvalidStatusCode,
    RedirectHandshake,
)
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidStatus

ERRORS: list[tuple[Exception, str]] = [
    (
        InvalidStatusCode(403, Headers(A="b")),
        "server rejected WebSocket connection: HTTP 403",
    ),
    (AbortHandshake(200, Headers(), b"OK"), "HTTP 200, 0 headers, 2 bytes"),
    (
        AbortHandshake(http.HTTPStatus.OK, [("A", "b"), ("A", "c")]),
        "HTTP 200, 2 headers, 0 bytes",
    ),
    (RedirectHandshake("wss://example.com"), "redirect to wss://example.com"),
]


@pytest.mark.parametrize(("exc", "text"), ERRORS)
def test_texts(exc: Exception, text: str) -> None:
    assert isinstance(exc, InvalidHandshake)
    assert str(exc) == text


@pytest.mark.parametrize("exc", [exc for exc, _ in ERRORS])
def test_errors_survive_pickling_and_copying(exc: Exception) -> None:
    for other in pickle.loads(pickle.dumps(exc)), copy.copy(exc), copy.deepcopy(exc):
        assert type(other) is type(exc)
        assert str(other) == str(exc)
        assert other.__dict__ == exc.__dict__


def test_a_status_code_is_a_status() -> None:
    headers = Headers(A="b")
    exc = InvalidStatusCode(403, headers)
    assert isinstance(exc, InvalidStatus)
    assert (exc.status_code, exc.headers) == (403, headers)
    assert exc.response.status_code == 403
    assert exc.response.reason_phrase == "Forbidden"
    assert exc.response.headers is headers


def test_an_unknown_status_has_no_phrase() -> None:
    assert InvalidStatusCode(599, Headers()).response.reason_phrase == ""


def test_abort_has_headers_whatever_it_was_given() -> None:
    exc = AbortHandshake(404, {"A": "b"}, b"not here")
    assert (exc.status, exc.headers, exc.body) == (404, Headers(A="b"), b"not here")


def test_redirect_has_its_uri() -> None:
    assert RedirectHandshake("ws://x/").uri == "ws://x/"


def test_invalid_message_is_the_modern_one() -> None:
    from websockets import exceptions

    assert InvalidMessage is exceptions.InvalidMessage
