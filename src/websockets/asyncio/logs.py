"""Floor 4, engine: has log records tell which connection they are about."""

from __future__ import annotations

import logging
from typing import Any, cast

from ..typing import LoggerLike

__all__ = ["ConnectionLogger"]


class ConnectionLogger(logging.LoggerAdapter[Any]):
    """
    Adds the connection to log records, as their ``websocket`` attribute.

    Args:
        logger: a logger, or a logger adapter that then adds what it has to add.
        connection: the connection.

    """

    def __init__(self, logger: LoggerLike, connection: object) -> None:
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

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        """Add the connection to what the caller adds."""
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs
