"""`/api/v1/schema/`: the OpenAPI document, made once in a process."""

from __future__ import annotations

import json
from functools import cache
from hashlib import blake2b

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from drf_spectacular.generators import SchemaGenerator
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request

from echoadmin.api.views import View
from echoadmin.streaming import AnyAccept


@cache
def document() -> bytes:
    """As JSON. It takes a second to make, the same for everybody: what anybody may ask for is not made each time."""
    return json.dumps(SchemaGenerator().get_schema(request=None, public=True)).encode()


@cache
def _tag() -> str:
    return f'"{blake2b(document(), digest_size=16).hexdigest()}"'


class Document(View):
    """The document; for anybody, since it tells nothing of what is in this console."""

    schema = None
    content_negotiation_class = AnyAccept

    def get_permissions(self) -> list[BasePermission]:
        """Nothing is asked."""
        return [AllowAny()]

    def get(self, request: Request) -> HttpResponseBase:
        """200, or 304 for its ETag."""
        headers = {"ETag": _tag(), "Cache-Control": "no-cache"}
        whole = HttpResponse(document(), content_type="application/vnd.oai.openapi+json", headers=headers)
        answer: HttpResponseBase = get_conditional_response(request._request, etag=_tag(), response=whole) or whole
        return answer
