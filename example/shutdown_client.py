"""Receive until SIGTERM (Unix). Run: python example/shutdown_client.py [port]"""

import asyncio
import signal
import sys

import websockets


def close_on_sigterm(websocket: websockets.WebSocketClientProtocol) -> None:
    # Once the connection is closed, there are no more messages: the loop ends.
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: loop.create_task(websocket.close()))


async def main(port: int = 8765) -> None:
    async with websockets.connect(f"ws://localhost:{port}") as websocket:
        close_on_sigterm(websocket)
        print("Connected")
        async for message in websocket:
            print(message)
        print("Closed")


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
