"""Floor 4, engine: has log records tell which connection they are about."""

from __future__ import annotations

import logging
import weakref
from typing import Any, cast

from ..protocol import Protocol
from ..typing import LoggerLike

__all__ = ["ConnectionLogger", "LoggerMaker", "unwrap_logger"]


class ConnectionLogger(logging.LoggerAdapter[Any]):
    """
    Adds the connection to log records, as their ``websocket`` attribute.

    Args:
        logger: a logger, or a logger adapter that then adds what it has to add.
        connection: the connection.

    Attributes:
        given: the logger that it was given.

    """

    def __init__(self, logger: LoggerLike, connection: object) -> None:
        self.given = logger
        extra: dict[str, object] = {}
        # An adapter that doesn't override process() would replace what we add.
        while (
            isinstance(logger, logging.LoggerAdapter)
            and type(logger).process is logging.LoggerAdapter.process
        ):
            extra = {**(logger.extra or {}), **extra}
            logger = logger.logger
        super().__init__(cast(logging.Logger, logger), extra)
        extra["websocket"] = connection

    def is_unchanged(self, connection: object) -> bool:
        """Tell whether one made anew would be the same: nobody has added to it."""
        fresh = ConnectionLogger(self.given, connection)
        mine, theirs = self.extra or {}, fresh.extra or {}
        return vars(self).keys() == vars(fresh).keys() and (
            list(map(_identify, mine.items())) == list(map(_identify, theirs.items()))
        )

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        """Add the connection to what the caller adds."""
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


def _identify(item: tuple[str, object]) -> tuple[str, int]:
    """Return what two items have in common if they are the same."""
    return item[0], id(item[1])


class LoggerMaker(weakref.ref[Any]):
    """
    Makes the :class:`ConnectionLogger` of a connection, and doesn't keep it alive.

    What refers to itself is only freed by the garbage collector, which stops the whole
    process while it looks for that.

    Args:
        connection: the connection.

    """

    __slots__ = ()

    def __call__(self, logger: LoggerLike) -> LoggerLike:  # type: ignore[override]
        """Make it, unless the connection is gone."""
        connection = super().__call__()
        return logger if connection is None else ConnectionLogger(logger, connection)


def unwrap_logger(protocol: Protocol, connection: object) -> None:
    """
    Have a connection not refer to its logger, which refers to it.

    It is made again if it is needed. One that the application has changed stays.

    Args:
        protocol: the connection's protocol, which has the logger.
        connection: the connection.

    """
    logger = protocol._logger
    if type(logger) is ConnectionLogger and logger.is_unchanged(connection):
        protocol.logger = logger.given
        protocol.wrap_logger(LoggerMaker(connection))
