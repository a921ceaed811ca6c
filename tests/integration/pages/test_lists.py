"""Every list page: drawn for each role, and in as many queries for many rows as for few."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations.models import Budget, Price, SlotRequest
from echoadmin.accounts.keys import create_key
from echoadmin.actors import SYSTEM
from echoadmin.log.models import Kind
from echoadmin.log.writer import Draft, append
from echoadmin.public_ids import new_public_id
from tests import make
from tests.integration.pages import told

Visitor = Callable[[str | None], Client]


def entries(count: int) -> None:
    append(
        [
            Draft(stream="account", kind=Kind.OPERATOR, event_type="tested", actor="ana", message={"n": n})
            for n in range(count)
        ]
    )


def keys(count: int) -> None:
    for _ in range(count):
        create_key(user=make.user(), label="a program", actor=SYSTEM)


def rooms(count: int) -> None:
    make.room.create_batch(count)


def views(count: int) -> None:
    for _ in range(count):
        told.rule(told.view(filters={"conversation": make.conversation().public_id}))


def alerts(count: int) -> None:
    for number in range(count):
        told.alert(conversation_ref=make.conversation().public_id if number % 2 else "")


def budgets(count: int) -> None:
    for _ in range(count):
        Budget.objects.create(name="A budget", amount=5, currency="EUR", scope="persona", persona=make.persona())


def prices(count: int) -> None:
    before = Price.objects.count()
    for n in range(before, before + count):
        Price.objects.create(valid_from=timezone.now() + timedelta(days=n), per_minute=1, currency="EUR")


def slot_requests(count: int) -> None:
    for _ in range(count):
        row = SlotRequest(conversation_ref=new_public_id("cv"), created_by="ana", expires_at=timezone.now())
        row.save()


LISTS: dict[str, Callable[[int], object]] = {
    "conversations/conversation": rooms,
    "conversations/room": rooms,
    "conversations/worker": rooms,
    "conversations/echo": make.echo.create_batch,
    "conversations/interaction": make.interaction.create_batch,
    "conversations/savedline": make.line.create_batch,
    "conversations/gap": make.gap.create_batch,
    "conversations/script": make.script.create_batch,
    "conversations/webhookreceived": make.webhook.create_batch,
    "conversations/price": prices,
    "conversations/budget": budgets,
    "conversations/slotrequest": slot_requests,
    "personas/persona": make.persona.create_batch,
    "personas/replica": make.replica.create_batch,
    "echoadmin/duty": make.duty.create_batch,
    "echoadmin/console": make.console.create_batch,
    "log/entry": entries,
    "accounts/apikey": keys,
    "alerts/savedview": views,
    "alerts/rule": views,
    "alerts/alert": alerts,
    "deliveries/subscription": lambda count: [told.subscription() for _ in range(count)],
    "deliveries/delivery": lambda count: [told.delivery() for _ in range(count)],
    "auth/user": lambda count: [make.user("operator") for _ in range(count)],
}


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        answer = client.get(path)
    assert answer.status_code == 200, answer
    return len(seen)


@pytest.mark.django_db
@pytest.mark.parametrize("name", LISTS)
def test_a_list_asks_as_much_for_many_rows_as_for_few(name: str, visitor: Visitor) -> None:
    client, path = visitor("admin"), f"/admin/{name}/"
    LISTS[name](3)
    few = queries(client, path)
    LISTS[name](22)
    assert queries(client, path) == few
    assert few <= 13


@pytest.mark.django_db
def test_the_home_page_asks_as_much_for_many_rows_as_for_few(visitor: Visitor) -> None:
    client = visitor("admin")

    def more(count: int) -> None:
        rooms(count)
        make.room.create_batch(count, state="lost", error="The network is away.")
        make.echo.create_batch(count, state="unconfirmed")
        make.conversation.create_batch(count, state="unknown", status="")
        make.duty.create_batch(count, last_error="It broke.")
        for _ in range(count):
            told.subscription(enabled=False, disabled_reason="Nothing has arrived for 3 days.")
        alerts(count)

    more(3)
    few = queries(client, "/admin/")
    more(12)
    assert queries(client, "/admin/") == few


@pytest.mark.django_db
def test_no_list_counts_the_log(visitor: Visitor) -> None:
    entries(3)
    client = visitor("auditor")
    with CaptureQueriesContext(connection) as seen:
        client.get("/admin/log/entry/")
    assert [query["sql"] for query in seen if "COUNT(" in query["sql"].upper() and "log_entry" in query["sql"]] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["alerts/alert", "deliveries/delivery", "conversations/echo", "conversations/interaction"]
)
def test_what_grows_without_end_is_not_counted(name: str, visitor: Visitor) -> None:
    LISTS[name](3)
    client, table = visitor("manager"), f"{name.replace('/', '_')}"
    with CaptureQueriesContext(connection) as seen:
        assert client.get(f"/admin/{name}/?_facets=True").status_code == 200
    assert [query["sql"] for query in seen if "COUNT(" in query["sql"].upper() and table in query["sql"]] == []


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["auditor", "operator", "manager", "admin"])
def test_every_role_sees_every_list_but_users(role: str, visitor: Visitor) -> None:
    client = visitor(role)
    for name, more in LISTS.items():
        more(1)
        expected = 200 if name != "auth/user" or role == "admin" else 403
        assert client.get(f"/admin/{name}/").status_code == expected, name
    assert client.get("/admin/").status_code == 200


@pytest.mark.django_db
def test_a_user_without_a_role_sees_nothing(visitor: Visitor) -> None:
    client = visitor(None)
    for name in LISTS:
        assert client.get(f"/admin/{name}/").status_code == 403, name


@pytest.mark.django_db
def test_nobody_adds_changes_or_deletes_through_djangos_own_forms(visitor: Visitor) -> None:
    client = visitor("admin")
    rows = [make.room(), make.echo(), make.duty(), make.replica()]
    for row in rows:
        base = f"/admin/{row._meta.app_label}/{row._meta.model_name}"
        assert client.post(f"{base}/add/", {}).status_code == 403
        assert client.post(f"{base}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert type(row).objects.filter(pk=row.pk).exists()
