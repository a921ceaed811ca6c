"""`/api/v1/keys/`: API keys, for admins who are signed in. No key makes keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.urls import path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from echoadmin.accounts import keys
from echoadmin.accounts.models import ApiKey
from echoadmin.accounts.permissions import Admin
from echoadmin.accounts.roles import SCOPES
from echoadmin.api.paging import Pages
from echoadmin.api.views import View
from echoadmin.idempotency import act_once

TAG = ["keys"]
FIELDS = ("label", "user", "scopes", "personas", "conversations", "expires_at", "reviewed")


class KeySerializer(serializers.Serializer[Any]):
    """A key, without its text."""

    id = serializers.CharField(source="prefix", help_text="Its prefix: what its text begins with, up to the point.")
    label = serializers.CharField(source="name")  # type: ignore[assignment]
    user = serializers.CharField(source="user.username", help_text="Whose role it has.")
    state = serializers.CharField(help_text="active, expired or revoked.")
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES))
    personas = serializers.ListField(
        source="only_personas", child=serializers.CharField(), allow_null=True, help_text="null with null: no limits."
    )
    conversations = serializers.ListField(source="only_conversations", child=serializers.CharField(), allow_null=True)
    reviewed = serializers.BooleanField(help_text="What is said with it waits for a second person.")
    created_at = serializers.DateTimeField(source="created")
    created_by = serializers.CharField()
    expires_at = serializers.DateTimeField(source="expiry_date", allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="To the minute.")
    revoked_at = serializers.DateTimeField(allow_null=True)
    replaced_by = serializers.CharField(allow_blank=True, help_text="The id of the key that was made by rotating it.")


class NewKeySerializer(KeySerializer):
    """A key that was just made."""

    key = serializers.CharField(help_text="Its text, told this once; only a hash is kept.")


class KeyRequest(serializers.Serializer[Any]):
    """What a key is to be, for the OpenAPI document."""

    label = serializers.CharField(max_length=50)  # type: ignore[assignment]
    user = serializers.CharField(required=False, help_text="Whose; your own unless given.")
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES), required=False, help_text="All by default.")
    personas = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Either ids: with these and their conversations only."
    )
    conversations = serializers.ListField(child=serializers.CharField(), required=False, help_text="With these too.")
    expires_at = serializers.DateTimeField(required=False)
    reviewed = serializers.BooleanField(required=False)


class KeyRotateRequest(serializers.Serializer[Any]):
    """For the OpenAPI document."""

    overlap = serializers.IntegerField(
        required=False, help_text="Seconds in which the old text works yet: 86,400 by default, 2,592,000 at most."
    )


@extend_schema(tags=TAG)
class KeyList(View, generics.ListAPIView[ApiKey]):
    """Everybody's keys, newest first; POST makes one."""

    roles = {"GET": Admin, "POST": Admin}
    serializer_class = KeySerializer
    pagination_class = Pages
    filter_backends = []
    queryset = ApiKey.objects.none()

    def get_queryset(self) -> QuerySet[ApiKey]:
        """Newest first."""
        return ApiKey.objects.select_related("user").order_by("-created")

    @extend_schema(request=KeyRequest, responses={201: NewKeySerializer})
    @act_once
    def post(self, request: Request) -> Response:
        """Its text is in this answer, and never again; a repeat by its Idempotency-Key gets the same for 24 hours."""
        row, text = keys.create_key(actor=self.actor(), **_asked(request))
        return Response(_told(row, text), status=201)


@extend_schema(tags=TAG)
class KeyOne(View):
    """One key."""

    roles = {"GET": Admin}

    @extend_schema(responses=KeySerializer)
    def get(self, request: Request, prefix: str) -> Response:
        """As it is now."""
        return Response(KeySerializer(found(prefix)).data)


@extend_schema(tags=TAG)
class KeyRotate(View):
    """A new text in place of the old one."""

    roles = {"POST": Admin}

    @extend_schema(request=KeyRotateRequest, responses={201: NewKeySerializer})
    @act_once
    def post(self, request: Request, prefix: str) -> Response:
        """The new key, its text told this once; the old one works for `overlap` seconds yet."""
        _check_names(request, ("overlap",))
        overlap = request.data.get("overlap", "")
        row, text = keys.rotate_key(found(prefix), overlap=keys.overlap_of(str(overlap)), actor=self.actor())
        return Response(_told(row, text), status=201)


@extend_schema(tags=TAG)
class KeyRevoke(View):
    """Ends a key for good."""

    roles = {"POST": Admin}

    @extend_schema(request=None, responses=KeySerializer)
    def post(self, request: Request, prefix: str) -> Response:
        """Twice is once."""
        row = found(prefix)
        keys.revoke_key(row, actor=self.actor())
        return Response(KeySerializer(row).data)


def found(prefix: str) -> ApiKey:
    """Raises NotFound."""
    row = ApiKey.objects.select_related("user").filter(pk=prefix[:150]).first()
    if row is None:
        raise NotFound(f"There is no API key {prefix[:40]!r}. They are listed under /api/v1/keys/.")
    return row


def _asked(request: Request) -> dict[str, Any]:
    _check_names(request, FIELDS)
    data = request.data
    label = data.get("label")
    if not isinstance(label, str) or not 1 <= len(label.strip()) <= 50:
        raise ValidationError({"label": ["Is a text of 1 to 50 characters: what the key is for."]})
    scopes, reviewed = data.get("scopes", list(SCOPES)), data.get("reviewed", False)
    if not isinstance(scopes, list) or not scopes or not all(scope in SCOPES for scope in scopes):
        raise ValidationError({"scopes": [f"Is a list of one or more of {', '.join(SCOPES)}."]})
    if not isinstance(reviewed, bool):
        raise ValidationError({"reviewed": ["Is true or false."]})
    limits = {name: data.get(name) or [] for name in ("personas", "conversations")}
    more = {"label": label.strip(), "scopes": scopes, "reviewed": reviewed, "expires": _expires(data.get("expires_at"))}
    return {"user": _user(request, data.get("user")), **more, **limits}


def _check_names(request: Request, known: tuple[str, ...]) -> None:
    if strangers := sorted(set(request.data) - set(known)):
        raise ValidationError({strangers[0]: [f"There is no such field. There are: {', '.join(known)}."]})


def _expires(given: Any) -> datetime | None:
    if given is None:
        return None
    try:
        at = parse_datetime(given) if isinstance(given, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or at <= timezone.now():
        raise ValidationError({"expires_at": ["Is a time to come, in ISO 8601 with its zone: 2027-01-31T12:00:00Z."]})
    return at


def _user(request: Request, name: Any) -> User:
    if name is None:
        user = request.user
        assert isinstance(user, User)
        return user
    other = User.objects.filter(username=name).first() if isinstance(name, str) else None
    if other is None:
        raise ValidationError({"user": ["There is no user of this name."]})
    return other


def _told(row: ApiKey, text: str) -> dict[str, Any]:
    return {**KeySerializer(row).data, "key": text}


urlpatterns = [
    path("keys/", KeyList.as_view()),
    path("keys/<str:prefix>/", KeyOne.as_view()),
    path("keys/<str:prefix>/rotate/", KeyRotate.as_view()),
    path("keys/<str:prefix>/revoke/", KeyRevoke.as_view()),
]
