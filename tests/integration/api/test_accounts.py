"""Keys and roles: what a key opens, what it does not, and that the log says who did what."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import RequestFactory, override_settings
from django.utils import timezone

from conversations.live.visitor import recognise
from echoadmin.accounts.acting import actor, client_address
from echoadmin.accounts.keys import KeyRefused, create_key, open_with, revoke_key
from echoadmin.accounts.models import ApiKey
from echoadmin.accounts.roles import ROLES, is_reviewed, may, role_of, role_within
from echoadmin.actors import Actor
from echoadmin.log.models import Entry
from echoadmin.runs import start_run
from echoadmin.runs.acting import actor_of_run
from tests.passwords import QUICK

pytestmark = pytest.mark.django_db
SHELL = Actor(name="command line", source="command")


def person(role: str | None, name: str = "ana", **more: Any) -> User:
    user = User(username=name, password=QUICK, **more)
    user.save()
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


def said(event_type: str) -> list[Entry]:
    return list(Entry.objects.filter(event_type=event_type).order_by("id"))


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_all_that_lower_ones_may_and_nothing_above(role: str) -> None:
    user = person(role)
    allowed = [wanted for wanted in ROLES if may(user, wanted)]
    assert allowed == list(ROLES[: ROLES.index(role) + 1])


def test_a_superuser_is_an_admin_and_nobody_is_nothing() -> None:
    assert role_of(person(None, "root", is_superuser=True)) == "admin"
    assert role_of(person(None, "new")) is None
    assert role_of(person("admin", "gone", is_active=False)) is None
    assert role_of(AnonymousUser()) is None


def test_the_highest_of_several_groups_counts() -> None:
    user = person("auditor")
    user.groups.add(Group.objects.get(name="manager"))
    assert role_of(User.objects.get(pk=user.pk)) == "manager"


@pytest.mark.parametrize(
    ("role", "scopes", "left"),
    [
        ("admin", ["read", "speak", "manage"], "manager"),
        ("operator", ["read", "speak", "manage"], "operator"),
        ("manager", ["read"], "auditor"),
        ("auditor", ["speak"], None),
        (None, ["read"], None),
    ],
)
def test_a_key_has_what_is_left_of_the_role_under_its_scopes(role: str | None, scopes: Any, left: str | None) -> None:
    assert role_within(role, scopes) == left


def test_a_key_opens_and_is_kept_as_a_hash() -> None:
    api_key, text = create_key(user=person("operator"), label="tts", actor=SHELL)
    secret = text.partition(".")[2]
    assert open_with(text).pk == api_key.pk == api_key.prefix
    row = ApiKey.objects.values().get()
    assert secret not in str(row)
    assert row["created_by"] == "command line"


def test_a_wrong_a_revoked_an_expired_key_and_one_of_a_gone_user_open_nothing() -> None:
    user = person("operator")
    api_key, text = create_key(user=user, label="tts", actor=SHELL)
    _, expired = create_key(user=user, label="old", actor=SHELL, expires=timezone.now() - timedelta(seconds=1))
    for wrong in ("", "x", api_key.prefix, f"{api_key.prefix}.wrong", text + "x"):
        with pytest.raises(KeyRefused, match="not known"):
            open_with(wrong)
    with pytest.raises(KeyRefused, match="expired"):
        open_with(expired)
    revoke_key(ApiKey.objects.get(pk=api_key.pk), actor=SHELL)
    with pytest.raises(KeyRefused, match="revoked"):
        open_with(text)
    _, other = create_key(user=user, label="third", actor=SHELL)
    User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(KeyRefused, match="not active"):
        open_with(other)


def test_use_is_noted_at_most_once_a_minute() -> None:
    _, text = create_key(user=person("operator"), label="tts", actor=SHELL)
    open_with(text)
    first = ApiKey.objects.get().last_used_at
    open_with(text)
    assert first is not None
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    open_with(text)
    assert ApiKey.objects.get().last_used_at >= first


def test_scopes_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValidationError, match="read, speak, manage"):
        create_key(user=person("operator"), label="tts", actor=SHELL, scopes=["fly"])
    assert not ApiKey.objects.exists()


def test_the_log_tells_of_keys_without_the_key_or_its_hash() -> None:
    api_key, text = create_key(user=person("operator"), label="tts", actor=SHELL)
    revoke_key(api_key, actor=SHELL)
    revoke_key(api_key, actor=SHELL)
    [created], [revoked] = said("api_key.created"), said("api_key.revoked")
    assert (created.actor, created.kind) == ("command line", "operator")
    assert api_key.prefix in (created.body or "")
    for entry in (created, revoked):
        assert text.partition(".")[2] not in (entry.body or "")
        assert api_key.hashed_key not in (entry.body or "")


def test_signing_in_failing_to_and_signing_out_are_in_the_log(rf: RequestFactory) -> None:
    person("auditor", is_staff=True)
    request: Any = rf.post("/")
    request.session, request.user = SessionStore(), AnonymousUser()
    assert auth.authenticate(request, username="ana", password="wrong") is None
    assert auth.authenticate(request, username="my-secret-password", password="x") is None
    user = auth.authenticate(request, username="ana", password="a long enough password")
    assert user is not None
    auth.login(request, user)
    auth.logout(request)
    failed = said("sign_in_failed")
    assert [(entry.actor, entry.is_error) for entry in failed] == [("ana", True), ("unknown user", True)]
    assert [entry.actor for entry in said("sign_in") + said("sign_out")] == ["ana", "ana"]
    assert not any("my-secret-password" in (entry.body or "") for entry in failed)
    assert all("127.0.0.1" in (entry.body or "") for entry in failed)


def test_the_actor_of_a_request_names_the_user_the_key_and_the_door(rf: RequestFactory) -> None:
    user = person("manager")
    request: Any = rf.get("/")
    request.user, request.request_id = user, "r1"
    assert actor(request) == Actor("ana", user.pk, None, "manager", "r1", "page")
    api_key, _ = create_key(user=user, label="tts", actor=SHELL, scopes=["read", "speak"])
    request.auth = api_key
    assert actor(request) == Actor("ana (key tts)", user.pk, api_key.prefix, "operator", "r1", "rest")


@pytest.mark.parametrize(("of_user", "of_key"), [(False, False), (True, False), (False, True), (True, True)])
def test_who_is_reviewed_is_so_by_each_door_and_costs_no_query(
    rf: RequestFactory, django_assert_num_queries: Any, of_user: bool, of_key: bool
) -> None:
    user = person("operator")
    if of_user:
        user.groups.add(Group.objects.get(name="reviewed"))
    _, text = create_key(user=user, label="tts", actor=SHELL, reviewed=of_key)
    assert role_of(user) == "operator"
    request: Any = rf.get("/")
    request.user = User.objects.get(pk=user.pk)
    with django_assert_num_queries(1):
        assert (actor(request).role, actor(request).reviewed) == ("operator", of_user)
    by_key: Any = rf.get("/")
    by_key.auth = open_with(text)
    by_key.user = by_key.auth.user
    visitor = recognise({"headers": [(b"authorization", f"Bearer {text}".encode())]})
    run = start_run(actor=actor(by_key), kind="replay", params={})
    told = [actor(by_key).reviewed, visitor.actor().reviewed, actor_of_run(run, "replay").reviewed]
    assert told == [of_user or of_key] * 3
    assert actor_of_run(run, "replay") == replace(actor(by_key), role=None, source="replay")


def test_a_superuser_is_never_reviewed_and_nobody_is_not() -> None:
    root = person(None, "root", is_superuser=True)
    root.groups.add(Group.objects.get(name="reviewed"))
    assert not is_reviewed(root)
    assert not is_reviewed(AnonymousUser())
    assert not is_reviewed(None)


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("9.9.9.9", "1.1.1.1", "9.9.9.9"),
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("unix", "1.1.1.1", "unix"),
    ],
)
@override_settings(TRUSTED_PROXIES=["10.0.0.0/8"])
def test_a_forwarded_address_counts_only_from_a_trusted_proxy(
    rf: RequestFactory, remote: str, forwarded: str, address: str
) -> None:
    assert client_address(rf.get("/", REMOTE_ADDR=remote, HTTP_X_FORWARDED_FOR=forwarded)) == address


def command(*args: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("create_api_key", *args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_prints_the_key_alone_on_its_last_line() -> None:
    person("operator")
    out, err = command("--user", "ana", "--label", "tts", "--scopes", "read,speak", "--days", "3")
    api_key = open_with(out.strip().splitlines()[-1])
    assert out.strip() == out.strip().splitlines()[-1]
    assert (api_key.label, api_key.scopes) == ("tts", ["read", "speak"])
    assert api_key.expiry_date is not None
    assert out.strip() not in err


def test_the_command_says_when_the_user_has_no_role() -> None:
    person(None)
    assert "has no role" in command("--user", "ana", "--label", "tts")[1]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--user", "bob", "--label", "x"), "no user is called 'bob'; there are: ana"),
        (("--user", "ana", "--label", " "), "--label"),
        (("--user", "ana", "--label", "x", "--scopes", "fly"), "read, speak, manage"),
        (("--user", "ana", "--label", "x", "--days", "0"), "--days"),
    ],
)
def test_the_command_teaches(args: tuple[str, ...], words: str) -> None:
    person("operator")
    with pytest.raises(CommandError, match=words):
        command(*args)


def test_a_password_that_a_command_changes_is_noted_and_the_password_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    person("operator")
    monkeypatch.setattr("getpass.getpass", lambda prompt="": "Correct-horse-7-battery")
    call_command("changepassword", "ana", stdout=io.StringIO())
    assert User.objects.get(username="ana").check_password("Correct-horse-7-battery")
    [entry] = said("password.changed")
    assert (entry.actor, '"user":"ana"' in (entry.body or "").replace(" ", "")) == ("command line", True)
    assert "horse" not in (entry.body or "")


def test_a_superuser_that_a_command_makes_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "Correct-horse-7-battery")
    arguments = ("createsuperuser", "--noinput", "--username", "root", "--email", "root@example.org")
    call_command(*arguments, stdout=io.StringIO())
    [entry] = said("user.created")
    assert (entry.actor, "root" in (entry.body or ""), "horse" in (entry.body or "")) == ("command line", True, False)
    with pytest.raises(CommandError):
        call_command(*arguments, stdout=io.StringIO())  # there is one
    assert len(said("user.created")) == 1
