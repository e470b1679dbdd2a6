"""Rules of RFC 7692 that no test of a module shows; see docs/topics/rfc7692.rst."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from byhand import CLIENT, SERVER, feed, frame, make, sent
from test_rfc6455 import ACCEPT, KEY, answer, ask
from websockets.client import ClientProtocol
from websockets.exceptions import NegotiationError
from websockets.extensions.base import (
    ClientExtensionFactory,
    Extension,
    ServerExtensionFactory,
)
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.server import ServerProtocol
from websockets.typing import ExtensionName, ExtensionParameter

OFFER = "Sec-WebSocket-Extensions: "
ACCEPTED = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Extensions: "
)


class Marking(Extension):
    """Stands for an extension that wants RSV1 for itself."""

    name = ExtensionName("x-marking")


class MarkingFactory(ClientExtensionFactory, ServerExtensionFactory):
    name = Marking.name

    def get_request_params(self) -> Sequence[ExtensionParameter]:
        return []

    def process_request_params(
        self,
        params: Sequence[ExtensionParameter],
        accepted_extensions: Sequence[Extension],
    ) -> tuple[list[ExtensionParameter], Extension]:
        return [], self.process_response_params(params, accepted_extensions)

    def process_response_params(
        self,
        params: Sequence[ExtensionParameter],
        accepted_extensions: Sequence[Extension],
    ) -> Extension:
        if accepted_extensions:
            raise NegotiationError("RSV1 is taken")
        return Marking()


def serve(
    offer: str, *factories: ServerExtensionFactory
) -> tuple[list[str], list[str]]:
    """Return what a server answers to an offer, and the extensions that it uses."""
    server = ServerProtocol(extensions=factories)
    response = answer(server, ask(server, OFFER + offer))
    assert response.status_code == 101
    values = response.headers.get_all("Sec-WebSocket-Extensions")
    return values, [extension.name for extension in server.extensions]


def connect(answered: str, *factories: ClientExtensionFactory) -> ClientProtocol:
    """Return a client that got an answer."""
    client = ClientProtocol("ws://server.example.com/chat", extensions=factories)
    client.key = KEY
    client.send_request(client.connect())
    client.receive_data(f"{ACCEPTED}{answered}\r\n\r\n".encode())
    return client


def test_offers_and_answers() -> None:
    # 5.
    client = ClientProtocol(
        "ws://server.example.com/", extensions=[ClientPerMessageDeflateFactory()]
    )
    offer = client.connect().headers["Sec-WebSocket-Extensions"]
    assert offer == "permessage-deflate; client_max_window_bits"
    values, names = serve(offer, ServerPerMessageDeflateFactory())
    assert (values, names) == (["permessage-deflate"], ["permessage-deflate"])
    assert connect(values[0], ClientPerMessageDeflateFactory()).handshake_exc is None


def test_several_offers() -> None:
    # 5: the first one that can be taken counts.
    factories = [
        ClientPerMessageDeflateFactory(server_max_window_bits=9),
        ClientPerMessageDeflateFactory(),
    ]
    client = ClientProtocol("ws://server.example.com/", extensions=factories)
    offer = client.connect().headers["Sec-WebSocket-Extensions"]
    assert offer.count("permessage-deflate") == 2
    values, names = serve(offer, ServerPerMessageDeflateFactory())
    assert values == ["permessage-deflate; server_max_window_bits=9"]
    assert names == ["permessage-deflate"]
    values, _ = serve(
        "permessage-deflate; x, " + offer, ServerPerMessageDeflateFactory()
    )
    assert values == ["permessage-deflate; server_max_window_bits=9"]


@pytest.mark.parametrize(
    "offer", ["permessage-foo", "permessage-deflate; x", "permessage-deflate; a=1; b"]
)
def test_declined(offer: str) -> None:
    # 5: a server that declines all offers answers none.
    assert serve(offer, ServerPerMessageDeflateFactory()) == ([], [])


def test_two_compressions() -> None:
    # 5: both would use RSV1.
    offer = "permessage-deflate, permessage-deflate"
    values, names = serve(offer, ServerPerMessageDeflateFactory())
    assert (values, names) == (["permessage-deflate"], ["permessage-deflate"])
    client = connect(offer, ClientPerMessageDeflateFactory())
    assert isinstance(client.handshake_exc, NegotiationError)


def test_authors_see_what_was_accepted() -> None:
    # 5: only the author of an extension knows which bits and frames it needs.
    offer = "permessage-deflate, x-marking"
    factories = ServerPerMessageDeflateFactory(), MarkingFactory()
    assert serve(offer, *factories) == (["permessage-deflate"], ["permessage-deflate"])
    client = connect(offer, ClientPerMessageDeflateFactory(), MarkingFactory())
    assert isinstance(client.handshake_exc, NegotiationError)
    assert str(client.handshake_exc.__cause__) == "RSV1 is taken"
    assert serve("x-marking", *factories) == (["x-marking"], ["x-marking"])


def test_hints_do_not_bind() -> None:
    # 7.2.2: what counts is the answer.
    offer = "permessage-deflate; client_no_context_takeover; client_max_window_bits=9"
    values, _ = serve(offer, ServerPerMessageDeflateFactory())
    assert values == [
        "permessage-deflate; client_no_context_takeover; client_max_window_bits=9"
    ]
    factory = ClientPerMessageDeflateFactory(
        client_no_context_takeover=True, client_max_window_bits=9
    )
    for answered in (
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits=15",
    ):
        [extension] = connect(answered, factory).extensions
        assert isinstance(extension, PerMessageDeflate)
        # Smaller than agreed is as agreed.
        assert extension.local_max_window_bits == 9
        assert extension.local_no_context_takeover


HELLO = "f248cdc9c90700"
EXAMPLES = [
    # 7.2.3.1 to 7.2.3.6: frames as a client gets them.
    [(0xC1, HELLO)],
    [(0x41, "f248cd"), (0x80, "c9c90700")],
    [(0xC1, HELLO), (0xC1, "f200110000")],
    [(0xC1, "000500faff48656c6c6f00")],
    [(0xC1, "f348cdc9c9070000")],
    [(0xC1, "f248050000 00ffff cac9c90700")],
    [(0x41, "f248cdc9c907000000ffff"), (0x80, "00")],
]


@pytest.mark.parametrize("frames", EXAMPLES)
def test_examples_of_the_rfc(frames: list[tuple[int, str]]) -> None:
    client = make(CLIENT)
    client.use_extensions([PerMessageDeflate(False, False, 15, 15)])
    wire = [frame(CLIENT, first, bytes.fromhex(data)) for first, data in frames]
    events = feed(client, wire)
    texts = b"".join(bytes(event.data) for event in events)
    assert texts == b"Hello" * (1 + (frames[-1][0] == 0xC1) * (len(frames) - 1))
    assert client.close_sent is None


def test_the_first_example_when_sending() -> None:
    server = make(SERVER)
    server.use_extensions([PerMessageDeflate(False, False, 15, 15)])
    [extension] = server.extensions
    assert isinstance(extension, PerMessageDeflate)
    assert extension.deflate(b"Hello", True).hex() == HELLO
    assert extension.deflate(b"Hello", True).hex() == "f200110000"
    # Messages that don't shrink go out as they are: RSV1 is a choice (6).
    server.send_text(b"Hello")
    assert sent(server) == [(0x81, b"Hello")]
