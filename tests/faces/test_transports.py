"""TLS, Unix sockets, sockets made beforehand."""

from __future__ import annotations

import pathlib
import socket
import ssl
import tempfile
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from faces.support import (
    Face,
    client_tls,
    echo,
    port_of,
    raw_client,
    server_tls,
    until,
    uri_of,
)


@pytest.fixture
def path() -> Iterator[str]:
    """Give the path of a Unix socket; pytest's own are too long for some systems."""
    with tempfile.TemporaryDirectory() as folder:
        yield str(pathlib.Path(folder) / "socket")


async def exchange(client: Any) -> None:
    """Exchange messages, small ones and large ones."""
    for message in ("hello", b"x" * 300_000, "bye"):
        await client.send(message)
        assert await client.recv() == message


async def test_tls(face: Face) -> None:
    async with face.serve(echo, "localhost", 0, ssl=server_tls()) as server:
        uri = uri_of(server, scheme="wss")
        async with face.connect(uri, ssl=client_tls()) as client:
            assert client.secure
            assert client.transport.get_extra_info("ssl_object") is not None
            assert client.request_headers["Host"] == f"localhost:{port_of(server)}"
            (connection,) = server.websockets
            assert connection.secure
            await exchange(client)
        assert client.close_code == 1000


async def test_tls_with_an_unknown_authority(face: Face, clean_loop: list[Any]) -> None:
    async with face.serve(echo, "localhost", 0, ssl=server_tls()) as server:
        for options in ({}, {"ssl": True}, {"ssl": ssl.create_default_context()}):
            with pytest.raises(ssl.SSLCertVerificationError):
                await face.connect(uri_of(server, scheme="wss"), **options)
    clean_loop.clear()


async def test_default_tls(face: Face) -> None:
    """A context is made once for all connections that bring none."""
    context = client_tls()
    target = "websockets.asyncio.dialing.default_tls_context"
    with mock.patch(target, return_value=context):
        async with face.serve(echo, "localhost", 0, ssl=server_tls()) as server:
            for options in ({}, {"ssl": True}, {"ssl": None}):
                uri = uri_of(server, scheme="wss")
                async with face.connect(uri, **options) as client:
                    await exchange(client)


def test_the_default_tls_context_is_one() -> None:
    from websockets.asyncio.dialing import default_tls_context

    assert default_tls_context() is default_tls_context()
    assert default_tls_context().verify_mode is ssl.CERT_REQUIRED


async def test_tls_without_verification(face: Face) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with face.serve(echo, "localhost", 0, ssl=server_tls()) as server:
        async with face.connect(uri_of(server, scheme="wss"), ssl=context) as client:
            await exchange(client)


async def test_server_name(face: Face, clean_loop: list[Any]) -> None:
    """The name that is asked for and verified may be another than the URI's."""
    names: list[Any] = []
    context = server_tls()
    context.sni_callback = lambda sock, name, context: names.append(name)
    async with face.serve(echo, "localhost", 0, ssl=context) as server:
        uri = uri_of(server, scheme="wss")
        async with face.connect(uri, ssl=client_tls()):
            pass
        async with face.connect(
            f"wss://other.test:{port_of(server)}/", ssl=client_tls(), host="localhost"
        ):
            pass
        async with face.connect(
            uri, ssl=client_tls(), server_hostname="other.test"
        ) as client:
            assert client.request_headers["Host"] == f"localhost:{port_of(server)}"
        with pytest.raises(ssl.SSLCertVerificationError):
            await face.connect(uri, ssl=client_tls(), server_hostname="wrong.test")
    assert names == ["localhost", "other.test", "other.test", "wrong.test"]
    clean_loop.clear()


async def test_client_certificates(face: Face) -> None:
    async with face.serve(echo, "localhost", 0, ssl=server_tls(verify=True)) as server:
        uri = uri_of(server, scheme="wss")
        async with face.connect(uri, ssl=client_tls(certificate=True)) as client:
            (connection,) = server.websockets
            certificate = connection.transport.get_extra_info("peercert")
            assert ("commonName", "websockets test client") in [
                pair for group in certificate["subject"] for pair in group
            ]
            await exchange(client)


async def test_no_tls_where_tls_is_expected(face: Face, clean_loop: list[Any]) -> None:
    async with face.serve(echo, "localhost", 0, ssl=server_tls()) as server:
        async with raw_client(server) as raw:
            raw.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"HTTP" not in await raw.read_all()
        async with face.connect(
            uri_of(server, scheme="wss"), ssl=client_tls()
        ) as client:
            await exchange(client)
    clean_loop.clear()


async def test_tls_where_none_is_expected(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        with pytest.raises((ssl.SSLError, OSError)):
            await face.connect(uri_of(server, scheme="wss"), ssl=client_tls())
        async with face.connect(uri_of(server)) as client:
            await exchange(client)


async def test_unix_socket(face: Face, path: str) -> None:
    async with face.unix_serve(echo, path) as server:
        assert server.sockets[0].getsockname() == path
        async with face.unix_connect(path) as client:
            assert client.request_headers["Host"] == "localhost"
            assert client.remote_address == path
            await exchange(client)
        async with face.unix_connect(path, uri="ws://example.test/p?q") as client:
            assert client.request_headers["Host"] == "example.test"
            assert client.path == "/p?q"


async def test_unix_socket_with_tls(face: Face, path: str) -> None:
    async with face.unix_serve(echo, path, ssl=server_tls()):
        async with face.unix_connect(
            path, uri="wss://localhost/", ssl=client_tls()
        ) as client:
            await exchange(client)


async def test_unix_sockets_made_beforehand(face: Face, path: str) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    async with face.unix_serve(echo, sock=sock):
        mine = socket.socket(socket.AF_UNIX)
        mine.connect(path)
        async with face.unix_connect(sock=mine) as client:
            await exchange(client)


async def test_a_unix_socket_where_nobody_listens(face: Face, path: str) -> None:
    with pytest.raises(OSError):
        await face.unix_connect(path)


async def test_a_socket_made_beforehand(face: Face) -> None:
    async with face.serve(echo, "127.0.0.1", 0) as server:
        sock = socket.create_connection(("127.0.0.1", port_of(server)))
        async with face.connect("ws://elsewhere.test/", sock=sock) as client:
            assert client.request_headers["Host"] == "elsewhere.test"
            await exchange(client)


async def test_a_socket_made_beforehand_with_tls(face: Face) -> None:
    async with face.serve(echo, "127.0.0.1", 0, ssl=server_tls()) as server:
        sock = socket.create_connection(("127.0.0.1", port_of(server)))
        async with face.connect(
            "wss://localhost/", sock=sock, ssl=client_tls(), host="ignored", port=1
        ) as client:
            await exchange(client)


async def test_a_socket_pair(face: Face) -> None:
    """Both ends in one process, without any listening socket."""
    import asyncio

    from faces.support import FakeServer
    from websockets.classic.server import WebSocketServerProtocol

    loop = asyncio.get_running_loop()
    one, other = socket.socketpair()
    server = FakeServer()
    await loop.connect_accepted_socket(
        lambda: WebSocketServerProtocol(echo, server), one
    )
    async with face.connect("ws://localhost/", sock=other) as client:
        await exchange(client)
    await until(lambda: not server.connections)
