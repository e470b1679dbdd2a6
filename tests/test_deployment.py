"""Files that put a server on a machine that stays, with the programs they are for."""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import websockets
from faces.support import CERTIFICATES, client_tls
from peers import hold_ports, missing
from test_examples import EXAMPLES, get, needs_unix

pytestmark = needs_unix

HERE = EXAMPLES / "deployment"

# Programs that only the administrator runs may be where only he looks.
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])

#: Proxies, their configuration, and how they are run in the foreground.
PROXIES = {
    "nginx": ("nginx.conf", "-p {folder} -c {config} -e stderr -g 'daemon off;'"),
    "haproxy": ("haproxy.cfg", "-db -f {config}"),
}

#: How TLS is turned on.
TLS = {
    "nginx": {
        "8080;\n": "8080 ssl;\n        ssl_certificate {pem};\n"
        "        ssl_certificate_key {pem};\n"
    },
    "haproxy": {"bind 127.0.0.1:8080": "bind 127.0.0.1:8080 ssl crt {pem}"},
}

#: What tests need and users don't: nothing is written elsewhere.
QUIET = """\
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
"""


def find(name: str) -> str:
    """Return the path of a proxy, or do without the test."""
    path = shutil.which(name, path=PATH)
    return path or missing(f"{name} isn't installed (apt-get install {name})")


def adapted(name: str, ports: list[int], folder: pathlib.Path, tls: bool) -> str:
    """Return a configuration with other ports, and with TLS as its comment says."""
    text = (HERE / PROXIES[name][0]).read_text()
    if tls:
        pem = CERTIFICATES / "server.pem"
        for old, new in TLS[name].items():
            assert old in text
            text = text.replace(old, new.format(pem=pem))
    for old, port in zip(["8080", "8001", "8002"], ports, strict=True):
        assert f":{old}" in text
        text = text.replace(f":{old}", f":{port}")
    # For 20,000 connections, not every machine has enough.
    text = text.replace("maxconn 20000", "maxconn 100")
    if name == "nginx":
        text = f"pid {folder}/pid;\n" + text.replace("http {\n", QUIET, 1)
    return text


@contextlib.asynccontextmanager
async def proxy(
    name: str, ports: list[int], folder: pathlib.Path, tls: bool
) -> AsyncIterator[None]:
    """Run a proxy on the first port, for servers on the others."""
    config = folder / PROXIES[name][0]
    config.write_text(adapted(name, ports, folder, tls))
    arguments = PROXIES[name][1].format(folder=folder, config=config)
    process = await asyncio.create_subprocess_exec(
        find(name),
        *shlex.split(arguments),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", ports[0])
            except ConnectionRefusedError:
                await asyncio.sleep(0)
            else:
                writer.close()
                break
        assert process.returncode is None, f"{name} has ended"
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def serve_one(
    websocket: websockets.WebSocketServerProtocol,
) -> None:
    """Echo, and do what else messages ask for."""
    async for message in websocket:
        if message == "where":
            await websocket.send(str(websocket.port))
        elif message == "headers":
            await websocket.send(json.dumps(dict(websocket.request_headers)))
        elif message == "ping":
            await (await websocket.ping())
            await websocket.send("pong")
        elif message == "close":
            await websocket.close(4000, "as you wish")
        else:
            await websocket.send(message)


async def answer_http(path: str, headers: Any) -> Any:
    if path == "/healthz":
        return http.HTTPStatus.OK, [], b"fine\n"
    return None


@contextlib.asynccontextmanager
async def behind(
    name: str, folder: pathlib.Path, tls: bool = False
) -> AsyncIterator[tuple[str, Any]]:
    """Run two servers behind a proxy; give its URI, and the servers."""
    find(name)
    async with contextlib.AsyncExitStack() as stack:
        ports = stack.enter_context(hold_ports(3))
        servers = []
        for port in ports[1:]:
            serve = websockets.serve(
                serve_one, "127.0.0.1", port, process_request=answer_http
            )
            servers.append(await stack.enter_async_context(serve))
        await stack.enter_async_context(proxy(name, ports, folder, tls))
        yield f"ws{'s' * tls}://127.0.0.1:{ports[0]}/", servers


async def ask(websocket: Any, message: str | bytes) -> Any:
    await websocket.send(message)
    return await websocket.recv()


@pytest.mark.parametrize("name", PROXIES)
async def test_messages_pass(name: str, tmp_path: pathlib.Path) -> None:
    async with behind(name, tmp_path) as (uri, _):
        async with websockets.connect(uri) as websocket:
            assert websocket.extensions  # compression passes
            for message in "Hello!", b"\x00\xff", "", "x" * 2**19, os.urandom(2**19):
                assert await ask(websocket, message) == message
            assert await ask(websocket, "ping") == "pong"
            await (await websocket.ping())
            await websocket.send("close")
            with pytest.raises(websockets.ConnectionClosed, match="as you wish"):
                await websocket.recv()
            assert websocket.close_code == 4000


@pytest.mark.parametrize("name", PROXIES)
async def test_headers(name: str, tmp_path: pathlib.Path) -> None:
    async with behind(name, tmp_path) as (uri, _):
        lie = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
        async with websockets.connect(uri, extra_headers=lie) as websocket:
            headers = json.loads(await ask(websocket, "headers"))
            headers = {key.lower(): value for key, value in headers.items()}
            assert headers["x-forwarded-for"] == "127.0.0.1"
            assert headers["x-forwarded-proto"] == "http"
            assert headers["host"] == uri.split("/")[2]


@pytest.mark.parametrize("name", PROXIES)
async def test_tls_ends_at_the_proxy(name: str, tmp_path: pathlib.Path) -> None:
    async with behind(name, tmp_path, tls=True) as (uri, _):
        async with websockets.connect(uri, ssl=client_tls()) as websocket:
            headers = json.loads(await ask(websocket, "headers"))
            headers = {key.lower(): value for key, value in headers.items()}
            assert headers["x-forwarded-proto"] == "https"
            assert await ask(websocket, b"\x00" * 2**17) == b"\x00" * 2**17


@pytest.mark.parametrize("name", PROXIES)
async def test_connections_are_shared(name: str, tmp_path: pathlib.Path) -> None:
    async with behind(name, tmp_path) as (uri, _):
        connections = [await websockets.connect(uri) for _ in range(6)]
        places = [await ask(websocket, "where") for websocket in connections]
        assert len(set(places)) == 2
        for websocket in connections:
            await websocket.close()


@pytest.mark.parametrize("name", PROXIES)
async def test_plain_http_and_a_server_that_is_gone(
    name: str, tmp_path: pathlib.Path
) -> None:
    async with behind(name, tmp_path) as (uri, servers):
        port = int(uri.rstrip("/").rpartition(":")[2])
        assert (await asyncio.to_thread(get, port, "/healthz"))[::2] == (200, b"fine\n")
        async with websockets.connect(uri) as websocket:
            where = await ask(websocket, "where")
            [server] = [
                s for s in servers if s.sockets[0].getsockname()[1] == int(where)
            ]
            server.close()
            await websocket.wait_closed()
            assert websocket.close_code == 1001
        # The other one is there.
        async with websockets.connect(uri) as websocket:
            assert await ask(websocket, "where") != where
        for server in servers:
            server.close()
            await server.wait_closed()
        with pytest.raises(websockets.InvalidStatusCode, match="HTTP 50[23]"):
            await websockets.connect(uri)


@pytest.mark.parametrize("name", PROXIES)
def test_silence_is_allowed_for_longer_than_between_pings(name: str) -> None:
    text = (HERE / PROXIES[name][0]).read_text()
    times = re.findall(r"(?:proxy_(?:read|send)_timeout|timeout tunnel) +(\d+)s", text)
    assert times and all(int(seconds) > 2 * 20 for seconds in times)


# The server.


@contextlib.contextmanager
def started(environ: dict[str, str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run the server, and wait until it has told that it's ready."""
    with tempfile.TemporaryDirectory() as folder:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind(f"{folder}/notify")
            told.settimeout(30)
            process = subprocess.Popen(
                [sys.executable, "-W", "error", HERE / "server.py"],
                env={**os.environ, "NOTIFY_SOCKET": f"{folder}/notify", **environ},
                stderr=subprocess.PIPE,
                text=True,
                **options,
            )
            try:
                assert told.recv(100) == b"READY=1"
                yield process
                process.send_signal(signal.SIGTERM)
                assert told.recv(100) == b"STOPPING=1"
                assert process.wait(30) == 0
            finally:
                process.kill()
                process.communicate()


async def chat(uri: str, **arguments: Any) -> None:
    """Say something that everybody hears."""
    async with (
        websockets.unix_connect(uri=uri, **arguments)
        if arguments
        else (websockets.connect(uri)) as websocket
    ):
        assert await ask(websocket, "Hello!") == "Hello!"


def test_server_on_a_port() -> None:
    with (
        hold_ports(1) as [port],
        started({"PORT": str(port), "HOST": "127.0.0.1"}),
    ):
        asyncio.run(chat(f"ws://127.0.0.1:{port}/"))
        status, _, body = get(port, "/healthz")
        assert status == 200 and re.fullmatch(rb"\d connections\n", body)


def test_server_on_a_unix_socket() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/socket"
        with started({"UNIX_PATH": path}):
            asyncio.run(chat("ws://localhost/", path=path))


#: As systemd does it: the socket is number 3, and LISTEN_PID is the program's own.
ACTIVATE = """
import os, sys
os.dup2({fd}, 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-W", "error", {path!r}])
"""


def test_server_on_a_socket_of_systemd(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        activate = ACTIVATE.format(fd=sock.fileno(), path=str(HERE / "server.py"))
        (tmp_path / "notify").mkdir()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            # An abstract address, as systemd may have it; only Linux knows them.
            name = f"websockets-test-{port}"
            try:
                told.bind("\0" + name)
            except OSError:
                pytest.skip("abstract addresses of sockets are Linux's")
            told.settimeout(30)
            process = subprocess.Popen(
                [sys.executable, "-c", activate],
                env={**os.environ, "NOTIFY_SOCKET": "@" + name},
                stderr=subprocess.DEVNULL,
                pass_fds=[sock.fileno()],
            )
            try:
                assert told.recv(100) == b"READY=1"
                asyncio.run(chat(f"ws://127.0.0.1:{port}/"))
                process.terminate()
                assert process.wait(30) == 0
            finally:
                process.kill()
                process.wait()


# systemd, and containers.


def test_units() -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze isn't installed")
    done = subprocess.run(
        [program, "verify", HERE / "chat.service", HERE / "chat.socket"],
        capture_output=True,
        text=True,
    )
    if "Failed to" in done.stderr and "verify" not in done.stderr:
        pytest.skip(f"systemd-analyze doesn't work here: {done.stderr}")
    assert (done.returncode, done.stderr) == (0, "")


def test_container_has_what_it_names() -> None:
    text = (HERE / "Dockerfile").read_text()
    text = text.replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and line[0] != "#"]
    for line in lines:
        instruction, _, rest = line.partition(" ")
        if instruction == "COPY" and not rest.startswith(("--from", ". ")):
            assert (EXAMPLES.parent / rest.split()[0]).exists()
    commands = [json.loads(line[line.index("[") :]) for line in lines if "[" in line]
    assert commands == [
        ["websockets", "ping", "ws://localhost:8765/", "--count", "1"],
        ["python", "/srv/server.py"],
    ]


def test_health_check_of_the_container() -> None:
    command = [sys.executable, "-m", "websockets", "ping", "--count", "1"]
    with (
        hold_ports(2) as [port, closed],
        started({"PORT": str(port), "HOST": "127.0.0.1"}),
    ):
        for each, status in (port, 0), (closed, 1):
            uri = f"ws://127.0.0.1:{each}/"
            assert (
                subprocess.run([*command, uri], capture_output=True).returncode
                == status
            )
