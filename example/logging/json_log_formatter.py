"""A log formatter that makes a JSON object of each record.

json_server.py, beside this file, uses it.
"""

from __future__ import annotations

import datetime
import json
import logging
from typing import Any


class JSONFormatter(logging.Formatter):
    """
    Render logs as JSON.

    What a record has in its attribute ``event_data``, a dict, is merged in.
    """

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "timestamp": self.getTimestamp(record.created),
            "message": record.getMessage(),
            "level": record.levelname,
            "logger": record.name,
        }
        event.update(getattr(record, "event_data", None) or {})
        if record.exc_info:
            event["exc_info"] = self.formatException(record.exc_info)
        if record.stack_info:
            event["stack_info"] = self.formatStack(record.stack_info)
        # Values that JSON doesn't know mustn't cost us the record.
        return json.dumps(event, default=str)

    def getTimestamp(self, created: float) -> str:
        return datetime.datetime.fromtimestamp(created, datetime.UTC).isoformat()
