"""Who gets in: caps on connections and handshakes, and what the others are told."""

from __future__ import annotations

from typing import Any

import pytest

from websockets import Limits, Rate

from .support import Face, pair


async def test_limits_reach_connections(face: Face) -> None:
    ours, theirs = Limits(bytes=Rate(100_000)), Limits(messages=Rate(1000))
    async with pair(face, {"limits": ours}, {"limits": theirs}) as (client, server):
        assert server._settings.limits == ours
        assert client._settings.limits == theirs


async def test_limits_by_default(face: Face) -> None:
    async with pair(face) as (client, server):
        assert client._settings.limits == server._settings.limits == Limits()


@pytest.mark.parametrize("value", [5, {"connections": 5}])
async def test_wrong_limits_fail_at_the_call(face: Face, value: Any) -> None:
    with pytest.raises(TypeError, match="^limits must be Limits or None, not "):
        face.serve(lambda websocket: None, limits=value)
    with pytest.raises(TypeError, match="^limits must be Limits or None, not "):
        face.connect("ws://localhost/", limits=value)
