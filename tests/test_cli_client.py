"""``websockets URI``: lines go out, messages come in."""

from __future__ import annotations

import asyncio
import math
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from cli_support import Input, Tty, echo, parse, read_until, serving
from faces.support import CERTIFICATES, server_tls
from websockets.asyncio.server import ServerConnection
from websockets.cli import client, console
from websockets.cli.failures import CommandError


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Input]:
    """Give a standard input to fill."""
    given = Input(monkeypatch)
    yield given
    given.close()


async def talk(uri: str, *arguments: object) -> int:
    return await client.run(parse(client, uri, *arguments))


class TestPipes:
    async def test_lines_and_messages(
        self, stdin: Input, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stdin.give("hello\n\nwörld".encode())
        async with serving() as (_, uri):
            assert await talk(uri, "--count", 3, "--wait", "inf") == 0
        assert capsys.readouterr() == ("hello\n\nwörld\n", "")

    async def test_binary(
        self, stdin: Input, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stdin.give(b"00 FF\n\n")
        async with serving() as (_, uri):
            assert await talk(uri, "--hex", "--count", 2, "--wait", "inf") == 0
        assert capsys.readouterr() == ("00ff\n\n", "")

    @pytest.mark.parametrize(
        "arguments, line, error",
        [
            (["--hex"], b"zz", "Not sent: line 2: non-hex"),
            ([], b"\xff", "Not sent: line 2: 'utf-8' codec can't decode byte 0xff"),
        ],
    )
    async def test_line_that_cannot_be_sent(
        self,
        stdin: Input,
        arguments: list[str],
        line: bytes,
        error: str,
    ) -> None:
        stdin.give(b"00\n" + line + b"\n", end=False)
        async with serving() as (_, uri):
            with pytest.raises(CommandError, match=error) as raised:
                await talk(uri, *arguments)
        assert raised.value.status == 1

    async def test_no_input(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async def handler(connection: ServerConnection) -> None:
            await connection.send('{"a": 1}')
            await connection.send(b"bye")

        monkeypatch.setattr(sys, "stdin", None)
        async with serving(handler) as (_, uri):
            assert await talk(uri, "--wait", "inf", "--json") == 0
        assert capsys.readouterr() == ('{\n  "a": 1\n}\n627965\n', "")

    @pytest.mark.parametrize("wait", ["0", "0.01"])
    async def test_nothing_comes(self, stdin: Input, wait: str) -> None:
        stdin.give(b"")
        async with serving() as (_, uri):
            assert await talk(uri, "--wait", wait) == 0

    def test_waiting_begins_anew_with_each_message(self) -> None:
        given = [10.0, 11.0, 30.0]
        left = [client.left_to_wait(30.0, 10.0, at, 5.0) for at in given]
        assert left == [-15.0, -14.0, 5.0]
        assert client.left_to_wait(30.0, 10.0, -math.inf, math.inf) == math.inf

    async def test_server_ends_while_there_is_input(
        self, stdin: Input, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async def handler(connection: ServerConnection) -> None:
            await connection.recv()
            await connection.close(1011, "out\nof order")

        stdin.give(b"hello\n", end=False)
        async with serving(handler) as (_, uri):
            assert await talk(uri) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err == (
            "Connection closed: 1011 (internal error) out\\nof order.\n"
            "That means: the server failed; its log may say why.\n"
        )

    async def test_connection_is_lost(
        self, stdin: Input, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async def handler(connection: ServerConnection) -> None:
            connection.transport.abort()

        stdin.give(b"", end=False)
        async with serving(handler) as (_, uri):
            assert await talk(uri) == 1
        assert (
            "1006 (abnormal closure [internal]).\nThat means: the connection was"
            in (capsys.readouterr().err)
        )

    async def test_end_that_is_our_doing(
        self, stdin: Input, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async def handler(connection: ServerConnection) -> None:
            await connection.send("too large")
            await connection.wait_closed()

        stdin.give(b"", end=False)
        async with serving(handler) as (_, uri):
            assert await talk(uri, "--max-size", 5) == 1
        err = capsys.readouterr().err
        assert "sent 1009 (message too big)" in err and "see --max-size" in err

    async def test_interrupted(self, stdin: Input) -> None:
        codes = asyncio.Queue[Any]()

        async def handler(connection: ServerConnection) -> None:
            task.cancel()
            await connection.wait_closed()
            codes.put_nowait(connection.close_code)

        stdin.give(b"", end=False)
        async with serving(handler) as (_, uri):
            task = asyncio.ensure_future(talk(uri))
            # Cancelled when the connection is open, or a moment before that.
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await codes.get() in (1000, 1005, 1006)


class TestTerminals:
    async def test_output(
        self,
        monkeypatch: pytest.MonkeyPatch,
        stdin: Input,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        shown = Tty()
        monkeypatch.setattr(sys, "stdout", shown)
        monkeypatch.setattr(sys, "stdin", Tty())
        # A terminal without what controls it, as on Windows.
        monkeypatch.setattr(console.importlib.util, "find_spec", lambda name: None)
        stdin.give(b"hello\n")
        async with serving(echo, subprotocols=["chat"]) as (_, uri):
            user = uri.replace("//", "//me:secret@")
            options = ["--color", "never", "--subprotocol", "chat", "--count", 1]
            assert await talk(user, *options, "--wait", "inf", "--timestamps") == 0
        lines = shown.getvalue().splitlines()
        assert lines[0] == f"Connected to {uri.replace('//', '//me:***@')}."
        assert lines[1] == "Subprotocol: chat."
        assert re.fullmatch(r"\[..:..:..\....\] < hello", lines[2])
        assert lines[3:] == ["Connection closed: 1000 (OK)."]
        assert capsys.readouterr().err == ""

    async def test_headers(
        self, stdin: Input, capsys: pytest.CaptureFixture[str]
    ) -> None:
        stdin.give(b"")
        async with serving(origins=["https://example.org"]) as (_, uri):
            await talk(
                uri,
                *["--headers", "--wait", 0, "--origin", "https://example.org"],
                *["-H", "Authorization: Bearer secret", "--header", "X-Mine:1"],
            )
        err = capsys.readouterr().err
        assert "> Authorization: Bearer ***\n> X-Mine: 1\n" in err
        assert "< Upgrade: websocket\n" in err
        assert "Origin: https://example.org\n" in err

    @pytest.mark.skipif(sys.platform == "win32", reason="no such terminals there")
    async def test_person(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        import pty

        monkeypatch.setenv("WEBSOCKETS_HISTORY", "")
        ours, theirs = pty.openpty()
        with open(theirs) as stdin, open(os.dup(theirs), "w") as stdout:
            monkeypatch.setattr(sys, "stdin", stdin)
            monkeypatch.setattr(sys, "stdout", stdout)
            async with serving() as (_, uri):
                talking = asyncio.ensure_future(talk(uri, "--hex", "--color", "never"))
                shown = await asyncio.to_thread(read_until, ours, b"Connected")
                os.write(ours, b"zz\n00ff\n\x04")
                shown += await asyncio.to_thread(
                    read_until, ours, b"closed: 1000 (OK)."
                )
                assert await talking == 0
        os.close(ours)
        text = shown.decode()
        assert f"Connected to {uri}." in text
        assert "> zz\r\n" in text and "Not sent: line 1: non-hex" in text
        assert "> 00ff\r\n" in text


class TestConnecting:
    async def test_debug(
        self,
        monkeypatch: pytest.MonkeyPatch,
        stdin: Input,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        configured = []
        monkeypatch.setattr(
            client.logging,
            "basicConfig",
            lambda **settings: configured.append(settings),
        )
        stdin.give(b"")
        async with serving() as (_, uri):
            await talk(uri, "--debug", "--wait", 0)
        assert configured[0]["level"] == 10

    async def test_tls(self, stdin: Input, capsys: pytest.CaptureFixture[str]) -> None:
        async with serving(ssl=server_tls()) as (_, uri):
            uri = uri.replace("127.0.0.1", "localhost")
            with pytest.raises(CommandError, match="isn't trusted.*--insecure any"):
                await talk(uri)
            for arguments in ["--insecure"], ["--cacert", CERTIFICATES / "ca.pem"]:
                stdin.give(b"")
                assert await talk(uri, *arguments, "--wait", 0) == 0
            with pytest.raises(CommandError, match="--cacert: nowhere") as raised:
                await talk(uri, "--cacert", "nowhere")
            assert raised.value.status == 2

    @pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets there")
    async def test_unix(self, stdin: Input, tmp_path: Any) -> None:
        from websockets.asyncio.server import unix_serve

        stdin.give(b"")
        path = tmp_path / "socket"
        async with unix_serve(echo, str(path)):
            assert await talk("ws://localhost/", "--unix", path, "--wait", 0) == 0

    async def test_refused(self) -> None:
        async with serving(origins=[]) as (_, uri):
            hidden = uri.replace("//", "//me:secret@")
            with pytest.raises(CommandError) as raised:
                await talk(hidden, "--proxy", "none", "--compression", "none")
        assert str(raised.value).startswith(
            f"Failed to connect to {uri.replace('//', '//me:***@')}: the server "
            "answered HTTP 403 Forbidden: "
        )
        assert raised.value.status == 1
