"""What only classic clients have (websockets.classic.client)."""

from __future__ import annotations

import websockets
from faces.support import echo, uri_of


async def test_the_connection_that_connect_made() -> None:
    async with websockets.serve(echo, "localhost", 0) as server:
        connecting = websockets.connect(uri_of(server))
        assert connecting.protocol is None
        async with connecting as connection:
            assert connecting.protocol is connection
