"""What an extension must offer (websockets.extensions.base)."""

from __future__ import annotations

import pytest

import websockets.extensions
from websockets.exceptions import NegotiationError
from websockets.extensions import base
from websockets.extensions.base import (
    ClientExtensionFactory,
    Extension,
    ServerExtensionFactory,
)
from websockets.frames import BINARY, Frame
from websockets.typing import ExtensionName


class Silent(Extension):
    """An extension whose author forgot something."""


class SilentClient(ClientExtensionFactory):
    """A client's factory whose author forgot something."""


class SilentServer(ServerExtensionFactory):
    """A server's factory whose author forgot something."""


def test_extension_must_define_methods() -> None:
    with pytest.raises(TypeError, match=r"^Silent must define decode\(\)$"):
        Silent().decode(Frame(BINARY, b""), max_size=1)
    with pytest.raises(TypeError, match=r"^Silent must define encode\(\)$"):
        Silent().encode(Frame(BINARY, b""))


def test_client_factory_must_define_methods() -> None:
    factory = SilentClient()
    with pytest.raises(TypeError, match=r"^SilentClient must .* get_request_params"):
        factory.get_request_params()
    with pytest.raises(NegotiationError, match="^SilentClient .* process_response_"):
        factory.process_response_params([], [])


def test_server_factory_must_define_methods() -> None:
    with pytest.raises(NegotiationError, match="^SilentServer .* process_request_"):
        SilentServer().process_request_params([], [])


class Reversing(Extension):
    """Sends payloads backwards."""

    name = ExtensionName("x-reversing")

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        return Frame(frame.opcode, bytes(frame.data)[::-1], frame.fin)

    def encode(self, frame: Frame) -> Frame:
        return Frame(frame.opcode, bytes(frame.data)[::-1], frame.fin)


def test_what_is_defined_is_used() -> None:
    frame = Frame(BINARY, b"abc")
    assert Reversing().encode(frame) == Frame(BINARY, b"cba")
    assert Reversing().decode(Reversing().encode(frame)) == frame


def test_names_of_the_package() -> None:
    assert websockets.extensions.__all__ == base.__all__
    for name in base.__all__:
        assert getattr(websockets.extensions, name) is getattr(base, name)
