"""Import addresses of old: each module here names one of the classic API."""

from __future__ import annotations

from ..imports import lazy_import

# "import websockets" is enough for websockets.legacy.client and the others.
lazy_import(
    globals(),
    aliases=dict.fromkeys(
        ("auth", "client", "exceptions", "handshake", "protocol", "server"), "."
    ),
)
