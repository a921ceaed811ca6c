"""What a user does at the console and sees there, and what of it is true upstream."""

from __future__ import annotations

import html
import re
from typing import Any

from django.test import Client

from conversations.models import Conversation
from echoadmin.log import reader
from echoadmin.log.models import Entry
from tests import make
from tests.twin_process import TwinProcess

ADDRESS = "/admin/conversations/conversation/"


class Console:
    """The console in this process, and the twin behind it."""

    def __init__(self, twin: TwinProcess) -> None:
        self.twin = twin
        self.client = Client()
        self.client.force_login(make.user("admin"))
        self._before = {row["conversation_id"] for row in self._bill()}

    # --- what is done ---

    def create(self, **body: Any) -> Any:
        """Ask for a conversation; the API's answer."""
        given = {"replica_id": "re8e740a42", "persona_id": "pipecat0", "conversation_name": "A lesson", **body}
        return self.client.post("/api/v1/conversations/", given, content_type="application/json")

    def press(self, row: Conversation, button: str) -> str:
        """Press a button on a conversation's page; what the next page says."""
        return text_of(self.client.post(f"{ADDRESS}{row.public_id}/change/{button}/", follow=True))

    def page(self, row: Conversation) -> str:
        """What a conversation's page says."""
        return text_of(self.client.get(f"{ADDRESS}{row.public_id}/change/"))

    # --- what is seen ---

    def calls(self, event_type: str) -> list[Any]:
        """The log's upstream calls of a kind, oldest first, as (status, attempt)."""
        rows = Entry.objects.filter(kind="upstream", event_type=event_type).order_by("id")
        return [(told["status"], told["attempt"]) for told in reader.messages(list(rows))]

    def told(self, row: Conversation) -> list[str]:
        """What operators' entries in a conversation's log say happened, oldest first."""
        rows = Entry.objects.filter(kind="operator", conversation_ref=row.public_id).order_by("n")
        return [entry.event_type.removeprefix("conversation.") for entry in rows]

    # --- what is true ---

    def made(self) -> dict[str, dict[str, Any]]:
        """The twin's bill of the conversations that began since the start, by id."""
        bill = {row["conversation_id"]: row for row in self._bill()}
        return {key: row for key, row in bill.items() if key not in self._before}

    def _bill(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.twin.get("/twin/bill")["conversations"]
        return rows

    def running(self) -> list[str]:
        """The ids of those that run, and cost."""
        return [key for key, row in self.made().items() if row["active"]]

    def unknown_here(self) -> list[str]:
        """Those among them that the console has no live row for: paid orphans."""
        known = set(Conversation.objects.filter(state="live", status="active").values_list("upstream_id", flat=True))
        return [key for key in self.running() if key not in known]


def text_of(answer: Any) -> str:
    """A page's words, without its scripts and tags."""
    page = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", answer.content.decode())
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
