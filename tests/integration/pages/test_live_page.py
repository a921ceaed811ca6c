"""A conversation's live page, as it is first drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from django.test import Client

from conversations.models import Conversation
from conversations.serializers import echo_dict
from conversations.standing import standing
from tests import make

Visitor = Callable[[str | None], Client]
STATE = re.compile(r'<script id="conversation-state" type="application/json">(.*?)</script>')

pytestmark = pytest.mark.django_db


def address(row: Conversation) -> str:
    return f"/admin/conversations/conversation/{row.public_id}/change/"


def test_a_microphone_is_asked_for_on_the_live_page_alone(visitor: Visitor) -> None:
    client, row = visitor("operator"), make.room().conversation
    assert "microphone=(self)" in client.get(address(row))["Permissions-Policy"]
    for path in ("/admin/", "/admin/conversations/conversation/", f"{address(row)}state/"):
        assert "microphone=()" in client.get(path)["Permissions-Policy"], path


def test_it_starts_with_what_the_websocket_would_tell(visitor: Visitor) -> None:
    echo = make.echo(conversation=make.room().conversation, state="spoken")
    row = echo.conversation
    [written] = STATE.findall(visitor("auditor").get(address(row)).content.decode())
    state = json.loads(written)
    assert state.pop("echoes") == json.loads(json.dumps([echo_dict(echo)], default=str))
    assert set(state) == set(standing(row))
    assert visitor("auditor").get(f"{address(row)}state/").json()["room"] == state["room"]
