"""Floor 4, engine: the connection that the faces build on.

In plain Python, it is :class:`~.connection.Connection` as it is: nothing beats
coroutines there. Where the package was built with a C compiler, an extension of
this name takes this module's place. Its :meth:`recv` and :meth:`send` return
awaitables that are written in C, and that turn to the coroutines as soon as there
is more to do than to take a message, to wait for one, or to send one.
"""

from __future__ import annotations

from .connection import Connection as FastConnection

__all__ = ["FastConnection"]
