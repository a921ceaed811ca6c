"""The class that every view of the API is made of, and the one that answers what nothing else does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from echoadmin.accounts import acting
from echoadmin.accounts.limits import Within
from echoadmin.accounts.permissions import Auditor, HasRole
from echoadmin.actors import Actor, Limits
from echoadmin.api import limits
from echoadmin.api.etags import tag
from echoadmin.api.parsing import ObjectParser
from echoadmin.api.shaping import NOTHING_ASKED, asked_of, shape_of
from echoadmin.idempotency import repeatable

READS = ("GET", "HEAD")


class View(APIView):
    """One address. `roles` says who may use which method; reading is for auditors unless it says otherwise.

    `codes`: the error codes of its own, by method (see `echoadmin.api.catalogue`). `shows`: the serializer of what a
    GET answers, where it is no list with a `serializer_class`; with either come `?fields=`, `?expand=` and an ETag.
    Its `post` honours an Idempotency-Key: as `repeatable`, unless it says that it is another kind.
    """

    parser_classes = [ObjectParser]
    renderer_classes = [JSONRenderer]
    roles: ClassVar[dict[str, type[HasRole]]] = {}
    codes: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    shows: ClassVar[type[Serializer[Any]] | None] = None
    shaped: ClassVar[bool] = True  # False: no fields, no expand, no ETag
    asked = NOTHING_ASKED
    policy = limits.DEFAULT  # by which its requests are counted
    within: Within | None = None  # what a key with limits may do here; None: nothing
    largest_upload: ClassVar[int] = settings.DATA_UPLOAD_MAX_MEMORY_SIZE  # bytes of a multipart body

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        post = cls.__dict__.get("post")
        if post is not None and not hasattr(post, "handles_key"):
            cls.post = repeatable(post)  # type: ignore[attr-defined]

    @property
    def limits(self) -> Limits | None:
        """What the request's key is limited to; None: nothing."""
        return acting.limits_of(self.request)

    @classmethod
    def largest_body(cls, content_type: str) -> int:
        """Bytes of a body of this kind; `echoadmin.bodies` reads no more."""
        return cls.largest_upload if content_type.startswith("multipart/") else settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    def get_permissions(self) -> list[BasePermission]:
        """By method."""
        return [self.roles.get(self.request.method or "", Auditor)()]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """No body that is too large is read, and no text with NUL reaches a query: PostgreSQL takes none."""
        super().initial(request, *args, **kwargs)
        self._check_sizes_and_texts(request, kwargs)
        if request.method in READS:
            self.asked = asked_of(request.query_params, shape_of(self))

    def perform_authentication(self, request: Request) -> None:
        """Raises ApiError (429, `rate_limited`) for who asks too much, before anything else is looked at."""
        super().perform_authentication(request)
        limits.check(request, self.policy)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """What was asked for of a read, its ETag, and what is left of the rate."""
        response = super().finalize_response(request, response, *args, **kwargs)
        read = request.method in READS and response.status_code == 200 and isinstance(response, Response)
        if read and shape_of(self) is not None:
            response.data = self.asked.of(response.data)
            tag(request, response)
        limits.tell(request, response)
        return response

    def get_serializer_context(self) -> dict[str, Any]:
        """What serializers are to know of the request."""
        return {"request": self.request, "view": self, "expand": self.asked.expand}

    def one(self, row: Any) -> Response:
        """The answer to a GET of this row."""
        assert self.shows is not None
        return Response(dict(self.shows(row, context=self.get_serializer_context()).data))

    def _check_sizes_and_texts(self, request: Request, kwargs: Mapping[str, Any]) -> None:
        if int(request.META.get("CONTENT_LENGTH") or 0) > self.largest_body(request.META.get("CONTENT_TYPE", "")):
            raise RequestDataTooBig
        for name, values in request.query_params.lists():
            if "\0" in name or any("\0" in value for value in values):
                raise ValidationError({name.replace("\0", ""): ["Holds the character NUL. Remove it."]})
        if any("\0" in str(value) for value in kwargs.values()):
            raise NotFound("There is nothing at this address.")

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """What an `idempotent` post made under this id, as it would be answered now; None where there is nothing."""
        return None

    def actor(self, source: str = "rest") -> Actor:
        """Who asks."""
        return acting.actor(self.request, source)


def find(rows: Any, any_id: str) -> Any:
    """The mirrored row with this id, ours or Tavus's. Raises NotFound."""
    row = rows.by_any_id(any_id).first()
    if row is None:
        kind = rows.model._meta.verbose_name
        raise NotFound(
            f"There is no {kind} {any_id[:80]!r}. Ids are listed under /api/v1/{kind}s/; new ones come by a sync."
        )
    return row


class Nothing(View):
    """Every address under /api/ that there is not: 404 in the API's own shape."""

    permission_classes = [AllowAny]

    def get_permissions(self) -> list[BasePermission]:
        """Anybody may be told that there is nothing."""
        return [AllowAny()]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Whatever the method."""
        raise NotFound(f"There is nothing at {request.path}. The addresses there are: /api/v1/schema/")


def nothing(request: HttpRequest, **_: Any) -> HttpResponseBase:
    """The same request with the slash that was forgotten, else 404."""
    answer = Nothing.as_view()
    if not request.path_info.endswith("/"):
        try:
            match = resolve(f"{request.path_info}/")
        except Resolver404:
            return answer(request)
        if match.func is not nothing and not iscoroutinefunction(match.func):
            return match.func(request, *match.args, **match.kwargs)
    return answer(request)


nothing.csrf_exempt = True  # type: ignore[attr-defined]
