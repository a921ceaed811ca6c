"""Rules and alerts by page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from echoadmin.alerts import evaluating, keeping
from echoadmin.alerts.models import Alert, Rule
from echoadmin.log.models import Entry
from echoadmin.log.writer import append
from tests import make
from tests.integration.log.drafts import draft
from tests.integration.pages import told

Visitor = Callable[[str | None], Client]
RULES, ALERTS = "/admin/alerts/rule/", "/admin/alerts/alert/"

pytestmark = pytest.mark.django_db


def form(**changes: str) -> dict[str, str]:
    return {"name": "Tavus says no", "threshold": "5", "window": "60", "enabled": "on", **changes}


def shown(client: Client, query: str = "") -> list[str]:
    return [row.public_id for row in client.get(ALERTS + query).context["cl"].result_list]


def test_an_operator_puts_a_rule_on_a_view_changes_it_and_takes_it_away(visitor: Visitor) -> None:
    client, view, other = visitor("operator"), told.view(), told.view()
    page = client.get(f"{RULES}add/?view={view.public_id}")
    assert page.context["form"]["view"].value() == view.public_id
    answer = client.post(f"{RULES}add/", form(view=view.public_id))
    made = Rule.objects.get()
    path = f"{RULES}{made.public_id}/change/"
    assert answer["Location"] == path
    assert (made.view, made.name, made.threshold, made.window) == (view, "Tavus says no", 5, 60)
    assert made.enabled and made.created_by == told.user_of(client).username
    unticked = {**form(view=other.public_id, window="90"), "enabled": ""}
    assert client.post(path + "edit/", unticked)["Location"] == path
    made.refresh_from_db()
    assert (made.view, made.window, made.enabled) == (other, 90, False)
    assert len(told.recorded("rule.saved")) == 2
    assert client.get(path + "delete/").status_code == 405
    assert client.post(path + "delete/")["Location"] == RULES
    assert not Rule.objects.exists() and len(told.recorded("rule.deleted")) == 1


def test_what_a_rule_cannot_be_is_told_beside_its_field_and_nothing_is_lost(visitor: Visitor) -> None:
    client, row = visitor("operator"), told.rule(threshold=2)
    wrong = form(view=row.view.public_id, threshold="0", window="0", name=" ")
    for path in (f"{RULES}add/", f"{RULES}{row.public_id}/change/edit/"):
        page = client.post(path, wrong)
        assert page.status_code == 400
        assert page.context["form"].errors == {"name": ["This field is required."]}
        page = client.post(path, wrong | {"name": "Kept"})
        assert page.context["form"].errors == {"threshold": ["Is a whole number from 1 to 10,000."]}
        assert [page.context["form"][name].value() for name in ("name", "threshold", "window")] == ["Kept", "0", "0"]
        page = client.post(path, wrong | {"name": "Kept", "threshold": "1", "view": "vw_nowhere"})
        assert set(page.context["form"].errors) == {"view"}
    row.refresh_from_db()
    assert Rule.objects.count() == 1 and row.threshold == 2


def test_an_auditor_looks_at_rules_and_changes_none(visitor: Visitor) -> None:
    row, client = told.rule(), visitor("auditor")
    path = f"{RULES}{row.public_id}/change/"
    page = client.get(path).content.decode()
    assert row.view.name in page and "Delete it" not in page and ">Edit<" not in page
    assert "New rule" not in client.get(RULES).content.decode()
    for address in (f"{RULES}add/", path + "edit/", path + "delete/"):
        assert client.post(address, form(view=row.view.public_id)).status_code == 403, address
    assert client.get(f"{RULES}add/").status_code == 403
    assert Rule.objects.get() == row


def test_anothers_unshared_view_keeps_its_rule_and_is_offered_for_no_other(visitor: Visitor) -> None:
    client, row = visitor("operator"), told.rule(told.view(shared=False, name="Ana's own"))
    hidden = f"/admin/alerts/savedview/{row.view.public_id}/"
    for path in (RULES, f"{RULES}{row.public_id}/change/"):
        assert hidden not in client.get(path).content.decode()
    assert client.post(f"{RULES}add/", form(view=row.view.public_id)).status_code == 400
    answer = client.post(f"{RULES}{row.public_id}/change/edit/", form(view=row.view.public_id, name="Renamed"))
    assert answer.status_code == 302
    assert Rule.objects.get().name == "Renamed"


def test_a_rule_that_cannot_look_says_why(visitor: Visitor) -> None:
    row = told.rule()
    Rule.objects.update(error="text: the index is <being> made")
    client = visitor("auditor")
    for path in (RULES, f"{RULES}{row.public_id}/change/"):
        page = client.get(path).content.decode()
        assert "the index is &lt;being&gt; made" in page and 'data-state="error"' in page


def test_open_alerts_are_listed_first_and_the_others_when_asked_for(visitor: Visitor) -> None:
    seen, first, second = told.alert(), told.alert(), told.alert()
    keeping.acknowledge(actor=told.ANA, alerts=Alert.objects.filter(pk=seen.pk))
    client = visitor("auditor")
    assert shown(client) == [second.public_id, first.public_id]
    assert shown(client, "?state=acknowledged") == [seen.public_id]
    assert shown(client, "?state=all") == [second.public_id, first.public_id, seen.public_id]
    assert first.rule is not None
    assert shown(client, f"?state=all&rule={first.rule.public_id}") == [first.public_id]
    assert shown(client, "?rule=ru_nowhere%00") == []
    assert "No alert is open." in visitor("auditor").get(f"{ALERTS}?rule=ru_nowhere").content.decode()


def test_the_log_is_opened_at_exactly_what_an_alert_found(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = lambda: Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0  # noqa: E731
    monkeypatch.setattr(evaluating, "safe_head", newest)
    noise = {"family": "presence", "event_type": "system.heartbeat"}
    now = told.datetime.now(told.UTC)
    append([draft("cv_1", at=now - timedelta(hours=1), **noise)])
    before = newest()
    rule = told.rule(told.view(filters={"family": "presence"}))
    evaluating.evaluate(rule)
    late = draft("cv_1", at=now - timedelta(seconds=2), **noise)
    around = [draft("account", at=now + timedelta(seconds=span), **noise) for span in (-9, 9)]  # the others between
    append([draft("cv_1", **noise), late, draft("cv_2", **noise), draft("cv_1"), *around])
    evaluating.evaluate(Rule.objects.select_related("view").get())
    client = visitor("auditor")
    for row in Alert.objects.all():
        address = client.get(f"{ALERTS}{row.public_id}/change/").context["log"]
        found = [line["id"] for line in client.get(address).context["entries"]]
        of = row.conversation_ref or "account"
        expected = Entry.objects.filter(stream__public_id=of, family="presence", id__gt=before)
        assert sorted(found) == sorted(expected.values_list("id", flat=True)), row.conversation_ref
        assert len(found) == row.count
    assert Alert.objects.count() == 3


def test_the_log_of_a_threshold_is_that_of_all_conversations(visitor: Visitor) -> None:
    row = told.alert(told.rule(threshold=3))
    page = visitor("auditor").get(f"{ALERTS}{row.public_id}/change/")
    asked = parse_qs(urlsplit(page.context["log"]).query)
    assert asked.keys() == {"is_error", "at_after", "at_before", "noise"}


@pytest.mark.parametrize(("role", "status"), [("auditor", 403), ("operator", 302)])
def test_operators_acknowledge_one_and_several(role: str, status: int, visitor: Visitor) -> None:
    rows, client = [told.alert() for _ in range(4)], visitor(role)
    page = client.get(ALERTS).content.decode()
    assert ("Acknowledge the ticked" in page) is ('name="alert"' in page) is (role == "operator")
    one = f"{ALERTS}{rows[0].public_id}/change/acknowledge/"
    assert client.get(one).status_code == 405
    answer = client.post(one, {"next": f"{ALERTS}?state=all"})
    assert answer.status_code == status
    several = client.post(f"{ALERTS}acknowledge/", {"alert": [row.public_id for row in rows[1:3]] + ["al_nowhere\0"]})
    assert several.status_code == status
    left = list(Alert.objects.filter(acknowledged_at=None).order_by("id"))
    if role == "auditor":
        assert left == rows
        return
    assert answer["Location"] == f"{ALERTS}?state=all" and several["Location"] == ALERTS
    assert left == rows[3:]
    assert {row.acknowledged_by for row in Alert.objects.exclude(pk=rows[3].pk)} == {told.user_of(client).username}
    assert len(told.recorded("alert.acknowledged")) == 2
    client.post(one)
    assert len(told.recorded("alert.acknowledged")) == 2


def test_nothing_ticked_is_told(visitor: Visitor) -> None:
    told.alert()
    page = visitor("operator").post(f"{ALERTS}acknowledge/", follow=True)
    assert "None was ticked." in page.content.decode()
    assert Alert.objects.filter(acknowledged_at=None).count() == 1


def test_an_alerts_page_leads_to_its_rule_its_conversation_and_who_was_told(visitor: Visitor) -> None:
    conversation = make.conversation(name="Morning news")
    row = told.alert(conversation_ref=conversation.public_id)
    assert row.rule is not None
    page = visitor("auditor").get(f"{ALERTS}{row.public_id}/change/").content.decode()
    assert f"{RULES}{row.rule.public_id}/change/" in page
    assert f"/admin/conversations/conversation/{conversation.public_id}/change/" in page and "Morning news" in page
    assert f"/admin/deliveries/delivery/?q={row.public_id}" in page
    keeping.delete_rule(actor=told.ANA, rule=row.rule)
    assert "deleted since" in visitor("auditor").get(f"{ALERTS}{row.public_id}/change/").content.decode()


def test_an_open_alert_is_on_the_home_page_until_it_is_acknowledged(visitor: Visitor) -> None:
    row, client = told.alert(), visitor("operator")
    make.echo()
    assert f"{ALERTS}{row.public_id}/change/" in client.get("/admin/").content.decode()
    client.post(f"{ALERTS}{row.public_id}/change/acknowledge/")
    assert f"{ALERTS}{row.public_id}/change/" not in client.get("/admin/").content.decode()
