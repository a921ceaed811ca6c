"""What happens to every Tavus request before and after its handler: faults, refusals as JSON, the key."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from .. import refusals
from ..faults import Fault
from ..vendor import Vendor

VENDOR = web.AppKey("vendor", Vendor)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HTML = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"


def check_key(request: web.Request) -> None:
    """Raise 401 for no ``x-api-key``, or one that begins with ``invalid``; any other is good."""
    key = request.headers.get("x-api-key", "")
    if not key or key.startswith("invalid"):
        raise refusals.unauthorised()


async def read_json(request: web.Request) -> Any:
    """Return the body as JSON; raises 400 in the vendor's words when it is none."""
    try:
        return json.loads(await request.read() or b"{}")
    except ValueError:
        raise refusals.Invalid({"_schema": ["Invalid input type."]}) from None


async def read_object(request: web.Request) -> dict[str, Any]:
    """Return the body, which must be a JSON object."""
    body = await read_json(request)
    if not isinstance(body, dict):
        raise refusals.Invalid({"_schema": ["Invalid input type."]})
    return body


@web.middleware
async def refuse_in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn a refusal, and aiohttp's own 404 and 405, into the vendor's JSON."""
    try:
        return await handler(request)
    except refusals.Refusal as refusal:
        return web.json_response(refusal.body, status=refusal.status)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return web.json_response({"message": error.reason}, status=error.status, headers=headers)


@web.middleware
async def go_wrong(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Carry out the faults that are armed for this request: first a delay, then one of the others."""
    if not request.path.startswith("/v2/"):
        return await handler(request)
    faults = request.app[VENDOR].faults
    if delay := faults.take_for_request(request.method, request.path, ("delay",)):
        await request.read()  # it came: what it asks for is done, whether or not somebody still waits
        await asyncio.sleep(delay.seconds)
    fault = faults.take_for_request(request.method, request.path, ("status", "html", "cut", "half"))
    if fault is None:
        return await handler(request)
    if fault.kind == "half":
        return await _half_of(request, await handler(request))
    if fault.when == "after":
        await handler(request)
    return _wrong_answer(request, fault)


async def _half_of(request: web.Request, whole: web.StreamResponse) -> web.StreamResponse:
    """Send the head and half of the body, then cut the connection: the work is done, and the answer can't be read."""
    body = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b"{}"
    headers = {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(body))}
    answer = web.StreamResponse(status=whole.status, headers=headers)
    await answer.prepare(request)
    await answer.write(body[: len(body) // 2])
    if request.transport:
        request.transport.close()
    return answer


def _wrong_answer(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.kind == "cut":
        if request.transport:
            request.transport.abort()
        return web.Response()
    status = fault.status or 500
    if fault.kind == "html":
        text = fault.body if isinstance(fault.body, str) else HTML
        return web.Response(text=text, status=status, content_type="text/html", headers=fault.headers)
    if isinstance(fault.body, str):
        return web.Response(text=fault.body, status=status, headers=fault.headers)
    body = {"message": "Internal Server Error"} if fault.body is None else fault.body
    return web.json_response(body, status=status, headers=fault.headers)
