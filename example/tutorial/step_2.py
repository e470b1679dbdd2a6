"""Dots and boxes for two at one screen: step 2 of the tutorial.

Run: python example/tutorial/step_2.py [port]
"""

import asyncio
import http
import json
import pathlib
import sys

from boxes import Game

import websockets

PAGE = pathlib.Path(__file__).with_name("step_2.html")


async def play(websocket):
    game = Game()
    await websocket.send(json.dumps(game.state()))
    async for message in websocket:
        try:
            game.draw(game.turn, tuple(json.loads(message)))
        except ValueError as exc:
            await websocket.send(json.dumps({"error": str(exc)}))
        else:
            await websocket.send(json.dumps(game.state()))


async def show_page(path, headers):
    if path == "/":
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
