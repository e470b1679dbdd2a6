"""A chat as it's put on a machine that stays: behind a proxy, supervised, stoppable.

It takes where to listen from the environment: a socket of systemd, or else UNIX_PATH,
or else HOST and PORT. It answers /healthz, and on SIGTERM it says goodbye and ends.

Run: python example/deployment/server.py
"""

import asyncio
import http
import logging
import os
import signal
import socket

import websockets

people = set()


async def chat(websocket):
    people.add(websocket)
    try:
        async for message in websocket:
            websockets.broadcast(people, message)
    except websockets.ConnectionClosed:
        pass  # Lost, which is nothing unusual.
    finally:
        people.remove(websocket)


async def answer_http(path, headers):
    if path == "/healthz":
        return http.HTTPStatus.OK, {}, f"{len(people)} connections\n".encode()
    return None  # Go on with the handshake.


def where_to_listen():
    """Return arguments for serve()."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        return {"sock": socket.socket(fileno=3)}  # systemd's first socket
    if path := os.environ.get("UNIX_PATH"):
        return {"path": path, "unix": True}
    host = os.environ.get("HOST", "localhost")
    return {"host": host, "port": int(os.environ.get("PORT", "8765"))}


def notify(state):
    """Tell systemd how we are, if it's systemd that runs us."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(address.replace("@", "\0", 1))
            sock.sendall(state.encode())


async def main():
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    where = where_to_listen()
    serve = websockets.unix_serve if where.pop("unix", False) else websockets.serve
    async with serve(chat, process_request=answer_http, **where):
        notify("READY=1")
        await stop.wait()
        notify("STOPPING=1")


if __name__ == "__main__":
    asyncio.run(main())
