"""Alone in writing entries: `append` at once, or a `Writer` for the many of a process that holds rooms."""

from echoadmin.log.writer.at_once import append, on_append, open_stream
from echoadmin.log.writer.drafts import Draft, LogClosed, LogFull, Number, Place, Refused, Unit, Written, known
from echoadmin.log.writer.spool import Folder
from echoadmin.log.writer.thread import Writer

__all__ = [
    "Draft",
    "Folder",
    "LogClosed",
    "LogFull",
    "Number",
    "Place",
    "Refused",
    "Unit",
    "Writer",
    "Written",
    "append",
    "known",
    "on_append",
    "open_stream",
]
