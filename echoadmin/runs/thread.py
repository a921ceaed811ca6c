"""The thread that looks for runs and does each in one of its own."""

from __future__ import annotations

import logging
import threading

from django.db import close_old_connections, connections

from echoadmin.log_lines import about
from echoadmin.runs.doing import claim_run, let_go, perform
from echoadmin.runs.models import Run

logger = logging.getLogger(__name__)

AT_ONCE = 8  # runs in one process


class RunThread(threading.Thread):
    """Looks for runs every second and does each in a thread of its own, AT_ONCE of them at the most.

    Once `stopping` is set, each of them gives its run back at its next report.
    """

    def __init__(self, holder: str) -> None:
        super().__init__(name="runs", daemon=True)
        self.holder = holder
        self.stopping = threading.Event()
        self._free = threading.Semaphore(AT_ONCE)

    def run(self) -> None:
        """Claim and start; the database being away only makes it wait."""
        fresh = True
        while not self.stopping.wait(1.0):
            close_old_connections()
            try:
                if fresh:
                    let_go(self.holder)
                    fresh = False
                while not self.stopping.is_set() and self._start_one():
                    pass
            except Exception:
                logger.exception("the runs pause: the database did not answer")
        connections.close_all()

    def _start_one(self) -> bool:
        if not self._free.acquire(blocking=False):
            return False
        started = False
        try:
            if claimed := claim_run(self.holder):
                threading.Thread(target=self._do, args=(claimed,), daemon=True, name=str(claimed)).start()
                started = True
        finally:
            if not started:
                self._free.release()
        return started

    def _do(self, claimed: Run) -> None:
        try:
            with about(run=claimed.public_id, conversation=claimed.conversation_ref, request_id=claimed.request_id):
                perform(claimed, self.stopping)
        except Exception:
            logger.exception("run %s: how it ended could not be written; it is taken up again", claimed)
        finally:
            connections.close_all()
            self._free.release()
