"""``/v2/replicas`` and ``/v2/faces``. A new one is trained within seconds here, not hours."""

import asyncio
from typing import Any

from aiohttp import web

from echoadmin import clock

from .. import refusals
from ..conversation import iso, new_id
from ..validation import check_replica, refuse, text
from ..vendor import Vendor
from ..vocabulary import Vocabulary
from .access import VENDOR, check_key, read_object
from .listing import check_paging, flag, page_of

# The API's specification states no default for replicas; 20 rows came back on a first page.
PAGE = 20
VERBOSE = ("replica_type", "updated_at", "error_message")
REQUEST_ONLY = ("callback_url", "train_video_url", "train_image_url", "consent_video_url", "properties")


class Replicas:
    """The endpoints of one path."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def routes(self, path: str) -> list[web.RouteDef]:
        return [
            web.post(path, self.create),
            web.get(path, self.list_all, allow_head=False),
            web.get(path + "/{id}", self.get, allow_head=False),
            web.patch(path + "/{id}/name", self.rename),
            web.delete(path + "/{id}", self.delete),
        ]

    async def create(self, request: web.Request) -> web.Response:
        body = self.vocabulary.read(await read_object(request))
        check_replica(body, self.vocabulary)
        if not (body.get("train_video_url") or body.get("train_image_url")):
            raise refusals.Refusal(400, {"error": "Either train_video_url or train_image_url must be provided."})
        check_key(request)
        row = _new_row(body)
        vendor = request.app[VENDOR]
        vendor.replicas[row["replica_id"]] = row
        vendor.keep("replica", row["replica_id"], row)
        asyncio.get_running_loop().call_later(
            vendor.settings.training_seconds / vendor.settings.speed, trained, vendor, row
        )
        return web.json_response(self.vocabulary.write({"replica_id": row["replica_id"], "status": row["status"]}))

    async def list_all(self, request: web.Request) -> web.Response:
        check_paging(request)
        check_key(request)
        verbose = flag(request, "verbose")
        rows = [self._shown(request, row, verbose=verbose) for row in _filtered(request)]
        return web.json_response(page_of(request, rows, PAGE))

    async def get(self, request: web.Request) -> web.Response:
        check_key(request)
        return web.json_response(self._shown(request, self._find(request), verbose=flag(request, "verbose"), one=True))

    async def rename(self, request: web.Request) -> web.Response:
        body = self.vocabulary.read(await read_object(request))
        wrong = "Missing data for required field." if body.get("replica_name") is None else text(body["replica_name"])
        refuse({"replica_name": [wrong]} if wrong else {}, self.vocabulary)
        check_key(request)
        row = self._find_own(request)
        row.update(replica_name=body["replica_name"], updated_at=iso(clock.time()))
        request.app[VENDOR].keep("replica", row["replica_id"], row)
        return web.Response(status=200)

    async def delete(self, request: web.Request) -> web.Response:
        check_key(request)
        row, vendor = self._find_own(request), request.app[VENDOR]
        del vendor.replicas[row["replica_id"]]
        vendor.store.remove("replica", row["replica_id"])
        return web.Response(status=200)

    def _find(self, request: web.Request) -> dict[str, Any]:
        row = request.app[VENDOR].replicas.get(request.match_info["id"])
        if row is None:
            raise refusals.unknown(self.vocabulary.say("replica_id"))
        return row

    def _find_own(self, request: web.Request) -> dict[str, Any]:
        row = self._find(request)
        if row["replica_type"] == "system":
            raise refusals.unknown(self.vocabulary.say("replica_id"))
        return row

    def _shown(self, request: web.Request, row: dict[str, Any], *, verbose: bool, one: bool = False) -> dict[str, Any]:
        left_out = {*REQUEST_ONLY, *(() if verbose else VERBOSE)} - ({"updated_at", "error_message"} if one else set())
        shown = {key: value for key, value in row.items() if key not in left_out}
        if row["status"] == "completed":
            vendor = request.app[VENDOR]
            shown["thumbnail_video_url"] = f"http://{vendor.settings.host}:{vendor.port}/media/{row['replica_id']}.mp4"
        return self.vocabulary.write(shown)


def _filtered(request: web.Request) -> list[dict[str, Any]]:
    rows = sorted(request.app[VENDOR].replicas.values(), key=lambda row: row["created_at"], reverse=True)
    query = request.query
    kind = query.get("replica_type") or query.get("face_type")
    ids = query.get("replica_ids") or query.get("face_ids")
    wanted = {part.strip() for part in ids.split(",")} if ids else None
    model = query.get("model_name")
    return [
        row
        for row in rows
        if (not kind or row["replica_type"] == kind)
        and (wanted is None or row["replica_id"] in wanted)
        and (not model or row["model_name"] == model)
    ]


def _new_row(body: dict[str, Any]) -> dict[str, Any]:
    now = iso(clock.time())
    replica_id = new_id("r")
    given = {key: value for key, value in body.items() if value is not None}
    return {
        "replica_name": replica_id,
        "model_name": "phoenix-4",
        "default_voice_id": None,
        "original_voice_id": None,
        **given,
        "replica_id": replica_id,
        "replica_type": "user",
        "status": "started",
        "training_progress": "0/100",
        "error_message": None,
        "created_at": now,
        "updated_at": now,
    }


def trained(vendor: Vendor, row: dict[str, Any]) -> None:
    """Finish a training, and tell the replica's own ``callback_url`` so."""
    if vendor.replicas.get(row["replica_id"]) is not row:
        return
    row.update(status="completed", training_progress="100/100", updated_at=iso(clock.time()))
    vendor.keep("replica", row["replica_id"], row)
    vendor.webhooks.send(row.get("callback_url") or "", {"replica_id": row["replica_id"], "status": "ready"})
