"""A console with something of everything in it, and a key for each role."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx

from tests.console_process import ConsoleProcess
from tests.waiting import until

KEYS = """
import json
from django.contrib.auth.models import Group, User
from echoadmin.accounts.keys import create_key
from echoadmin.actors import Actor
keys = {}
for role in ("auditor", "operator", "manager", "admin"):
    user = User.objects.create_user(f"one-{role}")
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    keys[role] = create_key(user=user, label="fuzz", actor=Actor("test"))[1]
print(json.dumps(keys))
"""


@dataclass
class Seeds:
    """The ids of what there is, by the name that addresses have for them."""

    keys: dict[str, str]
    ids: dict[str, str]

    def put_into(self, case: Any) -> None:
        """These ids in place of those that were made up."""
        place = case.operation.path
        for name in case.path_parameters or {}:
            known = self.ids.get(self._name_in(place, name))
            if known is not None:
                case.path_parameters[name] = known

    @staticmethod
    def _name_in(place: str, name: str) -> str:
        if name == "name":
            return "worker"
        if name != "any_id":
            return name
        kind = place.removeprefix("/api/v1/").partition("/")[0]
        ends = place.endswith(("/end/", "/leave/", "/conversations/{any_id}/"))
        return f"{kind}-to-end" if ends and kind == "conversations" else kind


def seeded(console: ConsoleProcess) -> Seeds:
    """Makes it all, over the API."""
    keys: dict[str, str] = json.loads(console.manage("shell", "-v", "0", "-c", KEYS).splitlines()[-1])
    with httpx.Client(
        base_url=f"{console.url}/api/v1/", headers={"Authorization": f"Bearer {keys['admin']}"}, timeout=30
    ) as api:
        return Seeds(keys, _made(api))


def _made(api: httpx.Client) -> dict[str, str]:
    def post(path: str, body: Any = None) -> Any:
        answer = api.post(path, json=body or {})
        assert answer.is_success, (path, answer.text)
        return answer.json()

    post("replicas/sync/")
    persona = post("personas/", {"persona_name": "Reader", "pipeline_mode": "echo"})["id"]
    replica = api.get("replicas/", params={"limit": 1}).json()["results"][0]
    wanted = {"replica_id": replica["replica_id"], "persona_id": persona, "join": True}
    conversation, to_end = post("conversations/", wanted)["id"], post("conversations/", wanted)["id"]
    place = f"conversations/{conversation}/"
    until(lambda: api.get(place).json()["room"]["replica_present"], "the replica is there")
    echo = post(f"{place}echoes/?wait=spoken", {"audio": "AAAA" * 4000, "inference_id": "seed"})
    line = post("lines/", {"name": "Welcome", "text": "Welcome."})["id"]
    script = post("scripts/", {"name": "Evening", "lines": [{"text": "Good evening."}]})["id"]
    run = post("runs/", {"kind": "export", "params": {"format": "ndjson", "filters": {"kind": "operator"}}})["id"]
    until(lambda: api.get(f"runs/{run}/").json()["state"] == "done", "the export is done")
    view = post("views/", {"name": "Failed", "filters": {"is_error": "true"}})["id"]
    rule = post("rules/", {"view": view, "name": "Failed", "threshold": 1, "window": 60})["id"]
    hook = post("subscriptions/", {"url": "http://127.0.0.1:9/hook"})["id"]
    return {
        "price_id": post("prices/", {"valid_from": "2026-01-01T00:00:00Z", "per_minute": "0.37"})["id"],
        "budget_id": post("budgets/", {"name": "All", "amount": "1000000"})["id"],
        "request_id": post("conversations/?when_free=true", wanted)["id"],
        "webhook_id": until(lambda: api.get("webhooks/").json()["results"], "Tavus reported")[0]["id"],
        "personas": persona,
        "replicas": replica["id"],
        "conversations": conversation,
        "conversations-to-end": to_end,
        "inference_id": echo["inference_id"],
        "line_id": line,
        "script_id": script,
        "run_id": run,
        "view_id": view,
        "rule_id": rule,
        "subscription_id": hook,
        "delivery_id": post(f"subscriptions/{hook}/ping/")["id"],
        "entry_id": str(api.get("entries/").json()["results"][0]["id"]),
        "worker": api.get("workers/").json()["results"][0]["name"],
    }
