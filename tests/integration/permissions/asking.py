"""Every address of the console, who could ask for it, and what they are told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from echoadmin.accounts.keys import create_key
from echoadmin.accounts.roles import ROLES, SCOPE_OF, SCOPES
from echoadmin.actors import Actor
from echoadmin.log.models import Entry, Kind
from echoadmin.log.writer import Draft, append
from echoadmin.runs import start_run
from tests import make

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ANYBODY = "anybody"
APP_INDEX, ALL_ELSE, API_ELSE = "admin/<app_label>/", "admin/<all else>", "api/<all else>"
SHELL = Actor("test")
ELSEWHERE = "198.51.100.7"


@dataclass(frozen=True)
class Address:
    """One route of the console, and the methods that it has (a page: GET and POST)."""

    route: str
    methods: tuple[str, ...]

    @property
    def is_page(self) -> bool:
        return self.route.startswith("admin/")


def addresses() -> Iterator[Address]:
    """All there are, as the URL configuration has them."""
    yield from _walk(get_resolver().url_patterns, "")


def _walk(patterns: list[Any], before: str) -> Iterator[Address]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        else:
            yield Address(_named(route), _methods(pattern))


def _named(route: str) -> str:
    """Regular expressions get a name."""
    if "(?P<app_label>" in route:
        return APP_INDEX
    return {"admin/(?P<url>.*)$": ALL_ELSE, r"^api(?:/.*)?$": API_ELSE}.get(route, route)


def _methods(pattern: URLPattern) -> tuple[str, ...]:
    view = getattr(pattern.callback, "cls", None)
    if view is None:
        return ("GET", "POST")
    return tuple(method for method in METHODS if hasattr(view, method.lower()))


@dataclass
class Asker:
    """Somebody: how they ask, and whether they may do what is for `least`."""

    name: str
    may: Callable[[str], bool]
    user: User | None = None  # who is signed in
    account: User | None = None  # the same, or whose key it is
    headers: dict[str, str] = field(default_factory=dict)

    def client(self) -> Client:
        client = Client(raise_request_exception=False)
        if self.user is not None:
            client.force_login(self.user)
        return client


def askers() -> dict[str, Asker]:
    """A stranger, a session of each role, and keys of an admin with each scope alone."""
    made = {"stranger": Asker("stranger", lambda least: least == ANYBODY)}
    for role in ROLES:
        user = _person(role)
        made[role] = Asker(role, _up_to(role), user, user)
    boss = _person("admin", "boss")
    for scope in SCOPES:
        text = create_key(user=boss, label=scope, actor=SHELL, scopes=[scope])[1]
        headers = {"Authorization": f"Bearer {text}"}
        made[f"{scope} key"] = Asker(f"{scope} key", _with(scope), account=boss, headers=headers)
    return made


def _up_to(role: str) -> Callable[[str], bool]:
    return lambda least: least == ANYBODY or ROLES.index(role) >= ROLES.index(least)


def _with(scope: str) -> Callable[[str], bool]:
    return lambda least: least == ANYBODY or SCOPE_OF.get(least) == scope


def _person(role: str, name: str = "") -> User:
    user = User.objects.create(username=name or role, is_staff=True)
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    return user


class World:
    """Something at each kind of address, so that what is told is about the asker and not about the id."""

    def __init__(self) -> None:
        self.room = make.room()
        self.conversation = self.room.conversation
        self.echo = make.echo(conversation=self.conversation, state="queued")
        self.gap, self.interaction = make.gap(conversation=self.conversation), make.interaction()
        self.webhook = make.webhook()
        self.line, self.script, self.duty, self.console = make.line(), make.script(), make.duty(), make.console()
        self.owner = _person("auditor", "owner")
        self.key, _ = create_key(user=self.owner, label="theirs", actor=SHELL)
        ref = self.conversation.public_id
        append([Draft(stream=ref, kind=Kind.OPERATOR, event_type="noted", conversation_ref=ref, message={})])
        self.entry = Entry.objects.order_by("-id")[0]

    def path(self, route: str, asker: Asker) -> str:
        """The route with ids of rows that there are, where a maker of tests makes some."""
        if route in (APP_INDEX, ALL_ELSE, API_ELSE):
            return {APP_INDEX: "/admin/echoadmin/", ALL_ELSE: "/admin/nothing/here/", API_ELSE: "/api/nothing/"}[route]
        return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(self._id(found[1], route, asker)), route)

    def _id(self, name: str, route: str, asker: Asker) -> Any:
        ids: dict[str, Any] = {
            "inference_id": self.echo.inference_id,
            "entry_id": self.entry.pk,
            "script_id": self.script.public_id,
            "name": self.room.worker.name,
            "prefix": self.key.prefix,
            "conversation": self.conversation.public_id,
            "stream": self.conversation.public_id,
            "n": 1,
            "id": self.owner.pk,
            "content_type_id": ContentType.objects.get_for_model(User).pk,
            "what": "pause",
            "webhook_id": self.webhook.public_id,
        }
        own: dict[str, Callable[[Asker], str]] = {"line_id": self._own_line, "run_id": self._own_run}
        if name in own:
            return own[name](asker)
        return self._row(route, asker) if name in ("any_id", "object_id") else ids.get(name, "none")

    def _row(self, route: str, asker: Asker) -> Any:
        rows: dict[str, Any] = {
            "personas/persona/": self.conversation.persona.public_id,
            "/personas/": self.conversation.persona.public_id,
            "replica": self.conversation.replica.public_id,
            "conversations/conversation/": self.conversation.public_id,
            "/conversations/": self.conversation.public_id,
            "auth/user/": self.owner.pk,
            "auth/group/": lambda: Group.objects.get(name="auditor").pk,
            "admin/r/": self.owner.pk,
            "echoadmin/run/": lambda: self._own_run(asker),
            "echoadmin/duty/": self.duty.pk,
            "echoadmin/console/": self.console.pk,
            "accounts/apikey/": lambda: self._own_key(asker),
            "log/entry/": self.entry.pk,
            "conversations/echo/": self.echo.pk,
            "conversations/gap/": self.gap.pk,
            "conversations/interaction/": self.interaction.pk,
            "conversations/room/": self.room.pk,
            "conversations/worker/": self.room.worker.pk,
            "conversations/script/": self.script.public_id,
            "conversations/savedline/": self.line.pk,
            "conversations/webhookreceived/": self.webhook.public_id,
        }
        found = next((row for part, row in rows.items() if part in route), "none")
        return found() if callable(found) else found

    def _own_key(self, asker: Asker) -> str:
        """Keys, lines and runs are their owner's: everybody has one of their own."""
        if asker.account is None:
            return str(self.key.pk)
        return str(create_key(user=asker.account, label="mine", actor=SHELL)[0].pk)

    def _own_line(self, asker: Asker) -> str:
        if asker.account is None:
            return str(self.line.public_id)
        return str(make.line(owner_id=asker.account.pk, owner=asker.account.username).public_id)

    def _own_run(self, asker: Asker) -> str:
        account = asker.account or self.owner
        return start_run(actor=Actor(account.username, account.pk), kind="verify", params={}).public_id


def ask(world: World, asker: Asker, route: str, method: str) -> int:
    """The answer's status; whatever was done is undone. A page that sends to the sign-in tells 401."""
    before = transaction.savepoint()
    path = world.path(route, asker)
    kind = "application/x-www-form-urlencoded" if route.startswith("admin/") else "application/json"
    sent: dict[str, Any] = {} if method == "GET" else {"data": b"" if "form" in kind else b"{}", "content_type": kind}
    answer = asker.client().generic(method, path, headers=asker.headers, REMOTE_ADDR=ELSEWHERE, **sent)
    for close in answer._resource_closers if answer.streaming else ():  # not the signal: it would close the database
        close()
    transaction.set_rollback(False)
    transaction.savepoint_rollback(before)
    sent_away = answer.status_code == 302 and answer.headers["Location"].startswith("/admin/login/")
    return 401 if sent_away else answer.status_code
