"""Dots and boxes for two at a distance: step 3 of the tutorial.

Run: python example/tutorial/step_3.py [port]
"""

import asyncio
import http
import json
import pathlib
import secrets
import sys

from boxes import Game

import websockets

PAGE = pathlib.Path(__file__).with_name("step_3.html")

tables = {}  # all games, by the keys that are in their links


class Table:
    """A game, and the connections of those who sit around it."""

    def __init__(self):
        self.game = Game()
        self.people = {}  # connection: player 0 or 1, or None for who watches

    def free_seat(self):
        taken = self.people.values()
        return next((player for player in (0, 1) if player not in taken), None)

    def tell(self):
        """Send everyone the state of the game."""
        websockets.broadcast(self.people, json.dumps(self.game.state()))


async def play(websocket):
    key = json.loads(await websocket.recv())["game"]
    if key is None:
        key = secrets.token_urlsafe(6)
        tables[key] = Table()
    if key not in tables:
        await websocket.close(4004, "there is no such game")
        return
    table = tables[key]
    table.people[websocket] = player = table.free_seat()
    try:
        await websocket.send(json.dumps({"game": key, "you": player}))
        table.tell()
        await take_moves(websocket, table, player)
    finally:
        del table.people[websocket]
        if not table.people:
            del tables[key]


async def take_moves(websocket, table, player):
    async for message in websocket:
        try:
            table.game.draw(player, tuple(json.loads(message)))
        except ValueError as exc:
            await websocket.send(json.dumps({"error": str(exc)}))
        else:
            table.tell()


async def show_page(path, headers):
    if path.partition("?")[0] == "/":
        content_type = {"Content-Type": "text/html; charset=utf-8"}
        return http.HTTPStatus.OK, content_type, PAGE.read_bytes()
    if path != "/play":
        return http.HTTPStatus.NOT_FOUND, {}, b"There is nothing here.\n"
    return None  # Go on with the handshake.


async def main(port=8765):
    async with websockets.serve(
        play, "localhost", port, process_request=show_page
    ) as server:
        print(f"Listening on http://localhost:{port}/")
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
