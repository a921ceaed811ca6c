"""The client's typed dicts have the fields that the console answers with."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest

from conversations import serializers as conversations
from conversations.api import queueing, scripts
from echoadmin.api import runs
from echoadmin.client import shapes
from echoadmin.log.api import EntrySerializer
from personas import serializers as personas

PAIRS: list[tuple[type, type[Any]]] = [
    (shapes.Persona, personas.PersonaSerializer),
    (shapes.Replica, personas.ReplicaSerializer),
    (shapes.Synced, personas.SyncSerializer),
    (shapes.Conversation, conversations.ConversationSerializer),
    (shapes.Room, conversations.RoomSerializer),
    (shapes.Participant, conversations.ParticipantSerializer),
    (shapes.Echo, conversations.EchoSerializer),
    (shapes.Times, conversations.TimesSerializer),
    (shapes.Interrupted, conversations.InterruptedSerializer),
    (shapes.Interaction, conversations.InteractionSerializer),
    (shapes.Entry, EntrySerializer),
    (shapes.Floor, queueing.FloorSerializer),
    (shapes.FloorAnswer, queueing.FloorAnswer),
    (shapes.Script, scripts.ScriptSerializer),
    (shapes.Run, runs.RunSerializer),
]


@pytest.mark.parametrize(("shape", "serializer"), PAIRS, ids=[shape.__name__ for shape, _ in PAIRS])
def test_a_shape_has_the_fields_of_the_answer(shape: type, serializer: type[Any]) -> None:
    assert set(get_type_hints(shape)) == set(serializer().fields)
