"""``websockets serve``: a server that is ready at once."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import pathlib
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from cli_support import parse
from faces.support import CERTIFICATES, client_tls
from websockets.asyncio.client import connect, unix_connect
from websockets.cli import serve
from websockets.cli.failures import CommandError

CERTIFICATE = CERTIFICATES / "server.pem"

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def logging_settings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Leave logging alone, and tell how it would have been set up."""
    settings: list[Any] = []
    monkeypatch.setattr(
        serve.logging, "basicConfig", lambda **given: settings.append(given)
    )
    return settings


@pytest.fixture
def module(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> Iterator[pathlib.Path]:
    """Have the current directory be one with a module that has handlers."""
    path = tmp_path / "handlers_for_test.py"
    path.write_text(
        "async def reverse(websocket):\n"
        "    async for message in websocket:\n"
        "        await websocket.send(message[::-1])\n"
        "class Handlers:\n"
        "    async def shout(websocket, path):\n"
        "        await websocket.send(path.upper())\n"
        "number = 1\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield path
    sys.modules.pop("handlers_for_test", None)


@contextlib.asynccontextmanager
async def running(capsys: Captured, *arguments: object) -> AsyncIterator[list[str]]:
    """Run the command; give the lines that it prints when it's ready."""
    options = parse(serve, "--port", 0, *arguments)
    task = asyncio.ensure_future(serve.run(options))
    printed = ""
    while not printed:
        await asyncio.sleep(0)
        assert not task.done(), task.result()
        printed = capsys.readouterr().out
    try:
        yield printed.splitlines()
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def uri_in(line: str) -> str:
    return line.rpartition(" ")[2]


class TestBuiltIn:
    @pytest.mark.parametrize("arguments", [[], ["--echo"]])
    async def test_echo(self, capsys: Captured, arguments: list[str]) -> None:
        async with running(capsys, *arguments) as lines:
            assert lines[0].startswith("Serving echo on ws://localhost:")
            async with connect(uri_in(lines[0])) as websocket:
                await websocket.send(b"hello")
                assert await websocket.recv() == b"hello"

    async def test_broadcast(self, capsys: Captured) -> None:
        async with running(capsys, "--broadcast", "--host", "") as lines:
            assert lines[0].startswith("Serving broadcast on ws://localhost:")
            uri = uri_in(lines[0])
            async with connect(uri) as one, connect(uri) as other:
                await other.send("hello")
                assert await one.recv() == await other.recv() == "hello"

    async def test_closing(self, capsys: Captured) -> None:
        async with running(capsys, "--host", "127.0.0.1") as lines:
            websocket = await connect(uri_in(lines[0]))
        await websocket.wait_closed()
        assert websocket.close_code == 1001

    async def test_page(self, capsys: Captured) -> None:
        async with running(capsys) as lines:
            uri = uri_in(lines[1])
            assert lines[1] == f"To try it in a browser: {uri}"
            address = uri.removeprefix("http://").strip("/")
            connection = http.client.HTTPConnection(address, timeout=10)
            with contextlib.closing(connection):
                await asyncio.to_thread(connection.request, "GET", "/")
                response = await asyncio.to_thread(connection.getresponse)
                page = await asyncio.to_thread(response.read)
        assert response.status == 200
        assert response.headers.get_all("Content-Type") == ["text/html; charset=utf-8"]
        assert page.startswith(b"<!DOCTYPE html>") and b"new WebSocket(" in page

    async def test_settings(
        self, capsys: Captured, logging_settings: list[Any]
    ) -> None:
        options = ["--compression", "none", "--max-size", 5, "--debug"]
        async with running(capsys, *options) as lines:
            async with connect(uri_in(lines[0])) as websocket:
                assert websocket.protocol.extensions == []
                await websocket.send("too large")
                await websocket.wait_closed()
                assert websocket.close_code == 1009
        assert logging_settings[0]["level"] == 10


class TestListening:
    async def test_tls(self, capsys: Captured) -> None:
        async with running(capsys, "--tls-cert", CERTIFICATE) as lines:
            assert lines[0].startswith("Serving echo on wss://localhost:")
            assert uri_in(lines[1]).startswith("https://localhost:")
            async with connect(uri_in(lines[0]), ssl=client_tls()) as websocket:
                await websocket.send("hello")
                assert await websocket.recv() == "hello"

    @pytest.mark.parametrize(
        "arguments, error",
        [
            (["--tls-key", CERTIFICATE], "--tls-key needs --tls-cert"),
            (["--tls-cert", "no.pem", "--tls-key", "no.key"], "no.pem no.key can't be"),
            (["--tls-cert", __file__], "can't be used: it doesn't have"),
        ],
    )
    async def test_bad_certificate(self, arguments: list[Any], error: str) -> None:
        with pytest.raises(CommandError, match=error) as raised:
            await serve.run(parse(serve, *arguments))
        assert raised.value.status == 2

    @pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets there")
    async def test_unix(self, capsys: Captured, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "socket"
        async with running(capsys, "--unix", path) as lines:
            assert lines == [f"Serving echo on the Unix socket {path}"]
            async with unix_connect(str(path)) as websocket:
                await websocket.send("hello")
                assert await websocket.recv() == "hello"
        assert not path.exists()

    async def test_port_is_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            port = sock.getsockname()[1]
            options = parse(serve, "--host", "127.0.0.1", "--port", port)
            with pytest.raises(CommandError, match="Failed to listen on") as raised:
                await serve.run(options)
        assert f"127.0.0.1 port {port}: " in str(raised.value)
        assert raised.value.status == 1

    def test_address_of_six_groups(self) -> None:
        class Server:
            sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM)]

        with Server.sockets[0] as sock:
            sock.bind(("127.0.0.1", 0))
            options = parse(serve, "--host", "::1")
            [first, _] = serve._addresses(options, Server())
        assert first.startswith("Serving echo on ws://[::1]:")

    @pytest.mark.parametrize("port", ["65536", "-1", "x", "²"])
    def test_bad_port(self, capsys: Captured, port: str) -> None:
        with pytest.raises(SystemExit) as raised:
            parse(serve, "--port", port)
        assert raised.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


class TestHandlers:
    async def test_handler(self, capsys: Captured, module: pathlib.Path) -> None:
        async with running(capsys, "handlers_for_test:reverse") as lines:
            [line] = lines
            assert line.startswith("Serving handlers_for_test:reverse on ws://")
            async with connect(uri_in(line)) as websocket:
                await websocket.send("hello")
                assert await websocket.recv() == "olleh"

    async def test_handler_of_old(self, capsys: Captured, module: pathlib.Path) -> None:
        sys.path.insert(0, "")
        async with running(capsys, "handlers_for_test:Handlers.shout") as lines:
            async with connect(uri_in(lines[0]) + "path") as websocket:
                assert await websocket.recv() == "/PATH"

    @pytest.mark.parametrize(
        "name, error",
        [
            ("nowhere:handler", "can't be imported: No module named 'nowhere'"),
            ("handlers_for_test:no", "has no attribute 'no'"),
            ("handlers_for_test", "isn't MODULE:HANDLER"),
            (":handler", "isn't MODULE:HANDLER"),
            ("handlers_for_test:number", "handlers_for_test:number isn't a function"),
        ],
    )
    async def test_no_handler(
        self, module: pathlib.Path, name: str, error: str
    ) -> None:
        with pytest.raises(CommandError, match=error) as raised:
            await serve.run(parse(serve, name))
        assert raised.value.status == 2

    def test_one_of_them(self, capsys: Captured) -> None:
        for both in ["a:b", "--echo"], ["--broadcast", "--echo"]:
            with pytest.raises(SystemExit):
                parse(serve, *both)
            assert "not allowed with" in capsys.readouterr().err
