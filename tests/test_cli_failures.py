"""What goes wrong is told in one line that helps."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl

import pytest

from peers import hold_ports
from websockets.asyncio.client import connect
from websockets.cli.failures import CommandError, one_line, why
from websockets.datastructures import Headers
from websockets.exceptions import InvalidMessage, InvalidProxyStatus, InvalidStatus
from websockets.http11 import Response

REFUSED = os.strerror(errno.ECONNREFUSED)
UNREACHABLE = os.strerror(errno.ENETUNREACH)


def answer(status: int, phrase: str, body: bytes) -> InvalidStatus:
    return InvalidStatus(Response(status, phrase, Headers(), body))


def caused(exc: Exception, cause: Exception) -> Exception:
    exc.__cause__ = cause
    return exc


def expired() -> ssl.SSLCertVerificationError:
    exc = ssl.SSLCertVerificationError(1, "certificate verify failed")
    exc.verify_message = "certificate has expired"
    return exc


@pytest.mark.parametrize(
    "exc, text",
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), REFUSED),
        (
            OSError(
                f"Multiple exceptions: [Errno {errno.ECONNREFUSED}] Connect call "
                f"failed ('::1', 1), [Errno {errno.ENETUNREACH}] Connect call failed, "
                f"[Errno {errno.ECONNREFUSED}] Connect call failed"
            ),
            f"{REFUSED}; {UNREACHABLE}",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "some.pem"),
            f"{os.strerror(errno.ENOENT)}: some.pem",
        ),
        (OSError("no addresses"), "no addresses"),
        (ConnectionResetError(), "the connection was lost during the handshake"),
        (TimeoutError(), "there was no answer in time; --timeout sets for how long"),
        (TimeoutError(errno.ETIMEDOUT, "x"), os.strerror(errno.ETIMEDOUT)),
        (
            socket.gaierror(-2, "Name or service not known"),
            "the host isn't known: Name or service not known",
        ),
        (expired(), "certificate isn't trusted: certificate has expired (--cacert"),
        (ssl.SSLError(1, "[SSL] other"), "TLS failed: [ssl] other"),
        (answer(404, "Not Found", b""), "the server answered HTTP 404 Not Found"),
        (
            answer(401, "Unauthorized", b"Missing\r\ncredentials\n"),
            "the server answered HTTP 401 Unauthorized: Missing credentials",
        ),
        (answer(502, "Bad Gateway", b" <html>"), "HTTP 502 Bad Gateway"),
        (answer(500, "Oops", b"x\x1b\xff" * 999), r"x\x1b" + "\ufffd"),
        (
            caused(InvalidMessage("no response"), EOFError("stream ends")),
            "the server doesn't speak HTTP: no response: stream ends",
        ),
        (caused(ValueError("same"), ValueError("same")), "same"),
        (
            InvalidProxyStatus(Response(407, "Proxy", Headers())),
            "proxy rejected connection: HTTP 407",
        ),
        (EOFError(), "EOFError"),
    ],
)
def test_why(exc: Exception, text: str) -> None:
    told = why(exc)
    assert text in told
    assert "\n" not in told and "\x1b" not in told
    assert len(told) < 1000


def test_one_line() -> None:
    assert one_line(" a\r\n b\x1b[m\t") == r"a b\x1b[m"


def test_statuses() -> None:
    assert (CommandError("x").status, CommandError("x", 2).status) == (1, 2)


async def test_what_event_loops_say_about_refused_connections() -> None:
    with hold_ports(1) as [port], pytest.raises(OSError) as raised:
        await connect(f"ws://127.0.0.1:{port}/")
    assert why(raised.value) == REFUSED


async def test_what_ssl_says_about_ports_without_tls() -> None:
    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ssl.SSLError) as raised:
            await connect(f"wss://127.0.0.1:{port}/")
    assert why(raised.value) == (
        "TLS failed: wrong version number (the port may be one for ws://)"
    )
