"""Dots and boxes for two, and for who likes to watch: the end of the tutorial.

Run: python example/tutorial/server.py [port]
"""

import asyncio
import contextlib
import http
import json
import pathlib
import secrets
import signal
import sys

from boxes import Game

import websockets

PAGE = pathlib.Path(__file__).with_name("page.html")

KEEP = 600  # seconds that a game is kept when nobody is there

tables = {}  # all games, by the keys that are in their links


class Table:
    """A game, and the connections of those who sit around it."""

    def __init__(self, key):
        self.key = key
        self.game = Game()
        self.seats = {}  # player 0 or 1, by the secret that is the right to play
        self.people = set()
        self.end = None  # the timer that takes the table away

    def take_seat(self, secret):
        """Return a secret and its player; None, None for who watches."""
        if secret not in self.seats:
            if len(self.seats) == 2:
                return None, None
            secret = secrets.token_urlsafe(16)
            self.seats[secret] = len(self.seats)
        return secret, self.seats[secret]

    def join(self, websocket):
        self.people.add(websocket)
        if self.end is not None:
            self.end.cancel()
            self.end = None

    def leave(self, websocket):
        self.people.remove(websocket)
        if not self.people:
            loop = asyncio.get_running_loop()
            self.end = loop.call_later(KEEP, tables.pop, self.key)

    def tell(self):
        """Send everyone the state of the game."""
        websockets.broadcast(self.people, json.dumps(self.game.state()))


def find_table(key):
    """Return a table, a new one if there is no key; None if the key is wrong."""
    if key is None:
        key = secrets.token_urlsafe(6)
        tables[key] = Table(key)
    return tables.get(key)


async def play(websocket):
    # Losing a connection is nothing unusual: the page comes back.
    with contextlib.suppress(websockets.ConnectionClosed):
        match read(await websocket.recv()):
            case {"game": str() | None as key, "seat": str() | None as secret}:
                table = find_table(key)
            case _:
                table = None
        if table is None:
            await websocket.close(4004, "there is no such game")
        else:
            await sit_down(websocket, table, secret)


async def sit_down(websocket, table, secret):
    secret, player = table.take_seat(secret)
    table.join(websocket)
    try:
        welcome = {"game": table.key, "seat": secret, "you": player}
        await websocket.send(json.dumps(welcome))
        table.tell()
        await take_moves(websocket, table, player)
    finally:
        table.leave(websocket)


async def take_moves(websocket, table, player):
    async for message in websocket:
        try:
            match read(message):
                case [str() as direction, int() as row, int() as column]:
                    table.game.draw(player, (direction, row, column))
                case _:
                    raise ValueError("that is no line")
        except ValueError as exc:
            await websocket.send(json.dumps({"error": str(exc)}))
        else:
            table.tell()


def read(message):
    """Return what a message says; None if it isn't JSON."""
    try:
        return json.loads(message)
    except ValueError:
        return None


async def show_page(path, headers):
    if path.partition("?")[0] == "/":
        content_type = {"Content-Type": "text/html; charset=utf-8"}
        return http.HTTPStatus.OK, content_type, PAGE.read_bytes()
    if path != "/play":
        return http.HTTPStatus.NOT_FOUND, {}, b"There is nothing here.\n"
    return None  # Go on with the handshake.


async def main(port=8765):
    async with websockets.serve(
        play,
        "localhost",
        port,
        process_request=show_page,
        # Our page may connect, and programs; pages of other sites may not.
        origins=[websockets.SAME_ORIGIN, None],
        # All that players send is short.
        max_size=1024,
    ) as server:
        print(f"Listening on http://localhost:{port}/")
        stop = asyncio.Event()
        if sys.platform != "win32":
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
        server.close()
        await server.wait_closed()
    print("Stopped")


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
