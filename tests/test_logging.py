"""The user's page about logging: every code block and every statement of it."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import logging
import re
import uuid
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

import websockets
from faces.support import (
    Logs,
    Raw,
    classic,
    echo,
    pair,
    pass_time,
    raw_client,
    raw_server,
    turns,
    until,
    uri_of,
)
from websockets.frames import Frame

pytestmark = pytest.mark.usefixtures("clean_loop")


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Let a test configure the root logger, and put it back."""
    root = logging.getLogger()
    package = logging.getLogger("websockets")
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
    package.handlers.clear()
    package.filters.clear()
    package.propagate = True
    package.setLevel(logging.NOTSET)


async def talk(**options: Any) -> Any:
    """Have a client and a server exchange something; return the server's end."""
    seen: list[Any] = []

    async def handler(websocket: Any) -> None:
        seen.append(websocket)
        await echo(websocket)

    async with websockets.serve(handler, "localhost", 0, **options) as server:
        async with websockets.connect(
            uri_of(server), extra_headers={"X-Forwarded-For": "192.0.2.1"}
        ) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
    return seen[0]


# "Here's a basic configuration for a server in production".


async def test_basic_configuration(root: logging.Logger) -> None:
    root.handlers.clear()  # pytest's own
    stream = io.StringIO()
    logging.basicConfig(
        format="%(asctime)s %(message)s",
        level=logging.INFO,
        stream=stream,
    )
    await talk()
    lines = stream.getvalue().splitlines()
    assert all(
        re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", line) for line in lines
    )
    texts = [line[24:] for line in lines]
    # Sockets of both families may listen.
    assert [text for text in texts if not text.startswith("server listening")] == [
        "connection open", "connection closed", "server closing", "server closed",
    ]  # fmt: skip


async def test_debug_configuration(root: logging.Logger) -> None:
    root.handlers.clear()  # pytest's own
    stream = io.StringIO()
    logging.basicConfig(
        format="%(message)s",
        level=logging.DEBUG,
        stream=stream,
    )
    await talk()
    lines = stream.getvalue().splitlines()
    for line in (
        "= connection is OPEN", "> TEXT 'hello' [5 bytes]", "< TEXT 'hello' [5 bytes]",
        "= connection is CLOSING", "= connection is CLOSED", "> GET / HTTP/1.1",
        "< HTTP/1.1 101 Switching Protocols", "x closing TCP connection",
        "< CLOSE 1000 (OK) [2 bytes]", "> CLOSE 1000 (OK) [2 bytes]",
    ):  # fmt: skip
        assert line in lines, line


async def test_the_formatter_that_does_not_work(root: logging.Logger) -> None:
    """It crashes where there is no connection, and works where there is one."""
    root.handlers.clear()  # pytest's own
    stream = io.StringIO()
    # this doesn't work!
    logging.basicConfig(
        format="{asctime} {websocket.id} {websocket.remote_address[0]} {message}",
        level=logging.INFO,
        style="{",
        stream=stream,
    )
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        connection = await talk()
    lines = stream.getvalue().splitlines()
    address = connection.remote_address[0]
    assert [line.split(" ", 2)[2] for line in lines] == [
        f"{connection.id} {address} connection open",
        f"{connection.id} {address} connection closed",
    ]
    assert "websocket" in errors.getvalue()


# The first example: connection ID and X-Forwarded-For, as it stands there.


async def test_enriching_logs(root: logging.Logger) -> None:
    root.handlers.clear()  # pytest's own
    stream = io.StringIO()
    logging.basicConfig(stream=stream)
    logging.basicConfig(
        format="%(asctime)s %(message)s",
        level=logging.INFO,
    )
    root.setLevel(logging.INFO)

    class LoggerAdapter(logging.LoggerAdapter):  # type: ignore[type-arg]
        """Add connection ID and client IP address to websockets logs."""

        def process(self, msg, kwargs):  # type: ignore[no-untyped-def]
            try:
                websocket = kwargs["extra"]["websocket"]
            except KeyError:
                return msg, kwargs
            xff = websocket.request_headers.get("X-Forwarded-For")
            return f"{websocket.id} {xff} {msg}", kwargs

    connection = await talk(
        # Python < 3.10 requires passing None as the second argument.
        logger=LoggerAdapter(logging.getLogger("websockets.server"), None),
    )
    prefix = "INFO:websockets.server:"
    lines = stream.getvalue().splitlines()
    assert f"{prefix}{connection.id} 192.0.2.1 connection open" in lines
    assert f"{prefix}{connection.id} 192.0.2.1 connection closed" in lines
    assert f"{prefix}server closed" in lines
    uuid.UUID(str(connection.id))


# The second example: JSON, as it stands there.


class JSONFormatter(logging.Formatter):
    """
    Render logs as JSON.

    To add details to a log record, store them in a ``event_data``
    custom attribute. This dict is merged into the event.

    """

    def __init__(self):  # type: ignore[no-untyped-def]
        pass  # override logging.Formatter constructor

    def format(self, record):  # type: ignore[no-untyped-def]
        event = {
            "timestamp": self.getTimestamp(record.created),
            "message": record.getMessage(),
            "level": record.levelname,
            "logger": record.name,
        }
        event_data = getattr(record, "event_data", None)
        if event_data:
            event.update(event_data)
        if record.exc_info:
            event["exc_info"] = self.formatException(record.exc_info)
        if record.stack_info:
            event["stack_info"] = self.formatStack(record.stack_info)
        return json.dumps(event)

    def getTimestamp(self, created):  # type: ignore[no-untyped-def]
        return datetime.datetime.utcfromtimestamp(created).isoformat()


@pytest.mark.filterwarnings("ignore:.*utcfromtimestamp:DeprecationWarning")
async def test_json(root: logging.Logger) -> None:
    root.handlers.clear()  # pytest's own
    formatter = JSONFormatter()  # type: ignore[no-untyped-call]
    stream = io.StringIO()
    with contextlib.redirect_stderr(stream):
        handler = logging.StreamHandler()
        handler.setFormatter(formatter)

        logger = logging.getLogger()
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)

    class LoggerAdapter(logging.LoggerAdapter):  # type: ignore[type-arg]
        """Add connection ID and client IP address to websockets logs."""

        def process(self, msg, kwargs):  # type: ignore[no-untyped-def]
            try:
                websocket = kwargs["extra"]["websocket"]
            except KeyError:
                return msg, kwargs
            kwargs["extra"]["event_data"] = {
                "connection_id": str(websocket.id),
                "remote_addr": websocket.request_headers.get("X-Forwarded-For"),
            }
            return msg, kwargs

    async def fail(websocket: Any) -> None:
        await websocket.recv()
        raise ZeroDivisionError("oops")

    async with websockets.serve(
        fail,
        "localhost",
        0,
        # Python < 3.10 requires passing None as the second argument.
        logger=LoggerAdapter(logging.getLogger("websockets.server"), None),
    ) as server:
        headers = {"X-Forwarded-For": "192.0.2.1"}
        async with websockets.connect(uri_of(server), extra_headers=headers) as client:
            await client.send("a")
            await client.wait_closed()
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    (opened,) = [e for e in events if e["message"] == "connection open"]
    assert opened["level"] == "INFO"
    assert opened["logger"] == "websockets.server"
    assert opened["remote_addr"] == "192.0.2.1"
    assert datetime.datetime.fromisoformat(opened["timestamp"])
    (failed,) = [e for e in events if e["message"] == "connection handler failed"]
    assert failed["connection_id"] == opened["connection_id"]
    assert "ZeroDivisionError: oops" in failed["exc_info"]
    (closing,) = [e for e in events if e["message"] == "server closing"]
    assert "connection_id" not in closing


# Adapters of all kinds, for clients as well.


class Nested(logging.LoggerAdapter):  # type: ignore[type-arg]
    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        return f"[{kwargs['extra']['websocket'].side}] {msg}", kwargs


@pytest.mark.parametrize(
    "adapter",
    [
        lambda logger: logger,
        lambda logger: logging.LoggerAdapter(logger, {"a": 1}),
        lambda logger: logging.LoggerAdapter(logging.LoggerAdapter(logger, {"a": 1})),
        lambda logger: Nested(logger, {"a": 1}),
        lambda logger: logging.LoggerAdapter(Nested(logger)),
    ],
)
async def test_loggers_of_all_kinds(logs: Logs, adapter: Any) -> None:
    logger = adapter(logging.getLogger("websockets.custom"))
    async with pair(classic, {}, {"logger": logger}) as (client, server):
        await client.send("a")
        await server.recv()
        client.logger.info("mine", extra={"more": 2})
    mine = [r for r in logs.records if r.name == "websockets.custom"]
    assert mine
    assert all(r.websocket is client for r in mine)  # type: ignore[attr-defined]
    (record,) = [r for r in mine if "mine" in r.getMessage()]
    assert record.more == 2  # type: ignore[attr-defined]
    if type(logger) is logging.LoggerAdapter and logger.extra:
        assert record.a == 1  # type: ignore[attr-defined]


# "websockets adds a websocket attribute to log records".


async def test_the_websocket_attribute(logs: Logs) -> None:
    async with pair(classic) as (client, server):
        await client.send("a")
        await server.recv()
        await client.ping()
    for record in logs.records:
        about_server = record.getMessage().startswith("server ")
        if about_server:
            assert not hasattr(record, "websocket"), record.getMessage()
        elif record.name == "websockets.client":
            assert record.websocket is client  # type: ignore[attr-defined]
        else:
            assert record.name == "websockets.server"
            assert record.websocket is server  # type: ignore[attr-defined]


# "Disable logging".


async def test_nothing_is_shown_without_configuration(root: logging.Logger) -> None:
    """But for messages of severity WARNING and higher."""
    root.handlers.clear()  # pytest's own

    async def fail(websocket: Any) -> None:
        raise ZeroDivisionError

    async def run() -> str:
        stream = io.StringIO()
        with mock.patch.object(logging, "lastResort", logging.StreamHandler(stream)):
            logging.lastResort.setLevel(logging.WARNING)  # type: ignore[union-attr]
            async with websockets.serve(fail, "localhost", 0) as server:
                async with websockets.connect(uri_of(server)) as client:
                    await client.wait_closed()
        return stream.getvalue()

    shown = await run()
    assert shown.startswith("connection handler failed\nTraceback")
    logging.getLogger("websockets").addHandler(logging.NullHandler())
    assert await run() == ""


def disable_by_propagation() -> None:
    logging.getLogger("websockets").addHandler(logging.NullHandler())
    logging.getLogger("websockets").propagate = False


def disable_by_level() -> None:
    logging.getLogger("websockets").setLevel(logging.CRITICAL)


@pytest.mark.parametrize("disable", [disable_by_propagation, disable_by_level])
async def test_disabling_logs(root: logging.Logger, disable: Any) -> None:
    async def fail(websocket: Any) -> None:
        raise ZeroDivisionError

    logs = Logs()
    root.addHandler(logs)
    root.setLevel(logging.DEBUG)
    disable()
    async with websockets.serve(fail, "localhost", 0) as server:
        async with websockets.connect(uri_of(server)) as client:
            await client.wait_closed()
    assert not [r for r in logs.records if r.name.startswith("websockets")]


def test_a_filter_drops_what_is_logged_to_its_own_logger(root: logging.Logger) -> None:
    """Loggers don't ask the filters of their parents: that's how logging works."""
    logs = Logs()
    root.addHandler(logs)
    logging.getLogger("websockets").addFilter(lambda record: None)  # type: ignore[arg-type, return-value]
    logging.getLogger("websockets").error("dropped")
    logging.getLogger("websockets.server").error("kept")
    assert logs.texts() == ["kept"]


# "Log levels". Errors in the opening handshake that the peer makes aren't ours.


async def test_levels(logs: Logs) -> None:
    async def fail(websocket: Any) -> None:
        await websocket.recv()
        raise ZeroDivisionError

    async with websockets.serve(fail, "localhost", 0) as server:
        async with websockets.connect(uri_of(server)) as client:
            await client.send("a")
            await client.wait_closed()
        async with raw_client(server) as raw:
            raw.write(b"junk\r\n\r\n")
            await raw.read_all()
        async with raw_client(server) as raw:
            await raw.handshake()
            raw.write(b"\xff\xff")
            await raw.read_frame()
        await until(lambda: not server.websockets)
    # Handlers may catch ConnectionClosed to prevent the second one.
    assert logs.texts(logging.ERROR) == ["connection handler failed"] * 2
    assert logs.texts(logging.WARNING) == []
    info = [t for t in logs.texts(logging.INFO) if not t.startswith("server listening")]
    assert info == [
        "connection open", "connection closed", "connection rejected (400 Bad Request)",
        "connection open", "connection closed", "server closing", "server closed",
    ]  # fmt: skip
    for text in logs.texts(logging.DEBUG):
        assert re.match(r"[><=x%!] ", text), text


async def test_a_client_is_silent_above_debug(logs: Logs) -> None:
    async with pair(classic, {"logger": logging.getLogger("other")}) as (client, _):
        await client.send("a")
    assert {r.levelno for r in logs.records} == {logging.DEBUG}


async def test_prefixes_of_keepalive(logs: Logs) -> None:
    async with pair(classic) as (client, server):
        pass_time(client, 20.1)
        await until(lambda: not len(client._session.pings))
        await (await client.ping(b"\x00\x01"))
    texts = logs.texts(logging.DEBUG)
    assert any(re.match(r"% sending keepalive ping [0-9a-f]{8}$", t) for t in texts)
    assert any(re.match(r"% received pong for ping [0-9a-f]{8}$", t) for t in texts)
    assert "% received pong for ping 0001" in texts
    assert "> PING 00 01 [binary, 2 bytes]" in texts or any(
        t.startswith("> PING ") for t in texts
    )


async def test_prefixes_of_timeouts(logs: Logs) -> None:
    async def script(raw: Raw) -> None:
        await raw.accept()
        await raw.read_all()

    async with raw_server(script) as uri:
        client = await websockets.connect(uri)
        pass_time(client, 20.1)
        await turns(2)
        pass_time(client, 40.2)
        pass_time(client, 60)
        await client.wait_closed()
    texts = logs.texts(logging.DEBUG)
    assert "! timed out waiting for keepalive pong" in texts
    assert "! timed out waiting for the end of the connection" in texts
    assert "= connection is CLOSED" in texts
    assert any(t.startswith("x connection lost") for t in texts)


# Shortening and masking.


async def test_payloads_are_shortened(logs: Logs) -> None:
    async with pair(classic) as (client, server):
        await client.send("x" * 1_000_000)
        await server.recv()
        await client.send(bytes(500_000))
        await server.recv()
        await client.send(["a" * 300_000, "b" * 300_000])
        await server.recv()
        await client.close(1000, "r" * 100)
    assert max(map(len, logs.texts())) < 250


async def test_secrets_are_masked(logs: Logs) -> None:
    headers = {"Cookie": "sid=secret", "Proxy-Authorization": "Bearer secret"}
    async with websockets.serve(
        echo, "localhost", 0, extra_headers={"Set-Cookie": "sid=secret"}
    ) as server:
        uri = uri_of(server).replace("ws://", "ws://user:secret@")
        async with websockets.connect(uri, extra_headers=headers) as client:
            assert client.request_headers["Cookie"] == "sid=secret"
    text = "\n".join(logs.texts())
    for name in ("Authorization", "Cookie", "Proxy-Authorization", "Set-Cookie"):
        assert f"{name}: " in text
    assert "secret" not in text
    assert "c2VjcmV0" not in text
    assert "dXNlcjpzZWNyZXQ=" not in text


# Nothing is computed for a disabled level.


async def test_nothing_is_computed_for_a_disabled_level(root: logging.Logger) -> None:
    class Counting(logging.Logger):
        asked = 0

        def isEnabledFor(self, level: int) -> bool:
            if level == logging.DEBUG:
                Counting.asked += 1
            return super().isEnabledFor(level)

        def debug(self, *args: Any, **kwargs: Any) -> None:
            raise AssertionError("debug() was called")

    logger = Counting("websockets.counting", logging.WARNING)
    with mock.patch.object(Frame, "__str__", side_effect=AssertionError):
        async with pair(classic, {"logger": logger}, {"logger": logger}) as (c, s):
            asked = Counting.asked
            # Once for each connection.
            assert asked == 2
            for _ in range(10):
                await c.send("a" * 100)
                await s.recv()
                await (await c.ping())
            await c.send(["a", "b"])
            await s.recv()
            # No identifier was made either.
            assert c.protocol._id is None
    assert Counting.asked == 2


async def test_no_logger_is_made_before_it_is_needed(root: logging.Logger) -> None:
    logging.getLogger("websockets").setLevel(logging.WARNING)
    async with pair(classic) as (client, server):
        assert client.protocol._wrap_logger is not None
        assert client.logger.logger.name == "websockets.client"
        assert client.logger is client.logger


async def test_the_fields_of_the_cheat_sheet(root: logging.Logger) -> None:
    """Its configuration works; levels are the logging page's."""
    root.handlers.clear()  # pytest's own
    stream = io.StringIO()
    logger = logging.getLogger("websockets")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler(stream))
    await talk()
    assert "connection open\n" in stream.getvalue()


def test_no_default_configuration() -> None:
    for name in ("websockets", "websockets.client", "websockets.server"):
        assert not logging.getLogger(name).handlers
        assert logging.getLogger(name).propagate
        assert logging.getLogger(name).level == logging.NOTSET
