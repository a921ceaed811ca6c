"""`/api/v1/personas/` and `/api/v1/replicas/`."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from echoadmin.accounts.limits import reading
from echoadmin.accounts.permissions import Manager
from echoadmin.actors import Limits
from echoadmin.api.catalogue import UPSTREAM
from echoadmin.api.paging import Pages
from echoadmin.api.parsing import ObjectParser, PatchParser
from echoadmin.api.views import View, find
from echoadmin.idempotency import idempotent
from echoadmin.mirror.drift import Comparison, compare
from echoadmin.mirror.models import MirrorState, new_public_id
from personas import drift, services
from personas.mirrored import REPLICA
from personas.models import Persona, Replica
from personas.serializers import (
    DriftSerializer,
    OperationSerializer,
    PersonaRequest,
    PersonaSerializer,
    PullRequest,
    PushRequest,
    ReplicaSerializer,
    SyncSerializer,
)

TAG = ["personas"]


class PersonaFilter(filters.FilterSet):
    """Filters of the list of personas."""

    state = filters.ChoiceFilter(choices=MirrorState.choices)
    pipeline_mode = filters.CharFilter(max_length=40, label="echo, full; more may come")
    persona_type = filters.CharFilter(max_length=16, label="user or system")
    name = filters.CharFilter(lookup_expr="icontains", max_length=200, label="part of the name")
    differs = filters.BooleanFilter("drift", lookup_expr="isnull", exclude=True, label="other at Tavus than asked for")

    class Meta:
        model = Persona
        fields: list[str] = []


class ReplicaFilter(filters.FilterSet):
    """Filters of the list of replicas."""

    state = filters.ChoiceFilter(choices=MirrorState.choices)
    status = filters.CharFilter(max_length=40, label="completed, started, error; more may come")
    replica_type = filters.CharFilter(max_length=16, label="user or system")
    name = filters.CharFilter(lookup_expr="icontains", max_length=200, label="part of the name")

    class Meta:
        model = Replica
        fields: list[str] = []


@extend_schema(tags=TAG)
class PersonaList(View, generics.ListAPIView[Persona]):
    """All personas, newest first; POST creates a persona at Tavus."""

    roles = {"POST": Manager}
    codes = {"POST": UPSTREAM}
    queryset = Persona.objects.none()
    serializer_class = PersonaSerializer
    pagination_class = Pages
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = PersonaFilter

    def get_queryset(self) -> QuerySet[Persona]:
        """Newest first."""
        rows = Persona.objects.order_by("-id")
        return rows if self.limits is None else rows.filter(public_id__in=self.limits.personas)

    @extend_schema(request=PersonaRequest, responses={201: PersonaSerializer})
    @idempotent(lambda: new_public_id(Persona.PREFIX))
    def post(self, request: Request, ref: str) -> Response:
        """Creates it; forwarded as given, in either vocabulary. An echo persona gets the transport that echoes need."""
        services.create_persona(actor=self.actor(), body=request.data, public_id=ref)
        return Response(_persona(ref), status=201)

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """The persona that a repeated request made."""
        there = Persona.objects.filter(public_id=ref).exists()
        return Response(_persona(ref), status=201) if there else None


@extend_schema(tags=TAG)
class PersonaOne(View):
    """One persona, by either id."""

    roles = {"PATCH": Manager, "DELETE": Manager}
    codes = {"PATCH": UPSTREAM, "DELETE": UPSTREAM}
    shows = PersonaSerializer
    parser_classes = [ObjectParser, PatchParser]

    @extend_schema(responses=PersonaSerializer)
    def get(self, request: Request, any_id: str) -> Response:
        """As this console knows it; nothing is asked of Tavus."""
        return self.one(find(Persona.objects, any_id))

    @extend_schema(
        request={"application/json": PersonaRequest, "application/json-patch+json": OperationSerializer(many=True)},
        responses=PersonaSerializer,
        parameters=[
            OpenApiParameter("force", bool, description="Although there are unpublished edits in Tavus's editor."),
            OpenApiParameter("discards", str, description="With force: `maker_changes`, which names what is lost."),
        ],
    )
    def patch(self, request: Request, any_id: str) -> Response:
        """Changes it at Tavus: an object of fields (null removes one), or an RFC 6902 application/json-patch+json."""
        persona = find(Persona.objects, any_id)
        asked = request.query_params
        services.patch_persona(
            actor=self.actor(),
            persona=persona,
            operations=_operations(request.data),
            force=asked.get("force", "").lower() in ("1", "true"),
            discards=asked.get("discards", ""),
        )
        return Response(PersonaSerializer(persona).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, any_id: str) -> Response:
        """Deletes it at Tavus; the row stays here, as gone."""
        services.delete_persona(actor=self.actor(), persona=find(Persona.objects, any_id))
        return Response(status=204)


@extend_schema(tags=TAG)
class PersonaSync(View):
    """Reads one persona anew from Tavus."""

    roles = {"POST": Manager}
    codes = {"POST": UPSTREAM}

    @extend_schema(request=None, responses=PersonaSerializer)
    def post(self, request: Request, any_id: str) -> Response:
        """Returns it as it is now."""
        persona = services.sync_persona(actor=self.actor(), persona=find(Persona.objects, any_id))
        return Response(PersonaSerializer(persona).data)


@extend_schema(tags=TAG)
class PersonaDrift(View):
    """How a persona differs from what Tavus has, field by field; asks Tavus now."""

    codes = {"GET": UPSTREAM}

    @extend_schema(responses=DriftSerializer)
    def get(self, request: Request, any_id: str) -> Response:
        """Returns both values of each field, and the JSON Patch that would bring either side over."""
        persona = find(Persona.objects, any_id)
        return drift_answer(drift.persona_drift(actor=self.actor(), persona=persona), persona)


@extend_schema(tags=TAG)
class PersonaPull(View):
    """Takes over what Tavus has."""

    roles = {"POST": Manager}
    codes = {"POST": (*UPSTREAM, "drift_changed")}

    @extend_schema(request=PullRequest, responses=DriftSerializer)
    def post(self, request: Request, any_id: str) -> Response:
        """It counts as asked for from now on. Returns what was taken over."""
        persona = find(Persona.objects, any_id)
        given = _read(PullRequest, request)
        return drift_answer(drift.pull(actor=self.actor(), persona=persona, **given), persona)


@extend_schema(tags=TAG)
class PersonaPush(View):
    """Changes the persona at Tavus to what was asked for here."""

    roles = {"POST": Manager}
    codes = {"POST": (*UPSTREAM, "drift_changed")}

    @extend_schema(request=PushRequest, responses=DriftSerializer)
    def post(self, request: Request, any_id: str) -> Response:
        """Sends `push.patch` of what was shown, or nothing when that has changed (409). Returns what was sent."""
        persona = find(Persona.objects, any_id)
        given = _read(PushRequest, request)
        return drift_answer(drift.push(actor=self.actor(), persona=persona, **given), persona)


@extend_schema(tags=TAG)
class PersonasSync(View):
    """Reads all personas from Tavus."""

    roles = {"POST": Manager}
    codes = {"POST": UPSTREAM}

    @extend_schema(operation_id="personas_sync_all", request=None, responses=SyncSerializer)
    def post(self, request: Request) -> Response:
        """Returns what it found."""
        return Response(services.sync_personas(actor=self.actor()).facts())


@extend_schema(tags=["replicas"])
class ReplicaList(View, generics.ListAPIView[Replica]):
    """All replicas, newest first."""

    queryset: QuerySet[Replica] = Replica.objects.order_by("-id")
    serializer_class = ReplicaSerializer
    pagination_class = Pages
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = ReplicaFilter


@extend_schema(tags=["replicas"])
class ReplicaOne(View):
    """One replica, by either id."""

    shows = ReplicaSerializer

    @extend_schema(responses=ReplicaSerializer)
    def get(self, request: Request, any_id: str) -> Response:
        """As this console knows it."""
        return self.one(find(Replica.objects, any_id))


@extend_schema(tags=["replicas"])
class ReplicaSync(View):
    """Reads one replica anew from Tavus."""

    roles = {"POST": Manager}
    codes = {"POST": UPSTREAM}

    @extend_schema(request=None, responses=ReplicaSerializer)
    def post(self, request: Request, any_id: str) -> Response:
        """Returns it as it is now."""
        replica = services.sync_replica(actor=self.actor(), replica=find(Replica.objects, any_id))
        return Response(ReplicaSerializer(replica).data)


@extend_schema(tags=["replicas"])
class ReplicaDrift(View):
    """How a replica differs from what Tavus has; asks Tavus now."""

    codes = {"GET": UPSTREAM}

    @extend_schema(responses=DriftSerializer)
    def get(self, request: Request, any_id: str) -> Response:
        """To look at: replicas are changed at Tavus, and `sync/` takes it over."""
        replica = find(Replica.objects, any_id)
        return drift_answer(compare(REPLICA, replica, actor=self.actor()), replica)


@extend_schema(tags=["replicas"])
class ReplicasSync(View):
    """Reads all replicas from Tavus."""

    roles = {"POST": Manager}
    codes = {"POST": UPSTREAM}

    @extend_schema(operation_id="replicas_sync_all", request=None, responses=SyncSerializer)
    def post(self, request: Request) -> Response:
        """Returns what it found."""
        return Response(services.sync_replicas(actor=self.actor()).facts())


def drift_answer(found: Comparison, row: Any) -> Response:
    """A comparison as the API shows it; of what can be used also what uses it."""
    return Response({**found.facts(), "used_by": drift.uses(row) if isinstance(row, Persona | Replica) else []})


def _read(serializer_class: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    given: dict[str, Any] = serializer.validated_data
    return given


def _persona(public_id: str) -> Any:
    return PersonaSerializer(Persona.objects.get(public_id=public_id)).data


def its_persona(limits: Limits, request: Request, names: dict[str, Any]) -> None:
    """The persona in the address, with a key that is limited to it. Raises NotFound, as for none."""
    find(Persona.objects.filter(public_id__in=limits.personas), names["any_id"].replace("\0", ""))


def _operations(data: Any) -> list[dict[str, Any]]:
    """RFC 6902: `add` also replaces, so it is right for a field that may be absent."""
    if isinstance(data, list):
        return data
    return [
        {"op": "remove", "path": f"/{name}"} if value is None else {"op": "add", "path": f"/{name}", "value": value}
        for name, value in data.items()
    ]


urlpatterns = [
    path("personas/", PersonaList.as_view(within=reading)),
    path("personas/sync/", PersonasSync.as_view()),
    path("personas/<str:any_id>/", PersonaOne.as_view(within=its_persona)),
    path("personas/<str:any_id>/sync/", PersonaSync.as_view(within=its_persona)),
    path("personas/<str:any_id>/drift/", PersonaDrift.as_view(within=its_persona)),
    path("personas/<str:any_id>/pull/", PersonaPull.as_view(within=its_persona)),
    path("personas/<str:any_id>/push/", PersonaPush.as_view(within=its_persona)),
    path("replicas/", ReplicaList.as_view(within=reading)),
    path("replicas/sync/", ReplicasSync.as_view()),
    path("replicas/<str:any_id>/", ReplicaOne.as_view(within=reading)),
    path("replicas/<str:any_id>/sync/", ReplicaSync.as_view()),
    path("replicas/<str:any_id>/drift/", ReplicaDrift.as_view()),
]
