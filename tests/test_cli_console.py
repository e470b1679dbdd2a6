"""Standard input and output, and terminals that we control."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import os
import pathlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cli_support import Tty, read_until
from websockets.cli.console import Console, _Reader, can_edit, read_lines
from websockets.cli.messages import Formatter
from websockets.cli.style import Style

PLAIN = Formatter(Style(False))


class Raw:
    """A file without a buffer, that gives what it was made with."""

    def __init__(self, *chunks: bytes | Exception | None) -> None:
        self.chunks = list(chunks)

    def read(self, size: int, /) -> bytes | None:
        chunk = self.chunks.pop(0) if self.chunks else b""
        if isinstance(chunk, Exception):
            raise chunk
        return chunk


class TestLines:
    @pytest.mark.parametrize(
        "chunks, lines",
        [
            ([], []),
            ([b"one\ntwo\n"], [b"one", b"two"]),
            ([b"one\r\ntwo\r\n\n"], [b"one", b"two", b""]),
            ([b"on", b"e", b"\ntw", b"o"], [b"one", b"two"]),
            ([b"one\n", None, b"two\n"], [b"one"]),
            ([b"one\ntwo", OSError()], [b"one", b"two"]),
            ([b"one\r", ValueError("I/O operation on closed file")], [b"one"]),
            ([b"%d\n" % i for i in range(50)], [b"%d" % i for i in range(50)]),
        ],
    )
    async def test_lines(
        self, chunks: list[bytes | Exception | None], lines: list[bytes]
    ) -> None:
        assert [line async for line in read_lines(Raw(*chunks))] == lines

    async def test_reading_ahead_has_a_limit(self) -> None:
        before = set(threading.enumerate())
        raw = Raw(*[b"line\n"] * 1000)
        lines: Any = read_lines(raw)
        assert await anext(lines) == b"line"
        [thread] = set(threading.enumerate()) - before
        await lines.aclose()
        thread.join(10)
        assert not thread.is_alive()
        assert len(raw.chunks) > 900

    def test_event_loop_is_closed(self) -> None:
        loop = asyncio.new_event_loop()
        before = set(threading.enumerate())
        reading, writing = os.pipe()

        async def begin() -> _Reader:
            return _Reader(raw)

        with open(reading, "rb", buffering=0) as raw:
            reader = loop.run_until_complete(begin())
            [thread] = set(threading.enumerate()) - before
            loop.close()
            os.write(writing, b"one")
            thread.join(10)
            assert not thread.is_alive()
            del reader
        os.close(writing)


class TestConsole:
    async def test_no_input(self) -> None:
        with Console(PLAIN, None, io.StringIO(), io.StringIO()) as console:
            assert [line async for line in console.lines()] == []
        assert not console.interactive

    def test_pipes(self) -> None:
        out, err = io.StringIO(), io.StringIO()
        console = Console(PLAIN, None, out, err)
        console.received("hello")
        console.note("bad", "a note")
        assert (out.getvalue(), err.getvalue()) == ("hello\n", "a note\n")
        assert not console.talks

    def test_somebody_reads(self) -> None:
        out, err = Tty(), io.StringIO()
        console = Console(Formatter(Style(True)), None, out, err)
        console.note("bad", "a note")
        assert (out.getvalue(), err.getvalue()) == ("\x1b[31ma note\x1b[m\n", "")
        assert console.talks

    @pytest.mark.parametrize(
        "stdin, stdout, able",
        [
            (Tty(), Tty(), True),
            (io.StringIO(), Tty(), False),
            (Tty(), io.StringIO(), False),
            (None, Tty(), False),
        ],
    )
    def test_can_edit(
        self, monkeypatch: pytest.MonkeyPatch, stdin: Any, stdout: Any, able: bool
    ) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
        assert can_edit(stdin, stdout) is able
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        assert not can_edit(stdin, stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
class TestTerminal:
    @pytest.fixture
    def ends(self) -> Iterator[tuple[int, io.TextIOWrapper, io.TextIOWrapper]]:
        """Give both ends of a terminal; the second one twice."""
        import pty
        import termios

        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 40))
        with open(theirs) as stdin, open(os.dup(theirs), "w") as stdout:
            yield ours, stdin, stdout
        os.close(ours)

    @pytest.fixture(autouse=True)
    def history(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
    ) -> pathlib.Path:
        path = tmp_path / "history"
        monkeypatch.setenv("WEBSOCKETS_HISTORY", str(path))
        return path

    async def test_typing(self, ends: Any, history: pathlib.Path) -> None:
        import termios

        from websockets.cli.terminal import Terminal

        ours, stdin, stdout = ends
        before = termios.tcgetattr(stdin.fileno())
        with Terminal(PLAIN, stdin, stdout) as terminal:
            assert terminal.interactive and terminal.talks
            lines = terminal.lines()
            os.write(ours, "hé".encode()[:2])
            os.write(ours, "hé".encode()[2:] + b"llo\r")
            assert await anext(lines) == "héllo".encode()
            os.write(ours, b"\x1b[31m\x1b[A\rhalf")
            assert await anext(lines) == "héllo".encode()
            terminal.received("a message")
            os.write(ours, b"\x15\x04")
            assert [line async for line in lines] == []
        assert termios.tcgetattr(stdin.fileno()) == before
        assert history.read_text(encoding="utf-8") == "héllo\n"
        shown = read_until(ours, b"> \x1b[3G\r\x1b[K").decode()
        assert shown.count("\r\x1b[K> héllo\r\n") == 2
        assert "\r\x1b[Ka message\r\n\r\x1b[K> " in shown

    @pytest.mark.parametrize("number", ["SIGWINCH", "SIGCONT"])
    async def test_line_is_drawn_anew(self, ends: Any, number: str) -> None:
        import termios

        from websockets.cli.terminal import Terminal

        ours, stdin, stdout = ends
        with Terminal(PLAIN, stdin, stdout) as terminal:
            os.write(ours, b"0123456789\n0123456789")
            assert await anext(terminal.lines()) == b"0123456789"
            while terminal._editor.cursor != 10:
                await asyncio.sleep(0)
            os.read(ours, 4096)
            termios.tcsetwinsize(stdin.fileno(), (24, 8))
            os.kill(os.getpid(), getattr(signal, number))
            await asyncio.to_thread(read_until, ours, b"> 6789\x1b[7G")
            mode = termios.tcgetattr(stdin.fileno())
            assert not mode[3] & (termios.ICANON | termios.ECHO)

    async def test_size_may_be_unknown(self, ends: Any) -> None:
        import termios

        from websockets.cli.terminal import Terminal

        ours, stdin, stdout = ends
        termios.tcsetwinsize(stdin.fileno(), (0, 0))
        with Terminal(PLAIN, stdin, stdout) as terminal:
            os.write(ours, b"x" * 50 + b"\n")
            await anext(terminal.lines())
        read_until(ours, b"> " + b"x" * 50 + b"\r\n")

    @pytest.mark.parametrize("failure", [OSError(5, "Input/output error"), None])
    async def test_terminal_is_gone(
        self, monkeypatch: pytest.MonkeyPatch, ends: Any, failure: Exception | None
    ) -> None:
        from websockets.cli import terminal as module

        def read(descriptor: int, size: int) -> bytes:
            if failure is not None:
                raise failure
            return b""

        ours, stdin, stdout = ends
        with module.Terminal(PLAIN, stdin, stdout) as terminal:
            with monkeypatch.context() as patch:
                patch.setattr(module.os, "read", read)
                os.write(ours, b"x")
                assert [line async for line in terminal.lines()] == []
