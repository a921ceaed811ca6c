"""Users, roles and keys by page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from echoadmin.accounts.admin.people import set_role
from echoadmin.accounts.keys import create_key
from echoadmin.accounts.models import ApiKey
from echoadmin.accounts.roles import is_reviewed, role_of
from echoadmin.actors import SYSTEM
from echoadmin.log.models import Entry
from tests import make

Visitor = Callable[[str | None], Client]
PASSWORD = "a quite long passphrase 7"

pytestmark = pytest.mark.django_db


def test_an_admin_makes_a_user_with_a_role_who_can_sign_in(visitor: Visitor) -> None:
    form = {
        "username": "ben",
        "role": "operator",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    answer = visitor("admin").post("/admin/auth/user/add/", form)
    assert answer.status_code == 302, answer.context["form"].errors
    assert role_of(User.objects.get(username="ben")) == "operator"
    client = Client()
    client.post("/admin/login/", {"username": "ben", "password": PASSWORD})
    assert client.get("/admin/").status_code == 200
    assert Entry.objects.filter(event_type="user.created").exists()


def test_a_role_is_changed_and_taken_away_by_page(visitor: Visitor) -> None:
    row, client = make.user("operator", "cleo"), visitor("admin")
    path, form = f"/admin/auth/user/{row.pk}/change/", {"username": "cleo", "is_active": "on"}
    client.post(path, form | {"role": "manager"})
    assert role_of(User.objects.get(pk=row.pk)) == "manager"
    client.post(path, form | {"role": ""})
    changed = User.objects.get(pk=row.pk)
    assert role_of(changed) is None
    assert not changed.is_staff
    assert Entry.objects.filter(event_type="user.changed").count() == 2


def test_the_mark_of_the_reviewed_is_beside_the_role_and_given_and_taken_by_page(visitor: Visitor) -> None:
    row, client = make.user("operator", "cleo"), visitor("admin")
    path, form = f"/admin/auth/user/{row.pk}/change/", {"username": "cleo", "is_active": "on"}
    client.post(path, form | {"role": "operator", "reviewed": "on"})
    assert is_reviewed(User.objects.get(pk=row.pk))
    assert client.get(path).context["adminform"].form["reviewed"].initial is True
    set_role(User.objects.get(pk=row.pk), "manager")
    changed = User.objects.get(pk=row.pk)
    assert (role_of(changed), is_reviewed(changed)) == ("manager", True)
    client.post(path, form | {"role": "manager"})
    changed = User.objects.get(pk=row.pk)
    assert (role_of(changed), is_reviewed(changed)) == ("manager", False)


@pytest.mark.parametrize("given", [True, False])
def test_a_key_is_made_reviewed_by_page(visitor: Visitor, given: bool) -> None:
    client = visitor("operator")
    form = {"label": "tts", "scopes": ["read", "speak"]} | ({"reviewed": "on"} if given else {})
    assert client.post("/admin/accounts/apikey/add/", form).status_code == 201
    row = ApiKey.objects.get()
    assert row.reviewed is given
    shown = client.get(f"/admin/accounts/apikey/{row.pk}/change/").content.decode()
    assert ("waits for a second person" in shown) is given


def test_no_page_makes_a_superuser(visitor: Visitor) -> None:
    row, client = make.user("operator", "dan"), visitor("admin")
    form = {"username": "dan", "is_active": "on", "role": "operator", "is_superuser": "on", "is_staff": "on"}
    client.post(f"/admin/auth/user/{row.pk}/change/", form)
    assert not User.objects.get(pk=row.pk).is_superuser


@pytest.mark.parametrize("role", ["auditor", "operator", "manager"])
def test_only_admins_keep_users(role: str, visitor: Visitor) -> None:
    client, row = visitor(role), make.user("auditor")
    assert client.get("/admin/auth/user/add/").status_code == 403
    assert client.post(f"/admin/auth/user/{row.pk}/change/", {"username": "x", "role": "admin"}).status_code == 403
    assert client.get(f"/admin/auth/user/{row.pk}/password/").status_code == 403


def test_a_key_is_shown_once_and_opens_the_api(visitor: Visitor) -> None:
    client = visitor("operator")
    page = client.post("/admin/accounts/apikey/add/", {"label": "my program", "scopes": ["read"]})
    assert page.status_code == 201
    text = page.context["key"]
    assert text in page.content.decode()
    row = ApiKey.objects.get(name="my program")
    detail = client.get(f"/admin/accounts/apikey/{row.pk}/change/").content.decode()
    assert text not in detail
    assert row.hashed_key not in detail
    asked = Client().get("/api/v1/personas/", headers={"Authorization": f"Bearer {text}"})
    assert asked.status_code == 200
    client.post(f"/admin/accounts/apikey/{row.pk}/change/revoke/")
    refused = Client().get("/api/v1/personas/", headers={"Authorization": f"Bearer {text}"})
    assert refused.status_code == 401


def test_others_keys_are_neither_seen_nor_revoked(visitor: Visitor) -> None:
    row, _ = create_key(user=make.user("admin"), label="hers", actor=SYSTEM)
    client = visitor("manager")
    assert "hers" not in client.get("/admin/accounts/apikey/").content.decode()
    assert client.get(f"/admin/accounts/apikey/{row.pk}/change/").status_code == 404
    assert client.post(f"/admin/accounts/apikey/{row.pk}/change/revoke/").status_code == 404
    row.refresh_from_db()
    assert not row.revoked
    assert "hers" in visitor("admin").get("/admin/accounts/apikey/").content.decode()


def test_a_key_without_a_scope_or_a_label_is_refused_beside_its_field(visitor: Visitor) -> None:
    page = visitor("operator").post("/admin/accounts/apikey/add/", {"label": ""})
    assert page.status_code == 400
    assert set(page.context["form"].errors) == {"label", "scopes"}


@pytest.mark.parametrize("address", ["/nope", "/admin-nope/", "/api-nope"])
def test_a_stranger_at_an_address_that_is_not_there_is_told_so(address: str) -> None:
    answer = Client().get(address)
    assert answer.status_code == 404
    assert "There is no page at this address." in answer.content.decode()
    assert "Sign in" in answer.content.decode()


def test_a_stranger_whose_form_is_no_longer_valid_is_told_so() -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "ben", "password": PASSWORD})
    assert answer.status_code == 403
    assert "This form is no longer valid." in answer.content.decode()
