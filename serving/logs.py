"""One JSON object a line, without anything about a member: an error is told by its kind and place, not its words."""

import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path

import orjson

LOGGERS = ("", "bentoml", "uvicorn.error")


class Lines(logging.Formatter):
    """Formats a record as a JSON object: time, level, logger, message, and for an error its kind and the frames."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = type(error).__name__
            line["frames"] = [_place(frame) for frame in traceback.extract_tb(error.__traceback__)]
        return orjson.dumps(line).decode()


def configure() -> None:
    """Write the log of this worker as JSON lines; BentoML has set the handlers up before."""
    lines = Lines()
    for name in LOGGERS:
        for handler in logging.getLogger(name).handlers:
            handler.setFormatter(lines)
    logging.getLogger("recsys").setLevel(logging.INFO)
    # Uvicorn words a line for every request unless nobody listens, and the line would hold the ids of the path.
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False


def _place(frame: traceback.FrameSummary) -> str:
    path = Path(frame.filename)
    return f"{path.parent.name}/{path.name}:{frame.lineno} {frame.name}"
