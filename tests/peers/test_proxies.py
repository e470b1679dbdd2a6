"""Clients that reach our server through proxies that others have written.

tinyproxy and squid speak HTTP, squid with TLS too; microsocks and Dante speak SOCKS.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import pathlib
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from faces.support import CERTIFICATES, Face, client_tls, echo, server_tls, uri_of
from websockets.asyncio.client import connect, process_exception
from websockets.exceptions import InvalidProxyStatus, ProxyError

from . import hold_ports, import_peer, missing

import_peer("python_socks", "python-socks")

TINYPROXY = """\
Port {port}
Listen 127.0.0.1
BasicAuth me secret
"""

SQUID = """\
http_port 127.0.0.1:{port}
https_port 127.0.0.1:{tls_port} tls-cert={certificate}
http_access allow localhost
pid_filename none
access_log none
cache_log /dev/null
cache deny all
netdb_filename none
shutdown_lifetime 0 seconds
"""

DANTE = """\
logoutput: /dev/null
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
user.privileged: {user}
user.unprivileged: {user}
client pass {{ from: 127.0.0.1/32 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.1/32 to: 0.0.0.0/0 command: connect }}
"""


class Peer(NamedTuple):
    """A program that is a proxy.

    Attributes:
        package: Debian's package that it is in.
        command: its command line; ``{config}``, ``{port}`` are filled in.
        config: what the file has that it's configured with.
        tells: what its errors say when a server refuses the connection.

    """

    package: str
    command: str
    config: str
    tells: Any


PEERS = {
    "tinyproxy": Peer("tinyproxy-bin", "tinyproxy -d -c {config}", TINYPROXY, 500),
    "squid": Peer("squid", "squid -N -f {config}", SQUID, 503),
    "microsocks": Peer(
        "microsocks", "microsocks -i 127.0.0.1 -p {port} -u me -P secret", "", "refused"
    ),
    "danted": Peer(
        "dante-server", "danted -f {config} -p {config}.pid", DANTE, "SOCKS"
    ),
}

# Programs that only the administrator runs may be where only he looks.
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])

#: Which scheme is spoken with which of them.
WAYS = [
    ("tinyproxy", "http"),
    ("squid", "http"),
    ("squid", "https"),
    ("microsocks", "socks5"),
    ("microsocks", "socks5h"),
    ("danted", "socks4"),
    ("danted", "socks4a"),
    ("danted", "socks5"),
    ("danted", "socks5h"),
]

if absent := [name for name in PEERS if shutil.which(name, path=PATH) is None]:
    packages = " ".join(PEERS[name].package for name in absent)
    missing(f"{', '.join(absent)} not installed (apt-get install {packages})")


def wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until a program accepts connections."""
    while process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        os.sched_yield()
    pytest.fail(f"{process.args!r} ended with status {process.returncode}")


@contextlib.contextmanager
def running(
    name: str, folder: pathlib.Path, port: int, tls_port: int
) -> Iterator[tuple[int, int]]:
    """Run a proxy; give its port, and the one for TLS if it has one."""
    config = folder / name
    config.write_text(
        PEERS[name].config.format(
            port=port,
            tls_port=tls_port,
            certificate=CERTIFICATES / "server.pem",
            user=getpass.getuser(),
        )
    )
    process = subprocess.Popen(
        PEERS[name].command.format(config=config, port=port).split(),
        env={**os.environ, "PATH": PATH},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until_listening(process, port)
        yield port, tls_port
    finally:
        # Those that have children end them.
        process.terminate()
        try:
            process.wait(5)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str, str], str]]:
    """Give a function that returns the address of a proxy with some scheme."""
    with contextlib.ExitStack() as stack:
        folder = tmp_path_factory.mktemp("proxies")
        ports = {}
        for name in PEERS:
            held = stack.enter_context(hold_ports(2))
            ports[name] = stack.enter_context(running(name, folder, *held))

        def address(name: str, scheme: str) -> str:
            return f"{scheme}://me:secret@127.0.0.1:{ports[name][scheme == 'https']}"

        yield address


@pytest.mark.parametrize("inside", ["ws", "wss"])
@pytest.mark.parametrize(("name", "scheme"), WAYS)
async def test_exchange(
    face: Face,
    name: str,
    scheme: str,
    inside: str,
    address: Callable[[str, str], str],
) -> None:
    tls = server_tls() if inside == "wss" else None
    async with face.serve(echo, "127.0.0.1", 0, ssl=tls) as server:
        async with face.connect(
            uri_of(server, scheme=inside).replace("localhost", "127.0.0.1"),
            proxy=address(name, scheme),
            proxy_ssl=client_tls() if scheme == "https" else None,
            ssl=client_tls() if inside == "wss" else None,
        ) as client:
            for message in ("hello", b"x" * 1_000_000, "bye"):
                await client.send(message)
                assert await client.recv() == message
        assert client.close_code == 1000


@pytest.mark.parametrize(("name", "scheme"), WAYS)
async def test_a_server_that_nobody_runs(
    name: str, scheme: str, address: Callable[[str, str], str]
) -> None:
    with hold_ports(1) as [port], pytest.raises(ProxyError) as info:
        await connect(
            f"ws://127.0.0.1:{port}/",
            proxy=address(name, scheme),
            proxy_ssl=client_tls() if scheme == "https" else None,
        )
    # It may run later.
    assert process_exception(info.value) is None
    tells = PEERS[name].tells
    if isinstance(info.value, InvalidProxyStatus):
        assert info.value.response.status_code == tells
        assert b"<html" in info.value.response.body.lower()
    else:
        assert tells in str(info.value)


@pytest.mark.parametrize(
    ("name", "scheme"), [("tinyproxy", "http"), ("microsocks", "socks5")]
)
async def test_wrong_credentials(
    name: str, scheme: str, address: Callable[[str, str], str]
) -> None:
    with pytest.raises(ProxyError) as info:
        await connect(
            "ws://127.0.0.1:1/", proxy=address(name, scheme).replace("secret", "no")
        )
    assert process_exception(info.value) is info.value
    if isinstance(info.value, InvalidProxyStatus):
        assert info.value.response.status_code in (401, 407)
