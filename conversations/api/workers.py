"""`/api/v1/workers/`: the processes that hold rooms; drain one, and let it take rooms again."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.models import Worker
from conversations.serializers import OneWorkerSerializer, WorkerSerializer
from conversations.services import workers
from echoadmin.accounts.permissions import Manager
from echoadmin.api.paging import Pages
from echoadmin.api.views import View

TAG = ["operations"]


def rows() -> QuerySet[Worker]:
    """Workers with the number of rooms that each holds."""
    return workers.counted(Worker.objects.all())


def one(name: str) -> Worker:
    """The worker of this name. Raises NotFound."""
    found = rows().filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no worker {name[:100]!r}. Workers are listed under /api/v1/workers/.")
    return found


@extend_schema(tags=TAG)
class WorkerList(View, generics.ListAPIView[Worker]):
    """The processes that hold rooms, newest first."""

    serializer_class = WorkerSerializer
    pagination_class = Pages
    filter_backends = []
    queryset = Worker.objects.none()

    def get_queryset(self) -> QuerySet[Worker]:
        """Newest first."""
        return rows().order_by("-id")


@extend_schema(tags=TAG, responses=OneWorkerSerializer)
class WorkerOne(View):
    """One worker."""

    shows = OneWorkerSerializer

    def get(self, request: Request, name: str) -> Response:
        """With its rooms."""
        return self.one(one(name))


@extend_schema(tags=TAG, request=None, responses=OneWorkerSerializer)
class WorkerDrain(View):
    """Has a worker give its rooms to others."""

    roles = {"POST": Manager}
    codes = {"POST": ("not_now",)}

    def post(self, request: Request, name: str) -> Response:
        """It obeys within seconds, each room after the echo in hand. A `runrooms` process then ends; one in a console
        goes on, without rooms. 409 for one that is stopped or stale; twice is once."""
        workers.drain(actor=self.actor(), worker=one(name))
        return Response(OneWorkerSerializer(one(name)).data)


@extend_schema(tags=TAG, request=None, responses=OneWorkerSerializer)
class WorkerResume(View):
    """Has a worker that was drained take rooms again."""

    roles = {"POST": Manager}
    codes = {"POST": ("not_now",)}

    def post(self, request: Request, name: str) -> Response:
        """Within seconds. 409 for one that is stopped or stale; twice is once."""
        workers.take_again(actor=self.actor(), worker=one(name))
        return Response(OneWorkerSerializer(one(name)).data)
