"""What only modern clients do (websockets.asyncio.client)."""

from __future__ import annotations

import asyncio
import email.utils
import logging
import pathlib
import tempfile
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from faces.support import (
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
from websockets.asyncio.client import (
    ClientConnection,
    connect,
    process_exception,
    unix_connect,
)
from websockets.asyncio.connecting import GivenDelays, _retry_after, without_secrets
from websockets.asyncio.server import Server, serve, unix_serve
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosedOK,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
    SecurityError,
)
from websockets.http11 import Response
from websockets.protocol import State
from websockets.session.backoff import LIVED, Backoff


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serve(echo, "localhost", 0) as running:
        yield running


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Have attempts follow each other at once; give the delays."""
    delays: list[float] = []

    async def pause(self: Any, backoff: Any, delay: float, exc: Any) -> None:
        delays.append(delay)

    monkeypatch.setattr(connect, "_pause", pause)
    return delays


def response(status: int, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", "Content-Length: 0"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def refusal(status: int, **headers: str) -> InvalidStatus:
    return InvalidStatus(Response(status, "", Headers(**headers)))


class TestConnect:
    async def test_ways_to_connect(self, server: Server) -> None:
        connection = await connect(uri_of(server))
        assert isinstance(connection, ClientConnection)
        await connection.send("a")
        assert await connection.recv() == "a"
        await connection.close()
        connecting = connect(uri_of(server))
        async with connecting as connection:
            assert connecting.connection is connection
            assert connection.state is State.OPEN
        assert connection.state is State.CLOSED  # type: ignore[comparison-overlap]
        async with await connect(uri_of(server)) as connection:
            assert connection.state is State.OPEN

    async def test_what_tells_the_faces_apart(self, server: Server) -> None:
        async with connect(uri_of(server, "/path?query")) as connection:
            assert not hasattr(connection, "open")
            assert not hasattr(connection, "closed")
            assert connection.request is not None
            assert connection.request.path == "/path?query"
            assert connection.response is not None
            assert connection.response.status_code == 101
            assert connection.ping_interval == connection.ping_timeout == 20
            assert connection.close_timeout == 10
            assert connection.max_queue == 16
            assert connection.write_limit == 2**15
            assert connection.local_address and connection.remote_address
            assert connection.close_code is None and connection.close_reason is None
        assert connection.close_code == 1000
        assert connection.close_reason == ""

    async def test_arguments(self, server: Server) -> None:
        class Mine(ClientConnection):
            pass

        async with connect(
            uri_of(server),
            origin="https://example.com",
            compression=None,
            additional_headers={"X-Mine": "1"},
            user_agent_header="me",
            proxy=None,
            close_timeout=3,
            max_size=(100, 10),
            max_queue=(5, 2),
            create_connection=Mine,
        ) as connection:
            assert type(connection) is Mine
            assert connection.request is not None
            headers = connection.request.headers
            assert headers["Origin"] == "https://example.com"
            assert headers["X-Mine"] == "1"
            assert headers["User-Agent"] == "me"
            assert "Sec-WebSocket-Extensions" not in headers
            assert connection.protocol.max_size == 100
            assert connection.protocol.reader.max_frame_size == 10
            assert connection.max_queue == (5, 2)
            connection.close_timeout = 4
            assert connection.close_timeout == 4

    @pytest.mark.parametrize(
        "arguments, error, text",
        [
            ({"uri": "http://localhost"}, InvalidURI, "scheme"),
            ({"proxy": False}, TypeError, "proxy"),
            ({"compression": "zip"}, ValueError, "compression"),
            ({"subprotocols": "chat"}, TypeError, "subprotocols"),
            ({"open_timeout": "1"}, TypeError, "open_timeout"),
            ({"max_size": -1}, ValueError, "max_size"),
            ({"max_queue": "1"}, TypeError, "max_queue"),
            ({"write_limit": (1, 2, 3)}, ValueError, "write_limit"),
            ({"create_connection": 1}, TypeError, "create_connection"),
            ({"process_exception": 1}, TypeError, "process_exception"),
            ({"reconnect_delays": 1}, TypeError, "reconnect_delays"),
            ({"ssl": True}, ValueError, "ssl"),
        ],
    )
    def test_wrong_arguments(
        self, arguments: dict[str, Any], error: type[Exception], text: str
    ) -> None:
        with pytest.raises(error, match=text):
            connect(**{"uri": "ws://localhost", **arguments})

    async def test_timeout(self) -> None:
        async def script(raw: Raw) -> None:
            await raw.read_all()

        async with raw_server(script) as uri:
            with pytest.raises(TimeoutError, match="timed out during opening handsh"):
                await connect(uri, open_timeout=0)

    async def test_refused(self, logs: Logs) -> None:
        async def script(raw: Raw) -> None:
            await raw.read_head()
            raw.write(response(404))

        async with raw_server(script) as uri:
            with pytest.raises(InvalidStatus, match="HTTP 404"):
                await connect(uri)
        # What was never open isn't said to be closed.
        assert logs.texts(logging.INFO) == []

    @pytest.mark.parametrize(
        "headers, error, text",
        [
            (lambda: 1, TypeError, "additional_headers"),
            (lambda: {"a": "b\n"}, ValueError, "additional_headers"),
        ],
    )
    async def test_wrong_headers_of_a_function(
        self, server: Server, headers: Any, error: type[Exception], text: str
    ) -> None:
        with pytest.raises(error, match=text):
            await connect(uri_of(server), additional_headers=headers)
        assert not server.live

    async def test_a_factory_that_makes_nothing(self, server: Server) -> None:
        with pytest.raises(TypeError, match="create_connection"):
            make: Any = lambda *args, **kwargs: None  # noqa: E731
            await connect(uri_of(server), create_connection=make)
        await until(lambda: not server.live)

    async def test_wrong_results_when_reconnecting(self, server: Server) -> None:
        delays: Any = lambda: 5  # noqa: E731
        with pytest.raises(TypeError, match="reconnect_delays must return an iter"):
            async for _ in connect(uri_of(server), reconnect_delays=delays):
                raise AssertionError("it fails before")
        process: Any = lambda exc: "nonsense"  # noqa: E731
        with pytest.raises(TypeError, match="process_exception must return an exc"):
            async for _ in connect(
                uri_of(server), origin="x", max_size=1, process_exception=process,
                subprotocols=["a"], additional_headers={"Sec-WebSocket-Version": "7"},
            ):  # fmt: skip
                raise AssertionError("it fails before")

    async def test_functions_are_called_for_each_attempt(self, server: Server) -> None:
        tokens = iter("abc")

        async def headers() -> dict[str, str]:
            return {"Authorization": next(tokens)}

        connecting = connect(lambda: uri_of(server), additional_headers=headers)
        for token in "ab":
            async with connecting as connection:
                assert connection.request is not None
                assert connection.request.headers["Authorization"] == token

    async def test_unix(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = str(pathlib.Path(folder) / "socket")
            async with unix_serve(echo, path), unix_connect(path) as connection:
                await connection.send("a")
                assert await connection.recv() == "a"
            async with unix_serve(echo, path, ssl=server_tls()):
                async with unix_connect(path, ssl=client_tls()) as connection:
                    assert connection.request is not None
                    assert connection.request.headers["Host"] == "localhost"
            async with unix_serve(echo, path):
                async with unix_connect(path, "ws://example/") as connection:
                    assert connection.request is not None
                    assert connection.request.headers["Host"] == "example"

    async def test_end_is_logged(self, server: Server, logs: Logs) -> None:
        async with connect(uri_of(server)):
            pass
        records = [
            record.getMessage()
            for record in logs.records
            if record.name == "websockets.client" and record.levelno == logging.INFO
        ]
        assert records == ["connection closed"]


class TestRedirects:
    async def test_followed(self, server: Server) -> None:
        async def script(raw: Raw) -> None:
            await raw.read_head()
            raw.write(response(302, Location=uri_of(server, "/there")))

        async with raw_server(script) as uri:
            connecting = connect(
                uri, additional_headers={"X": "1", "Authorization": "secret"}
            )
            async with connecting as connection:
                assert connecting.connection is connection
                assert connecting.uri == uri_of(server, "/there")
                assert connection.request is not None
                assert connection.request.path == "/there"
                assert connection.request.headers["X"] == "1"
                assert "Authorization" not in connection.request.headers

    async def test_not_followed_forever(self) -> None:
        async def script(raw: Raw) -> None:
            await raw.read_head()
            raw.write(response(302, Location="/again"))

        class Few(connect):
            MAX_REDIRECTS_ALLOWED = 2

        async with raw_server(script) as uri:
            with pytest.raises(SecurityError, match="more than 2 redirects"):
                await Few(uri)

    async def test_overridden(self) -> None:
        async def script(raw: Raw) -> None:
            await raw.read_head()
            raw.write(response(302, Location="ws://localhost:1/"))

        seen = []

        class Mine(connect):
            def process_redirect(self, exc: Exception) -> Exception | str:
                seen.append(self.uri)
                if len(seen) > 1:
                    return RuntimeError("enough")
                return exc

        async with raw_server(script) as uri:
            with pytest.raises(InvalidStatus):
                await Mine(uri)
            with pytest.raises(RuntimeError, match="enough") as info:
                await Mine(uri)
            assert isinstance(info.value.__cause__, InvalidStatus)
            assert seen == [uri, uri]

    async def test_to_elsewhere_although_told_where(self, server: Server) -> None:
        async def script(raw: Raw) -> None:
            await raw.read_head()
            raw.write(response(302, Location="ws://example.com/"))

        async with raw_server(script) as uri:
            with pytest.raises(ValueError, match="with the host argument"):
                await connect(uri, host="localhost")

    def test_secrets(self) -> None:
        assert without_secrets(None) is None
        kept = Headers(without_secrets({"cookie": "a", "X": "b"}) or ())
        assert list(kept) == ["x"]


class TestReconnection:
    @pytest.mark.parametrize(
        "exc, retried",
        [
            (OSError(), True),
            (EOFError(), True),
            (TimeoutError(), True),
            (InvalidMessage("lost"), True),
            (refusal(503), True),
            (refusal(404), False),
            (ValueError(), False),
            (SecurityError(), False),
        ],
    )
    def test_process_exception(self, exc: Exception, retried: bool) -> None:
        assert process_exception(exc) is (None if retried else exc)

    def test_junk_is_final(self) -> None:
        exc = InvalidMessage("junk")
        exc.__cause__ = ValueError()
        assert process_exception(exc) is exc

    async def test_connecting_again(self, no_pause: list[float]) -> None:
        statuses = iter([500, 503, 101, 101, 404])

        async def script(raw: Raw) -> None:
            status = next(statuses)
            if status == 101:
                await raw.accept()
                await raw.read_all()
            else:
                await raw.read_head()
                raw.write(response(status, Retry_After="1000"))

        async with raw_server(script) as uri:
            connections = []
            with pytest.raises(InvalidStatus, match="404"):
                async for connection in connect(uri):
                    connections.append(connection)
                    connection.transport.abort()
        assert len(connections) == 2
        assert no_pause[:2] == [1000, 1000]
        assert 0 < no_pause[2] < 100

    async def test_other_exception(self, server: Server) -> None:
        def process(exc: Exception) -> Exception:
            return RuntimeError("final")

        async def script(raw: Raw) -> None:
            """Say nothing."""

        async with raw_server(script) as uri:
            with pytest.raises(RuntimeError, match="final") as info:
                async for _ in connect(uri, process_exception=process):
                    raise AssertionError
            assert isinstance(info.value.__cause__, InvalidMessage)

    async def test_given_delays(self, no_pause: list[float]) -> None:
        async def script(raw: Raw) -> None:
            await raw.read_head()
            raw.write(response(503))

        async with raw_server(script) as uri:
            with pytest.raises(InvalidStatus):
                async for _ in connect(uri, reconnect_delays=lambda: [1, 2]):
                    raise AssertionError
        assert no_pause == [1, 2]

    async def test_given_delays_end(
        self, server: Server, no_pause: list[float]
    ) -> None:
        number = 0
        async for _ in connect(uri_of(server), reconnect_delays=lambda: [3]):
            number += 1
        assert number == 2
        assert no_pause == [3]

    async def test_server_says_to_come_back_later(
        self, monkeypatch: pytest.MonkeyPatch, no_pause: list[float]
    ) -> None:
        # Even after a connection that lived for long.
        monkeypatch.setattr(Backoff, "ended", lambda self, lived: 0.0)

        async def restart(websocket: Any) -> None:
            await websocket.close(1012)

        number = 0
        async with serve(restart, "localhost", 0) as server:
            async for websocket in connect(uri_of(server)):
                number += 1
                await websocket.wait_closed()
                if number == 2:
                    break
        assert len(no_pause) == 1

    async def test_at_once_after_a_long_life(
        self, server: Server, monkeypatch: pytest.MonkeyPatch, no_pause: list[float]
    ) -> None:
        monkeypatch.setattr(Backoff, "ended", lambda self, lived: 0.0)
        number = 0
        async for websocket in connect(uri_of(server)):
            number += 1
            if number == 3:
                break
            await websocket.close()
        assert not no_pause

    def test_given_delays_begin_again(self) -> None:
        delays = GivenDelays(lambda: [1, 2])
        assert [delays.failed(), delays.failed()] == [1, 2]
        assert delays.failed() == float("inf")
        assert delays.ended(LIVED) == 0
        assert delays.ended(LIVED - 1) == 1

    async def test_pauses_are_logged(
        self, server: Server, logs: Logs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slept = []

        async def sleep(delay: float) -> None:
            slept.append(delay)

        connecting = connect(uri_of(server))
        backoff = Backoff()
        exc = OSError("refused")
        with monkeypatch.context() as patched:
            patched.setattr(asyncio, "sleep", sleep)
            await connecting._pause(backoff, 1.25, None)
            for _ in range(2):
                backoff.failed()
                await connecting._pause(backoff, 2.25, exc)
        assert slept == [1.25, 2.25, 2.25]
        assert logs.texts(logging.INFO)[-3:] == [
            "connection ended early; reconnecting in 1.2 seconds",
            "! connect failed; reconnecting in 2.2 seconds",
            "! connect failed; reconnecting in 2.2 seconds",
        ]

    @pytest.mark.parametrize(
        "exc, seconds",
        [
            (OSError(), 0),
            (refusal(503), 0),
            (refusal(503, Retry_After="x"), 0),
            (refusal(503, **{"Retry-After": "x"}), 0),
            (refusal(503, **{"Retry-After": "120"}), 120),
            (refusal(503, **{"Retry-After": "999999"}), 3600),
            (refusal(503, **{"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}), 0),
        ],
    )
    def test_retry_after(self, exc: Exception, seconds: float) -> None:
        assert _retry_after(exc) == seconds

    def test_retry_after_a_date(self) -> None:
        date = email.utils.formatdate(time.time() + 100, usegmt=True)
        assert 90 < _retry_after(refusal(503, **{"Retry-After": date})) <= 100

    async def test_port(self, server: Server) -> None:
        # A port of its own overrides the URI's.
        async with connect("ws://localhost:1/", port=port_of(server)) as connection:
            await connection.close()
            with pytest.raises(ConnectionClosedOK):
                await connection.recv()
