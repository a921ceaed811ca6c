"""Before a conversation is created: what of the request, the account and this console would make it fail."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from conversations.models import Conversation
from conversations.money.budgets import full_for
from conversations.money.words import price_words
from conversations.preflight.checks import Check, good, odd, persona_checks, slot_check, worker_check, wrong
from conversations.services import bodies
from echoadmin.actors import Actor
from echoadmin.mirror.kinds import NotPossible, Payload
from echoadmin.mirror.models import MirrorState
from echoadmin.read_only import address
from echoadmin.shown import lasting
from echoadmin.tavus.errors import InvalidRequest, NotFound, TavusError
from echoadmin.upstream import calling, client
from personas.models import READY, Persona, Replica

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def before_creating(*, actor: Actor, body: Any, join: bool = True) -> list[Check]:
    """Every check, the failed ones too: nothing is raised. body: as for `create_conversation`, in either vocabulary."""
    try:
        asked = bodies.read_body(body)
    except (InvalidRequest, NotPossible) as error:
        return [_refused(error), *_standing_checks(join=join)]
    with calling(actor=actor):
        checks = [*_persona(asked), *_standing_checks(join=join and asked.get("test_mode") is not True)]
        if asked.get("test_mode") is True and not any(check.blocks for check in checks):
            checks.append(_test_mode(asked))
    return [*checks, *_money(asked), *_budget(asked, actor), _webhook(asked)]


def _standing_checks(*, join: bool) -> list[Check]:
    """Of the account and this console, whatever is asked for."""
    return [slot_check(), *([worker_check()] if join else [])]


def _refused(error: InvalidRequest | NotPossible) -> Check:
    fields = getattr(error, "fields", None) or {}
    told = [f"{name}: {' '.join(wrongs)}" for name, wrongs in fields.items()]
    way_out = str(getattr(error, "way_out", "") or "Correct it and ask again.")
    return wrong("request", "; ".join([error.message, *told]), way_out)


def _unasked(error: TavusError) -> Check:
    """Tavus could not be asked, or does not let us."""
    return wrong("key", f"{error} {error.upstream[:200]}".strip(), error.way_out)


def _persona(asked: Payload) -> list[Check]:
    """Key, persona and replica: one GET tells of the first two, and one more only where the mirror has no answer."""
    wanted = str(asked.get("persona_id") or "")
    if not wanted:
        add = reverse("admin:personas_persona_add")
        words = "It names no persona: Tavus takes one of its own, which is none for echoes."
        return [*_key_alone(), wrong("persona", words, "Pick an echo persona, or make one.", add)]
    try:
        payload = client().get_persona(wanted)
    except NotFound:
        words = f"Tavus has no persona {wanted[:80]}."
        where = reverse("admin:personas_persona_changelist")
        return [_key(), wrong("persona", words, "Pick another one, or sync the personas.", where)]
    except TavusError as error:
        return [_unasked(error)]
    row = Persona.objects.filter(upstream_id=wanted).first() or Persona(upstream_id=wanted)
    face = asked.get("replica_id") or payload.get("default_replica_id") or row.default_replica_id
    return [_key(), *persona_checks(row, payload), _replica(str(face or ""))]


def _key() -> Check:
    return good("key", "Tavus answers, and takes the API key.")


def _key_alone() -> list[Check]:
    try:
        client().list_personas(limit=1)
    except TavusError as error:
        return [_unasked(error)]
    return [_key()]


def _replica(wanted: str) -> Check:
    """The mirror is believed where it says ready; anything else is asked for."""
    where = reverse("admin:personas_replica_changelist")
    if not wanted:
        return wrong("replica", "Neither the persona nor the request names a replica.", "Pick a replica.", where)
    row = Replica.objects.filter(upstream_id=wanted).first()
    if row is not None and row.state == MirrorState.LIVE and row.is_ready:
        return good("replica", f"{row} is ready.", where)
    try:
        payload = client().get_replica(wanted)
    except NotFound:
        return wrong(
            "replica", f"Tavus has no replica {wanted[:80]}.", "Pick another one, or sync the replicas.", where
        )
    except TavusError as error:
        return _unasked(error)
    status = str(payload.get("status") or "not told")
    if status in READY:
        return good("replica", f"{payload.get('replica_name') or wanted} is ready.", where)
    return wrong("replica", f"The replica is {status}.", "Wait until its training is done, or pick another one.", where)


def _money(asked: Payload) -> list[Check]:
    """What it costs at most, and what ends it."""
    properties = bodies.with_defaults(asked, "cv_dry_run")["properties"]
    longest, left = properties.get("max_call_duration"), properties.get("participant_left_timeout")
    minutes = longest / 60 if isinstance(longest, int | float) and longest > 0 else None
    price = price_words(minutes)
    priced = settings.PRICE_PER_MINUTE is not None
    checks = [good("price", price) if priced else odd("price", "What a minute costs is not set here.", price)]
    if minutes is None:
        checks.append(odd("limits", "Nothing ends it by itself.", "Set properties.max_call_duration."))
    elif left == 0:
        words = "participant_left_timeout is 0: a restart of this console would end it."
        checks.append(odd("limits", words, f"Set it to {settings.PARTICIPANT_LEFT_TIMEOUT}, say."))
    else:
        ends = f"It ends by itself after {lasting(longest)}"
        checks.append(good("limits", f"{ends}, or {lasting(left)} after everybody has left."))
    return checks


def _budget(asked: Payload, actor: Actor) -> list[Check]:
    """Whether a budget would refuse it."""
    if asked.get("test_mode") is True:
        return []
    persona = Persona.objects.filter(upstream_id=str(asked.get("persona_id") or "")).first()
    row = Conversation(persona=persona, created_by_user=actor.user_id, created_by_key=actor.api_key_ref or "")
    full = full_for(row)
    if full is None:
        return []
    way_out = "Raise the budget, end what runs, or wait until its period is over."
    return [wrong("budget", full.refusal(), way_out, address(full.budget))]


def _webhook(asked: Payload) -> Check:
    """Whether Tavus can report to this console, by the addresses alone."""
    if asked.get("callback_url") and not bodies.is_our_webhook(asked["callback_url"]):
        words = "It has a callback_url of its own: its webhooks don't come here."
        return odd("webhook", words, "Leave callback_url out to have them here.")
    if not settings.PUBLIC_URL:
        words = "PUBLIC_URL is not set, so Tavus can't report here; the console asks instead, now and then."
        return odd("webhook", words, "Set PUBLIC_URL to the address at which Tavus can reach this console.")
    here, tavus = (urlsplit(url).hostname for url in (settings.PUBLIC_URL, settings.TAVUS_API_URL))
    if here in LOOPBACK and tavus not in LOOPBACK:
        words = f"PUBLIC_URL is {settings.PUBLIC_URL}, which Tavus can't reach."
        return odd("webhook", words, "Set PUBLIC_URL to the address at which Tavus can reach this console.")
    return good("webhook", f"Tavus reports to {settings.PUBLIC_URL}.")


def _test_mode(asked: Payload) -> Check:
    """Tavus's own judgement of the whole request. What it makes has ended when it answers, and is taken away again."""
    sent = {**bodies.with_defaults(asked, "cv_dry_run"), "test_mode": True}
    sent.pop("callback_url", None)  # there is no row here that a webhook could be about
    try:
        made = client().create_conversation(sent)
    except TavusError as error:
        return wrong("test_mode", f"{error} {error.upstream[:300]}".strip(), error.way_out)
    words = "Tavus took the request itself, in its test mode: no replica came, and nothing is billed."
    try:
        client().delete_conversation(made["conversation_id"])
    except TavusError as error:
        return good("test_mode", f"{words} What it made, {made['conversation_id']}, is still listed there: {error}")
    return good("test_mode", words)
