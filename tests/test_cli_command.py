"""Which command it is, how it ends, and the whole in processes of its own."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import json
import os
import platform
import re
import runpy
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

import websockets
from cli_support import process, read_until
from websockets.cli import about, arguments, client, command, ping
from websockets.cli.command import main
from websockets.cli.failures import CommandError

Captured = pytest.CaptureFixture[str]

needs_unix = pytest.mark.skipif(sys.platform == "win32", reason="Windows differs")


class Terminal(io.TextIOWrapper):
    """A terminal with an encoding."""

    def isatty(self) -> bool:
        return True


class TestMain:
    def test_commands(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = []

        def make(name: str, status: int) -> Any:
            async def run(options: argparse.Namespace) -> int:
                seen.append((name, options.uri))
                return status

            return run

        monkeypatch.setattr(client, "run", make("connect", 3))
        monkeypatch.setattr(ping, "run", make("ping", 4))
        assert main(["ws://a/"]) == 3
        assert main(["connect", "ws://b/"]) == 3
        assert main(["ping", "ws://c/"]) == 4
        monkeypatch.setattr(sys, "argv", ["websockets", "ping", "ws://d/"])
        assert main() == 4
        assert seen == [
            *[("connect", "ws://a/"), ("connect", "ws://b/")],
            *[("ping", "ws://c/"), ("ping", "ws://d/")],
        ]

    @pytest.mark.parametrize(
        "exc, status, printed",
        [
            (CommandError("it went wrong", 7), 7, "it went wrong\n"),
            (KeyboardInterrupt(), 130, ""),
            (
                OSError(errno.ENOSPC, "full"),
                1,
                f"websockets: {os.strerror(errno.ENOSPC)}\n",
            ),
        ],
    )
    def test_ends(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: Captured,
        exc: BaseException,
        status: int,
        printed: str,
    ) -> None:
        def run(*args: object) -> int:
            raise exc

        monkeypatch.setattr(command, "run", run)
        monkeypatch.setattr(client, "run", lambda options: None)
        assert main(["ws://localhost/"]) == status
        assert capsys.readouterr() == ("", printed)

    def test_nobody_reads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def run(*args: object) -> int:
            sys.stdout.write("what wasn't written yet")
            raise BrokenPipeError

        reading, writing = os.pipe()
        os.close(reading)
        monkeypatch.setattr(command, "run", run)
        monkeypatch.setattr(client, "run", lambda options: None)
        with open(writing, "w") as stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
            assert main(["ws://localhost/"]) == 141

    def test_output_may_be_anything(self, monkeypatch: pytest.MonkeyPatch) -> None:
        shown, piped = Terminal(io.BytesIO(), "ascii"), io.TextIOWrapper(io.BytesIO())
        monkeypatch.setattr(sys, "stdout", shown)
        monkeypatch.setattr(sys, "stderr", piped)
        with pytest.raises(SystemExit):
            main(["--version"])
        assert (shown.encoding, shown.errors) == ("ascii", "backslashreplace")
        assert (piped.encoding, piped.errors) == ("utf-8", "backslashreplace")
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        with pytest.raises(SystemExit):
            main(["--version"])

    def test_refused(self, capsys: Captured) -> None:
        with process("serve", "--port", 0, "--host", "127.0.0.1") as server:
            uri = uri_of(server)
        assert main([uri]) == 1
        assert capsys.readouterr() == (
            "",
            f"Failed to connect to {uri}: {os.strerror(errno.ECONNREFUSED)}.\n",
        )


class TestArguments:
    @pytest.mark.parametrize(
        "wrong, text",
        [
            ([], "websockets: the following arguments are required: URI"),
            (["http://h/"], "http://h/ isn't a valid URI: scheme isn't ws or wss"),
            (["ws://h:x/"], "ws://h:x/ isn't a valid URI"),
            (["ws://h/", "ws://i/"], "unrecognized arguments: ws://i/"),
            (["ws://h/", "--nonsense"], "unrecognized arguments: --nonsense"),
            (["ws://h/", "-H", "X"], "'X' isn't NAME:VALUE"),
            (["ws://h/", "-H", "a b: c"], "invalid header name"),
            (["ws://h/", "-H", "a: b\nc"], "invalid"),
            (["ws://h/", "--subprotocol", "a b"], "invalid subprotocol: 'a b'"),
            (["ws://h/", "--count", "0"], "'0' isn't a whole number from 1 on"),
            (["ws://h/", "--count", "x"], "'x' isn't a whole number from 1 on"),
            (["ws://h/", "--wait", "-1"], "'-1' isn't a number from 0 on"),
            (["ws://h/", "--wait", "soon"], "'soon' isn't a number from 0 on"),
            (["ws://h/", "--ping", "nan"], "'nan' isn't a number from 0 on"),
            (["ws://h/", "--max-size", "1k"], "'1k' isn't a number of bytes"),
            (["ws://h/", "--compression", "x"], "'x' is neither deflate nor none"),
            (["ping", "ws://h/", "--interval", "0"], "'0' isn't a number above 0"),
            (["ping"], "websockets ping: the following arguments are required: URI"),
            (["ws://h/", "--loop", "x"], "argument --loop: invalid choice"),
        ],
    )
    def test_one_line(self, capsys: Captured, wrong: list[str], text: str) -> None:
        with pytest.raises(SystemExit) as raised:
            main(wrong)
        assert raised.value.code == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert text in err
        assert err.count("\n") == 1 and err.endswith("--help)\n")

    def test_values(self) -> None:
        parse = command.make_parser("websockets", client, False).parse_args
        options = parse(
            [
                *["ws://h/", "-H", "A:1", "--header", "b: x:y ", "--ping", "0"],
                *["--timeout", "inf", "--max-size", "0", "--compression", "none"],
                *["--subprotocol", "one", "--subprotocol", "two", "--wait", "inf"],
            ]
        )
        assert options.header == [("A", "1"), ("b", "x:y")]
        assert options.subprotocol == ["one", "two"]
        assert (options.ping, options.timeout, options.max_size) == (None, None, None)
        assert options.compression is None
        assert options.wait == float("inf")
        assert parse(["ws://h/", "--compression", "deflate"]).compression == "deflate"

    @pytest.mark.parametrize("found, loop", [("here", "uvloop"), (None, "asyncio")])
    def test_loop(
        self, monkeypatch: pytest.MonkeyPatch, found: object, loop: str
    ) -> None:
        monkeypatch.setattr(arguments.importlib.util, "find_spec", lambda name: found)
        parse = command.make_parser("websockets", client, False).parse_args
        assert parse(["ws://h/"]).loop == loop

    @pytest.mark.parametrize("name", ["", "connect", "serve", "bench", "ping"])
    def test_help(self, capsys: Captured, name: str) -> None:
        with pytest.raises(SystemExit) as raised:
            main([*filter(None, [name]), "--help"])
        assert raised.value.code == 0
        out = capsys.readouterr().out
        assert "\nexamples:\n  websockets" in out or name == "connect"
        assert ("other commands:" in out) is (name == "")
        assert max(map(len, out.splitlines())) < 100

    @pytest.mark.parametrize("name", ["connect", "serve", "bench", "ping"])
    def test_examples_are_right(self, name: str) -> None:
        module = importlib.import_module(
            f"websockets.cli.{'client' if name == 'connect' else name}"
        )
        for line in module.EXAMPLES.splitlines():
            words = re.findall(r"""'[^']*'|"[^"]*"|\S+""", line.split("websockets ")[1])
            for end in "|", "<", ">":
                if end in words:
                    words = words[: words.index(end)]
            named = words[0] == name
            parser = command.make_parser(name, module, True)
            parser.parse_args([word.strip("\"'") for word in words[named:]])


class TestVersion:
    def test_version(self, capsys: Captured) -> None:
        with pytest.raises(SystemExit) as raised:
            main(["--version"])
        assert raised.value.code == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"websockets {websockets.__version__}"
        about = dict(re.split(": +", line.strip(), maxsplit=1) for line in lines[1:])
        compiled = websockets.speedups_available
        assert about["build"] == ("compiled" if compiled else "plain Python")
        assert platform.python_version() in about["Python"]
        assert about["deflate"] and about["transport"] and about["proxies"]

    def test_without_extras(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(name: str) -> str:
            raise about.importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setenv("WEBSOCKETS_DEFLATE", "zlib")
        monkeypatch.setenv("WEBSOCKETS_TRANSPORT", "asyncio")
        monkeypatch.setattr(about.importlib.metadata, "version", fail)
        text = about.describe()
        assert f"  deflate:    zlib {zlib.ZLIB_RUNTIME_VERSION}\n" in text
        assert "  transport:  asyncio\n" in text
        assert "  event loop: asyncio (uvloop isn't installed)\n" in text
        assert text.endswith("  proxies:    HTTP")

    def test_with_extras(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(about, "backend", lambda: "isal")
        monkeypatch.setattr(about, "transports", lambda: "aiofastnet")
        monkeypatch.setattr(about.importlib.metadata, "version", lambda name: "1.2")
        text = about.describe()
        assert "  deflate:    isal 1.2\n  transport:  aiofastnet 1.2\n" in text
        assert "  event loop: uvloop 1.2\n" in text
        assert text.endswith("HTTP, python-socks 1.2")

    def test_the_extra_fast(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("WEBSOCKETS_DEFLATE", raising=False)
        monkeypatch.delenv("WEBSOCKETS_TRANSPORT", raising=False)
        pytest.importorskip("aiofastnet")
        pytest.importorskip("isal")
        version = about.importlib.metadata.version
        text = about.describe()
        assert f"  deflate:    isal {version('isal')}\n" in text
        assert f"  transport:  aiofastnet {version('aiofastnet')}\n" in text

    def test_wrong_choices(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WEBSOCKETS_DEFLATE", "gzip")
        assert "  deflate:    none: the library for deflate can be" in about.describe()


def uri_of(server: subprocess.Popen[bytes]) -> str:
    """Return the URI that a server in a process prints when it's ready."""
    assert server.stdout is not None
    return server.stdout.readline().split()[-1].decode()


@pytest.fixture
def uri() -> Iterator[str]:
    with process("serve", "--port", 0, "--host", "127.0.0.1") as server:
        yield uri_of(server)


class TestProcesses:
    @needs_unix
    @pytest.mark.parametrize("option", ["--help", "--version"])
    def test_nobody_reads(self, option: str) -> None:
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [sys.executable, "-m", "websockets", option],
            stdout=write,
            stderr=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"},
        )
        os.close(write)
        assert (done.returncode, done.stderr) == (141, b"")

    def test_as_a_module(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", ["websockets", "--version"])
        with pytest.raises(SystemExit) as raised:
            runpy.run_module("websockets", run_name="__main__")
        assert raised.value.code == 0
        runpy.run_module("websockets", run_name="something_else")

    def test_pipe(self, uri: str) -> None:
        with process(uri, "--count", 2, "--wait", "inf") as client:
            out, err = client.communicate("one\nzwölf\n".encode(), timeout=30)
        assert (out.decode(), err) == ("one\nzwölf\n", b"")
        assert client.returncode == 0

    def test_encoding(self, uri: str) -> None:
        environ = {**os.environ, "PYTHONIOENCODING": "latin-1"}
        with process(uri, "--count", 1, env=environ) as client:
            out, err = client.communicate("日本\n".encode(), timeout=30)
        assert (out.decode(), err) == ("日本\n", b"")

    def test_reader_leaves(self, uri: str) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        with process(uri, stdout=writing) as client:
            os.close(writing)
            _, err = client.communicate(b"one\n", timeout=30)
        assert (client.returncode, err) == (141, b"")

    @needs_unix
    @pytest.mark.parametrize(
        "number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
    )
    def test_signal(self, uri: str, number: int, status: int) -> None:
        with process(uri) as client:
            assert client.stdin is not None and client.stdout is not None
            client.stdin.write(b"hello\n")
            client.stdin.flush()
            assert client.stdout.readline() == b"hello\n"
            client.send_signal(number)
            assert client.wait(30) == status
            assert client.stderr is not None and client.stderr.read() == b""

    @needs_unix
    @pytest.mark.parametrize(
        "number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 0)]
    )
    def test_server_and_signal(self, number: int, status: int) -> None:
        with process("serve", "--port", 0) as server:
            uri_of(server)
            server.send_signal(number)
            _, err = server.communicate(timeout=30)
        assert server.returncode == status
        assert err.endswith(b"server closed\n") and b"Traceback" not in err

    @needs_unix
    def test_terminal(self, uri: str) -> None:
        import pty

        ours, theirs = pty.openpty()
        environ = {**os.environ, "WEBSOCKETS_HISTORY": "", "NO_COLOR": "1"}
        ends = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        with process(uri, **ends, env=environ) as client:
            read_until(ours, f"Connected to {uri}.\r\n".encode())
            os.write(ours, b"helo\x1b[Dl\r")
            shown = read_until(ours, b"< hello\r\n")
            assert b"> hello\r\n" in shown
            os.write(ours, b"\x04")
            read_until(ours, b"Connection closed: 1000 (OK).\r\n")
            assert client.wait(30) == 0
        os.close(ours)
        os.close(theirs)

    def test_bench_and_ping(self, uri: str) -> None:
        with process("bench", uri, "--messages", 10, "--json") as measuring:
            out, err = measuring.communicate(timeout=30)
        assert (measuring.returncode, err) == (0, b"")
        assert json.loads(out)["messages"] == 10
        with process("ping", uri, "--count", 1) as measuring:
            out, err = measuring.communicate(timeout=30)
        assert (measuring.returncode, err) == (0, b"")
        assert b"1 sent, 1 answered" in out


def test_import_of_the_package_brings_none_of_it() -> None:
    code = (
        "import sys, websockets\n"
        "assert not {'argparse', 'websockets.cli'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
