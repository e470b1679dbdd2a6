"""Topics, channels, rooms: who subscribes gets what is published.

FAQ: How do I create channels or topics?

All in the memory of one process; between several, a message broker has to carry
the messages. Messages are JSON: {"subscribe": topic}, {"unsubscribe": topic},
{"publish": topic, "data": anything}; the answer to each is {"ok": topic}.

Run: python example/faq/topics.py [port]
"""

from __future__ import annotations

import asyncio
import collections
import json
import sys
from typing import Any

import websockets

Connection = websockets.WebSocketServerProtocol

subscribers: dict[str, set[Connection]] = collections.defaultdict(set)


async def handler(websocket: Connection) -> None:
    try:
        async for message in websocket:
            match json.loads(message):
                case {"subscribe": str(topic)}:
                    subscribers[topic].add(websocket)
                case {"unsubscribe": str(topic)}:
                    leave(websocket, topic)
                case {"publish": str(topic), "data": data}:
                    publish(topic, data)
                case _:
                    await websocket.close(1008, "no such command")
                    return
            await websocket.send(json.dumps({"ok": topic}))
    finally:
        for topic in list(subscribers):
            leave(websocket, topic)


def leave(websocket: Connection, topic: str) -> None:
    """End a subscription, and forget the topic if it was the last."""
    subscribers[topic].discard(websocket)
    if not subscribers[topic]:
        del subscribers[topic]


def publish(topic: str, data: Any) -> None:
    """Send to all subscribers, without waiting for slow ones."""
    if topic in subscribers:
        event = json.dumps({"topic": topic, "data": data})
        websockets.broadcast(subscribers[topic], event)


async def command(websocket: websockets.WebSocketClientProtocol, **words: Any) -> None:
    await websocket.send(json.dumps(words))
    await websocket.recv()  # The answer.


async def main(port: int = 8765) -> None:
    uri = f"ws://localhost:{port}"
    async with (
        websockets.serve(handler, "localhost", port),
        websockets.connect(uri) as ada,
        websockets.connect(uri) as bob,
        websockets.connect(uri) as station,
    ):
        await command(ada, subscribe="weather")
        await command(bob, subscribe="weather")
        await command(bob, unsubscribe="weather")
        await command(bob, subscribe="news")
        await command(station, publish="weather", data="rain")
        await command(station, publish="news", data="It rains.")

        print("Ada:", await ada.recv())
        print("Bob:", await bob.recv())


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
