"""Signing in: how often one may try, codes from an authenticator, and what the log says of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from echoadmin.accounts import second_factor, sessions, signing_in, throttling
from echoadmin.accounts.models import SecondFactor, SignInAttempt
from echoadmin.actors import Actor
from echoadmin.log.models import Entry
from tests import make
from tests.passwords import PASSWORD, QUICK

pytestmark = pytest.mark.django_db
SHELL = Actor("test")
LOGIN = "/admin/login/"
HOME = "198.51.100.7"


def person(name: str = "ana", role: str = "operator") -> User:
    user = make.user(role, name)
    user.password = QUICK
    user.save()
    return user


def sign_in(
    name: str, password: str, code: str = "", address: str = "198.51.100.7", client: Client | None = None
) -> Any:
    body = {"username": name, "password": password, "code": code}
    return (client or Client()).post(LOGIN, body, REMOTE_ADDR=address)


def said(event_type: str) -> list[str]:
    return [entry.body or "" for entry in Entry.objects.filter(event_type=event_type).order_by("id")]


def test_after_five_failures_a_name_is_refused_at_this_address_with_the_time_to_wait() -> None:
    person()
    for _ in range(throttling.FOR_A_NAME):
        assert sign_in("ana", "wrong").status_code == 200
    for password in ("wrong", PASSWORD):
        refused = sign_in("ana", password)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= throttling.WINDOW.total_seconds()
        assert "Too many failed tries from your address. Wait 15 minutes" in refused.content.decode()
    assert "_auth_user_id" not in refused.client.session


def test_the_right_user_signs_in_from_another_address_meanwhile() -> None:
    person()
    for _ in range(throttling.FOR_A_NAME + 3):
        sign_in("ana", "wrong", address="203.0.113.9")
    assert sign_in("ana", PASSWORD, address="203.0.113.9").status_code == 429
    assert sign_in("ana", PASSWORD, address="198.51.100.7").status_code == 302
    assert sign_in("ben", "wrong", address="203.0.113.9").status_code == 200


def test_an_address_is_refused_whatever_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "FOR_AN_ADDRESS", 6)
    for number in range(6):
        assert sign_in(f"guess {number}", "wrong", address="2001:db8::1").status_code == 200
    assert sign_in("guess 9", "wrong", address="2001:db8::2").status_code == 429, "one customer's network"
    assert sign_in("guess 9", "wrong", address="2001:db8:0:1::2").status_code == 200


def test_the_wait_ends_and_being_refused_makes_it_no_longer() -> None:
    person()
    for _ in range(throttling.FOR_A_NAME + 4):
        sign_in("ana", "wrong")
    assert SignInAttempt.objects.count() == 2 * throttling.FOR_A_NAME
    SignInAttempt.objects.update(at=timezone.now() - throttling.WINDOW - timedelta(seconds=1))
    assert sign_in("ana", PASSWORD).status_code == 302
    assert throttling.forget_old() > 0


def test_success_forgets_what_failed_before() -> None:
    person()
    for _ in range(throttling.FOR_A_NAME - 1):
        sign_in("ana", "wrong")
    assert sign_in("ana", PASSWORD).status_code == 302
    for _ in range(throttling.FOR_A_NAME):
        assert sign_in("ana", "wrong").status_code == 200


def test_who_types_a_password_for_a_name_leaves_it_nowhere() -> None:
    typed = "correct-horse-battery"
    sign_in(typed, "wrong")
    assert not any(typed in row.place for row in SignInAttempt.objects.all())
    assert not any(typed in body for body in said("sign_in_failed"))


@pytest.mark.django_db(transaction=True)
def test_many_tries_at_once_are_no_way_round() -> None:
    def one(_: int) -> bool:
        try:
            throttling.begin("ana", "198.51.100.7")
        except throttling.TooManyAttempts:
            return False
        finally:
            connections.close_all()
        return True

    if connection.vendor == "sqlite":
        assert sum(map(one, range(40))) == throttling.FOR_A_NAME
        return
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(one, range(40))) <= throttling.FOR_A_NAME


def enrol(user: User) -> tuple[SecondFactor, pyotp.TOTP, list[str]]:
    """An authenticator in use, as the page makes one."""
    client = Client()
    client.force_login(User.objects.get(pk=user.pk))
    page = client.get("/admin/second-factor/").content.decode()
    seed = re.search(r"<code>([A-Z2-7 ]+)</code>", page)
    assert seed is not None and "data:image/svg+xml" in page
    totp = pyotp.TOTP(seed[1].replace(" ", ""))
    made = client.post("/admin/second-factor/", {"do": "confirm", "code": totp.now()})
    assert made.status_code == 200, made.content.decode()
    codes = made.context["codes"]
    row = SecondFactor.objects.get(user=user)
    SecondFactor.objects.update(last_step=0)  # as half a minute later
    return row, totp, codes


def test_an_authenticator_is_asked_for_from_then_on_and_each_code_is_taken_once() -> None:
    user = person()
    assert "one-time-code" not in Client().get(LOGIN).content.decode()
    row, totp, _ = enrol(user)
    assert "one-time-code" in Client().get(LOGIN).content.decode()
    without = sign_in("ana", PASSWORD)
    assert without.status_code == 200
    assert "asks for a code from its authenticator" in without.content.decode()
    assert sign_in("ana", PASSWORD, "000000" if totp.now() != "000000" else "000001").status_code == 200
    code = totp.now()
    assert sign_in("ana", "wrong", code).status_code == 200
    assert sign_in("ana", PASSWORD, code).status_code == 302, "a wrong password takes no code"
    assert sign_in("ana", PASSWORD, code).status_code == 200, "a code is taken once"
    assert [("code" in body) for body in said("sign_in_failed")] == [True, True, False, True]
    assert len(said("totp.enabled")) == 1
    assert row.user == user


def test_a_code_on_paper_opens_once() -> None:
    _, _, codes = enrol(person())
    assert len(codes) == second_factor.BACKUP_CODES
    assert sign_in("ana", PASSWORD, codes[0].upper()).status_code == 302
    assert sign_in("ana", PASSWORD, codes[0]).status_code == 200
    assert '"left":9' in said("totp.backup_code_used")[0].replace(" ", "")


def test_wrong_codes_count_as_failed_tries() -> None:
    _, totp, _ = enrol(person())
    for _ in range(throttling.FOR_A_NAME):
        sign_in("ana", PASSWORD, "not it")
    assert sign_in("ana", PASSWORD, totp.now()).status_code == 429


def test_seed_and_codes_are_not_in_the_database_in_clear() -> None:
    row, totp, codes = enrol(person())
    row.refresh_from_db()
    kept = f"{row.sealed_seed} {row.backup_codes}"
    assert totp.secret not in kept
    assert not any(code.replace("-", "") in kept or code in kept for code in codes)


def test_an_authenticator_is_removed_by_a_code_or_by_an_admin() -> None:
    user = person()
    client = Client()
    client.force_login(user)
    _, totp, _ = enrol(user)
    assert client.post("/admin/second-factor/", {"do": "remove", "code": "000"}).status_code == 400
    assert client.post("/admin/second-factor/", {"do": "remove", "code": totp.now()}).status_code == 302
    assert not SecondFactor.objects.filter(confirmed_at__isnull=False).exists()
    enrol(user)
    admin = Client()
    admin.force_login(make.user("admin", "root"))
    form = {"username": "ana", "role": "operator", "is_active": "on"}
    admin.post(f"/admin/auth/user/{user.pk}/change/", form | {"authenticator": "on"})
    assert second_factor.of(user) is not None
    admin.post(f"/admin/auth/user/{user.pk}/change/", form)
    assert second_factor.of(user) is None
    assert len(said("totp.removed")) == 2


def test_new_codes_on_paper_end_the_old_ones() -> None:
    user = person()
    client = Client()
    client.force_login(user)
    _, totp, codes = enrol(user)
    page = client.post("/admin/second-factor/", {"do": "renew", "code": totp.now()})
    assert page.status_code == 200
    assert sign_in("ana", PASSWORD, codes[1]).status_code == 200
    assert sign_in("ana", PASSWORD, page.context["codes"][1]).status_code == 302


@pytest.fixture
def asked_of_managers(settings: LazySettings) -> None:
    settings.TOTP_ROLES = ["manager", "admin"]
    place = settings.MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware") + 1
    middleware = f"{signing_in.__name__}.{signing_in.second_factor_required.__name__}"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[:place], middleware, *settings.MIDDLEWARE[place:]]


def test_who_must_have_an_authenticator_gets_no_further_without(asked_of_managers: None) -> None:
    user, client = person("meg", "manager"), Client()
    assert sign_in("meg", PASSWORD, client=client).status_code == 302
    for path in ("/admin/", "/admin/conversations/conversation/"):
        assert client.get(path).headers["Location"] == "/admin/second-factor/"
    assert client.post("/admin/conversations/conversation/sync/").status_code == 403
    assert client.get("/api/v1/conversations/").status_code == 403
    assert client.get("/admin/second-factor/").status_code == 200
    enrol(user)
    assert client.get("/admin/").status_code == 200
    operator = Client()
    operator.force_login(make.user("operator"))
    assert operator.get("/admin/").status_code == 200


def test_passwords_that_are_changed_are_in_the_log_and_in_it_is_no_password() -> None:
    user, fresh = person(), "another quite long passphrase 8"
    client = Client()
    client.force_login(user)
    form = {"old_password": PASSWORD, "new_password1": fresh, "new_password2": fresh}
    assert client.post("/admin/password_change/", form).status_code == 302
    assert client.post("/admin/password_change/", form | {"old_password": "wrong"}).status_code == 200
    admin = Client()
    admin.force_login(make.user("admin", "root"))
    again = {"password1": PASSWORD + "!", "password2": PASSWORD + "!", "usable_password": "true"}
    assert admin.post(f"/admin/auth/user/{user.pk}/password/", again).status_code == 302
    entries = Entry.objects.filter(event_type="password.changed").order_by("id")
    assert [entry.actor for entry in entries] == ["ana", "root"]
    assert all("ana" in (entry.body or "") and fresh not in (entry.body or "") for entry in entries)


def test_the_database_knows_no_cookie_and_a_session_still_works_ends_and_is_forgotten() -> None:
    client = Client()
    person()
    sign_in("ana", PASSWORD, client=client)
    cookie = client.session.session_key or ""
    [row] = Session.objects.all()
    assert cookie and cookie not in (row.session_key, row.session_data)
    assert client.get("/admin/").status_code == 200
    stolen = Client()
    stolen.cookies[client.cookies.keys().__iter__().__next__()] = row.session_key
    assert stolen.get("/admin/").status_code == 302, "what the database holds is no cookie"
    assert sessions.SessionStore(cookie).exists(cookie)
    client.post("/admin/logout/")
    assert not Session.objects.exists()
    assert client.get("/admin/").status_code == 302


@pytest.mark.django_db(transaction=True)
async def test_the_sessions_own_async_ways_do_the_same() -> None:
    store = sessions.SessionStore()
    await store.aset("a", 1)
    await store.asave()
    cookie = store.session_key or ""
    assert await store.aexists(cookie)
    assert await sessions.SessionStore(cookie).aget("a") == 1
    assert await sessions.SessionStore("0" * 32).aget("a") is None
    await sessions.SessionStore(cookie).adelete()
    assert not await store.aexists(cookie)


def test_a_change_of_roles_and_an_export_are_in_the_log(visitor: Callable[[str], Client]) -> None:
    user, client = person(), visitor("admin")
    form = {"username": "ana", "is_active": "on", "role": "manager"}
    client.post(f"/admin/auth/user/{user.pk}/change/", form)
    assert '"role":"manager"' in said("user.changed")[0].replace(" ", "")
    assert client.post("/admin/log/entry/export/", {"format": "csv"}).status_code == 302
    assert client.get("/api/v1/entries/export/").status_code == 200
    assert len(said("log.exported")) == 2
