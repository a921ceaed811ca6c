"""Runs: something long that is done once, can be left and come back to, stopped, and resumed after a restart.

A run is a row; its kind names a function registered by `@run_kind`. The rooms processes do runs, each in a thread of
its own, under a lease: a run whose process died is taken up by another, from the `cursor` that it had reached. A result
that is a file lies in `RunPart`s.
"""

from echoadmin.runs.asking import (
    forget_files,
    pause_run,
    resume_run,
    skip_in_run,
    start_once,
    start_run,
    stop_run,
)
from echoadmin.runs.doing import Broken, Held, Paused, Stopped, TakenOver, claim_run, perform
from echoadmin.runs.kinds import KINDS, Asked, RunKind, run_kind
from echoadmin.runs.models import ENDED, Run, RunPart, RunState
from echoadmin.runs.thread import RunThread

__all__ = [
    "ENDED",
    "KINDS",
    "Asked",
    "Broken",
    "Held",
    "Paused",
    "Run",
    "RunKind",
    "RunPart",
    "RunState",
    "RunThread",
    "Stopped",
    "TakenOver",
    "claim_run",
    "forget_files",
    "pause_run",
    "perform",
    "resume_run",
    "run_kind",
    "skip_in_run",
    "start_once",
    "start_run",
    "stop_run",
]
