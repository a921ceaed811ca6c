"""Changes of states that somebody is to be told of."""

from __future__ import annotations

from django.db import models

from conversations.models.json_text import JsonText


class StateChange(models.Model):
    """One change of an echo's, a room's or a conversation's state, until the subscriptions are told.

    The database itself writes it, in the statement that changes the state, and only while a subscription wants to
    know: see conversations.changes. `facts` are the row's columns that change with a state, as they were then.
    """

    subject = models.CharField(max_length=16)  # echo, room, conversation
    row_id = models.BigIntegerField()
    was = models.CharField(max_length=40)  # of a new row: empty
    state = models.CharField(max_length=40)
    at = models.DateTimeField()
    facts = JsonText()

    def __str__(self) -> str:
        return f"{self.subject} {self.row_id}: {self.was} → {self.state}"
