"""Proxies on asyncio (websockets.asyncio.proxying): what connections don't show."""

from __future__ import annotations

import asyncio
import importlib
import logging
import math
import sys
import types
from typing import Any

import pytest

from faces.support import FakeTransport, Logs, echo, port_of, until, uri_of
from proxies import HTTPProxy, SOCKSProxy, running
from websockets.asyncio import proxying
from websockets.asyncio.client import connect, process_exception
from websockets.asyncio.proxying import (
    DIRECT,
    ProxySettings,
    Tunnel,
    is_temporary,
    with_proxy,
)
from websockets.asyncio.server import serve
from websockets.classic.client import Connect
from websockets.datastructures import Headers
from websockets.exceptions import (
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    ProxyError,
)
from websockets.http11 import Request, Response
from websockets.proxy import Proxy
from websockets.uri import parse_uri

URI = parse_uri("ws://h/")


def socks_proxy(error_code: int | None) -> Exception:
    """Return an error as python-socks raises it."""
    error: Any = Exception("refused")
    error.error_code = error_code
    return error  # type: ignore[no-any-return]


def caused_by(error: Exception, cause: BaseException | None) -> Any:
    """Return the error with a cause."""
    error.__cause__ = cause
    return error


def refusal(status: int, **headers: str) -> InvalidProxyStatus:
    """Return the error of a proxy that refuses."""
    return InvalidProxyStatus(Response(status, "", Headers(**headers)))


TEMPORARY = [
    *[refusal(status) for status in (500, 502, 503, 504)],
    *[caused_by(ProxyError(), socks_proxy(code)) for code in (1, 3, 4, 5, 6, 91)],
    caused_by(InvalidProxyMessage(), EOFError()),
    caused_by(InvalidProxyMessage(), ConnectionResetError()),
]

FINAL = [
    *[refusal(status) for status in (302, 400, 403, 407, 501)],
    *[caused_by(ProxyError(), socks_proxy(code)) for code in (None, 2, 7, 93)],
    caused_by(InvalidProxyMessage(), ValueError()),
    InvalidProxyMessage("bytes before TLS"),
]


class TestAnotherAttempt:
    @pytest.mark.parametrize("exc", TEMPORARY, ids=repr)
    def test_temporary(self, exc: ProxyError) -> None:
        assert is_temporary(exc)
        assert process_exception(exc) is None

    @pytest.mark.parametrize("exc", FINAL, ids=repr)
    def test_final(self, exc: ProxyError) -> None:
        assert not is_temporary(exc)
        assert process_exception(exc) is exc

    @pytest.mark.parametrize("exc", [InvalidProxy("", ""), ImportError()], ids=repr)
    def test_nothing_that_time_mends(self, exc: Exception) -> None:
        assert process_exception(exc) is exc
        assert Connect("ws://h").process_exception(exc) is exc

    async def test_each_attempt_asks_the_proxy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def note(delay: float) -> None:
            if delay:
                delays.append(delay)
            await sleep(0)

        sleep = asyncio.sleep
        delays: list[float] = []
        answers = [
            b"HTTP/1.1 503 No\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 2",
            None,
        ]
        monkeypatch.setattr(asyncio, "sleep", note)
        async with (
            serve(echo, "localhost", 0) as server,
            running(HTTPProxy(*answers, hang_up=True)) as proxy,
        ):
            monkeypatch.setenv("ws_proxy", f"http://localhost:{proxy.port}")
            async for client in connect(
                uri_of(server), reconnect_delays=lambda: [1, 2, 3]
            ):
                await client.send("hello")
                assert await client.recv() == "hello"
                break
            await client.close()
        assert len(proxy.asked) == 4
        # One asked for more patience.
        assert delays == [17, 2, 3]

    async def test_errors_keep_their_causes(self) -> None:
        async with running(HTTPProxy(b"nonsense\r\n")) as proxy:
            with pytest.raises(InvalidProxyMessage) as info:
                await connect("ws://h", proxy=f"http://localhost:{proxy.port}")
        assert isinstance(info.value.__cause__, ValueError)


class TestSettings:
    async def test_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ws_proxy", "http://p:1")
        assert await DIRECT.choose(URI) is None

    @pytest.mark.parametrize("blocks", [False, True])
    async def test_systems(self, monkeypatch: pytest.MonkeyPatch, blocks: bool) -> None:
        monkeypatch.setattr(proxying, "SETTINGS_BLOCK", blocks)
        settings = ProxySettings(True)
        assert await settings.choose(URI) is None
        monkeypatch.setenv("ws_proxy", "http://p:1")
        assert await settings.choose(URI) == Proxy("http", "p", 1)

    def test_what_is_made_of_arguments(self) -> None:
        given = {"proxy_ssl": True, "proxy_server_hostname": "n", "family": 2}
        logger = logging.getLogger("mine")
        options = with_proxy(given, "https://h", "me", logger)
        expected = ProxySettings("https://h", None, "n", "me", logger)
        assert options == {"family": 2, "proxy": expected}
        assert "proxy" not in given
        assert "secret" not in repr(with_proxy({}, "http://u:secret@h", None, None))


class TestSOCKS:
    async def test_without_python_socks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "python_socks", None)
        with pytest.raises(ImportError, match="pip install 'python-socks"):
            await connect("ws://localhost", proxy="socks5://localhost:1")

    async def test_what_python_socks_is_asked_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Proxy:
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                asked.append((args, kwargs))

            async def connect(self, *args: Any, **kwargs: Any) -> Any:
                asked.append((args, kwargs))
                raise ProxyError("no")

        asked: list[Any] = []
        library: Any = types.ModuleType("python_socks")
        library.ProxyType = types.SimpleNamespace(SOCKS4="four", SOCKS5="five")
        library.ProxyError = ProxyError
        client: Any = types.ModuleType("python_socks.async_.asyncio")
        client.Proxy = Proxy
        monkeypatch.setitem(sys.modules, "python_socks", library)
        monkeypatch.setitem(sys.modules, "python_socks.async_.asyncio", client)
        with pytest.raises(ProxyError, match="SOCKS proxy did not connect: no"):
            await connect(
                "ws://h", proxy="socks4a://u:p@s", local_addr=("127.0.0.1", 0)
            )
        with pytest.raises(ProxyError):
            await connect("wss://h", proxy="socks5://s:1", open_timeout=None)
        # The time that all takes is ours to limit.
        assert asked == [
            (("four", "s", 1080, "u", "p"), {"rdns": True}),
            (("h", 80), {"timeout": math.inf, "local_addr": ("127.0.0.1", 0)}),
            (("five", "s", 1, None, None), {"rdns": False}),
            (("h", 443), {"timeout": math.inf}),
        ]

    async def test_a_host_that_has_no_ascii_form(self) -> None:
        pytest.importorskip("python_socks", reason="python-socks isn't installed")
        async with running(SOCKSProxy()) as proxy:
            with pytest.raises(ProxyError, match="label"):
                await connect(
                    f"ws://{'x' * 64}.test",
                    proxy=f"socks5h://localhost:{proxy.port}",
                )
            await until(lambda: proxy.ended)

    async def test_failing_once_connected(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The socket is closed."""
        pytest.importorskip("python_socks", reason="python-socks isn't installed")

        def fail() -> None:
            raise MemoryError

        monkeypatch.setattr(proxying, "Tunnel", fail)
        async with serve(echo, "localhost", 0) as server:
            async with running(SOCKSProxy(target=port_of(server))) as proxy:
                with pytest.raises(MemoryError):
                    await connect("ws://h", proxy=f"socks5h://localhost:{proxy.port}")
                await until(lambda: proxy.ended)

    def test_names_in_python_socks(self) -> None:
        """Those that the proxying module counts on."""
        pytest.importorskip("python_socks", reason="python-socks isn't installed")
        library = importlib.import_module("python_socks")
        assert {"SOCKS4", "SOCKS5"} <= set(library.ProxyType.__members__)
        assert library.ProxyError("refused", error_code=5).error_code == 5


class Connection:
    """What a tunnel needs of a connection."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def connection_made(self, transport: Any) -> None:
        self.calls.append("made")

    def data_received(self, data: bytes) -> None:
        self.calls.append(data)
        raise BrokenPipeError


async def opened(answer: bytes) -> Tunnel:
    """Return a tunnel whose proxy has answered."""
    tunnel = Tunnel()
    tunnel.connection_made(FakeTransport(tunnel))
    request = Request("h:80", Headers(), method="CONNECT")
    task = asyncio.ensure_future(
        tunnel.connect(request, logging.getLogger("websockets.client"))
    )
    await asyncio.sleep(0)
    tunnel.data_received(answer)
    await task
    return tunnel


class TestTunnel:
    OK = b"HTTP/1.1 200 OK\r\n\r\n"

    async def test_byte_by_byte(self) -> None:
        tunnel = Tunnel()
        tunnel.connection_made(FakeTransport(tunnel))
        request = Request("h:80", Headers(), method="CONNECT")
        task = asyncio.ensure_future(
            tunnel.connect(request, logging.getLogger("websockets.client"))
        )
        for byte in self.OK:
            assert not task.done()
            await asyncio.sleep(0)
            tunnel.data_received(bytes([byte]))
        await task
        assert tunnel.transport.written == [b"CONNECT h:80 HTTP/1.1\r\n\r\n"]
        assert not tunnel.transport.reading

    async def test_handing_over(self) -> None:
        tunnel = await opened(self.OK)
        transport, connection = tunnel.transport, Connection()
        tunnel.hand_over(transport, connection)
        assert transport.protocol is connection
        assert connection.calls == ["made"]
        assert transport.reading

    async def test_early_bytes(self) -> None:
        """They come after all that is done at once; errors are for the transport."""
        tunnel = await opened(self.OK + b"ea")
        tunnel.data_received(b"rly")
        transport, connection = tunnel.transport, Connection()
        tunnel.hand_over(transport, connection)
        assert connection.calls == ["made"]
        assert not transport.reading
        transport.protocol = None
        await asyncio.sleep(0)
        assert connection.calls == ["made", b"early"]
        assert transport.reading
        assert transport.calls[-1] == "abort"

    async def test_early_bytes_of_a_connection_that_was_closed(self) -> None:
        tunnel = await opened(self.OK + b"early")
        transport, connection = tunnel.transport, Connection()
        tunnel.hand_over(transport, connection)
        transport.protocol = None
        transport.abort()
        await asyncio.sleep(0)
        assert connection.calls == ["made"]
        assert not transport.reading

    async def test_lost_while_it_is_opened(self) -> None:
        error = ConnectionResetError("reset")
        tunnel = Tunnel()
        tunnel.connection_made(FakeTransport(tunnel))
        request = Request("h:80", Headers(), method="CONNECT")
        task = asyncio.ensure_future(
            tunnel.connect(request, logging.getLogger("websockets.client"))
        )
        await asyncio.sleep(0)
        tunnel.connection_lost(error)
        with pytest.raises(InvalidProxyMessage) as info:
            await task
        assert info.value.__cause__ is error

    async def test_lost_with_the_answer(self) -> None:
        tunnel = Tunnel()
        tunnel.connection_made(FakeTransport(tunnel))
        request = Request("h:80", Headers(), method="CONNECT")
        task = asyncio.ensure_future(
            tunnel.connect(request, logging.getLogger("websockets.client"))
        )
        await asyncio.sleep(0)
        tunnel.data_received(self.OK)
        tunnel.connection_lost(None)
        with pytest.raises(ConnectionResetError, match="closed the connection"):
            await task

    async def test_lost_with_the_end_of_the_tls_handshake(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Losing(Tunnel):
            async def start_tls(self, *args: Any, **kwargs: Any) -> Any:
                self.connection_lost(None)
                return self.transport

        monkeypatch.setattr(proxying, "Tunnel", Losing)
        async with running(HTTPProxy(self.OK)) as proxy:
            with pytest.raises(ConnectionResetError, match="closed the connection"):
                await connect("wss://h", proxy=f"http://localhost:{proxy.port}")

    async def test_lost_after_it_is_opened(self) -> None:
        error = ConnectionResetError("reset")
        tunnel = await opened(self.OK)
        tunnel.check_open()
        tunnel.connection_lost(error)
        with pytest.raises(ConnectionResetError, match="closed the conn") as info:
            tunnel.check_open()
        assert info.value.__cause__ is error

    async def test_closing_after_it_is_opened(self) -> None:
        tunnel = await opened(self.OK)
        tunnel.transport.close()
        with pytest.raises(ConnectionResetError):
            tunnel.check_open()

    async def test_logs_are_asked_for_once(self, logs: Logs) -> None:
        logging.getLogger("websockets").setLevel(logging.INFO)
        await opened(self.OK)
        assert logs.records == []
