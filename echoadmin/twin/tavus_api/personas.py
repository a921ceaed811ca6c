"""``/v2/personas`` and ``/v2/pals``: the same objects, each path in its own words."""

from typing import Any

import jsonpatch
from aiohttp import web

from echoadmin import clock

from .. import refusals
from ..conversation import iso, new_id
from ..validation import check_persona
from ..vendor import Vendor
from ..vocabulary import NEW, Vocabulary
from .access import VENDOR, check_key, read_json, read_object
from .listing import check_paging, flag, page_of

CREATED = ("persona_id", "persona_name", "created_at")
HIDDEN = ("persona_type",)
UNCHANGEABLE = ("persona_id", "persona_type", "created_at", "updated_at")


class Personas:
    """The endpoints of one path."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def routes(self, path: str) -> list[web.RouteDef]:
        return [
            web.post(path, self.create),
            web.get(path, self.list_all, allow_head=False),
            web.get(path + "/{id}", self.get, allow_head=False),
            web.patch(path + "/{id}", self.patch),
            web.delete(path + "/{id}", self.delete),
        ]

    async def create(self, request: web.Request) -> web.Response:
        body = self.vocabulary.read(await read_object(request))
        check_persona(body, self.vocabulary, created=True)
        check_key(request)
        vendor = request.app[VENDOR]
        _check_replica(vendor, body)
        row = _new_row(body)
        vendor.personas[row["persona_id"]] = row
        vendor.keep("persona", row["persona_id"], row)
        answer = {key: row[key] for key in CREATED}
        if self.vocabulary is NEW:
            answer |= {"persona_description": row.get("persona_description"), "tool_ids": row["tool_ids"]}
        return web.json_response(self.vocabulary.write(answer))

    async def list_all(self, request: web.Request) -> web.Response:
        check_paging(request)
        check_key(request)
        rows = sorted(request.app[VENDOR].personas.values(), key=lambda row: row["created_at"], reverse=True)
        wanted = request.query.get("persona_type") or request.query.get("pal_type")
        if wanted:
            rows = [row for row in rows if row["persona_type"] == wanted]
        return web.json_response(page_of(request, [self._shown(row) for row in rows]))

    async def get(self, request: web.Request) -> web.Response:
        check_key(request)
        return web.json_response(self._shown(self._find(request)))

    async def patch(self, request: web.Request) -> web.Response:
        patch = _read_patch(await read_json(request))
        check_key(request)
        row, vendor = self._find(request), request.app[VENDOR]
        if row["persona_type"] == "system":
            raise self._unknown()
        discarded = self._discard_maker_changes(request, patch)
        before = self._shown(row)
        after = _patched(before, patch)
        if after == before:
            return web.Response(status=304)
        changed = self.vocabulary.read(after)
        check_persona(changed, self.vocabulary, created=False)
        _check_replica(vendor, changed)
        kept = {key: row[key] for key in UNCHANGEABLE}
        row.clear()
        row.update({**changed, **kept, "updated_at": iso(clock.time())})
        vendor.keep("persona", row["persona_id"], row)
        return web.json_response(self._shown(row) | ({"discarded_maker_changes": True} if discarded else {}))

    async def delete(self, request: web.Request) -> web.Response:
        check_key(request)
        row, vendor = self._find(request), request.app[VENDOR]
        if row["persona_type"] == "system":
            raise self._unknown()
        del vendor.personas[row["persona_id"]]
        vendor.store.remove("persona", row["persona_id"])
        return web.Response(status=204)

    def _find(self, request: web.Request) -> dict[str, Any]:
        row = request.app[VENDOR].personas.get(request.match_info["id"])
        if row is None:
            raise self._unknown()
        return row

    def _unknown(self) -> refusals.Refusal:
        return refusals.unknown(self.vocabulary.say("persona_id"))

    def _shown(self, row: dict[str, Any]) -> dict[str, Any]:
        return self.vocabulary.write({key: value for key, value in row.items() if key not in HIDDEN})

    def _discard_maker_changes(self, request: web.Request, patch: list[dict[str, Any]]) -> bool:
        conferencing = [operation["path"].startswith("/layers/conferencing") for operation in patch]
        if any(conferencing):
            if not all(conferencing):
                raise refusals.Invalid({"layers": ["conferencing must be patched alone."]})
            return False
        fault = request.app[VENDOR].faults.take_for_request(request.method, request.path, ("maker_changes",))
        if fault and not flag(request, "force"):
            raise refusals.maker_changes()
        return fault is not None


def _new_row(body: dict[str, Any]) -> dict[str, Any]:
    now = iso(clock.time())
    defaults: dict[str, Any] = {
        "persona_name": None,
        "system_prompt": None,
        "pipeline_mode": "full",
        "default_replica_id": None,
        "document_ids": [],
        "document_tags": [],
        "layers": {},
        "greeting": "",
        "dynamic_greeting": False,
        "tool_ids": [],
        "guardrail_ids": [],
        "conferencing_email": None,
    }
    ours = {"persona_id": new_id("p"), "persona_type": "user", "created_at": now, "updated_at": now}
    return {**defaults, **{key: value for key, value in body.items() if value is not None}, **ours}


def _check_replica(vendor: Vendor, body: dict[str, Any]) -> None:
    if body.get("default_replica_id") and body["default_replica_id"] not in vendor.replicas:
        raise refusals.Refusal(400, {"error": "Invalid replica_uuid"})


def _read_patch(body: Any) -> list[dict[str, Any]]:
    if not isinstance(body, list) or not all(
        isinstance(part, dict) and isinstance(part.get("path"), str) for part in body
    ):
        raise refusals.bad_patch()
    try:
        jsonpatch.JsonPatch(body)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
        raise refusals.bad_patch() from None
    return body


def _patched(row: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    try:
        result = jsonpatch.apply_patch(row, patch)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError):
        raise refusals.bad_patch() from None
    if not isinstance(result, dict):
        raise refusals.bad_patch()
    return result
