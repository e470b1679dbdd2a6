"""Clients that reach their servers through proxies."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import pytest

from faces.support import (
    Face,
    Logs,
    Raw,
    client_tls,
    echo,
    port_of,
    raw_server,
    server_tls,
    until,
    uri_of,
)
from proxies import HTTPProxy, SOCKSProxy, running
from websockets.exceptions import (
    InvalidHandshake,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidStatus,
    ProxyError,
)
from websockets.headers import build_authorization_basic
from websockets.http11 import USER_AGENT

REFUSAL = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
    b"Proxy-Authenticate: Basic realm=proxy\r\nContent-Length: 7\r\n\r\nwho are"
)


async def exchange(client: Any) -> None:
    """Exchange messages, small ones and large ones."""
    for message in ("hello", b"x" * 300_000, "bye"):
        await client.send(message)
        assert await client.recv() == message


def serve(face: Face, secure: bool) -> Any:
    """Serve with or without TLS."""
    return face.serve(
        echo, "localhost", 0, ssl=server_tls() if secure else None, max_size=None
    )


class TestTunnels:
    """A server, a proxy to it, TLS inside, outside, both and none."""

    @pytest.mark.parametrize("inside", ["ws", "wss"])
    @pytest.mark.parametrize("outside", ["http", "https"])
    async def test_http(self, face: Face, inside: str, outside: str) -> None:
        proxy_tls = server_tls() if outside == "https" else None
        async with (
            serve(face, inside == "wss") as server,
            running(HTTPProxy(), proxy_tls) as proxy,
        ):
            options: dict[str, Any] = {}
            if inside == "wss":
                options["ssl"] = client_tls()
            if outside == "https":
                options["proxy_ssl"] = client_tls()
            async with face.connect(
                uri_of(server, scheme=inside),
                proxy=f"{outside}://localhost:{proxy.port}",
                max_size=None,
                **options,
            ) as client:
                target = f"localhost:{port_of(server)}"
                assert proxy.targets == [f"CONNECT {target} HTTP/1.1"]
                assert proxy.headers["Host"] == target
                assert proxy.headers["User-Agent"] == USER_AGENT
                assert "Proxy-Authorization" not in proxy.headers
                assert client.request_headers["Host"] == target
                assert client.remote_address[1] == proxy.port
                has_tls = client.transport.get_extra_info("ssl_object") is not None
                assert has_tls == (inside == "wss" or outside == "https")
                await exchange(client)
            assert client.close_code == 1000

    @pytest.mark.parametrize("inside", ["ws", "wss"])
    @pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
    async def test_socks(self, face: Face, inside: str, scheme: str) -> None:
        pytest.importorskip("python_socks", reason="python-socks isn't installed")
        credentials = (b"me", b"secret") if "5" in scheme else None
        async with (
            face.serve(
                echo,
                "127.0.0.1",
                0,
                ssl=server_tls() if inside == "wss" else None,
                max_size=None,
            ) as server,
            running(SOCKSProxy(credentials=credentials)) as proxy,
        ):
            async with face.connect(
                uri_of(server, scheme=inside),
                proxy=f"{scheme}://me:secret@127.0.0.1:{proxy.port}",
                ssl=client_tls() if inside == "wss" else None,
                local_addr=("127.0.0.1", 0),
                max_size=None,
            ) as client:
                [(version, host, port, who)] = proxy.asked
                assert version == int(scheme[5])
                # With the other two, the proxy looks up the name.
                looked_up = scheme in ("socks4", "socks5")
                assert host == ("127.0.0.1" if looked_up else "localhost")
                assert port == port_of(server)
                assert who == (credentials or b"me")
                await exchange(client)
            assert client.close_code == 1000

    async def test_names_that_only_the_proxy_knows(self, face: Face) -> None:
        async with serve(face, True) as server:
            async with running(HTTPProxy(target=port_of(server))) as proxy:
                async with face.connect(
                    "wss://other.test/",
                    proxy=f"http://localhost:{proxy.port}",
                    ssl=client_tls(),
                ) as client:
                    assert proxy.headers["Host"] == "other.test:443"
                    assert client.request_headers["Host"] == "other.test"

    async def test_the_certificate_in_the_tunnel_is_verified(
        self, face: Face, clean_loop: list[Any]
    ) -> None:
        unnamed = {"server_hostname": None}
        async with serve(face, True) as server:
            async with running(HTTPProxy(target=port_of(server))) as proxy:
                options: dict[str, Any]
                for uri, options in (
                    ("wss://wrong.test/", {"ssl": client_tls()}),
                    ("wss://wrong.test/", {"ssl": client_tls(), **unnamed}),
                    ("wss://localhost/", {}),
                ):
                    with pytest.raises(ssl.SSLCertVerificationError):
                        await face.connect(
                            uri, proxy=f"http://localhost:{proxy.port}", **options
                        )
        clean_loop.clear()

    async def test_the_certificate_of_the_proxy_is_verified(
        self, face: Face, clean_loop: list[Any]
    ) -> None:
        async with serve(face, False) as server:
            async with running(HTTPProxy(), server_tls()) as proxy:
                uri, address = uri_of(server), f"https://localhost:{proxy.port}"
                for tls in None, True:
                    with pytest.raises(ssl.SSLCertVerificationError) as info:
                        await face.connect(uri, proxy=address, proxy_ssl=tls)
                    [note] = info.value.__notes__
                    assert note == f"while connecting through the proxy {address}"
                with pytest.raises(ssl.SSLCertVerificationError):
                    await face.connect(
                        uri,
                        proxy=address,
                        proxy_ssl=client_tls(),
                        proxy_server_hostname="wrong.test",
                    )
                async with face.connect(
                    uri,
                    proxy=address,
                    proxy_ssl=client_tls(),
                    proxy_server_hostname="other.test",
                ) as client:
                    await exchange(client)
        clean_loop.clear()

    async def test_arguments_for_another_host(self, face: Face) -> None:
        """The proxy is asked for where the connection is to go."""
        async with serve(face, True) as server:
            async with running(HTTPProxy()) as proxy:
                async with face.connect(
                    "wss://other.test/",
                    host="127.0.0.1",
                    port=port_of(server),
                    proxy=f"http://localhost:{proxy.port}",
                    ssl=client_tls(),
                    server_hostname=None,
                    ssl_handshake_timeout=10,
                ) as client:
                    assert proxy.headers["Host"] == f"127.0.0.1:{port_of(server)}"
                    assert client.request_headers["Host"] == "other.test"

    async def test_ipv6(self, face: Face) -> None:
        async with running(HTTPProxy(REFUSAL)) as proxy:
            with pytest.raises(InvalidProxyStatus):
                await face.connect(
                    "ws://[2001:db8::1]/", proxy=f"http://127.0.0.1:{proxy.port}"
                )
        assert proxy.targets == ["CONNECT [2001:db8::1]:80 HTTP/1.1"]

    async def test_credentials(self, face: Face, logs: Logs) -> None:
        async with serve(face, False) as server, running(HTTPProxy()) as proxy:
            address = f"http://us%40er:p%3Ass@localhost:{proxy.port}"
            async with face.connect(
                uri_of(server), proxy=address, user_agent_header="me"
            ) as client:
                value = build_authorization_basic("us@er", "p:ss")
                assert proxy.headers["Proxy-Authorization"] == value
                assert proxy.headers["User-Agent"] == "me"
                assert "Proxy-Authorization" not in client.request_headers
            target = f"localhost:{port_of(server)}"
        texts = logs.texts()
        assert f"> CONNECT {target} HTTP/1.1" in texts
        assert "> Proxy-Authorization: Basic ***" in texts
        assert "< HTTP/1.1 200 Connection established" in texts
        assert value.split()[1] not in "\n".join(texts)

    async def test_headers_for_the_server_are_not_for_the_proxy(
        self, face: Face
    ) -> None:
        async with serve(face, False) as server, running(HTTPProxy()) as proxy:
            async with face.connect(
                uri_of(server).replace("//", "//user:secret@"),
                proxy=f"http://localhost:{proxy.port}",
                extra_headers={"Cookie": "a=b"},
                user_agent_header=None,
            ) as client:
                assert set(proxy.headers) == {"host"}
                assert client.request_headers["Cookie"] == "a=b"


class TestWhichProxy:
    async def test_system_settings(
        self, face: Face, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serve(face, False) as server, running(HTTPProxy()) as proxy:
            monkeypatch.setenv("ws_proxy", f"localhost:{proxy.port}")
            async with face.connect(uri_of(server), proxy=True):
                assert len(proxy.asked) == 1
            async with face.connect(uri_of(server), proxy=None):
                assert len(proxy.asked) == 1
            # The classic interface is older than proxies.
            async with face.connect(uri_of(server)):
                assert len(proxy.asked) == (2 if face.name == "modern" else 1)
            asked = len(proxy.asked)
            monkeypatch.setenv("no_proxy", "example.com, localhost")
            async with face.connect(uri_of(server), proxy=True):
                assert len(proxy.asked) == asked

    async def test_bad_system_settings(
        self, face: Face, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ws_proxy", "ftp://user:secret@localhost")
        with pytest.raises(InvalidProxy) as info:
            await face.connect("ws://localhost", proxy=True)
        assert str(info.value).startswith("ftp://***@localhost isn't a valid proxy")

    async def test_sockets_are_direct(
        self, face: Face, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        monkeypatch.setenv("ws_proxy", "http://localhost:1")
        async with face.serve(echo, "127.0.0.1", 0) as server:
            sock = socket.create_connection(("127.0.0.1", port_of(server)))
            async with face.connect(uri_of(server), sock=sock, proxy=True):
                pass
        monkeypatch.chdir(tmp_path)
        async with face.unix_serve(echo, "socket"):
            async with face.unix_connect("socket", proxy=True):
                pass

    async def test_each_redirect_asks_again(
        self, face: Face, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def redirect(path: str, headers: Any) -> Any:
            location = f"ws://127.0.0.1:{port_of(last)}/"
            return 302, [("Location", location)], b""

        async with (
            face.serve(echo, "localhost", 0) as last,
            face.serve(echo, "localhost", 0, process_request=redirect) as first,
            running(HTTPProxy()) as proxy,
        ):
            monkeypatch.setenv("ws_proxy", f"http://localhost:{proxy.port}")
            async with face.connect(uri_of(first), proxy=True) as client:
                assert [first.split()[1] for first in proxy.targets] == [
                    f"localhost:{port_of(first)}",
                    f"127.0.0.1:{port_of(last)}",
                ]
                await exchange(client)
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            async with face.connect(uri_of(first), proxy=True) as client:
                assert len(proxy.asked) == 3

    @pytest.mark.parametrize(
        ("arguments", "error", "text"),
        [
            ({"proxy": False}, TypeError, "proxy must be a str, True or None"),
            ({"proxy": 1}, TypeError, "proxy must be a str, True or None, not int"),
            ({"proxy": "localhost:1"}, InvalidProxy, "isn't a valid proxy"),
            ({"proxy": "http://h", "sock": 1}, ValueError, "proxy and sock"),
            ({"proxy": "http://h", "path": "p"}, ValueError, "proxy and path"),
            (
                {"proxy": "http://h", "proxy_ssl": ssl.create_default_context()},
                ValueError,
                "proxy_ssl and proxy_server_hostname are for https:// proxies",
            ),
            (
                {"proxy": "socks5://h", "proxy_server_hostname": "h"},
                ValueError,
                "not socks5://",
            ),
            ({"proxy": "https://h", "proxy_ssl": 1}, TypeError, "proxy_ssl must be"),
            ({"proxy": None, "proxy_ssl": False}, TypeError, "proxy_ssl must be"),
        ],
    )
    def test_wrong_arguments(
        self, face: Face, arguments: Any, error: type[Exception], text: str
    ) -> None:
        with pytest.raises(error, match=text):
            face.connect("ws://localhost", **arguments)

    async def test_unknown_arguments(self, face: Face) -> None:
        with pytest.raises(TypeError, match="proxy_port"):
            await face.connect("ws://localhost", proxy_port=1)


class TestRefusals:
    async def refused(self, face: Face, proxy: Any, **kwargs: Any) -> Exception:
        """Fail to connect; return why."""
        address = f"http://user:secret@127.0.0.1:{proxy.port}"
        async with running(proxy) as proxy:
            address = f"http://user:secret@127.0.0.1:{proxy.port}"
            kwargs = {"uri": "ws://elsewhere.test/", "proxy": address, **kwargs}
            with pytest.raises(InvalidHandshake) as info:
                await face.connect(**kwargs)
            await until(lambda: proxy.ended)
        assert "secret" not in f"{info.value} {info.value!r}"
        return info.value

    @pytest.mark.parametrize("hang_up", [False, True])
    async def test_status(self, face: Face, hang_up: bool, logs: Logs) -> None:
        exc = await self.refused(face, HTTPProxy(REFUSAL, hang_up=hang_up))
        assert isinstance(exc, InvalidProxyStatus)
        assert exc.response.status_code == 407
        assert exc.response.headers["Proxy-Authenticate"] == "Basic realm=proxy"
        assert exc.response.body == b"who are"
        assert str(exc) == "proxy rejected connection: HTTP 407"
        assert "< HTTP/1.1 407 Proxy Authentication Required" in logs.texts()

    async def test_a_redirect_is_not_followed(self, face: Face) -> None:
        answer = b"HTTP/1.1 302 Found\r\nLocation: ws://localhost:1/\r\n\r\n"
        exc = await self.refused(face, HTTPProxy(answer, hang_up=True))
        assert isinstance(exc, InvalidProxyStatus)
        assert exc.response.status_code == 302

    @pytest.mark.parametrize(
        ("answer", "hang_up"),
        [
            # More than it sends, more than we read, and without an end.
            (b"Content-Length: 10\r\n\r\nsorry", True),
            (b"Content-Length: 10\r\n\r\nsorry", False),
            (b"Content-Length: 10000000000\r\n\r\nsorry", False),
            (b"Content-Length: 5, 6\r\n\r\nsorry", False),
            (b"Transfer-Encoding: chunked\r\n\r\n5\r\nsorry\r\n6\r\nabc", False),
            (b"Transfer-Encoding: chunked\r\n\r\n5\r\nsorry\r\nnonsense\r\n", False),
            (b"\r\nsorry", False),
            (b"\r\nsorry", True),
        ],
    )
    async def test_the_start_of_the_body(
        self,
        face: Face,
        answer: bytes,
        hang_up: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("websockets.asyncio.proxying.BODY_TIMEOUT", 0.01)
        proxy = HTTPProxy(b"HTTP/1.0 503 No\r\n" + answer, hang_up=hang_up)
        exc = await self.refused(face, proxy)
        assert isinstance(exc, InvalidProxyStatus)
        assert exc.response.status_code == 503
        assert exc.response.body == b"sorry"

    @pytest.mark.parametrize(
        ("answer", "cause"),
        [
            (b"hello\r\n", "invalid HTTP status line: hello"),
            (b"\x05\xff", "invalid HTTP status line"),
            (b"", "connection closed while reading HTTP status line"),
            (b"HTTP/1.1 200", "connection closed while reading HTTP status line"),
            (b"HTTP/1.1 200 OK\r\n", "connection closed while reading HTTP headers"),
            (b"HTTP/2 200 OK\r\n\r\n", "unsupported protocol"),
            (b"HTTP/1.1 200 OK\r\n a: b\r\n\r\n", "unsupported HTTP header folding"),
            (b"HTTP/1.1 200 " + b"x" * 9000, "HTTP status line exceeds limit"),
            (b"HTTP/1.1 200 OK\r\na: " + b"x" * 9000, "HTTP header line exceeds"),
            (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 129, "HTTP head exceeds limit"),
            (
                b"HTTP/1.1 200 OK\r\n" + (b"a: " + b"x" * 8000 + b"\r\n") * 9,
                "HTTP head exceeds limit of 65536 bytes",
            ),
        ],
    )
    async def test_not_http(self, face: Face, answer: bytes, cause: str) -> None:
        hang_up = "closed" in cause
        exc = await self.refused(face, HTTPProxy(answer, hang_up=hang_up))
        assert isinstance(exc, InvalidProxyMessage)
        assert str(exc) == "did not receive a valid HTTP response from the proxy"
        assert str(exc.__cause__).startswith(cause)

    async def test_nobody_there(self, face: Face) -> None:
        with pytest.raises(ConnectionRefusedError) as info:
            await face.connect("ws://localhost", proxy="http://a:b@localhost:1")
        [note] = info.value.__notes__
        assert note == "while connecting through the proxy http://localhost:1"

    async def test_interim_responses(self, face: Face) -> None:
        """They may come before the final one (RFC 9110, 15.2)."""
        answer = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" * 2 + REFUSAL
        exc = await self.refused(face, HTTPProxy(answer))
        assert isinstance(exc, InvalidProxyStatus)
        assert exc.response.status_code == 407

    async def test_switching_protocols_is_no_tunnel(self, face: Face) -> None:
        exc = await self.refused(face, HTTPProxy(b"HTTP/1.1 101 Why not\r\n\r\n"))
        assert isinstance(exc, InvalidProxyStatus)

    @pytest.mark.parametrize("credentials", [None, (b"user", b"other")])
    async def test_socks(self, face: Face, credentials: Any) -> None:
        pytest.importorskip("python_socks", reason="python-socks isn't installed")
        async with running(SOCKSProxy(refusal=2, credentials=credentials)) as proxy:
            with pytest.raises(ProxyError, match="SOCKS proxy did not connect: "):
                await face.connect(
                    "ws://elsewhere.test",
                    proxy=f"socks5h://user:secret@127.0.0.1:{proxy.port}",
                )
            await until(lambda: proxy.ended)

    async def test_socks_with_nobody_there(self, face: Face) -> None:
        pytest.importorskip("python_socks", reason="python-socks isn't installed")
        with pytest.raises(OSError) as info:
            await face.connect("ws://localhost", proxy="socks5://127.0.0.1:1")
        [note] = info.value.__notes__
        assert note == "while connecting through the proxy socks5://127.0.0.1:1"


class TestTime:
    """Neither proxies nor servers behind them can hold us up."""

    @pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
    async def test_silent_proxies(
        self, face: Face, scheme: str, clean_loop: list[Any]
    ) -> None:
        if scheme == "socks5h":
            pytest.importorskip("python_socks", reason="python-socks isn't installed")

        async def listen(raw: Raw) -> None:
            reached.append(raw)
            await raw.read_all()
            ended.append(raw)

        # On a busy machine, time may be up before the proxy is reached.
        reached: list[Raw] = []
        ended: list[Raw] = []
        async with raw_server(listen) as uri:
            port = uri.rpartition(":")[2].strip("/")
            with pytest.raises(TimeoutError):
                await face.connect(
                    "ws://elsewhere.test",
                    proxy=f"{scheme}://localhost:{port}",
                    open_timeout=0.05,
                )
            await until(lambda: len(ended) == len(reached))

    @pytest.mark.parametrize("inside", ["ws", "wss"])
    @pytest.mark.parametrize("outside", ["http", "https"])
    async def test_cancelling(
        self, face: Face, inside: str, outside: str, clean_loop: list[Any]
    ) -> None:
        """Whatever was reached, it's closed."""

        async def listen(raw: Raw) -> None:
            heard.append(await raw.reader.readexactly(3))
            connecting.cancel()
            await raw.read_all()
            ended.set()

        heard: list[bytes] = []
        ended = asyncio.Event()
        proxy_tls = server_tls() if outside == "https" else None
        async with (
            raw_server(listen) as uri,
            running(HTTPProxy(), proxy_tls) as proxy,
        ):
            connecting = asyncio.ensure_future(
                _connected(
                    face,
                    uri.replace("ws", inside),
                    proxy=f"{outside}://localhost:{proxy.port}",
                    proxy_ssl=client_tls() if outside == "https" else None,
                )
            )
            with pytest.raises(asyncio.CancelledError):
                await connecting
            await ended.wait()
            await until(lambda: proxy.ended)
        assert heard == [b"GET" if inside == "ws" else b"\x16\x03\x01"]

    async def test_cancelling_while_the_proxy_thinks(self, face: Face) -> None:
        class Thoughtful(HTTPProxy):
            async def talk(self, raw: Raw) -> None:
                await raw.read_head()
                connecting.cancel()
                await raw.read_all()

        async with running(Thoughtful()) as proxy:
            connecting = asyncio.ensure_future(
                _connected(face, "ws://h", proxy=f"http://localhost:{proxy.port}")
            )
            with pytest.raises(asyncio.CancelledError):
                await connecting
            await until(lambda: proxy.ended)


async def _connected(face: Face, uri: str, **kwargs: Any) -> Any:
    return await face.connect(uri, **kwargs)


class TestEarlyBytes:
    """What comes together with the proxy's answer."""

    OK = b"HTTP/1.1 200 OK\r\n\r\n"

    @pytest.mark.parametrize("hang_up", [False, True])
    async def test_a_server_that_speaks_first(self, face: Face, hang_up: bool) -> None:
        early = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
        async with running(HTTPProxy(self.OK + early, hang_up=hang_up)) as proxy:
            with pytest.raises(InvalidHandshake) as info:
                await face.connect("ws://h", proxy=f"http://localhost:{proxy.port}")
        error: Any = info.value.__cause__ or info.value
        assert isinstance(error, InvalidStatus)
        assert error.response.body == b"busy"

    async def test_before_tls(self, face: Face) -> None:
        async with running(HTTPProxy(self.OK + b"\x16\x03\x01")) as proxy:
            with pytest.raises(InvalidProxyMessage, match="3 bytes followed"):
                await face.connect("wss://h", proxy=f"http://localhost:{proxy.port}")
            await until(lambda: proxy.ended)

    @pytest.mark.parametrize("scheme", ["ws", "wss"])
    @pytest.mark.parametrize("outside", ["http", "https"])
    async def test_a_proxy_that_leaves(
        self, face: Face, scheme: str, outside: str
    ) -> None:
        proxy_tls = server_tls() if outside == "https" else None
        async with running(HTTPProxy(self.OK, hang_up=True), proxy_tls) as proxy:
            with pytest.raises((OSError, InvalidHandshake)):
                await face.connect(
                    f"{scheme}://h",
                    proxy=f"{outside}://localhost:{proxy.port}",
                    proxy_ssl=client_tls() if outside == "https" else None,
                )
