"""Creates, syncs and ends at the same time: each conversation has one row, and no row forgets what it knows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import LazySettings
from django.db import connection, transaction

from conversations.models import Conversation, Room
from conversations.services import mirroring
from echoadmin.actors import SYSTEM
from echoadmin.mirror.creating import lock_row
from tests import make
from tests.integration.mirror.conftest import ANA
from tests.twin_process import TwinProcess

pytestmark = pytest.mark.django_db(transaction=True)
BODY = {"replica_id": "re8e740a42", "persona_id": "pipecat0"}


def in_thread(act: Callable[[], None]) -> None:
    try:
        act()
    finally:
        connection.close()


@pytest.mark.parametrize("public_url", ["https://console.example", ""])
def test_syncs_that_run_while_conversations_are_made_leave_one_row_each(
    twin: TwinProcess, settings: LazySettings, public_url: str
) -> None:
    settings.PUBLIC_URL = public_url
    before = {row["conversation_id"] for row in twin.get("/twin/rooms")}
    done = threading.Event()

    def sync() -> None:
        while not done.is_set():
            mirroring.sync_conversations(actor=SYSTEM, status="active")

    def create(number: int) -> None:
        for turn in range(4):
            mirroring.create_conversation(actor=ANA, body={**BODY, "conversation_name": f"At once {number}.{turn}"})

    with ThreadPoolExecutor(5) as pool:
        syncs = [pool.submit(in_thread, sync) for _ in range(2)]
        creates = [pool.submit(in_thread, lambda n=number: create(n)) for number in range(3)]
        [future.result() for future in creates]
        done.set()
        [future.result() for future in syncs]
    made = {row["conversation_id"] for row in twin.get("/twin/rooms")} - before
    rows = Conversation.objects.filter(name__startswith="At once", upstream_id__in=made)
    assert len(made) == 12
    assert sorted(rows.values_list("state", "made_here")) == [("live", True)] * 12
    assert not Conversation.objects.filter(upstream_id=None).exists()


def test_two_that_resolve_at_once_adopt_once(twin: TwinProcess) -> None:
    twin.fault("cut", method="POST", path="/v2/conversations", when="after")
    with pytest.raises(Exception, match="lost"):
        mirroring.create_conversation(actor=ANA, body=BODY)
    start = threading.Barrier(3)
    found: list[Conversation] = []

    def resolve() -> None:
        start.wait()
        found.extend(mirroring.resolve_unknown(actor=SYSTEM))

    with ThreadPoolExecutor(3) as pool:
        [future.result() for future in [pool.submit(in_thread, resolve) for _ in range(3)]]
    assert len(found) == 1
    assert Conversation.objects.get().state == "live"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writing transaction at a time")
def test_what_refers_to_a_conversation_is_written_while_it_is_being_settled() -> None:
    conversation = make.conversation()

    def refer() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '5s'")
            Room.objects.create(conversation=conversation)

    with transaction.atomic(), ThreadPoolExecutor(1) as other:
        lock_row(Conversation, conversation)
        other.submit(in_thread, refer).result(30)
    assert Room.objects.filter(conversation=conversation).exists()
