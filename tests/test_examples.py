"""Every example runs, for real: servers in processes, the rest in this one."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import http.client
import io
import json
import os
import pathlib
import re
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator

import pytest

import websockets
from peers.chromium import find_chromium, open_page

EXAMPLES = pathlib.Path(__file__).parent.parent / "example"

#: Examples with both sides in one program, and what they print: whole lines, as
#: regular expressions, in that order; other lines may come between them.
PROGRAMS = {
    "demo.py": [
        r"client \| received 'Hello, world!'",
        r"client \| received b'\\x00\\x01\\xfe\\xff'",
        r"client \| received 'one, two, three'",
        r"client \| received its pong after .* ms",
        r"client \| closed with code 1000",
        r"server \| stopped",
    ],
    "handler_arguments.py": ["sea -> mer", "land -> terre", r"sky -> \?"],
    "custom_protocol.py": [
        "Hello!",
        r"You are Ada\.",
        "Received: 2",
        "Without a token: .*HTTP 403",
    ],
    "faq/addresses.py": [
        r"Listening on 127\.0\.0\.1 {port}",
        r"You are 127\.0\.0\.1, on behalf of 192\.0\.2\.1\.",
    ],
    "faq/blocking_work.py": ["ping -> pong", "slow question -> [0-9a-f]{{64}}"],
    "faq/callbacks.py": ["open", "message: Hello!", "close: 1000 ", "error: .*"],
    "faq/closing.py": [
        "42",
        "Closed with code 1000",
        "Closed: .*4000.* that is secret.*",
    ],
    "faq/connection_lost.py": [
        "The server received: Hello!",
        "The client's close code: 1006",
        "The client is lost: no close frame received or sent",
        "The server's close code: 1006",
    ],
    "faq/cookies.py": [
        "Hello, Ada!",
        "The server runs Python/.* websockets/.*",
        "Without a cookie: .*HTTP 401",
    ],
    "faq/keepalive.py": [r"The pong came after \d+\.\d ms"],
    "faq/parallel.py": [
        "The client received: tick",
        "The server received: one",
        "The server received: two",
        "The server received: three",
        "The client has gone",
    ],
    "faq/reconnect.py": [
        "message 1",
        "Connecting again: .*1011.*out of order.*",
        "message 2",
        "Connecting again: .*1011.*out of order.*",
        "message 3",
    ],
    "faq/recv_timeout.py": [
        r"No answer\. Asking again\.",
        r"Oh, sorry, I'm here\.",
    ],
    "faq/topics.py": [
        r'Ada: {{"topic": "weather", "data": "rain"}}',
        r'Bob: {{"topic": "news", "data": "It rains\."}}',
    ],
}

#: Examples that have tests of their own, below.
OTHERS = {
    "basic_auth_client.py",
    "basic_auth_server.py",
    "certificate.py",
    "chat_server.py",
    "echo_client.py",
    "echo_server.py",
    "health_check_server.py",
    "hello_client.py",
    "hello_server.py",
    "shutdown_client.py",
    "shutdown_server.py",
    "tls_client.py",
    "tls_server.py",
    "unix_client.py",
    "unix_server.py",
    "faq/no_verification.py",
    "faq/synchronous.py",
    "logging/connection_id_server.py",
    "logging/json_log_formatter.py",
    "logging/json_server.py",
}

#: Directories whose programs have test files of their own.
ELSEWHERE = {
    "deployment": "test_deployment.py",
    "observability": "test_observability.py",
    "tutorial": "test_tutorial.py",
}

needs_unix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such thing")
needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the program openssl isn't installed"
)

Run = Callable[..., list[str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run an example with its arguments in this process; return what it prints."""

    def run(name: str, *arguments: object, typed: str = "") -> list[str]:
        path = EXAMPLES / name
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        monkeypatch.syspath_prepend(str(path.parent))
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return run


@contextlib.contextmanager
def started(name: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Start an example in a process of its own, and wait for its first line."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", EXAMPLES / name, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert re.search("listening|connected", line, re.IGNORECASE), (
            line + process.stdout.read()
        )
        yield process
    finally:
        process.kill()
        process.communicate()


def lines_until(process: subprocess.Popen[str], pattern: str) -> list[str]:
    """Return the lines that a process prints, until one matches."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if re.search(pattern, line):
            return lines
    raise AssertionError(f"no {pattern!r} in {lines!r}")


def get(port: int, path: str) -> tuple[int, str, bytes]:
    """Return the status, content type and body that a server answers."""
    connection = http.client.HTTPConnection("localhost", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read()


# Nothing is left out.


def test_every_example_is_tested() -> None:
    found = {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.py")}
    found = {name for name in found if name.partition("/")[0] not in ELSEWHERE}
    assert found == PROGRAMS.keys() | OTHERS
    assert all(
        (pathlib.Path(__file__).parent / test).exists() for test in ELSEWHERE.values()
    )


def test_readme_lists_every_example_and_nothing_else() -> None:
    linked = re.findall(r"\]\(([^)]*)\)", (EXAMPLES / "README.md").read_text())
    assert set(linked) == {*PROGRAMS, *OTHERS, "chat.html", *ELSEWHERE} - {
        "certificate.py"
    }


@pytest.mark.parametrize("name", sorted(PROGRAMS.keys() | OTHERS))
def test_docstring_says_how_to_run_it(name: str) -> None:
    text = (EXAMPLES / name).read_text()
    if "__main__" in text and name != "demo.py":
        assert f"Run: python example/{name}" in text


# Examples with both sides.


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_program(name: str, run: Run, port: int) -> None:
    printed = "\n".join(run(name, port))
    expected = [line.format(port=port) for line in PROGRAMS[name]]
    pattern = r"\n(?:.*\n)*?".join(expected)
    assert re.search(f"^{pattern}$", printed, re.MULTILINE), printed


# Examples with a server and clients.


def test_hello(run: Run, port: int) -> None:
    with started("hello_server.py", port) as server:
        printed = run("hello_client.py", port, typed="Ada\n")
        assert printed == ["What's your name? Hello, Ada!"]
        assert lines_until(server, "is here") == ["Ada is here"]


def test_echo(run: Run, port: int) -> None:
    with started("echo_server.py", port):
        printed = run("echo_client.py", port, typed="one\ntwo\n")
        assert printed == ["< one", "< two"]
        assert run("faq/synchronous.py", port) == ["Hello!"]


def test_basic_auth(run: Run, port: int) -> None:
    with started("basic_auth_server.py", port):
        greeting, refusal = run("basic_auth_client.py", port)
    assert greeting == "Hello, ada!"
    assert refusal.startswith("With a wrong password: ") and "401" in refusal


@needs_unix
def test_unix(run: Run) -> None:
    # The directories of pytest are too long for the name of a socket.
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/socket"
        with started("unix_server.py", path):
            assert run("unix_client.py", path) == ["Hello, Ada!"]


@needs_openssl
def test_tls(run: Run, port: int, tmp_path: pathlib.Path) -> None:
    with started("tls_server.py", port, tmp_path):
        assert run("tls_client.py", port, tmp_path) == ["Hello, Ada!"]
        assert run("faq/no_verification.py", port) == ["Hello, Ada!"]


@needs_openssl
def test_certificate(run: Run, tmp_path: pathlib.Path) -> None:
    assert run("certificate.py", tmp_path) == []
    assert {path.name for path in tmp_path.iterdir()} == {"certificate.pem", "key.pem"}


def test_health_check(port: int) -> None:
    async def echo() -> websockets.Data:
        async with websockets.connect(f"ws://localhost:{port}/") as websocket:
            await websocket.send("Hello!")
            return await websocket.recv()

    with started("health_check_server.py", port):
        assert get(port, "/healthz") == (200, "text/plain", b"OK\n")
        assert asyncio.run(echo()) == "Hello!"
        assert get(port, "/")[0] == 426


# Signals.


@needs_unix
def test_shutdown_server(port: int) -> None:
    async def stop(server: subprocess.Popen[str]) -> None:
        async with websockets.connect(f"ws://localhost:{port}/") as websocket:
            await websocket.send("Hello!")
            assert await websocket.recv() == "Hello!"
            server.terminate()
            await websocket.wait_closed()
            assert websocket.close_code == 1001

    with started("shutdown_server.py", port) as server:
        asyncio.run(stop(server))
        assert lines_until(server, "Stopped") == [
            "A connection was closed with code 1001",
            "Stopped",
        ]
        assert server.wait() == 0


@needs_unix
def test_shutdown_client(port: int) -> None:
    with (
        started("echo_server.py", port),
        started("shutdown_client.py", port) as client,
    ):
        client.send_signal(signal.SIGTERM)
        assert lines_until(client, "Closed") == ["Closed"]
        assert client.wait() == 0


def test_shutdown_client_has_the_lines_that_the_faq_points_at() -> None:
    lines = (EXAMPLES / "shutdown_client.py").read_text().splitlines()[9:13]
    assert lines[0].startswith("def close_on_sigterm(")
    assert "loop.add_signal_handler(signal.SIGTERM" in lines[-1]


# Logs.


async def connect_and_close(port: int) -> None:
    async with websockets.connect(
        f"ws://localhost:{port}/", extra_headers={"X-Forwarded-For": "192.0.2.1"}
    ):
        pass


def test_json_logs(port: int) -> None:
    with started("logging/json_server.py", port) as server:
        asyncio.run(connect_and_close(port))
        lines = lines_until(server, "connection closed")
    events = {event["message"]: event for event in map(json.loads, lines)}
    opened, closed = events["connection open"], events["connection closed"]
    assert opened["level"] == "INFO" and opened["logger"] == "websockets.server"
    assert opened["remote_addr"] in {"127.0.0.1", "::1"}
    assert uuid.UUID(opened["connection_id"]) == uuid.UUID(closed["connection_id"])
    created = datetime.datetime.fromisoformat(opened["timestamp"])
    assert created.utcoffset() == datetime.timedelta(0)


def test_json_log_formatter(monkeypatch: pytest.MonkeyPatch) -> None:
    path = EXAMPLES / "logging" / "json_log_formatter.py"
    module = runpy.run_path(str(path))
    logging = module["logging"]
    record = logging.LogRecord("name", logging.ERROR, "x.py", 1, "%d%%", (50,), None)
    record.created = 86400.5
    formatter = module["JSONFormatter"]()
    event = {
        "timestamp": "1970-01-02T00:00:00.500000+00:00",
        "message": "50%",
        "level": "ERROR",
        "logger": "name",
    }
    assert json.loads(formatter.format(record)) == event

    try:
        raise ValueError("wrong")
    except ValueError:
        record.exc_info = sys.exc_info()
    record.stack_info = "Stack (most recent call last):\n..."
    record.event_data = {"path": pathlib.PurePosixPath("/x")}
    rendered = json.loads(formatter.format(record))
    assert rendered.pop("exc_info").endswith("ValueError: wrong")
    assert rendered.pop("stack_info") == record.stack_info
    assert rendered == {**event, "path": "/x"}


def test_connection_id_in_logs(port: int) -> None:
    with started("logging/connection_id_server.py", port) as server:
        asyncio.run(connect_and_close(port))
        lines = lines_until(server, "connection closed")
    (opened,) = [line for line in lines if "connection open" in line]
    assert re.search(r" [-0-9a-f]{36} 192\.0\.2\.1 connection open$", opened)


# The chat.


def test_chat_page_and_other_paths(port: int) -> None:
    page = (EXAMPLES / "chat.html").read_bytes()
    with started("chat_server.py", port):
        assert get(port, "/") == (200, "text/html; charset=utf-8", page)
        assert get(port, "/favicon.ico")[0] == 404


def test_chat(port: int) -> None:
    async def chat() -> None:
        uri = f"ws://localhost:{port}/chat"
        async with websockets.connect(uri) as ada:
            await ada.send("Ada")
            assert await ada.recv() == "Ada has joined"
            async with websockets.connect(uri) as bob:
                await bob.send("Bob")
                await bob.send("Hello!")
                assert await bob.recv() == "Bob has joined"
                assert await bob.recv() == "Bob: Hello!"
            assert await ada.recv() == "Bob has joined"
            assert await ada.recv() == "Bob: Hello!"
            assert await ada.recv() == "Bob has left"
        with pytest.raises(websockets.InvalidStatusCode, match="403"):
            await websockets.connect(uri, origin="http://elsewhere.example")

    with started("chat_server.py", port):
        asyncio.run(chat())


SAY = """
    document.getElementById("text").value = {};
    document.getElementById("form").requestSubmit();
"""

#: Gives the log when its last line contains something; waits until it does.
LOG = """
    new Promise((resolve) => {
        const log = document.getElementById("log");
        function look() {
            const lines = Array.from(log.children, (item) => item.textContent);
            if (lines.at(-1)?.includes(%s)) resolve(lines);
        }
        new MutationObserver(look).observe(log, { childList: true });
        look();
    })
"""


def test_chat_in_a_browser(port: int) -> None:
    find_chromium()

    async def chat(server: subprocess.Popen[str]) -> None:
        async with (
            open_page(f"http://localhost:{port}/") as page,
            websockets.connect(f"ws://localhost:{port}/chat") as bob,
        ):
            await page.evaluate(
                "websocket.readyState || new Promise((f) => { websocket.onopen = f })"
            )
            await page.evaluate(SAY.format("'Ada'"))
            await page.evaluate(LOG % "'Ada has joined'")
            await bob.send("Bob")
            assert await bob.recv() == "Bob has joined"
            await page.evaluate(SAY.format("'Hello, Bob!'"))
            assert await bob.recv() == "Ada: Hello, Bob!"
            await bob.send("<b>Hello!</b>")
            assert await page.evaluate(LOG % "'</b>'") == [
                "Ada has joined",
                "Bob has joined",
                "Ada: Hello, Bob!",
                "Bob: <b>Hello!</b>",
            ]
            server.kill()
            lines = await page.evaluate(LOG % "'closed'")
            assert lines[-1] == "The connection is closed (1006)."

    with started("chat_server.py", port) as server:
        asyncio.run(chat(server))
