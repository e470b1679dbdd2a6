"""Arguments that all faces take, checked at the call (websockets.asyncio.arguments)."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from typing import Any

import pytest

from faces.support import echo
from websockets.asyncio import client as modern_client
from websockets.asyncio import server as modern_server
from websockets.asyncio.arguments import (
    check_arguments,
    check_connection,
    check_options,
    check_settings,
    with_compression,
)
from websockets.asyncio.connection import Connection
from websockets.classic import client as classic_client
from websockets.classic import server as classic_server
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    enable_client_permessage_deflate,
)
from websockets.uri import parse_uri

FACTORIES = [ClientPerMessageDeflateFactory()]


async def an_async_function(*args: Any) -> None: ...


#: Wrong values, each with the error and what its text must say besides the name.
WRONG: list[tuple[str, Any, type[Exception], str]] = [
    ("additional_headers", 1, TypeError, "headers"),
    ("additional_headers", {"a": None}, TypeError, "NoneType"),
    ("additional_headers", {"a b": "c"}, ValueError, "name"),
    ("additional_headers", {"a": "b\n"}, ValueError, r"'\\n'"),
    ("check_credentials", 1, TypeError, "function"),
    ("create_connection", 1, TypeError, "function"),
    ("create_protocol", 1, TypeError, "function"),
    ("create_router", 1, TypeError, "function"),
    ("extensions", 1, TypeError, "list"),
    ("extensions", [1], TypeError, "factories"),
    ("extra_headers", 1, TypeError, "headers"),
    ("handler", 1, TypeError, "function"),
    ("handler", None, TypeError, "NoneType"),
    ("host", 1, TypeError, "str"),
    ("logger", "name", TypeError, "logger"),
    ("origin", 1, TypeError, "str"),
    ("origin", "a\r\nb", ValueError, "Origin header"),
    ("origins", "https://example.com", TypeError, "list"),
    ("origins", 1, TypeError, "list"),
    ("origins", [b"https://example.com"], TypeError, "patterns"),
    ("port", 1.5, TypeError, "int"),
    ("process_exception", 1, TypeError, "function"),
    ("process_request", 1, TypeError, "function"),
    ("process_response", 1, TypeError, "function"),
    ("reconnect_delays", 1, TypeError, "function"),
    ("select_subprotocol", 1, TypeError, "function"),
    ("select_subprotocol", an_async_function, TypeError, "async"),
    ("server_header", b"server", TypeError, "str"),
    ("server_header", "a\0", ValueError, "Server header"),
    ("subprotocols", "chat", TypeError, "list"),
    ("subprotocols", {"chat"}, TypeError, "list"),
    ("subprotocols", [1], TypeError, "str"),
    ("subprotocols", ["a b"], ValueError, "'a b'"),
    ("user_agent_header", 1, TypeError, "str"),
    ("user_agent_header", "a\n", ValueError, "User-Agent header"),
]

RIGHT = [
    *[("additional_headers", {"a": "b"}), ("additional_headers", [("a", "b")])],
    *[("additional_headers", Headers()), ("additional_headers", dict)],
    *[("extensions", FACTORIES), ("extensions", ()), ("handler", echo)],
    *[("host", "::1"), ("host", ["::1", "127.0.0.1"]), ("host", None)],
    *[("port", 0), ("port", "http"), ("logger", logging.getLogger())],
    ("logger", logging.LoggerAdapter(logging.getLogger(), {})),
    *[("origin", "null"), ("origins", [None, "a", re.compile("b")])],
    *[("select_subprotocol", max), ("process_request", an_async_function)],
    *[("server_header", "é"), ("subprotocols", ["a"]), ("subprotocols", None)],
]

#: What connect() and serve() of the faces take.
CONNECT = {"additional_headers", "create_connection", "extensions", "logger"} | {
    *{"origin", "process_exception", "reconnect_delays", "subprotocols"},
    *{"user_agent_header"},
}
SERVE = {"create_connection", "extensions", "handler", "host", "logger", "origins"} | {
    *{"port", "process_request", "process_response", "select_subprotocol"},
    *{"server_header", "subprotocols"},
}
CALLS: list[tuple[Any, dict[str, Any], set[str], dict[str, str]]] = [
    (modern_client.connect, {"uri": "ws://localhost"}, CONNECT, {}),
    (modern_server.serve, {"handler": echo}, SERVE, {}),
    (
        classic_client.connect,
        {"uri": "ws://localhost"},
        CONNECT | {"extra_headers", "create_protocol"},
        {},
    ),
    (
        classic_server.serve,
        {"ws_handler": echo},
        SERVE | {"extra_headers", "create_protocol"},
        {"handler": "ws_handler"},
    ),
]


@pytest.mark.parametrize("name, value, error, text", WRONG)
def test_wrong_arguments(
    name: str, value: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=f"^(invalid )?{name.rstrip('s')}s?.*{text}"):
        check_arguments(**{name: value})


@pytest.mark.parametrize("name, value", RIGHT)
def test_right_arguments(name: str, value: Any) -> None:
    check_arguments(**{name: value})


@pytest.mark.parametrize("call, others, names, spellings", CALLS)
def test_they_fail_at_the_call(
    call: Any, others: dict[str, Any], names: set[str], spellings: dict[str, str]
) -> None:
    tried = set()
    for name, value, error, _ in WRONG:
        if name in names:
            tried.add(name)
            argument = spellings.get(name, name)
            with pytest.raises(error, match=f"{name.rstrip('s')}"):
                call(**{**others, argument: value})
    assert tried == names


def test_settings() -> None:
    check_settings((None, 1), open_timeout=None, max_queue=(2, 1))
    with pytest.raises(TypeError, match="max_size"):
        check_settings("1")
    with pytest.raises(ValueError, match="ping_interval"):
        check_settings(None, ping_interval=-1)


def test_compression() -> None:
    def enable(compression: str | None) -> int:
        extensions = with_compression([], compression, enable_client_permessage_deflate)
        return len(extensions or ())

    assert enable("deflate") == 1
    assert enable(None) == 0
    with pytest.raises(ValueError, match="compression: zip"):
        enable("zip")
    wrong: Any = [1]
    with pytest.raises(TypeError, match="extensions"):
        with_compression(wrong, "deflate", enable_client_permessage_deflate)


@pytest.mark.parametrize(
    "caller, name, other",
    [("connect", "local_addr", "backlog"), ("serve", "reuse_port", "server_hostname")],
)
def test_options(caller: str, name: str, other: str) -> None:
    check_options(caller, {name: 1, "sock": 1, "path": 1, "ssl": None})
    with pytest.raises(TypeError, match=f"{caller}.. .* '{other}'"):
        check_options(caller, {other: 1})


def test_tls_of_servers() -> None:
    check_options("serve", {"ssl": ssl.create_default_context()})
    for value in True, "context":
        with pytest.raises(TypeError, match="ssl must be an ssl.SSLContext"):
            check_options("serve", {"ssl": value})


async def test_connections() -> None:
    connection = Connection(ClientProtocol(parse_uri("ws://localhost")))
    assert check_connection(connection) is connection
    for other in None, asyncio.Protocol(), Connection:
        with pytest.raises(TypeError, match="create_connection.* must return a conn"):
            check_connection(other)
