"""Every name is where users' code imports it from, in the versions it was made for."""

from __future__ import annotations

import ast
import importlib
import pathlib
import subprocess
import sys
import types
from typing import Any

import pytest

import websockets

CLASSIC_CONNECTIONS = [
    "WebSocketClientProtocol",
    "WebSocketCommonProtocol",
    "WebSocketServer",
    "WebSocketServerProtocol",
]
BASIC_AUTH = ["BasicAuthWebSocketServerProtocol", "basic_auth_protocol_factory"]
CONNECT = ["connect", "unix_connect", "WebSocketClientProtocol"]
SERVE = [
    *["broadcast", "serve", "unix_serve"],
    *["WebSocketServerProtocol", "WebSocketServer"],
]
CLASSIC_ERRORS = ["AbortHandshake", "InvalidStatusCode", "RedirectHandshake"]
ERRORS = [
    *["ConcurrencyError", "ConnectionClosed", "ConnectionClosedError"],
    *["ConnectionClosedOK", "DuplicateParameter", "HeaderLineTooLong"],
    *["InvalidHandshake", "InvalidHeader", "InvalidHeaderFormat"],
    *[
        "InvalidHeaderValue",
        "InvalidHost",
        "InvalidMessage",
        "InvalidMethod",
        "InvalidOrigin",
    ],
    *["InvalidParameterName", "InvalidParameterValue", "InvalidProtocol"],
    *["InvalidProxy", "InvalidProxyMessage", "InvalidProxyStatus", "InvalidState"],
    *["InvalidStatus", "InvalidURI", "InvalidUpgrade", "NegotiationError"],
    *["PayloadTooBig", "ProtocolError", "ProxyError", "RequestLineTooLong"],
    *["SecurityError", "StatusLineTooLong", "TooManyFragments", "TooManyHeaders"],
    *["WebSocketException", "WebSocketProtocolError"],
]
TYPES = [
    *["Data", "ExtensionName", "ExtensionParameter", "LoggerLike", "Origin"],
    *["StatusLike", "Subprotocol"],
]
EXTENSIONS = ["Extension", "ClientExtensionFactory", "ServerExtensionFactory"]
DEFLATE = [
    *["PerMessageDeflate", "ClientPerMessageDeflateFactory"],
    *["enable_client_permessage_deflate", "ServerPerMessageDeflateFactory"],
    *["enable_server_permessage_deflate"],
]
HEADERS = [
    *["build_host", "parse_connection", "parse_upgrade", "parse_extension"],
    *["build_extension", "parse_subprotocol", "build_subprotocol"],
    *["validate_subprotocols", "build_www_authenticate_basic"],
    *["parse_authorization_basic", "build_authorization_basic"],
]
OPCODES = ["CONT", "TEXT", "BINARY", "CLOSE", "PING", "PONG"]

#: The names at the top, by the address that they share with users of modules.
TOP = {
    "websockets.legacy.auth": BASIC_AUTH,
    "websockets.legacy.client": CONNECT,
    "websockets.legacy.exceptions": CLASSIC_ERRORS,
    "websockets.legacy.protocol": ["WebSocketCommonProtocol"],
    "websockets.legacy.server": SERVE,
    "websockets.client": ["ClientProtocol"],
    "websockets.server": ["ServerProtocol"],
    "websockets.protocol": ["Protocol", "Side", "State"],
    "websockets.frames": ["Close", "CloseCode", "Frame", "Opcode"],
    "websockets.http11": ["Request", "Response"],
    "websockets.datastructures": ["Headers", "HeadersLike", "MultipleValuesError"],
    "websockets.exceptions": ERRORS,
    "websockets.typing": [*TYPES, "ExtensionHeader"],
    "websockets.hosts": ["SAME_ORIGIN"],
    "websockets.session.limits": ["Limits", "Rate"],
    "websockets.session.stats": ["ConnectionStats", "ServerStats"],
    "websockets.uri": ["WebSocketURI", "parse_uri"],
    "websockets": ["speedups_available"],
    "websockets.asyncio.client": ["ClientConnection"],
    "websockets.asyncio.connection": ["Connection"],
    "websockets.asyncio.router": ["Router", "route", "unix_route"],
    "websockets.classic.compat": ["classic_hook", "modern_hook"],
    "websockets.asyncio.server": ["Server", "ServerConnection", "basic_auth"],
}

#: Names that stand for something else at the top.
OTHERS = [
    ("websockets.connection", "Connection"),
    ("websockets.client", "ClientConnection"),
    ("websockets.server", "ServerConnection"),
    *[("websockets.asyncio.client", name) for name in ("connect", "unix_connect")],
    *[("websockets.asyncio.server", name) for name in ("serve", "unix_serve")],
]

#: What modules have besides, in 10.4, 13.1, or both.
ADDRESSES = {
    "websockets": [
        *["asyncio", "auth", "client", "exceptions", "extensions", "frames"],
        *["handshake", "headers", "http11", "legacy", "protocol", "server"],
        *["testing", "typing", "uri", "version"],
    ],
    "websockets.asyncio.client": ["connect", "process_exception", "unix_connect"],
    "websockets.asyncio.server": ["broadcast", "serve", "unix_serve"],
    "websockets.auth": BASIC_AUTH,
    "websockets.client": [*CONNECT, "ClientConnection"],
    "websockets.server": [*SERVE, "ServerConnection"],
    "websockets.connection": ["Connection", "SEND_EOF", "Side", "State"],
    "websockets.protocol": ["SEND_EOF", "WebSocketCommonProtocol", "broadcast"],
    "websockets.http": ["USER_AGENT", "Headers", "MultipleValuesError"],
    "websockets.exceptions": CLASSIC_ERRORS,
    "websockets.legacy.exceptions": ["InvalidMessage"],
    "websockets.legacy.protocol": ["broadcast"],
    "websockets.legacy.handshake": [
        *["build_request", "build_response", "check_request", "check_response"],
    ],
    "websockets.legacy.server": ["HTTPResponse"],
    "websockets.extensions": EXTENSIONS,
    "websockets.extensions.base": EXTENSIONS,
    "websockets.extensions.permessage_deflate": DEFLATE,
    "websockets.frames": [
        *["DATA_OPCODES", "CTRL_OPCODES", "prepare_data", "prepare_ctrl"],
        *OPCODES,
        *[f"OP_{name}" for name in OPCODES],
    ],
    "websockets.http11": ["SERVER", "USER_AGENT", "d", "parse_headers", "parse_line"],
    "websockets.headers": HEADERS,
    "websockets.utils": ["accept_key", "apply_mask", "get_socket_name"],
    "websockets.streams": ["StreamReader"],
    "websockets.version": ["version", "tag", "commit", "released"],
}


def pairs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(module, name) for module, names in table.items() for name in names]


def look_up(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def run(code: str) -> None:
    """Run code in a fresh interpreter, with warnings as errors."""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


class TestTop:
    @pytest.mark.parametrize("module, name", pairs(TOP))
    def test_name(self, module: str, name: str) -> None:
        assert getattr(websockets, name) is look_up(module, name)

    def test_all(self) -> None:
        names = [name for names in TOP.values() for name in names]
        assert sorted(websockets.__all__) == sorted(names)
        assert set(names) <= set(dir(websockets))

    def test_star(self) -> None:
        run("from websockets import *; connect, serve, Headers, ConnectionClosedOK")

    def test_unknown_name(self) -> None:
        with pytest.raises(AttributeError, match="has no attribute 'conect'"):
            _ = websockets.conect  # type: ignore[attr-defined]
        with pytest.raises(ImportError):
            exec("from websockets import conect")

    def test_names_are_the_classic_ones(self) -> None:
        names = {*CONNECT, *SERVE, *CLASSIC_CONNECTIONS, *BASIC_AUTH}
        # Broadcasting is the same for all faces.
        for name in names - {"broadcast"}:
            assert getattr(websockets, name).__module__.startswith("websockets.classic")

    def test_type_checkers_see_the_same_names(self) -> None:
        path = pathlib.Path(websockets.__file__)
        [block] = [
            node
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.If)
        ]
        seen = set()
        for node in block.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                seen.add(node.target.id)
                continue
            assert isinstance(node, ast.ImportFrom)
            for alias in node.names:
                if alias.name == "*":
                    seen |= set(look_up(f"websockets.{node.module}", "__all__"))
                else:
                    # A name is only exported where it's renamed to itself.
                    assert alias.asname == alias.name
                    seen.add(alias.name)
        assert seen == set(websockets.__all__)


class TestAddresses:
    @pytest.mark.parametrize("module, name", pairs(ADDRESSES))
    def test_name(self, module: str, name: str) -> None:
        value = look_up(module, name)
        if name in websockets.__all__:
            same = value is getattr(websockets, name)
            assert same is ((module, name) not in OTHERS)

    @pytest.mark.parametrize(
        "module", sorted({*TOP, *ADDRESSES} - {"websockets", "websockets.version"})
    )
    def test_all_is_there(self, module: str) -> None:
        for name in look_up(module, "__all__"):
            assert look_up(module, name) is not None

    @pytest.mark.parametrize(
        "module, name, other, original",
        [
            ("websockets.client", "connect", "websockets", "connect"),
            ("websockets.server", "serve", "websockets", "serve"),
            ("websockets.connection", "Connection", "websockets.protocol", "Protocol"),
            ("websockets.asyncio.server", "broadcast", "websockets", None),
            ("websockets.client", "ClientConnection", "websockets", "ClientProtocol"),
            ("websockets.server", "ServerConnection", "websockets", "ServerProtocol"),
            ("websockets.legacy.exceptions", "InvalidMessage", "websockets", None),
            ("websockets.exceptions", "InvalidStatusCode", "websockets", None),
            (
                "websockets.exceptions",
                "WebSocketProtocolError",
                "websockets",
                "ProtocolError",
            ),
            ("websockets.frames", "OP_TEXT", "websockets.frames", "TEXT"),
            ("websockets", "handshake", "websockets.legacy", "handshake"),
            ("websockets", "speedups_available", "websockets.speedups", "compiled"),
        ],
    )
    def test_same_thing(
        self, module: str, name: str, other: str, original: str | None
    ) -> None:
        assert look_up(module, name) is look_up(other, original or name)

    @pytest.mark.parametrize("name", ["client", "server", "protocol", "auth"])
    def test_modules(self, name: str) -> None:
        module = getattr(websockets, name)
        assert isinstance(module, types.ModuleType)
        assert module is importlib.import_module(f"websockets.{name}")

    def test_version(self) -> None:
        assert websockets.__version__ == look_up("websockets.version", "version")

    def test_exception_tree_of_both_eras(self) -> None:
        assert issubclass(websockets.InvalidStatusCode, websockets.InvalidStatus)
        assert issubclass(websockets.InvalidState, AssertionError)
        assert issubclass(websockets.ConcurrencyError, RuntimeError)
        assert issubclass(websockets.MultipleValuesError, LookupError)


class TestImport:
    """What isn't used isn't imported, and nothing warns."""

    def test_top_is_light(self) -> None:
        run(
            "import sys, websockets\n"
            "found = {n for n in sys.modules if n.startswith('websockets')}\n"
            "assert found == {'websockets', 'websockets.imports', "
            "'websockets.version'}, found\n"
            "assert 'asyncio' not in sys.modules\n"
            "assert 'logging' not in sys.modules\n"
        )

    @pytest.mark.parametrize(
        "names",
        [
            "Headers",
            "ConnectionClosed, InvalidHandshake",
            "ClientProtocol, ServerProtocol, Frame, Request",
            "parse_uri, State, CloseCode, Subprotocol",
        ],
    )
    def test_what_does_no_input_brings_no_loop(self, names: str) -> None:
        run(
            f"from websockets import {names}\n"
            "import sys\n"
            "assert 'asyncio' not in sys.modules\n"
        )

    def test_submodules_open_by_themselves(self) -> None:
        # As "import websockets; websockets.exceptions.ConnectionClosed" needs it.
        for name in "exceptions.ConnectionClosed", "frames.Frame", "legacy.server":
            run(f"import websockets; websockets.{name}")

    def test_any_address_may_be_the_first(self) -> None:
        # There are no circles, whichever module is imported first.
        for module in sorted({*TOP, *ADDRESSES} - {"websockets"}):
            run(f"import {module}")

    def test_nothing_warns(self) -> None:
        names = [*pairs(TOP), *pairs(ADDRESSES)]
        run(
            "import importlib\n"
            f"for module, name in {names!r}:\n"
            "    getattr(importlib.import_module(module), name)\n"
        )
