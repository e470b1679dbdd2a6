"""Basic authentication for classic servers."""

from __future__ import annotations

import functools
from typing import Any

import pytest

import websockets
from faces.support import echo, port_of, raw_client, uri_of
from websockets.auth import (
    BasicAuthWebSocketServerProtocol,
    basic_auth_protocol_factory,
)
from websockets.classic.exceptions import InvalidStatusCode
from websockets.headers import build_authorization_basic

pytestmark = pytest.mark.usefixtures("clean_loop")


async def login(server: Any, username: str, password: str) -> Any:
    """Connect with a user name and a password; return the server's end."""
    uri = f"ws://{username}:{password}@localhost:{port_of(server)}/"
    async with websockets.connect(uri):
        (connection,) = server.websockets
        return connection


async def check(username: str, password: str) -> bool:
    return username == "hello" and password == "iloveyou"


class Checking(BasicAuthWebSocketServerProtocol):
    realm = "class realm"

    async def check_credentials(self, username: str, password: str) -> bool:
        return await check(username, password)


FACTORIES: list[Any] = [
    basic_auth_protocol_factory(realm="r", credentials=("hello", "iloveyou")),
    basic_auth_protocol_factory(
        realm="r", credentials=[("other", "x"), ("hello", "iloveyou")]
    ),
    basic_auth_protocol_factory(realm="r", credentials=iter([("hello", "iloveyou")])),
    basic_auth_protocol_factory(realm="r", check_credentials=check),
    basic_auth_protocol_factory(
        realm="r", check_credentials=lambda u, p: (u, p) == ("hello", "iloveyou")
    ),
    functools.partial(Checking, realm="r"),
]


@pytest.mark.parametrize("factory", FACTORIES)
async def test_credentials(factory: Any) -> None:
    async with websockets.serve(
        echo, "localhost", 0, create_protocol=factory
    ) as server:
        connection = await login(server, "hello", "iloveyou")
        assert connection.username == "hello"
        assert connection.realm == "r"
        for username, password in [("hello", "wrong"), ("wrong", "iloveyou"), ("", "")]:
            with pytest.raises(InvalidStatusCode) as caught:
                await login(server, username or "x", password or "x")
            assert caught.value.status_code == 401
            challenge = caught.value.headers["WWW-Authenticate"]
            assert challenge == 'Basic realm="r", charset="UTF-8"'
            assert caught.value.response.body == b"Invalid credentials\n"


@pytest.mark.parametrize(
    "header, body",
    [
        (None, b"Missing credentials\n"),
        ("Digest x", b"Unsupported credentials\n"),
        ("Basic !", b"Unsupported credentials\n"),
        (build_authorization_basic("hello", "no"), b"Invalid credentials\n"),
    ],
)
async def test_refusals(header: str | None, body: bytes) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with websockets.serve(
        echo, "localhost", 0, create_protocol=Checking
    ) as server:
        with pytest.raises(InvalidStatusCode) as caught:
            await websockets.connect(uri_of(server), extra_headers=headers)
    assert caught.value.status_code == 401
    assert caught.value.response.body == body
    assert "class realm" in caught.value.headers["WWW-Authenticate"]


async def test_nothing_is_right_unless_someone_says_so() -> None:
    async with websockets.serve(
        echo, "localhost", 0, create_protocol=BasicAuthWebSocketServerProtocol
    ) as server:
        with pytest.raises(InvalidStatusCode, match="401"):
            await login(server, "a", "b")


async def test_two_authorization_headers() -> None:
    async with (
        websockets.serve(echo, "localhost", 0, create_protocol=Checking) as server,
        raw_client(server) as raw,
    ):
        line = b"Authorization: Basic aGVsbG86aWxvdmV5b3U=\r\n"
        status, _ = await raw.handshake(line * 2)
        assert " 401 " in status


async def test_other_hooks_come_after_it() -> None:
    """process_request as an argument is asked when the credentials are right."""
    asked = []

    def process_request(path: str, headers: Any) -> Any:
        asked.append(path)
        return 418, {}, b""

    class Protocol(Checking):
        pass

    async with websockets.serve(
        echo, "localhost", 0,
        create_protocol=basic_auth_protocol_factory(
            credentials=("hello", "iloveyou"), create_protocol=Protocol
        ),
        process_request=process_request,
    ) as server:  # fmt: skip
        with pytest.raises(InvalidStatusCode, match="401"):
            await websockets.connect(uri_of(server))
        assert not asked
        with pytest.raises(InvalidStatusCode, match="418"):
            await login(server, "hello", "iloveyou")
        assert asked == ["/"]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"credentials": ("a", "b"), "check_credentials": check},
        {"credentials": "ab"},
        {"credentials": ("a", 1)},
        {"credentials": ("a", "b", "c")},
        {"credentials": [("a", "b"), "cd"]},
        {"credentials": 42},
    ],
)
def test_wrong_arguments(arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError) as caught:
        basic_auth_protocol_factory(realm="r", **arguments)
    # A password in the wrong place isn't shown.
    assert "cd" not in str(caught.value)
