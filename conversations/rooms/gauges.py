"""What `/metrics` and `/readyz` tell of the worker in this process, be it a console's or `runrooms`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from prometheus_client import REGISTRY

from conversations.rooms.worker import RunningWorker
from echoadmin import health, metrics
from echoadmin.metrics import Shown


@contextmanager
def shown(worker: RunningWorker) -> Iterator[None]:
    """For the length of a `with`: readiness depends on it, and its log's writer and rooms are counted."""
    health.register("worker", lambda: _trouble_of(worker))
    collectors = [
        metrics.register(name, documentation, label="worker", read=partial(_named, worker, read))
        for name, (documentation, read) in _gauges(worker).items()
    ]
    collectors.append(
        metrics.register_rows(
            Shown("echoadmin_spool_files", "Spools in the data folder, dead processes' too.", len),
            Shown("echoadmin_spool_files_bytes", "Their bytes.", lambda spools: sum(size for size, _ in spools)),
            Shown("echoadmin_spool_oldest_seconds", "Since the one that was left longest was written.", _oldest),
            label="worker",
            read=lambda: {worker.row.name: worker.spool.lying()},
        )
    )
    try:
        yield
    finally:
        health.unregister("worker")
        for collector in collectors:
            REGISTRY.unregister(collector)


def _gauges(worker: RunningWorker) -> dict[str, tuple[str, Callable[[], float]]]:
    writer = worker.writer
    return {
        "echoadmin_log_waiting": ("Units that wait for the log's writer of this process.", lambda: writer.waiting),
        "echoadmin_log_spooled": ("Entries in the spool that is in use.", lambda: writer.spooled),
        "echoadmin_log_spool_bytes": ("Bytes of the spool not taken in yet.", lambda: writer.spool_bytes),
        "echoadmin_log_lost": ("Entries lost since the start: spool and memory were full.", lambda: writer.lost),
        "echoadmin_rooms_in_process": ("Rooms that this process holds.", lambda: len(worker.keeper.rooms)),
    }


def _named(worker: RunningWorker, read: Callable[[], float]) -> dict[str, float]:
    return {worker.row.name: read()}


def _oldest(spools: list[tuple[int, float]]) -> float:
    return max((time.time() - written for _, written in spools), default=0.0)


def _trouble_of(worker: RunningWorker) -> str:
    if not worker.alive:
        return "this process's worker has ended; restart it"
    return f"the log can't be written: {worker.writer.trouble}" if worker.writer.trouble else ""
