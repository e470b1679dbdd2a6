"""Secrets are neither in logs nor in what errors say of themselves."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Awaitable, Callable

import pytest

from faces.support import (
    REQUEST,
    Face,
    Logs,
    Raw,
    echo,
    masked,
    port_of,
    raw_client,
    raw_server,
    uri_of,
)
from proxies import HTTPProxy, running
from websockets.classic.exceptions import (
    AbortHandshake,
    InvalidStatusCode,
    RedirectHandshake,
)
from websockets.datastructures import Headers
from websockets.exceptions import InvalidProxy, InvalidURI
from websockets.headers import build_authorization_basic

pytestmark = pytest.mark.usefixtures("clean_loop")

SECRET = "open-sesame"
BASIC = build_authorization_basic("ali", SECRET)
#: What must not be seen.
TRACES = (SECRET, base64.b64encode(SECRET.encode()).decode()[:8], BASIC[6:])

HEADERS = [
    ("Authorization", f"Bearer {SECRET}"),
    ("Proxy-Authorization", SECRET),
    ("Cookie", f"a={SECRET}; b={SECRET}"),
    ("Cookie", SECRET),
]
ANSWER = [("Set-Cookie", f"id={SECRET}; Path=/{SECRET}"), ("Set-Cookie", SECRET)]


def check(*texts: str) -> None:
    """Check that no secret is in these."""
    for text in texts:
        for trace in TRACES:
            assert trace.lower() not in text.lower()


def check_logs(logs: Logs) -> None:
    """Check everything that was logged, tracebacks included."""
    assert logs.records
    check(*logs.texts())
    for record in logs.records:
        if record.exc_info and record.exc_info[1]:
            check_error(record.exc_info[1])


def check_error(error: BaseException | None) -> None:
    """Check what an error and its causes say."""
    while error is not None:
        check(str(error), repr(error))
        check("".join(traceback.format_exception_only(error)))
        error = error.__cause__ or error.__context__


async def test_headers_and_user_info(face: Face, logs: Logs) -> None:
    async with face.serve(echo, "localhost", 0, extra_headers=ANSWER) as server:
        uri = f"ws://ali:{SECRET}@localhost:{port_of(server)}/"
        async with face.connect(uri, extra_headers=HEADERS[1:]) as client:
            await client.send("a")
            await client.recv()
            check(repr(client), str(client))
            for connection in server.websockets:
                check(repr(connection))
                assert connection.request_headers["Authorization"] == BASIC
    check_logs(logs)
    # They were there, and something was logged of them.
    assert any("Authorization: Basic ***" in text for text in logs.texts())
    assert any("Set-Cookie: id=***" in text for text in logs.texts())


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {SECRET}\0",
        f"Cookie: id={SECRET}\x7f\0",
        f"Authorization : {SECRET}",
        f"Proxy-Authorization:{SECRET}\r",
    ],
)
async def test_requests_that_are_refused(face: Face, logs: Logs, line: str) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + line.encode() + b"\r\n\r\n")
            await raw.read_all()
    check_logs(logs)


async def test_requests_without_an_end(face: Face, logs: Logs) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + f"Cookie: {SECRET}\r\n".encode())
            raw.writer.write_eof()
            await raw.read_all()
    check_logs(logs)


async def refuse(raw: Raw) -> None:
    """Answer with something that has a secret in it."""
    await raw.read_head()
    raw.write(
        f"HTTP/1.1 401 Unauthorized\r\nSet-Cookie: id={SECRET}\r\n"
        "Content-Length: 0\r\n\r\n".encode()
    )


async def break_off(raw: Raw) -> None:
    """Answer with something that isn't a response."""
    await raw.read_head()
    raw.write(f"HTTP/1.1 200 OK\r\nSet-Cookie: id={SECRET}\0\r\n\r\n".encode())


@pytest.mark.parametrize("script", [refuse, break_off])
async def test_responses_that_refuse(
    face: Face, logs: Logs, script: Callable[[Raw], Awaitable[None]]
) -> None:
    async with raw_server(script) as uri:
        uri = uri.replace("//", f"//ali:{SECRET}@")
        with pytest.raises(Exception) as caught:
            await face.connect(uri, extra_headers=HEADERS[1:])
    check_error(caught.value)
    check_logs(logs)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        f"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\n"
        f"Set-Cookie: {SECRET}\r\nContent-Length: 0\r\n\r\n".encode(),
        b"nonsense\r\n\r\n",
        b"",
    ],
    ids=["accepts", "refuses", "nonsense", "nothing"],
)
async def test_proxies(face: Face, logs: Logs, answer: bytes | None) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with running(HTTPProxy(answer)) as proxy:
            connecting = face.connect(
                uri_of(server), proxy=f"http://ali:{SECRET}@localhost:{proxy.port}"
            )
            if answer is None:
                async with connecting as client:
                    check(repr(client))
            else:
                with pytest.raises(Exception) as caught:
                    await connecting
                check_error(caught.value)
    check_logs(logs)


async def test_a_proxy_that_is_not_there(face: Face, logs: Logs) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        port = port_of(server)
    with pytest.raises(Exception) as caught:
        await face.connect(
            "ws://localhost/", proxy=f"http://ali:{SECRET}@localhost:{port}"
        )
    check_error(caught.value)
    check(*logs.texts())


@pytest.mark.parametrize(
    "uri",
    [
        f"http://ali:{SECRET}@localhost/",
        f"ws://ali:{SECRET}@localhost:0/",
        f"ws://ali:{SECRET}@localhost/#fragment",
        f"ws://ali:{SECRET}@local host/",
        f"ws://ali:{SECRET}@/",
        f"ws://ali:{SECRET}@[::1/",
        f"ws://ali:{SECRET}\n@localhost/",
    ],
)
async def test_wrong_addresses(face: Face, uri: str) -> None:
    with pytest.raises(InvalidURI) as caught:
        await face.connect(uri)
    check_error(caught.value)
    proxy = uri.replace("ws:", "http:", 1)
    with pytest.raises(InvalidProxy) as refused:
        await face.connect("ws://localhost/", proxy=proxy + "path")
    check_error(refused.value)


def test_errors_of_the_classic_api() -> None:
    headers = Headers(ANSWER)
    check_error(InvalidStatusCode(401, headers))
    check_error(AbortHandshake(200, headers, b"OK"))
    check_error(RedirectHandshake(f"ws://ali:{SECRET}@localhost/"))


@pytest.mark.parametrize("name", [name for name, _ in HEADERS[:3]])
async def test_wrong_headers(face: Face, name: str) -> None:
    with pytest.raises(ValueError, match=f"invalid {name} header") as caught:
        await face.connect("ws://localhost:1/", extra_headers={name: f"{SECRET}\n"})
    check_error(caught.value)


async def test_credentials_of_clients(face: Face, logs: Logs) -> None:
    """A secret that is sent in the clear, in frames, is the application's."""
    async with face.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + f"Authorization: {BASIC}\r\n\r\n".encode())
            await raw.read_head()
            raw.write(masked((8, b"")))
            await raw.read_all()
    check_logs(logs)
