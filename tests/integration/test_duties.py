"""Duties after a kill: what a dead process held is done by the next one at once, not when its lease runs out."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from echoadmin import duties
from echoadmin.duties import Duty
from tests import make

pytestmark = pytest.mark.django_db


def held_by(holder: str) -> Duty:
    row: Duty = make.duty(holder=holder, lease_until=timezone.now() + timedelta(minutes=5))
    return row


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_dead_processes_held_is_free_at_once_and_what_others_hold_is_not() -> None:
    here = socket.gethostname()
    mine, dead = held_by("worker-1"), held_by(f"console {here}/{dead_pid()}")
    living = held_by(f"console {here}/{os.getpid()}")
    elsewhere, another = held_by(f"console other{here}/{dead_pid()}"), held_by("worker-2")
    duties.let_go("worker-1")
    free = set(Duty.objects.filter(holder="", lease_until=None).values_list("pk", flat=True))
    assert free == {mine.pk, dead.pk}
    assert set(Duty.objects.exclude(holder="").values_list("pk", flat=True)) == {living.pk, elsewhere.pk, another.pk}
    assert duties.console_holder() == living.holder
