"""Pieces of the opening handshake for frameworks that do it themselves."""

from __future__ import annotations

import pytest

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidHeaderValue
from websockets.legacy.handshake import (
    build_request,
    build_response,
    check_request,
    check_response,
)


def test_a_handshake_by_hand() -> None:
    request = Headers()
    key = build_request(request)
    assert request["Sec-WebSocket-Key"] == key
    assert request["Sec-WebSocket-Version"] == "13"
    assert check_request(request) == key
    response = Headers()
    build_response(response, key)
    check_response(response, key)


def test_the_example_of_the_rfc() -> None:
    response = Headers()
    build_response(response, "dGhlIHNhbXBsZSBub25jZQ==")
    assert response["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("name", ["Upgrade", "Connection", "Sec-WebSocket-Key"])
def test_incomplete_requests(name: str) -> None:
    request = Headers()
    build_request(request)
    del request[name]
    with pytest.raises(InvalidHandshake):
        check_request(request)


@pytest.mark.parametrize("name", ["Upgrade", "Connection", "Sec-WebSocket-Accept"])
def test_incomplete_responses(name: str) -> None:
    response = Headers()
    build_response(response, "dGhlIHNhbXBsZSBub25jZQ==")
    del response[name]
    with pytest.raises(InvalidHandshake):
        check_response(response, "dGhlIHNhbXBsZSBub25jZQ==")


def test_a_response_to_another_request() -> None:
    response = Headers()
    build_response(response, "dGhlIHNhbXBsZSBub25jZQ==")
    with pytest.raises(InvalidHeaderValue):
        check_response(response, "AAAAAAAAAAAAAAAAAAAAAA==")
