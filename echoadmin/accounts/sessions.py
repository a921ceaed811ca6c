"""Sessions in the database, found by a hash of their cookie: who reads a copy of the database can't sign in with it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.contrib.sessions.models import Session
from django.utils import timezone


def kept(cookie: str) -> str:
    """What the row of a session is called. The cookie is 160 random bits: a plain hash can't be searched back."""
    return sha256(cookie.encode()).hexdigest()[:40]


class SessionStore(DatabaseSessions):
    """Django's own, but for what a row is called."""

    def _get_session_from_db(self) -> Session | None:
        return self._of(self._rows(self.session_key).first())

    async def _aget_session_from_db(self) -> Session | None:
        return self._of(await self._rows(self.session_key).afirst())

    def exists(self, session_key: str) -> bool:
        """Whether there is one."""
        return Session.objects.filter(pk=kept(session_key)).exists()

    async def aexists(self, session_key: str) -> bool:
        """Whether there is one."""
        return await Session.objects.filter(pk=kept(session_key)).aexists()

    def create_model_instance(self, data: Any) -> Session:
        """The row to be saved."""
        return self._called(super().create_model_instance(data))

    async def acreate_model_instance(self, data: Any) -> Session:
        """The row to be saved."""
        return self._called(await super().acreate_model_instance(data))

    def delete(self, session_key: str | None = None) -> None:
        """This session, or another."""
        if cookie := session_key or self.session_key:
            Session.objects.filter(pk=kept(cookie)).delete()

    async def adelete(self, session_key: str | None = None) -> None:
        """This session, or another."""
        if cookie := session_key or self.session_key:
            await Session.objects.filter(pk=kept(cookie)).adelete()

    def _rows(self, cookie: str | None) -> Any:
        return Session.objects.filter(pk=kept(cookie or ""), expire_date__gt=timezone.now())

    def _of(self, row: Session | None) -> Session | None:
        """Where there is none, the cookie is not taken for a new one."""
        if row is None:
            self._session_key = None
        return row

    def _called(self, row: Any) -> Session:
        named: Session = row
        named.session_key = kept(named.session_key)
        return named
