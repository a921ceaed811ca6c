"""The page "Rehearse faults": what is armed, and a form for more. It has no database transaction open."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from conversations.models import Conversation
from echoadmin.accounts.acting import actor
from echoadmin.pages import draw, log_address, require_role, told
from echoadmin.sandbox import rehearsing
from echoadmin.sandbox.rehearsing import LONGEST, MOST_TIMES, NoFault, TwinAway
from echoadmin.shown import lasting

TO_DO = "rehearse faults"
SHOWN = 200  # conversations that the form offers
AWAY = "Start the twin (manage.py twin, or the console, which starts one), and reload this page."


def faults(request: HttpRequest) -> HttpResponseBase:
    """What goes wrong next; POST arms one more."""
    require_role(request, "admin", TO_DO)
    error = ""
    try:
        if request.method == "POST":
            try:
                armed = rehearsing.arm(actor=actor(request), **_asked(request))
                messages.success(request, f"Armed: {armed['title']}")
                return redirect("sandbox:faults")
            except NoFault as wrong:
                error = str(wrong)
        known, armed_now = rehearsing.rehearsals(), rehearsing.armed()
    except TwinAway as away:
        return told(request, 503, str(away), AWAY, "twin_away")
    running = Conversation.objects.filter(status="active", state="live", upstream_id__isnull=False)
    context = {
        "title": "Rehearse faults",
        "groups": [(name, list(rows)) for name, rows in groupby(known, key=lambda one: one["group"])],
        "armed": [_shown(one, known) for one in armed_now],
        "conversations": running.order_by("-id")[:SHOWN],
        "chosen": request.POST if error else {"times": "1"},
        "error": error,
        "most_times": MOST_TIMES,
        "longest": int(LONGEST),
        "log": log_address(event_type="fault.armed"),
    }
    return draw(request, "sandbox/faults.html", context, 400 if error else 200)


def remove(request: HttpRequest) -> HttpResponseBase:
    """The buttons: one fault, or all."""
    require_role(request, "admin", TO_DO)
    if request.method != "POST":
        return told(request, 405, "This address is for a button.", "Go back and press the button on the page.")
    try:
        gone = rehearsing.remove(actor=actor(request), fault_id=request.POST.get("id", ""))
    except TwinAway as away:
        return told(request, 503, str(away), AWAY, "twin_away")
    messages.success(request, f"Removed: {gone}." if gone else "It was gone already.")
    return redirect("sandbox:faults")


def _asked(request: HttpRequest) -> dict[str, Any]:
    """The form's fields. Raises NoFault that names the one which makes no sense."""
    asked: dict[str, Any] = {"name": request.POST.get("name", "")}
    asked["conversation_id"] = request.POST.get("conversation_id", "")[:64]
    times = request.POST.get("times", "1").strip()
    if "until" in request.POST:
        asked["times"] = None
    elif times.isascii() and times.isdigit() and 1 <= int(times) <= MOST_TIMES:
        asked["times"] = int(times)
    else:
        raise NoFault(f"Times: is a whole number from 1 to {MOST_TIMES:,}.")
    asked["seconds"] = _seconds(request.POST.get("seconds", "").strip())
    return asked


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST:
        raise NoFault(f"Seconds: is a number from 0 to {LONGEST:,.0f}.")
    return seconds


def _shown(fault: dict[str, Any], known: list[dict[str, Any]]) -> dict[str, Any]:
    """One that is armed, by the name of its rehearsal; one that was armed otherwise by its kind."""
    same = (one for one in known if one["fault"].items() <= fault.items())
    best = max(same, key=lambda one: len(one["fault"]), default=None)
    left = None if fault["count"] is None else fault["count"] - fault["used"]
    lasts = fault["kind"] == "away"
    return {
        "id": fault["id"],
        "title": best["title"] if best else f"{fault['kind']} {fault['status'] or ''}".strip(),
        "expect": best["expect"] if best else "",
        "times": "" if lasts else "until it is removed" if left is None else f"{left} more time{'s' * (left != 1)}",
        "used": fault["used"],
        "seconds": lasting(fault["seconds"]) if lasts or (best and best["seconds"] is not None) else "",
        "where": fault["conversation_id"] or "",
    }
